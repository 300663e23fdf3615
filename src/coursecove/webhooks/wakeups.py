"""Telling workers that there is something to do: a hint through Redis, never the truth.

A wake-up that is lost costs seconds, because the sweep finds what is due in
Postgres.  So nothing here waits for Redis and nothing fails because of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import after_commit
from coursecove.jobs import Queue, job
from coursecove.resources import Resources
from coursecove.webhooks import batches, ledger

log = structlog.get_logger("coursecove.webhooks")

# A Redis that does not answer holds a thread for seconds; it must not hold all of them.
MAX_SENDING = 4
# More than this at once is the sweep's business.
MAX_BATCH = 200

_sending: set[asyncio.Task[None]] = set()


@job("webhooks.process", needless=batches.is_finished)
async def process(resources: Resources, *, source: str, message_id: str) -> None:
    """Process one event that is due, and what can be done with it; does nothing when that is done elsewhere."""
    nudge(resources.queue, await batches.work(resources.database, source, message_id))


def nudge(queue: Queue, rows: Sequence[tuple[str, str]]) -> None:
    """Wake a worker for each (source, message id), in the background; the sweep does it when this is busy."""
    if not rows or len(_sending) >= MAX_SENDING:
        return
    task = asyncio.create_task(_send(queue, rows[:MAX_BATCH]))
    _sending.add(task)
    task.add_done_callback(_sending.discard)


async def settle() -> None:
    """Wait for the wake-ups under way; for a process that is about to end."""
    await asyncio.gather(*_sending)


async def _send(queue: Queue, rows: Sequence[tuple[str, str]]) -> None:
    try:
        for source, message_id in rows:
            await queue.send(process, source=source, message_id=message_id)
    except Exception as error:
        log.warning("webhook_wakeup_not_sent", reason=type(error).__name__)


async def arrived(session: AsyncSession, key: str) -> None:
    """Make everything that waits for ``key`` due, in this transaction, and wake workers once it is durable.

    Call it whenever an entity comes to be or is known never to come, holding its lock.
    """
    wake_workers(session, await ledger.wake(session, key))


def wake_workers(session: AsyncSession, rows: Sequence[tuple[str, str]]) -> None:
    """Nudge for each (source, message id) once this unit of work is durable."""
    if not rows:
        return
    queue: Queue = session.info["queue"]

    async def send() -> None:
        nudge(queue, rows)

    after_commit(session, send)
