"""What people, schools and memberships have in common: a lock each, and a tombstone once deleted."""

from __future__ import annotations

import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.together import send

#: Takes the locks whose keys :func:`lock_keys` gave; first in a message, it holds for the rest of it.
LOCK = "select pg_advisory_xact_lock(key) from unnest(%(keys)s::bigint[]) as key"
_BURIED = text("""
select exists (
  select 1 from identity_tombstones
  join unnest(cast(:kinds as text[]), cast(:ids as text[])) as wanted (kind, id)
    on wanted.kind = identity_tombstones.kind and wanted.id = identity_tombstones.clerk_id
)
""")
_BURY = text("insert into identity_tombstones (kind, clerk_id) values (:kind, :id) on conflict do nothing")


async def lock(session: AsyncSession, *names: str) -> None:
    """Hold ``user:…`` and ``organization:…`` until this transaction ends, so that events about them take turns.

    Also for what does not exist yet, where there is no row to lock.  People come
    before schools whatever order they are named in, so two events cannot
    deadlock; a transaction that changes both names both in its first call.
    """
    await send(session, [LOCK], {"keys": lock_keys(*names)})


def lock_keys(*names: str) -> list[int]:
    """Return the keys of :func:`lock` in the order in which they have to be taken."""
    return [
        int.from_bytes(hashlib.blake2b(f"clerk:{name}".encode(), digest_size=8).digest(), signed=True)
        for name in sorted(names, reverse=True)
    ]


async def is_buried(session: AsyncSession, **ids: str) -> bool:
    """Say whether any of these (``user=…``, ``organization=…``, ``membership=…``) was deleted by Clerk."""
    return bool(await session.scalar(_BURIED, {"kinds": list(ids), "ids": list(ids.values())}))


async def bury(session: AsyncSession, kind: str, clerk_id: str) -> None:
    """Remember that something was deleted; whatever arrives about it later is superseded."""
    await session.execute(_BURY, {"kind": kind, "id": clerk_id})
