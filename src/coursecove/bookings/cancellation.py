"""Cancelling a lesson."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings.errors import AlreadyCancelled, TooLateToCancel
from coursecove.bookings.facts import track_booking
from coursecove.bookings.rows import lock_booking
from coursecove.bookings.schemas import BookingCancel, BookingView
from coursecove.bookings.seats import give_seat_back
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import cancel_until, find_view, is_staff_of
from coursecove.errors import Conflict, Forbidden
from coursecove.i18n import _
from coursecove.tenants.models import Member

_CANCEL = text("""
update bookings set cancelled_at = now(), cancelled_by_id = :by_id, cancellation_reason = :reason,
                    revision = revision + 1
where id = :booking_id
""")


async def cancel(
    session: AsyncSession, booking_id: uuid.UUID, data: BookingCancel, *, by: Member
) -> BookingView:
    """Cancel a lesson and free the time, or one seat of a class; return it as ``by`` sees it.

    A student, or a child's guardian, may while ``start - now`` is at least the notice promised when the
    lesson was booked, this very instant included; a request that nobody has
    confirmed, until it would start.  Admins, and instructors in their own
    lessons, may until it is over; that they passed the cut-off is recorded.  Of
    two at once one cancels and the other gets :class:`AlreadyCancelled`.
    Raises :class:`TooLateToCancel`, and NotFound for a lesson that is not for
    ``by`` to see.
    """
    reason = checked_text(data.reason, field="reason", longest=500) or None
    view = await find_view(session, booking_id=booking_id, viewer=by)
    taught, booking = await lock_booking(session, booking_id)
    if booking.cancelled_at is not None:
        raise AlreadyCancelled()
    staff = is_staff_of(by, taught.instructor_id)
    if not staff and not view.is_own:
        raise Forbidden(_("Only the student, the instructor and admins can cancel this lesson."))
    if booking.status == "held":
        raise Conflict(_("This time is only kept for a moment. Let go of it instead."))
    now = clock.now()
    notice = booking.cancellation_notice_minutes
    past_cut_off = is_past_cut_off(booking, cancel_until(booking.starts_at, notice), now)
    check_in_time(booking, now, staff=staff, past_cut_off=past_cut_off, notice_minutes=notice)
    await give_back(
        session, taught, booking, by_id=by.id, reason=reason, rules_overridden=past_cut_off and staff
    )
    return await find_view(session, booking_id=booking_id, viewer=by)


async def give_back(
    session: AsyncSession,
    taught: Row[Any],
    booking: Row[Any],
    *,
    by_id: uuid.UUID | None,
    reason: str | None,
    **further: Any,
) -> None:
    """Cancel a locked booking, free its seat and record it; ``by_id`` None: it lapsed.

    A hold was nobody's lesson yet: it is released, or has run out, and nobody is told.
    """
    await session.execute(_CANCEL, {"booking_id": booking.id, "by_id": by_id, "reason": reason})
    await give_seat_back(session, taught.id)
    action = "booking.cancelled"
    if booking.status == "held":
        action = "hold.released" if by_id else "hold.expired"
    track_booking(
        session,
        action,
        booking,
        instructor_id=taught.instructor_id,
        revision=booking.revision + 1,
        by_id=by_id,
        reason=reason,
        in_class=taught.scheduled_by_id is not None,
        **further,
    )


def is_past_cut_off(lesson: Any, cut_off: datetime, now: datetime) -> bool:
    """Say whether what the student was promised has passed; a request is no promise yet."""
    return lesson.confirmed_at is not None and now > cut_off


def check_in_time(lesson: Any, now: datetime, *, staff: bool, past_cut_off: bool, notice_minutes: int) -> None:
    """Raise :class:`TooLateToCancel` for a lesson (a view or a row) that is over, or past its cut-off."""
    if now >= lesson.ends_at:
        raise TooLateToCancel(_("This lesson is over."))
    if staff:
        return
    if now > lesson.starts_at:
        raise TooLateToCancel(_("This lesson has started."))
    if past_cut_off:
        raise TooLateToCancel(
            _(
                "Lessons can be cancelled until {notice} before they start. "
                "Please get in touch with the school."
            ).format(notice=formatting.notice(notice_minutes))
        )
