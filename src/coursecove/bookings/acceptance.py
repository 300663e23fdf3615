"""Whether a time can be had: the one answer that booking, moving and scheduling a class ask for at commit.

The engine that offers times judges the wanted one again, with the same reads.
Between this answer and the insert another booking may come; the database then
refuses the overlap, and the caller tries the next room, then the next slot.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from msgspec import UNSET
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.occupancy import Clearing, Taken, taken_of
from coursecove.bookings.prospectus import Prospectus, taken_to_book
from coursecove.bookings.timetable import (
    STAFF_HORIZON_DAYS,
    Question,
    Timetable,
    timetable_of,
)
from coursecove.scheduling import slots, zones
from coursecove.scheduling.rules import EXEMPT, OVERRIDABLE, Reason, Refusal, Seats, Slot

_ORDER = {reason: position for position, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The slots that can be had at a time, the one to take first; or why there is none.

    Slots come with the fewest overridden rules first, then with the instructor
    who has taught least.  Each names the free rooms, the best first (none: it needs
    no room), and the rules that were passed for it.
    """

    question: Question
    starts_at: datetime
    slots: list[Slot]
    refusals: list[Refusal]

    @property
    def refusal(self) -> Refusal | None:
        """What to tell when several instructors are refused for different reasons.

        The one that came closest, since a person can do most about it; None when
        nobody teaches this lesson at all.
        """
        hopeful = sorted(self.refusals, key=lambda refusal: len(refusal.reasons))
        busy = next((refusal for refusal in hopeful if Reason.STUDENT_BUSY in refusal.reasons), None)
        return busy or max(hopeful, key=lambda refusal: _ORDER[refusal.reason], default=None)

    @property
    def broken_rules(self) -> tuple[Reason, ...]:
        """Every rule the told refusal names."""
        return self.refusal.reasons if self.refusal else ()

    @property
    def reason(self) -> str:
        """The rule to tell (``nobody_teaches``: there is nobody); to staff, what cannot be overridden."""
        return told(self.refusal, exempt=self.question.exempt) if self.refusal else "nobody_teaches"


def told(refusal: Refusal, *, exempt: bool) -> str:
    """Return the rule to tell of a refusal; to staff (``exempt``), what cannot be overridden."""
    hard = [reason for reason in refusal.reasons if reason not in OVERRIDABLE]
    if Reason.STUDENT_BUSY in hard:
        return Reason.STUDENT_BUSY.value
    return (hard[0] if exempt and hard else refusal.reason).value


async def accept_start(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    starts_at: datetime,
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    room_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    student_id: uuid.UUID | None = None,
    travel_minutes: int | None = None,
    exempt: bool = False,
    override: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
    scheduling: bool = False,
    people: int | None = None,
    session_id: uuid.UUID | None = None,
    holding: Callable[[Timetable], Awaitable[None]] | None = None,
    clearing: Clearing | None = None,
    prospectus: Prospectus | None = None,
) -> Acceptance:
    """Judge a start by every rule, for one instructor or for everybody who teaches the type.

    ``exempt`` (staff who book for a student) passes notice and horizon,
    ``override`` everything that is overridable; what was passed is named on the
    slot.  A class is judged by its session: ``session_id``, or the one that starts
    then.  ``scheduling`` judges a new class instead, for ``people`` or as many as the
    type has seats.  ``travel_minutes`` counts at the student's place, the school's
    default when None.  An unknown instructor, location or room has no slots.

    Who means to write locks what is counted (``holding``, once it is known who
    teaches) and ends what has run out (``clearing``) before what is booked is read.
    With a ``prospectus``, of which ``type`` is one, what the school offers is not read
    again; raises :class:`~coursecove.bookings.prospectus.Stale` when that has changed.
    """
    question = Question(
        type=type,
        instructor_id=instructor_id,
        location_id=location_id,
        room_id=room_id,
        duration_minutes=duration_minutes,
        student_id=student_id,
        travel_minutes=travel_minutes,
        exempt=exempt or override,
        ignoring_session_id=ignoring_session_id,
        scheduling=scheduling,
        people=people,
    )
    now = clock.now()
    # No schedule answers for times a calendar cannot be computed at.
    if not now - timedelta(days=1) <= starts_at <= now + timedelta(days=STAFF_HORIZON_DAYS):
        beyond = Reason.PAST if starts_at < now else Reason.TOO_FAR
        return Acceptance(question, starts_at, [], [Refusal((beyond,))])
    until = starts_at + timedelta(seconds=1)
    # Everybody's rules, so that what staff pass is named.
    asked = replace(question, exempt=False)
    if prospectus is not None and prospectus.knows(starts_at, until):
        timetable = prospectus.timetable(asked)
    else:
        prospectus = None
        timetable = await timetable_of(session, asked, from_=starts_at, until=until)
    if holding is not None:
        await holding(timetable)
    if prospectus is not None:
        taken = await taken_to_book(
            session, prospectus, timetable, from_=starts_at, until=until, clearing=clearing
        )
    else:
        taken = await taken_of(session, timetable, from_=starts_at, until=until, clearing=clearing)
    passing = OVERRIDABLE if override else EXEMPT if exempt else frozenset[Reason]()
    judge = _seats if question.wants_a_seat else _free_hours
    answers = judge(timetable, taken, starts_at, passing=passing, now=now)
    if session_id is not None:
        answers = [
            answer for answer in answers if isinstance(answer, Refusal) or answer.session_id == session_id
        ]
    accepted = [answer for answer in answers if isinstance(answer, Slot)]
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    return Acceptance(question, starts_at, await fairly(session, timetable, accepted), refusals)


def _free_hours(
    timetable: Timetable, taken: Taken, starts_at: datetime, *, passing: frozenset[Reason], now: datetime
) -> list[Slot | Refusal]:
    return [
        slots.accepts(
            timetable.rules,
            schedule,
            taken.booked,
            starts_at,
            places=timetable.places,
            now=now,
            location_id=timetable.question.location_id or UNSET,
            passing=passing,
        )
        for schedule in timetable.schedules
    ]


def _seats(
    timetable: Timetable, taken: Taken, starts_at: datetime, *, passing: frozenset[Reason], now: datetime
) -> list[Slot | Refusal]:
    start = zones.to_instant(starts_at)
    answers: list[Slot | Refusal] = []
    for seats in taken.classes:
        if seats.starts_at == start:
            answer = slots.accepts_seat(timetable.rules, seats, taken.booked, now=now, passing=passing)
            answers.append(answer if isinstance(answer, Refusal) else seat_slot(seats, overridden=answer))
    return answers or [Refusal((Reason.NOT_SCHEDULED,))]


def seat_slot(seats: Seats, *, overridden: tuple[Reason, ...] = ()) -> Slot:
    """Return a class as the slot of a seat in it; its own session keeps the blocked time."""
    starts_at, ends_at = zones.to_datetime(seats.starts_at), zones.to_datetime(seats.ends_at)
    return Slot(
        starts_at=starts_at,
        ends_at=ends_at,
        blocked_from=starts_at,
        blocked_until=ends_at,
        instructor_id=seats.instructor_id,
        location_id=seats.location_id,
        overridden=overridden,
        session_id=seats.session_id,
    )


# Counted per instructor in their own local week: the lessons of that week, then
# those of the four weeks before.
_LOADS = text("""
select wanted.instructor_id,
       (select count(*) from sessions where sessions.instructor_id = wanted.instructor_id
        and starts_at >= week_from and starts_at < week_until and cancelled_at is null),
       (select count(*) from sessions where sessions.instructor_id = wanted.instructor_id
        and starts_at >= week_from - interval '28 days' and starts_at < week_from and cancelled_at is null)
from unnest(cast(:instructor_ids as uuid[]), cast(:weeks_from as timestamptz[]),
            cast(:weeks_until as timestamptz[])) as wanted (instructor_id, week_from, week_until)
""")


async def fairly(session: AsyncSession, timetable: Timetable, free: list[Slot]) -> list[Slot]:
    """Sort by who has taught least: this local week, then lately, then by id so that the order is one."""
    if len(free) <= 1:
        return free
    weeks = [_local_week(timetable.instructors[slot.instructor_id].time_zone, slot.starts_at) for slot in free]
    rows = await session.execute(
        _LOADS,
        {
            "instructor_ids": [slot.instructor_id for slot in free],
            "weeks_from": [monday for monday, _ in weeks],
            "weeks_until": [next_monday for _, next_monday in weeks],
        },
    )
    loads = {instructor_id: (this_week, lately) for instructor_id, this_week, lately in rows}
    return sorted(free, key=lambda slot: (len(slot.overridden), *loads[slot.instructor_id], slot.instructor_id))


def _local_week(time_zone: str, moment: datetime) -> tuple[datetime, datetime]:
    day = zones.local_day(time_zone, zones.to_instant(moment))
    monday = day - (day - 1) % 7  # ordinal 1 is a Monday
    return (
        zones.to_datetime(zones.opening(time_zone, monday, 0)),
        zones.to_datetime(zones.opening(time_zone, monday + 7, 0)),
    )
