"""Booking a lesson: who may, for whom, when, and what is promised."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeUpdate
from coursecove.bookings import acceptance, service, taking
from coursecove.bookings.errors import InstructorNotQualified, SlotNotOffered, SlotTaken, StudentBusy
from coursecove.bookings.occupancy import Taken
from coursecove.bookings.schemas import BookingCreate
from coursecove.errors import Forbidden, Invalid
from coursecove.tenants.models import Member
from tests.bookings.desk import CLARA, IDA, LEO, MIA, MONDAY, PRIYA, TOMAS, Desk, berlin


def test_a_student_books_what_is_offered_and_the_promises_are_written_down(desk: Desk) -> None:
    start = berlin(3, 14)
    booking = desk.book(MIA, "Piano lesson", start, teacher=IDA, note="  Satie\r\nagain ")
    assert (booking.starts_at, booking.ends_at) == (start, start + timedelta(minutes=45))
    assert (booking.status, booking.revision, booking.note) == ("confirmed", 0, "Satie\nagain")
    assert booking.location is not None
    assert (booking.location.name, booking.venue_time_zone) == ("Studio Linden", "Europe/Berlin")
    assert (booking.price_cents, booking.currency) == (4500, "EUR")
    assert booking.cancel_until == start - timedelta(hours=24)
    desk.acting(
        CLARA,
        lambda session, by: appointments.update_type(
            session,
            desk.school.types["Piano lesson"],
            AppointmentTypeUpdate(price_cents=9900, cancellation_notice_minutes=0),
            by=by,
        ),
    )
    later = desk.get(MIA, booking.id)
    assert (later.price_cents, later.cancel_until) == (4500, booking.cancel_until)


def test_the_fact_is_recorded_with_the_booking(desk: Desk) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(3, 16, 15))
    [(data, actor)] = desk.rows(
        "select data, actor_id from events where subject_id = :id and action = 'booking.confirmed'",
        id=booking.id,
    )
    assert actor == desk.school.members[MIA]
    assert data["reference"] == booking.reference
    assert datetime.fromisoformat(data["starts_at"]) == booking.starts_at
    assert (data["revision"], data["rules_overridden"]) == (0, False)
    assert data["student_id"] == str(desk.school.members[MIA])


def test_a_taken_time_answers_with_the_nearest_free_ones(desk: Desk) -> None:
    desk.book(MIA, "Violin lesson", berlin(4, 14, 45))
    with pytest.raises(SlotTaken) as refusal:
        desk.book(LEO, "Violin lesson", berlin(4, 14, 45))
    offered = refusal.value.extra["alternatives"]
    times = [choice.starts_at for choice in offered]
    assert times == sorted(times)
    assert len(times) == 5
    # Blocked from 14:45 to 15:45: 15:30 is lost as well, and 14:00 would end too late.
    assert {berlin(4, 11, 15), berlin(4, 16, 15)} <= set(times)
    assert not {berlin(4, 14), berlin(4, 15, 30)} & set(times)
    again = desk.book(LEO, "Violin lesson", offered[0].starts_at)
    assert again.starts_at == offered[0].starts_at


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (berlin(5, 9, 1), "not_on_grid"),
        (berlin(5, 13), "outside_hours"),
        (MONDAY + timedelta(minutes=119), "too_soon"),
        (MONDAY - timedelta(days=400), "past"),
        (berlin(5, 9, month=6), "too_far"),
        (datetime.max.replace(tzinfo=UTC), "too_far"),
        (datetime.min.replace(tzinfo=UTC), "past"),
    ],
)
def test_what_is_not_offered_is_refused_with_the_reason(desk: Desk, start: datetime, reason: str) -> None:
    with pytest.raises(SlotNotOffered) as refusal:
        desk.book(PRIYA, "Violin lesson", start)
    assert refusal.value.extra["reason"] == reason
    assert 0 < len(refusal.value.extra["alternatives"]) <= 5


def test_a_lesson_nobody_teaches_is_refused_without_alternatives(desk: Desk) -> None:
    desk.add_type("Theremin", [], location_mode="online")
    with pytest.raises(SlotNotOffered) as refusal:
        desk.book(PRIYA, "Theremin", berlin(7, 10))
    assert refusal.value.extra == {"reason": "nobody_teaches", "alternatives": [], "broken_rules": []}


def test_a_student_cannot_be_in_two_lessons_at_once(desk: Desk) -> None:
    desk.book(LEO, "Guitar lesson", berlin(6, 14))
    with pytest.raises(StudentBusy):
        desk.book(LEO, "Violin lesson", berlin(6, 14))
    # Lessons may follow one another without a break: buffers are the instructor's.
    assert desk.book(LEO, "Violin lesson", berlin(6, 14, 45)).status == "confirmed"


def test_an_instructor_who_does_not_teach_the_lesson_is_refused(desk: Desk) -> None:
    with pytest.raises(InstructorNotQualified):
        desk.book(MIA, "Violin lesson", berlin(6, 12), teacher=TOMAS)
    with pytest.raises(InstructorNotQualified):
        desk.book(MIA, "Violin lesson", berlin(6, 12), teacher=LEO)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"appointment_type_id": uuid.uuid4()}, "appointment_type_id"),
        ({"location_id": uuid.uuid4()}, "location_id"),
        ({"starts_at": datetime(2031, 3, 6, 9)}, "starts_at"),
        ({"note": "a\x00b"}, "note"),
        ({"note": "a" * 1001}, "note"),
    ],
)
def test_what_cannot_be_used_is_told_at_its_field(desk: Desk, change: dict[str, Any], field: str) -> None:
    values = {"appointment_type_id": desk.school.types["Violin lesson"], "starts_at": berlin(6, 9), **change}
    with pytest.raises(Invalid) as refusal:
        desk.acting(MIA, lambda session, by: service.book(session, BookingCreate(**values), by=by))
    assert list(refusal.value.fields) == [field]


def test_a_draft_is_for_staff_only(desk: Desk) -> None:
    desk.add_type("Masterclass", [IDA], published=False)
    with pytest.raises(Invalid):
        desk.book(MIA, "Masterclass", berlin(10, 9))
    assert desk.book(CLARA, "Masterclass", berlin(10, 9), student=MIA).student.name == "Mia Okafor"


def test_a_student_books_for_nobody_else(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        desk.book(MIA, "Violin lesson", berlin(10, 14), student=LEO)
    assert desk.book(MIA, "Violin lesson", berlin(10, 14), student=MIA).student.name == "Mia Okafor"


def test_staff_are_exempt_from_notice_and_horizon_and_it_is_recorded(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    travel(berlin(12, 8, 30))
    soon = desk.book(CLARA, "Violin lesson", berlin(12, 9), student=LEO)
    far = desk.book(IDA, "Violin lesson", berlin(10, 9, month=9), student=LEO)
    usual = desk.book(IDA, "Violin lesson", berlin(13, 9), student=LEO)
    recorded = dict(
        desk.rows(
            "select id, rules_overridden from bookings where id = any(:ids)", ids=[soon.id, far.id, usual.id]
        )
    )
    assert recorded == {soon.id: True, far.id: True, usual.id: False}
    with pytest.raises(SlotNotOffered):
        desk.book(CLARA, "Violin lesson", berlin(12, 8), student=LEO)


def test_staff_are_not_exempt_from_overlaps_and_hours(desk: Desk) -> None:
    desk.book(CLARA, "Violin lesson", berlin(13, 14), student=MIA)
    with pytest.raises(SlotTaken):
        desk.book(CLARA, "Violin lesson", berlin(13, 14), student=LEO)
    with pytest.raises(StudentBusy):
        desk.book(CLARA, "Guitar lesson", berlin(13, 14), student=MIA)
    with pytest.raises(SlotNotOffered):
        desk.book(CLARA, "Violin lesson", berlin(13, 13), student=LEO)


def test_staff_who_book_for_themselves_keep_the_rules_and_never_teach_themselves(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    travel(berlin(14, 11))
    with pytest.raises(SlotNotOffered):
        desk.book(IDA, "Guitar lesson", berlin(14, 12))
    assert desk.book(IDA, "Guitar lesson", berlin(14, 15)).student.name == "Ida Berg"
    with pytest.raises(SlotNotOffered):
        desk.book(TOMAS, "Guitar lesson", berlin(14, 17))


def test_an_instructor_books_students_into_their_own_lessons_only(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        desk.book(TOMAS, "Piano lesson", berlin(11, 9), student=LEO, teacher=IDA)
    assert desk.book(TOMAS, "Piano lesson", berlin(11, 15), student=LEO).instructor.name == "Tomás Rey"


def test_anyone_is_whoever_has_the_fewest_lessons_that_week(desk: Desk) -> None:
    desk.add_type("Anyone's lesson", [IDA, TOMAS])
    names = [
        desk.book(student, "Anyone's lesson", berlin(18 + day, 14)).instructor.name
        for day, student in enumerate((MIA, LEO, PRIYA))
    ]
    # Lessons of other weeks weigh only when the week is even.
    assert set(names[:2]) == {"Ida Berg", "Tomás Rey"}
    desk.book(CLARA, "Violin lesson", berlin(18, 9), student=LEO)
    desk.book(CLARA, "Violin lesson", berlin(19, 9), student=LEO)
    assert desk.book(LEO, "Anyone's lesson", berlin(18, 17)).instructor.name == "Tomás Rey"


def test_losing_the_chosen_instructor_at_commit_goes_on_to_the_next_free_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add_type("Quick pick", [IDA, TOMAS])
    start = berlin(25, 14)
    first = desk.book(MIA, "Quick pick", start)

    async def blind(*arguments: object, **options: object) -> Taken:
        return Taken()

    # As if the first booking was committed between our look and our insert.
    monkeypatch.setattr(acceptance, "taken_of", blind)
    second = desk.book(LEO, "Quick pick", start)
    assert {first.instructor.name, second.instructor.name} == {"Ida Berg", "Tomás Rey"}
    with pytest.raises(SlotTaken) as refusal:
        desk.book(PRIYA, "Quick pick", start)
    assert start not in {choice.starts_at for choice in refusal.value.extra["alternatives"]}


def test_a_student_who_loses_at_commit_blocks_nobody_even_if_the_failure_is_caught(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without the release in ``taking``: the instructor's time stays blocked without a lesson."""
    start = berlin(26, 14)
    desk.book(MIA, "Guitar lesson", start)

    async def blind(*arguments: object, **options: object) -> Taken:
        return Taken()

    monkeypatch.setattr(acceptance, "taken_of", blind)
    data = BookingCreate(appointment_type_id=desk.school.types["Violin lesson"], starts_at=start)

    async def caught(session: AsyncSession, by: Member) -> None:
        with pytest.raises(StudentBusy):
            await service.book(session, data, by=by)

    desk.acting(MIA, caught)
    monkeypatch.undo()
    live = desk.rows(
        "select count(*) from sessions where starts_at = :start and instructor_id = :ida "
        "and cancelled_at is null",
        start=start,
        ida=desk.school.members[IDA],
    )
    assert live == [(0,)]


def test_a_reference_that_is_taken_is_drawn_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = desk.book(MIA, "Violin lesson", berlin(27, 9)).reference
    drawn = iter([taken, taken, "ZZZZ-0001"])
    monkeypatch.setattr(taking, "new_reference", lambda: next(drawn))
    assert desk.book(LEO, "Violin lesson", berlin(27, 14)).reference == "ZZZZ-0001"
