"""Row-level security, written once: the roles, the policies and the check that they hold.

A tenant table gets ``ENABLE`` and ``FORCE ROW LEVEL SECURITY``, one permissive
policy per role that may touch it at all, and one *restrictive* policy that no
permissive one can widen: the row's organization is the transaction's.
"""

from __future__ import annotations

OWNER_ROLE = "coursecove_owner"
APP_ROLE = "coursecove_app"
PLATFORM_ROLE = "coursecove_platform"

# Wrapped in a sub-select the planner evaluates the setting once per query.  After
# a transaction that set it, the setting reads '' rather than NULL: hence nullif.
CURRENT_ORGANIZATION = "(select nullif(current_setting('app.organization_id', true), '')::uuid)"


def isolate(
    table: str,
    *,
    key: str = "organization_id",
    app: str = "select, insert, update, delete",
    update_columns: tuple[str, ...] | None = None,
) -> list[str]:
    """Return the DDL that makes ``table`` a tenant table.

    ``app`` is what the application role may do; when ``update_columns`` is
    given, UPDATE is granted on those columns only, which is how the
    organization of a row is made immovable.
    """
    verbs = [verb.strip() for verb in app.split(",")]
    grants = [verb for verb in verbs if verb != "update"]
    statements = [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy {table}_app on {table} as permissive for all to {APP_ROLE} "
        "using (true) with check (true)",
        f"create policy {table}_organization on {table} as restrictive for all to {APP_ROLE} "
        f"using ({key} = {CURRENT_ORGANIZATION}) with check ({key} = {CURRENT_ORGANIZATION})",
        f"grant {', '.join(grants)} on {table} to {APP_ROLE}",
    ]
    if "update" in verbs:
        if not update_columns:
            raise ValueError(f"{table}: say which columns may be updated")
        statements.append(f"grant update ({', '.join(update_columns)}) on {table} to {APP_ROLE}")
    return statements


# Who is asking, set by the same statement as the organization.
CURRENT_MEMBER = "(select nullif(current_setting('app.member_id', true), '')::uuid)"
CURRENT_CLERK_USER = "(select nullif(current_setting('app.clerk_user_id', true), ''))"
_ROLE = "(select current_setting('app.member_role', true))"


def acting_as(*roles: str) -> str:
    """Return the condition that the unit of work acts as one of ``roles`` (system: CourseCove itself)."""
    return f"{_ROLE} in ({', '.join(repr(role) for role in roles)})"


def either_role(*roles: str) -> str:
    """Return the same condition, answered as a whole once per statement; for policies of hot tables."""
    return f"(select current_setting('app.member_role', true) in ({', '.join(repr(role) for role in roles)}))"


def keep_from_others(table: str, visible: str, *, verbs: str = "all") -> list[str]:
    """Return the DDL of a second restrictive policy: inside the school, rows are for whom ``visible`` says.

    ``verbs`` is ``all`` or one verb; rows written must be visible to who writes them.
    """
    name = f"{table}_person" if verbs == "all" else f"{table}_person_{verbs}"
    using = "" if verbs == "insert" else f" using ({visible})"
    check = "" if verbs in ("select", "delete") else f" with check ({visible})"
    return [f"create policy {name} on {table} as restrictive for {verbs} to {APP_ROLE}{using}{check}"]


def open_to_platform(table: str, verbs: str = "select, insert, update, delete") -> list[str]:
    """Return the DDL that lets the platform role through to ``table``, for all organizations."""
    return [
        f"alter table {table} enable row level security",
        f"alter table {table} force row level security",
        f"create policy {table}_platform on {table} as permissive for all to {PLATFORM_ROLE} "
        "using (true) with check (true)",
        f"grant {verbs} on {table} to {PLATFORM_ROLE}",
    ]


# What the process must be, asked before it calls itself ready.
ROLE_CHECK = """
select current_user as role,
       rolsuper as superuser,
       rolbypassrls as bypasses,
       exists (
         select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'public' and c.relkind in ('r', 'p')
           and pg_has_role(current_user, c.relowner, 'USAGE')
       ) as owns_tables
from pg_roles where rolname = current_user
"""
