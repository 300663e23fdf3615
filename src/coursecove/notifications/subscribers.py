"""What mail a fact leads to.

The rows are written in the transaction that marks the fact as handed on, so
each revision of a booking leads to one mail per person, however often the fact
is woken.
"""

from __future__ import annotations

import uuid

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import organization_of
from coursecove.events import Event, subscribe
from coursecove.jobs import enqueue
from coursecove.notifications.models import Delivery
from coursecove.notifications.recipients import recipients_of
from coursecove.notifications.tasks import deliver

_KINDS = {"booking.confirmed": "confirmation", "booking.cancelled": "cancellation"}


@subscribe(*_KINDS)
async def plan_deliveries(session: AsyncSession, fact: Event) -> None:
    """Plan one mail for the student and one for the instructor."""
    recipients = await recipients_of(session, fact.data)
    if not recipients:
        return
    rows = [
        {
            "organization_id": organization_of(session),
            "id": uuid.uuid4(),
            "kind": _KINDS[fact.action],
            "booking_id": fact.subject_id,
            "booking_revision": fact.data["revision"],
            "recipient_id": recipient.id,
            "recipient_email": recipient.email,
        }
        for recipient in recipients
    ]
    planned = await session.scalars(
        insert(Delivery).values(rows).on_conflict_do_nothing().returning(Delivery.id)
    )
    for delivery_id in planned:
        enqueue(session, deliver, delivery_id=delivery_id)
