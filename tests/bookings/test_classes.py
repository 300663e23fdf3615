"""Classes: put on the calendar by staff, taken seat by seat, cancelled as a whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from coursecove.bookings import service
from coursecove.bookings.class_schemas import ClassCancel, ClassCreate, ClassView
from coursecove.bookings.errors import (
    AlreadyCancelled,
    ClassFull,
    ClassNotScheduled,
    SlotNotOffered,
    SlotTaken,
    TooLateToCancel,
)
from coursecove.bookings.schemas import BookingView
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import ClosureCreate
from tests.bookings.desk import BERLIN, CLARA, IDA, LEO, MIA, MONDAY, PRIYA, TOMAS, Desk, berlin

LINDEN = "Studio Linden"


@pytest.fixture
def choir(desk: Desk) -> Desk:
    if "Choir" not in desk.school.types:
        desk.add_class("Choir", [IDA, TOMAS], buffer_after_minutes=15)
    return desk


def _cancel_class(desk: Desk, email: str, taught: ClassView, reason: str = "") -> ClassView:
    return desk.own(
        email, lambda session, by: service.cancel_class(session, taught.id, ClassCancel(reason), by=by)
    )


def _seat(desk: Desk, email: str, taught: ClassView, **options: Any) -> BookingView:
    name = taught.appointment_type.name
    return desk.book(email, name, taught.starts_at, session_id=taught.id, **options)


def _class(desk: Desk, email: str, taught: ClassView) -> ClassView:
    return desk.own(email, lambda session, by: service.get_class(session, taught.id, viewer=by))


def test_students_take_seats_until_none_is_left(choir: Desk) -> None:
    [taught] = choir.schedule(CLARA, "Choir", berlin(4, 9), teacher=IDA, place=LINDEN)
    assert (taught.capacity, taught.seats_taken, taught.seats_left, taught.seats) == (3, 0, 3, [])
    seats = [_seat(choir, person, taught) for person in (MIA, LEO, PRIYA)]
    assert {seat.session_id for seat in seats} == {taught.id}
    assert (seats[2].seats_taken, seats[2].capacity, seats[2].appointment_type.kind) == (3, 3, "class")
    with pytest.raises(ClassFull):
        _seat(choir, TOMAS, taught)
    with pytest.raises(ClassFull):
        _seat(choir, CLARA, taught, student=TOMAS, override_rules=True)
    assert choir.rows(
        "select count(*) from sessions where instructor_id = :id and starts_at = :at",
        id=choir.school.members[IDA],
        at=taught.starts_at,
    ) == [(1,)]


def test_a_seat_given_back_leaves_the_class_to_the_others(choir: Desk) -> None:
    [taught] = choir.schedule(IDA, "Choir", berlin(5, 9), teacher=IDA, place=LINDEN)
    mia, leo = _seat(choir, MIA, taught), _seat(choir, LEO, taught)
    assert choir.cancel(MIA, mia).status == "cancelled"
    assert choir.get(LEO, leo.id).status == "confirmed"
    choir.cancel(LEO, leo)
    empty = _class(choir, CLARA, taught)
    # The time stays the class's, so that the next student finds it.
    assert (empty.cancelled_at, empty.seats_taken) == (None, 0)
    with pytest.raises(SlotTaken):
        choir.book(PRIYA, "Violin lesson", berlin(5, 9))
    assert _seat(choir, MIA, taught).status == "confirmed"


def test_who_else_comes_is_nobody_elses_business(choir: Desk) -> None:
    [taught] = choir.schedule(CLARA, "Choir", berlin(6, 9), teacher=IDA, place=LINDEN)
    mia, leo = _seat(choir, MIA, taught), _seat(choir, LEO, taught)
    for person in (MIA, PRIYA):
        assert _class(choir, person, taught).seats is None
    assert choir.get(MIA, mia.id).seats is None
    with pytest.raises(NotFound):
        choir.get(MIA, leo.id)
    for staff in (CLARA, IDA):
        seats = choir.get(staff, mia.id).seats
        assert seats is not None
        assert [seat.student.name for seat in seats] == ["Leo Lindqvist", "Mia Okafor"]
    assert _class(choir, TOMAS, taught).seats is None
    listed = choir.own(
        MIA, lambda session, by: service.list_classes(session, viewer=by, from_=MONDAY, until=berlin(31, 9))
    )
    assert taught.id in {item.id for item in listed}
    assert {item.seats for item in listed if item.seats is not None} == set()


def test_a_cancelled_class_cancels_every_seat_and_tells_each(choir: Desk) -> None:
    [taught] = choir.schedule(CLARA, "Choir", berlin(10, 9), teacher=IDA, place=LINDEN)
    seats = [_seat(choir, person, taught) for person in (MIA, LEO)]
    for person, refusal in ((MIA, Forbidden), (TOMAS, Forbidden)):
        with pytest.raises(refusal):
            _cancel_class(choir, person, taught)
    gone = _cancel_class(choir, CLARA, taught, "The hall is flooded.")
    assert (gone.seats_left, gone.can_cancel) == (0, False)
    assert gone.cancelled_at is not None
    told = []
    for person, seat in zip((MIA, LEO), seats, strict=True):
        seen = choir.get(person, seat.id)
        assert (seen.status, seen.cancellation_reason) == ("cancelled", "The hall is flooded.")
        [fact] = choir.facts(seat.id, "booking.cancelled")
        assert (fact["class_cancelled"], fact["revision"]) == (True, 1)
        told.append(fact["tell_instructor"])
    assert sorted(told) == [False, True]
    assert choir.facts(taught.id, "class.cancelled")[0]["seats"] == 2
    with pytest.raises(AlreadyCancelled):
        _cancel_class(choir, CLARA, taught)
    with pytest.raises(SlotNotOffered):
        _seat(choir, PRIYA, taught)
    # The instructor is free again.
    assert choir.book(PRIYA, "Violin lesson", berlin(10, 9)).status == "confirmed"


def test_a_weekly_class_keeps_the_wall_clock_through_the_change_of_clocks(choir: Desk) -> None:
    # Clocks go forward on 30 March 2031.
    made = choir.schedule(CLARA, "Choir", berlin(27, 18), teacher=IDA, place=LINDEN, times=3)
    shown = [view.starts_at.astimezone(BERLIN) for view in made]
    assert [(at.day, at.hour) for at in shown] == [(27, 18), (3, 18), (10, 18)]
    assert made[1].starts_at - made[0].starts_at == timedelta(days=7, hours=-1)
    fortnightly = choir.schedule(
        CLARA, "Choir", berlin(24, 9), berlin(25, 9), teacher=IDA, place=LINDEN, times=2, every_weeks=2
    )
    assert [view.starts_at.astimezone(BERLIN).day for view in fortnightly] == [24, 25, 7, 8]


def test_all_times_or_none_and_each_that_does_not_work_is_named(choir: Desk) -> None:
    choir.book(MIA, "Violin lesson", berlin(18, 14))
    with pytest.raises(ClassNotScheduled) as refusal:
        choir.schedule(CLARA, "Choir", berlin(11, 14), berlin(12, 13), teacher=IDA, place=LINDEN, times=2)
    conflicts = [(c.starts_at, c.reason) for c in refusal.value.extra["conflicts"]]
    assert conflicts == [
        (berlin(12, 13), "outside_hours"),
        (berlin(18, 14), "taken"),
        (berlin(19, 13), "outside_hours"),
    ]
    assert {(rule.rule, rule.overridable) for rule in refusal.value.extra["broken_rules"]} == {
        ("outside_hours", True),
        ("taken", False),
    }
    assert choir.rows(
        "select count(*) from sessions where starts_at = :at and cancelled_at is null", at=berlin(11, 14)
    ) == [(0,)]
    with pytest.raises(ClassNotScheduled) as lasting:
        choir.schedule(CLARA, "Choir", berlin(18, 14), teacher=IDA, place=LINDEN, override_rules=True)
    assert [c.reason for c in lasting.value.extra["conflicts"]] == ["taken"]
    [odd] = choir.schedule(CLARA, "Choir", berlin(12, 13), teacher=IDA, place=LINDEN, override_rules=True)
    assert choir.facts(odd.id, "class.scheduled")[0]["rules_overridden"] is True


def test_a_refusal_that_is_caught_keeps_no_half_of_the_times(choir: Desk) -> None:
    """Fails without the savepoint: a page that catches the refusal would commit the first time."""

    async def caught(session: Any, by: Any) -> None:
        data = ClassCreate(
            appointment_type_id=choir.school.types["Choir"],
            instructor_id=choir.school.members[IDA],
            location_id=choir.school.locations[LINDEN],
            starts_at=[berlin(13, 9), berlin(13, 13)],
        )
        with pytest.raises(ClassNotScheduled):
            await service.schedule_class(session, data, by=by)

    choir.own(CLARA, caught)
    assert choir.rows("select count(*) from sessions where starts_at = :at", at=berlin(13, 9)) == [(0,)]


def test_a_closed_day_holds_for_classes_too(choir: Desk) -> None:
    closure = ClosureCreate(name="Spring cleaning", starts_on=date(2031, 3, 17), ends_on=date(2031, 3, 17))
    choir.own(CLARA, lambda session, by: scheduling.add_closure(session, closure, by=by))
    with pytest.raises(ClassNotScheduled) as refusal:
        choir.schedule(CLARA, "Choir", berlin(17, 9), teacher=IDA, place=LINDEN)
    assert refusal.value.extra["conflicts"][0].reason == "closed"


def test_a_seat_moves_to_another_session_of_the_class(choir: Desk) -> None:
    first, second, full = choir.schedule(
        CLARA, "Choir", berlin(19, 9), berlin(20, 9), berlin(20, 14), teacher=IDA, place=LINDEN, capacity=2
    )
    seat = _seat(choir, MIA, first)
    _seat(choir, LEO, first)
    for person in (LEO, PRIYA):
        _seat(choir, person, full)
    moved = choir.move(MIA, seat, second.starts_at)
    assert (moved.id, moved.session_id, moved.revision) == (seat.id, second.id, 1)
    assert [_class(choir, CLARA, c).seats_taken for c in (first, second, full)] == [1, 1, 2]
    with pytest.raises(ClassFull):
        choir.move(MIA, moved, full.starts_at, session_id=full.id)
    with pytest.raises(SlotNotOffered):
        choir.move(MIA, moved, berlin(20, 10))
    assert [_class(choir, CLARA, c).seats_taken for c in (first, second, full)] == [1, 1, 2]


def test_an_instructor_keeps_students_within_their_own_classes(choir: Desk) -> None:
    [own] = choir.schedule(IDA, "Choir", berlin(26, 9), teacher=IDA, place=LINDEN)
    [other] = choir.schedule(TOMAS, "Choir", berlin(26, 14), teacher=TOMAS, place="Kreuzberg Hall")
    seat = _seat(choir, MIA, own)
    with pytest.raises(Forbidden):
        choir.move(IDA, seat, other.starts_at)
    assert choir.move(CLARA, seat, other.starts_at).instructor.name == "Tomás Rey"
    with pytest.raises(Forbidden):
        choir.schedule(IDA, "Choir", berlin(26, 15), teacher=TOMAS, place="Kreuzberg Hall")
    with pytest.raises(Forbidden):
        choir.schedule(MIA, "Choir", berlin(26, 15), teacher=IDA, place=LINDEN)


def test_a_class_is_found_by_its_name_in_addresses_and_drafts_by_nobody(choir: Desk) -> None:
    [taught] = choir.schedule(CLARA, "Choir", berlin(26, 11), teacher=IDA, place=LINDEN)
    assert str(taught.id) not in taught.handle

    def by_handle(email: str, handle: str) -> ClassView:
        return choir.own(email, lambda session, by: service.get_class_by_handle(session, handle, viewer=by))

    assert by_handle(MIA, taught.handle).id == taught.id
    for nothing in ("choir-aaaaaaaa", "x", "", taught.handle + "a"):
        with pytest.raises(NotFound):
            by_handle(CLARA, nothing)
    private = choir.book(MIA, "Violin lesson", berlin(25, 14))
    with pytest.raises(NotFound):
        choir.own(CLARA, lambda session, by: service.get_class(session, private.session_id, viewer=by))
    choir.change_type("Choir", published=False)
    try:
        with pytest.raises(NotFound):
            by_handle(MIA, taught.handle)
        assert by_handle(IDA, taught.handle).id == taught.id
    finally:
        choir.change_type("Choir", published=True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"appointment_type_id": uuid.uuid4()}, "appointment_type_id"),
        ({"instructor_id": uuid.uuid4()}, "instructor_id"),
        ({"location_id": uuid.uuid4()}, "location_id"),
        ({"location_id": None}, "location_id"),
        ({"room_id": uuid.uuid4()}, "room_id"),
        ({"starts_at": [datetime(2031, 3, 28, 9)]}, "starts_at"),
        ({"starts_at": [berlin(28, 9) + timedelta(seconds=1)]}, "starts_at"),
        ({"starts_at": [MONDAY]}, "starts_at"),
        ({"starts_at": [berlin(28, 9), berlin(28, 14)], "times": 31}, "times"),
        ({"duration_minutes": 50}, "duration_minutes"),
    ],
)
def test_what_cannot_be_used_is_told_at_its_field(choir: Desk, change: dict[str, Any], field: str) -> None:
    values = {
        "appointment_type_id": choir.school.types["Choir"],
        "instructor_id": choir.school.members[IDA],
        "location_id": choir.school.locations[LINDEN],
        "starts_at": [berlin(28, 11)],
        **change,
    }
    with pytest.raises(Invalid) as refusal:
        choir.own(CLARA, lambda session, by: service.schedule_class(session, ClassCreate(**values), by=by))
    assert list(refusal.value.fields) == [field]


def test_a_private_lesson_is_no_class(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.schedule(CLARA, "Violin lesson", berlin(28, 11), teacher=IDA, place=LINDEN)


def test_a_class_that_is_over_stays(choir: Desk, travel: Callable[[datetime], None]) -> None:
    [taught] = choir.schedule(CLARA, "Choir", berlin(31, 9), teacher=IDA, place=LINDEN)
    travel(taught.ends_at)
    with pytest.raises(TooLateToCancel):
        _cancel_class(choir, CLARA, taught)
    assert _class(choir, CLARA, taught).cancelled_at is None
