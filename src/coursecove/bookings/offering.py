"""Asking the slot engine: what is read for a question, and what of the answer is shown."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.acceptance import seat_slot
from coursecove.bookings.occupancy import Taken, taken_of_many
from coursecove.bookings.prospectus import Prospectus, taken_now
from coursecove.bookings.schemas import PersonSummary, SlotView
from coursecove.bookings.timetable import STAFF_HORIZON_DAYS, Question, Timetable, timetables_of
from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.scheduling import slots, zones
from coursecove.scheduling.rules import Openings, Seats, Slot

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# Most calendars have something free within two weeks, so the year is asked only when they don't.
_SOON = timedelta(days=14)


class Offered:
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
        return _views(self.timetable, self._openings, self._seats)

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
        return _views(self.timetable, openings, seats)[0]


async def first_of_each(
    session: AsyncSession,
    questions: Sequence[Question],
    after: datetime,
    *,
    prospectus: Prospectus | None = None,
) -> list[SlotView | None]:
    """Return the first bookable time of each question that starts at ``after`` or later."""
    found: list[SlotView | None] = [None] * len(questions)
    soon = max(after, clock.now()) + _SOON if after < _far_away() - _SOON else after
    for from_, until in ((after, soon), (soon, _far_away())):
        missing = [index for index, view in enumerate(found) if view is None]
        if not missing:
            break
        asked = [questions[index] for index in missing]
        answers = await offered_by(session, prospectus, asked, from_, until) if prospectus else None
        if answers is None:
            answers = await offered(session, asked, from_, until)
        for index, answer in zip(missing, answers, strict=True):
            found[index] = answer.first()
    return found


def _far_away() -> datetime:
    return clock.now() + timedelta(days=STAFF_HORIZON_DAYS)


async def offered(
    session: AsyncSession, questions: Sequence[Question], from_: datetime, until: datetime
) -> list[Offered]:
    """Ask the engine, with one read per table for all questions."""
    from_, until = _within_reach(questions, from_, until)
    within = questions if from_ < until else ()
    timetables = await timetables_of(session, within, from_=from_, until=until)
    taken = await taken_of_many(session, timetables, from_=from_, until=until)
    if not within:
        return [Offered(Timetable.empty(question), (), ()) for question in questions]
    return [_ask(timetable, of_it, from_, until) for timetable, of_it in zip(timetables, taken, strict=True)]


async def offered_by(
    session: AsyncSession,
    prospectus: Prospectus,
    questions: Sequence[Question],
    from_: datetime,
    until: datetime,
) -> list[Offered] | None:
    """Ask the engine with one read in all; None for times that the prospectus knows nothing of."""
    from_, until = _within_reach(questions, from_, until)
    if not questions or from_ >= until or not prospectus.knows(from_, until):
        return None
    timetables = [prospectus.timetable(question) for question in questions]
    taken = await taken_now(session, prospectus, timetables, from_=from_, until=until)
    return [_ask(timetable, of_it, from_, until) for timetable, of_it in zip(timetables, taken, strict=True)]


def _within_reach(questions: Sequence[Question], from_: datetime, until: datetime) -> tuple[datetime, datetime]:
    # Cut to what the types could offer at most, so that no far date reaches the arithmetic. The horizon
    # counts local days, the last one included: two days more hold every zone's.
    now = clock.now()
    reach = max((horizon_days(question) for question in questions), default=0)
    return max(from_, now), min(until, now + timedelta(days=reach + 2))


def _ask(timetable: Timetable, taken: Taken, from_: datetime, until: datetime) -> Offered:
    now = clock.now()
    return Offered(
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


def question_of(
    type: AppointmentTypeView,  # noqa: A002
    *,
    instructor_id: uuid.UUID | None,
    location_id: uuid.UUID | None,
    duration_minutes: int | None,
    travel_minutes: int | None = None,
    student_id: uuid.UUID | None = None,
    exempt: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
) -> Question:
    """Return the question; raises Invalid for a length the type does not have, but to staff and when moving."""
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


def horizon_days(question: Question) -> int:
    """Return how many days ahead somebody may book."""
    return STAFF_HORIZON_DAYS if question.exempt or question.scheduling else question.type.horizon_days


def _views(timetable: Timetable, openings: Sequence[Openings], classes: Sequence[Seats]) -> list[SlotView]:
    people, places = _once(timetable.person), _once(timetable.place)
    minutes, lasts = timetable.rules.duration_minutes, timetable.rules.duration
    # Hundreds of times are free with the same few people.
    alone = {group.instructor_id: [people(group.instructor_id)] for group in openings}
    views: list[SlotView] = []
    if len(openings) == 1:
        [group] = openings
        place, teacher = places(group.location_id), alone[group.instructor_id]
        views = [
            SlotView(zones.to_datetime(start), zones.to_datetime(start + lasts), place, teacher, minutes)
            for start in group.starts
        ]
    else:
        at_places: dict[uuid.UUID | None, dict[int, list[uuid.UUID]]] = {}
        for group in openings:
            at = at_places.setdefault(group.location_id, {})
            for start in group.starts:
                at.setdefault(start, []).append(group.instructor_id)
        for location_id, at in at_places.items():
            place = places(location_id)
            views += [
                SlotView(
                    zones.to_datetime(start),
                    zones.to_datetime(start + lasts),
                    place,
                    alone[ids[0]] if len(ids) == 1 else sorted(map(people, ids), key=_by_name),
                    minutes,
                )
                for start, ids in at.items()
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
    if len(openings) + len(classes) > 1:
        views.sort(key=lambda view: (view.starts_at, view.location.name if view.location else ""))
    return views


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
