"""The three database roles, made once per cluster by somebody who may make roles.

Migrations cannot do this: they run as the owner, and the owner must not be able
to make roles.  ``coursecove db init`` and the demo call :func:`bootstrap` with an
administrator's connection.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from coursecove.config import Settings
from coursecove.db.rls import APP_ROLE, OWNER_ROLE, PLATFORM_ROLE

# Server-side limits of the serving roles.  Set on the role, not in the
# connection string, because pgbouncer refuses start-up options.
_LIMITS = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}


def bootstrap(admin_url: str, settings: Settings) -> str:
    """Create or repair the roles and the database of ``settings``; return the database's name.

    The roles' passwords are those of the configured URLs.  Nothing is dropped,
    so running it again is safe.  Raises ValueError when a URL names another
    role than the one it is for.
    """
    urls = {
        OWNER_ROLE: settings.database_owner_url,
        APP_ROLE: settings.database_url,
        PLATFORM_ROLE: settings.database_platform_url,
    }
    for role, url in urls.items():
        if urlsplit(url).username != role:
            raise ValueError(f"the connection for {role} names user {urlsplit(url).username!r}")
    database = urlsplit(settings.database_url).path.strip("/")
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for role, url in urls.items():
            _make_role(connection, role, unquote(urlsplit(url).password or ""))
        exists = connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
        if not exists:
            connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(OWNER_ROLE)))
            connection.execute(
                sql.SQL("create database {} owner {}").format(
                    sql.Identifier(database), sql.Identifier(OWNER_ROLE)
                )
            )
        for statement in (
            "revoke all on database {} from public",
            "grant connect on database {} to " + f"{APP_ROLE}, {PLATFORM_ROLE}",
        ):
            connection.execute(sql.SQL(statement).format(sql.Identifier(database)))
    return database


def _make_role(connection: psycopg.Connection, role: str, password: str) -> None:
    exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    verb = sql.SQL("alter role" if exists else "create role")
    connection.execute(
        sql.SQL("{} {} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password {}").format(
            verb, sql.Identifier(role), sql.Literal(password)
        )
    )
    if role != OWNER_ROLE:
        for name, value in _LIMITS.items():
            connection.execute(
                sql.SQL("alter role {} set {} = {}").format(
                    sql.Identifier(role), sql.Identifier(name), sql.Literal(value)
                )
            )
