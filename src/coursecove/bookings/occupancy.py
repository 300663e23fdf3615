"""What is booked, read for the slot engine: blocked time, seats, and the student's own lessons.

One set-based read per table, however many instructors and types are asked about.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.sight import as_the_school, seeing_everything
from coursecove.bookings.timetable import LONGEST_BUFFER, LONGEST_LESSON, Timetable
from coursecove.scheduling.intervals import Interval
from coursecove.scheduling.rules import Booked, Seats

# Limits count whole weeks, and a local week differs from UTC's by a day at most.
_AROUND_A_WEEK = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is booked, and for a class the sessions of it that are on the calendar."""

    booked: Booked = field(default_factory=Booked)
    classes: list[Seats] = field(default_factory=list)


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
  and starts_at >= :earliest and starts_at < :latest and blocked_until > :from
  and cancelled_at is null and {_IN_THE_WAY} and not id = any(cast(:ignoring as uuid[]))
"""
_SESSIONS = text(f"{_COLUMNS} where instructor_id = any(:instructor_ids) {_BOUNDS}")
_SESSIONS_AND_ROOMS = text(f"""
{_COLUMNS} where instructor_id = any(:instructor_ids) {_BOUNDS}
union all
{_COLUMNS} where room_id = any(:room_ids) and not instructor_id = any(:instructor_ids) {_BOUNDS}
""")
_CLASSES = text("""
select id, appointment_type_id, instructor_id, location_id, floor(extract(epoch from starts_at))::bigint,
       floor(extract(epoch from ends_at))::bigint, capacity - seats_taken,
       held_until <= statement_timestamp()
from sessions
where appointment_type_id = any(:type_ids) and starts_at >= :from and starts_at < :until
  and cancelled_at is null and not id = any(cast(:ignoring as uuid[]))
""")
_STUDENTS = text("""
select floor(extract(epoch from bookings.starts_at))::bigint,
       ceil(extract(epoch from bookings.ends_at))::bigint, sessions.appointment_type_id
from bookings
join sessions on sessions.organization_id = bookings.organization_id and sessions.id = bookings.session_id
where bookings.student_id = :student_id and bookings.starts_at >= :earliest and bookings.starts_at < :latest
  and bookings.ends_at > :from and bookings.cancelled_at is null
  and (bookings.held_until is null or bookings.held_until > statement_timestamp())
  and not bookings.session_id = any(cast(:ignoring as uuid[]))
""")


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


async def taken_of(session: AsyncSession, timetable: Timetable, *, from_: datetime, until: datetime) -> Taken:
    """Return what is booked for one timetable; see :func:`taken_of_many`."""
    return (await taken_of_many(session, [timetable], from_=from_, until=until))[0]


async def taken_of_many(
    session: AsyncSession, timetables: Sequence[Timetable], *, from_: datetime, until: datetime
) -> list[Taken]:
    """Read what is booked around lessons that start in ``[from_, until)``; a fresh look every time.

    The timetables are those of one student (or none) and of one lesson that is moved (or none).
    """
    if not timetables:
        return []
    question = timetables[0].question
    limited = any(_has_limits(timetable) for timetable in timetables)
    before = max(timetable.rules.before for timetable in timetables)
    after = max(timetable.rules.duration + timetable.rules.after for timetable in timetables)
    first = from_ - (_AROUND_A_WEEK if limited else timedelta(seconds=before))
    bounds = {
        "from": first,
        "earliest": first - LONGEST_LESSON - LONGEST_BUFFER,
        "latest": until + timedelta(seconds=after) + (_AROUND_A_WEEK if limited else LONGEST_BUFFER),
        "ignoring": list(question.ignored),
    }
    instructors, rooms, starts, of_type = await _read_sessions(session, timetables, bounds)
    student: list[Interval] = []
    of_student: defaultdict[uuid.UUID, list[int]] = defaultdict(list)
    if question.student_id is not None:
        async with seeing_everything(session):
            rows = await session.execute(_STUDENTS, {"student_id": question.student_id, **bounds})
        for start, end, type_id in rows:
            student.append((start, end))
            of_student[type_id].append(start)
    classes = await _read_classes(session, timetables, from_=from_, until=until)
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
    ]


async def _read_sessions(
    session: AsyncSession, timetables: Sequence[Timetable], bounds: dict[str, Any]
) -> tuple[
    dict[uuid.UUID, list[Interval]],
    dict[uuid.UUID, list[Interval]],
    dict[uuid.UUID, list[int]],
    dict[uuid.UUID, dict[uuid.UUID, list[int]]],
]:
    """Blocked time by instructor and by room; starts by instructor, and by type and instructor."""
    instructors: defaultdict[uuid.UUID, list[Interval]] = defaultdict(list)
    rooms: defaultdict[uuid.UUID, list[Interval]] = defaultdict(list)
    starts: defaultdict[uuid.UUID, list[int]] = defaultdict(list)
    of_type: defaultdict[uuid.UUID, defaultdict[uuid.UUID, list[int]]]
    of_type = defaultdict(lambda: defaultdict(list))
    teachers = {schedule.instructor_id for timetable in timetables for schedule in timetable.schedules}
    if teachers:
        room_ids = set[uuid.UUID]().union(*(timetable.room_ids for timetable in timetables))
        asked = {"instructor_ids": list(teachers), **bounds}
        rows = await (
            session.execute(_SESSIONS_AND_ROOMS, {"room_ids": list(room_ids), **asked})
            if room_ids
            else session.execute(_SESSIONS, asked)
        )
        for instructor_id, room_id, type_id, start, blocked_from, blocked_until in rows:
            if instructor_id in teachers:
                instructors[instructor_id].append((blocked_from, blocked_until))
                starts[instructor_id].append(start)
                of_type[type_id][instructor_id].append(start)
            if room_id in room_ids:
                rooms[room_id].append((blocked_from, blocked_until))
    return dict(instructors), dict(rooms), dict(starts), {id_: dict(by) for id_, by in of_type.items()}


async def _read_classes(
    session: AsyncSession, timetables: Sequence[Timetable], *, from_: datetime, until: datetime
) -> dict[uuid.UUID, list[Seats]]:
    seats_of = {t.question.type.id: t for t in timetables if t.question.wants_a_seat}
    found: defaultdict[uuid.UUID, list[Seats]] = defaultdict(list)
    if not seats_of:
        return {}
    question = timetables[0].question
    asked = {
        "type_ids": list(seats_of),
        "from": from_,
        "until": until,
        "ignoring": list(question.ignored),
    }
    rows = (await session.execute(_CLASSES, asked)).all()
    given_up: dict[uuid.UUID, int] = {}
    if stale := [row[0] for row in rows if row[-1]]:
        async with as_the_school(session):
            given_up = dict((await session.execute(_GIVEN_UP, {"session_ids": stale})).all())
    for id_, type_id, instructor_id, location_id, start, end, left, _stale in rows:
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
