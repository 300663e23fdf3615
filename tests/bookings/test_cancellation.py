"""Cancelling: the cut-off to the second, who is exempt, and what it frees."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from coursecove.bookings import service
from coursecove.bookings.errors import AlreadyCancelled, TooLateToCancel
from coursecove.bookings.schemas import BookingCancel, BookingView
from coursecove.db.session import SYSTEM
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.tenants import service as tenants
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin

SECOND = timedelta(seconds=1)


def test_a_student_may_cancel_at_the_cut_off_and_not_a_second_later(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    on_time = desk.book(MIA, "Violin lesson", berlin(5, 14))
    late = desk.book(MIA, "Violin lesson", berlin(6, 14))
    travel(late.cancel_until + SECOND)
    assert not desk.get(MIA, late.id).can_cancel
    with pytest.raises(TooLateToCancel):
        desk.cancel(MIA, late)
    travel(on_time.cancel_until)
    assert desk.get(MIA, on_time.id).can_cancel
    cancelled = desk.cancel(MIA, on_time, "  I am ill. ")
    assert (cancelled.status, cancelled.revision, cancelled.cancellation_reason) == (
        "cancelled",
        1,
        "I am ill.",
    )
    assert cancelled.cancelled_by is not None
    assert cancelled.cancelled_by.name == "Mia Okafor"
    assert not cancelled.can_cancel


def test_without_a_notice_a_student_may_cancel_until_the_lesson_starts(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    desk.add_type("Drop-in", [IDA], cancellation_notice_minutes=0)
    first, second = desk.book(MIA, "Drop-in", berlin(5, 9)), desk.book(MIA, "Drop-in", berlin(6, 9))
    travel(first.starts_at)
    assert desk.cancel(MIA, first).status == "cancelled"
    travel(second.starts_at + SECOND)
    with pytest.raises(TooLateToCancel, match="started"):
        desk.cancel(MIA, second)


@pytest.mark.parametrize(("staff", "day"), [(CLARA, 10), (IDA, 11)])
def test_staff_may_cancel_past_the_cut_off_until_the_lesson_is_over_and_it_is_recorded(
    desk: Desk, travel: Callable[[datetime], None], staff: str, day: int
) -> None:
    booking, over = (
        desk.book(MIA, "Violin lesson", berlin(day, 9)),
        desk.book(LEO, "Violin lesson", berlin(day, 14)),
    )
    travel(booking.ends_at - SECOND)
    assert desk.get(staff, booking.id).can_cancel
    desk.cancel(staff, booking, "The roof leaks.")
    [(data,)] = desk.rows(
        "select data from events where subject_id = :id and action = 'booking.cancelled'", id=booking.id
    )
    assert data["rules_overridden"] is True
    assert (data["revision"], data["reason"]) == (1, "The roof leaks.")
    travel(over.ends_at)
    with pytest.raises(TooLateToCancel):
        desk.cancel(staff, over)


def test_a_cancelled_lesson_frees_the_time_for_instructor_and_student(desk: Desk) -> None:
    start = berlin(12, 14)
    desk.cancel(MIA, desk.book(MIA, "Violin lesson", start))
    again = desk.book(LEO, "Violin lesson", start)
    desk.cancel(LEO, again)
    assert desk.book(LEO, "Guitar lesson", start).status == "confirmed"


def test_the_session_stays_while_another_seat_is_taken(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(13, 14))
    desk.rows(
        "insert into bookings (organization_id, reference, session_id, student_id, booked_by_id, starts_at, "
        "ends_at, cancellation_notice_minutes) select organization_id, '2222-2222', session_id, :leo, :leo, "
        "starts_at, ends_at, 0 from bookings where id = :id returning id",
        id=booking.id,
        leo=desk.school.members[LEO],
    )
    desk.rows(
        "update sessions set capacity = 2, seats_taken = 2 "
        "where id = (select session_id from bookings where id = :id) returning id",
        id=booking.id,
    )
    live = (
        "select count(*) from sessions where cancelled_at is null and starts_at = :at and instructor_id = :ida"
    )
    values = {"at": booking.starts_at, "ida": desk.school.members[IDA]}
    desk.cancel(MIA, booking)
    assert desk.rows(live, **values) == [(1,)]
    [(seat,)] = desk.rows("select id from bookings where reference = '2222-2222'")
    desk.cancel(LEO, desk.get(LEO, seat))
    assert desk.rows(live, **values) == [(0,)]


def test_cancelling_twice_is_refused(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(17, 14))
    desk.cancel(MIA, booking)
    with pytest.raises(AlreadyCancelled):
        desk.cancel(CLARA, booking)


def test_of_many_cancellations_at_once_one_wins(desk: Desk) -> None:
    """Fails without the row lock: several succeed and the revision runs ahead."""
    booking = desk.book(MIA, "Violin lesson", berlin(18, 14))

    async def one(email: str) -> BookingView | Exception:
        try:
            async with desk.database.organization(desk.school.organization_id, acting=SYSTEM) as session:
                by = await tenants.get_member(session, desk.school.members[email])
                return await service.cancel(session, booking.id, BookingCancel(), by=by)
        except AlreadyCancelled as refused:
            return refused

    async def race() -> list[BookingView | Exception]:
        return await asyncio.gather(*(one(email) for email in (MIA, CLARA, IDA) * 3))

    answers = desk.loop.run(race())
    assert sum(isinstance(answer, BookingView) for answer in answers) == 1
    assert desk.get(MIA, booking.id).revision == 1


def test_nobody_else_can_cancel_a_lesson(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(19, 14))
    for stranger in (LEO, TOMAS):
        with pytest.raises(NotFound):
            desk.cancel(stranger, booking)
    with pytest.raises(NotFound):
        desk.acting(MIA, lambda session, by: service.cancel(session, uuid.uuid4(), BookingCancel(), by=by))


def test_an_instructor_is_a_student_like_others_in_the_lessons_they_take(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    lesson = desk.book(IDA, "Guitar lesson", berlin(20, 15))
    travel(lesson.cancel_until + SECOND)
    with pytest.raises(TooLateToCancel):
        desk.cancel(IDA, lesson)


def test_a_reason_that_cannot_be_kept_is_told_at_its_field(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(24, 14))
    for reason in ("a\x00b", "a" * 501):
        with pytest.raises(Invalid) as refusal:
            desk.cancel(MIA, booking, reason)
        assert list(refusal.value.fields) == ["reason"]


def test_who_booked_for_somebody_once_cannot_cancel_what_another_teaches(desk: Desk) -> None:
    """An instructor sees what they booked, also with a colleague as teacher; cancelling is not theirs."""
    booking = desk.book(TOMAS, "Guitar lesson", berlin(25, 15), student=LEO)
    desk.rows(
        "insert into sessions (organization_id, appointment_type_id, instructor_id, starts_at, ends_at, "
        "blocked_from, blocked_until) select organization_id, appointment_type_id, :ida, starts_at, ends_at, "
        "blocked_from, blocked_until from sessions where id = (select session_id from bookings where id = :id) "
        "returning id",
        id=booking.id,
        ida=desk.school.members[IDA],
    )
    [(other,)] = desk.rows(
        "insert into bookings (organization_id, reference, session_id, student_id, booked_by_id, starts_at, "
        "ends_at, cancellation_notice_minutes) select organization_id, '3333-3333', id, :mia, :tomas, "
        "starts_at, ends_at, 0 from sessions where instructor_id = :ida and starts_at = :at returning id",
        ida=desk.school.members[IDA],
        mia=desk.school.members[MIA],
        tomas=desk.school.members[TOMAS],
        at=booking.starts_at,
    )
    seen = desk.get(TOMAS, other)
    assert (seen.instructor.name, seen.can_cancel, seen.student.email) == ("Ida Berg", False, None)
    with pytest.raises(Forbidden):
        desk.cancel(TOMAS, seen)
