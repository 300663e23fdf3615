"""Inside a school, people are kept from each other's rows too.

Revision: 0002
After: 0001

Until now the application alone saw to it that a student reads only their own
lessons.  From here on the database does as well: a second restrictive policy on
the tables that hold what is personal, keyed on the signed-in member and role.
The running release sets neither, so deploy the code with this migration.
"""

from __future__ import annotations

from alembic import op

from coursecove.db.rls import CURRENT_CLERK_USER, CURRENT_MEMBER, acting_as, keep_from_others

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SERVING_ALL = acting_as("admin", "system")

PERSONAL = {
    # A lesson is its student's, whoever booked it, and the instructor's who teaches it.
    "bookings": (
        f"{_SERVING_ALL} or student_id = {CURRENT_MEMBER} or booked_by_id = {CURRENT_MEMBER} "
        f"or ({acting_as('instructor')} and exists (select from sessions "
        "where sessions.organization_id = bookings.organization_id and sessions.id = bookings.session_id "
        f"and sessions.instructor_id = {CURRENT_MEMBER}))"
    ),
    # Who teaches and runs the school is known to all; who else learns there is not.
    "members": (
        f"{acting_as('admin', 'instructor', 'system')} or role in ('admin', 'instructor') "
        f"or id = {CURRENT_MEMBER} or clerk_user_id = {CURRENT_CLERK_USER}"
    ),
    "deliveries": _SERVING_ALL,
    # Everybody writes what they did; the whole trail is for those who run the school.
    "events": f"{_SERVING_ALL} or actor_id = {CURRENT_MEMBER}",
    "idempotency_keys": f"{acting_as('system')} or member_id = {CURRENT_MEMBER}",
}


def upgrade() -> None:
    """Add the policies; nothing is rewritten, and a moment's lock per table is all it takes."""
    for table, visible in PERSONAL.items():
        for statement in keep_from_others(table, visible):
            op.execute(statement)
    # Roles are given by admins only, whatever a request talks the application into.
    for statement in keep_from_others("members", _SERVING_ALL, verbs="update"):
        op.execute(statement)
