"""The log of mails: what was sent to whom about a lesson, and what could not be delivered.

For admins; the database shows the rows to nobody else.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.models import Booking
from coursecove.db.session import organization_of
from coursecove.errors import Conflict, NotFound
from coursecove.events import track
from coursecove.i18n import N_, _
from coursecove.jobs import enqueue
from coursecove.notifications.kinds import Kind
from coursecove.notifications.models import Delivery
from coursecove.notifications.series_acts import acts_on
from coursecove.notifications.tasks import deliver
from coursecove.tenants.models import Member
from coursecove.text import is_storable

#: waiting: not tried yet, or to be tried again; skipped: not true any more when its turn came.
DeliveryStatus = Literal["waiting", "sent", "failed", "skipped"]
LARGEST_PAGE = 200


class DeliveryView(Struct, frozen=True, kw_only=True):
    """One mail; of the three moments at its end at most one is given."""

    id: uuid.UUID
    kind: str
    status: DeliveryStatus
    # None for a mail about a place on a waiting list, or about clocks that change.
    booking_id: uuid.UUID | None
    # What people call the lesson by.
    reference: str | None
    recipient_id: uuid.UUID
    recipient_name: str
    recipient_email: str
    created_at: datetime
    sent_at: datetime | None
    # Given up after several attempts, and not sent because there was nobody to send it to or no need any more.
    failed_at: datetime | None
    skipped_at: datetime | None
    attempts: int
    # When it is tried again, while it waits.
    next_attempt_at: datetime | None
    # What the mail server, or we, had against it at the last attempt; in the server's words.
    error: str | None


class DeliveryPage(Struct, frozen=True):
    """A page of mails; ``total`` counts all that match."""

    items: list[DeliveryView]
    total: int
    page: int
    page_size: int


class NotFailed(Conflict):
    """Only what was given up is sent again."""

    code = "delivery_not_failed"
    title = N_("This mail has not failed")


_STATES: dict[str, ColumnElement[bool]] = {
    "sent": Delivery.sent_at.is_not(None),
    "failed": Delivery.failed_at.is_not(None),
    "skipped": Delivery.skipped_at.is_not(None),
    "waiting": and_(Delivery.sent_at.is_(None), Delivery.failed_at.is_(None), Delivery.skipped_at.is_(None)),
}


async def list_deliveries(
    session: AsyncSession,
    *,
    kind: Kind | None = None,
    status: DeliveryStatus | None = None,
    search: str | None = None,
    page: int = 1,
    page_size: int = 50,
) -> DeliveryPage:
    """Return one page of the school's mails, newest first, in two queries; for admins.

    Every word of ``search`` must occur in the address, the name of its owner or
    the reference of the lesson.  A page holds 1 to 200.
    """
    page, page_size = min(max(page, 1), 1_000_000), min(max(page_size, 1), LARGEST_PAGE)
    if search and not is_storable(search):
        return DeliveryPage([], 0, page, page_size)
    statement = _logged()
    if kind is not None:
        statement = statement.where(Delivery.kind == kind)
    if status is not None:
        statement = statement.where(_STATES[status])
    haystack = func.concat_ws(
        " ", Delivery.recipient_email, Member.given_name, Member.family_name, Booking.reference
    )
    for word in (search or "").split()[:5]:
        statement = statement.where(haystack.icontains(word, autoescape=True))
    counted = statement.with_only_columns(Delivery.id, maintain_column_froms=True).subquery()
    total = await session.scalar(select(func.count()).select_from(counted)) or 0
    rows = await session.execute(
        statement.order_by(Delivery.created_at.desc(), Delivery.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return DeliveryPage([_view(row) for row in rows], total, page, page_size)


async def deliveries_of(session: AsyncSession, booking_id: uuid.UUID) -> list[DeliveryView]:
    """Return the mails about one booking, oldest first; those about its series among them."""
    about: list[ColumnElement[bool]] = [Delivery.booking_id == booking_id]
    for act in await acts_on(session, booking_id):
        spoken_for = tuple_(Delivery.booking_id, Delivery.booking_revision).in_(list(act.revisions.items()))
        about.append(and_(Delivery.kind == act.kind, spoken_for))
    statement = _logged().where(or_(*about))
    rows = await session.execute(statement.order_by(Delivery.created_at, Delivery.id))
    return [_view(row) for row in rows]


async def get_delivery(session: AsyncSession, delivery_id: uuid.UUID) -> DeliveryView:
    """Return one mail; raises NotFound."""
    row = (await session.execute(_logged().where(Delivery.id == delivery_id))).one_or_none()
    if row is None:
        raise NotFound(_("There is no such mail."))
    return _view(row)


_AGAIN = text("""
update deliveries set failed_at = null, attempts = 0, next_attempt_at = now(), error = null
where failed_at is not null and (:everything or id = any(cast(:ids as uuid[])))
returning id, recipient_id
""")


async def send_again(session: AsyncSession, delivery_id: uuid.UUID, *, by: Member) -> DeliveryView:
    """Try a mail that was given up as if for the first time.

    What is not true any more is not sent after all.  Raises :class:`NotFailed`
    for every other state, and NotFound.
    """
    if not await send_all_again(session, [delivery_id], by=by):
        await get_delivery(session, delivery_id)
        raise NotFailed(_("Only mails that were given up can be sent again."))
    return await get_delivery(session, delivery_id)


async def send_all_again(
    session: AsyncSession, delivery_ids: Collection[uuid.UUID] | None, *, by: Member
) -> int:
    """Try several mails that were given up, or (None) all of them; return how many there were."""
    values = {"everything": delivery_ids is None, "ids": list(delivery_ids or ())}
    rows = (await session.execute(_AGAIN, values)).all()
    for row in rows:
        enqueue(session, deliver, delivery_id=row.id)
    if rows:
        track(
            session,
            "mail.sent_again",
            subject_type="organization",
            subject_id=organization_of(session),
            actor_id=by.id,
            data={"mails": len(rows)},
        )
    return len(rows)


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
    rows = await session.execute(
        _logged().where(failing).order_by(Delivery.created_at.desc(), Delivery.id).limit(limit)
    )
    return [_view(row) for row in rows], total


def _logged() -> Select[Any]:
    """Everything a view is made from; names and references are read along, so that they can be searched."""
    columns: list[Any] = [
        Delivery.id,
        Delivery.kind,
        Delivery.booking_id,
        Delivery.recipient_id,
        Delivery.recipient_email,
        Delivery.created_at,
        Delivery.sent_at,
        Delivery.failed_at,
        Delivery.skipped_at,
        Delivery.attempts,
        Delivery.next_attempt_at,
        Delivery.error,
        Booking.reference,
        func.trim(Member.given_name + " " + Member.family_name).label("recipient_name"),
    ]
    return (
        select(*columns)
        .outerjoin(
            Member,
            and_(Member.organization_id == Delivery.organization_id, Member.id == Delivery.recipient_id),
        )
        .outerjoin(
            Booking,
            and_(Booking.organization_id == Delivery.organization_id, Booking.id == Delivery.booking_id),
        )
    )


def _view(row: Row[Any]) -> DeliveryView:
    status: DeliveryStatus = "waiting"
    if row.sent_at:
        status = "sent"
    elif row.failed_at:
        status = "failed"
    elif row.skipped_at:
        status = "skipped"
    return DeliveryView(
        id=row.id,
        kind=row.kind,
        status=status,
        booking_id=row.booking_id,
        reference=row.reference,
        recipient_id=row.recipient_id,
        recipient_name=row.recipient_name or row.recipient_email,
        recipient_email=row.recipient_email,
        created_at=row.created_at,
        sent_at=row.sent_at,
        failed_at=row.failed_at,
        skipped_at=row.skipped_at,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if status == "waiting" else None,
        error=None if status == "sent" else row.error,
    )
