"""What the slot engine needs to know, read from the database.

One round trip, however many instructors and types are asked about: who
teaches, their hours and what differs from them, the places with their rooms
and closed days.  What is booked is in `occupancy`; the engine
(`scheduling.slots`) does the rest without I/O.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar, overload

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import reading as catalogue
from coursecove.appointments.schemas import AppointmentTypeView, LocationView, RoomView
from coursecove.bookings.schemas import PersonSummary, PlaceSummary
from coursecove.db.together import Part, read
from coursecove.scheduling import reading as hours
from coursecove.scheduling import zones
from coursecove.scheduling.rules import Closure, Hours, Place, Room, Rules, Schedule, Window
from coursecove.scheduling.schemas import ClosedDays, DayWindowView, Exceptions, OpeningWindowView, WindowView
from coursecove.tenants import reading as about_school
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import InstructorView

_AnyWindow = TypeVar("_AnyWindow", WindowView, DayWindowView)

# No session is longer, and nothing around it (buffer and way to a student together):
# a check on the table says so.  What can reach into a window therefore starts at most
# this much before it.
LONGEST_LESSON = timedelta(minutes=720)
LONGEST_BUFFER = timedelta(minutes=360)

# Staff may book past a type's horizon, within reason.
STAFF_HORIZON_DAYS = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody wants to book, without the time.

    No duration is the type's own, no travel the school's default (it counts at
    the student's place only).  ``exempt`` leaves out notice and horizon, as for
    staff.  ``ignoring_session_id`` is the lesson that is being moved: it is no
    conflict with itself and counts for no limit.  ``scheduling`` is staff putting
    a class on the calendar, for ``people`` or as many as the type has seats.
    """

    type: AppointmentTypeView
    instructor_id: uuid.UUID | None = None
    location_id: uuid.UUID | None = None
    room_id: uuid.UUID | None = None
    duration_minutes: int | None = None
    travel_minutes: int | None = None
    student_id: uuid.UUID | None = None
    exempt: bool = False
    ignoring_session_id: uuid.UUID | None = None
    # Of a series that is moved, all the lessons that go.
    ignoring_session_ids: frozenset[uuid.UUID] = frozenset()
    scheduling: bool = False
    people: int | None = None

    @property
    def ignored(self) -> set[uuid.UUID]:
        """The sessions that are no conflict."""
        return {*self.ignoring_session_ids, *([self.ignoring_session_id] if self.ignoring_session_id else ())}

    @property
    def wants_a_seat(self) -> bool:
        """Whether the answer is a class on the calendar instead of free hours."""
        return self.type.kind == "class" and not self.scheduling


@dataclass(frozen=True, slots=True)
class Timetable:
    """Who teaches a type, when and where; nothing in it depends on what is booked.

    For a class it holds only whom and what a seat can name: hours do not matter.
    """

    question: Question
    rules: Rules
    schedules: tuple[Schedule, ...]
    # Where the type is taught, as the engine sees it; None is online or at the student's.
    places: dict[uuid.UUID | None, Place]
    instructors: dict[uuid.UUID, InstructorView]
    locations: dict[uuid.UUID, LocationView]

    @classmethod
    def empty(cls, question: Question) -> Timetable:
        """Nobody teaches."""
        return cls(question, rules_of(question), (), {}, {}, {})

    @property
    def room_ids(self) -> set[uuid.UUID]:
        """The rooms a lesson may take."""
        return {room.id for place in self.places.values() for room in place.rooms}

    def person(self, instructor_id: uuid.UUID) -> PersonSummary:
        """An instructor as students see them."""
        instructor = self.instructors[instructor_id]
        return PersonSummary(instructor.id, instructor.name, instructor.image_url)

    def place(self, location_id: uuid.UUID | None) -> PlaceSummary | None:
        """A place as students see it; None for no location."""
        if location_id is None:
            return None
        place = self.locations[location_id]
        return PlaceSummary(place.id, place.slug, place.name, place.address, place.directions, place.time_zone)


def rules_of(question: Question, *, travel_minutes: int = 0) -> Rules:
    """Return the engine's rules; ``travel_minutes`` is what counts when the question names none."""
    type = question.type  # noqa: A001 - the word for it
    unbounded = question.exempt or question.scheduling
    at_students = type.location_mode == "students_place"
    return Rules(
        duration_minutes=question.duration_minutes or type.duration_minutes,
        buffer_before_minutes=type.buffer_before_minutes,
        buffer_after_minutes=type.buffer_after_minutes,
        # Staff put a class at whatever minute suits.
        start_interval_minutes=1 if question.scheduling else type.start_interval_minutes,
        minimum_notice_minutes=0 if unbounded else type.minimum_notice_minutes,
        horizon_days=STAFF_HORIZON_DAYS if unbounded else type.horizon_days,
        travel_minutes=0
        if not at_students
        else travel_minutes
        if question.travel_minutes is None
        else question.travel_minutes,
        bookable_from=type.bookable_from,
        bookable_until=type.bookable_until,
        day_limit=type.day_limit,
        week_limit=type.week_limit,
        student_day_limit=None if question.scheduling else type.student_day_limit,
        student_week_limit=None if question.scheduling else type.student_week_limit,
        people=question.people or type.capacity,
    )


async def timetable_of(
    session: AsyncSession, question: Question, *, from_: datetime, until: datetime
) -> Timetable:
    """Return the timetable of one question; see :func:`timetables_of`."""
    return (await timetables_of(session, [question], from_=from_, until=until))[0]


async def timetables_of(
    session: AsyncSession, questions: Sequence[Question], *, from_: datetime, until: datetime
) -> list[Timetable]:
    """Read who teaches, for lessons that start in ``[from_, until)``; one timetable per question.

    Nobody is on the timetable of an archived type, and nobody teaches themselves.
    A window bound to a location counts only for lessons taught there, so never
    for one online or at the student's; a window without a location is one at each
    place where the type is taught.
    """
    facts = await _facts(session, questions, from_=from_, until=until + LONGEST_LESSON)
    return [facts.timetable(question) for question in questions]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything read about a school for some questions, or for any (:mod:`coursecove.bookings.prospectus`)."""

    school_zone: str
    travel_minutes: int
    instructors: dict[uuid.UUID, InstructorView]
    locations: dict[uuid.UUID, LocationView]
    hours: Mapping[uuid.UUID, list[WindowView]]
    exceptions: Mapping[uuid.UUID, Exceptions]
    closed: Sequence[ClosedDays]
    opens: Mapping[uuid.UUID, list[OpeningWindowView]]
    rooms: Mapping[uuid.UUID, list[RoomView]]

    def timetable(self, question: Question) -> Timetable:
        """Put together what concerns one question."""
        type = question.type  # noqa: A001 - the word for it
        rules = rules_of(question, travel_minutes=self.travel_minutes)
        teach = _teachers(question) & self.instructors.keys()
        taught_at = [
            at
            for at in _taught_at(question, self.locations)
            if question.room_id is None or any(room.id == question.room_id for room in self.rooms.get(at, ()))
        ]
        places: dict[uuid.UUID | None, Place] = {at: self._place(question, at) for at in taught_at}
        if type.location_mode != "in_person" and question.location_id is None:
            closed = (Closure(c.starts_on, c.ends_on) for c in self.closed if c.location_id is None)
            places = {None: Place(self.school_zone, closures=tuple(closed))}
        schedules = (
            self._schedule(self.instructors[member_id], question, taught_at)
            for member_id in sorted(teach)
            if places and not type.archived_at and not question.wants_a_seat
        )
        return Timetable(question, rules, tuple(schedules), places, self.instructors, self.locations)

    def _place(self, question: Question, location_id: uuid.UUID) -> Place:
        rooms = self.rooms.get(location_id, ())
        wanted = [room for room in rooms if question.room_id in (None, room.id)]
        return Place(
            time_zone=self.locations[location_id].time_zone,
            opens=tuple(
                Window(window.weekday, window.starts_minute, window.ends_minute)
                for window in self.opens.get(location_id, ())
            ),
            closures=tuple(
                Closure(closed.starts_on, closed.ends_on)
                for closed in self.closed
                if closed.location_id in (None, location_id)
            ),
            rooms=tuple(Room(room.id, room.capacity) for room in wanted),
        )

    def _schedule(
        self, instructor: InstructorView, question: Question, taught_at: Sequence[uuid.UUID]
    ) -> Schedule:
        weekly = _at(self.hours.get(instructor.id, ()), taught_at)
        differing = self.exceptions.get(instructor.id) or Exceptions({}, [])
        last_day = question.type.qualified_until.get(instructor.id)
        return Schedule(
            instructor_id=instructor.id,
            time_zone=instructor.time_zone,
            windows=tuple(Window(w.weekday, w.starts_minute, w.ends_minute, at) for w, at in weekly),
            overrides={
                on: tuple(Hours(w.starts_minute, w.ends_minute, at) for w, at in _at(windows, taught_at))
                for on, windows in differing.overrides.items()
            },
            time_off=tuple(
                (zones.to_instant(off.starts_at), zones.to_instant(off.ends_at)) for off in differing.time_off
            ),
            qualified_until=None if last_day is None else _end_of(self.school_zone, last_day),
            day_limit=instructor.day_limit,
            week_limit=instructor.week_limit,
        )


async def _facts(
    session: AsyncSession, questions: Sequence[Question], *, from_: datetime, until: datetime
) -> Facts:
    asked = [question for question in questions if not question.type.archived_at and _teachers(question)]
    free_hours = [question for question in asked if not question.wants_a_seat]
    in_person = {
        location_id
        for question in free_hours
        if question.type.location_mode == "in_person"
        for location_id in question.type.location_ids
    }
    teachers = sorted({member_id for question in free_hours for member_id in _teachers(question)})
    if not asked:
        return Facts("UTC", 0, {}, {}, {}, {}, (), {}, {})
    bounds = Bounds(from_, until)
    answers = await read(session, *facts_parts(list(teachers), list(in_person), bounds))
    found = facts_from(answers, bounds)
    # Somebody who began to teach just now has a profile to be made first.
    return found or facts_from(answers, bounds, await tenants.list_instructors(session))


class Bounds(NamedTuple):
    """From when until when what differs from weekly hours, and closed days, are known."""

    from_: datetime
    until: datetime


def facts_parts(
    of_teachers: list[uuid.UUID] | None, of_places: list[uuid.UUID] | None, bounds: Bounds
) -> list[Part[Any]]:
    """Return what is read about a school, None of whom or where meaning all; see :func:`facts_from`."""
    within = bounds._asdict()
    return [
        about_school.school(),
        about_school.teachers(),
        catalogue.locations(),
        catalogue.rooms_of_locations(of_places),
        hours.windows(of_teachers),
        hours.overrides(of_teachers, **within),
        hours.time_off(of_teachers, **within),
        hours.closures(**within),
        hours.opening_hours(of_places),
    ]


@overload
def facts_from(answers: Sequence[Any], bounds: Bounds) -> Facts | None: ...
@overload
def facts_from(answers: Sequence[Any], bounds: Bounds, instructors: Sequence[InstructorView]) -> Facts: ...
def facts_from(
    answers: Sequence[Any], bounds: Bounds, instructors: Sequence[InstructorView] | None = None
) -> Facts | None:
    """Put together what was read; None when somebody who teaches has no profile yet and none are named."""
    schools, people, places, rooms, windows, overridden, away, closures, opening = answers
    school = about_school.school_view(schools)
    instructors = instructors or about_school.teacher_views(people)
    if instructors is None:
        return None
    rooms_of: defaultdict[uuid.UUID, list[RoomView]] = defaultdict(list)
    for room in rooms:
        rooms_of[room.location_id].append(room)
    return Facts(
        school_zone=school.time_zone,
        travel_minutes=school.default_travel_minutes,
        instructors={view.id: view for view in instructors},
        locations={place.id: place for place in places},
        hours=hours.weeks(windows),
        exceptions=hours.exceptions(overridden, away),
        closed=hours.closed_days(closures, **bounds._asdict()),
        opens=hours.open_weeks(opening),
        rooms=rooms_of,
    )


def _teachers(question: Question) -> set[uuid.UUID]:
    qualified = set(question.type.instructor_ids)
    return (qualified & {question.instructor_id} if question.instructor_id else qualified) - {
        question.student_id
    }


def _taught_at(question: Question, locations: Mapping[uuid.UUID, LocationView]) -> list[uuid.UUID]:
    if question.type.location_mode != "in_person":
        return []
    taught_at = set(question.type.location_ids)
    return [
        place.id
        for place in locations.values()
        if place.id in taught_at and not place.archived_at and question.location_id in (None, place.id)
    ]


def _at(
    windows: Iterable[_AnyWindow], taught_at: Sequence[uuid.UUID]
) -> Iterator[tuple[_AnyWindow, uuid.UUID | None]]:
    """Return windows with the places they stand for; hours without one are hours at each of them."""
    for window in windows:
        if window.location_id is None:
            yield from ((window, at) for at in taught_at or (None,))
        elif window.location_id in taught_at:
            yield window, window.location_id


def _end_of(time_zone: str, day: date) -> int | None:
    # Years at the ends of the calendar have no next day to compute with, and mean always and never.
    if day.year >= 9000:
        return None
    return zones.closing(time_zone, max(day, date(1970, 1, 1)).toordinal(), 1440)
