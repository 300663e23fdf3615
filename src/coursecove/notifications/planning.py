"""Writing mails down before they are sent: each once, by the keys of their table."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import organization_of
from coursecove.jobs import enqueue
from coursecove.notifications.kinds import Kind
from coursecove.notifications.models import Delivery
from coursecove.notifications.recipients import Recipient
from coursecove.notifications.tasks import deliver


async def plan(session: AsyncSession, mails: Iterable[tuple[Kind, Recipient]], about: dict[str, Any]) -> None:
    """Write down mails that are due now and wake them after commit; those that are there already stay."""
    rows = [
        {
            "organization_id": organization_of(session),
            "id": uuid.uuid4(),
            "kind": kind,
            "recipient_id": recipient.id,
            "recipient_email": recipient.email,
            **about,
        }
        for kind, recipient in mails
    ]
    if not rows:
        return
    planned = await session.scalars(
        insert(Delivery).values(rows).on_conflict_do_nothing().returning(Delivery.id)
    )
    for delivery_id in planned:
        enqueue(session, deliver, delivery_id=delivery_id)
