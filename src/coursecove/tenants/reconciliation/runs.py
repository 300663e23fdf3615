"""The rows of ``reconciliations`` and every way one may change.

One run is at work at a time, whatever the number of workers: its lease is a
unique key, and its end is read from the database's clock.  Whoever holds the
lease writes each repair and its count in one transaction that also proves the
lease (fencing), so a worker that slept through its lease changes nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import msgspec
from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import AsyncSession

#: Longer than a piece of work may take (tasks.py), so that only the dead are succeeded.
LEASE_SECONDS = 90.0
MAX_FAILURES = 8
FIRST_BACKOFF_SECONDS = 30.0
LONGEST_BACKOFF_SECONDS = 900.0
KEEP_DAYS = 90

Change = Literal["created", "updated", "removed", "skipped"]


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a walk has come; everything before it is done.

    First the ``organizations`` of Clerk, then school by school (``school`` is
    our id) Clerk's ``memberships`` and our ``members``, then our ``users``.
    """

    stage: Literal["organizations", "schools", "memberships", "members", "users"] = "organizations"
    # How many of Clerk's list were read, and how many of ours were found in it.
    offset: int = 0
    met: int = 0
    school: uuid.UUID | None = None
    after: str = ""
    # Which key the walk was begun with: another one may belong to another instance.
    key: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The right to go on with a run until the lease ends."""

    id: uuid.UUID
    token: uuid.UUID
    organization_id: uuid.UUID | None
    started_at: datetime
    place: Place


class LeaseLost(Exception):
    """The run is not ours any more: the lease ended and another worker took it."""


_TURN = text("select pg_advisory_xact_lock(hashtextextended('reconciliations', 0))")
_OPEN = text("""
insert into reconciliations (organization_id, requested_by) values (:organization_id, :requested_by)
on conflict (organization_id) where finished_at is null do nothing
returning id
""")
_EXPIRE = text("""
update reconciliations set lease_token = null, lease_expires_at = null where lease_expires_at <= now()
""")
# Schools first: somebody waits for them.
_CLAIM = text("""
update reconciliations
set lease_token = :token, lease_expires_at = now() + make_interval(secs => :lease_seconds),
    started_at = coalesce(started_at, now())
where id = (
  select id from reconciliations where finished_at is null and resume_at <= now()
  order by organization_id is null, requested_at limit 1
) and not exists (select 1 from reconciliations where lease_token is not null)
returning id, organization_id, started_at, place
""")
_IS_DUE = text("""
select exists (select 1 from reconciliations where finished_at is null and resume_at <= now())
  and not exists (select 1 from reconciliations where lease_expires_at > now())
""")
_GO_ON = text("""
update reconciliations
set place = coalesce(cast(:place as jsonb), place), checked = checked + :checked, created = created + :created,
    updated = updated + :updated, removed = removed + :removed, skipped = skipped + :skipped,
    failures = 0, error = null, lease_expires_at = now() + make_interval(secs => :lease_seconds)
where id = :id and lease_token = :token
""")
_PAUSE = text("""
update reconciliations set lease_token = null, lease_expires_at = null, resume_at = now()
where id = :id and lease_token = :token
""")
_POSTPONE = text("""
update reconciliations
set failures = failures + 1, error = :error, lease_token = null, lease_expires_at = null,
    finished_at = case when failures + 1 >= :max_failures then now() end,
    resume_at = now() + make_interval(secs => greatest(
      :at_least, least(:first_backoff * power(2, failures), :longest_backoff)))
where id = :id and lease_token = :token
returning finished_at is not null as given_up
""")
_FINISH = text("""
update reconciliations
set finished_at = now(), lease_token = null, lease_expires_at = null,
    error = coalesce(:error, case when skipped > 0
      then skipped || ' of what Clerk has could not be taken over; the log says why.' end)
where id = :id and lease_token = :token
returning checked, created, updated, removed, skipped, error
""")
_PRUNE = text("""
delete from reconciliations where finished_at < now() - make_interval(days => :days)
""")


async def open_run(
    session: AsyncSession, organization_id: uuid.UUID | None = None, *, requested_by: uuid.UUID | None = None
) -> bool:
    """Ask for a run of one school, or of the whole instance; False when one is open already."""
    values = {"organization_id": organization_id, "requested_by": requested_by}
    return await session.scalar(_OPEN, values) is not None


async def claim(session: AsyncSession) -> Run | None:
    """Lease the run that is due first; None when nothing is due or somebody is at work."""
    await session.execute(_TURN)
    await session.execute(_EXPIRE)
    token = uuid.uuid4()
    row = (await session.execute(_CLAIM, {"token": token, "lease_seconds": LEASE_SECONDS})).one_or_none()
    if row is None:
        return None
    return Run(row.id, token, row.organization_id, row.started_at, msgspec.convert(row.place, Place))


async def is_due(session: AsyncSession) -> bool:
    """Say whether :func:`claim` would find something to do."""
    return bool(await session.scalar(_IS_DUE))


async def go_on(
    session: AsyncSession,
    run: Run,
    *,
    place: Place | None = None,
    checked: int = 0,
    change: Change | None = None,
) -> None:
    """Write progress down and keep the lease; raises :class:`LeaseLost`.

    A run that gets anywhere has no failures any more.
    """
    counts = dict.fromkeys(("created", "updated", "removed", "skipped"), 0)
    if change is not None:
        counts[change] = 1
    result = await session.execute(
        _GO_ON,
        {
            **_whose(run),
            **counts,
            "checked": checked,
            "place": msgspec.json.encode(place).decode() if place else None,
            "lease_seconds": LEASE_SECONDS,
        },
    )
    if cast("CursorResult[Any]", result).rowcount != 1:
        raise LeaseLost


async def pause(session: AsyncSession, run: Run) -> None:
    """Let go of a run that has more to do; it is due at once."""
    await session.execute(_PAUSE, _whose(run))


async def postpone(session: AsyncSession, run: Run, error: str, *, at_least_seconds: float) -> bool:
    """Let go after trouble; say whether the run was given up.

    The next try comes after ``at_least_seconds``, and after 30 s, 1 min, 2 min
    … 15 min when several in a row got nowhere; :data:`MAX_FAILURES` of them end it.
    """
    return bool(
        await session.scalar(
            _POSTPONE,
            {
                **_whose(run),
                "error": error,
                "at_least": at_least_seconds,
                "max_failures": MAX_FAILURES,
                "first_backoff": FIRST_BACKOFF_SECONDS,
                "longest_backoff": LONGEST_BACKOFF_SECONDS,
            },
        )
    )


async def finish(session: AsyncSession, run: Run, *, error: str | None = None) -> dict[str, Any] | None:
    """End a run; return its counts for the log, None when it was not ours any more."""
    row = (await session.execute(_FINISH, {**_whose(run), "error": error})).one_or_none()
    return dict(row._mapping) if row else None


async def prune(session: AsyncSession) -> None:
    """Forget runs that ended more than :data:`KEEP_DAYS` ago."""
    await session.execute(_PRUNE, {"days": KEEP_DAYS})


def _whose(run: Run) -> dict[str, Any]:
    return {"id": run.id, "token": run.token}
