"""What a role reaches with each verb on each table, measured rather than believed."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.isolation.databases import Connection, enter

Verb = str
VERBS: tuple[Verb, ...] = ("select", "insert", "update", "delete")

#: The verb is not granted to the role at all.
DENIED = "denied"
#: The verb is granted, and touches nothing.
NOTHING = "nothing"
#: Row-level security refuses the write.
REFUSED = "refused"
#: The row is reached: read, written, or stopped by a constraint that looks at it only afterwards.
REACHED = "reached"


def columns_of(connection: Connection, table: str) -> list[str]:
    """Return the columns that can be written, the generated ones left out."""
    found = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
        "and not attisdropped and attgenerated = '' order by attnum",
        [table],
    )
    return [name for (name,) in found]


def a_row(
    connection: Connection, table: str, organization_id: uuid.UUID, *, last: bool = False
) -> dict[str, Any]:
    """Return one row of a school as JSON, the first or the last; the connection must be above all policies."""
    # Of the people, the application writes down only children.
    order = f"order by guardian_id is null{' desc' if last else ''}" if table == "members" else ""
    row = connection.execute(
        f"select to_jsonb(t) from {table} t where organization_id = %s {order} limit 1",
        [organization_id],
    ).fetchone()
    assert row is not None, f"{table} is empty: give a school a row of it in tests/isolation/furniture.py"
    found: dict[str, Any] = row[0]
    return found


def attempt(
    connection: Connection,
    *,
    table: str,
    verb: Verb,
    scope: uuid.UUID | None,
    target: dict[str, Any],
    columns: list[str],
) -> str:
    """Try a verb on a row from inside `scope`; return what came of it.  Everything is undone."""
    organization_id = target["organization_id"]
    try:
        with connection.transaction(force_rollback=True):
            enter(connection, scope)
            if verb == "select":
                # Column by column: a role may hold SELECT on some only.
                readable = _held(connection, table, "select")
                wanted = ", ".join(readable) or "*"
                query, values = f"select {wanted} from {table} where organization_id = %s", [organization_id]
                return REACHED if connection.execute(query, values).fetchall() else NOTHING
            if verb == "insert":
                writable = _held(connection, table, "insert")
                listed = ", ".join([name for name in columns if name in writable] or columns)
                source = f"jsonb_populate_record(null::{table}, %s)"
                query = f"insert into {table} ({listed}) select {listed} from {source}"
                values = [Jsonb(target)]
            elif verb == "update":
                changeable = _held(connection, table, "update")
                column = changeable[0] if changeable else "organization_id"
                query = f"update {table} set {column} = {column} where organization_id = %s"
                values = [organization_id]
            else:
                query, values = f"delete from {table} where organization_id = %s", [organization_id]
            return REACHED if connection.execute(query, values).rowcount else NOTHING
    except psycopg.errors.InsufficientPrivilege as error:
        return REFUSED if "row-level security" in str(error) else DENIED
    except psycopg.IntegrityError:
        # Policies are asked before keys: whoever meets a key has passed them.
        return REACHED


def _held(connection: Connection, table: str, verb: str) -> list[str]:
    found = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped "
        "and attgenerated in ('', case when %s = 'select' then 's' else '' end) "
        "and has_column_privilege(attrelid, attnum, %s) order by attname = 'organization_id', attnum",
        [table, verb, verb],
    )
    return [name for (name,) in found]
