"""Two schools that have people but no catalogue yet, fresh for every test.

The demo world has its catalogue already; these tests are about making one.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.resources import Resources, open_resources
from coursecove.tenants.models import Member

HARMONY = {"Clara": "org:admin", "Ida": "org:instructor", "Tomás": "org:instructor", "Mia": "org:member"}
STILLWATER = {"Noor": "org:admin", "Jun": "org:instructor", "Sofia": "org:member"}


@dataclass(frozen=True)
class NewSchool:
    """A school by its people's given names."""

    database: Database
    organization_id: uuid.UUID
    people: dict[str, Member]

    def open(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A unit of work in this school, as the application role."""
        return self.database.organization(self.organization_id, acting=SYSTEM)

    def __getitem__(self, given_name: str) -> Member:
        return self.people[given_name]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def house(empty_settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(empty_settings) as resources:
        yield resources


@pytest.fixture
async def harmony(house: Resources) -> NewSchool:
    return await found(house.database, "Harmony Music School", "Europe/Berlin", "EUR", HARMONY)


@pytest.fixture
async def stillwater(house: Resources) -> NewSchool:
    return await found(house.database, "Stillwater Yoga", "America/New_York", "USD", STILLWATER)


async def found(
    database: Database, name: str, time_zone: str, currency: str, people: dict[str, str]
) -> NewSchool:
    """Found a school; ``people`` are given names with Clerk's roles."""
    organization_id = uuid.uuid4()
    async with database.platform_scope() as session:
        await session.execute(
            text(
                "insert into organizations (id, clerk_id, slug, name, time_zone, currency, version) "
                "values (:id, :clerk_id, :slug, :name, :time_zone, :currency, 1)"
            ),
            {
                "id": organization_id,
                "clerk_id": f"org_{organization_id.hex}",
                "slug": f"school-{organization_id.hex}",
                "name": name,
                "time_zone": time_zone,
                "currency": currency,
            },
        )
        for given_name, clerk_role in people.items():
            await session.execute(
                text(
                    "insert into members (organization_id, clerk_user_id, clerk_membership_id, given_name, "
                    "clerk_role, version) values (:organization_id, :user, :membership, :name, :role, 1)"
                ),
                {
                    "organization_id": organization_id,
                    "user": f"user_{uuid.uuid4().hex}",
                    "membership": f"orgmem_{uuid.uuid4().hex}",
                    "name": given_name,
                    "role": clerk_role,
                },
            )
    async with database.organization(organization_id, acting=SYSTEM) as session:
        members = (await session.scalars(select(Member))).all()
    return NewSchool(database, organization_id, {member.given_name: member for member in members})
