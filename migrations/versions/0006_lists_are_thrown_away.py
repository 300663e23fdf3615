"""Uploaded lists go when they are done with: by whoever uploaded them, and by the sweep.

Revision: 0006
After: 0005
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import APP_ROLE, open_to_platform

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let lists be deleted; the platform learns that there are some, never what stands in them."""
    op.execute(f"grant delete on imports to {APP_ROLE}")
    columns = "select (organization_id, id, kind, created_at, applied_at), delete"
    for statement in open_to_platform("imports", columns):
        op.execute(statement)
