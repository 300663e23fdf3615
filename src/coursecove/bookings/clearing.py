"""Cancelling lessons together, as before a closure: with one message, in one unit of work."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.cancellation import cancel
from coursecove.bookings.class_schemas import ClassCancel
from coursecove.bookings.classes import cancel_class
from coursecove.bookings.models import Booking, TeachingSession
from coursecove.bookings.schemas import BookingCancel
from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.tenants.models import Member

#: Each cancellation is a handful of statements and a mail; more than this does not belong into one request.
MOST_AT_ONCE = 200


async def cancel_lessons(
    session: AsyncSession, session_ids: Sequence[uuid.UUID], *, message: str, by: Member
) -> int:
    """Cancel these lessons, classes with all their seats; return how many.  Students are told by mail.

    All of them or none.  Raises what cancelling one raises, and ``Invalid`` at
    ``message`` without one, and at ``lessons`` for more than 200.
    """
    if not message.strip():
        raise Invalid(fields={"message": _("Tell the students why. They read this in the mail.")})
    if len(session_ids) > MOST_AT_ONCE:
        raise Invalid(
            fields={
                "lessons": _(
                    "At most {most} lessons can be cancelled at once, and these are {number}. "
                    "Keep them, and cancel them in the calendar."
                ).format(most=MOST_AT_ONCE, number=len(session_ids))
            }
        )
    rows = await session.execute(
        select(TeachingSession.id, TeachingSession.scheduled_by_id, Booking.id)
        .outerjoin(
            Booking,
            (Booking.organization_id == TeachingSession.organization_id)
            & (Booking.session_id == TeachingSession.id)
            & Booking.cancelled_at.is_(None),
        )
        .where(TeachingSession.id.in_(session_ids), TeachingSession.cancelled_at.is_(None))
        # Everybody who cancels several at once takes their locks in this order.
        .order_by(TeachingSession.id, Booking.id)
    )
    classes: set[uuid.UUID] = set()
    lessons: set[uuid.UUID] = set()
    for session_id, scheduled_by_id, booking_id in rows.all():
        if scheduled_by_id is None:
            if booking_id is not None:
                await cancel(session, booking_id, BookingCancel(message), by=by)
                lessons.add(session_id)
        elif session_id not in classes:
            await cancel_class(session, session_id, ClassCancel(message), by=by)
            classes.add(session_id)
    return len(classes | lessons)
