"""How many lessons people still have ahead of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.models import Booking, TeachingSession


class Upcoming(Struct, frozen=True):
    """Lessons of one person that are not over: sessions they teach, seats they have."""

    teaches: int = 0
    takes: int = 0


async def upcoming_of_many(
    session: AsyncSession, member_ids: Iterable[uuid.UUID], *, after: datetime
) -> dict[uuid.UUID, Upcoming]:
    """Return what each of ``member_ids`` has ahead, in two queries; an empty class counts for who teaches it.

    A request that waits for an answer counts as well: it holds its time.
    """
    wanted = set(member_ids)
    taught = await session.execute(
        select(TeachingSession.instructor_id, func.count().label("lessons"))
        .where(
            TeachingSession.instructor_id.in_(wanted),
            TeachingSession.cancelled_at.is_(None),
            TeachingSession.ends_at > after,
        )
        .group_by(TeachingSession.instructor_id)
    )
    taken = await session.execute(
        select(Booking.student_id, func.count().label("lessons"))
        .where(Booking.student_id.in_(wanted), Booking.cancelled_at.is_(None), Booking.ends_at > after)
        .group_by(Booking.student_id)
    )
    teaches = {row.instructor_id: row.lessons for row in taught}
    takes = {row.student_id: row.lessons for row in taken}
    return {one: Upcoming(teaches.get(one, 0), takes.get(one, 0)) for one in wanted}
