"""What reconciliation found lately, for Prometheus: read from its runs, whichever worker did them."""

from __future__ import annotations

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.gauges import StoredGauges

REPAIRS = Gauge(
    "coursecove_reconciliation_last_day_repairs",
    "What the last day's runs changed here, by kind; skipped is what could not be taken over",
    ["change"],
)
RUNS = Gauge(
    "coursecove_reconciliation_last_day_runs",
    "Runs that ended within the last day, of the whole instance or of one school that asked",
    ["scope", "outcome"],
)
FINISHED = Gauge(
    "coursecove_reconciliation_last_finished_timestamp_seconds",
    "When the last run ended, in seconds since 1970; absent where none did",
    ["scope", "outcome"],
)
OPEN = Gauge("coursecove_reconciliation_open_runs", "Runs that are asked for or under way", ["scope"])
UP = Gauge("coursecove_reconciliation_up", "1 when the gauges of reconciliation were read just now")

_CHANGES = ("created", "updated", "removed", "skipped")
_SCOPES = ("instance", "school")
_OUTCOMES = ("completed", "error")

# A run that is still under way has changed something already.
_REPAIRS = text("""
select coalesce(sum(created), 0) as created, coalesce(sum(updated), 0) as updated,
       coalesce(sum(removed), 0) as removed, coalesce(sum(skipped), 0) as skipped
from reconciliations where finished_at is null or finished_at > now() - interval '1 day'
""")
_RUNS = text("""
select case when organization_id is null then 'instance' else 'school' end as scope,
       case when finished_at is null then 'open'
            when error is null then 'completed' else 'error' end as outcome,
       count(*) filter (where finished_at is null or finished_at > now() - interval '1 day') as lately,
       extract(epoch from max(finished_at))::float as finished_at
from reconciliations group by 1, 2
""")


class ReconciliationGauges(StoredGauges):
    """The gauges of reconciliation; schools are not told apart."""

    up = UP

    async def read(self, session: AsyncSession) -> None:
        """Read what the last day's runs did, and when one ended."""
        repairs = (await session.execute(_REPAIRS)).one()
        runs = {(row.scope, row.outcome): row for row in await session.execute(_RUNS)}
        for change in _CHANGES:
            REPAIRS.labels(change).set(getattr(repairs, change))
        FINISHED.clear()
        for scope in _SCOPES:
            found = runs.get((scope, "open"))
            OPEN.labels(scope).set(found.lately if found else 0)
            for outcome in _OUTCOMES:
                found = runs.get((scope, outcome))
                RUNS.labels(scope, outcome).set(found.lately if found else 0)
                if found:
                    FINISHED.labels(scope, outcome).set(found.finished_at)
