"""Both schools with one of each thing, and everybody's clients at Stillwater Yoga."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from coursecove.config import Settings
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.clerk.world import MUSIC_SCHOOL, YOGA
from coursecove.dev.postgres import EmbeddedPostgres
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.isolation.catalogue_rules import tenant_tables
from tests.isolation.databases import as_superuser
from tests.isolation.people import PEOPLE, is_page, things_of, with_new_things_that_pass
from tests.isolation.routes import Things

_JUN = "jun@stillwater.example"
Asking = Callable[[str, str], httpx.Client]


@pytest.fixture(scope="module")
def theirs(settings: Settings, musicschool: School, stand_in: ClerkStandIn) -> Things:
    """Things of Harmony Music School: the other school, from where the tests stand."""
    things = things_of(settings, musicschool, teacher="ida@harmony.example", student="mia@example.com")
    return replace(things, invitation_id=_invite(stand_in, MUSIC_SCHOOL.clerk_id))


@pytest.fixture(scope="module")
def ours(settings: Settings, yoga: School, stand_in: ClerkStandIn) -> Things:
    """Things of Stillwater Yoga."""
    things = things_of(settings, yoga, teacher=_JUN, student="sofia@example.com")
    return replace(things, invitation_id=_invite(stand_in, YOGA.clerk_id))


@pytest.fixture(scope="module")
def whole(settings: Settings, yoga: School, stand_in: ClerkStandIn) -> Callable[[Things], Things]:
    """`whole(ours)`: the same, with what earlier requests removed, sent again or took back there anew."""

    def of(things: Things) -> Things:
        things = with_new_things_that_pass(settings, yoga, things, teacher=_JUN)
        return replace(things, invitation_id=_invite(stand_in, YOGA.clerk_id))

    return of


def _invite(stand_in: ClerkStandIn, clerk_organization_id: str) -> str:
    email = f"{uuid.uuid4().hex}@example.com"
    return stand_in.directory.invite(clerk_organization_id, email, "org:member").id


@pytest.fixture(scope="module")
def asking(client: ClientFor) -> Asking:
    """`asking(role, route)`: that person's client, by token for the API and by cookie for pages."""
    clients: dict[tuple[str, bool], httpx.Client] = {}

    def of(role: str, route: str) -> httpx.Client:
        key = (role, is_page(route))
        if key not in clients:
            clients[key] = client("yoga", PEOPLE[role], cookie=is_page(route))
        return clients[key]

    return of


@pytest.fixture
def fingerprint(postgres: EmbeddedPostgres, settings: Settings) -> Callable[[School], str]:
    """`fingerprint(school)`: a digest of every row the school has."""

    def taken(school: School) -> str:
        digest = hashlib.sha256()
        with as_superuser(postgres, settings) as connection:
            for table in tenant_tables(connection):
                rows = connection.execute(
                    f"select t::text from {table} t where organization_id = %s order by 1",
                    [school.organization_id],
                ).fetchall()
                digest.update(repr((table, rows)).encode())
            organization = connection.execute(
                "select o::text from organizations o where id = %s", [school.organization_id]
            ).fetchall()
        digest.update(repr(organization).encode())
        return digest.hexdigest()

    return taken
