"""What is done in one message, and that everything in its way undoes all of it."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from benchmarks.hot import listening
from coursecove.resources import Resources
from coursecove.webhooks import at_once, controllers
from tests.webhooks.support import (
    Sender,
    deliver,
    event_row,
    membership,
    new_id,
    organization,
    row,
    rows,
    user,
)

pytestmark = pytest.mark.anyio


async def test_a_person_is_known_after_one_message_to_the_database(clerk: Sender, house: Resources) -> None:
    person = new_id("user")
    with listening() as sent:
        answer = await clerk.send("user.created", user(person), message_id="msg_once")
    assert answer.json() == {"status": "completed", "outcome": "applied"}
    assert len(sent) == 1
    event = await event_row(house, "msg_once")
    assert (event["status"], event["path"], event["attempts"]) == ("completed", "fast", 1)
    assert (event["lease_token"], event["next_attempt_at"]) == (None, None)
    assert event["processed_at"] >= event["received_at"]
    assert await rows(house, "select 1 from users where clerk_id = :id", id=person)


async def test_what_nobody_handles_is_written_down_in_one_message(clerk: Sender, house: Resources) -> None:
    with listening() as sent:
        answer = await clerk.send("session.created", {"id": "sess_1"}, message_id="msg_nobodys")
    assert answer.json() == {"status": "completed", "outcome": "ignored"}
    assert len(sent) == 1


async def test_a_message_that_is_known_changes_nothing_though_it_says_something_else(
    clerk: Sender, house: Resources
) -> None:
    """Seen to fail with ``on conflict do nothing`` on the ledger's row: the change stayed."""
    first, other = new_id("user"), new_id("user")
    await clerk.send("user.created", user(first), message_id="msg_twice")
    answer = await clerk.send("user.created", user(other), message_id="msg_twice")
    assert answer.json() == {"status": "duplicate"}
    assert await rows(house, "select 1 from users where clerk_id = :id", id=other) == []


async def test_an_older_version_is_superseded_and_a_deleted_person_stays_away(
    clerk: Sender, house: Resources
) -> None:
    person = new_id("user")
    await clerk.send("user.updated", user(person, at=2, given_name="Newer"))
    answer = await clerk.send("user.updated", user(person, at=1, given_name="Older"))
    assert answer.json() == {"status": "completed", "outcome": "superseded"}
    assert (await row(house, "select given_name from users where clerk_id = :id", id=person))[
        "given_name"
    ] == "Newer"
    await clerk.send("user.deleted", {"id": person, "object": "user", "deleted": True})
    answer = await clerk.send("user.updated", user(person, at=3))
    assert answer.json() == {"status": "completed", "outcome": "superseded"}


async def test_who_waited_for_a_person_is_due_once_they_are_there(clerk: Sender, house: Resources) -> None:
    person, school = new_id("user"), new_id("org")
    await clerk.send("organization.created", organization(school))
    waits = await clerk.send(
        "organizationMembership.created", membership(new_id("orgmem"), school, person), message_id="msg_waits"
    )
    assert waits.json()["status"] == "pending"
    later = "select next_attempt_at > now() as later from webhook_events where message_id = 'msg_waits'"
    assert (await row(house, later))["later"]
    await clerk.send("user.created", user(person))
    assert not (await row(house, later))["later"]


async def test_a_lock_in_the_way_leaves_no_trace_and_the_ordinary_way_is_taken(
    clerk: Sender, house: Resources
) -> None:
    """The row lock of somebody else, for longer than one message waits and shorter than processing may."""
    person = new_id("user")
    await clerk.send("user.created", user(person))
    with psycopg.connect(house.settings.database_platform_url) as connection:
        connection.execute("select 1 from users where clerk_id = %s for update", [person])
        sending = asyncio.create_task(clerk.send("user.updated", user(person, at=1), message_id="msg_locked"))
        await asyncio.sleep(0.12)
        connection.rollback()
    answer = await sending
    assert answer.json() == {"status": "completed", "outcome": "applied"}
    event = await event_row(house, "msg_locked")
    assert (event["status"], event["attempts"], event["path"]) == ("completed", 1, "fast")


async def test_an_answer_that_comes_too_late_is_not_applied_twice(
    clerk: Sender, house: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message that commits after nobody waits for it any more: the ordinary way finds the message known."""
    finish = at_once.finish

    async def late(*args: Any, **options: Any) -> Any:
        done = await finish(*args, **options)
        await asyncio.sleep(at_once.LIMITS.seconds + 0.1)
        return done

    monkeypatch.setattr(controllers, "finish", late)
    answer = await clerk.send("user.created", user(new_id("user")), message_id="msg_late")
    assert (answer.status_code, answer.json()) == (200, {"status": "duplicate"})
    event = await event_row(house, "msg_late")
    assert (event["status"], event["attempts"]) == ("completed", 1)


async def test_both_ways_leave_the_same_person(clerk: Sender, house: Resources) -> None:
    columns = "email, given_name, family_name, image_url, version, deleted_at"
    left = []
    for way in ("one message", "the ordinary way"):
        person = new_id("user")
        for at in (3, 1):
            data = user(person, at=at, given_name=f"Mia {at}")
            if way == "one message":
                await clerk.send("user.updated", data)
            else:
                await deliver(house, "user.updated", data)
        left.append(await row(house, f"select {columns} from users where clerk_id = :id", id=person))
    assert left[0] == left[1]
