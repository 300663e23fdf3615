"""Writing a booking: the database has the last word on every seat and every hour.

Rows are inserted with ``ON CONFLICT DO NOTHING`` on the exclusion constraints,
and a seat in a class is taken by the row of its session.  Whoever loses waits
for the winner's commit, gets no row back and goes on; nothing is rolled back to
learn that, and nothing deadlocks.  See docs/decisions/0004-no-overlap.md.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.errors import StudentBusy
from coursecove.bookings.references import new_reference
from coursecove.bookings.requests import Request
from coursecove.bookings.seats import leave_list
from coursecove.bookings.sight import seeing_everything
from coursecove.bookings.timetable import LONGEST_LESSON
from coursecove.db.session import organization_of
from coursecove.db.together import send
from coursecove.events import FACT_OF, fact_of, wake
from coursecove.i18n import _
from coursecove.scheduling.rules import Slot

_REFERENCE_ATTEMPTS = 5

_SEATED = f"""
seated as (
  insert into bookings (organization_id, id, reference, session_id, instructor_id, student_id, booked_by_id,
                        starts_at, ends_at, confirmed_at, held_until, approve_by, cancellation_notice_minutes,
                        reschedule_notice_minutes, most_reschedules, note, answers, address, postcode,
                        travel_minutes, price_cents, currency, rules_overridden, overridden_rules)
  select organization_id, %(booking_id)s, %(reference)s, id, instructor_id, %(student_id)s, %(booked_by_id)s,
         %(starts_at)s, %(ends_at)s,
         case when cast(%(approve_by)s as timestamptz) is null and cast(%(hold_minutes)s as integer) is null
              then now() end,
         statement_timestamp() + make_interval(mins => %(hold_minutes)s), %(approve_by)s,
         %(cancellation_notice_minutes)s, %(reschedule_notice_minutes)s, %(most_reschedules)s, %(note)s,
         cast(%(answers)s as jsonb), %(address)s, %(postcode)s,
         %(travel_minutes)s, %(price_cents)s, %(currency)s, %(rules_overridden)s,
         cast(%(overridden_rules)s as text[])
  from taught
  on conflict do nothing returning id
), {FACT_OF} seated
)
select (select id from taught), (select id from seated)
"""  # noqa: S608 - of constants
# One round trip for session, booking and what happened.  A lost session leaves nothing to seat; a session
# without a seat comes back as (id, null).
_NEW_SESSION = """
with taught as (
  insert into sessions (organization_id, id, appointment_type_id, instructor_id, location_id, room_id,
                        starts_at, ends_at, blocked_from, blocked_until, held_until)
  values (%(organization_id)s, %(session_id)s, %(appointment_type_id)s, %(instructor_id)s, %(location_id)s,
          %(room_id)s, %(starts_at)s, %(ends_at)s, %(blocked_from)s, %(blocked_until)s,
          statement_timestamp() + make_interval(mins => %(hold_minutes)s))
  on conflict do nothing returning organization_id, id, instructor_id
), """
# The row lock decides: whoever waits counts again what the first one left.
_ONE_SEAT = """
with taught as (
  update sessions set seats_taken = seats_taken + 1,
    held_until = least(held_until, statement_timestamp() + make_interval(mins => %(hold_minutes)s))
  where id = %(session_id)s and cancelled_at is null and seats_taken < capacity
  returning organization_id, id, instructor_id
), """
_TAKE = "".join([_NEW_SESSION, _SEATED])
_TAKE_SEAT = "".join([_ONE_SEAT, _SEATED])
_STUDENT_OVERLAPS = text("""
select exists (select from bookings where student_id = :student_id and starts_at < :ends_at
               and starts_at >= :earliest and ends_at > :starts_at and cancelled_at is null)
""")
_INSTRUCTOR_OVERLAPS = text("""
select exists (select from sessions where instructor_id = :instructor_id and starts_at >= :earliest
               and starts_at < :latest and blocked_from < :blocked_until and blocked_until > :blocked_from
               and cancelled_at is null)
""")
_RELEASE = text("update sessions set cancelled_at = now(), seats_taken = 0 where id = :session_id")
_RELEASE_SEAT = text("update sessions set seats_taken = seats_taken - 1 where id = :session_id")


async def take(session: AsyncSession, request: Request, slot: Slot) -> uuid.UUID | None:
    """Write session and booking in the first of the slot's rooms that is free, or take a seat in a class.

    None when somebody else has the instructor, every room, or the last seat.
    Raises :class:`StudentBusy` when the student has been booked elsewhere in
    the meantime.
    """
    if slot.session_id is not None:
        return await _seat(session, request, slot, _TAKE_SEAT, room_id=None)
    for number, room_id in enumerate(slot.rooms or (None,)):
        # Another room is no help when it was the instructor who was lost.
        if number and await instructor_is_busy(session, slot):
            return None
        booking_id = await _seat(session, request, slot, _TAKE, room_id=room_id)
        if booking_id is not None:
            return uuid.UUID(str(booking_id))
    return None


async def instructor_is_busy(session: AsyncSession, slot: Slot) -> bool:
    """Say whether a lesson stands in the way of the slot's instructor, buffers included."""
    values = {
        "instructor_id": slot.instructor_id,
        "blocked_from": slot.blocked_from,
        "blocked_until": slot.blocked_until,
        "earliest": slot.blocked_from - timedelta(hours=18),
        "latest": slot.blocked_until + timedelta(hours=6),
    }
    return bool(await session.scalar(_INSTRUCTOR_OVERLAPS, values))


async def _seat(
    session: AsyncSession, request: Request, slot: Slot, statement: str, *, room_id: uuid.UUID | None
) -> uuid.UUID | None:
    # A caught failure may still commit: whatever is raised below leaves no blocked time behind.
    for _attempt in range(_REFERENCE_ATTEMPTS):
        values = _values(session, request, slot, room_id=room_id)
        values |= _fact(session, request, values, in_class=statement is _TAKE_SEAT)
        [[(session_id, booking_id)]] = await send(session, [statement], values)
        if session_id is None:
            return None
        if booking_id is not None:
            wake(session, values["fact_id"])
            if slot.session_id is not None:
                await leave_list(session, slot.session_id, request.student_id)
            return uuid.UUID(str(booking_id))
        release = _RELEASE_SEAT if statement is _TAKE_SEAT else _RELEASE
        await session.execute(release, {"session_id": session_id})
        overlap = {
            "student_id": request.student_id,
            "starts_at": slot.starts_at,
            "ends_at": slot.ends_at,
            "earliest": slot.starts_at - LONGEST_LESSON,
        }
        async with seeing_everything(session):
            busy = await session.scalar(_STUDENT_OVERLAPS, overlap)
        if busy:
            raise student_busy(own=request.student_id == request.by.id)
        # Otherwise the reference was taken: one in a million million, and the next one is not.
    raise RuntimeError("five random references in a row were taken")


def student_busy(*, own: bool) -> StudentBusy:
    """Return the refusal in words for the student, or for staff who act for them."""
    return StudentBusy(
        _("You have another lesson at this time.") if own else _("The student has another lesson at this time.")
    )


def approval_deadline(within_minutes: int, starts_at: datetime) -> datetime:
    """Return until when staff may confirm a request made now; a lesson that starts is past asking."""
    return min(clock.now() + timedelta(minutes=within_minutes), starts_at)


def _values(
    session: AsyncSession, request: Request, slot: Slot, *, room_id: uuid.UUID | None
) -> dict[str, Any]:
    type_ = request.type
    asks = type_.requires_approval and not request.exempt
    return {
        "organization_id": organization_of(session),
        "session_id": slot.session_id or uuid.uuid4(),
        "booking_id": uuid.uuid4(),
        "appointment_type_id": type_.id,
        "instructor_id": slot.instructor_id,
        "location_id": slot.location_id,
        "room_id": room_id,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "blocked_from": slot.blocked_from,
        "blocked_until": slot.blocked_until,
        "reference": new_reference(),
        "student_id": request.student_id,
        "booked_by_id": request.by.id,
        "hold_minutes": request.hold_minutes,
        "approve_by": approval_deadline(type_.approve_within_minutes, slot.starts_at) if asks else None,
        "cancellation_notice_minutes": type_.cancellation_notice_minutes,
        "reschedule_notice_minutes": type_.reschedule_notice_minutes,
        "most_reschedules": type_.most_reschedules,
        "note": request.note,
        "answers": msgspec.json.encode(request.answers).decode(),
        "address": request.address,
        "postcode": request.postcode,
        "travel_minutes": request.travel_minutes,
        "price_cents": type_.price_cents,
        "currency": type_.currency if type_.price_cents is not None else None,
        "rules_overridden": bool(slot.overridden),
        "overridden_rules": [str(rule) for rule in slot.overridden],
    }


def _fact(session: AsyncSession, request: Request, values: dict[str, Any], *, in_class: bool) -> dict[str, Any]:
    if request.hold_minutes is not None:
        action = "hold.placed"
    else:
        action = "booking.requested" if values["approve_by"] else "booking.confirmed"
    return fact_of(
        session,
        action,
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
            "room_id": str(values["room_id"]) if values["room_id"] else None,
            "starts_at": values["starts_at"].isoformat(),
            "ends_at": values["ends_at"].isoformat(),
            "rules_overridden": values["rules_overridden"],
            "overridden_rules": values["overridden_rules"],
            "in_class": in_class,
            **request.trail,
        },
    )
