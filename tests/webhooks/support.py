"""Clerk's side of the wire for tests: events as Clerk words them, signed as Svix signs them."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
from litestar import Litestar
from sqlalchemy import text
from svix.webhooks import Webhook

from coursecove.config import Settings
from coursecove.resources import Resources, open_resources
from coursecove.tenants import inbound as _inbound  # noqa: F401 - registers what the events mean
from coursecove.webhooks import ledger
from coursecove.webhooks.controllers import clerk_webhook
from coursecove.webhooks.processing import QUEUE, Result, attempt, open_envelope
from tests.serving import free_port, serving

T0 = 1_767_225_600_000

Json = dict[str, Any]


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


def envelope(event_type: str, data: Json) -> bytes:
    return json.dumps(
        {
            "object": "event",
            "type": event_type,
            "data": data,
            "event_attributes": {"http_request": {"client_ip": "203.0.113.9", "user_agent": "Mozilla/5.0"}},
            "instance_id": "ins_2mUsic",
            "timestamp": T0 + 700,
        }
    ).encode()


def user(user_id: str, *, at: int = 0, given_name: str = "Mia", email: str = "mia@example.com") -> Json:
    return {
        "id": user_id,
        "object": "user",
        "first_name": given_name,
        "last_name": "Okafor",
        "image_url": "https://img.example.com/m",
        "has_image": True,
        "primary_email_address_id": "idn_1",
        "email_addresses": [
            {
                "id": "idn_0",
                "object": "email_address",
                "email_address": "old@example.com",
                "verification": None,
            },
            {"id": "idn_1", "object": "email_address", "email_address": email, "verification": None},
        ],
        "public_metadata": {"locale": "en"},
        "private_metadata": {"secret": "do not log"},
        "created_at": T0,
        "updated_at": T0 + at,
    }


def organization(
    organization_id: str,
    *,
    at: int = 0,
    name: str = "Harmony Music School",
    slug: str | None = None,
    metadata: Json | None = None,
) -> Json:
    return {
        "id": organization_id,
        "object": "organization",
        "name": name,
        "slug": slug,
        "image_url": "https://img.example.com/o",
        "has_image": False,
        "public_metadata": metadata or {},
        "private_metadata": {},
        "created_at": T0,
        "updated_at": T0 + at,
    }


def membership(
    membership_id: str, organization_id: str, user_id: str, *, at: int = 0, role: str = "org:member"
) -> Json:
    return {
        "id": membership_id,
        "object": "organization_membership",
        "role": role,
        "role_name": "Member",
        "permissions": [],
        "organization": organization(organization_id),
        "public_user_data": {"user_id": user_id, "first_name": "Mia", "identifier": "mia@example.com"},
        "created_at": T0,
        "updated_at": T0 + at,
    }


def deleted(kind: str, clerk_id: str) -> Json:
    return {"object": kind, "id": clerk_id, "deleted": True}


def signed(
    body: bytes, secret: str, *, message_id: str | None = None, at: float | None = None, family: str = "svix"
) -> dict[str, str]:
    message_id = message_id or new_id("msg")
    instant = datetime.fromtimestamp(int(at if at is not None else time.time()), UTC)
    return {
        f"{family}-id": message_id,
        f"{family}-timestamp": str(int(instant.timestamp())),
        f"{family}-signature": Webhook(secret).sign(message_id, instant, body.decode()),
        "content-type": "application/json",
    }


class Sender:
    """Sends events to a running server the way Svix does."""

    def __init__(self, base_url: str, settings: Settings) -> None:
        self.url = f"{base_url}/api/webhooks/clerk"
        self.secret = settings.clerk_webhook_secrets[0]

    async def post(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(timeout=20, trust_env=False, verify=False) as client:
            return await client.post(self.url, content=body, headers=headers)

    async def send(self, event_type: str, data: Json, *, message_id: str | None = None) -> httpx.Response:
        body = envelope(event_type, data)
        return await self.post(body, signed(body, self.secret, message_id=message_id))


@contextmanager
def serving_inbox(settings: Settings) -> Iterator[Sender]:
    """Serve nothing but the webhook, over a real socket, in a thread with an event loop of its own."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_resources(settings) as resources:
            app.state.resources = resources
            yield

    app = Litestar([clerk_webhook], lifespan=[lifespan], openapi_config=None, logging_config=None)
    with serving(app, free_port()) as address:
        yield Sender(address, settings)


async def deliver(
    resources: Resources, event_type: str, data: Json, *, message_id: str | None = None
) -> Result:
    """Put an event through ledger and processing without http, in one go."""
    body = envelope(event_type, data)
    lease = await note(resources, event_type, data, message_id=message_id, body=body)
    return await attempt(resources.database, lease, QUEUE, started=time.monotonic())


async def note(
    resources: Resources,
    event_type: str,
    data: Json,
    *,
    message_id: str | None = None,
    body: bytes | None = None,
) -> ledger.Lease:
    """Write an event down, leased to us, as the request that brings it does."""
    body = body or envelope(event_type, data)
    opened = open_envelope(body)
    async with resources.database.platform_scope() as session:
        lease = await ledger.receive(
            session,
            ledger.Received(
                "clerk",
                message_id or new_id("msg"),
                opened.event_type,
                opened.entity_id,
                opened.entity_version,
                {},
                body,
            ),
        )
    assert lease is not None
    return lease


async def rows(resources: Resources, statement: str, **values: Any) -> list[Json]:
    async with resources.database.platform_scope() as session:
        return [dict(row._mapping) for row in await session.execute(text(statement), values)]


async def row(resources: Resources, statement: str, **values: Any) -> Json:
    found = await rows(resources, statement, **values)
    assert len(found) == 1, found
    return found[0]


async def event_row(resources: Resources, message_id: str) -> Json:
    return await row(resources, "select * from webhook_events where message_id = :id", id=message_id)


async def eventually(check: Any, *, seconds: float = 10.0) -> Any:
    """Return what ``check()`` gives once it is truthy; fails when that never happens."""
    ends = time.monotonic() + seconds
    while True:
        found = await check()
        if found:
            return found
        assert time.monotonic() < ends, "it did not happen in time"
        await asyncio.sleep(0.05)
