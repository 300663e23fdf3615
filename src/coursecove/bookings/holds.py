"""Holds: a time kept for whoever is about to book it, until they do or it runs out.

A hold is a booking that is not confirmed yet.  It has the time by the same
constraints as any lesson; what was promised (policies, price) is written on it
when it is placed.  Whether it has run out is for the clock of the database.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.booking import have
from coursecove.bookings.cancellation import give_back
from coursecove.bookings.errors import HoldExpired, TooManyHolds
from coursecove.bookings.expiry import note_next_end
from coursecove.bookings.facts import track_booking
from coursecove.bookings.requests import checked
from coursecove.bookings.rows import lock_booking
from coursecove.bookings.schemas import BookingCreate, BookingView, HoldConfirm, HoldCreate
from coursecove.bookings.taking import approval_deadline
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import find_view, is_staff_of
from coursecove.errors import Conflict, Forbidden, Invalid
from coursecove.i18n import _
from coursecove.tenants.models import Member

#: Long enough to answer a school's questions, short enough that nobody waits for an abandoned one.
HOLD_MINUTES = 10
#: How many times one person keeps at once.
MOST_HOLDS = 3

_HELD_BY = text("""
select count(*) from bookings
where booked_by_id = :member_id and held_until > statement_timestamp()
  and confirmed_at is null and cancelled_at is null
""")
# A class that is on the calendar stays there for everybody, whoever keeps a seat in it.
_KEPT = text("""
select bookings.session_id from bookings
join sessions on sessions.organization_id = bookings.organization_id and sessions.id = bookings.session_id
where booked_by_id = :member_id and bookings.held_until > statement_timestamp()
  and confirmed_at is null and bookings.cancelled_at is null and sessions.scheduled_by_id is null
""")
_CONFIRM = text("""
update bookings
set held_until = null, confirmed_at = case when cast(:approve_by as timestamptz) is null then now() end,
    approve_by = :approve_by, note = :note, answers = cast(:answers as jsonb), address = :address
where id = :booking_id and held_until > statement_timestamp()
returning id
""")


async def kept_by(session: AsyncSession, member_id: uuid.UUID) -> frozenset[uuid.UUID]:
    """Return the sessions that are kept for somebody: to them, and to nobody else, their times are free."""
    return frozenset(await session.scalars(_KEPT, {"member_id": member_id}))


async def hold(session: AsyncSession, data: HoldCreate, *, by: Member) -> BookingView:
    """Keep a time, or a seat in a class, for ten minutes; return it as ``by`` sees it, with ``held_until``.

    Every rule counts as for booking, and is not asked again when the hold is
    confirmed.  Raises what :func:`~.booking.book` raises, and
    :class:`TooManyHolds` for more than three at once (staff who serve others
    may have any number).
    """
    wanted = {name: getattr(data, name) for name in data.__struct_fields__}
    request = await checked(session, BookingCreate(**wanted), by=by, hold_minutes=HOLD_MINUTES)
    booking_id = await have(session, request)
    # After the lock that `have` took on whoever holds, and with the new one among them.
    held = await session.scalar(_HELD_BY, {"member_id": by.id}) or 0
    if held > MOST_HOLDS and by.role == "student":
        await _release(session, booking_id, by=by)
        raise TooManyHolds()
    return await find_view(session, booking_id=booking_id, viewer=by)


async def confirm_hold(
    session: AsyncSession, booking_id: uuid.UUID, data: HoldConfirm, *, by: Member
) -> BookingView:
    """Book what is held, with the answers the school wants; where lessons need approval it is a request then.

    Of a confirmation and the end of the hold one wins: raises
    :class:`HoldExpired` when it was the end, or when the hold was let go.
    Raises Invalid at the field, Forbidden to others who may see it, and
    NotFound.  Confirming again returns the booking.
    """
    view = await _find_own(session, booking_id, by=by)
    type_ = await appointments.get_type(session, view.appointment_type.id)
    taught, booking = await lock_booking(session, booking_id)
    if booking.held_until is None and booking.cancelled_at is None:
        return await find_view(session, booking_id=booking_id, viewer=by)
    values = _details(type_, view, booking, data, served=not view.is_own)
    asks = booking.approve_by is not None
    approve_by = approval_deadline(type_.approve_within_minutes, booking.starts_at) if asks else None
    confirmed = await session.scalar(_CONFIRM, {"booking_id": booking_id, "approve_by": approve_by, **values})
    if booking.cancelled_at is not None or confirmed is None:
        raise HoldExpired()
    await note_next_end(session, [taught.id])
    track_booking(
        session,
        "booking.requested" if asks else "booking.confirmed",
        booking,
        instructor_id=taught.instructor_id,
        revision=booking.revision,
        by_id=by.id,
        appointment_type_id=str(taught.appointment_type_id),
        location_id=str(taught.location_id) if taught.location_id else None,
        room_id=str(taught.room_id) if taught.room_id else None,
        rules_overridden=bool(view.overridden_rules),
        overridden_rules=list(view.overridden_rules),
        in_class=taught.scheduled_by_id is not None,
        held=True,
    )
    return await find_view(session, booking_id=booking_id, viewer=by)


async def release_hold(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> None:
    """Let go of a time that is held; one that has run out, or was let go, stays so.

    Raises Conflict for what is booked, Forbidden to others who may see it, and
    NotFound.
    """
    view = await _find_own(session, booking_id, by=by)
    if view.status not in ("held", "expired"):
        raise Conflict(_("This is booked, and not only kept for a moment. Cancel it instead."))
    await _release(session, booking_id, by=by)


async def _release(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> None:
    taught, booking = await lock_booking(session, booking_id)
    if booking.status != "held":
        return
    await give_back(session, taught, booking, by_id=by.id, reason=None)
    await note_next_end(session, [taught.id])


async def _find_own(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> BookingView:
    view = await find_view(session, booking_id=booking_id, viewer=by)
    if not view.is_own and not is_staff_of(by, view.instructor.id):
        raise Forbidden(_("This time is kept for somebody else."))
    return view


def _details(
    type_: AppointmentTypeView, view: BookingView, booking: Row[Any], data: HoldConfirm, *, served: bool
) -> dict[str, str]:
    """Return what is written down; ``served``: staff confirm for somebody, and may leave answers out."""
    address = checked_text(data.address, field="address", longest=400) or booking.address
    if type_.location_mode == "students_place" and not address:
        raise Invalid(fields={"address": _("Say where the lesson is.")})
    answers = appointments.check_answers(type_.questions, data.answers, complete=not served)
    return {
        "note": checked_text(data.note, field="note", longest=1000) or view.note,
        "answers": msgspec.json.encode(answers).decode(),
        "address": address if type_.location_mode == "students_place" else "",
    }
