"""Cancelling a lesson."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings.errors import AlreadyCancelled, TooLateToCancel
from coursecove.bookings.schemas import BookingCancel, BookingView
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import cancel_until, find_view, is_staff_of
from coursecove.errors import Forbidden
from coursecove.events import track
from coursecove.tenants.models import Member

# The session is locked before its seats, by everybody, so that the last of two
# seats cancelled at once sees the other one gone and frees the instructor.
_LOCK_SESSION = text("""
select id, instructor_id from sessions
where id = (select session_id from bookings where id = :booking_id) for no key update
""")
_LOCK_BOOKING = text("""
select reference, session_id, student_id, starts_at, ends_at, cancelled_at, revision,
       cancellation_notice_minutes
from bookings where id = :booking_id for no key update
""")
_CANCEL = text("""
update bookings set cancelled_at = now(), cancelled_by_id = :by_id, cancellation_reason = :reason,
                    revision = revision + 1
where id = :booking_id
""")
# One-to-one lessons only: of a class, a student sees no seat but their own, so
# that nobody is left in it is not theirs to find out.
_FREE_SESSION = text("""
update sessions set cancelled_at = now()
where id = :session_id and cancelled_at is null and capacity = 1
  and not exists (select from bookings where session_id = :session_id and cancelled_at is null)
""")


async def cancel(
    session: AsyncSession, booking_id: uuid.UUID, data: BookingCancel, *, by: Member
) -> BookingView:
    """Cancel a lesson and free the time; return it as ``by`` sees it.

    A student may while ``start - now`` is at least the notice promised when the
    lesson was booked, this very instant included.  Admins, and instructors in
    their own lessons, may until it is over; that they passed the cut-off is
    recorded.  Of two at once one cancels and the other gets
    :class:`AlreadyCancelled`.  Raises :class:`TooLateToCancel`, and NotFound for
    a lesson that is not for ``by`` to see.
    """
    reason = checked_text(data.reason, field="reason", longest=500) or None
    await find_view(session, booking_id=booking_id, viewer=by)
    taught = (await session.execute(_LOCK_SESSION, {"booking_id": booking_id})).one()
    booking = (await session.execute(_LOCK_BOOKING, {"booking_id": booking_id})).one()
    if booking.cancelled_at is not None:
        raise AlreadyCancelled()
    staff = is_staff_of(by, taught.instructor_id)
    if not staff and by.id != booking.student_id:
        raise Forbidden("Only the student, the instructor and admins can cancel this lesson.")
    now = clock.now()
    past_cut_off = now > cancel_until(booking.starts_at, booking.cancellation_notice_minutes)
    _check_in_time(booking, now, staff=staff, past_cut_off=past_cut_off)
    await session.execute(_CANCEL, {"booking_id": booking_id, "by_id": by.id, "reason": reason})
    await session.execute(_FREE_SESSION, {"session_id": booking.session_id})
    track(
        session,
        "booking.cancelled",
        subject_type="booking",
        subject_id=booking_id,
        actor_id=by.id,
        data={
            "reference": booking.reference,
            "revision": booking.revision + 1,
            "instructor_id": str(taught.instructor_id),
            "student_id": str(booking.student_id),
            "starts_at": booking.starts_at.isoformat(),
            "ends_at": booking.ends_at.isoformat(),
            "reason": reason,
            # Staff are exempt from the cut-off; that they made use of it is kept.
            "rules_overridden": past_cut_off,
        },
    )
    return await find_view(session, booking_id=booking_id, viewer=by)


def _check_in_time(booking: Row[Any], now: datetime, *, staff: bool, past_cut_off: bool) -> None:
    if now >= booking.ends_at:
        raise TooLateToCancel("This lesson is over.")
    if past_cut_off and not staff:
        if now > booking.starts_at:
            raise TooLateToCancel("This lesson has started.")
        notice = formatting.notice(booking.cancellation_notice_minutes)
        raise TooLateToCancel(
            f"Lessons can be cancelled until {notice} before they start. Please get in touch with the school."
        )
