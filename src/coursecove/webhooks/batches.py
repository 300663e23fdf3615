"""Several events that are due, leased together, and changed and completed together.

For what changes as one statement (``inbox.changes_at_once``): one commit leases
the rows, one more writes all changes and final statuses.  Everything a lease
promises holds for each of them.  When anything goes wrong nothing of the batch
was written, and each of its events is attempted by itself, under the lease it has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import Database
from coursecove.webhooks import ledger
from coursecove.webhooks.inbox import AtOnce, ClerkEvent, find_at_once, types_at_once
from coursecove.webhooks.ledger import Lease, LeaseLost
from coursecove.webhooks.processing import QUEUE, Limits, Result, attempt, note, open_data

log = structlog.get_logger("coursecove.webhooks")

MOST = 100
# Much shorter than a lease: what comes to nothing leaves time for attempts of their own.
LIMITS = Limits(seconds=4.0, statement_ms=3_000, lock_ms=500)
# How many events of a batch that failed are attempted at a time.
LANES = 3
# What was finished in a batch is remembered so long: its own wake-up has nothing left to do.
REMEMBER_SECONDS = 30.0

_finished: dict[tuple[str, str], float] = {}
_turns: WeakKeyDictionary[Database, asyncio.Lock] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Event:
    """A leased event and what it changes."""

    lease: Lease
    change: AtOnce


async def work(database: Database, source: str, message_id: str) -> list[tuple[str, str]]:
    """Process one event that is due, and with it others that change as one statement; return whom to wake.

    One batch of a process at a time: whoever comes meanwhile finds less to do.
    """
    started = time.monotonic()
    async with _turns.setdefault(database, asyncio.Lock()):
        leases = await ledger.claim_several(
            database, source, message_id, event_types=types_at_once(), at_most=MOST
        )
        batch, others = _sorted(leases)
        woken: list[tuple[str, str]] = []
        while batch:
            now, batch = _one_of_each(batch)
            found = await _together(database, now, started=started)
            if found is None:
                others += [event.lease for event in (*now, *batch)]
                break
            woken += found
    await _by_themselves(database, others, started=started)
    return woken


def is_finished(*, source: str, message_id: str) -> bool:
    """Say, once, that an event was finished in a batch of this process lately; asks nobody."""
    until = _finished.pop((source, message_id), None)
    return until is not None and until > time.monotonic()


def _sorted(leases: Sequence[Lease]) -> tuple[list[_Event], list[Lease]]:
    """Return what can be done together, and what has to be attempted by itself, the unreadable with it."""
    batch: list[_Event] = []
    others: list[Lease] = []
    for lease in leases:
        describe = find_at_once(lease.event_type)
        try:
            if describe is None:
                raise LookupError
            event = ClerkEvent(lease.message_id, lease.event_type, open_data(lease.body))
            batch.append(_Event(lease, describe(event)))
        except Exception:
            others.append(lease)
    return batch, others


def _one_of_each(batch: Sequence[_Event]) -> tuple[list[_Event], list[_Event]]:
    """Return the first event of every entity, of one kind of change, and the rest for another round."""
    now: dict[str, _Event] = {}
    later = []
    for event in batch:
        alike = event.change.changes == batch[0].change.changes
        if alike and event.change.entity not in now:
            now[event.change.entity] = event
        else:
            later.append(event)
    return list(now.values()), later


async def _together(
    database: Database, events: Sequence[_Event], *, started: float
) -> list[tuple[str, str]] | None:
    """Change and complete all of these; return who waited for that, None when nothing was written."""
    try:
        async with (
            asyncio.timeout(LIMITS.seconds),
            database.platform_scope(limits=LIMITS.on_the_server) as session,
        ):
            outcomes, woken = await _write(session, events, started=started)
    except Exception as error:
        log.warning("webhook_batch_undone", events=len(events), reason=type(error).__name__)
        return None
    until = time.monotonic() + REMEMBER_SECONDS
    for event in events:
        lease = event.lease
        _finished[lease.source, lease.message_id] = until
        result = Result("completed", outcome=outcomes[lease.message_id])
        note(lease.message_id, lease.event_type, lease.path, result, started)
    _forget()
    return woken


async def _write(
    session: AsyncSession, events: Sequence[_Event], *, started: float
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    outcomes, woken = await ledger.complete_several(
        session,
        [event.lease for event in events],
        [event.change for event in events],
        milliseconds=round((time.monotonic() - started) * 1000),
    )
    if len(outcomes) < len(events):
        raise LeaseLost
    return outcomes, woken


async def _by_themselves(database: Database, leases: Sequence[Lease], *, started: float) -> None:
    left = iter(leases)

    async def lane() -> None:
        for lease in left:
            await attempt(database, lease, QUEUE, started=started)

    await asyncio.gather(*(lane() for _ in range(min(LANES, len(leases)))))


def _forget() -> None:
    """Let go of what is remembered too long; the oldest come first."""
    now = time.monotonic()
    while _finished and next(iter(_finished.values())) < now:
        del _finished[next(iter(_finished))]
