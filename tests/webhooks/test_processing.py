"""Leases, attempts and the sweep: every event ends, once, whoever works on it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import after_commit
from coursecove.resources import Resources
from coursecove.webhooks import inbox, ledger, service, tasks
from coursecove.webhooks.commands import webhooks_group
from coursecove.webhooks.inbox import ClerkEvent, Outcome
from coursecove.webhooks.ledger import MAX_ATTEMPTS, Lease
from coursecove.webhooks.processing import FAST, QUEUE, Limits, attempt
from coursecove.webhooks.wakeups import process, settle
from tests.patience import patience
from tests.webhooks.support import deliver, event_row, new_id, note, row, rows, user

pytestmark = pytest.mark.anyio

TROUBLE = "test.trouble"


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What happens to events of type ``test.trouble``: coroutine functions of the session, one per attempt."""
    script: list[Any] = []

    async def handler(session: AsyncSession, _event: ClerkEvent) -> Outcome:
        answer = await script.pop(0)(session)
        return Outcome.APPLIED if answer is None else answer

    monkeypatch.setitem(inbox._HANDLERS, TROUBLE, handler)
    return script


async def change(house: Resources, statement: str, **values: Any) -> None:
    async with house.database.platform_scope() as session:
        await session.execute(text(statement), values)


async def claim(house: Resources, message_id: str) -> Lease | None:
    leases = await ledger.claim_several(house.database, "clerk", message_id, event_types=[], at_most=1)
    return leases[0] if leases else None


async def leave_a_mark(session: AsyncSession) -> None:
    await session.execute(text("insert into users (clerk_id, version) values ('user_mark', 1)"))


async def marks(house: Resources) -> int:
    return len(await rows(house, "select 1 from users where clerk_id = 'user_mark'"))


async def explode(session: AsyncSession) -> None:
    await leave_a_mark(session)
    raise RuntimeError("the roof is on fire")


async def make_due(house: Resources) -> None:
    await change(house, "update webhook_events set next_attempt_at = now() where status = 'pending'")


async def test_a_worker_that_wakes_after_its_lease_was_taken_writes_nothing(
    house: Resources, trouble: list[Any]
) -> None:
    trouble.extend([leave_a_mark, leave_a_mark])
    asleep = await note(house, TROUBLE, {"id": "x"}, message_id="msg_fence")
    assert await claim(house, "msg_fence") is None
    await change(house, "update webhook_events set lease_expires_at = now() - interval '1 second'")
    taken = await claim(house, "msg_fence")
    assert taken is not None
    result = await attempt(house.database, asleep, QUEUE, started=time.monotonic())
    assert (result.status, result.reason) == ("processing", "LeaseLost")
    assert await marks(house) == 0
    held = await event_row(house, "msg_fence")
    assert (held["status"], held["lease_token"]) == ("processing", taken.token)
    assert (await attempt(house.database, taken, QUEUE, started=time.monotonic())).status == "completed"
    assert await marks(house) == 1
    # And once more, long after the end.
    trouble.append(explode)
    await attempt(house.database, asleep, QUEUE, started=time.monotonic())
    assert (await event_row(house, "msg_fence"))["status"] == "completed"


async def test_an_attempt_that_fails_leaves_no_trace_but_its_error(
    house: Resources, trouble: list[Any]
) -> None:
    trouble.append(explode)
    result = await deliver(house, TROUBLE, {"id": "x"}, message_id="msg_fire")
    assert (result.status, result.reason) == ("pending", "RuntimeError")
    assert await marks(house) == 0
    event = await event_row(house, "msg_fire")
    assert event["error"] == "RuntimeError: the roof is on fire"
    assert (event["attempts"], event["lease_token"]) == (1, None)


async def test_a_poison_event_fails_after_eight_attempts_while_others_flow(
    house: Resources, trouble: list[Any]
) -> None:
    trouble.extend([explode] * 20)
    await deliver(house, TROUBLE, {"id": "x"}, message_id="msg_poison")
    delays = []
    for _ in range(MAX_ATTEMPTS - 1):
        await make_due(house)
        await process.run(house, source="clerk", message_id="msg_poison")
        event = await row(
            house,
            "select status, extract(epoch from next_attempt_at - updated_at)::float as delay "
            "from webhook_events where message_id = 'msg_poison'",
        )
        delays.append(event["delay"])
        assert (await deliver(house, "user.created", user(new_id("user")))).status == "completed"
    assert delays.pop() is None
    assert event["status"] == "failed"
    for number, delay in enumerate(delays, start=2):
        assert 0.75 * min(3 ** (number - 1), 900) <= delay <= 1.25 * min(3 ** (number - 1), 900)
    failed = await event_row(house, "msg_poison")
    assert (failed["attempts"], failed["next_attempt_at"]) == (MAX_ATTEMPTS, None)
    assert "roof" in failed["error"]
    await process.run(house, source="clerk", message_id="msg_poison")
    assert (await event_row(house, "msg_poison"))["attempts"] == MAX_ATTEMPTS


async def test_an_event_that_kills_its_workers_is_buried_by_the_sweep(house: Resources) -> None:
    await note(house, TROUBLE, {"id": "x"}, message_id="msg_killer")
    for number in range(1, MAX_ATTEMPTS):
        await change(house, "update webhook_events set lease_expires_at = now() - interval '1 second'")
        assert await claim(house, "msg_killer") is not None, number
    await change(house, "update webhook_events set lease_expires_at = now() - interval '1 second'")
    assert await claim(house, "msg_killer") is None
    await tasks.sweep(house)
    event = await event_row(house, "msg_killer")
    assert event["status"] == "failed"
    assert "stopped 8 times" in event["error"]


async def test_too_slow_is_cut_off_by_the_server_and_left_to_a_worker(
    house: Resources, trouble: list[Any]
) -> None:
    async def sleep(session: AsyncSession) -> None:
        await leave_a_mark(session)
        await session.execute(text("select pg_sleep(5)"))

    trouble.append(sleep)
    lease = await note(house, TROUBLE, {"id": "x"}, message_id="msg_slow")
    started = time.monotonic()
    # Only the server's limit can end this one: ours is far away.
    limits = Limits(seconds=30, statement_ms=FAST.statement_ms, lock_ms=FAST.lock_ms)
    result = await attempt(house.database, lease, limits, started=started)
    assert time.monotonic() - started < patience(2)
    assert (result.status, await marks(house)) == ("pending", 0)
    event = await row(
        house, "select error, next_attempt_at <= now() as due from webhook_events where message_id = 'msg_slow'"
    )
    assert event["due"]
    assert "statement timeout" in event["error"]


async def test_too_slow_outside_the_database_is_cut_off_by_us(house: Resources, trouble: list[Any]) -> None:
    async def sleep(session: AsyncSession) -> None:
        await leave_a_mark(session)
        await asyncio.sleep(5)

    trouble.append(sleep)
    lease = await note(house, TROUBLE, {"id": "x"}, message_id="msg_slow")
    started = time.monotonic()
    result = await attempt(house.database, lease, FAST, started=started)
    assert time.monotonic() - started < patience(2)
    assert (result.status, await marks(house)) == ("pending", 0)


async def test_an_attempt_cut_off_after_its_commit_is_seen_as_what_it_became(
    house: Resources, trouble: list[Any]
) -> None:
    async def hang_after_commit(session: AsyncSession) -> None:
        async def hang() -> None:
            await asyncio.sleep(5)

        await leave_a_mark(session)
        after_commit(session, hang)

    trouble.append(hang_after_commit)
    lease = await note(house, TROUBLE, {"id": "x"}, message_id="msg_late")
    result = await attempt(house.database, lease, FAST, started=time.monotonic())
    assert (result.status, result.outcome, await marks(house)) == ("completed", "applied", 1)


async def test_the_sweep_wakes_what_is_due_and_not_what_is_not(house: Resources, trouble: list[Any]) -> None:
    await note(house, TROUBLE, {"id": "x"}, message_id="msg_leased")
    await note(house, TROUBLE, {"id": "x"}, message_id="msg_expired")
    await note(house, TROUBLE, {"id": "x"}, message_id="msg_later")
    await change(
        house,
        "update webhook_events set lease_expires_at = now() - interval '1 second' "
        "where message_id = 'msg_expired'",
    )
    await change(
        house,
        "update webhook_events set status = 'pending', lease_token = null, lease_expires_at = null, "
        "next_attempt_at = now() + interval '1 minute' where message_id = 'msg_later'",
    )
    async with house.database.platform_scope() as session:
        assert await ledger.take_due(session, limit=10) == [("clerk", "msg_expired")]
    async with house.database.platform_scope() as session:
        # Somebody was told a moment ago; a long queue is not filled twice.
        assert await ledger.take_due(session, limit=10) == []


async def test_replayed_failures_are_processed_again_from_the_start(
    house: Resources, trouble: list[Any]
) -> None:
    trouble.extend([explode] * MAX_ATTEMPTS)
    await deliver(house, TROUBLE, {"id": "x"}, message_id="msg_again")
    for _ in range(MAX_ATTEMPTS - 1):
        await make_due(house)
        await process.run(house, source="clerk", message_id="msg_again")
    assert (await event_row(house, "msg_again"))["status"] == "failed"
    trouble.append(leave_a_mark)
    async with house.database.platform_scope() as session:
        assert await service.replay(session, ["msg_again", "msg_unknown"]) == ["msg_again"]
    await settle()
    await process.run(house, source="clerk", message_id="msg_again")
    event = await event_row(house, "msg_again")
    assert (event["status"], event["attempts"], event["error"]) == ("completed", 1, None)
    assert await marks(house) == 1


async def test_completed_events_are_pruned_after_thirty_days_and_failed_ones_kept(house: Resources) -> None:
    for name in ("old", "young", "failed"):
        await deliver(house, "session.created", {"id": name}, message_id=f"msg_{name}")
    await change(
        house,
        "update webhook_events set processed_at = now() - interval '31 days' where message_id <> 'msg_young'",
    )
    await change(
        house, "update webhook_events set status = 'failed', error = 'x' where message_id = 'msg_failed'"
    )
    await tasks.prune(house)
    left = await rows(house, "select message_id from webhook_events order by 1")
    assert [line["message_id"] for line in left] == ["msg_failed", "msg_young"]


async def test_the_operators_numbers_add_up(house: Resources, trouble: list[Any]) -> None:
    trouble.append(explode)
    for number in range(3):
        await deliver(house, "session.created", {"id": "s"}, message_id=f"msg_{number}")
    await deliver(house, TROUBLE, {"id": "x"}, message_id="msg_pending")
    await change(
        house,
        "update webhook_events set status = 'failed', error = 'why', processed_at = null "
        "where message_id = 'msg_0'",
    )
    await change(house, "update webhook_events set path = 'queue' where message_id = 'msg_1'")
    async with house.database.platform_scope() as session:
        found = await service.stats(session)
        failed = (await service.find_events(session, service.EventFilters(status="failed"))).items
        page = await service.find_events(session, page_size=2)
        rest = await service.find_events(session, page=2, page_size=2)
        standing = await service.standing(session)
    assert (found.pending, found.completed, found.failed, found.waiting) == (1, 2, 1, 0)
    assert found.success_rate == pytest.approx(2 / 3)
    assert found.fast_path_share == pytest.approx(1 / 2)
    assert found.p50_ms is not None
    assert found.p50_ms > 0
    assert found.oldest_pending_at is not None
    assert [event.error for event in failed] == ["why"]
    assert page.total == 4
    assert (standing.pending, standing.processing, standing.waiting, standing.failed) == (1, 0, 0, 1)
    assert standing.oldest_open_seconds is not None
    assert [event.message_id for event in page.items + rest.items] == ["msg_pending", "msg_2", "msg_1", "msg_0"]


async def test_the_command_line_shows_and_replays(house: Resources, trouble: list[Any]) -> None:
    trouble.append(explode)
    await deliver(house, TROUBLE, {"id": "x"}, message_id="msg_cli")
    await change(house, "update webhook_events set status = 'failed', next_attempt_at = null")

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(webhooks_group, words, obj={"settings": lambda: house.settings})
        return result.exit_code, result.output

    code, said = await asyncio.to_thread(run, "list", "--status", "failed")
    assert code == 0
    assert "msg_cli" in said
    assert "the roof is on fire" in said
    assert "1 failed" in (await asyncio.to_thread(run, "stats"))[1]
    shown = (await asyncio.to_thread(run, "show", "msg_cli"))[1]
    assert TROUBLE in shown
    assert '"instance_id"' not in shown
    assert '"instance_id"' in (await asyncio.to_thread(run, "show", "msg_cli", "--body"))[1]
    assert (await asyncio.to_thread(run, "show", "msg_none"))[0] == 1
    assert "1 will be" in (await asyncio.to_thread(run, "replay", "--failed"))[1]
    assert (await event_row(house, "msg_cli"))["status"] == "pending"
    assert (await asyncio.to_thread(run, "replay"))[0] == 2
