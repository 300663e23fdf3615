"""A student books with what the process knows of the school: what the database would say at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from benchmarks.hot import listening
from coursecove.bookings import booking, prospectus, requests
from coursecove.bookings.errors import SlotNotOffered, SlotTaken
from coursecove.db.session import SYSTEM
from coursecove.errors import Invalid
from tests.bookings.desk import IDA, MIA, PRIYA, Desk, berlin

VIOLIN = "Violin lesson"


@pytest.fixture
def knowing(desk: Desk) -> Desk:
    """The desk, once the process knows the school."""
    desk.cancel(PRIYA, desk.book(PRIYA, VIOLIN, free(desk), teacher=IDA))

    async def settled() -> None:
        await asyncio.gather(*prospectus._reading.values())

    desk.loop.run(settled())
    return desk


def test_however_many_find_nothing_known_it_is_read_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail without looking whether it is being read: ten read it."""
    read: list[int] = []

    async def slowly(_session: Any) -> None:
        read.append(1)
        await asyncio.sleep(0.05)

    monkeypatch.setattr(prospectus, "prospectus_of", slowly)

    async def ten() -> None:
        for _ in range(10):
            async with desk.database.organization(desk.school.organization_id) as session:
                prospectus.keep_soon(session)
        await asyncio.gather(*prospectus._reading.values())

    desk.loop.run(ten())
    assert len(read) == 1


def free(desk: Desk) -> datetime:
    """A time that is offered, some weeks ahead."""
    return desk.slots(VIOLIN, berlin(24, 0), days=7, teacher=IDA)[0].starts_at


def change(desk: Desk, statement: str, **values: Any) -> None:
    desk.run(lambda session: session.execute(text(statement), values))


def test_what_the_school_offers_is_not_read_again(knowing: Desk) -> None:
    """Seen to fail with the prospectus taken away: type and timetable were read, two statements more."""
    at = free(knowing)
    with listening() as sent:
        knowing.book(MIA, VIOLIN, at, teacher=IDA)
    asked = [one.statement for one in sent]
    assert sum("weekly_hours" in statement for statement in asked) == 0
    assert sum("appointment_types.description" in statement for statement in asked) == 0
    # The control: whatever it knows, it looks at what is booked.
    assert sum("from sessions" in statement and "school_editions" in statement for statement in asked) == 1


def test_whoever_comes_second_is_told_the_nearest_times_from_what_is_known(knowing: Desk) -> None:
    at = free(knowing)
    knowing.book(MIA, VIOLIN, at, teacher=IDA)
    with listening() as sent, pytest.raises(SlotTaken) as refusal:
        knowing.book(PRIYA, VIOLIN, at, teacher=IDA)
    assert sum("weekly_hours" in one.statement for one in sent) == 0
    offered = {slot.starts_at for slot in knowing.slots(VIOLIN, berlin(1, 0), days=60, teacher=IDA)}
    nearest = {other.starts_at for other in refusal.value.extra["alternatives"]}
    assert nearest
    assert nearest <= offered


@pytest.mark.parametrize(
    ("statement", "undo"),
    [
        (
            "insert into time_off (organization_id, member_id, starts_at, ends_at, created_by_id) "
            "select organization_id, id, '2031-03-20', '2031-04-10', id from members where id = :ida",
            "delete from time_off where member_id = :ida and starts_at = '2031-03-20'",
        ),
        (
            "insert into closures (organization_id, name, starts_on, ends_on) "
            "select id, 'Just closed', '2031-03-20', '2031-04-10' from organizations",
            "delete from closures where name = 'Just closed'",
        ),
        (
            "update appointment_types set minimum_notice_minutes = 60 * 24 * 60 where id = :violin",
            "update appointment_types set minimum_notice_minutes = 0 where id = :violin",
        ),
    ],
    ids=["time off", "closure", "notice"],
)
def test_a_rule_that_has_just_changed_holds_for_the_next_booking(
    knowing: Desk, statement: str, undo: str
) -> None:
    values = {"ida": knowing.school.members[IDA], "violin": knowing.school.types[VIOLIN]}
    at = free(knowing)

    def do(what: str) -> None:
        change(knowing, what, **{name: value for name, value in values.items() if f":{name}" in what})

    do(statement)
    try:
        with pytest.raises(SlotNotOffered):
            knowing.book(MIA, VIOLIN, at, teacher=IDA)
    finally:
        do(undo)
    assert knowing.book(MIA, VIOLIN, at, teacher=IDA).status == "confirmed"


def test_a_price_that_has_just_changed_is_the_price_of_the_booking(knowing: Desk) -> None:
    set_price = "update appointment_types set price_cents = :cents where id = :violin"
    before = knowing.type(VIOLIN).price_cents
    change(knowing, set_price, cents=12345, violin=knowing.school.types[VIOLIN])
    try:
        assert knowing.book(MIA, VIOLIN, free(knowing), teacher=IDA).price_cents == 12345
    finally:
        change(knowing, set_price, cents=before, violin=knowing.school.types[VIOLIN])


def test_a_type_that_was_archived_or_published_a_moment_ago(knowing: Desk) -> None:
    archive = "update appointment_types set archived_at = now() where id = :violin"
    restore = "update appointment_types set archived_at = null where id = :violin"
    violin, at = knowing.school.types[VIOLIN], free(knowing)
    change(knowing, archive, violin=violin)
    try:
        with pytest.raises(Invalid) as refusal:
            knowing.book(MIA, VIOLIN, at, teacher=IDA)
        assert list(refusal.value.fields) == ["appointment_type_id"]
    finally:
        change(knowing, restore, violin=violin)
    assert knowing.book(MIA, VIOLIN, at, teacher=IDA).status == "confirmed"


def test_a_school_that_changes_between_looking_and_booking_is_looked_at_again(
    knowing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edition read with what is booked decides; nothing was written with the old one."""
    checked = requests.checked
    happened: list[str] = []

    async def meanwhile(session: Any, data: Any, **options: Any) -> Any:
        request = await checked(session, data, **options)
        if not happened:
            happened.append("moved")
            organization_id = knowing.school.organization_id
            async with knowing.database.organization(organization_id, acting=SYSTEM) as other:
                raised = text("update appointment_types set price_cents = 777 where id = :id")
                await other.execute(raised, {"id": data.appointment_type_id})
        return request

    monkeypatch.setattr(booking, "checked", meanwhile)
    before, at = knowing.type(VIOLIN).price_cents, free(knowing)
    try:
        made = knowing.book(MIA, VIOLIN, at, teacher=IDA)
        assert made.price_cents == 777
    finally:
        change(
            knowing,
            "update appointment_types set price_cents = :cents where id = :id",
            cents=before,
            id=knowing.school.types[VIOLIN],
        )


def test_nobody_learns_from_another_school(knowing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is kept by the organization of the unit of work, and never for staff."""
    found: list[bool] = []
    kept: Callable[..., Any] = prospectus.prospectus_kept

    def watched(session: Any) -> Any:
        answer = kept(session)
        found.append(answer is None or answer.organization.id == session.info["organization_id"])
        return answer

    monkeypatch.setattr(booking, "prospectus_kept", watched)
    knowing.book(MIA, VIOLIN, free(knowing), teacher=IDA)
    assert found == [True]
    knowing.book(IDA, VIOLIN, free(knowing), student=MIA)
    assert found == [True]
