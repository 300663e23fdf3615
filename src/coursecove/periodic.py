"""Jobs that come back: claimed in Postgres, so that any number of workers run each once.

A worker claims a due row with ``FOR UPDATE SKIP LOCKED`` and moves its next run
forward in the same statement.  A worker that dies in the middle loses one run;
every periodic job is written so that the next run finds what was left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import text

from coursecove.resources import Resources

log = structlog.get_logger("coursecove.periodic")

PeriodicFunction = Callable[[Resources], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A function that runs about every ``every_seconds``, somewhere, once.

    ``first_after_seconds`` is how long a new house waits for the first time.
    """

    name: str
    every_seconds: int
    run: PeriodicFunction
    first_after_seconds: int = 0


REGISTRY: dict[str, PeriodicJob] = {}


def periodic(
    name: str, *, every_seconds: int, first_after_seconds: int = 0
) -> Callable[[PeriodicFunction], PeriodicFunction]:
    """Register an async function as the periodic job ``name``."""

    def register(function: PeriodicFunction) -> PeriodicFunction:
        REGISTRY[name] = PeriodicJob(name, every_seconds, function, first_after_seconds)
        return function

    return register


_CLAIM = text("""
update periodic_jobs set last_run_at = now(), next_run_at = now() + make_interval(secs => every_seconds)
where name = (
  select name from periodic_jobs where next_run_at <= now() and name = any(:known)
  order by next_run_at limit 1 for update skip locked
)
returning name
""")
_REGISTER = text("""
insert into periodic_jobs (name, every_seconds, next_run_at)
values (:name, :every_seconds, now() + make_interval(secs => :first_after_seconds))
on conflict (name) do update set every_seconds = excluded.every_seconds
where periodic_jobs.every_seconds <> excluded.every_seconds
""")


async def register_all(resources: Resources) -> None:
    """Write the known periodic jobs into their table."""
    async with resources.database.platform_scope() as session:
        for job in REGISTRY.values():
            await session.execute(
                _REGISTER,
                {
                    "name": job.name,
                    "every_seconds": job.every_seconds,
                    "first_after_seconds": job.first_after_seconds,
                },
            )


async def run_due(resources: Resources) -> int:
    """Claim and run whatever is due now; return how many ran.  A failing job is logged, not raised."""
    ran = 0
    while True:
        async with resources.database.platform_scope() as session:
            name = await session.scalar(_CLAIM, {"known": list(REGISTRY)})
        if name is None:
            return ran
        try:
            await REGISTRY[name].run(resources)
        except Exception:
            log.exception("periodic_job_failed", job=name)
        ran += 1


async def run_forever(resources: Resources, *, poll_seconds: float = 1.0) -> None:
    """Run periodic jobs until cancelled; survives a database that is away for a while."""
    registered = False
    while True:
        try:
            if not registered:
                await register_all(resources)
                registered = True
            await run_due(resources)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.warning("periodic_loop_interrupted", exc_info=True)
        await asyncio.sleep(poll_seconds)
