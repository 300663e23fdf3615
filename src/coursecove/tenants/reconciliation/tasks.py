"""When reconciliations begin and go on, a piece at a time.

A job of the queue has a minute and the periodic loop has other things to do,
so a run is done in pieces; each remembers its place and wakes the next.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from coursecove.identity.api import ClerkApi
from coursecove.identity.errors import ClerkApiError
from coursecove.jobs import job
from coursecove.periodic import periodic
from coursecove.resources import Resources
from coursecove.tenants.reconciliation import runs
from coursecove.tenants.reconciliation.pacing import bucket_for
from coursecove.tenants.reconciliation.runs import LeaseLost, Run
from coursecove.tenants.reconciliation.walk import RunFailed, Walk
from coursecove.webhooks.processing import explain

log = structlog.get_logger("coursecove.reconciliation")

EVERY_SECONDS = 3600
WAKE_EVERY_SECONDS = 15
#: After this no further page is begun, and after that the page under way is cut off.
PIECE_SECONDS = 20.0
LONGEST_PIECE_SECONDS = 45.0


@periodic("tenants.reconcile", every_seconds=EVERY_SECONDS, first_after_seconds=EVERY_SECONDS)
async def start(resources: Resources) -> None:
    """Begin a run over the whole instance, unless the last one is still under way."""
    async with resources.database.platform_scope() as session:
        await runs.prune(session)
        await runs.open_run(session)
    await wake(resources)


@periodic("tenants.reconcile_wake", every_seconds=WAKE_EVERY_SECONDS)
async def wake(resources: Resources) -> None:
    """Send a worker to whatever is due: what was postponed, and what a lost message or a dead worker left."""
    async with resources.database.platform_scope() as session:
        due = await runs.is_due(session)
    if not due:
        return
    try:
        await resources.queue.send(reconcile)
    except Exception as error:
        log.warning("reconciliation_wakeup_not_sent", reason=type(error).__name__)


@job("tenants.reconcile")
async def reconcile(resources: Resources) -> None:
    """Do a piece of the run that is due first; does nothing while another worker is at one."""
    async with resources.database.platform_scope() as session:
        run = await runs.claim(session)
    if run is None:
        return
    with structlog.contextvars.bound_contextvars(run=str(run.id)):
        await _do_piece(resources, run)
    await wake(resources)


@job("tenants.reconcile_organization")
async def reconcile_organization(resources: Resources, *, organization_id: str) -> None:
    """Compare one school with Clerk now; its run is in the table, this only wakes.

    Schools come before the whole instance, so whatever is due first is it, or
    another school that asked earlier.
    """
    log.info("reconciliation_asked", organization_id=organization_id)
    await reconcile.run(resources)


async def _do_piece(resources: Resources, run: Run) -> None:
    settings, database = resources.settings, resources.database
    clerk = ClerkApi(settings, resources.http, pace=bucket_for(settings.clerk_secret_key).take)
    walk = Walk(database, clerk, run, secret_key=settings.clerk_secret_key)
    try:
        async with asyncio.timeout(LONGEST_PIECE_SECONDS):
            at_end = await walk.go(until=time.monotonic() + PIECE_SECONDS)
    except LeaseLost:
        log.warning("reconciliation_lease_lost")
    except RunFailed as error:
        await _finish(resources, run, error=str(error))
    except ClerkApiError as error:
        await _postpone(resources, run, explain(error), at_least_seconds=error.retry_after_seconds or 0.0)
    except Exception as error:
        await _postpone(resources, run, explain(error))
    else:
        if at_end:
            await _finish(resources, run)
            return
        async with database.platform_scope() as session:
            await runs.pause(session, run)


async def _finish(resources: Resources, run: Run, *, error: str | None = None) -> None:
    async with resources.database.platform_scope() as session:
        counts = await runs.finish(session, run, error=error)
    if counts is not None:
        write = log.error if counts["error"] else log.info
        write("reconciliation_finished", scope=_scope(run), **counts)


async def _postpone(resources: Resources, run: Run, error: str, *, at_least_seconds: float = 0.0) -> None:
    async with resources.database.platform_scope() as session:
        given_up = await runs.postpone(session, run, error, at_least_seconds=at_least_seconds)
    write = log.error if given_up else log.warning
    write("reconciliation_interrupted", scope=_scope(run), reason=error, given_up=given_up)


def _scope(run: Run) -> str:
    return str(run.organization_id) if run.organization_id else "instance"
