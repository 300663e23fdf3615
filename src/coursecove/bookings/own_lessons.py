"""Everything somebody comes to: their own lessons and their children's, for calendars outside of CourseCove."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import queries
from coursecove.bookings.models import Booking
from coursecove.bookings.schemas import BookingView
from coursecove.bookings.views import booking_views
from coursecove.tenants.models import Member

MOST_LESSONS = 3000


async def own_lessons(
    session: AsyncSession, *, viewer: Member, from_: datetime, until: datetime
) -> list[BookingView]:
    """Return the lessons of somebody and their children that start in ``[from_, until)``, by start.

    Lessons that stand and requests that wait; at most 3,000, in three queries
    whatever their number.
    """
    statement = queries.booked().where(
        queries.taken_by(viewer),
        Booking.status.in_(("confirmed", "pending")),
        Booking.cancelled_at.is_(None),
        Booking.starts_at >= from_,
        Booking.starts_at < until,
    )
    rows = await session.execute(queries.ordered(statement, "starts_at").limit(MOST_LESSONS))
    return await booking_views(session, rows.all(), viewer)
