"""What mail needs: where people read their times, when what is due, and who may see it go.

Revision: 0009
After: 0007
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import APP_ROLE

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Remember the zone of a person's device."""
    op.execute("alter table preferences add column seen_time_zone text")
    op.execute(f"grant update (seen_time_zone) on preferences to {APP_ROLE}")
