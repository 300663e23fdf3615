"""The rows of ``webhook_events`` and every way one may change.

An attempt owns a row through its lease token and writes only while the row
still carries it (fencing): a worker that slept through its lease finds nothing
to write to.  Every due time and lease is read from the database's clock, so
that a process whose own clock is off neither steals nor loses work.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import Database
from coursecove.db.together import send, send_alone, send_to_platform
from coursecove.webhooks.inbox import AtOnce, Outcome, given

MAX_ATTEMPTS = 8
# A request must let go quickly; a worker may take the time a slow database needs.
FAST_LEASE_SECONDS = 5.0
QUEUE_LEASE_SECONDS = 20.0
WAIT_LIMIT_HOURS = 24
# What is waited for wakes its waiters; asking again is for the wake-up that never was.
WAIT_RETRY_SECONDS = 60.0
KEEP_COMPLETED_DAYS = 30
WAKE_AGAIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    """What is known of a message when it comes in; ``error`` when it can never be processed."""

    source: str
    message_id: str
    event_type: str
    entity_id: str | None
    entity_version: int | None
    headers: dict[str, str]
    body: bytes
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to process one row, until it expires and somebody else takes it."""

    source: str
    message_id: str
    token: uuid.UUID
    event_type: str
    body: bytes
    path: str


class LeaseLost(Exception):
    """The row is not ours any more: the lease expired and another attempt took it."""


# A message of its own (db/together.py): one round trip and one commit make it durable.
_INSERT = """
insert into webhook_events
  (source, message_id, event_type, entity_id, entity_version, headers, body, error, path,
   status, attempts, lease_token, lease_expires_at)
values
  (%(source)s, %(message_id)s, %(event_type)s, %(entity_id)s, %(entity_version)s, %(headers)s::jsonb,
   %(body)s, %(error)s, 'fast', %(status)s, %(attempts)s, %(token)s::uuid,
   now() + make_interval(secs => %(lease_seconds)s))
on conflict (source, message_id) do nothing
returning message_id
"""

# The one that was asked for comes first, whatever its type; the others are those that can be done with it.
_CLAIM_SEVERAL = """
update webhook_events
set status = 'processing', path = 'queue', attempts = attempts + 1, lease_token = %(token)s, woken_at = null,
    lease_expires_at = now() + make_interval(secs => %(lease_seconds)s), updated_at = now()
where attempts < %(max_attempts)s and (source, message_id) in (
  select source, message_id from webhook_events
  where attempts < %(max_attempts)s
    and ((status = 'pending' and next_attempt_at <= now())
         or (status = 'processing' and lease_expires_at <= now()))
    and (event_type = any(%(event_types)s) or (source = %(source)s and message_id = %(message_id)s))
  order by source = %(source)s and message_id = %(message_id)s desc, received_at limit %(at_most)s
  for update skip locked
)
returning source, message_id, event_type, body, received_at
"""

_IS_DUE = text("""
select exists (
  select 1 from webhook_events
  where source = :source and message_id = :message_id
    and ((status = 'pending' and next_attempt_at <= now())
         or (status = 'processing' and lease_expires_at <= now()))
)
""")

_COMPLETE = """
update webhook_events
set status = 'completed', outcome = %(outcome)s, processed_at = clock_timestamp(),
    processing_ms = %(milliseconds)s, error = null, waiting_for = null, waiting_since = null,
    next_attempt_at = null, lease_token = null, lease_expires_at = null, updated_at = now()
where source = %(source)s and message_id = %(message_id)s and lease_token = %(token)s
returning message_id
"""

_COMPLETE_SEVERAL = """
with {given}, {changes}, woken as (
  update webhook_events set next_attempt_at = now(), woken_at = null, updated_at = now()
  where status = 'pending' and waiting_for in (
    select entity from unnest(%(entities)s::text[], %(of_keys)s::text[]) as arrived (entity, key)
    where key in (select key from written)
  )
  returning source, message_id
), completed as (
  update webhook_events
  set status = 'completed', processed_at = clock_timestamp(), processing_ms = %(milliseconds)s,
      outcome = case when event.key in (select key from written) then 'applied' else 'superseded' end,
      error = null, waiting_for = null, waiting_since = null, next_attempt_at = null, lease_token = null,
      lease_expires_at = null, updated_at = now()
  from unnest(%(sources)s::text[], %(message_ids)s::text[], %(tokens)s::uuid[], %(of_keys)s::text[])
    as event (source, message_id, token, key)
  where webhook_events.source = event.source and webhook_events.message_id = event.message_id
    and webhook_events.lease_token = event.token
  returning webhook_events.message_id, outcome
)
select true, message_id, outcome from completed union all select false, source, message_id from woken
"""

# Waiting is an answer, not a failed attempt.
_WAIT = text("""
update webhook_events
set status = case when expired then 'failed' else 'pending' end,
    error = case when expired then cast(:expired_error as text) end,
    waiting_for = :key, waiting_since = coalesce(waiting_since, now()),
    next_attempt_at = case when not expired then now() + make_interval(secs => :delay_seconds) end,
    attempts = greatest(attempts - 1, 0), processing_ms = :milliseconds,
    lease_token = null, lease_expires_at = null, updated_at = now()
from (
  select coalesce(waiting_since, now()) <= now() - make_interval(hours => :limit_hours) as expired
  from webhook_events where source = :source and message_id = :message_id
) as patience
where source = :source and message_id = :message_id and lease_token = :token
returning status
""")

_RELEASE = text("""
update webhook_events
set status = case when :hopeless or attempts >= :max_attempts then 'failed' else 'pending' end,
    next_attempt_at = case when not (:hopeless or attempts >= :max_attempts)
      then now() + make_interval(secs => case when path = 'fast' then 0
        else least(power(3, attempts - 1), 900) * :jitter end) end,
    error = :error, processing_ms = :milliseconds,
    lease_token = null, lease_expires_at = null, updated_at = now()
where source = :source and message_id = :message_id and lease_token = :token
returning status
""")

_WAKE = """
update webhook_events set next_attempt_at = now(), woken_at = null, updated_at = now()
where waiting_for = %(key)s and status = 'pending'
returning source, message_id
"""

_BURY = text("""
update webhook_events
set status = 'failed', lease_token = null, lease_expires_at = null, updated_at = now(),
    error = 'The process that handled it stopped ' || attempts || ' times without an answer. '
      || coalesce('Before that: ' || error, 'Look for a crash in the workers'' logs, then replay it.')
where status = 'processing' and lease_expires_at <= now() and attempts >= :max_attempts
returning source, message_id, event_type
""")

_DUE = text("""
update webhook_events set woken_at = now()
where (source, message_id) in (
  select source, message_id from webhook_events
  where ((status = 'pending' and next_attempt_at <= now())
         or (status = 'processing' and lease_expires_at <= now()))
    and (woken_at is null or woken_at <= now() - make_interval(secs => :again_seconds))
  order by received_at limit :limit
  for update skip locked
)
returning source, message_id, received_at
""")

_PRUNE = text("""
delete from webhook_events
where status = 'completed' and processed_at < now() - make_interval(days => :days)
""")


async def receive(session: AsyncSession, message: Received) -> Lease | None:
    """Write a message down, already leased to the request that brought it; None when it is known.

    Insert and claim are one statement, so that nobody can come between them
    and one commit makes both durable.  A message with an ``error`` is written
    as failed; its lease is good for nothing.
    """
    failed = message.error is not None
    token = uuid.uuid4()
    [inserted] = await send_alone(
        session,
        [_INSERT],
        {
            "source": message.source,
            "message_id": message.message_id,
            "event_type": message.event_type,
            "entity_id": message.entity_id,
            "entity_version": message.entity_version,
            "headers": msgspec.json.encode(message.headers).decode(),
            "body": message.body,
            "error": message.error,
            "status": "failed" if failed else "processing",
            "attempts": 0 if failed else 1,
            "token": None if failed else token,
            "lease_seconds": None if failed else FAST_LEASE_SECONDS,
        },
    )
    if not inserted:
        return None
    return Lease(message.source, message.message_id, token, message.event_type, message.body, "fast")


async def claim_several(
    database: Database, source: str, message_id: str, *, event_types: Sequence[str], at_most: int
) -> list[Lease]:
    """Lease a row that is due, or whose lease ran out, to a worker, and others of some types; oldest first.

    One message, and durable when it returns; nothing when there is nothing to do.
    """
    token = uuid.uuid4()
    [found] = await send_to_platform(
        database,
        [_CLAIM_SEVERAL],
        {
            "source": source,
            "message_id": message_id,
            "event_types": list(event_types),
            "at_most": at_most,
            "token": token,
            "lease_seconds": QUEUE_LEASE_SECONDS,
            "max_attempts": MAX_ATTEMPTS,
        },
    )
    found.sort(key=lambda row: row[4])
    return [Lease(row[0], row[1], token, row[2], bytes(row[3]), "queue") for row in found]


async def complete_several(
    session: AsyncSession, leases: Sequence[Lease], changes: Sequence[AtOnce], *, milliseconds: int
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Change and complete events of one kind, one of each entity; return their outcomes, and who waited.

    Of a lease that was lost there is no outcome, and the caller has to undo everything.
    """
    table, values = given(changes)
    values |= {
        "entities": [change.entity for change in changes],
        "of_keys": [change.key for change in changes],
        "sources": [lease.source for lease in leases],
        "message_ids": [lease.message_id for lease in leases],
        "tokens": [lease.token for lease in leases],
        "milliseconds": milliseconds,
    }
    statement = _COMPLETE_SEVERAL.format(given=table, changes=changes[0].changes)
    _, found = await send(session, [changes[0].lock, statement], values)
    outcomes = {first: second for is_outcome, first, second in found if is_outcome}
    return outcomes, [(first, second) for is_outcome, first, second in found if not is_outcome]


async def is_due(session: AsyncSession, source: str, message_id: str) -> bool:
    """Say whether a row could be claimed now."""
    return bool(await session.scalar(_IS_DUE, {"source": source, "message_id": message_id}))


async def complete(session: AsyncSession, lease: Lease, outcome: Outcome, *, milliseconds: int) -> None:
    """Write the final status, in the handler's transaction; raises :class:`LeaseLost`."""
    [done] = await send(
        session,
        [_COMPLETE],
        {
            "source": lease.source,
            "message_id": lease.message_id,
            "token": lease.token,
            "outcome": str(outcome),
            "milliseconds": milliseconds,
        },
    )
    if not done:
        raise LeaseLost(lease.message_id)


async def wait(session: AsyncSession, lease: Lease, key: str, *, milliseconds: int) -> str:
    """Put the row aside until ``key`` arrives; return its status, ``failed`` when that took too long.

    Has to run in the transaction that saw ``key`` missing, under the lock of
    that entity: otherwise it could arrive in between and wake nobody.
    Raises :class:`LeaseLost`.
    """
    result = await _write(
        session,
        _WAIT,
        lease,
        key=key,
        milliseconds=milliseconds,
        delay_seconds=WAIT_RETRY_SECONDS * _jitter(),
        limit_hours=WAIT_LIMIT_HOURS,
        expired_error=(
            f"Waited {WAIT_LIMIT_HOURS} hours for {key.replace(':', ' ')}, which never arrived. "
            "Replay it once Clerk has sent that."
        ),
    )
    return cast("str", result.scalar_one())


async def release(
    session: AsyncSession, lease: Lease, error: str, *, milliseconds: int, hopeless: bool = False
) -> str | None:
    """Give the row back after an attempt that did not work; return its status, None when it was not ours.

    What a request could not do in time is due at once, for a worker; a
    worker's own failures are tried again after 1, 3, 9 … seconds, at most a
    quarter of an hour, until :data:`MAX_ATTEMPTS` are used up.
    """
    return cast(
        "str | None",
        await session.scalar(
            _RELEASE,
            {
                "source": lease.source,
                "message_id": lease.message_id,
                "token": lease.token,
                "error": error,
                "milliseconds": milliseconds,
                "hopeless": hopeless,
                "jitter": _jitter(),
                "max_attempts": MAX_ATTEMPTS,
            },
        ),
    )


async def wake(session: AsyncSession, key: str) -> list[tuple[str, str]]:
    """Make every row that waits for ``key`` due now; return which.  Needs the lock of that entity."""
    [woken] = await send(session, [_WAKE], {"key": key})
    return [(source, message_id) for source, message_id in woken]


async def bury(session: AsyncSession) -> list[tuple[str, str, str]]:
    """Fail rows whose every attempt took its process down; return source, id and type of each."""
    rows = await session.execute(_BURY, {"max_attempts": MAX_ATTEMPTS})
    return [(row.source, row.message_id, row.event_type) for row in rows]


async def take_due(session: AsyncSession, *, limit: int) -> list[tuple[str, str]]:
    """Return what is due, oldest first, and remember that it was looked at just now."""
    rows = await session.execute(_DUE, {"limit": limit, "again_seconds": WAKE_AGAIN_SECONDS})
    return [(row.source, row.message_id) for row in sorted(rows, key=lambda row: row.received_at)]


async def prune(session: AsyncSession) -> int:
    """Delete what was completed more than :data:`KEEP_COMPLETED_DAYS` ago; return how many."""
    result = await session.execute(_PRUNE, {"days": KEEP_COMPLETED_DAYS})
    return cast("CursorResult[Any]", result).rowcount


async def _write(
    session: AsyncSession, statement: TextClause, lease: Lease, **values: Any
) -> CursorResult[Any]:
    result = cast(
        "CursorResult[Any]",
        await session.execute(
            statement,
            {"source": lease.source, "message_id": lease.message_id, "token": lease.token, **values},
        ),
    )
    if result.rowcount != 1:
        raise LeaseLost(lease.message_id)
    return result


def _jitter() -> float:
    # So that what failed together does not come back together; no secret depends on it.
    return random.uniform(0.75, 1.25)  # noqa: S311
