"""Putting classes on the calendar, once or every week at the same time on the wall clock."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.acceptance import accept_start
from coursecove.bookings.class_schemas import ClassConflict, ClassCreate, ClassView
from coursecove.bookings.classes import classes_by_id
from coursecove.bookings.errors import BrokenRule, ClassNotScheduled, broken, in_words
from coursecove.bookings.expiry import around, let_go
from coursecove.bookings.locks import lock_resources
from coursecove.bookings.requests import check_place, check_qualified, checked_duration
from coursecove.bookings.taking import instructor_is_busy
from coursecove.db.session import organization_of
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.scheduling import zones
from coursecove.scheduling.rules import OVERRIDABLE, Reason, Slot
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

MOST_AT_ONCE = 60

_PUT = text("""
insert into sessions (organization_id, id, appointment_type_id, instructor_id, location_id, room_id,
                      starts_at, ends_at, blocked_from, blocked_until, capacity, seats_taken, scheduled_by_id)
values (:organization_id, :session_id, :appointment_type_id, :instructor_id, :location_id, :room_id,
        :starts_at, :ends_at, :blocked_from, :blocked_until, :capacity, 0, :scheduled_by_id)
on conflict do nothing returning id
""")


async def schedule_class(session: AsyncSession, data: ClassCreate, *, by: Member) -> list[ClassView]:
    """Put a class on the calendar at every time asked for, or at none; return them by start.

    Repeats keep the time on the wall clock of the location, or of the
    instructor for a class without one.  Every rule about hours, closures, time
    off, rooms and qualifications holds for each of the times; ``override_rules``
    passes what is not an overlap, which is recorded.  At most 60 at once.

    Admins may for everybody, instructors for themselves.  Raises
    :class:`ClassNotScheduled` with every time that does not work, Forbidden,
    InstructorNotQualified, and Invalid at the field.
    """
    type_, capacity, duration = await _checked(session, data, by=by)
    starts = await _starts(session, data, type_)
    places = [data.location_id] if data.location_id else type_.location_ids
    rooms = await appointments.list_rooms(session, location_ids=places) if places else []
    # Several sessions are written one after the other: whoever does that queues up.
    await lock_resources(session, members=[data.instructor_id], rooms=[room.id for room in rooms])
    await let_go(session, [window for start in starts for window in around(start, duration)])
    conflicts: list[ClassConflict] = []
    rules: list[BrokenRule] = []
    made: list[uuid.UUID] = []
    # Without a savepoint, whoever catches the refusal and commits would keep half of them.
    async with session.begin_nested() as attempt:
        for starts_at in starts:
            acceptance = await accept_start(
                session,
                type_,
                starts_at,
                instructor_id=data.instructor_id,
                location_id=data.location_id,
                room_id=data.room_id,
                duration_minutes=duration,
                exempt=True,
                override=data.override_rules,
                scheduling=True,
                people=capacity,
            )
            put, reason = None, acceptance.reason
            if acceptance.slots:
                put, reason = await _put(session, acceptance.slots[0], data, capacity=capacity, by=by)
            if put is not None:
                made.append(put)
                continue
            conflicts.append(ClassConflict(starts_at, reason, in_words(reason)))
            rules += broken([Reason(rule) for rule in acceptance.broken_rules] or [reason], OVERRIDABLE)
        if conflicts:
            await attempt.rollback()
    if conflicts:
        raise ClassNotScheduled(conflicts, list(dict.fromkeys(rules)))
    views = await classes_by_id(session, made, viewer=by)
    _track(session, views, data, by=by)
    return views


async def class_starts(session: AsyncSession, data: ClassCreate, *, by: Member) -> list[datetime]:
    """Return every start that is asked for, by start, whether or not it can be; refuses like scheduling."""
    type_, _capacity, _duration = await _checked(session, data, by=by)
    return await _starts(session, data, type_)


async def _checked(
    session: AsyncSession, data: ClassCreate, *, by: Member
) -> tuple[AppointmentTypeView, int, int]:
    if by.role == "student" or (by.role == "instructor" and data.instructor_id != by.id):
        raise Forbidden(_("Instructors put their own classes on the calendar, admins everybody's."))
    try:
        type_ = await appointments.get_type(session, data.appointment_type_id)
    except NotFound:
        type_ = None
    if type_ is None or type_.archived_at or type_.kind != "class":
        raise Invalid(fields={"appointment_type_id": _("Choose a class of this school.")})
    check_qualified(type_, data.instructor_id)
    await check_place(session, type_, location_id=data.location_id, room_id=data.room_id)
    if type_.location_mode == "in_person" and data.location_id is None and len(type_.location_ids) != 1:
        message = _("Choose a location where {type} is taught.").format(type=type_.name)
        raise Invalid(fields={"location_id": message})
    return type_, data.capacity or type_.capacity, checked_duration(type_, data.duration_minutes)


async def _starts(session: AsyncSession, data: ClassCreate, type_: AppointmentTypeView) -> list[datetime]:
    """Return every start asked for, in UTC, in order and each once."""
    zone = await _zone(session, data, type_)
    found: set[datetime] = set()
    for first in data.starts_at:
        if first.tzinfo is None or first.second or first.microsecond:
            raise Invalid(fields={"starts_at": _("Give whole minutes, and say which time zone they are in.")})
        try:
            found.update(_repeats(first.astimezone(UTC), zone, data.times, data.every_weeks))
        except (OverflowError, ValueError):
            raise Invalid(fields={"starts_at": _("Choose a time within the calendar.")}) from None
    if len(found) > MOST_AT_ONCE:
        message = _("At most {most} classes can be put on the calendar at once, and these are {count}.")
        raise Invalid(fields={"times": message.format(most=MOST_AT_ONCE, count=len(found))})
    if min(found) <= clock.now():
        raise Invalid(fields={"starts_at": _("This time has passed.")})
    return sorted(found)


async def _zone(session: AsyncSession, data: ClassCreate, type_: AppointmentTypeView) -> str:
    location_id = data.location_id or next(iter(type_.location_ids), None)
    if type_.location_mode == "in_person" and location_id is not None:
        return (await appointments.get_location(session, location_id)).time_zone
    return (await tenants.get_instructor(session, data.instructor_id)).time_zone


def _repeats(first: datetime, zone: str, times: int, every_weeks: int) -> Iterable[datetime]:
    """Yield ``first`` and the same time on the zone's clock in later weeks.

    One that the clocks skip moves to the change; one they show twice is the first.
    """
    yield first
    # What the wall clock shows, not what has elapsed since midnight: the clocks may change in between.
    shown = first.astimezone(ZoneInfo(zone))
    day = shown.toordinal()
    minute = shown.hour * 60 + shown.minute
    for week in range(1, times):
        yield zones.to_datetime(zones.opening(zone, day + 7 * every_weeks * week, minute))


async def _put(
    session: AsyncSession, slot: Slot, data: ClassCreate, *, capacity: int, by: Member
) -> tuple[uuid.UUID | None, str]:
    """Insert a class in the first room that is free; without one, None and what was lost."""
    for room_id in slot.rooms or (None,):
        values: dict[str, Any] = {
            "organization_id": organization_of(session),
            "session_id": uuid.uuid4(),
            "appointment_type_id": data.appointment_type_id,
            "instructor_id": slot.instructor_id,
            "location_id": slot.location_id,
            "room_id": room_id,
            "starts_at": slot.starts_at,
            "ends_at": slot.ends_at,
            "blocked_from": slot.blocked_from,
            "blocked_until": slot.blocked_until,
            "capacity": capacity,
            "scheduled_by_id": by.id,
        }
        session_id = await session.scalar(_PUT, values)
        if session_id is not None:
            return uuid.UUID(str(session_id)), ""
        if await instructor_is_busy(session, slot):
            return None, Reason.TAKEN.value
    return None, Reason.NO_ROOM.value


def _track(session: AsyncSession, views: list[ClassView], data: ClassCreate, *, by: Member) -> None:
    for view in views:
        track(
            session,
            "class.scheduled",
            subject_type="session",
            subject_id=view.id,
            actor_id=by.id,
            data={
                "appointment_type_id": str(view.appointment_type.id),
                "instructor_id": str(view.instructor.id),
                "location_id": str(view.location.id) if view.location else None,
                "room_id": str(view.room.id) if view.room else None,
                "starts_at": view.starts_at.isoformat(),
                "ends_at": view.ends_at.isoformat(),
                "capacity": view.capacity,
                "rules_overridden": data.override_rules,
            },
        )
