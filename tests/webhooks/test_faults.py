"""Answers while something is broken: a lock, Redis, Postgres."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import psycopg
import pytest
from litestar.datastructures import State

from coursecove.config import Settings
from coursecove.resources import Resources, open_resources
from coursecove.tenants.inbound.entities import lock
from coursecove.webhooks import controllers, tasks
from coursecove.webhooks.processing import Result
from coursecove.webhooks.wakeups import process
from tests.patience import patience
from tests.serving import free_port
from tests.webhooks.support import Sender, event_row, new_id, note, rows, serving_inbox, user

pytestmark = pytest.mark.anyio


async def test_a_stalled_fast_path_answers_within_a_second_and_the_event_is_applied_later(
    clerk: Sender, house: Resources
) -> None:
    person = new_id("user")
    async with house.database.platform_scope() as session:
        await lock(session, f"user:{person}")
        started = time.monotonic()
        answer = await clerk.send("user.created", user(person), message_id="msg_stalled")
        assert time.monotonic() - started < patience(1)
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        # Everybody else goes on meanwhile.
        other = await clerk.send("user.created", user(new_id("user")))
        assert other.json()["status"] == "completed"
        event = await event_row(house, "msg_stalled")
        assert event["status"] == "pending"
        assert "lock" in event["error"]
    await process.run(house, source="clerk", message_id="msg_stalled")
    event = await event_row(house, "msg_stalled")
    assert (event["status"], event["outcome"], event["path"]) == ("completed", "applied", "queue")


async def test_many_stalled_events_do_not_keep_the_next_one_from_being_stored(
    clerk: Sender, house: Resources
) -> None:
    person = new_id("user")
    async with house.database.platform_scope() as session:
        await lock(session, f"user:{person}")
        stalled = asyncio.gather(*(clerk.send("user.updated", user(person, at=at)) for at in range(40)))
        await asyncio.sleep(0.2)
        answer = await clerk.send("user.created", user(new_id("user")), message_id="msg_next")
        answers = [*await stalled, answer]
    assert {answer.status_code for answer in answers} == {200}
    assert len(await rows(house, "select 1 from webhook_events")) == 41
    assert max(answer.elapsed.total_seconds() for answer in answers) < patience(1)


async def test_more_events_at_once_than_lanes_are_left_to_workers_instead_of_taking_every_connection(
    house: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most = 0, 0

    async def stall(*_: object, **__: object) -> Result:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.4)
        inside -= 1
        return Result("completed")

    monkeypatch.setattr(controllers, "attempt", stall)
    leases = [await note(house, "user.created", user(new_id("user"))) for _ in range(8)]
    state = State()
    results = await asyncio.gather(
        *(controllers._try_now(house, state, lease, started=time.monotonic()) for lease in leases)
    )
    assert most == controllers.FAST_LANES < 5
    said = [result.status for result in results]
    assert (said.count("completed"), said.count("pending")) == (3, 5)
    left = await rows(
        house, "select 1 from webhook_events where status = 'pending' and next_attempt_at <= now()"
    )
    assert len(left) == 5


async def test_a_row_lock_held_by_somebody_else_stalls_nobody_either(clerk: Sender, house: Resources) -> None:
    person = new_id("user")
    await clerk.send("user.created", user(person))
    with psycopg.connect(house.settings.database_platform_url) as connection:
        connection.execute("select 1 from users where clerk_id = %s for update", [person])
        started = time.monotonic()
        answer = await clerk.send("user.updated", user(person, at=1), message_id="msg_row")
        assert time.monotonic() - started < patience(1)
        assert answer.json() == {"status": "pending"}


async def test_redis_away_changes_nothing_and_the_sweep_drains_what_is_left(inbox: Settings) -> None:
    lonely = replace(inbox, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    person = new_id("user")
    async with open_resources(lonely) as house:
        with serving_inbox(lonely) as clerk:
            assert (await clerk.send("user.created", user(new_id("user")))).json()["status"] == "completed"
            async with house.database.platform_scope() as session:
                await lock(session, f"user:{person}")
                started = time.monotonic()
                answer = await clerk.send("user.created", user(person), message_id="msg_lonely")
                assert time.monotonic() - started < patience(1)
                assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        await tasks.sweep(house)
        event = await event_row(house, "msg_lonely")
        assert (event["status"], event["path"]) == ("completed", "queue")


async def test_postgres_away_asks_the_sender_to_come_back(inbox: Settings, house: Resources) -> None:
    nowhere = f"postgresql://coursecove_platform:x@127.0.0.1:{free_port()}/none"
    with serving_inbox(replace(inbox, database_platform_url=nowhere)) as clerk:
        answer = await clerk.send("user.created", user(new_id("user")), message_id="msg_away")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["code"] == "unavailable"
    assert await rows(house, "select 1 from webhook_events") == []


async def test_a_ledger_that_cannot_be_written_asks_the_sender_to_come_back_in_time(
    clerk: Sender, house: Resources
) -> None:
    with psycopg.connect(house.settings.database_owner_url) as connection:
        connection.execute("lock table webhook_events in access exclusive mode")
        started = time.monotonic()
        answer = await clerk.send("user.created", user(new_id("user")), message_id="msg_locked")
        assert time.monotonic() - started < patience(5)
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        connection.rollback()
    again = await clerk.send("user.created", user(new_id("user")), message_id="msg_locked")
    assert again.status_code == 200
