"""Measure how long the sender of a webhook waits for its answer: healthy, and with one entity stalled.

A process of its own serves the application; this one sends signed events over
loopback, each connection one after another, and as many connections at once as
asked.  Stalled means that somebody holds a lock on one person's row all the
time, and that every tenth event is about that person.

    .venv/bin/python scripts/acknowledgement.py
    .venv/bin/python scripts/acknowledgement.py --connections 8 32 --deliveries 3000

Exit code 1 when an answer is not 200, or a p99 is above what SECURITY asks: 500 ms
healthy, 1 s with a stalled entity.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import os
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg
from svix.webhooks import Webhook

from coursecove.app import create_app
from coursecove.config import Settings
from tests.fuzzing.processes import end_with_parent
from tests.fuzzing.services import running_services
from tests.serving import serving

PATH = "/api/webhooks/clerk"
HEALTHY_SECONDS, DEGRADED_SECONDS = 0.5, 1.0
#: One event in so many is about the stalled entity.
STALLED_EVERY = 10


@dataclass
class Measured:
    """The waits of one run, in seconds."""

    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    results: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def quantile(self, share: float) -> float:
        """Return the wait that this share of deliveries did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Story:
    """Makes signed events: new people one after another, and changes of the one who is stalled."""

    def __init__(self, settings: Settings) -> None:
        self._signer = Webhook(settings.clerk_webhook_secrets[0])
        self._host = f"127.0.0.1:{settings.port}"
        self.stalled = f"user_{uuid.uuid4().hex[:20]}"

    def message(self, event_type: str, user_id: str, at: int) -> bytes:
        """Return a whole HTTP request with one signed event."""
        data = {
            "id": user_id,
            "object": "user",
            "first_name": "Mia",
            "last_name": "Okafor",
            "primary_email_address_id": "idn_1",
            "email_addresses": [
                {"id": "idn_1", "object": "email_address", "email_address": f"{user_id}@example.com"}
            ],
            "created_at": 1_767_225_600_000,
            "updated_at": 1_767_225_600_000 + at,
        }
        body = json.dumps({"object": "event", "type": event_type, "data": data, "timestamp": 1}).encode()
        sent_at, message_id = datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nsvix-id: {message_id}\r\n"
            f"svix-timestamp: {int(sent_at.timestamp())}\r\n"
            f"svix-signature: {self._signer.sign(message_id, sent_at, body.decode())}\r\n\r\n"
        )
        return head.encode() + body

    def told(self, deliveries: int, *, stalled: bool) -> list[bytes]:
        """Return so many requests; with ``stalled`` every tenth is about the stalled person."""
        return [
            self.message("user.updated", self.stalled, number)
            if stalled and number % STALLED_EVERY == 0
            else self.message("user.created", f"user_{uuid.uuid4().hex[:20]}", 0)
            for number in range(1, deliveries + 1)
        ]


async def deliver(port: int, requests: list[bytes], connections: int) -> Measured:
    """Send all requests over so many connections, each waiting for its answer before the next."""
    measured, left = Measured(), iter(requests)

    async def one_after_another() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in left:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            body = await reader.readexactly(length)
            measured.waits.append(time.perf_counter() - began)
            measured.statuses[int(head.split(b" ", 2)[1])] += 1
            # A refusal has its HTTP status there.
            measured.results[str(json.loads(body).get("status"))] += 1
        writer.close()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one_after_another())
    measured.seconds = time.perf_counter() - began
    return measured


def serve(settings: Settings) -> None:
    """Serve the application until this process is ended."""
    end_with_parent()
    # A stalled event is a warning each; what it says is in its row too.
    logging.disable(logging.WARNING)
    with serving(create_app(settings), settings.port):
        while True:
            time.sleep(3600)


@contextmanager
def served(settings: Settings) -> Iterator[None]:
    """Serve in a process of its own; ready when the block begins."""
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(settings,), daemon=True)
    process.start()
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{settings.port}/health/live", timeout=2)
                break
            except OSError:
                if time.monotonic() > deadline or not process.is_alive():
                    raise RuntimeError("the application did not start") from None
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.join(10)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the acknowledgement of webhooks.")
    parser.add_argument("--connections", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--deliveries", type=int, default=3000, help="per run (default 3000)")
    arguments = parser.parse_args()
    for name in list(os.environ):
        if name.startswith(("CLERK_", "DATABASE_", "REDIS_", "COURSECOVE_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    logging.disable(logging.INFO)
    good = True
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before anything is started", flush=True)
    with tempfile.TemporaryDirectory(prefix="coursecove-ack-") as folder, running_services(Path(folder)) as run:
        settings = run.place("acknowledgement", []).settings
        story = Story(settings)
        with served(settings):
            first = [story.message("user.created", story.stalled, 0), *story.told(100, stalled=False)]
            asyncio.run(deliver(settings.port, first, 4))
            for connections in arguments.connections:
                measured = asyncio.run(
                    deliver(settings.port, story.told(arguments.deliveries, stalled=False), connections)
                )
                good &= _say("healthy", connections, measured, HEALTHY_SECONDS)
            with psycopg.connect(settings.database_platform_url) as held:
                held.execute("select 1 from users where clerk_id = %s for update", [story.stalled])
                for connections in arguments.connections:
                    measured = asyncio.run(
                        deliver(settings.port, story.told(arguments.deliveries, stalled=True), connections)
                    )
                    good &= _say("one entity stalled", connections, measured, DEGRADED_SECONDS)
    return 0 if good else 1


def _say(what: str, connections: int, measured: Measured, limit: float) -> bool:
    p50, p99, most = (measured.quantile(share) * 1000 for share in (0.5, 0.99, 1.0))
    good = p99 <= limit * 1000 and set(measured.statuses) == {200}
    load = os.getloadavg()[0]
    results = ", ".join(f"{times:,} {name}" for name, times in sorted(measured.results.items()))
    print(
        f"{'✓' if good else '✗'} {what}, {connections} connections: {len(measured.waits):,} deliveries, "
        f"{len(measured.waits) / measured.seconds:,.0f}/s, p50 {p50:,.0f} ms, p99 {p99:,.0f} ms, "
        f"longest {most:,.0f} ms ({results}); at most {limit * 1000:,.0f} ms, load {load:.1f}",
        flush=True,
    )
    return good


if __name__ == "__main__":
    sys.exit(main())
