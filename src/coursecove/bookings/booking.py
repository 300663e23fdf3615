"""Booking a lesson.

The engine that offers times judges the wanted one again, and the database has
the last word: both rows are inserted with ``ON CONFLICT DO NOTHING`` on the
exclusion constraints.  Whoever loses waits for the winner's commit, gets no row
back and goes on; nothing is rolled back to learn that, and nothing deadlocks.
See docs/decisions/0004-no-overlap.md.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import UNSET
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.availability import alternatives
from coursecove.bookings.errors import InstructorNotQualified, SlotNotOffered, SlotTaken, StudentBusy
from coursecove.bookings.references import new_reference
from coursecove.bookings.schemas import BookingCreate, BookingView
from coursecove.bookings.texts import checked_text
from coursecove.bookings.timetable import LONGEST_LESSON, Timetable, busy_times, rules_of, timetable_of
from coursecove.bookings.views import find_view
from coursecove.db.session import organization_of
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.events import track
from coursecove.scheduling import zones
from coursecove.scheduling.slots import Reason, Refusal, Rules, Slot, accepts
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

# What is told when several instructors refuse for different reasons: the one
# the person can do most about.
_TELLING = (
    Reason.STUDENT_BUSY,
    Reason.TAKEN,
    Reason.NOT_ON_GRID,
    Reason.OUTSIDE_HOURS,
    Reason.TOO_FAR,
    Reason.TOO_SOON,
)
_REFERENCE_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class _Request:
    """A booking that has been checked against everything but time."""

    type: AppointmentTypeView
    student_id: uuid.UUID
    by: Member
    starts_at: datetime
    # Staff who book for a student are exempt from notice and horizon.
    exempt: bool
    note: str


async def book(session: AsyncSession, data: BookingCreate, *, by: Member) -> BookingView:
    """Book a lesson for ``by``, or, as staff, for a student; return it as ``by`` sees it.

    Without an instructor, the free one with the fewest lessons in that local
    week gets it.  Staff who book for a student are exempt from notice and
    horizon, which is recorded, and from nothing else.

    Raises :class:`SlotTaken` or :class:`SlotNotOffered` with the nearest free
    times, :class:`StudentBusy`, :class:`InstructorNotQualified`, Forbidden for
    somebody else's lessons, and Invalid at the field that cannot be used.
    """
    request = await _checked(session, data, by=by)
    instructor_id = data.instructor_id
    if request.exempt and by.role == "instructor":
        if instructor_id not in (None, by.id):
            raise Forbidden("Instructors book their own lessons only.")
        instructor_id = by.id
    if instructor_id is not None and instructor_id not in request.type.instructor_ids:
        raise InstructorNotQualified(
            fields={"instructor_id": f"Choose somebody who teaches {request.type.name}, or anyone."}
        )
    timetable = await timetable_of(
        session,
        request.type,
        instructor_id=instructor_id,
        location_id=data.location_id,
        student_id=request.student_id,
    )
    rules = rules_of(request.type, exempt=request.exempt)
    for slot in await _acceptable(session, request, timetable, rules, location_id=data.location_id):
        overridden = request.exempt and _needs_exemption(request, timetable, slot)
        booking_id = await _take(session, request, slot, overridden=overridden)
        if booking_id is not None:
            return await find_view(session, booking_id=booking_id, viewer=by)
    raise SlotTaken(
        await alternatives(session, timetable, rules, request.starts_at, student_id=request.student_id)
    )


async def _checked(session: AsyncSession, data: BookingCreate, *, by: Member) -> _Request:
    """Check everything but the time: the type, the place, and for whom the lesson is."""
    if data.starts_at.tzinfo is None:
        raise Invalid(fields={"starts_at": "Say which time zone this time is in."})
    try:
        starts_at = data.starts_at.astimezone(UTC)
    except OverflowError:
        raise Invalid(fields={"starts_at": "Choose a time within the calendar."}) from None
    for_another = data.student_id is not None and data.student_id != by.id
    if for_another and by.role == "student":
        raise Forbidden("You can book lessons for yourself only.")
    student_id = data.student_id or by.id
    if for_another:
        try:
            await tenants.get_member(session, student_id)
        except NotFound:
            raise Invalid(fields={"student_id": "Choose somebody who belongs to this school."}) from None
    return _Request(
        type=await _bookable_type(session, data, by=by),
        student_id=student_id,
        by=by,
        starts_at=starts_at,
        exempt=for_another,
        note=checked_text(data.note, field="note", longest=1000),
    )


async def _bookable_type(session: AsyncSession, data: BookingCreate, *, by: Member) -> AppointmentTypeView:
    try:
        type = await appointments.get_type(session, data.appointment_type_id)  # noqa: A001 - the word for it
    except NotFound:
        type = None  # noqa: A001
    if type is None or type.archived_at or (by.role == "student" and not type.published_at):
        raise Invalid(fields={"appointment_type_id": "Choose a lesson this school offers."})
    if data.location_id is not None and data.location_id not in type.location_ids:
        raise Invalid(
            fields={
                "location_id": "This lesson is online: leave the location out."
                if type.location_mode == "online"
                else f"Choose a location where {type.name} is taught."
            }
        )
    return type


async def _acceptable(
    session: AsyncSession,
    request: _Request,
    timetable: Timetable,
    rules: Rules,
    *,
    location_id: uuid.UUID | None,
) -> list[Slot]:
    """Return the slots the engine accepts at the wanted start, the best instructor first; raise when none."""
    starts_at, now = request.starts_at, clock.now()
    # No schedule answers for times a calendar cannot be computed at.
    within = now - timedelta(days=1) <= starts_at <= now + timedelta(days=rules.horizon_days + 2)
    if not within or not timetable.schedules:
        refused: Counter[Reason] = Counter([Reason.TOO_SOON if starts_at < now else Reason.TOO_FAR])
        accepted: list[Slot] = []
    else:
        busy = await busy_times(
            session,
            timetable,
            rules,
            from_=starts_at,
            until=starts_at + timedelta(seconds=1),
            student_id=request.student_id,
        )
        answers = [
            accepts(
                rules,
                schedule,
                busy.instructors,
                starts_at,
                now=now,
                student_busy=busy.student,
                location_id=location_id or UNSET,
            )
            for schedule in timetable.schedules
        ]
        accepted = [answer for answer in answers if isinstance(answer, Slot)]
        refused = Counter(answer.reason for answer in answers if isinstance(answer, Refusal))
    if accepted:
        return await _fairly(session, timetable, accepted)
    reason = next(reason for reason in _TELLING if reason in refused)
    if reason is Reason.STUDENT_BUSY:
        raise _student_busy(request)
    nearest = await alternatives(session, timetable, rules, starts_at, student_id=request.student_id)
    if reason is Reason.TAKEN:
        raise SlotTaken(nearest)
    raise SlotNotOffered(reason.value if timetable.schedules else "nobody_teaches", nearest)


def _student_busy(request: _Request) -> StudentBusy:
    who = "You have" if request.student_id == request.by.id else "The student has"
    return StudentBusy(f"{who} another lesson at this time.")


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


async def _fairly(session: AsyncSession, timetable: Timetable, free: list[Slot]) -> list[Slot]:
    """Sort by who has taught least: this local week, then lately, then by id so that the order is one."""
    if len(free) == 1:
        return free
    zone_of = {schedule.instructor_id: schedule.time_zone for schedule in timetable.schedules}
    weeks = [_local_week(zone_of[slot.instructor_id], slot.starts_at) for slot in free]
    rows = await session.execute(
        _LOADS,
        {
            "instructor_ids": [slot.instructor_id for slot in free],
            "weeks_from": [monday for monday, _ in weeks],
            "weeks_until": [next_monday for _, next_monday in weeks],
        },
    )
    loads = {instructor_id: (this_week, lately) for instructor_id, this_week, lately in rows}
    return sorted(free, key=lambda slot: (*loads[slot.instructor_id], slot.instructor_id))


def _local_week(time_zone: str, moment: datetime) -> tuple[datetime, datetime]:
    day = zones.local_day(time_zone, zones.to_instant(moment))
    monday = day - (day - 1) % 7  # ordinal 1 is a Monday
    return (
        zones.to_datetime(zones.opening(time_zone, monday, 0)),
        zones.to_datetime(zones.opening(time_zone, monday + 7, 0)),
    )


# One round trip for both rows.  A lost session leaves nothing to seat; a session
# without a seat comes back as (id, null).
_TAKE = text("""
with taught as (
  insert into sessions (organization_id, id, appointment_type_id, instructor_id, location_id,
                        starts_at, ends_at, blocked_from, blocked_until)
  values (:organization_id, :session_id, :appointment_type_id, :instructor_id, :location_id,
          :starts_at, :ends_at, :blocked_from, :blocked_until)
  on conflict do nothing returning organization_id, id
), seated as (
  insert into bookings (organization_id, id, reference, session_id, student_id, booked_by_id,
                        starts_at, ends_at, cancellation_notice_minutes, note, price_cents, currency,
                        rules_overridden)
  select organization_id, :booking_id, :reference, id, :student_id, :booked_by_id,
         :starts_at, :ends_at, :cancellation_notice_minutes, :note, :price_cents, :currency,
         :rules_overridden
  from taught
  on conflict do nothing returning id
)
select (select id from taught), (select id from seated)
""")
_STUDENT_OVERLAPS = text("""
select exists (select from bookings where student_id = :student_id and starts_at < :ends_at
               and starts_at >= :earliest and ends_at > :starts_at and cancelled_at is null)
""")
_RELEASE = text("update sessions set cancelled_at = now() where id = :session_id")


async def _take(session: AsyncSession, request: _Request, slot: Slot, *, overridden: bool) -> uuid.UUID | None:
    """Write session and booking; None when somebody else has the instructor's time.

    Raises :class:`StudentBusy` when the student has been booked elsewhere in the meantime.
    """
    type, by = request.type, request.by  # noqa: A001 - the word for it
    # A caught failure may still commit: whatever is raised below leaves no blocked time behind.
    for _ in range(_REFERENCE_ATTEMPTS):
        values: dict[str, Any] = {
            "organization_id": organization_of(session),
            "session_id": uuid.uuid4(),
            "booking_id": uuid.uuid4(),
            "appointment_type_id": type.id,
            "instructor_id": slot.instructor_id,
            "location_id": slot.location_id,
            "starts_at": slot.starts_at,
            "ends_at": slot.ends_at,
            "blocked_from": slot.blocked_from,
            "blocked_until": slot.blocked_until,
            "reference": new_reference(),
            "student_id": request.student_id,
            "booked_by_id": by.id,
            "cancellation_notice_minutes": type.cancellation_notice_minutes,
            "note": request.note,
            "price_cents": type.price_cents,
            "currency": type.currency if type.price_cents is not None else None,
            "rules_overridden": overridden,
        }
        session_id, booking_id = (await session.execute(_TAKE, values)).one()
        if session_id is None:
            return None
        if booking_id is not None:
            _track(session, request, values)
            return uuid.UUID(str(booking_id))
        await session.execute(_RELEASE, {"session_id": session_id})
        overlap = {
            "student_id": request.student_id,
            "starts_at": slot.starts_at,
            "ends_at": slot.ends_at,
            "earliest": slot.starts_at - LONGEST_LESSON,
        }
        if await session.scalar(_STUDENT_OVERLAPS, overlap):
            raise _student_busy(request)
        # Otherwise the reference was taken: one in a million million, and the next one is not.
    raise RuntimeError("five random references in a row were taken")


def _needs_exemption(request: _Request, timetable: Timetable, slot: Slot) -> bool:
    """Say whether a student could not have booked this: inside the notice, or past the horizon."""
    schedule = next(s for s in timetable.schedules if s.instructor_id == slot.instructor_id)
    return isinstance(accepts(rules_of(request.type), schedule, {}, slot.starts_at, now=clock.now()), Refusal)


def _track(session: AsyncSession, request: _Request, values: dict[str, Any]) -> None:
    track(
        session,
        "booking.confirmed",
        subject_type="booking",
        subject_id=values["booking_id"],
        actor_id=request.by.id,
        data={
            "reference": values["reference"],
            "revision": 0,
            "appointment_type_id": str(request.type.id),
            "instructor_id": str(values["instructor_id"]),
            "student_id": str(request.student_id),
            "location_id": str(values["location_id"]) if values["location_id"] else None,
            "starts_at": values["starts_at"].isoformat(),
            "ends_at": values["ends_at"].isoformat(),
            "rules_overridden": values["rules_overridden"],
        },
    )
