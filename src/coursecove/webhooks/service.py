"""What operators ask of the inbox: how it is doing, what failed, and once more please."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, case, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from coursecove.errors import NotFound
from coursecove.webhooks.models import WebhookEvent
from coursecove.webhooks.redaction import redact, redact_text
from coursecove.webhooks.wakeups import wake_workers

STATUSES = ("pending", "processing", "completed", "failed")
OUTCOMES = ("applied", "superseded", "ignored")
PATHS = ("fast", "queue")
ORDERS = ("failed", "newest", "oldest", "attempts", "slowest")
REPLAY_AT_MOST = 1000

Order = Literal["failed", "newest", "oldest", "attempts", "slowest"]


class EventFilters(Struct, frozen=True, kw_only=True):
    """Which events; what is None narrows nothing.

    ``search`` is a part of a message id or of an entity's Clerk id; a whole id
    of a person or a school finds what is about them, too.  Instants are of
    receipt, the first one included.
    """

    status: str | None = None
    outcome: str | None = None
    event_type: str | None = None
    path: str | None = None
    waiting: bool | None = None
    entity_id: str | None = None
    from_: datetime | None = None
    until: datetime | None = None
    search: str | None = None


class EventView(Struct, frozen=True):
    """An event without its content; ``error`` without what it may quote of a person."""

    source: str
    message_id: str
    event_type: str
    entity_id: str | None
    entity_version: int | None
    status: str
    outcome: str | None
    path: str | None
    waiting_for: str | None
    waiting_since: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    lease_expires_at: datetime | None
    error: str | None
    processing_ms: int | None
    received_at: datetime
    processed_at: datetime | None
    updated_at: datetime

    @property
    def latency_ms(self) -> float | None:
        """From received to done."""
        if self.processed_at is None or self.status != "completed":
            return None
        return (self.processed_at - self.received_at).total_seconds() * 1000


class EventDetail(Struct, frozen=True):
    """An event with the headers that were kept and its body, redacted; ``body`` is None when it is no JSON."""

    event: EventView
    headers: dict[str, str]
    body: str | None
    body_bytes: int


class EventPage(Struct, frozen=True):
    """A page of events; ``total`` counts all that match."""

    items: list[EventView]
    total: int
    page: int
    page_size: int


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


class Standing(Struct, frozen=True):
    """What is not done, whatever its age; the age of the oldest open event is by the database's clock."""

    pending: int
    processing: int
    waiting: int
    failed: int
    oldest_open_seconds: float | None


_WHOLE_ID = re.compile(r"(user|org)_\w{6,}", re.ASCII)

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

_STANDING = text("""
select count(*) filter (where status = 'pending') as pending,
       count(*) filter (where status = 'processing') as processing,
       count(*) filter (where status = 'pending' and waiting_for is not null) as waiting,
       count(*) filter (where status = 'failed') as failed,
       extract(epoch from now() - min(received_at) filter (where status in ('pending', 'processing')))::float
         as oldest_open_seconds
from webhook_events where status <> 'completed'
""")

_TALLY = text("""
select split_part(event_type, '.', 1) as type_group, coalesce(path, 'fast') as path, status,
       coalesce(outcome, 'none') as outcome, count(*) as events
from webhook_events where received_at >= now() - make_interval(hours => :hours)
group by 1, 2, 3, 4
""")

# Bodies name their school in quotes, wherever in the event that is. The newest failures only: the
# list is there to be looked at, and every school of a page is looked for in every one of them.
_FAILED_ABOUT = text("""
with failed as materialized (
  select body from webhook_events where status = 'failed' order by received_at desc limit 500
)
select wanted.clerk_id, count(*) as failed
from unnest(cast(:clerk_ids as text[])) as wanted (clerk_id)
join failed on position(convert_to('"' || wanted.clerk_id || '"', 'UTF8') in failed.body) > 0
group by wanted.clerk_id
""")

# A fresh start: attempts and patience begin anew, the history of the row stays.
_REPLAY = text("""
update webhook_events
set status = 'pending', outcome = null, error = null, attempts = 0, waiting_for = null, waiting_since = null,
    next_attempt_at = now(), woken_at = null, processed_at = null, updated_at = now()
where message_id = any(:message_ids) and status <> 'processing'
returning source, message_id
""")
_REPLAY_FAILED = text("""
update webhook_events
set status = 'pending', outcome = null, error = null, attempts = 0, waiting_for = null, waiting_since = null,
    next_attempt_at = now(), woken_at = null, processed_at = null, updated_at = now()
where (source, message_id) in (
  select source, message_id from webhook_events where status = 'failed'
  order by received_at limit :at_most for update skip locked
)
returning source, message_id
""")


async def stats(session: AsyncSession, *, hours: int = 24) -> Stats:
    """Return how the inbox did over the last ``hours``, and what is open however old it is."""
    row = (await session.execute(_STATS, {"hours": hours})).one()
    return Stats(hours=hours, **row._asdict())


async def standing(session: AsyncSession) -> Standing:
    """Return what is not done, however old it is."""
    return Standing(**(await session.execute(_STANDING)).one()._asdict())


async def tally(session: AsyncSession, *, hours: int = 1) -> dict[tuple[str, str, str, str], int]:
    """Count what came in over the last ``hours`` by type group, path, status and outcome ("none": not yet)."""
    rows = await session.execute(_TALLY, {"hours": hours})
    return {(row.type_group, row.path, row.status, row.outcome): row.events for row in rows}


async def find_events(
    session: AsyncSession,
    filters: EventFilters | None = None,
    *,
    order: Order = "newest",
    page: int = 1,
    page_size: int = 50,
) -> EventPage:
    """Return one page of the events that match; "failed" puts those first, then the newest."""
    conditions = _conditions(filters or EventFilters())
    total = await session.scalar(select(func.count()).select_from(WebhookEvent).where(*conditions))
    found = await session.scalars(
        select(WebhookEvent)
        .where(*conditions)
        .order_by(*_ORDER_BY[order], WebhookEvent.message_id.desc())
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return EventPage([_view(event) for event in found], total or 0, page, page_size)


async def get_events(session: AsyncSession, message_ids: Sequence[str]) -> list[EventView]:
    """Return the events with these ids that exist, newest first."""
    found = await session.scalars(
        select(WebhookEvent)
        .where(WebhookEvent.message_id.in_(message_ids))
        .order_by(WebhookEvent.received_at.desc(), WebhookEvent.message_id.desc())
    )
    return [_view(event) for event in found]


async def get_event(session: AsyncSession, message_id: str) -> EventDetail:
    """Return one event with its headers and its redacted body; raises :class:`NotFound`."""
    event = await session.scalar(
        select(WebhookEvent).where(WebhookEvent.message_id == message_id).options(undefer(WebhookEvent.body))
    )
    if event is None:
        raise NotFound(f"There is no event {redact_text(message_id)}.")
    headers = {redact_text(str(name)): redact_text(str(value)) for name, value in event.headers.items()}
    return EventDetail(_view(event), headers, redact(event.body), len(event.body))


async def failed_about(session: AsyncSession, clerk_ids: Sequence[str]) -> dict[str, int]:
    """Return how many of the newest 500 failures name each of these schools; those without are left out."""
    rows = await session.execute(_FAILED_ABOUT, {"clerk_ids": list(clerk_ids)})
    return {row.clerk_id: row.failed for row in rows}


async def replay(session: AsyncSession, message_ids: Sequence[str]) -> list[str]:
    """Process events once more from the start, whatever became of them; return the ids that will be.

    Safe at any time: an event that is out of date is superseded again.  Left
    out are ids that are unknown and events somebody is working on right now.
    """
    return _wake(session, await session.execute(_REPLAY, {"message_ids": list(message_ids)}))


async def replay_failed(session: AsyncSession, *, at_most: int = REPLAY_AT_MOST) -> list[str]:
    """Process what failed once more, the oldest first; return the ids that will be."""
    return _wake(session, await session.execute(_REPLAY_FAILED, {"at_most": at_most}))


def _wake(session: AsyncSession, result: Any) -> list[str]:
    rows = [(row.source, row.message_id) for row in result]
    wake_workers(session, rows)
    return [message_id for _, message_id in rows]


def _conditions(filters: EventFilters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, value in (
        (WebhookEvent.status, filters.status),
        (WebhookEvent.outcome, filters.outcome),
        (WebhookEvent.event_type, filters.event_type),
        (WebhookEvent.path, filters.path),
        (WebhookEvent.entity_id, filters.entity_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if filters.waiting is not None:
        waits = and_(WebhookEvent.status == "pending", WebhookEvent.waiting_for.is_not(None))
        conditions.append(waits if filters.waiting else ~waits)
    if filters.from_ is not None:
        conditions.append(WebhookEvent.received_at >= filters.from_)
    if filters.until is not None:
        conditions.append(WebhookEvent.received_at < filters.until)
    if filters.search:
        found = [
            WebhookEvent.message_id.contains(filters.search, autoescape=True),
            WebhookEvent.entity_id.contains(filters.search, autoescape=True),
        ]
        if _WHOLE_ID.fullmatch(filters.search):
            # A school or a person stands in quotes in every event that is about them, too.
            quoted = f'"{filters.search}"'.encode()
            found.append(func.pg_catalog.position(WebhookEvent.body, quoted) > 0)
        conditions.append(or_(*found))
    return conditions


_ORDER_BY: dict[str, tuple[ColumnElement[Any], ...]] = {
    "failed": (case((WebhookEvent.status == "failed", 0), else_=1).asc(), WebhookEvent.received_at.desc()),
    "newest": (WebhookEvent.received_at.desc(),),
    "oldest": (WebhookEvent.received_at.asc(),),
    "attempts": (WebhookEvent.attempts.desc(), WebhookEvent.received_at.desc()),
    "slowest": ((WebhookEvent.processed_at - WebhookEvent.received_at).desc().nulls_last(),),
}


def _view(event: WebhookEvent) -> EventView:
    values = {name: getattr(event, name) for name in EventView.__struct_fields__}
    values["error"] = redact_text(event.error) if event.error else None
    return EventView(**values)
