"""Which times are offered, read from a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.bookings import availability
from coursecove.bookings.schemas import SlotView
from coursecove.errors import Invalid
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import WindowInput
from coursecove.tenants.models import Member
from tests.bookings.desk import BERLIN, CLARA, IDA, LEO, MIA, MONDAY, TOMAS, Desk, berlin


class _Undo(Exception):
    """Rolls a rehearsed change back."""


def _places(slots: list[SlotView]) -> set[str | None]:
    return {slot.location.name if slot.location else None for slot in slots}


def _times(slots: list[SlotView]) -> list[str]:
    return [f"{slot.starts_at.astimezone(BERLIN):%H:%M}" for slot in slots]


def test_hours_at_a_location_offer_that_location(desk: Desk) -> None:
    tuesday = berlin(4, 0)
    assert _places(desk.slots("Piano lesson", tuesday, teacher=IDA)) == {"Studio Linden"}
    assert _places(desk.slots("Piano lesson", tuesday, teacher=TOMAS)) == {"Kreuzberg Hall"}
    hall = desk.school.locations["Kreuzberg Hall"]
    assert desk.slots("Piano lesson", tuesday, teacher=IDA, location_id=hall) == []


def test_hours_without_a_location_are_hours_at_each_place_where_the_lesson_is_taught(desk: Desk) -> None:
    """Seen to fail: they were offered at the first one by name alone, unless another was asked for."""
    friday, studio = berlin(7, 0), desk.school.locations["Studio Linden"]
    anywhere = desk.slots("Piano lesson", friday, teacher=IDA)
    assert _places(anywhere) == {"Kreuzberg Hall", "Studio Linden"}
    assert _times(anywhere)[:4] == ["10:00", "10:00", "10:45", "10:45"]
    assert _places(desk.slots("Piano lesson", friday, teacher=IDA, location_id=studio)) == {"Studio Linden"}
    # Taken at one place is taken: it is the same person.
    booked = desk.book(MIA, "Piano lesson", berlin(7, 10), teacher=IDA, place="Studio Linden")
    assert booked.location is not None
    assert booked.location.name == "Studio Linden"
    assert "10:00" not in _times(desk.slots("Piano lesson", friday, teacher=IDA))
    desk.cancel(MIA, booked)


def test_hours_at_a_place_where_the_lesson_is_not_taught_offer_nothing(desk: Desk) -> None:
    desk.add_type("Recital practice", [IDA], location_ids=[desk.school.locations["Kreuzberg Hall"]])
    week = desk.slots("Recital practice", berlin(3, 0), days=7)
    assert {slot.starts_at.astimezone(BERLIN).isoweekday() for slot in week} == {5}


def test_an_online_lesson_has_no_location_and_needs_hours_that_are_not_bound_to_one(desk: Desk) -> None:
    week = desk.slots("Music theory online", berlin(3, 0), days=7)
    assert _places(week) == {None}
    # Tomás on Thursdays, Ida on Fridays; their other windows belong to a place.
    assert {slot.starts_at.astimezone(BERLIN).isoweekday() for slot in week} == {4, 5}
    studio = desk.school.locations["Studio Linden"]
    assert desk.slots("Music theory online", berlin(3, 0), days=7, location_id=studio) == []


def test_everybody_who_is_free_at_a_time_is_named_once_per_place(desk: Desk) -> None:
    desk.add_type("Choir", [IDA, TOMAS])
    at_two = desk.slots("Choir", berlin(4, 14), days=0.01)
    assert [(s.location.name if s.location else "", [p.name for p in s.instructors]) for s in at_two] == [
        ("Kreuzberg Hall", ["Tomás Rey"]),
        ("Studio Linden", ["Ida Berg"]),
    ]
    assert all(person.email is None for slot in at_two for person in slot.instructors)


def test_a_booked_time_and_its_buffers_are_not_offered(desk: Desk) -> None:
    wednesday = berlin(5, 0)
    before = _times(desk.slots("Violin lesson", wednesday))
    assert before[:4] == ["09:00", "09:45", "10:30", "11:15"]
    desk.book(MIA, "Violin lesson", berlin(5, 9, 45))
    # Taught until 10:30 and kept free until 10:45; a lesson at 9:00 would need the time until 10:00.
    assert _times(desk.slots("Violin lesson", wednesday))[:2] == ["11:15", "14:00"]


def test_a_student_is_not_offered_the_times_of_their_own_lessons_with_others(desk: Desk) -> None:
    desk.book(LEO, "Guitar lesson", berlin(6, 14))
    leo = desk.school.members[LEO]
    everybody = _times(desk.slots("Violin lesson", berlin(6, 14)))
    assert "14:00" in everybody
    assert _times(desk.slots("Violin lesson", berlin(6, 14), student_id=leo))[0] == "14:45"


def test_a_lesson_that_began_before_the_window_still_blocks_it(desk: Desk) -> None:
    """For its instructor with the buffer, and for its student without."""
    desk.add_type("Sight-reading", [IDA], duration_minutes=30, start_interval_minutes=5)
    desk.add_type("Long rehearsal", [IDA], duration_minutes=240, buffer_after_minutes=60)
    desk.book(MIA, "Long rehearsal", berlin(10, 14))
    # Taught until 18:00, kept free until 19:00, which is when the day ends: nothing is left of the afternoon.
    assert desk.slots("Sight-reading", berlin(10, 17, 50), days=0.1) == []
    desk.book(LEO, "Guitar lesson", berlin(12, 15))
    leo = desk.school.members[LEO]
    assert _times(desk.slots("Sight-reading", berlin(12, 15, 10), student_id=leo))[0] == "15:30"


def test_minimum_notice_counts_to_the_second(desk: Desk, travel: Callable[[datetime], None]) -> None:
    nine = berlin(11, 9)
    travel(nine - timedelta(minutes=120))
    assert desk.slots("Violin lesson", nine)[0].starts_at == nine
    travel(nine - timedelta(minutes=120) + timedelta(seconds=1))
    assert desk.slots("Violin lesson", nine)[0].starts_at == berlin(11, 9, 45)


def test_the_last_day_of_the_horizon_is_offered_and_the_next_is_not(desk: Desk) -> None:
    last = MONDAY + timedelta(days=60)
    assert last.astimezone(BERLIN).date() == date(2031, 5, 2)
    assert desk.slots("Piano lesson", last.replace(hour=0))
    assert desk.slots("Piano lesson", datetime(2031, 5, 3, tzinfo=BERLIN), days=30) == []


def test_nothing_is_offered_for_an_archived_lesson_or_at_absurd_dates(desk: Desk) -> None:
    gone = desk.add_type("Harpsichord", [IDA])
    assert desk.slots("Harpsichord", MONDAY, days=7)
    desk.acting(CLARA, lambda session, by: appointments.archive_type(session, gone.id, by=by))
    assert desk.slots("Harpsichord", MONDAY, days=7) == []
    assert desk.slots("Piano lesson", datetime.max.replace(tzinfo=UTC) - timedelta(days=2)) == []
    assert desk.slots("Piano lesson", datetime.min.replace(tzinfo=UTC) + timedelta(days=1)) == []


def test_free_days_and_the_next_free_time_agree_with_the_times_offered(desk: Desk) -> None:
    lesson = desk.type("Guitar lesson")
    slots = desk.slots("Guitar lesson", MONDAY, days=29)
    days = desk.run(lambda s: availability.free_days(s, lesson, month=date(2031, 3, 20), zone="Europe/Berlin"))
    in_march = {slot.starts_at.astimezone(BERLIN).date() for slot in slots}
    assert days == {day for day in in_march if day.month == 3}
    assert desk.run(lambda s: availability.next_free(s, lesson, after=MONDAY)) == slots[0]
    late = MONDAY + timedelta(days=59)
    last = desk.run(lambda s: availability.next_free(s, lesson, after=late))
    assert last == desk.slots("Guitar lesson", late, days=3)[0]
    assert desk.run(lambda s: availability.next_free(s, lesson, after=MONDAY + timedelta(days=63))) is None


def test_free_days_refuse_a_zone_that_does_not_exist(desk: Desk) -> None:
    lesson = desk.type("Guitar lesson")
    with pytest.raises(Invalid):
        desk.run(lambda s: availability.free_days(s, lesson, month=MONDAY.date(), zone="Europe/Atlantis"))


def test_the_number_of_reads_does_not_grow_with_the_instructors(desk: Desk) -> None:
    queries: list[str] = []
    engine = desk.database._app.sync_engine

    def note(*arguments: object) -> None:
        queries.append(str(arguments[2]))

    desk.add_type("Solfège", [IDA])
    desk.add_type("Ear training", [IDA, TOMAS])
    event.listen(engine, "before_cursor_execute", note)
    try:
        counts = []
        for name in ("Solfège", "Ear training"):
            queries.clear()
            desk.slots(name, MONDAY, days=7, student_id=desk.school.members[MIA])
            counts.append(len(queries))
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert counts[0] == counts[1] <= 18


def test_hours_keep_their_wall_clock_when_summer_time_begins(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    travel(berlin(25, 9))
    thursday = desk.slots("Violin lesson", berlin(27, 0))[0].starts_at
    monday = desk.slots("Violin lesson", berlin(31, 0))[0].starts_at
    assert (thursday.hour, monday.hour) == (8, 7)
    assert [f"{at.astimezone(BERLIN):%H:%M}" for at in (thursday, monday)] == ["09:00", "09:00"]


def test_nothing_is_offered_inside_the_hour_that_summer_time_skips(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    travel(berlin(28, 9))
    lesson = desk.type("Piano lesson")
    offered: list[SlotView] = []

    async def night(session: AsyncSession, by: Member) -> None:
        await scheduling.replace_hours(session, by.id, [WindowInput(7, 90, 240)], by=by)
        offered.extend(
            await availability.available_slots(
                session, lesson, instructor_id=by.id, from_=berlin(30, 0), until=berlin(31, 0)
            )
        )
        raise _Undo

    with pytest.raises(_Undo):
        desk.acting(IDA, night)
    # 1:30 to 4:00 on that Sunday is an hour and a half: two lessons of 45 minutes.
    assert sorted({f"{slot.starts_at.astimezone(BERLIN):%H:%M}" for slot in offered}) == ["01:30", "03:15"]
