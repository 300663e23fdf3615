"""Reminders and notices of clock changes among the mails.

Revision: 0014
After: 0008

The job that looks for what is due in any school sees when lessons begin, as it
does for facts and mails: ids and dates, no content.
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import PLATFORM_ROLE

revision = "0014"
down_revision = "0008"
branch_labels = None
depends_on = None

CHANGES = """
alter table preferences
  -- Links that end mails prove themselves.
  drop column unsubscribe_digest;

alter table deliveries
  -- Of a reminder: how long before the lesson.
  add column ahead_minutes integer not null default 0 check (ahead_minutes between 0 and 20160),
  -- Of a notice that lessons move on somebody's clock: when clocks change.
  add column clock_change_at timestamptz,
  drop constraint deliveries_organization_id_booking_id_booking_revision_kind_key,
  add unique (organization_id, booking_id, booking_revision, kind, recipient_id, ahead_minutes),
  drop constraint deliveries_check1,
  add check (num_nonnulls(booking_id, waitlist_entry_id, clock_change_at) = 1);
drop index deliveries_of_waitlist;
create unique index deliveries_of_waitlist on deliveries (organization_id, waitlist_entry_id, kind, recipient_id)
  where waitlist_entry_id is not null;
create unique index deliveries_of_clock_changes on deliveries (organization_id, clock_change_at, recipient_id)
  where clock_change_at is not null;
create index deliveries_latest on deliveries (organization_id, created_at desc, id);
"""


def upgrade() -> None:
    """Add columns and indexes, and open dates to the job that wakes reminders."""
    op.execute(CHANGES)
    op.execute(f"grant select (starts_at) on bookings to {PLATFORM_ROLE}")
