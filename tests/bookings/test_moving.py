"""Moving a lesson: same booking, every rule again, and no way around what was promised."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import acceptance, moving
from coursecove.bookings.errors import AlreadyCancelled, SlotNotOffered, SlotTaken, StudentBusy, TooLateToMove
from coursecove.bookings.occupancy import Taken
from coursecove.db.session import SYSTEM
from coursecove.errors import Conflict, Forbidden, Invalid, NotFound
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin

SECOND = timedelta(seconds=1)


def test_a_lesson_keeps_its_name_and_frees_its_old_time(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(4, 9), note="Bach")
    assert booking.can_move
    moved = desk.move(MIA, booking, berlin(5, 10, 30))
    assert (moved.id, moved.reference, moved.session_id) == (booking.id, booking.reference, booking.session_id)
    assert (moved.revision, moved.rescheduled_count, moved.note) == (1, 1, "Bach")
    assert (moved.starts_at, moved.ends_at) == (berlin(5, 10, 30), berlin(5, 11, 15))
    assert moved.cancel_until == berlin(4, 10, 30)
    [fact] = desk.facts(booking.id, "booking.moved")
    assert fact["former_starts_at"] == berlin(4, 9).isoformat()
    assert fact["starts_at"] == {"from": berlin(4, 9).isoformat(), "to": berlin(5, 10, 30).isoformat()}
    assert desk.book(LEO, "Violin lesson", berlin(4, 9)).status == "confirmed"


def test_its_own_old_time_is_no_conflict(desk: Desk) -> None:
    desk.add_type("Quarters", [IDA])
    booking = desk.book(MIA, "Quarters", berlin(6, 9))
    moved = desk.move(MIA, booking, berlin(6, 9, 15))
    assert moved.starts_at == berlin(6, 9, 15)
    assert desk.rows(
        "select extract(epoch from blocked_until - starts_at) from sessions where id = :id", id=moved.session_id
    ) == [(45 * 60,)]


def test_every_rule_is_checked_again(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(10, 9))
    desk.book(LEO, "Violin lesson", berlin(10, 14))
    for start, reason in (
        (berlin(10, 9, 1), "not_on_grid"),
        (berlin(10, 13), "outside_hours"),
        (berlin(3, 10), "too_soon"),
        (berlin(10, 9, month=6), "too_far"),
    ):
        with pytest.raises(SlotNotOffered) as refusal:
            desk.move(MIA, booking, start)
        assert refusal.value.extra["reason"] == reason
    with pytest.raises(SlotTaken) as taken:
        desk.move(MIA, booking, berlin(10, 14))
    assert 0 < len(taken.value.extra["alternatives"]) <= 5
    desk.book(MIA, "Guitar lesson", berlin(11, 14))
    with pytest.raises(StudentBusy):
        desk.move(MIA, booking, berlin(11, 14))
    unmoved = desk.get(MIA, booking.id)
    assert (unmoved.starts_at, unmoved.revision) == (booking.starts_at, 0)


def test_a_student_may_move_until_the_longer_notice_and_not_a_second_later(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    desk.add_type("Long to cancel", [IDA], cancellation_notice_minutes=2880, reschedule_notice_minutes=60)
    desk.add_type("Long to move", [IDA], cancellation_notice_minutes=60, reschedule_notice_minutes=2880)
    for name, day in (("Long to cancel", 12), ("Long to move", 13)):
        booking = desk.book(MIA, name, berlin(day, 9))
        assert booking.move_until == berlin(day - 2, 9)
        travel(booking.move_until + SECOND)
        assert not desk.get(MIA, booking.id).can_move
        with pytest.raises(TooLateToMove, match="until 2 days"):
            desk.move(MIA, booking, berlin(20, 9))
        travel(booking.move_until)
        assert desk.get(MIA, booking.id).can_move
        assert desk.move(MIA, booking, berlin(day + 7, 15)).revision == 1


def test_a_student_moves_as_often_as_was_promised_and_staff_without_counting(desk: Desk) -> None:
    desk.add_type("Twice", [IDA], most_reschedules=2)
    desk.add_type("Never", [IDA], most_reschedules=0)
    booking = desk.book(MIA, "Twice", berlin(17, 9))
    # The promise is the booking's, whatever becomes of the type.
    desk.change_type("Twice", most_reschedules=0)
    for hour in (10, 11):
        booking = desk.move(MIA, booking, berlin(17, hour))
    assert (booking.rescheduled_count, booking.can_move) == (2, False)
    with pytest.raises(TooLateToMove, match="2 times"):
        desk.move(MIA, booking, berlin(17, 14))
    by_staff = desk.move(CLARA, booking, berlin(17, 14))
    assert (by_staff.rescheduled_count, by_staff.revision) == (2, 3)
    never = desk.book(MIA, "Never", berlin(18, 9))
    assert not never.can_move
    with pytest.raises(TooLateToMove, match="cannot be moved"):
        desk.move(MIA, never, berlin(18, 10))


def test_staff_move_past_the_cut_off_until_it_is_over_and_it_is_recorded(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(19, 9))
    travel(berlin(19, 9, 30))
    moved = desk.move(IDA, booking, berlin(19, 14))
    assert desk.facts(moved.id, "booking.moved")[-1]["rules_overridden"] is True
    travel(berlin(19, 14, 45))
    for person in (CLARA, IDA, MIA):
        with pytest.raises(TooLateToMove, match="over"):
            desk.move(person, moved, berlin(20, 9))


def test_staff_pass_rules_knowingly_and_it_shows_until_the_next_move(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(24, 9))
    with pytest.raises(SlotNotOffered) as refusal:
        desk.move(CLARA, booking, berlin(24, 13))
    [rule] = refusal.value.extra["broken_rules"]
    assert (rule.rule, rule.overridable) == ("outside_hours", True)
    odd = desk.move(CLARA, booking, berlin(24, 13), override_rules=True)
    assert odd.overridden_rules == ["outside_hours"]
    assert desk.get(MIA, booking.id).overridden_rules == []
    assert desk.move(CLARA, odd, berlin(24, 10, 30)).overridden_rules == []
    desk.book(LEO, "Violin lesson", berlin(24, 14))
    with pytest.raises(SlotTaken):
        desk.move(CLARA, odd, berlin(24, 14), override_rules=True)


def test_who_may_not_move_a_lesson(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(25, 9))
    for stranger in (LEO, TOMAS):
        with pytest.raises(NotFound):
            desk.move(stranger, booking, berlin(25, 10))
    for option in ({"override_rules": True}, {"room_id": uuid.uuid4()}, {"duration_minutes": 60}):
        with pytest.raises(Forbidden):
            desk.move(MIA, booking, berlin(25, 10), **option)
    with pytest.raises(Forbidden):
        desk.move(IDA, booking, berlin(25, 10), instructor_id=desk.school.members[TOMAS])
    desk.cancel(MIA, booking)
    with pytest.raises(AlreadyCancelled):
        desk.move(MIA, booking, berlin(25, 10))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "starts_at"),
        ({"instructor_id": uuid.uuid4()}, "instructor_id"),
        ({"location_id": uuid.uuid4()}, "location_id"),
        ({"room_id": uuid.uuid4()}, "room_id"),
        ({"duration_minutes": 55}, "duration_minutes"),
        ({"starts_at": datetime(2031, 3, 26, 9)}, "starts_at"),
    ],
)
def test_what_cannot_be_used_is_told_at_its_field(desk: Desk, change: dict[str, Any], field: str) -> None:
    booking = desk.book(CLARA, "Violin lesson", berlin(26, 9), student=LEO)
    try:
        values = {"starts_at": berlin(26, 9), **change}
        with pytest.raises(Invalid) as refusal:
            desk.move(CLARA, booking, values.pop("starts_at"), **values)
        assert list(refusal.value.fields) == [field]
    finally:
        desk.cancel(CLARA, booking)


def test_a_lesson_goes_to_another_instructor_who_teaches_it(desk: Desk) -> None:
    desk.add_type("Either", [IDA, TOMAS])
    booking = desk.book(MIA, "Either", berlin(27, 14), teacher=IDA)
    moved = desk.move(MIA, booking, berlin(27, 14), instructor_id=desk.school.members[TOMAS])
    assert moved.instructor.name == "Tomás Rey"
    assert desk.book(LEO, "Either", berlin(27, 14), teacher=IDA).status == "confirmed"
    with pytest.raises(NotFound):
        desk.get(IDA, booking.id)


def test_moving_what_needs_approval_asks_again_and_staff_ask_nobody(desk: Desk) -> None:
    """Else a time nobody agreed to would be had by asking for another one first."""
    desk.add_type("Agreed", [IDA], requires_approval=True)
    booking = desk.book(CLARA, "Agreed", berlin(1, 10, month=4), student=MIA)
    assert booking.status == "confirmed"
    asked = desk.move(MIA, booking, berlin(1, 14, month=4))
    assert (asked.status, asked.can_move) == ("pending", False)
    assert asked.approve_by is not None
    with pytest.raises(TooLateToMove, match="waiting"):
        desk.move(MIA, asked, berlin(1, 15, month=4))
    moved = desk.move(IDA, asked, berlin(1, 16, month=4))
    assert moved.status == "pending"


def test_losing_to_somebody_who_books_in_that_moment_is_an_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without the savepoint: the unit of work is broken, and no alternatives can be read."""
    booking = desk.book(MIA, "Violin lesson", berlin(2, 9, month=4))
    desk.book(LEO, "Violin lesson", berlin(2, 16, 15, month=4))
    desk.book(MIA, "Guitar lesson", berlin(2, 14, 30, month=4))

    async def blind(*arguments: object, **options: object) -> Taken:
        return Taken()

    monkeypatch.setattr(acceptance, "taken_of", blind)
    with pytest.raises(SlotTaken) as lost:
        desk.move(MIA, booking, berlin(2, 16, 15, month=4))
    assert lost.value.extra["alternatives"]
    with pytest.raises(StudentBusy):
        desk.move(MIA, booking, berlin(2, 14, 45, month=4))
    assert desk.get(MIA, booking.id).revision == 0


def test_a_change_in_that_moment_is_told_instead_of_overwritten(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without the look at the revision under the lock."""
    booking = desk.book(MIA, "Violin lesson", berlin(3, 9, month=4))
    judged = acceptance.accept_start

    async def meanwhile(session: AsyncSession, *arguments: Any, **options: Any) -> Any:
        answer = await judged(session, *arguments, **options)
        async with desk.database.organization(desk.school.organization_id, acting=SYSTEM) as other:
            await other.execute(text("update bookings set revision = 1 where id = :id"), {"id": booking.id})
        return answer

    monkeypatch.setattr(moving, "accept_start", meanwhile)
    with pytest.raises(Conflict, match="Somebody has changed"):
        desk.move(MIA, booking, berlin(3, 10, month=4))
    assert desk.get(MIA, booking.id).starts_at == booking.starts_at
