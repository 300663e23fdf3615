"""What happened at a school, read back: who changed what, and when.

Facts are written by :func:`coursecove.events.track` in the transaction of the
change they speak of.  Here they are only read: the application role has no
grant to change what a fact says, nor to take one away.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.events import Event
from coursecove.tenants.models import Member


class Fact(Struct, frozen=True):
    """One thing that happened; ``actor_name`` is None where CourseCove acted, or who did cannot be seen."""

    id: uuid.UUID
    action: str
    actor_id: uuid.UUID | None
    actor_name: str | None
    subject_type: str
    subject_id: uuid.UUID
    data: dict[str, Any]
    occurred_at: datetime


def _facts() -> Select[Event, Member]:
    return select(Event, Member).outerjoin(
        Member, (Member.organization_id == Event.organization_id) & (Member.id == Event.actor_id)
    )


async def _read(session: AsyncSession, statement: Select[Event, Member]) -> list[Fact]:
    return [
        Fact(
            id=event.id,
            action=event.action,
            actor_id=event.actor_id,
            actor_name=member.name if event.actor_id and member else None,
            subject_type=event.subject_type,
            subject_id=event.subject_id,
            data=event.data,
            occurred_at=event.created_at,
        )
        for event, member in (await session.execute(statement)).all()
    ]


async def facts_about(
    session: AsyncSession, subject_type: str, subject_id: uuid.UUID, *, limit: int = 50
) -> list[Fact]:
    """Return the latest facts about one subject, newest first; instructors see those they caused."""
    return await _read(
        session,
        _facts()
        .where(Event.subject_type == subject_type, Event.subject_id == subject_id)
        .order_by(Event.created_at.desc(), Event.id.desc())
        .limit(limit),
    )
