"""Locks that make a count true and keep movers from waiting for one another.

A transaction takes them before any row, in one statement and in one order, so
that two of them never wait for each other in a circle; they end with it.  The
order of everything in this room: these locks, then sessions by id, then
bookings, then the entries of the exclusion constraints.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import organization_of

_LOCK = text("""
select pg_advisory_xact_lock(hashtextextended(wanted.name, 0))
from (select name from unnest(cast(:names as text[])) with ordinality as given (name, place)
      order by place) as wanted
""")


async def lock_resources(
    session: AsyncSession,
    *,
    members: Iterable[uuid.UUID | None] = (),
    rooms: Iterable[uuid.UUID | None] = (),
) -> None:
    """Wait until nobody else holds one of these people or rooms, and hold them until this transaction ends."""
    organization_id = organization_of(session)
    names = {f"member:{organization_id}:{member_id}" for member_id in members if member_id}
    names |= {f"room:{organization_id}:{room_id}" for room_id in rooms if room_id}
    if names:
        await session.execute(_LOCK, {"names": sorted(names)})
