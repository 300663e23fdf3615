"""Events of every kind in the inbox of a test, sent as Clerk sends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from coursecove.config import Settings
from coursecove.dev.clerk.world import MUSIC_SCHOOL
from coursecove.resources import Resources
from coursecove.webhooks.wakeups import process
from tests.webhooks.support import envelope, membership, new_id, signed, user

#: What must not be seen anywhere; every one of these is in the body of `private_person`.
SECRETS = (
    "hunter2-private",
    "hunter2-unsafe",
    "sk_live_abcdef123456",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln",
    "ticket-4711",
    "+49 170 1234567",
    "mia.okafor@example.com",
    "mia.okafor%40example.com",
    "Okafor",
    "203.0.113.9",
    "1990-02-03",
)


def private_person(clerk_id: str) -> dict[str, Any]:
    """Return a person with everything in it that is nobody's business."""
    return {
        **user(clerk_id, given_name="Mia", email="mia.okafor@example.com"),
        "private_metadata": {"note": "hunter2-private"},
        "unsafe_metadata": {"note": ["hunter2-unsafe"]},
        "public_metadata": {
            "note": "Write to mia.okafor@example.com or call +49 170 1234567.",
            "key": "sk_live_abcdef123456",
            "session": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln",
            "link": "https://example.com/welcome?__clerk_ticket=ticket-4711&to=mia.okafor%40example.com",
        },
        "birthday": "1990-02-03",
        "phone_numbers": [{"id": "idn_9", "phone_number": "+49 170 1234567"}],
        "external_accounts": [
            {"provider": "oauth_google", "label": "Okafor", "access_token": "hunter2-private"}
        ],
    }


async def work_on(resources: Resources, message_id: str) -> None:
    """Do what a worker does with an event that is due."""
    await process.run(resources, source="clerk", message_id=message_id)


class Inbox:
    """Sends signed events to the running application and reads what became of them."""

    def __init__(self, address: str, settings: Settings) -> None:
        self._address = address
        self._settings = settings

    def send(self, event_type: str, data: dict[str, Any], *, message_id: str | None = None) -> str:
        """Send an event; returns its message id."""
        body = envelope(event_type, data)
        return self.send_body(body, message_id=message_id)

    def send_body(self, body: bytes, *, message_id: str | None = None) -> str:
        """Send signed bytes; returns the message id."""
        headers = signed(body, self._settings.clerk_webhook_secrets[0], message_id=message_id)
        answer = httpx.post(
            f"{self._address}/api/webhooks/clerk", content=body, headers=headers, timeout=30, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        return headers["svix-id"]

    def row(self, message_id: str) -> dict[str, Any]:
        """Return an event's row."""
        with self.connection() as connection:
            row = (
                connection.cursor(row_factory=dict_row)
                .execute("select * from webhook_events where message_id = %s", [message_id])
                .fetchone()
            )
        assert row is not None
        return row

    def change(self, statement: str, *values: Any) -> None:
        """Run a statement as the platform's role."""
        with self.connection() as connection:
            connection.execute(statement, values)

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection of the platform's role that commits by itself."""
        with psycopg.connect(self._settings.database_platform_url, autocommit=True) as connection:
            yield connection

    def empty(self) -> None:
        """Forget every event."""
        self.change("delete from webhook_events")

    def completed(self, **named: Any) -> str:
        """Send what is applied at once."""
        return self.send("user.updated", user(new_id("user")), **named)

    def failed(self, **named: Any) -> str:
        """Send what cannot be read: a person without a version."""
        return self.send("user.created", {"id": new_id("user")}, **named)

    def waiting(self, **named: Any) -> str:
        """Send a membership of somebody who has not arrived."""
        return self.send(
            "organizationMembership.created",
            membership(new_id("orgmem"), MUSIC_SCHOOL.clerk_id, new_id("user")),
            **named,
        )
