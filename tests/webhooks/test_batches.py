"""What a worker does together: leases as ever, all or nothing, and alone when together does not work."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from benchmarks.hot import listening
from coursecove.resources import Resources
from coursecove.tenants.inbound.entities import lock
from coursecove.webhooks import batches, ledger
from coursecove.webhooks.processing import Limits
from coursecove.webhooks.wakeups import process
from tests.webhooks.support import event_row, membership, new_id, note, organization, row, rows, user

pytestmark = pytest.mark.anyio


async def leave_due(house: Resources, *message_ids: str) -> None:
    """What requests could not finish: pending and due, nothing attempted."""
    async with house.database.platform_scope() as session:
        await session.execute(
            text(
                "update webhook_events set status = 'pending', lease_token = null, lease_expires_at = null, "
                "next_attempt_at = now(), attempts = 0 where message_id = any(:ids)"
            ),
            {"ids": list(message_ids)},
        )


async def due_people(house: Resources, count: int) -> tuple[list[str], list[str]]:
    people, messages = [new_id("user") for _ in range(count)], [new_id("msg") for _ in range(count)]
    for person, message in zip(people, messages, strict=True):
        await note(house, "user.created", user(person), message_id=message)
    await leave_due(house, *messages)
    return people, messages


async def known(house: Resources, people: list[str]) -> int:
    found = await rows(house, "select 1 from users where clerk_id = any(:people)", people=people)
    return len(found)


async def test_one_wake_up_finishes_what_is_due_in_a_handful_of_statements(house: Resources) -> None:
    people, messages = await due_people(house, 20)
    with listening() as sent:
        await process.run(house, source="clerk", message_id=messages[3])
    assert await known(house, people) == 20
    for message in messages:
        event = await event_row(house, message)
        assert (event["status"], event["outcome"], event["path"]) == ("completed", "applied", "queue")
        assert (event["attempts"], event["lease_token"], event["next_attempt_at"]) == (1, None, None)
    assert len(sent) <= 4


async def test_the_wake_up_of_what_is_finished_is_known_to_be_needless_once(house: Resources) -> None:
    """Once, so that an event that is replayed is not taken for finished by every wake-up that follows."""
    _people, messages = await due_people(house, 2)
    await process.run(house, source="clerk", message_id=messages[0])
    other = {"source": "clerk", "message_id": messages[1]}
    assert batches.is_finished(**other)
    assert not batches.is_finished(**other)
    assert not batches.is_finished(source="clerk", message_id="msg_never_heard_of")


async def test_two_events_about_one_person_are_applied_one_after_the_other(house: Resources) -> None:
    person = new_id("user")
    for at in (0, 5, 2):
        kind = "user.updated" if at else "user.created"
        await note(house, kind, user(person, at=at, given_name=f"Mia {at}"), message_id=f"msg_{at}")
    await leave_due(house, "msg_0", "msg_5", "msg_2")
    await process.run(house, source="clerk", message_id="msg_0")
    assert (await row(house, "select given_name from users where clerk_id = :id", id=person))[
        "given_name"
    ] == "Mia 5"
    outcomes = [(await event_row(house, f"msg_{at}"))["outcome"] for at in (0, 5, 2)]
    assert outcomes == ["applied", "applied", "superseded"]


async def test_who_waited_is_due_when_the_batch_brings_their_person(house: Resources) -> None:
    person, school = new_id("user"), new_id("org")
    await note(house, "organization.created", organization(school), message_id="msg_school")
    await note(
        house,
        "organizationMembership.created",
        membership(new_id("orgmem"), school, person),
        message_id="msg_waits",
    )
    await leave_due(house, "msg_school", "msg_waits")
    for message in ("msg_school", "msg_waits"):
        await process.run(house, source="clerk", message_id=message)
    assert (await event_row(house, "msg_waits"))["waiting_for"] == f"user:{person}"
    await note(house, "user.created", user(person), message_id="msg_person")
    await leave_due(house, "msg_person")
    await process.run(house, source="clerk", message_id="msg_person")
    due = await row(
        house, "select next_attempt_at <= now() as due from webhook_events where message_id = 'msg_waits'"
    )
    assert due["due"]


async def test_a_batch_that_meets_a_lock_is_undone_and_each_event_attempted_by_itself(
    house: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without the attempts of their own: nobody of the batch was known, for twenty seconds."""
    monkeypatch.setattr(batches, "QUEUE", Limits(seconds=2, statement_ms=1_000, lock_ms=300))
    people, messages = await due_people(house, 4)
    async with house.database.platform_scope() as session:
        await lock(session, f"user:{people[1]}")
        await process.run(house, source="clerk", message_id=messages[0])
        assert await known(house, people) == 3
        stuck = await event_row(house, messages[1])
        assert (stuck["status"], stuck["attempts"]) == ("pending", 1)
        assert "lock" in stuck["error"]


async def test_an_unreadable_event_fails_by_itself_and_keeps_nobody(house: Resources) -> None:
    people, messages = await due_people(house, 3)
    await note(house, "user.created", {"id": "user_without_a_version"}, message_id="msg_unreadable")
    await leave_due(house, "msg_unreadable")
    await process.run(house, source="clerk", message_id=messages[0])
    assert await known(house, people) == 3
    failed = await event_row(house, "msg_unreadable")
    assert (failed["status"], failed["attempts"]) == ("failed", 1)


async def test_a_batch_whose_lease_was_taken_from_one_of_it_writes_nothing_of_that_one(
    house: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without the token in the final statement: the taken event was completed by the sleeper."""
    people, messages = await due_people(house, 3)
    complete = ledger.complete_several

    async def asleep(*args: Any, **options: Any) -> Any:
        async with house.database.platform_scope() as other:
            await other.execute(
                text(
                    "update webhook_events set lease_token = gen_random_uuid(), "
                    "lease_expires_at = now() + interval '20 seconds' where message_id = :id"
                ),
                {"id": messages[1]},
            )
        return await complete(*args, **options)

    monkeypatch.setattr(ledger, "complete_several", asleep)
    await process.run(house, source="clerk", message_id=messages[0])
    assert (await event_row(house, messages[1]))["status"] == "processing"
    assert sorted([people[0], people[2]]) == sorted(
        found["clerk_id"]
        for found in await rows(
            house, "select clerk_id from users where clerk_id = any(:people)", people=people
        )
    )


async def test_workers_that_wake_at_once_share_what_is_due(house: Resources) -> None:
    people, messages = await due_people(house, 12)
    await asyncio.gather(*(process.run(house, source="clerk", message_id=message) for message in messages))
    assert await known(house, people) == 12
    counted = await rows(
        house, "select distinct attempts, status from webhook_events where message_id = any(:ids)", ids=messages
    )
    assert counted == [{"attempts": 1, "status": "completed"}]
