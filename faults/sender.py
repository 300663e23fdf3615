"""The sending side of Svix, as a process of its own: signs, delivers, and tries again.

Source: the Standard Webhooks specification 1.0.0 and Svix' retry schedule,
whose 27 hours are pressed into half a minute.  It reads ``send N`` (how many
deliveries may have begun by now) from its input, says ``begun N`` and ends
after the last.  Everything it saw goes into a file, one line per delivery.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import httpx

from faults.story import shuffle, tell_story

CONCURRENCY = 16
# Svix waits 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h: eight attempts in all.
RETRY_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
# Svix gives up on an answer after this.
TIMEOUT_SECONDS = 15.0

Attempt = tuple[float, float, int | None]


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header of the scheme's version 1 for this attempt."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Sender:
    """Delivers a story; at most :data:`CONCURRENCY` requests are under way at any time."""

    def __init__(self, client: httpx.AsyncClient, url: str, secret: str, report: TextIO) -> None:
        self._client = client
        self._url = url
        self._secret = secret
        self._report = report
        self._room = asyncio.Semaphore(CONCURRENCY)

    async def deliver(self, message_id: str, body: bytes) -> None:
        """Send one message until it is accepted or the schedule is used up, and write down how that went."""
        attempts: list[Attempt] = []
        for wait in (*RETRY_SECONDS, None):
            async with self._room:
                attempts.append(await self._attempt(message_id, body))
            status = attempts[-1][2]
            if (status is not None and 200 <= status < 300) or wait is None:
                break
            # As Svix does, so that what failed together does not come back together.
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))
        self._report.write(json.dumps({"id": message_id, "attempts": attempts}) + "\n")

    async def _attempt(self, message_id: str, body: bytes) -> Attempt:
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "Svix-Webhooks/1.84",
            "svix-id": message_id,
            "svix-timestamp": str(timestamp),
            "svix-signature": sign(self._secret, message_id, timestamp, body),
        }
        started = time.monotonic()
        try:
            response = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError:
            return started, time.monotonic(), None
        return started, time.monotonic(), response.status_code


async def run(plan: dict[str, Any], report: TextIO) -> None:
    """Deliver the story of ``plan`` at its pace, as far as the other side of the input allows."""
    story = tell_story(plan["events"], seed=plan["seed"])
    order = shuffle(story, seed=plan["seed"], duplicates=plan["duplicates"])
    allowed = 0
    news = asyncio.Event()

    def listen() -> None:
        nonlocal allowed
        line = sys.stdin.readline()
        if not line:
            raise SystemExit(1)
        allowed = int(line.split()[1])
        news.set()

    asyncio.get_running_loop().add_reader(sys.stdin, listen)
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False) as client:
        sender = Sender(client, plan["url"], plan["secret"], report)
        async with asyncio.TaskGroup() as under_way:
            next_at = time.monotonic()
            for number, index in enumerate(order):
                while number >= allowed:
                    news.clear()
                    await news.wait()
                next_at = max(next_at + 1 / plan["per_second"], time.monotonic() - 0.1)
                await asyncio.sleep(next_at - time.monotonic())
                event = story[index]
                under_way.create_task(sender.deliver(event.message_id, event.body()))
                if number % 10 == 9 or number + 1 == len(order):
                    sys.stdout.write(f"begun {number + 1}\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    chosen = json.loads(Path(sys.argv[1]).read_text())
    with Path(chosen["report"]).open("w") as seen:
        asyncio.run(run(chosen, seen))
