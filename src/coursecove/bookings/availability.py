"""The times a student may choose.

The same engine and the same reads as `booking` uses to accept a time, so that
everything offered is bookable.  What changes in between is another person's
booking, and that is answered with alternatives.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.schemas import Alternative, SlotView
from coursecove.bookings.timetable import BusyTimes, Timetable, busy_times, rules_of, slot_views, timetable_of
from coursecove.errors import Invalid
from coursecove.scheduling import slots, zones

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
    from_: datetime,
    until: datetime,
    student_id: uuid.UUID | None = None,
) -> list[SlotView]:
    """Return every bookable time that starts in ``[from_, until)``, by start and place.

    Both bounds are aware.  With ``student_id`` the times of that student's own
    lessons are left out.  An instructor who is not qualified, or a location the
    type is not taught at, simply has no times.
    """
    from_, until = _within_reach(type, from_, until)
    if from_ >= until:
        return []
    timetable = await timetable_of(
        session, type, instructor_id=instructor_id, location_id=location_id, student_id=student_id
    )
    rules = rules_of(type)
    busy = await busy_times(session, timetable, rules, from_=from_, until=until, student_id=student_id)
    return slot_views(timetable, _offers(rules, timetable, busy, from_, until))


async def free_days(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    month: date,
    zone: str,
    student_id: uuid.UUID | None = None,
) -> set[date]:
    """Return the days of ``month`` (any day of it), as ``zone`` counts days, on which something is free."""
    try:
        first = zones.to_datetime(zones.opening(zone, month.replace(day=1).toordinal(), 0))
        next_month = (month.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = zones.to_datetime(zones.opening(zone, next_month.toordinal(), 0))
    except ZoneInfoNotFoundError as error:
        raise Invalid(fields={"zone": "Choose a time zone such as Europe/Berlin."}) from error
    except (OverflowError, ValueError):
        return set()  # the first and the last month a calendar of ours can name
    from_, until = _within_reach(type, first, end)
    if from_ >= until:
        return set()
    timetable = await timetable_of(
        session, type, instructor_id=instructor_id, location_id=location_id, student_id=student_id
    )
    rules = rules_of(type)
    busy = await busy_times(session, timetable, rules, from_=from_, until=until, student_id=student_id)
    openings = slots.offer_starts(
        rules,
        timetable.schedules,
        busy.instructors,
        from_=from_,
        until=until,
        now=clock.now(),
        student_busy=busy.student,
    )
    return slots.free_days(openings, zone)


async def next_free(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    after: datetime,
    student_id: uuid.UUID | None = None,
) -> SlotView | None:
    """Return the first bookable time that starts at ``after`` or later; None within the whole horizon."""
    after, end = _within_reach(type, after, datetime.max.replace(tzinfo=after.tzinfo))
    if after >= end:
        return None
    timetable = await timetable_of(
        session, type, instructor_id=instructor_id, location_id=location_id, student_id=student_id
    )
    rules = rules_of(type)
    soon = min(after + _SOON, end)
    for from_, until in ((after, soon), (soon, end)):
        if not timetable.schedules or from_ >= until:
            continue
        busy = await busy_times(session, timetable, rules, from_=from_, until=until, student_id=student_id)
        found = _offers(rules, timetable, busy, from_, until)
        if found:
            return slot_views(timetable, [slot for slot in found if slot.starts_at == found[0].starts_at])[0]
    return None


async def alternatives(
    session: AsyncSession,
    timetable: Timetable,
    rules: slots.Rules,
    wanted: datetime,
    *,
    student_id: uuid.UUID,
) -> list[Alternative]:
    """Return up to five free times nearest to ``wanted``, each with one instructor, read afresh."""
    now = clock.now()
    wanted = min(max(wanted, now), now + timedelta(days=rules.horizon_days))
    for before, after in _NEARBY if timetable.schedules else ():
        from_ = max(wanted - before, now)
        until = wanted + after
        busy = await busy_times(session, timetable, rules, from_=from_, until=until, student_id=student_id)
        # The same time with another instructor is no other time, so one slot per start is kept.
        distinct = {slot.starts_at: slot for slot in reversed(_offers(rules, timetable, busy, from_, until))}
        near = slots.nearest(distinct.values(), wanted, ALTERNATIVES, now=now)
        if near:
            return [
                Alternative(
                    starts_at=slot.starts_at,
                    ends_at=slot.ends_at,
                    instructor=timetable.people[slot.instructor_id],
                    location=timetable.places[slot.location_id] if slot.location_id else None,
                )
                for slot in sorted(near, key=lambda slot: slot.starts_at)
            ]
    return []


def _offers(
    rules: slots.Rules, timetable: Timetable, busy: BusyTimes, from_: datetime, until: datetime
) -> list[slots.Slot]:
    return slots.offers(
        rules,
        timetable.schedules,
        busy.instructors,
        from_=from_,
        until=until,
        now=clock.now(),
        student_busy=busy.student,
    )


def _within_reach(type: AppointmentTypeView, from_: datetime, until: datetime) -> tuple[datetime, datetime]:  # noqa: A002
    """Cut a window to what the type could offer at most, so that no far date reaches the arithmetic."""
    now = clock.now()
    # The horizon counts local days, the last one included: two days more hold every zone's.
    return max(from_, now), min(until, now + timedelta(days=type.horizon_days + 2))
