"""What operators ask of the inbox: how it is doing, what failed, and once more please."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import ColumnElement, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from coursecove.errors import NotFound
from coursecove.webhooks.models import WebhookEvent
from coursecove.webhooks.wakeups import wake_workers

STATUSES = ("pending", "processing", "completed", "failed")


class EventView(Struct, frozen=True):
    """An event without its content."""

    source: str
    message_id: str
    event_type: str
    entity_id: str | None
    status: str
    outcome: str | None
    path: str | None
    waiting_for: str | None
    attempts: int
    next_attempt_at: datetime | None
    error: str | None
    processing_ms: int | None
    received_at: datetime
    processed_at: datetime | None


class Stats(Struct, frozen=True):
    """How the inbox did over the last ``hours``; shares are 0 to 1, None when there is nothing to measure."""

    hours: int
    pending: int
    processing: int
    completed: int
    failed: int
    waiting: int
    success_rate: float | None
    fast_path_share: float | None
    p50_ms: float | None
    p99_ms: float | None
    oldest_pending_at: datetime | None


# What is open counts whatever its age; what is over counts within the window.
_STATS = text("""
select count(*) filter (where status = 'pending') as pending,
       count(*) filter (where status = 'processing') as processing,
       count(*) filter (where status = 'completed') as completed,
       count(*) filter (where status = 'failed') as failed,
       count(*) filter (where status = 'pending' and waiting_for is not null) as waiting,
       (count(*) filter (where status = 'completed'))::float
         / nullif(count(*) filter (where status in ('completed', 'failed')), 0) as success_rate,
       (count(*) filter (where status = 'completed' and path = 'fast'))::float
         / nullif(count(*) filter (where status = 'completed'), 0) as fast_path_share,
       percentile_cont(0.5) within group (order by extract(epoch from processed_at - received_at) * 1000)
         filter (where status = 'completed') as p50_ms,
       percentile_cont(0.99) within group (order by extract(epoch from processed_at - received_at) * 1000)
         filter (where status = 'completed') as p99_ms,
       min(received_at) filter (where status in ('pending', 'processing')) as oldest_pending_at
from webhook_events
where received_at >= now() - make_interval(hours => :hours) or status in ('pending', 'processing')
""")

# A fresh start: attempts and patience begin anew, the history of the row stays.
_REPLAY = text("""
update webhook_events
set status = 'pending', outcome = null, error = null, attempts = 0, waiting_for = null, waiting_since = null,
    next_attempt_at = now(), woken_at = null, processed_at = null, updated_at = now()
where message_id = any(:message_ids) and status <> 'processing'
returning source, message_id
""")


async def stats(session: AsyncSession, *, hours: int = 24) -> Stats:
    """Return how the inbox did over the last ``hours``, and what is open however old it is."""
    row = (await session.execute(_STATS, {"hours": hours})).one()
    return Stats(hours=hours, **row._asdict())


async def list_events(
    session: AsyncSession,
    *,
    status: str | None = None,
    event_type: str | None = None,
    entity_id: str | None = None,
    limit: int = 50,
    before: EventView | None = None,
) -> list[EventView]:
    """Return events, newest first; ``before`` is the last one of the page that came before."""
    conditions: list[ColumnElement[bool]] = []
    for column, value in [
        (WebhookEvent.status, status),
        (WebhookEvent.event_type, event_type),
        (WebhookEvent.entity_id, entity_id),
    ]:
        if value is not None:
            conditions.append(column == value)
    if before is not None:
        conditions.append(
            tuple_(WebhookEvent.received_at, WebhookEvent.message_id) < (before.received_at, before.message_id)
        )
    found = await session.scalars(
        select(WebhookEvent)
        .where(*conditions)
        .order_by(WebhookEvent.received_at.desc(), WebhookEvent.message_id.desc())
        .limit(limit)
    )
    return [_view(event) for event in found]


async def get_event(session: AsyncSession, message_id: str) -> EventView:
    """Return one event; raises :class:`NotFound`."""
    event = await session.scalar(select(WebhookEvent).where(WebhookEvent.message_id == message_id))
    if event is None:
        raise NotFound(f"There is no event {message_id}.")
    return _view(event)


async def get_body(session: AsyncSession, message_id: str) -> bytes:
    """Return what was signed, byte for byte; it holds personal data.  Raises :class:`NotFound`."""
    event = await session.scalar(
        select(WebhookEvent).where(WebhookEvent.message_id == message_id).options(undefer(WebhookEvent.body))
    )
    if event is None:
        raise NotFound(f"There is no event {message_id}.")
    return event.body


async def replay(session: AsyncSession, message_ids: Sequence[str]) -> list[str]:
    """Process events once more from the start, whatever became of them; return the ids that will be.

    Safe at any time: an event that is out of date is superseded again.  Left
    out are ids that are unknown and events somebody is working on right now.
    """
    rows = [
        (row.source, row.message_id)
        for row in await session.execute(_REPLAY, {"message_ids": list(message_ids)})
    ]
    wake_workers(session, rows)
    return [message_id for _, message_id in rows]


def _view(event: WebhookEvent) -> EventView:
    return EventView(**{name: getattr(event, name) for name in EventView.__struct_fields__})
