"""What a school's admin sees of the synchronization with Clerk, and the button beside it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, text

from coursecove.db.session import Acting, Database
from coursecove.errors import Conflict
from coursecove.events import track
from coursecove.jobs import enqueue
from coursecove.resources import Resources
from coursecove.tenants.models import Member
from coursecove.tenants.reconciliation import runs
from coursecove.tenants.reconciliation.tasks import reconcile_organization
from coursecove.tenants.schemas import OrganizationView

PAUSE_SECONDS = 60


class SyncTooSoon(Conflict):
    """The school was synchronized within the last minute, or is being synchronized."""

    code = "sync_too_soon"
    title = "Your school was synchronized just now"


class SyncState(Struct, frozen=True):
    """How a school stands with Clerk.

    ``last_event_at`` is when Clerk last told us something about the school or
    its memberships; ``waiting`` and ``failed`` count what it told us about the
    school that is not applied.  ``last_reconciled_at`` and ``last_result`` (a
    sentence) are about the last comparison that ended, the school's own or
    everybody's.  ``running``: one of its own is asked for or under way, and
    ``trouble`` is what it is held up by.
    """

    last_event_at: datetime | None
    waiting: int
    failed: int
    last_reconciled_at: datetime | None
    last_result: str | None
    running: bool
    trouble: str | None = None


_LAST_ASKED = text("""
select finished_at is null as is_open,
       ceil(extract(epoch from requested_at - now()) + :pause_seconds)::integer as seconds_left
from reconciliations where organization_id = :organization_id
order by requested_at desc limit 1
""")
_LAST_EVENT = text("""
select max(heard.received_at) from (
  select clerk_id from organizations where id = :organization_id
  union all select clerk_membership_id from members where organization_id = :organization_id
) as theirs (clerk_id)
cross join lateral (
  select received_at from webhook_events where entity_id = theirs.clerk_id order by received_at desc limit 1
) as heard
""")
# Whose a membership is that is not applied stands in its body only.  The id is
# looked for in its quotes, as bytes: a body need not be JSON, or text.
_OPEN_EVENTS = text("""
select count(*) filter (where status <> 'failed') as waiting,
       count(*) filter (where status = 'failed') as failed
from webhook_events
where (status in ('pending', 'processing') or status = 'failed')
  and position((
    select convert_to('"' || clerk_id || '"', 'UTF8') from organizations where id = :organization_id
  ) in body) > 0
""")
_RUNS = text("""
(select organization_id, finished_at, checked, created, updated, removed, error from reconciliations
 where organization_id = :organization_id and finished_at is null)
union all
(select organization_id, finished_at, checked, created, updated, removed, error from reconciliations
 where finished_at is not null
   and (organization_id = :organization_id or (organization_id is null and error is null))
 order by finished_at desc limit 1)
""")


async def request_sync(resources: Resources, organization: OrganizationView, *, by: Member) -> None:
    """Have the school compared with Clerk now, in the background; ``by`` is the admin who asks.

    Raises :class:`SyncTooSoon` within a minute of the last time, and while one
    is under way.  Tracks ``organization.sync_requested``.
    """
    acting = Acting(clerk_user_id=by.clerk_user_id or "", member_id=str(by.id), role=by.role)
    async with resources.database.organization(organization.id, acting=acting) as session:
        track(
            session,
            "organization.sync_requested",
            subject_type="organization",
            subject_id=organization.id,
            actor_id=by.id,
        )
        enqueue(session, reconcile_organization)
        await session.flush()
        # The run belongs to the platform's tables.  Its refusal takes the event back with it.
        await _open(resources.database, organization.id, by)


async def _open(database: Database, organization_id: uuid.UUID, by: Member) -> None:
    async with database.platform_scope() as platform:
        last = (
            await platform.execute(
                _LAST_ASKED, {"organization_id": organization_id, "pause_seconds": PAUSE_SECONDS}
            )
        ).one_or_none()
        if last is not None:
            _refuse_if_too_soon(is_open=last.is_open, seconds_left=last.seconds_left)
        # Of two admins who ask in the same moment, the second finds the first one's run open.
        if not await runs.open_run(platform, organization_id, requested_by=by.id):
            _refuse_if_too_soon(is_open=True, seconds_left=PAUSE_SECONDS)


def _refuse_if_too_soon(*, is_open: bool, seconds_left: int) -> None:
    if seconds_left > 0:
        wait = "1 second" if seconds_left == 1 else f"{seconds_left} seconds"
        raise SyncTooSoon(f"Please try again in {wait}.", extra={"retry_after_seconds": seconds_left})
    if is_open:
        raise SyncTooSoon(
            "It is still under way. Please try again in a minute.",
            extra={"retry_after_seconds": PAUSE_SECONDS},
        )


async def sync_state(database: Database, organization_id: uuid.UUID) -> SyncState:
    """Return how a school stands with Clerk; for its admins only."""
    # The inbox and the runs belong to no school; every question here names the one it is about.
    values = {"organization_id": organization_id}
    async with database.platform_scope() as session:
        last_event_at = await session.scalar(_LAST_EVENT, values)
        open_events = (await session.execute(_OPEN_EVENTS, values)).one()
        found = (await session.execute(_RUNS, values)).all()
    under_way = next((run for run in found if run.finished_at is None), None)
    ended = next((run for run in found if run.finished_at is not None), None)
    return SyncState(
        last_event_at=last_event_at,
        waiting=open_events.waiting,
        failed=open_events.failed,
        last_reconciled_at=ended.finished_at if ended else None,
        last_result=_in_words(ended) if ended else None,
        running=under_way is not None,
        trouble=under_way.error if under_way else None,
    )


def _in_words(run: Row[Any]) -> str:
    if run.organization_id is None:
        # The numbers are about all schools and none of this one's business.
        return "Compared with Clerk, as all schools are every hour."
    if run.error:
        return str(run.error)
    changes = [
        f"{count} {verb}"
        for count, verb in [(run.created, "added"), (run.updated, "updated"), (run.removed, "removed")]
        if count
    ]
    return f"{run.checked} compared, {', '.join(changes) if changes else 'nothing to repair'}."
