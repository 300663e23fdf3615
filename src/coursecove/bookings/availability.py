"""The times a student may choose.

The same engine and the same reads as `acceptance` uses to accept a time, so that
everything offered is bookable.  What changes in between is another person's
booking, and that is answered with alternatives.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.acceptance import Acceptance, seat_slot
from coursecove.bookings.occupancy import Taken, taken_of_many
from coursecove.bookings.schemas import Alternative, PersonSummary, SlotView
from coursecove.bookings.timetable import (
    STAFF_HORIZON_DAYS,
    Question,
    Timetable,
    timetables_of,
)
from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.scheduling import slots, zones
from coursecove.scheduling.rules import Openings, Seats, Slot

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ALTERNATIVES = 5

# How far around a lost time to look for others: near first, then the month ahead.
_NEARBY = ((timedelta(days=3), timedelta(days=7)), (timedelta(days=7), timedelta(days=35)))
# Most calendars have something free within two weeks, so the year is asked only when they don't.
_SOON = timedelta(days=14)


async def available_slots(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    travel_minutes: int | None = None,
    from_: datetime,
    until: datetime,
    student_id: uuid.UUID | None = None,
    exempt: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
) -> list[SlotView]:
    """Return every bookable time that starts in ``[from_, until)``, by start and place.

    Both bounds are aware.  With ``student_id`` the times of that student's own
    lessons are left out.  An instructor who is not qualified, or a location the
    type is not taught at, simply has no times.  ``exempt`` leaves out notice and
    horizon, as staff may; ``ignoring_session_id`` is the lesson to be moved.
    ``travel_minutes`` is the way to the student (None: the school's default).
    Raises Invalid for a duration the type does not have, except to staff and for
    a lesson that has it already.
    """
    question = _question(
        type,
        instructor_id=instructor_id,
        location_id=location_id,
        duration_minutes=duration_minutes,
        travel_minutes=travel_minutes,
        student_id=student_id,
        exempt=exempt,
        ignoring_session_id=ignoring_session_id,
    )
    [found] = await _offered(session, [question], from_, until)
    return found.views()


async def free_days(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    travel_minutes: int | None = None,
    month: date,
    zone: str,
    student_id: uuid.UUID | None = None,
    exempt: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
) -> set[date]:
    """Return the days of ``month`` (any day of it), as ``zone`` counts days, on which something is free.

    The rest is as for :func:`available_slots`; raises Invalid for a zone that does not exist.
    """
    question = _question(
        type,
        instructor_id=instructor_id,
        location_id=location_id,
        duration_minutes=duration_minutes,
        travel_minutes=travel_minutes,
        student_id=student_id,
        exempt=exempt,
        ignoring_session_id=ignoring_session_id,
    )
    try:
        first = zones.to_datetime(zones.opening(zone, month.replace(day=1).toordinal(), 0))
        next_month = (month.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = zones.to_datetime(zones.opening(zone, next_month.toordinal(), 0))
    except ZoneInfoNotFoundError as error:
        raise Invalid(fields={"zone": _("Choose a time zone such as Europe/Berlin.")}) from error
    except (OverflowError, ValueError):
        return set()  # the first and the last month a calendar of ours can name
    [found] = await _offered(session, [question], first, end)
    return found.days(zone)


async def next_free(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    travel_minutes: int | None = None,
    after: datetime,
    student_id: uuid.UUID | None = None,
    exempt: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
) -> SlotView | None:
    """Return the first bookable time that starts at ``after`` or later; None within the whole horizon.

    The rest is as for :func:`available_slots`.
    """
    question = _question(
        type,
        instructor_id=instructor_id,
        location_id=location_id,
        duration_minutes=duration_minutes,
        travel_minutes=travel_minutes,
        student_id=student_id,
        exempt=exempt,
        ignoring_session_id=ignoring_session_id,
    )
    return (await _first_of_each(session, [question], after))[0]


async def next_free_many(
    session: AsyncSession,
    types: Sequence[AppointmentTypeView],
    *,
    after: datetime,
    student_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
) -> dict[uuid.UUID, SlotView | None]:
    """Return the first bookable time of each type, by the type's id.

    The number of queries depends neither on the types nor on who teaches them.
    """
    questions = [
        Question(type=type, student_id=student_id, instructor_id=instructor_id, location_id=location_id)
        for type in types  # noqa: A001
    ]
    found = await _first_of_each(session, questions, after)
    return {question.type.id: view for question, view in zip(questions, found, strict=True)}


async def alternatives(session: AsyncSession, acceptance: Acceptance) -> list[Alternative]:
    """Return up to five free times nearest to the one that was refused, each with one instructor.

    Read afresh, with the same wishes: instructor, place, length, and for whom.
    """
    question, now = acceptance.question, clock.now()
    latest = now + timedelta(days=_horizon_days(question))
    wanted = min(max(acceptance.starts_at, now), latest)
    for before, after in _NEARBY:
        [found] = await _offered(session, [question], wanted - before, wanted + after)
        # The same time with another instructor is no other time, so one slot per start is kept.
        distinct = {slot.starts_at: slot for slot in reversed(found.slots())}
        near = slots.nearest(distinct.values(), wanted, ALTERNATIVES, now=now)
        if near:
            return [
                Alternative(
                    starts_at=slot.starts_at,
                    ends_at=slot.ends_at,
                    instructor=found.timetable.person(slot.instructor_id),
                    location=found.timetable.place(slot.location_id),
                )
                for slot in sorted(near, key=lambda slot: slot.starts_at)
            ]
    return []


class _Offered:
    """What one question is offered: starts in free hours, or seats of classes."""

    def __init__(self, timetable: Timetable, openings: Sequence[Openings], seats: Sequence[Seats]) -> None:
        self.timetable, self._openings, self._seats = timetable, openings, seats

    def slots(self) -> list[Slot]:
        """By start; those of one start by instructor."""
        return [
            *slots.slots(self.timetable.rules, self._openings),
            *(seat_slot(seats) for seats in self._seats),
        ]

    def views(self) -> list[SlotView]:
        """One view per time and place with everybody free at it, or per class."""
        return _views(self.timetable, slots.slots(self.timetable.rules, self._openings), self._seats)

    def days(self, time_zone: str) -> set[date]:
        """The days of a zone on which something starts."""
        classes = Openings(uuid.UUID(int=0), None, sorted(seats.starts_at for seats in self._seats))
        return slots.free_days([*self._openings, classes], time_zone)

    def first(self) -> SlotView | None:
        """The earliest view."""
        starts = [group.starts[0] for group in self._openings] + [seats.starts_at for seats in self._seats]
        if not starts:
            return None
        earliest = min(starts)
        openings = [
            Openings(group.instructor_id, group.location_id, (earliest,))
            for group in self._openings
            if group.starts[0] == earliest
        ]
        seats = [seats for seats in self._seats if seats.starts_at == earliest]
        return _views(self.timetable, slots.slots(self.timetable.rules, openings), seats)[0]


async def _first_of_each(
    session: AsyncSession, questions: Sequence[Question], after: datetime
) -> list[SlotView | None]:
    found: list[SlotView | None] = [None] * len(questions)
    soon = max(after, clock.now()) + _SOON if after < _far_away() - _SOON else after
    for from_, until in ((after, soon), (soon, _far_away())):
        missing = [index for index, view in enumerate(found) if view is None]
        offered = await _offered(session, [questions[index] for index in missing], from_, until)
        for index, answer in zip(missing, offered, strict=True):
            found[index] = answer.first()
    return found


def _far_away() -> datetime:
    return clock.now() + timedelta(days=STAFF_HORIZON_DAYS)


async def _offered(
    session: AsyncSession, questions: Sequence[Question], from_: datetime, until: datetime
) -> list[_Offered]:
    """Ask the engine, with one read per table for all questions."""
    now = clock.now()
    # Cut to what the types could offer at most, so that no far date reaches the arithmetic. The horizon
    # counts local days, the last one included: two days more hold every zone's.
    reach = max((_horizon_days(question) for question in questions), default=0)
    from_, until = max(from_, now), min(until, now + timedelta(days=reach + 2))
    within = questions if from_ < until else ()
    timetables = await timetables_of(session, within, from_=from_, until=until)
    taken = await taken_of_many(session, timetables, from_=from_, until=until)
    if not within:
        return [_Offered(Timetable.empty(question), (), ()) for question in questions]
    return [_ask(timetable, of_it, from_, until) for timetable, of_it in zip(timetables, taken, strict=True)]


def _ask(timetable: Timetable, taken: Taken, from_: datetime, until: datetime) -> _Offered:
    now = clock.now()
    return _Offered(
        timetable,
        slots.offer_starts(
            timetable.rules,
            timetable.schedules,
            taken.booked,
            places=timetable.places,
            from_=from_,
            until=until,
            now=now,
        ),
        slots.offer_seats(timetable.rules, taken.classes, taken.booked, from_=from_, until=until, now=now),
    )


def _question(
    type: AppointmentTypeView,  # noqa: A002
    *,
    instructor_id: uuid.UUID | None,
    location_id: uuid.UUID | None,
    duration_minutes: int | None,
    travel_minutes: int | None,
    student_id: uuid.UUID | None,
    exempt: bool,
    ignoring_session_id: uuid.UUID | None,
) -> Question:
    anything_goes = exempt or ignoring_session_id is not None
    if duration_minutes is not None and duration_minutes not in type.durations and not anything_goes:
        raise Invalid(fields={"duration_minutes": _("Choose one of the lengths this lesson has.")})
    return Question(
        type=type,
        instructor_id=instructor_id,
        location_id=location_id,
        duration_minutes=duration_minutes,
        travel_minutes=travel_minutes,
        student_id=student_id,
        exempt=exempt,
        ignoring_session_id=ignoring_session_id,
    )


def _horizon_days(question: Question) -> int:
    return STAFF_HORIZON_DAYS if question.exempt or question.scheduling else question.type.horizon_days


def _views(timetable: Timetable, free: Iterable[Slot], classes: Iterable[Seats]) -> list[SlotView]:
    grouped: dict[tuple[datetime, uuid.UUID | None], list[uuid.UUID]] = {}
    ends: dict[datetime, datetime] = {}
    for slot in free:
        ends[slot.starts_at] = slot.ends_at
        grouped.setdefault((slot.starts_at, slot.location_id), []).append(slot.instructor_id)
    people, places = _once(timetable.person), _once(timetable.place)
    duration = timetable.rules.duration_minutes
    views = [
        SlotView(
            starts_at=starts_at,
            ends_at=ends[starts_at],
            location=places(location_id),
            instructors=sorted(map(people, instructor_ids), key=_by_name)
            if len(instructor_ids) > 1
            else [people(instructor_ids[0])],
            duration_minutes=duration,
        )
        for (starts_at, location_id), instructor_ids in grouped.items()
    ]
    views += [
        SlotView(
            starts_at=zones.to_datetime(seats.starts_at),
            ends_at=zones.to_datetime(seats.ends_at),
            location=places(seats.location_id),
            instructors=[people(seats.instructor_id)],
            duration_minutes=(seats.ends_at - seats.starts_at) // zones.MINUTE,
            session_id=seats.session_id,
            seats_left=seats.left,
        )
        for seats in classes
    ]
    return sorted(views, key=lambda view: (view.starts_at, view.location.name if view.location else ""))


def _once(find: Callable[[K], V]) -> Callable[[K], V]:
    """Make each summary once: hundreds of times name a few people and places."""
    known: dict[K, V] = {}

    def found(key: K) -> V:
        if key not in known:
            known[key] = find(key)
        return known[key]

    return found


def _by_name(person: PersonSummary) -> tuple[str, uuid.UUID]:
    return person.name, person.id
