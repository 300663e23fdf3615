"""Webhooks of the stand-in: signed as Svix signs them, sent until somebody says 2xx.

The attempts follow Svix's, shortened so that a developer sees the later ones: at once, then 5 s, 30 s, 1 min,
2 min, 5 min, 10 min and 30 min after the preceding failure.  A redirect is a failure, ``Retry-After`` is
honoured, an answer has 15 s.  First attempts go out in the order the changes were made, one at a time; a
failing message does not hold up the next, so that order is best effort, as with Svix.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import httpx
import msgspec

from coursecove.dev.clerk.payloads import Json
from coursecove.dev.clerk.records import Message
from coursecove.dev.clerk.store import Store, new_id

if TYPE_CHECKING:
    from svix.webhooks import Webhook

RETRY_SECONDS = (0.0, 5.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
ANSWER_SECONDS = 15.0
#: How long a message made by another thread can stay unnoticed.
_POLL_SECONDS = 0.5


class Outbox:
    """Holds the messages of the stand-in and sends them while :meth:`run` runs.

    Without a URL messages are written down and never sent.
    """

    def __init__(
        self,
        store: Store,
        *,
        url: str | None,
        secret: str,
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
    ) -> None:
        self._store = store
        self._url = url
        self._secret = secret
        self._retry_seconds = retry_seconds
        self._wake = asyncio.Event()

    @cached_property
    def _signer(self) -> Webhook:
        # Imported by whoever sends: the demo itself only writes messages down, and starts sooner without it.
        from svix.webhooks import Webhook

        return Webhook(self._secret)

    @property
    def messages(self) -> list[Message]:
        """Every message still remembered, oldest first."""
        return self._store.state.messages

    @property
    def pending(self) -> int:
        """How many messages wait for an attempt."""
        return sum(message.next_attempt_at is not None for message in self.messages)

    def announce(self, event_type: str, data: Json) -> Message:
        """Write down that something happened; it is sent at once."""
        now = self._store.tick()
        envelope = {
            "data": data,
            "event_attributes": {"http_request": {"client_ip": "127.0.0.1", "user_agent": "Clerk stand-in"}},
            "instance_id": self._store.state.instance_id,
            "object": "event",
            "timestamp": now,
            "type": event_type,
        }
        message = Message(
            id=new_id("msg"),
            type=event_type,
            body=msgspec.json.encode(envelope).decode(),
            created_at=now,
            next_attempt_at=time.time() if self._url else None,
            last_answer="" if self._url else "no webhook address configured",
        )
        self.messages.append(message)
        self._wake.set()
        return message

    def resend(self, message_id: str) -> bool:
        """Send a message once more under its old id; False when it is no longer remembered."""
        for message in self.messages:
            if message.id == message_id and self._url:
                message.attempts, message.next_attempt_at = 0, time.time()
                self._store.save()
                self._wake.set()
                return True
        return False

    def deliver_now(self) -> int:
        """Bring every waiting message forward to this moment; returns how many wait."""
        for message in self.messages:
            if message.next_attempt_at is not None:
                message.next_attempt_at = time.time()
        self._wake.set()
        return self.pending

    async def run(self) -> None:
        """Send what is due, for ever."""
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, follow_redirects=False) as http:
            while True:
                self._wake.clear()
                for message in self._due():
                    await self._attempt(http, message)
                if self._due():
                    continue
                try:
                    await asyncio.wait_for(self._wake.wait(), self._pause())
                except TimeoutError:
                    continue

    def _due(self) -> list[Message]:
        now = time.time()
        return [m for m in self.messages if m.next_attempt_at is not None and m.next_attempt_at <= now]

    def _pause(self) -> float:
        waits = [m.next_attempt_at for m in self.messages if m.next_attempt_at is not None]
        return min(_POLL_SECONDS, max(0.01, min(waits, default=time.time() + 60) - time.time()))

    async def _attempt(self, http: httpx.AsyncClient, message: Message) -> None:
        assert self._url is not None
        sent_at = datetime.now(UTC)
        message.attempts += 1
        retry_after = 0.0
        try:
            response = await http.post(
                self._url,
                content=message.body.encode(),
                headers={
                    "Content-Type": "application/json",
                    "User-Agent": "Svix-Webhooks/1.84",
                    "svix-id": message.id,
                    "svix-timestamp": str(int(sent_at.timestamp())),
                    "svix-signature": self._signer.sign(message.id, sent_at, message.body),
                },
            )
        except httpx.HTTPError as error:
            delivered = False
            message.last_answer = type(error).__name__
        else:
            delivered = response.is_success
            message.last_answer = str(response.status_code)
            wait = response.headers.get("Retry-After", "")
            retry_after = float(wait) if wait.isascii() and wait.isdigit() else 0.0
        if delivered:
            message.delivered_at, message.next_attempt_at = self._store.tick(), None
        elif message.attempts >= len(self._retry_seconds):
            message.next_attempt_at = None
        else:
            pause = max(self._retry_seconds[message.attempts], retry_after)
            message.next_attempt_at = time.time() + pause
        self._store.save()
