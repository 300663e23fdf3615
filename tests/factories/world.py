"""Opening the demo's schools in a test database: signed webhooks first, then the API."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import psycopg
from sqlalchemy import text
from svix.webhooks import Webhook

from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.dev import catalogue
from coursecove.dev.clerk import world
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.resources import open_resources
from coursecove.webhooks.wakeups import process
from tests.serving import Loop, serving

# What the unit of work sets for a job of CourseCove itself, for tests that speak SQL.
ENTER = "select set_config('app.organization_id', %s, true), set_config('app.member_role', 'system', true)"
_UNFINISHED = text(
    "select source, message_id from webhook_events where status <> 'completed' order by received_at"
)


def token_for(
    stand_in: ClerkStandIn, settings: Settings, email: str, slug: str, *, lifetime_seconds: int = 3600
) -> str:
    """Mint a session token as the stand-in would, but one that lives for the length of a test run."""
    school = next(s for s in world.SCHOOLS if s.slug == slug)
    person, role = next(
        ((p, r) for p, r in school.people if p.email == email),
        (next(p for p in world.PEOPLE if p.email == email), None),
    )
    return mint_session_token(
        stand_in.store.signing_key,
        key_id=stand_in.store.state.instance_id,
        issuer=stand_in.issuer,
        user_id=person.clerk_id,
        session_id=f"sess_test{person.given_name}",
        authorized_party=settings.origin(slug),
        organization_id=school.clerk_id if role else None,
        organization_slug=school.slug if role else None,
        role=role or "org:member",
        lifetime_seconds=lifetime_seconds,
    )


def open_schools(settings: Settings, stand_in: ClerkStandIn) -> None:
    """Bring everybody in through ``POST /api/webhooks/clerk`` and let the admins set their schools up."""
    with serving(create_app(settings), settings.port) as address:
        for message in stand_in.outbox.messages:
            sent_at = datetime.now(UTC)
            headers = {
                "Content-Type": "application/json",
                "svix-id": message.id,
                "svix-timestamp": str(int(sent_at.timestamp())),
                "svix-signature": Webhook(stand_in.webhook_secret).sign(message.id, sent_at, message.body),
            }
            answer = httpx.post(
                f"{address}/api/webhooks/clerk", content=message.body, headers=headers, timeout=30
            )
            assert answer.status_code == 200, answer.text
        _process_what_took_longer(settings)
        base_host = settings.origin().partition("://")[2]
        for school in catalogue.CATALOGUES:
            catalogue.load(
                school,
                address=address,
                base_host=base_host,
                token_for=lambda email, slug: token_for(stand_in, settings, email, slug),
            )


def _process_what_took_longer(settings: Settings) -> None:
    """Do what a worker does with events that did not fit into the request, as on a busy machine."""
    query = "select source, message_id from webhook_events where status in ('pending', 'processing')"
    deadline = time.monotonic() + 60

    async def work() -> None:
        async with open_resources(settings) as resources:
            while time.monotonic() < deadline:
                async with resources.database.platform_scope() as session:
                    waiting = (await session.execute(text(query))).all()
                if not waiting:
                    return
                for source, message_id in waiting:
                    await process.run(resources, source=source, message_id=message_id)
                await asyncio.sleep(0.2)
            raise AssertionError(f"events are still waiting: {waiting}")

    loop = Loop()
    loop.run(work())
    loop.close()


@dataclass(frozen=True)
class School:
    """A school of the demo world in the database of a test."""

    slug: str
    organization_id: uuid.UUID
    members: dict[str, uuid.UUID]
    """Member ids by e-mail address."""

    types: dict[str, uuid.UUID]
    """Appointment type ids by name."""

    locations: dict[str, uuid.UUID]
    """Location ids by name."""


def read_school(settings: Settings, slug: str) -> School:
    """Look a school's ids up, as the platform and as the school itself."""
    with psycopg.connect(settings.database_platform_url) as connection:
        row = connection.execute("select id from organizations where slug = %s", [slug]).fetchone()
        assert row is not None
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            ENTER,
            [str(row[0])],
        )

        def by_name(query: str) -> dict[str, uuid.UUID]:
            return dict(connection.execute(query).fetchall())

        return School(
            slug,
            row[0],
            by_name("select email, id from members"),
            by_name("select name, id from appointment_types"),
            by_name("select name, id from locations"),
        )
