"""Which dates of a series can be had, and with whom: one read per table, however many dates there are.

The engine that offers and accepts single lessons judges every date.  Nothing
here writes.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.acceptance import fairly, seat_slot, told
from coursecove.bookings.errors import in_words
from coursecove.bookings.occupancy import Taken, taken_of
from coursecove.bookings.requests import Request
from coursecove.bookings.schemas import Alternative
from coursecove.bookings.series_schemas import Occurrence
from coursecove.bookings.timetable import Question, Timetable, rules_of, timetable_of
from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.scheduling import slots, zones
from coursecove.scheduling.rules import EXEMPT, OVERRIDABLE, Reason, Refusal, Schedule, Slot

#: How far around a date that cannot be had to look for another time.
NEAR = timedelta(days=3)
#: The table holds no longer series.
LONGEST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Judged:
    """One date: its slot, or the rules against it; with what else is free around it."""

    on: date
    starts_at: datetime
    slot: Slot | None
    refusal: Refusal | None = None
    skipped: bool = False
    alternative: Slot | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A series with one instructor; None: nobody teaches this lesson."""

    timetable: Timetable
    instructor_id: uuid.UUID | None
    location_id: uuid.UUID | None
    time_zone: str
    dates: list[Judged]

    @property
    def conflicts(self) -> list[Judged]:
        """The dates that need a decision."""
        return [judged for judged in self.dates if judged.slot is None and not judged.skipped]

    @property
    def wanted(self) -> list[Judged]:
        """The dates that can be booked."""
        return [judged for judged in self.dates if judged.slot is not None]

    def occurrences(self, *, exempt: bool) -> list[Occurrence]:
        """Return the dates in words; ``exempt``: to staff, who learn first what they cannot pass."""
        minutes = timedelta(minutes=self.timetable.rules.duration_minutes)
        return [
            Occurrence(
                on=judged.on,
                starts_at=judged.starts_at,
                ends_at=judged.slot.ends_at if judged.slot else judged.starts_at + minutes,
                ok=judged.slot is not None,
                skipped=judged.skipped,
                reason=told(judged.refusal, exempt=exempt) if judged.refusal else None,
                message=in_words(told(judged.refusal, exempt=exempt)) if judged.refusal else None,
                overridden_rules=[str(rule) for rule in judged.slot.overridden] if judged.slot else [],
                alternative=self._alternative(judged.alternative),
            )
            for judged in self.dates
        ]

    def _alternative(self, slot: Slot | None) -> Alternative | None:
        if slot is None:
            return None
        person, place = self.timetable.person(slot.instructor_id), self.timetable.place(slot.location_id)
        return Alternative(slot.starts_at, slot.ends_at, person, place)


def dates_of(first: date, *, every_weeks: int, times: int) -> list[date]:
    """Return the dates of a series; raises Invalid at ``times`` past four hundred days."""
    try:
        found = [first + timedelta(weeks=every_weeks * number) for number in range(times)]
    except OverflowError:
        raise Invalid(fields={"starts_at": _("Choose a time within the calendar.")}) from None
    if (found[-1] - first).days > LONGEST_DAYS:
        raise Invalid(fields={"times": _("A series lasts a year at most. Book the next one then.")})
    return found


def wall_clock(starts_at: datetime, time_zone: str) -> tuple[date, int]:
    """Return the date and the minute that a zone's clock shows; raises Invalid for a broken minute."""
    if starts_at.second or starts_at.microsecond:
        raise Invalid(fields={"starts_at": _("Lessons start at whole minutes.")})
    shown = starts_at.astimezone(ZoneInfo(time_zone))
    return shown.date(), shown.hour * 60 + shown.minute


def at_wall_clock(on: date, minute: int, time_zone: str) -> datetime:
    """Return when a zone's clock shows the minute of a date; one that is skipped is the change itself."""
    return zones.to_datetime(zones.opening(time_zone, on.toordinal(), minute))


async def plan_series(
    session: AsyncSession,
    request: Request,
    *,
    every_weeks: int,
    times: int,
    skip: Collection[date],
    instead: Mapping[date, datetime],
) -> Plan:
    """Judge a series that begins with a request, for whoever can give most of it.

    Of several who can give as much, whoever has taught least gets all of it.
    ``skip`` and ``instead`` name dates of the series; raises Invalid for others.
    """
    question = Question(
        type=request.type,
        instructor_id=request.instructor_id,
        location_id=request.location_id,
        room_id=request.room_id,
        duration_minutes=request.duration_minutes,
        student_id=request.student_id,
        travel_minutes=request.travel_minutes,
    )
    span = timedelta(weeks=every_weeks * (times - 1))
    moments = [request.starts_at, *instead.values()]
    try:
        first, last = min(moments) - NEAR, max([request.starts_at + span, *moments]) + NEAR
        timetable = await timetable_of(session, question, from_=first, until=last + timedelta(days=1))
    except OverflowError:
        raise Invalid(fields={"starts_at": _("Choose a time within the calendar.")}) from None
    taken = await taken_of(session, timetable, from_=first, until=last + timedelta(days=1))
    passing = OVERRIDABLE if request.override else EXEMPT if request.exempt else frozenset[Reason]()
    judge = Judge(timetable, taken, passing=passing, exempt=request.exempt)
    plans = [
        _with(judge, candidate, request.starts_at, every_weeks, times, skip, instead)
        for candidate in judge.candidates(request.starts_at)
    ]
    if not plans:
        dates = _dates(request.starts_at, judge.school_zone, every_weeks, times, skip, instead)
        nobody = [
            Judged(on, starts_at, None, Refusal((Reason.OUTSIDE_HOURS,)), skipped=on in skip)
            for on, starts_at in dates
        ]
        return Plan(timetable, None, None, judge.school_zone, nobody)
    fewest = min(len(plan.conflicts) for plan in plans)
    best = [plan for plan in plans if len(plan.conflicts) == fewest]
    by_slot = {judged.slot: plan for plan in best for judged in plan.wanted[:1] if judged.slot}
    if not by_slot:
        return best[0]
    return by_slot[(await fairly(session, timetable, list(by_slot)))[0]]


Candidate = tuple[uuid.UUID, uuid.UUID | None, str]
"""An instructor, the place of all lessons, and the zone whose clock they keep."""


class Judge:
    """Asks the engine about one date after another, with the same reads."""

    def __init__(self, timetable: Timetable, taken: Taken, *, passing: frozenset[Reason], exempt: bool) -> None:
        self._timetable, self._taken, self._passing = timetable, taken, passing
        self._booked = taken.booked
        self._now = clock.now()
        self._schedules: dict[uuid.UUID, Schedule] = {s.instructor_id: s for s in timetable.schedules}
        self._offering = rules_of(
            replace(timetable.question, exempt=exempt), travel_minutes=timetable.rules.travel_minutes
        )

    @property
    def school_zone(self) -> str:
        """The zone of a series that nobody can give."""
        return next((place.time_zone for place in self._timetable.places.values()), "UTC")

    def candidates(self, starts_at: datetime) -> list[Candidate]:
        """Return who may give the lessons, each with the place of the first one."""
        if self._timetable.question.wants_a_seat:
            found = [seats for seats in self._taken.classes if seats.starts_at == zones.to_instant(starts_at)]
            return [(s.instructor_id, s.location_id, self._zone(s.location_id, s.time_zone)) for s in found]
        candidates: list[Candidate] = []
        for instructor_id, schedule in sorted(self._schedules.items()):
            location_id = self._timetable.question.location_id
            answer = self.at(starts_at, instructor_id, location_id)
            if isinstance(answer, Slot):
                location_id = answer.location_id
            elif location_id is None:
                location_id = next((at for at in self._timetable.places if at is not None), None)
            candidates.append((instructor_id, location_id, self._zone(location_id, schedule.time_zone)))
        return candidates

    def _zone(self, location_id: uuid.UUID | None, time_zone: str) -> str:
        if location_id is None:
            return time_zone
        return self._timetable.locations[location_id].time_zone

    def at(
        self, starts_at: datetime, instructor_id: uuid.UUID, location_id: uuid.UUID | None
    ) -> Slot | Refusal:
        """Judge one time with one instructor at one place (None: wherever they are then)."""
        if self._timetable.question.wants_a_seat:
            return self._seat(starts_at, instructor_id)
        options = {} if location_id is None else {"location_id": location_id}
        return slots.accepts(
            self._timetable.rules,
            self._schedules[instructor_id],
            self._booked,
            starts_at,
            places=self._timetable.places,
            now=self._now,
            passing=self._passing,
            **options,
        )

    def _seat(self, starts_at: datetime, instructor_id: uuid.UUID) -> Slot | Refusal:
        for seats in self._taken.classes:
            if seats.starts_at == zones.to_instant(starts_at) and seats.instructor_id == instructor_id:
                rules, booked = self._timetable.rules, self._booked
                answer = slots.accepts_seat(rules, seats, booked, now=self._now, passing=self._passing)
                return answer if isinstance(answer, Refusal) else seat_slot(seats, overridden=answer)
        return Refusal((Reason.NOT_SCHEDULED,))

    def keep(self, slot: Slot) -> None:
        """Count a lesson that would be booked, so that the others of its series are judged beside it.

        Two of them in one week or on one day count together for every limit there
        is, and neither person can be in both at once.
        """
        start, end = zones.to_instant(slot.starts_at), zones.to_instant(slot.ends_at)
        blocked = (zones.to_instant(slot.blocked_from), zones.to_instant(slot.blocked_until))
        booked, of = self._booked, slot.instructor_id
        self._booked = msgspec.structs.replace(
            booked,
            student=[*booked.student, (start, end)],
            starts_of_student=[*booked.starts_of_student, start],
        )
        if slot.session_id is None:
            # Of a class they give already what counts is the seat alone.
            self._booked = msgspec.structs.replace(
                self._booked,
                instructors={**booked.instructors, of: [*booked.instructors.get(of, ()), blocked]},
                starts_of_type={**booked.starts_of_type, of: [*booked.starts_of_type.get(of, ()), start]},
                starts_of_all_types={
                    **booked.starts_of_all_types,
                    of: [*booked.starts_of_all_types.get(of, ()), start],
                },
            )

    def forget(self) -> None:
        """Count only what is booked already."""
        self._booked = self._taken.booked

    def near(self, starts_at: datetime, instructor_id: uuid.UUID) -> list[Slot]:
        """Return what is free around a time with the same instructor, the nearest first."""
        from_, until = starts_at - NEAR, starts_at + NEAR
        if self._timetable.question.wants_a_seat:
            classes = [seats for seats in self._taken.classes if seats.instructor_id == instructor_id]
            found = [
                seat_slot(seats)
                for seats in slots.offer_seats(
                    self._offering, classes, self._booked, from_=from_, until=until, now=self._now
                )
            ]
        else:
            openings = slots.offer_starts(
                self._offering,
                [self._schedules[instructor_id]],
                self._booked,
                places=self._timetable.places,
                from_=from_,
                until=until,
                now=self._now,
            )
            found = slots.slots(self._offering, openings)
        return slots.nearest(found, starts_at, 20, now=self._now)

    def plan(
        self, candidate: Candidate, dates: Iterable[tuple[date, datetime]], skip: Collection[date]
    ) -> Plan:
        """Judge every date with one instructor, each beside those before it."""
        instructor_id, location_id, time_zone = candidate
        self.forget()
        judged: list[Judged] = []
        for on, starts_at in dates:
            if on in skip:
                judged.append(Judged(on, starts_at, None, skipped=True))
                continue
            answer = self.at(starts_at, instructor_id, location_id)
            if isinstance(answer, Slot):
                self.keep(answer)
                judged.append(Judged(on, starts_at, answer))
            else:
                judged.append(Judged(on, starts_at, None, answer))
        found = [one if one.refusal is None else self._with_alternative(one, candidate) for one in judged]
        return Plan(self._timetable, instructor_id, location_id, time_zone, found)

    def _with_alternative(self, judged: Judged, candidate: Candidate) -> Judged:
        """Find the nearest time that can be had beside the other lessons, and keep it for this date."""
        for slot in self.near(judged.starts_at, candidate[0]):
            if slot.location_id in (None, candidate[1]):
                self.keep(slot)
                return replace(judged, alternative=slot)
        return judged


def _with(
    judge: Judge,
    candidate: Candidate,
    starts_at: datetime,
    every_weeks: int,
    times: int,
    skip: Collection[date],
    instead: Mapping[date, datetime],
) -> Plan:
    return judge.plan(candidate, _dates(starts_at, candidate[2], every_weeks, times, skip, instead), skip)


def _dates(
    starts_at: datetime,
    time_zone: str,
    every_weeks: int,
    times: int,
    skip: Collection[date],
    instead: Mapping[date, datetime],
) -> Sequence[tuple[date, datetime]]:
    first, minute = wall_clock(starts_at, time_zone)
    dates = dates_of(first, every_weeks=every_weeks, times=times)
    for field, named in (("skip", skip), ("instead", instead)):
        if not set(named) <= set(dates):
            raise Invalid(fields={field: _("Name dates of this series.")})
    return [
        (on, instead.get(on) or (starts_at if on == first else at_wall_clock(on, minute, time_zone)))
        for on in dates
    ]
