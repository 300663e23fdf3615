"""What the slot engine needs to know, read from the database.

One set-based read per table, however many instructors there are: who teaches
the type, their hours, the places, their blocked time, the student's own
lessons.  The engine (`scheduling.slots`) does the rest without I/O.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.bookings.schemas import PersonSummary, PlaceSummary, SlotView
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import WindowView
from coursecove.scheduling.slots import Interval, Rules, Schedule, Slot, Window
from coursecove.tenants import service as tenants

# No session is longer, and nothing around it (buffer and way to a student together):
# a check on the table says so.  What can reach into a window therefore starts at most
# this much before it.
LONGEST_LESSON = timedelta(minutes=720)
LONGEST_BUFFER = timedelta(minutes=360)

# Staff may book past a type's horizon, within reason.
_STAFF_HORIZON_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Timetable:
    """Who teaches a type, when and where; nothing in it depends on what is booked."""

    schedules: tuple[Schedule, ...]
    people: dict[uuid.UUID, PersonSummary]
    places: dict[uuid.UUID, PlaceSummary]


@dataclass(frozen=True, slots=True)
class BusyTimes:
    """Blocked time per instructor, buffers included, and the taught time of the student's own lessons."""

    instructors: dict[uuid.UUID, list[Interval]] = field(default_factory=dict)
    student: list[Interval] = field(default_factory=list)


def rules_of(type: AppointmentTypeView, *, exempt: bool = False) -> Rules:  # noqa: A002 - the word for it
    """Return the engine's rules of a type; ``exempt`` leaves out notice and horizon, as staff may."""
    return Rules(
        duration_minutes=type.duration_minutes,
        buffer_before_minutes=type.buffer_before_minutes,
        buffer_after_minutes=type.buffer_after_minutes,
        start_interval_minutes=type.start_interval_minutes,
        minimum_notice_minutes=0 if exempt else type.minimum_notice_minutes,
        horizon_days=_STAFF_HORIZON_DAYS if exempt else type.horizon_days,
    )


async def timetable_of(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    student_id: uuid.UUID | None = None,
) -> Timetable:
    """Read who teaches the type, narrowed to one instructor or location if asked for.

    Nobody is on the timetable of an archived type, and nobody teaches themselves.
    A window bound to a location counts only for lessons taught there, so never
    for one online; a window without a location stands for the type's first one
    by name, or for the one asked for.
    """
    wanted = {instructor_id} & set(type.instructor_ids) if instructor_id else set(type.instructor_ids)
    wanted -= {student_id}
    places: list[LocationView] = []
    if type.location_mode == "in_person":
        taught_at = set(type.location_ids)
        places = [
            place
            for place in await appointments.list_locations(session)
            if place.id in taught_at and location_id in (None, place.id)
        ]
    elsewhere = not places and (type.location_mode == "in_person" or location_id is not None)
    if type.archived_at or elsewhere or not wanted:
        return Timetable((), {}, {})
    instructors = await tenants.instructors_by_id(session, wanted)
    hours = await scheduling.hours_of_many(session, list(instructors))
    known = {place.id for place in places}
    fallback = places[0].id if places else None
    return Timetable(
        schedules=tuple(
            Schedule(
                instructor_id=instructor.id,
                time_zone=instructor.time_zone,
                windows=tuple(_windows(hours.get(instructor.id, ()), known, fallback)),
            )
            for instructor in instructors.values()
        ),
        people={
            instructor.id: PersonSummary(instructor.id, instructor.name, instructor.image_url)
            for instructor in instructors.values()
        },
        places={
            place.id: PlaceSummary(
                place.id, place.slug, place.name, place.address, place.directions, place.time_zone
            )
            for place in places
        },
    )


def _windows(
    hours: Iterable[WindowView], known: set[uuid.UUID], fallback: uuid.UUID | None
) -> Iterable[Window]:
    for window in hours:
        if window.location_id is None or window.location_id in known:
            at = window.location_id or fallback
            yield Window(window.weekday, window.starts_minute, window.ends_minute, at)


# Bounds on both sides of a btree.  `during && …` would be the natural question,
# but under a row-level policy the planner does not push it into an index.
_INSTRUCTORS_BUSY = text("""
select instructor_id, floor(extract(epoch from blocked_from))::bigint,
       ceil(extract(epoch from blocked_until))::bigint
from sessions
where instructor_id = any(:instructor_ids) and starts_at >= :earliest and starts_at < :latest
  and blocked_until > :from and cancelled_at is null
""")
_STUDENT_BUSY = text("""
select floor(extract(epoch from starts_at))::bigint, ceil(extract(epoch from ends_at))::bigint
from bookings
where student_id = :student_id and starts_at >= :earliest and starts_at < :latest
  and ends_at > :from and cancelled_at is null
""")


async def busy_times(
    session: AsyncSession,
    timetable: Timetable,
    rules: Rules,
    *,
    from_: datetime,
    until: datetime,
    student_id: uuid.UUID | None = None,
) -> BusyTimes:
    """Read what is booked around lessons that start in ``[from_, until)``; a fresh look every time."""
    busy = BusyTimes()
    if timetable.schedules:
        rows = await session.execute(
            _INSTRUCTORS_BUSY,
            {
                "instructor_ids": list(timetable.people),
                "from": from_ - timedelta(seconds=rules.buffer_before),
                "earliest": from_ - timedelta(seconds=rules.buffer_before) - LONGEST_LESSON - LONGEST_BUFFER,
                "latest": until + timedelta(seconds=rules.duration + rules.buffer_after) + LONGEST_BUFFER,
            },
        )
        for instructor_id, start, end in rows:
            busy.instructors.setdefault(instructor_id, []).append((start, end))
    if student_id is not None:
        rows = await session.execute(
            _STUDENT_BUSY,
            {
                "student_id": student_id,
                "from": from_,
                "earliest": from_ - LONGEST_LESSON,
                "latest": until + timedelta(seconds=rules.duration),
            },
        )
        busy.student.extend((start, end) for start, end in rows)
    return busy


def slot_views(timetable: Timetable, slots: Iterable[Slot]) -> list[SlotView]:
    """Return slots, which come sorted by start, as one view per time and place with everybody free at it."""
    grouped: dict[tuple[datetime, uuid.UUID | None], list[Slot]] = {}
    for slot in slots:
        grouped.setdefault((slot.starts_at, slot.location_id), []).append(slot)
    views = [
        SlotView(
            starts_at=starts_at,
            ends_at=group[0].ends_at,
            location=timetable.places[location_id] if location_id else None,
            instructors=sorted(
                (timetable.people[slot.instructor_id] for slot in group), key=lambda p: (p.name, p.id)
            ),
        )
        for (starts_at, location_id), group in grouped.items()
    ]
    return sorted(views, key=lambda view: (view.starts_at, view.location.name if view.location else ""))
