"""Which lessons one mail about a series speaks for.

The mail is kept with the first lesson of the act; what the act was stands in
the trail, because lessons may have left the series, or their time, since.
"""

from __future__ import annotations

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.tenants.models import Member

#: The revision of a lesson to which nothing has happened since it was booked.
BOOKED_REVISION = 0

_ACT = text("""
select act.subject_id as series_id, act.data -> 'booking_ids' as booking_ids
from events one
join events act
  on act.organization_id = one.organization_id and act.subject_type = 'series' and act.action = 'series.booked'
  and act.subject_id = cast(one.data ->> 'series_id' as uuid)
where one.subject_type = 'booking' and one.subject_id = :booking_id
  and one.action in ('booking.confirmed', 'booking.requested') and one.data ->> 'series_id' is not null
limit 1
""")


async def booked_with(session: AsyncSession, booking_id: uuid.UUID) -> tuple[uuid.UUID, list[uuid.UUID]] | None:
    """Return the series a lesson was booked in and all lessons that were booked with it; None: it was alone."""
    act = (await session.execute(_ACT, {"booking_id": booking_id})).one_or_none()
    return (act.series_id, [uuid.UUID(one) for one in act.booking_ids]) if act else None


async def lessons_to_tell(session: AsyncSession, booking_id: uuid.UUID, *, viewer: Member) -> list[BookingView]:
    """Return the lessons that are still as they were booked, by start; raises NotFound.

    Left out is what is over, and what was changed since: of that there is, or
    will be, a mail of its own.
    """
    act = await booked_with(session, booking_id)
    if act is None:
        return []
    series_id, booked = act
    series = await bookings.get_series(session, series_id, viewer=viewer)
    ids, now = set(booked), clock.now()
    standing = [
        one
        for one in series.lessons
        if one.id in ids
        and one.revision == BOOKED_REVISION
        and one.status in ("pending", "confirmed")
        and one.ends_at > now
    ]
    return sorted(standing, key=lambda one: one.starts_at)
