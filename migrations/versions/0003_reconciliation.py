"""Runs of the reconciliation with Clerk, and the inbox found by what an event is about.

Revision: 0003
After: 0002
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import open_to_platform

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RECONCILIATIONS = """
create table reconciliations (
  id uuid primary key default gen_random_uuid(),
  -- Null: the whole instance.
  organization_id uuid references organizations (id),
  -- Null: the schedule.
  requested_by uuid,
  requested_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  -- Where the walk goes on, and when it may.
  place jsonb not null default '{}',
  resume_at timestamptz not null default now(),
  -- Pieces of work in a row that got nowhere.
  failures integer not null default 0,
  lease_token uuid,
  lease_expires_at timestamptz,
  checked integer not null default 0,
  created integer not null default 0,
  updated integer not null default 0,
  removed integer not null default 0,
  -- What was seen and could not be repaired; the log says why.
  skipped integer not null default 0,
  error text,
  foreign key (organization_id, requested_by) references members,
  check (requested_by is null or organization_id is not null),
  check ((lease_token is null) = (lease_expires_at is null)),
  check (finished_at is null or (started_at is not null and lease_token is null))
);
-- One open run for a school, one for the whole instance.
create unique index reconciliations_open on reconciliations (organization_id) nulls not distinct
  where finished_at is null;
-- And one at work in all, however many workers there are.
create unique index reconciliations_at_work on reconciliations ((true)) where lease_token is not null;
create index reconciliations_latest on reconciliations (organization_id, requested_at desc);

-- What a school heard last, one entity's history, and the failures, in a ledger of any length.
create index webhook_events_by_entity on webhook_events (entity_id, received_at desc);
create index webhook_events_failed on webhook_events (received_at desc) where status = 'failed';
"""


def upgrade() -> None:
    """Add the table, for the platform's role only."""
    op.execute(RECONCILIATIONS)
    for statement in open_to_platform("reconciliations"):
        op.execute(statement)
