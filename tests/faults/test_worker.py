"""The worker as a process of its own: started, stopped, killed, and without Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
import redis
from sqlalchemy import text

from coursecove.config import Settings
from coursecove.resources import Resources, open_resources
from coursecove.tenants.inbound.entities import lock
from coursecove.webhooks.wakeups import nudge, settle
from tests.serving import free_port
from tests.webhooks.support import Json, event_row, eventually, new_id, note, rows, user

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def working(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker process; whatever happens it is gone afterwards."""
    environment = {
        "APP_ENV": "test",
        "DATABASE_URL": settings.database_url,
        "DATABASE_PLATFORM_URL": settings.database_platform_url,
        "DATABASE_OWNER_URL": settings.database_owner_url,
        "REDIS_URL": settings.redis_url,
        "BASE_DOMAIN": settings.base_domain,
        "CLERK_PUBLISHABLE_KEY": settings.clerk_publishable_key,
        "CLERK_SECRET_KEY": settings.clerk_secret_key,
        "CLERK_API_URL": settings.clerk_api_url,
        "CLERK_WEBHOOK_SECRET": settings.clerk_webhook_secrets[0],
        "SMTP_URL": settings.smtp_url,
        "LOG_FORMAT": "json",
        "PATH": os.environ["PATH"],
    }
    code = "from coursecove.config import load_settings; from coursecove.worker import run_worker; "
    process = subprocess.Popen([sys.executable, "-c", code + "run_worker(load_settings())"], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def stopped_within(process: subprocess.Popen[bytes], seconds: float) -> float:
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=seconds)
    return time.monotonic() - started


@pytest.fixture
async def house(empty_settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(empty_settings) as resources:
        yield resources


async def leave_due(house: Resources, person: str, message_id: str) -> None:
    """An event that a request could not finish: due, and nobody was told."""
    await note(house, "user.created", user(person), message_id=message_id)
    async with house.database.platform_scope() as session:
        await session.execute(
            text(
                "update webhook_events set status = 'pending', lease_token = null, lease_expires_at = null, "
                "next_attempt_at = now(), attempts = 0 where message_id = :id"
            ),
            {"id": message_id},
        )


async def test_a_worker_takes_what_is_due_and_stops_within_five_seconds(house: Resources) -> None:
    await leave_due(house, new_id("user"), "msg_before")
    with working(house.settings) as worker:
        await eventually(lambda: is_done(house, "msg_before"), seconds=30)
        # A nudge is quicker than the sweep.
        await leave_due(house, new_id("user"), "msg_nudged")
        nudge(house.queue, [("clerk", "msg_nudged")])
        await settle()

        await eventually(lambda: is_done(house, "msg_nudged"))
        assert await asyncio.to_thread(stopped_within, worker, 10) < 5
        assert worker.returncode == 0


async def test_a_busy_worker_stops_within_five_seconds_too_and_its_event_stays(house: Resources) -> None:
    person = new_id("user")
    await leave_due(house, person, "msg_busy")
    with working(house.settings) as worker:
        async with house.database.platform_scope() as session:
            await lock(session, f"user:{person}")
            await eventually(lambda: in_hand(house, "msg_busy"), seconds=30)
            assert await asyncio.to_thread(stopped_within, worker, 10) < 5
    assert (await event_row(house, "msg_busy"))["status"] in ("processing", "pending")
    assert await rows(house, "select 1 from users where clerk_id = :id", id=person) == []


async def is_done(house: Resources, message_id: str) -> bool:
    return bool((await event_row(house, message_id))["status"] == "completed")


async def in_hand(house: Resources, message_id: str) -> Json | None:
    found = await event_row(house, message_id)
    return found if found["status"] == "processing" else None


async def test_what_a_killed_worker_had_in_hand_is_taken_up_again_with_one_effect(house: Resources) -> None:
    person = new_id("user")
    await leave_due(house, person, "msg_killed")
    async with house.database.platform_scope() as session:
        await lock(session, f"user:{person}")
        with working(house.settings) as worker:
            await eventually(lambda: in_hand(house, "msg_killed"), seconds=30)
            worker.kill()
            worker.wait()
    left = await rows(
        house,
        "select lease_expires_at - now() < interval '20 seconds' as soon from webhook_events "
        "where message_id = 'msg_killed'",
    )
    assert left == [{"soon": True}]
    with psycopg.connect(house.settings.database_platform_url, autocommit=True) as connection:
        # Only so that the test need not wait for it.
        connection.execute("update webhook_events set lease_expires_at = now() where status = 'processing'")
    # Its message is lost with it: only Postgres knows.
    redis.Redis.from_url(house.settings.redis_url).flushall()
    with working(house.settings):
        await eventually(lambda: is_done(house, "msg_killed"), seconds=30)
    assert len(await rows(house, "select 1 from users where clerk_id = :id", id=person)) == 1


async def test_a_worker_without_redis_drains_the_inbox_all_the_same(house: Resources) -> None:
    await leave_due(house, new_id("user"), "msg_no_redis")
    with working(replace(house.settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")) as worker:
        await eventually(lambda: is_done(house, "msg_no_redis"), seconds=30)
        assert await asyncio.to_thread(stopped_within, worker, 10) < 5
