"""What is booked, read for the slot engine: blocked time, seats, and the student's own lessons.

One round trip, however many instructors and types are asked about; one more for the lessons
of an instructor's student.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.sight import as_the_school, seeing_everything, sees_enough
from coursecove.bookings.timetable import LONGEST_BUFFER, LONGEST_LESSON, Timetable
from coursecove.db.together import Part, array, read, tuples
from coursecove.scheduling.intervals import Interval
from coursecove.scheduling.rules import Booked, Seats

T = TypeVar("T")

# Limits count whole weeks, and a local week differs from UTC's by a day at most.
_AROUND_A_WEEK = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is booked, and for a class the sessions of it that are on the calendar."""

    booked: Booked = field(default_factory=Booked)
    classes: list[Seats] = field(default_factory=list)


class Stale(NamedTuple):
    """A session in which a hold or an offer has run out."""

    session_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Clearing:
    """How to find what has run out where somebody wants to book, and how to end it first."""

    stale: Part[list[Stale]]
    end: Callable[[AsyncSession, list[uuid.UUID]], Awaitable[None]]


# Bounds on both sides of a btree.  `during && …` would be the natural question,
# but under a row-level policy the planner does not push it into an index.
_COLUMNS = """
select instructor_id, room_id, appointment_type_id, floor(extract(epoch from starts_at))::bigint,
       floor(extract(epoch from blocked_from))::bigint, ceil(extract(epoch from blocked_until))::bigint
from sessions
"""
# A private lesson that exists because of a hold alone is in nobody's way when the hold has run out.
_IN_THE_WAY = "(held_until is null or scheduled_by_id is not null or held_until > statement_timestamp())"
_BOUNDS = f"""
  and starts_at >= %(earliest)s and starts_at < %(latest)s and blocked_until > %(from)s
  and cancelled_at is null and {_IN_THE_WAY} and not id = any(%(ignoring)s::uuid[])
"""
_SESSIONS = f"{_COLUMNS} where instructor_id = any(%(instructor_ids)s::uuid[]) {_BOUNDS}"
_SESSIONS_AND_ROOMS = f"""
{_SESSIONS}
union all
{_COLUMNS}
where room_id = any(%(room_ids)s::uuid[]) and not instructor_id = any(%(instructor_ids)s::uuid[]) {_BOUNDS}
"""
_CLASSES = """
select id, appointment_type_id, instructor_id, location_id, floor(extract(epoch from starts_at))::bigint,
       floor(extract(epoch from ends_at))::bigint, capacity - seats_taken,
       held_until <= statement_timestamp()
from sessions
where appointment_type_id = any(%(type_ids)s::uuid[])
  and starts_at >= %(classes_from)s and starts_at < %(classes_until)s
  and cancelled_at is null and not id = any(%(ignoring)s::uuid[])
"""
_STUDENTS = """
select floor(extract(epoch from bookings.starts_at))::bigint,
       ceil(extract(epoch from bookings.ends_at))::bigint, sessions.appointment_type_id
from bookings
join sessions on sessions.organization_id = bookings.organization_id and sessions.id = bookings.session_id
where bookings.student_id = %(student_id)s and bookings.starts_at >= %(earliest)s
  and bookings.starts_at < %(latest)s and bookings.ends_at > %(from)s and bookings.cancelled_at is null
  and (bookings.held_until is null or bookings.held_until > statement_timestamp())
  and not bookings.session_id = any(%(ignoring)s::uuid[])
"""


class _Session(NamedTuple):
    # Ids as text: there may be thousands of rows about a few people and rooms, and text is quicker to look up.
    instructor_id: str
    room_id: str | None
    type_id: str
    start: int
    blocked_from: int
    blocked_until: int


class _Class(NamedTuple):
    session_id: uuid.UUID
    type_id: uuid.UUID
    instructor_id: uuid.UUID
    location_id: uuid.UUID | None
    start: int
    end: int
    left: int
    stale: bool | None


class _OwnLesson(NamedTuple):
    start: int
    end: int
    type_id: uuid.UUID


NOTHING_STALE: Part[list[Stale]] = Part("select '[]'::json", list[Stale])
_NOTHING: Part[None] = Part("select null", None)
_NO_LESSONS: Part[list[_OwnLesson]] = Part("select '[]'", list[_OwnLesson])
_NO_CLASSES: Part[list[_Class]] = Part("select '[]'", list[_Class])

# Seats that count as taken, although what they are kept for has run out and nobody waits for them.
_GIVEN_UP = text("""
select session_id, sum(seats) from (
  select session_id, count(*) as seats from bookings
  where session_id = any(:session_ids) and held_until <= statement_timestamp()
    and confirmed_at is null and cancelled_at is null
  group by session_id
  union all
  select session_id, count(*) filter (where offer_expires_at <= statement_timestamp())
    - count(*) filter (where offered_at is null)
  from waitlist_entries
  where session_id = any(:session_ids) and accepted_at is null and ended_at is null
  group by session_id
) as kept group by session_id having sum(seats) > 0
""")


async def taken_of(
    session: AsyncSession,
    timetable: Timetable,
    *,
    from_: datetime,
    until: datetime,
    clearing: Clearing | None = None,
) -> Taken:
    """Return what is booked for one timetable; see :func:`taken_of_many`.

    With ``clearing``, what has run out there is ended first.
    """
    beside: Part[Any] = clearing.stale if clearing else _NOTHING
    [taken], stale = await taken_beside(session, [timetable], beside, from_=from_, until=until)
    if clearing and stale:
        await clearing.end(session, sorted(row.session_id for row in stale))
        return await taken_of(session, timetable, from_=from_, until=until)
    return taken


async def taken_of_many(
    session: AsyncSession, timetables: Sequence[Timetable], *, from_: datetime, until: datetime
) -> list[Taken]:
    """Read what is booked around lessons that start in ``[from_, until)``; a fresh look every time.

    The timetables are those of one student (or none) and of one lesson that is moved (or none).
    """
    return (await taken_beside(session, timetables, _NOTHING, from_=from_, until=until))[0]


async def taken_beside(
    session: AsyncSession, timetables: Sequence[Timetable], beside: Part[T], *, from_: datetime, until: datetime
) -> tuple[list[Taken], T | None]:
    """Return the same as :func:`taken_of_many`, and what ``beside`` reads in the very same look."""
    if not timetables:
        return [], None
    question = timetables[0].question
    limited = any(_has_limits(timetable) for timetable in timetables)
    before = max(timetable.rules.before for timetable in timetables)
    after = max(timetable.rules.duration + timetable.rules.after for timetable in timetables)
    first = from_ - (_AROUND_A_WEEK if limited else timedelta(seconds=before))
    bounds = {
        "from": first,
        "earliest": first - LONGEST_LESSON - LONGEST_BUFFER,
        "latest": until + timedelta(seconds=after) + (_AROUND_A_WEEK if limited else LONGEST_BUFFER),
        "ignoring": array(question.ignored),
    }
    teachers = {schedule.instructor_id for timetable in timetables for schedule in timetable.schedules}
    room_ids = set[uuid.UUID]().union(*(timetable.room_ids for timetable in timetables))
    seats_of = {t.question.type.id: t for t in timetables if t.question.wants_a_seat}
    own = _NO_LESSONS
    if question.student_id is not None:
        own = tuples(_STUDENTS, _OwnLesson, student_id=question.student_id, **bounds)
    # In the same look, unless it takes other eyes.
    together = sees_enough(session)
    sessions, of_classes, lessons, read_beside = await read(
        session,
        tuples(
            _SESSIONS_AND_ROOMS if room_ids else _SESSIONS,
            _Session,
            instructor_ids=array(teachers),
            room_ids=array(room_ids),
            **bounds,
        ),
        tuples(_CLASSES, _Class, type_ids=array(seats_of), classes_from=from_, classes_until=until)
        if seats_of
        else _NO_CLASSES,
        own if together else _NO_LESSONS,
        beside,
    )
    if not together and question.student_id is not None:
        async with seeing_everything(session):
            [lessons] = await read(session, own)
    instructors, rooms, starts, of_type = _by_resource(sessions, teachers, room_ids, limited=limited)
    classes = _by_type(of_classes, seats_of, await _given_up(session, of_classes))
    student: list[Interval] = []
    of_student: defaultdict[uuid.UUID, list[int]] = defaultdict(list)
    for start, end, type_id in lessons:
        student.append((start, end))
        of_student[type_id].append(start)
    return [
        Taken(
            Booked(
                instructors=instructors,
                rooms=rooms,
                student=student,
                starts_of_type=of_type.get(timetable.question.type.id, {}),
                starts_of_all_types=starts,
                starts_of_student=of_student.get(timetable.question.type.id, ()),
            ),
            classes.get(timetable.question.type.id, []),
        )
        for timetable in timetables
    ], read_beside


def _by_resource(
    sessions: Sequence[_Session],
    teachers: Collection[uuid.UUID],
    room_ids: Collection[uuid.UUID],
    *,
    limited: bool,
) -> tuple[
    dict[uuid.UUID, list[Interval]],
    dict[uuid.UUID, list[Interval]],
    dict[uuid.UUID, list[int]],
    dict[uuid.UUID, dict[uuid.UUID, list[int]]],
]:
    """Blocked time by instructor and by room; starts by instructor, and by type and instructor, for limits."""
    teacher_of, room_of = {str(id_): id_ for id_ in teachers}, {str(id_): id_ for id_ in room_ids}
    instructors: defaultdict[str, list[Interval]] = defaultdict(list)
    rooms: defaultdict[str, list[Interval]] = defaultdict(list)
    starts: defaultdict[uuid.UUID, list[int]] = defaultdict(list)
    of_type: defaultdict[str, defaultdict[uuid.UUID, list[int]]] = defaultdict(lambda: defaultdict(list))
    for instructor, room, type_, start, blocked_from, blocked_until in sessions:
        if instructor in teacher_of:
            instructors[instructor].append((blocked_from, blocked_until))
            if limited:
                starts[teacher_of[instructor]].append(start)
                of_type[type_][teacher_of[instructor]].append(start)
        if room in room_of:
            rooms[room].append((blocked_from, blocked_until))
    return (
        {teacher_of[id_]: found for id_, found in instructors.items()},
        {room_of[id_]: found for id_, found in rooms.items()},
        dict(starts),
        {uuid.UUID(id_): dict(by) for id_, by in of_type.items()},
    )


async def _given_up(session: AsyncSession, classes: Sequence[_Class]) -> dict[uuid.UUID, int]:
    stale = [row.session_id for row in classes if row.stale]
    if not stale:
        return {}
    async with as_the_school(session):
        return dict((await session.execute(_GIVEN_UP, {"session_ids": stale})).all())


def _by_type(
    classes: Sequence[_Class], seats_of: Mapping[uuid.UUID, Timetable], given_up: Mapping[uuid.UUID, int]
) -> dict[uuid.UUID, list[Seats]]:
    found: defaultdict[uuid.UUID, list[Seats]] = defaultdict(list)
    for id_, type_id, instructor_id, location_id, start, end, left, _stale in classes:
        timetable = seats_of[type_id]
        asked_for = timetable.question
        instructor = timetable.instructors.get(instructor_id)
        # Somebody who left teaches no more, and nobody takes a seat in their own class.
        if instructor is None or instructor_id == asked_for.student_id or asked_for.type.archived_at:
            continue
        if asked_for.instructor_id in (None, instructor_id) and asked_for.location_id in (None, location_id):
            found[type_id].append(
                Seats(
                    id_,
                    instructor_id,
                    instructor.time_zone,
                    location_id,
                    start,
                    end,
                    left + int(given_up.get(id_, 0)),
                )
            )
    return found


def _has_limits(timetable: Timetable) -> bool:
    rules = timetable.rules
    return any(
        limit is not None
        for limit in (
            rules.day_limit,
            rules.week_limit,
            rules.student_day_limit,
            rules.student_week_limit,
            *(limit for schedule in timetable.schedules for limit in (schedule.day_limit, schedule.week_limit)),
        )
    )
