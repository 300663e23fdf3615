"""What happened: one row that is audit trail and outbox at once.

:func:`track` writes the fact in the same transaction as the change it speaks
of.  After commit a job hands it to its subscribers, each in a unit of work of
its organization; ``dispatched_at`` is set in that same transaction, so a fact
is handed on exactly once however often it is woken.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
import structlog
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from coursecove.db.base import Base, Identified
from coursecove.db.session import SYSTEM, organization_of
from coursecove.jobs import enqueue, job
from coursecove.periodic import periodic
from coursecove.resources import Resources

log = structlog.get_logger("coursecove.events")


class Event(Identified, Base):
    """A dated fact about one subject, and who caused it (None: CourseCove itself)."""

    __tablename__ = "events"

    action: Mapped[str]
    actor_id: Mapped[uuid.UUID | None]
    subject_type: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    dispatched_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())


Subscriber = Callable[[AsyncSession, Event], Awaitable[None]]
_SUBSCRIBERS: dict[str, list[Subscriber]] = {}


def subscribe(*actions: str) -> Callable[[Subscriber], Subscriber]:
    """Hand every fact named in ``actions`` to the decorated function, once."""

    def register(subscriber: Subscriber) -> Subscriber:
        for action in actions:
            _SUBSCRIBERS.setdefault(action, []).append(subscriber)
        return subscriber

    return register


@job("events.dispatch")
async def dispatch(resources: Resources, *, organization_id: str, event_id: str) -> None:
    """Hand one fact to its subscribers; does nothing when that was done, or is being done, elsewhere."""
    try:
        async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
            fact = await session.scalar(
                select(Event)
                .where(Event.id == uuid.UUID(event_id), Event.dispatched_at.is_(None))
                .with_for_update(skip_locked=True)
            )
            if fact is None:
                return
            for subscriber in _SUBSCRIBERS.get(fact.action, ()):
                await subscriber(session, fact)
            fact.dispatched_at = func.now()
    except Exception:
        log.exception("event_dispatch_failed", event_id=event_id)
        async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
            # 10 s, 20 s, 40 s … up to an hour between attempts.
            await session.execute(
                text(
                    "update events set attempts = attempts + 1, next_attempt_at = now() "
                    "+ least(interval '10 seconds' * power(2, least(attempts, 9)), interval '1 hour') "
                    "where id = :id"
                ),
                {"id": event_id},
            )


def track(
    session: AsyncSession,
    action: str,
    *,
    subject_type: str,
    subject_id: uuid.UUID,
    actor_id: uuid.UUID | None = None,
    data: dict[str, Any] | None = None,
) -> Event:
    """Record that ``action`` (``noun.verb_in_the_past``) happened, and wake its subscribers after commit."""
    fact = Event(
        organization_id=organization_of(session),
        id=uuid.uuid4(),
        action=action,
        actor_id=actor_id,
        subject_type=subject_type,
        subject_id=subject_id,
        data=data or {},
    )
    session.add(fact)
    wake(session, fact.id)
    return fact


#: The same as a part of the statement that makes the change: common table expressions, followed by the name
#: of the one whose rows say that the change was made (db/together.py).  Values come from :func:`fact_of`.
FACT_OF = """
fact as (
  insert into events (organization_id, id, action, actor_id, subject_type, subject_id, data)
  select %(organization_id)s, %(fact_id)s, %(fact_action)s, %(fact_actor_id)s, %(fact_subject_type)s,
         %(fact_subject_id)s,
         cast(%(fact_data)s as jsonb)
  from """


def fact_of(
    session: AsyncSession,
    action: str,
    *,
    subject_type: str,
    subject_id: uuid.UUID,
    actor_id: uuid.UUID | None = None,
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the values of :data:`FACT_OF`; whoever has sent them calls :func:`wake`."""
    return {
        "organization_id": organization_of(session),
        "fact_id": uuid.uuid4(),
        "fact_action": action,
        "fact_actor_id": actor_id,
        "fact_subject_type": subject_type,
        "fact_subject_id": subject_id,
        "fact_data": msgspec.json.encode(data or {}).decode(),
    }


def wake(session: AsyncSession, fact_id: uuid.UUID) -> None:
    """Wake the subscribers of a fact that was written with :data:`FACT_OF` after commit."""
    enqueue(session, dispatch, event_id=fact_id)


@periodic("events.sweep", every_seconds=5)
async def sweep(resources: Resources) -> None:
    """Wake again every fact whose wake-up was lost, oldest first."""
    async with resources.database.platform_scope() as session:
        due = (
            await session.execute(
                text(
                    "select organization_id, id from events where dispatched_at is null "
                    "and next_attempt_at < now() - interval '3 seconds' "
                    "order by next_attempt_at limit 200"
                )
            )
        ).all()
    for organization_id, event_id in due:
        await resources.queue.send(dispatch, organization_id=organization_id, event_id=event_id)
