"""Requests that nobody answers lapse: the sweep may see when.

Revision: 0005
After: 0004

The sweep looks for what is due in any organization, as it does for facts and
mails: ids and dates, no content.
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import PLATFORM_ROLE

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Open ids and dates to the sweep; a moment's lock is all it takes."""
    op.execute(
        "grant select (organization_id, id, approve_by, held_until, confirmed_at, cancelled_at) "
        f"on bookings to {PLATFORM_ROLE}"
    )
    op.execute(
        f"create policy bookings_platform on bookings as permissive for select to {PLATFORM_ROLE} using (true)"
    )
    # Across all schools, unlike bookings_waiting.
    op.execute(
        "create index bookings_to_lapse on bookings (approve_by) "
        "where confirmed_at is null and cancelled_at is null"
    )
