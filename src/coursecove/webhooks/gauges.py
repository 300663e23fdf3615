"""What the ledger holds, for Prometheus."""

from __future__ import annotations

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.gauges import StoredGauges
from coursecove.webhooks import service
from coursecove.webhooks.metrics import group_of

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


class LedgerGauges(StoredGauges):
    """The gauges of the ledger."""

    up = UP

    async def read(self, session: AsyncSession) -> None:
        """Read what is open, and what became of the last hour's events."""
        standing = await service.standing(session)
        tally = await service.tally(session)
        stats = await service.stats(session, hours=1)
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
