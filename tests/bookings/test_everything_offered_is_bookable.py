"""One engine offers and accepts: random walks over a real database."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import RoomCreate, TravelZoneCreate
from coursecove.bookings.errors import ClassFull, ClassNotScheduled, SlotNotOffered, SlotTaken, StudentBusy
from coursecove.bookings.schemas import BookingView, SlotView
from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.dev.valkey import EmbeddedValkey
from coursecove.resources import open_resources
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import (
    ClosureCreate,
    DayWindowInput,
    OpeningWindowInput,
    TimeOffCreate,
)
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorProfileUpdate
from tests.bookings.desk import CLARA, IDA, LEO, MIA, MONDAY, PRIYA, TOMAS, Desk, berlin
from tests.conftest import database_of_its_own
from tests.factories.world import read_school
from tests.serving import Loop

STEPS = 30
OVERLAPS = """
select count(*) from sessions a join sessions b
  on a.instructor_id = b.instructor_id and a.id < b.id and a.during && b.during
where a.cancelled_at is null and b.cancelled_at is null
union all
select count(*) from sessions a join sessions b
  on a.room_id = b.room_id and a.id < b.id and a.during && b.during
where a.cancelled_at is null and b.cancelled_at is null
union all
select count(*) from bookings a join bookings b
  on a.student_id = b.student_id and a.id < b.id and a.during && b.during
where a.cancelled_at is null and b.cancelled_at is null
"""


def test_everything_offered_is_bookable_and_what_is_not_offered_is_refused(desk: Desk) -> None:
    """Thirty random steps, each: a bookable time is booked, a time that is not offered is refused."""
    dice = random.Random(20310303)
    desk.add_type("Any length", [IDA, TOMAS], duration_minutes=25, buffer_before_minutes=10)
    booked, refused = [], 0
    for _ in range(STEPS):
        student = dice.choice([MIA, LEO, PRIYA])
        name = dice.choice(["Piano lesson", "Violin lesson", "Music theory online", "Any length"])
        teacher = dice.choice([None, IDA])
        from_ = MONDAY + timedelta(days=dice.randrange(10), hours=dice.randrange(10))
        offered = desk.slots(name, from_, days=2, teacher=teacher, student_id=desk.school.members[student])
        starts = {slot.starts_at for slot in offered}
        if offered:
            slot = dice.choice(offered)
            place = slot.location.name if slot.location else None
            chosen = dice.choice([None, *slot.instructors])
            booking = desk.book(
                student,
                name,
                slot.starts_at,
                teacher=IDA if teacher or (chosen and chosen.name == "Ida Berg") else None,
                place=place,
            )
            assert booking.instructor.name in {person.name for person in slot.instructors}
            assert (booking.starts_at, booking.ends_at) == (slot.starts_at, slot.ends_at)
            booked.append((student, booking))
        elsewhere = from_ + timedelta(minutes=5 * dice.randrange(1, 500))
        if elsewhere not in starts:
            try:
                desk.book(student, name, elsewhere, teacher=teacher)
            except (SlotTaken, SlotNotOffered, StudentBusy):
                refused += 1
            else:
                raise AssertionError(f"{name} at {elsewhere} was not offered and could be booked")
        if booked and dice.random() < 0.2:
            who, booking = booked.pop(dice.randrange(len(booked)))
            if desk.get(who, booking.id).can_cancel:
                desk.cancel(who, booking)
    assert len(booked) > STEPS / 3
    assert refused > STEPS / 3
    assert desk.rows(OVERLAPS) == [(0,), (0,), (0,)]


REFUSALS = (SlotTaken, SlotNotOffered, StudentBusy, ClassFull)
TYPES = ("Long or short", "Few a week", "At home", "Choir", "Lapsing", "This term")


async def _furnish(session: AsyncSession, by: Member, dice: random.Random, desk: Desk) -> None:
    """Give the school a bit of every rule, in the fortnight the walk goes through."""
    ida, tomas = desk.school.members[IDA], desk.school.members[TOMAS]
    studio, hall = (desk.school.locations[name] for name in ("Studio Linden", "Kreuzberg Hall"))
    for name, place, capacity in (("Blue", studio, 1), ("Green", studio, 4), ("Stage", hall, 4)):
        await appointments.create_room(session, place, RoomCreate(f"{name} {dice.random()}", capacity), by=by)
    day = date(2031, 3, 3) + timedelta(days=dice.randrange(12))
    for shut_place in (None, studio, hall):
        shut = day + timedelta(days=dice.randrange(-6, 6))
        closure = ClosureCreate(name="Closed", starts_on=shut, ends_on=shut, location_id=shut_place)
        await scheduling.add_closure(session, closure, by=by)
    opens = [OpeningWindowInput(weekday, 600 + 30 * dice.randrange(4), 1140) for weekday in range(1, 8)]
    await scheduling.replace_opening_hours(session, dice.choice([studio, hall]), opens, by=by)
    for member_id in (ida, tomas):
        for shift in dice.sample(range(12), 4):
            windows = [DayWindowInput(600, 780, studio), DayWindowInput(840, 1000, dice.choice([None, hall]))]
            on = date(2031, 3, 3) + timedelta(days=shift)
            await scheduling.set_override(session, member_id, on, windows[: dice.randrange(3)], by=by)
        away = MONDAY + timedelta(days=dice.randrange(12), hours=dice.randrange(6))
        off = TimeOffCreate(away, away + timedelta(hours=dice.choice([1, 3, 30])))
        await scheduling.add_time_off(session, member_id, off, by=by)
        limits = InstructorProfileUpdate(day_limit=dice.randrange(3, 6), week_limit=dice.randrange(8, 14))
        await tenants.update_instructor_profile(session, member_id, limits, by=by)
    near = TravelZoneCreate(f"Near {dice.random()}", [f"1{dice.randrange(1000, 9999)}"], 5)
    await appointments.create_travel_zone(session, near, by=by)


def _types(desk: Desk, dice: random.Random) -> None:
    desk.add_type(
        "Long or short", [IDA, TOMAS], further_durations_minutes=[30, 90], buffer_after_minutes=10, day_limit=3
    )
    desk.add_type("Few a week", [IDA, TOMAS], week_limit=3, student_day_limit=1, student_week_limit=2)
    desk.add_type("At home", [IDA, TOMAS], location_mode="students_place", buffer_before_minutes=5)
    desk.add_type("Lapsing", [IDA, TOMAS])
    desk.add_type(
        "This term",
        [IDA],
        location_mode="online",
        bookable_from=date(2031, 3, 4) + timedelta(days=dice.randrange(4)),
        bookable_until=date(2031, 3, 10),
    )
    desk.add_class("Choir", [IDA, TOMAS], capacity=2, student_week_limit=2)
    last_day = date(2031, 3, 4) + timedelta(days=dice.randrange(6))
    desk.acting(
        CLARA,
        lambda session, by: appointments.set_qualification_expiry(
            session, desk.school.members[TOMAS], desk.school.types["Lapsing"], last_day, by=by
        ),
    )
    for day in (4, 5, 7, 11):
        assert _put_choir(desk, dice, day), f"no hour of day {day} is left for the class"


def _put_choir(desk: Desk, dice: random.Random, day: int) -> bool:
    """Put the class where the other classes leave room for it."""
    for hour in dice.sample(range(8, 20), 12):
        try:
            desk.schedule(
                CLARA, "Choir", berlin(day, hour, 20), teacher=IDA, place="Studio Linden", override_rules=True
            )
        except ClassNotScheduled:
            continue
        return True
    return False


@pytest.fixture
def untouched(
    postgres: EmbeddedPostgres,
    valkey: EmbeddedValkey,
    base_settings: Settings,
    world_template: str,
    travel: Callable[[datetime], None],
) -> Iterator[Desk]:
    """The desk of a school that no other walk went through."""
    loop = Loop()
    for settings in database_of_its_own(postgres, valkey, base_settings, world_template):
        opened = open_resources(settings)
        resources = loop.run(opened.__aenter__())
        travel(MONDAY)
        yield Desk(loop, resources.database, read_school(settings, "musicschool"))
        loop.run(opened.__aexit__(None, None, None))
    loop.close()


def _key(slot: SlotView) -> tuple[datetime, str | None]:
    return slot.starts_at, slot.location.name if slot.location else None


@pytest.mark.parametrize("seed", [1, 2])
def test_with_every_rule_on_what_is_offered_is_bookable_and_movable_and_what_is_not_is_refused(
    untouched: Desk, seed: int
) -> None:
    """Rooms, closures, overrides, time off, opening hours, limits, terms, travel, lapsing and classes."""
    dice, desk = random.Random(seed), untouched
    desk.own(CLARA, lambda session, by: _furnish(session, by, dice, desk))
    _types(desk, dice)
    booked: list[tuple[str, BookingView]] = []
    refused = moved = 0
    for _ in range(STEPS):
        student, name = dice.choice([MIA, LEO, PRIYA]), dice.choice(TYPES)
        minutes = dice.choice([30, 45, 90]) if name == "Long or short" else None
        asked: dict[str, Any] = {"duration_minutes": minutes, "student_id": desk.school.members[student]}
        where = {"address": "Any street", "postcode": "99999"} if name == "At home" else {}
        from_ = MONDAY + timedelta(days=dice.randrange(10), hours=dice.randrange(4))
        offered = desk.slots(name, from_, days=3, **asked)
        if offered:
            slot = dice.choice(offered)
            start, place = _key(slot)
            # Hours without a place are shown at the first of the places until somebody asks for one.
            at: dict[str, Any] = (
                {"location_id": slot.location.id} if slot.location and not slot.session_id else {}
            )
            offered_there = desk.slots(name, start, days=0.001, **asked, **at)
            teachers = {
                person.name
                for one in offered_there
                if _key(one) == (start, place)
                for person in one.instructors
            }
            booking = desk.book(student, name, start, place=place, duration_minutes=minutes, **where)
            assert {person.name for person in slot.instructors} <= teachers
            assert booking.instructor.name in teachers
            assert (booking.ends_at, booking.session_id == slot.session_id) == (
                slot.ends_at,
                slot.session_id is not None,
            )
            booked.append((student, booking))
        elsewhere = from_ + timedelta(minutes=5 * dice.randrange(1, 800))
        offered_now = desk.slots(name, elsewhere, days=0.001, **asked)
        if elsewhere not in {slot.starts_at for slot in offered_now}:
            with pytest.raises(REFUSALS):
                desk.book(student, name, elsewhere, duration_minutes=minutes, **where)
            refused += 1
        if booked and dice.random() < 0.4:
            moved += _move_one(desk, dice, booked)
    assert len(booked) > STEPS / 4
    assert refused > STEPS / 2
    assert moved > 1
    assert desk.rows(OVERLAPS) == [(0,), (0,), (0,)]


def _move_one(desk: Desk, dice: random.Random, booked: list[tuple[str, BookingView]]) -> bool:
    """Move a lesson to a time that is offered for the move, which may overlap its own."""
    index = dice.randrange(len(booked))
    student, booking = booked[index]
    if not desk.get(student, booking.id).can_move:
        return False
    near = desk.slots(
        booking.appointment_type.name,
        booking.starts_at - timedelta(days=1),
        days=2,
        duration_minutes=booking.duration_minutes,
        student_id=desk.school.members[student],
        ignoring_session_id=booking.session_id,
    )
    others = [slot for slot in near if slot.starts_at != booking.starts_at]
    if not others:
        return False
    slot = dice.choice(others)
    after = desk.move(
        student,
        booking,
        slot.starts_at,
        instructor_id=dice.choice(slot.instructors).id,
        location_id=slot.location.id if slot.location else None,
    )
    assert (after.id, after.starts_at, after.revision) == (booking.id, slot.starts_at, booking.revision + 1)
    booked[index] = (student, after)
    return True
