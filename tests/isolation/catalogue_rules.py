"""The rules of a tenant database, asked of Postgres' own catalogue.

`complaints` looks at whatever is there: a new table is covered without anybody
remembering it.
"""

from __future__ import annotations

from typing import Any

import psycopg

OWNER, APP, PLATFORM = "coursecove_owner", "coursecove_app", "coursecove_platform"

#: Tables that stand before or above a tenant. A new name here is a decision, not a formality.
PLATFORM_TABLES = frozenset(
    {
        "alembic_version",
        "identity_tombstones",
        "organizations",
        "periodic_jobs",
        "reconciliations",
        "subdomains",
        "users",
        "webhook_events",
    }
)
#: What the application role may do with those: read how far the schema is, and see its own organization.
_APP_ON_PLATFORM = {"alembic_version": {"SELECT"}, "organizations": {"SELECT", "UPDATE"}}

_SETTING = "(NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid"
#: As Postgres prints it: the comparison is exact, because almost right is a leak.
_POLICY = f'({{key}} = ( SELECT {_SETTING} AS "nullif"))'

_RELATIONS = """
select c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole::text,
       coalesce(c.reloptions, '{}') as options
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by c.relname
"""
_POLICIES = """
select polpermissive, polcmd::text, array(select unnest(polroles)::regrole::text) as roles,
       pg_get_expr(polqual, polrelid) as qual, pg_get_expr(polwithcheck, polrelid) as with_check
from pg_policy where polrelid = %s::regclass
"""
_UNIQUE_KEYS = """
select i.indexrelid::regclass::text as name, i.indisprimary as is_primary,
       (select attname from pg_attribute where attrelid = i.indrelid and attnum = i.indkey[0]) as first_column
from pg_index i where i.indrelid = %s::regclass and (i.indisunique or i.indisexclusion)
"""
_FOREIGN_KEYS = """
select conname as name, confrelid::regclass::text as target,
       (select attname from pg_attribute where attrelid = conrelid and attnum = conkey[1]) as first_column,
       (select attname from pg_attribute where attrelid = confrelid and attnum = confkey[1]) as first_target
from pg_constraint where conrelid = %s::regclass and contype = 'f'
"""
_PRIVILEGES = """
select v.name
from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) v(name)
where has_table_privilege(%(role)s, %(table)s, v.name)
   or (v.name in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
       and has_any_column_privilege(%(role)s, %(table)s, v.name))
"""
_PUBLIC_GRANTS = """
select c.relname, a.privilege_type from pg_class c, aclexplode(c.relacl) a
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.grantee = 0
"""
_FUNCTIONS = """
select p.oid::regprocedure::text from pg_proc p
where p.prosecdef and p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
"""


def rows(connection: psycopg.Connection[Any], query: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    return connection.execute(query, parameters).fetchall()


def tenant_tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Return every table that is not on the platform's list."""
    found = [name for name, kind, *_ in rows(connection, _RELATIONS) if kind in ("r", "p")]
    return [name for name in found if name not in PLATFORM_TABLES]


def privileges(connection: psycopg.Connection[Any], role: str, table: str) -> set[str]:
    """Return the verbs a role holds on a table or on any of its columns."""
    return {name for (name,) in rows(connection, _PRIVILEGES, {"role": role, "table": table})}


def complaints(connection: psycopg.Connection[Any]) -> list[str]:
    """Return what is wrong with the schema, one sentence each; nothing when it may serve."""
    found: list[str] = []
    for name, kind, enabled, forced, owner, options in rows(connection, _RELATIONS):
        if kind == "v":
            if not {"security_invoker=true", "security_invoker=on", "security_invoker=1"} & set(options):
                found.append(f"view {name} reads with its owner's rights: security_invoker is missing")
            continue
        if kind in ("m", "f"):
            found.append(f"{name} is a materialized view or a foreign table: no policy can hold there")
            continue
        if owner != OWNER:
            found.append(f"{name} belongs to {owner}")
        if name != "alembic_version" and not (enabled and forced):
            found.append(f"{name} has no ENABLE and FORCE row level security")
        found += (
            _platform_table(connection, name) if name in PLATFORM_TABLES else _tenant_table(connection, name)
        )
    for name, verb in rows(connection, _PUBLIC_GRANTS):
        found.append(f"everybody has {verb} on {name}")
    for (name,) in rows(connection, _FUNCTIONS):
        found.append(f"function {name} is SECURITY DEFINER")
    return found + _roles(connection)


def _restrictive(connection: psycopg.Connection[Any], table: str, key: str) -> list[str]:
    wanted = _POLICY.format(key=key)
    found = []
    restrictive = False
    for permissive, verbs, roles, qual, check in rows(connection, _POLICIES, [table]):
        if set(roles) & {"-", "public", OWNER}:
            found.append(f"{table} has a policy for {', '.join(roles)}")
        if not permissive and verbs == "*" and APP in roles:
            restrictive = restrictive or (qual == wanted and check == wanted)
    if not restrictive:
        found.append(f"{table} has no restrictive policy on its {key}, for all verbs, USING and WITH CHECK")
    return found


def _tenant_table(connection: psycopg.Connection[Any], table: str) -> list[str]:
    found = _restrictive(connection, table, "organization_id")
    column = rows(
        connection,
        "select atttypid::regtype::text, attnotnull from pg_attribute "
        "where attrelid = %s::regclass and attname = 'organization_id' and not attisdropped",
        [table],
    )
    if column != [("uuid", True)]:
        found.append(f"{table} has no organization_id uuid not null")
    keys = rows(connection, _UNIQUE_KEYS, [table])
    if not any(is_primary for _, is_primary, _ in keys):
        found.append(f"{table} has no primary key")
    for name, _, first in keys:
        if first != "organization_id":
            found.append(f"key {name} of {table} does not begin with organization_id")
    references = rows(connection, _FOREIGN_KEYS, [table])
    if not references:
        found.append(f"{table} refers to nothing, not even to its organization")
    for name, target, first, first_target in references:
        expected = "id" if target == "organizations" else "organization_id"
        if (
            first != "organization_id"
            or first_target != expected
            or (target in PLATFORM_TABLES and target != "organizations")
        ):
            found.append(f"foreign key {name} of {table} can point into another organization")
    held = privileges(connection, APP, table)
    for verb in sorted(held & {"TRUNCATE", "REFERENCES", "TRIGGER"}):
        found.append(f"{APP} has {verb} on {table}")
    if rows(connection, "select has_column_privilege(%s, %s, 'organization_id', 'UPDATE')", [APP, table]) != [
        (False,)
    ]:
        found.append(f"{APP} may move rows of {table} to another organization")
    return found


def _platform_table(connection: psycopg.Connection[Any], table: str) -> list[str]:
    found = _restrictive(connection, table, "id") if table == "organizations" else []
    for verb in sorted(privileges(connection, APP, table) - _APP_ON_PLATFORM.get(table, set())):
        found.append(f"{APP} has {verb} on {table}")
    if table == "organizations":
        for column in ("id", "clerk_id", "slug", "deleted_at"):
            query = "select has_column_privilege(%s, 'organizations', %s, 'UPDATE')"
            if rows(connection, query, [APP, column]) != [(False,)]:
                found.append(f"{APP} may change {column} of organizations")
    return found


def _roles(connection: psycopg.Connection[Any]) -> list[str]:
    found = []
    query = (
        "select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication, "
        "exists (select 1 from pg_auth_members m where m.member = r.oid) "
        "from pg_roles r where rolname = any(%s)"
    )
    for name, mighty, joined in rows(connection, query, [[OWNER, APP, PLATFORM]]):
        if mighty:
            found.append(f"role {name} is a superuser, bypasses policies or makes roles or databases")
        if joined:
            found.append(f"role {name} is a member of another role")
    for role in (APP, PLATFORM):
        if rows(connection, "select has_schema_privilege(%s, 'public', 'CREATE')", [role]) == [(True,)]:
            found.append(f"{role} may create things in public")
    return found
