"""What keeps the inbox moving by itself."""

from __future__ import annotations

import asyncio
import time

import structlog

from coursecove.periodic import periodic
from coursecove.resources import Resources
from coursecove.webhooks import ledger
from coursecove.webhooks.wakeups import process

log = structlog.get_logger("coursecove.webhooks")

SWEEP_BATCH = 500
SEND_SECONDS = 1.0
# How long one sweep may work itself when Redis is away, and on how many events at a time.
DRAIN_SECONDS = 5.0
DRAIN_LANES = 3


@periodic("webhooks.sweep", every_seconds=2)
async def sweep(resources: Resources) -> None:
    """Wake workers for everything that is due, expired leases too; do the work here when Redis is away."""
    async with resources.database.platform_scope() as session:
        buried = await ledger.bury(session)
        due = await ledger.take_due(session, limit=SWEEP_BATCH)
    for source, message_id, event_type in buried:
        log.error("webhook", source=source, message_id=message_id, event_type=event_type, status="failed")
    for position, (source, message_id) in enumerate(due):
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await resources.queue.send(process, source=source, message_id=message_id)
        except Exception as error:
            log.warning("webhook_queue_away", reason=type(error).__name__, due=len(due) - position)
            await _drain(resources, due[position:])
            return


@periodic("webhooks.prune", every_seconds=86_400)
async def prune(resources: Resources) -> None:
    """Delete completed events after their time; failed ones stay until somebody has looked."""
    async with resources.database.platform_scope() as session:
        deleted = await ledger.prune(session)
    log.info("webhooks_pruned", deleted=deleted)


async def _drain(resources: Resources, rows: list[tuple[str, str]]) -> None:
    """Process rows in this process, oldest first, until done or until the time is up."""
    ends = time.monotonic() + DRAIN_SECONDS
    left = iter(rows)

    async def lane() -> None:
        for source, message_id in left:
            if time.monotonic() > ends:
                return
            await process.run(resources, source=source, message_id=message_id)

    await asyncio.gather(*(lane() for _ in range(DRAIN_LANES)))
