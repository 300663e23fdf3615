"""What the ledger holds, for Prometheus: read from Postgres, the same whichever process answers.

A scrape waits for it a moment at most and then does without, because a slow
database must not hang it.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from prometheus_client import Gauge
from sqlalchemy import text

from coursecove.db.session import Database
from coursecove.webhooks import service
from coursecove.webhooks.metrics import group_of

log = structlog.get_logger("coursecove.webhooks")

FRESH_SECONDS = 5.0
WAIT_SECONDS = 1.0

OPEN = Gauge("coursecove_webhook_ledger_events", "Events of the ledger that are not completed", ["status"])
WAITING = Gauge("coursecove_webhook_ledger_waiting", "Pending events that wait for another event")
OLDEST = Gauge(
    "coursecove_webhook_ledger_oldest_open_seconds", "Age of the oldest event that is not done; 0 if none"
)
LATELY = Gauge(
    "coursecove_webhook_last_hour_events",
    "Events received within the last hour, whoever processed them",
    ["type_group", "path", "status", "outcome"],
)
LATENCY = Gauge(
    "coursecove_webhook_last_hour_seconds",
    "From received to done, of the last hour's completed events",
    ["quantile"],
)
UP = Gauge("coursecove_webhook_ledger_up", "1 when the gauges of the ledger were read just now")

_SET_TIMEOUT = text("select set_config('statement_timeout', :limit, true)")


class LedgerGauges:
    """Keeps the gauges of one process fresh; one question at a time, however many ask."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fresh_until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Read the ledger unless that was just done; take :data:`WAIT_SECONDS` at most, raise nothing."""
        if time.monotonic() < self._fresh_until:
            return
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._read())
        # Left running when it takes too long: cancelling would have to wait for a server that does not answer.
        done, _ = await asyncio.wait({self._asking}, timeout=WAIT_SECONDS)
        if not done:
            UP.set(0)

    async def _read(self) -> None:
        try:
            async with self._database.platform_scope() as session:
                await session.execute(_SET_TIMEOUT, {"limit": f"{WAIT_SECONDS * 5:.0f}s"})
                standing = await service.standing(session)
                tally = await service.tally(session)
                stats = await service.stats(session, hours=1)
        except Exception as error:
            log.warning("webhook_gauges_not_read", reason=type(error).__name__)
            UP.set(0)
            return
        for status in ("pending", "processing", "failed"):
            OPEN.labels(status).set(getattr(standing, status))
        WAITING.set(standing.waiting)
        OLDEST.set(standing.oldest_open_seconds or 0)
        LATELY.clear()
        for (group, path, status, outcome), events in tally.items():
            LATELY.labels(group_of(group), path, status, outcome).inc(events)
        LATENCY.clear()
        for quantile, latency in (("0.5", stats.p50_ms), ("0.99", stats.p99_ms)):
            if latency is not None:
                LATENCY.labels(quantile).set(latency / 1000)
        UP.set(1)
        self._fresh_until = time.monotonic() + FRESH_SECONDS
