"""The log of mails: what was sent to whom about a lesson, and what could not be delivered.

For admins; the database shows the rows to nobody else.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from msgspec import Struct
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.notifications.models import Delivery


class DeliveryView(Struct, frozen=True):
    """One mail, mostly about a booking; of the four moments at most one of the last three is given."""

    kind: str
    # None for a mail about a place on a waiting list.
    booking_id: uuid.UUID | None
    recipient_email: str
    created_at: datetime
    sent_at: datetime | None
    # Given up after several attempts, and not sent because there was nobody to send it to or no need any more.
    failed_at: datetime | None
    skipped_at: datetime | None
    attempts: int


async def deliveries_of(session: AsyncSession, booking_id: uuid.UUID) -> list[DeliveryView]:
    """Return the mails about one booking, oldest first."""
    statement = select(Delivery).where(Delivery.booking_id == booking_id)
    rows = await session.scalars(statement.order_by(Delivery.created_at, Delivery.id))
    return [_view(row) for row in rows]


async def undelivered(
    session: AsyncSession, *, since: datetime, limit: int = 5
) -> tuple[list[DeliveryView], int]:
    """Return the latest mails that failed, or keep failing, since then, and how many there are."""
    failing = or_(
        Delivery.failed_at >= since,
        (Delivery.sent_at.is_(None))
        & (Delivery.failed_at.is_(None))
        & (Delivery.skipped_at.is_(None))
        & (Delivery.attempts >= 2)
        & (Delivery.created_at >= since),
    )
    total = await session.scalar(select(func.count()).select_from(Delivery).where(failing)) or 0
    if not total:
        return [], 0
    rows = await session.scalars(
        select(Delivery).where(failing).order_by(Delivery.created_at.desc(), Delivery.id).limit(limit)
    )
    return [_view(row) for row in rows], total


def _view(row: Delivery) -> DeliveryView:
    return DeliveryView(
        kind=row.kind,
        booking_id=row.booking_id,
        recipient_email=row.recipient_email,
        created_at=row.created_at,
        sent_at=row.sent_at,
        failed_at=row.failed_at,
        skipped_at=row.skipped_at,
        attempts=row.attempts,
    )
