"""The unit of work: one session, one transaction, one organization.

``Database.organization(id)`` is the ordinary door.  ``Database.platform_scope()``
is the narrow one before or above a tenant; it is rare, explicit and easy to
find.  Both commit when the block returns, roll back when it raises, and only
then run what was registered with :func:`after_commit`.
"""

from __future__ import annotations

import asyncio
import select
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog
from psycopg import sql
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.pool import PoolResetState

from coursecove.config import Settings

log = structlog.get_logger("coursecove.db")

# Uses of a statement on one connection, after which Postgres keeps its plan.
PREPARE_AFTER = 3

AfterCommit = Callable[[], Awaitable[None]]
# For this transaction only (third argument true): a pooled connection that is
# handed on carries nothing of the last tenant or person.
SET_ONE = "set_config({name}, {value}, true)"


@dataclass(frozen=True, slots=True)
class Acting:
    """On whose behalf a unit of work reads and writes; the policies of personal tables ask.

    ``clerk_user_id`` is known from the token before the member is;
    ``member_id`` and ``role`` follow when the membership has been read.
    """

    clerk_user_id: str = ""
    member_id: str = ""
    role: str = ""


#: A visitor: sees what a school shows to everybody.
NOBODY = Acting()
#: CourseCove itself: jobs that serve everybody of one school.
SYSTEM = Acting(role="system")


class ScopedSession(Session):
    """The sync half of our sessions; its own class so that the listener below meets only ours."""


@event.listens_for(ScopedSession, "after_begin")
def _enter_scope(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    # BEGIN and the settings travel in one message: a round trip of its own for
    # each was a fifth of a small request.
    if not connection.in_nested_transaction():
        connection.exec_driver_sql(
            f"begin; {scope_statement(session)}", execution_options={"no_parameters": True}
        )


def scope_settings(session: Session) -> list[tuple[str, str]]:
    """Return the settings, by name, that enter a session's organization and person.

    What is not known is set to the empty string on purpose: no tenant, no rows.
    """
    info = session.info
    organization_id = info.get("organization_id")
    acting: Acting = info.get("acting", NOBODY)
    return [
        ("app.organization_id", str(organization_id) if organization_id else ""),
        ("app.clerk_user_id", acting.clerk_user_id),
        ("app.member_id", acting.member_id),
        ("app.member_role", acting.role),
        *info.get("limits", {}).items(),
    ]


def scope_statement(session: Session) -> str:
    """Return the statement that makes :func:`scope_settings` for one transaction."""
    quoted = [(sql.quote(name), sql.quote(value)) for name, value in scope_settings(session)]
    return "select " + ", ".join([SET_ONE.format(name=name, value=value) for name, value in quoted])


def sqlalchemy_url(url: str) -> str:
    """Return the URL for SQLAlchemy's psycopg driver."""
    return "postgresql+psycopg://" + url.partition("://")[2]


def _engine(url: str, *, name: str, pool_size: int, prepare: bool) -> AsyncEngine:
    engine = create_async_engine(
        sqlalchemy_url(url),
        # The driver begins nothing by itself: every transaction begins above.
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_recycle=1800,
        # Done below, where there is something to undo.
        pool_reset_on_return=None,
        # What a failed statement was about is personal data; logs get the statement.
        hide_parameters=True,
        connect_args={
            # Server-side prepared statements break behind pgbouncer in
            # transaction mode (180 errors of 1200 at the default, none so).
            "prepare_threshold": PREPARE_AFTER if prepare else None,
            "application_name": name,
            "connect_timeout": 5,
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_a_closed_connection)
    event.listen(engine.sync_engine, "reset", _undo_what_is_open)
    if prepare:
        event.listen(engine.sync_engine, "connect", _keep_plans)
    return engine


def _undo_what_is_open(dbapi_connection: DBAPIConnection, _record: Any, reset_state: PoolResetState) -> None:
    """Roll back what a connection that comes back has left open; ask one that is idle nothing."""
    server = dbapi_connection.driver_connection.pgconn
    if not reset_state.terminate_only and server.transaction_status != TransactionStatus.IDLE:
        dbapi_connection.rollback()


def _keep_plans(dbapi_connection: DBAPIConnection, _record: Any) -> None:
    """Let Postgres use the plan it keeps, instead of planning for these values each time.

    Left alone it hardly ever keeps one: it cannot know how long an array will
    be, takes the plan for all values to be dearer, and plans every time anew,
    which is three quarters of what a small read costs it.  Behind a policy it
    knows no more of the values' rows either way.
    """
    cursor = dbapi_connection.cursor()
    cursor.execute("set plan_cache_mode = force_generic_plan")
    cursor.close()


def _refuse_a_closed_connection(dbapi_connection: DBAPIConnection, _record: Any, _proxy: Any) -> None:
    """Make the pool take another connection when the server has closed this one.

    A restarted Postgres leaves dead connections in the pool and would cost a
    person an error page each.  It says goodbye, so looking for something to
    read is enough and takes microseconds; asking it took a round trip.
    """
    server = dbapi_connection.driver_connection.pgconn
    goodbye = select.poll()
    goodbye.register(server.socket, select.POLLIN)
    if goodbye.poll(0):
        raise DisconnectionError("the server has closed this connection")


class Database:
    """The engines of both roles, for one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        pool_size: int = 10,
        platform_pool_size: int = 8,
        info: dict[str, Any] | None = None,
    ) -> None:
        # Handed to every session, so that what is above this room (the queue,
        # for one) can be reached from a unit of work without being global.
        # What a process keeps of schools between requests belongs to the database it was read from.
        self._info = {**(info or {}), "kept": {}}
        prepare = settings.database_prepare
        self._app = _engine(settings.database_url, name="coursecove app", pool_size=pool_size, prepare=prepare)
        self._platform = _engine(
            settings.database_platform_url,
            name="coursecove platform",
            pool_size=platform_pool_size,
            prepare=prepare,
        )
        options: dict[str, Any] = {"sync_session_class": ScopedSession, "expire_on_commit": False}
        self._app_sessions = async_sessionmaker(self._app, **options)
        self._platform_sessions = async_sessionmaker(self._platform, **options)

    def organization(
        self, organization_id: uuid.UUID, *, acting: Acting = NOBODY
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a unit of work inside one organization, as the application role.

        Personal rows are visible as far as ``acting`` reaches: nobody's to
        :data:`NOBODY`, everybody's to :data:`SYSTEM`.
        """
        return self._unit(self._app_sessions, organization_id, acting)

    def platform_scope(
        self, *, limits: dict[str, str] | None = None
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a unit of work before or above any tenant, as the platform role.

        ``limits`` are settings of the server for this transaction, ``statement_timeout`` for one.
        """
        return self._unit(self._platform_sessions, None, limits=limits)

    @property
    def platform_engine(self) -> Engine:
        """The connections of the platform's role, for messages without a session (db/together.py)."""
        return self._platform.sync_engine

    def outside(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a unit of work of the application role with no organization: it sees no rows.

        For questions about the connection itself (readiness, the role check).
        """
        return self._unit(self._app_sessions, None)

    @asynccontextmanager
    async def _unit(
        self,
        sessions: async_sessionmaker[AsyncSession],
        organization_id: uuid.UUID | None,
        acting: Acting = NOBODY,
        limits: dict[str, str] | None = None,
    ) -> AsyncIterator[AsyncSession]:
        waiting: list[AfterCommit] = []
        info = {
            **self._info,
            "organization_id": organization_id,
            "acting": acting,
            "after_commit": waiting,
            "limits": limits or {},
        }
        session = sessions(info=info)
        try:
            yield session
            # A unit of work that only looked (db/together.py) has nothing to end.
            if session.in_transaction():
                await session.commit()
        except BaseException:
            # The error page names the member who is signed in; a rollback
            # expires whatever is still attached, so nothing is.
            session.expunge_all()
            await _roll_back(session)
            raise
        finally:
            await _close(session)
        for callback in waiting:
            # The work is durable already.  A failed wake-up must not tell the
            # person that it is not; the sweep sends again what was missed.
            try:
                await callback()
            except Exception:
                log.warning("after_commit_failed", exc_info=True)

    async def close(self) -> None:
        """Return every connection; call it once when the loop ends."""
        await self._app.dispose()
        await self._platform.dispose()


async def _close(session: AsyncSession) -> None:
    if session.in_transaction():
        # Whoever is cancelled meanwhile leaves no connection behind.
        await asyncio.shield(asyncio.create_task(session.close()))
    elif session.sync_session.identity_map or session.new:
        session.sync_session.close()
    # A unit of work that took nothing has nothing to give back.


async def _roll_back(session: AsyncSession) -> None:
    """Undo a unit of work that failed; quiet where the connection is gone, and the transaction with it.

    Whoever asked is told what went wrong first, and a unit of work that is only
    being cleared away (the web framework leaves it to the garbage collector
    when a guard refuses) has nobody to tell.
    """
    try:
        await session.rollback()
    except (OperationalError, InterfaceError) as error:
        log.warning("rollback_not_answered", reason=type(error).__name__)


def after_commit(session: AsyncSession, callback: AfterCommit) -> None:
    """Run ``callback`` once this unit of work is durable; it is dropped when it rolls back."""
    session.info["after_commit"].append(callback)


def acting_as_member(session: AsyncSession, member_id: uuid.UUID, role: str) -> None:
    """Note who the signed-in person is here, for the transactions of this unit of work that follow.

    The running one learns it from the query that read the membership
    (:func:`coursecove.tenants.service.recognise`).
    """
    session.info["acting"] = replace(session.info["acting"], member_id=str(member_id), role=role)


def organization_of(session: AsyncSession) -> uuid.UUID:
    """Return the organization this unit of work is in; raises LookupError in the platform scope."""
    organization_id = session.info.get("organization_id")
    if organization_id is None:
        raise LookupError("this unit of work belongs to no organization")
    assert isinstance(organization_id, uuid.UUID)
    return organization_id


def kept_beside(session: AsyncSession) -> dict[str, Any]:
    """Return what a process keeps between units of work of this database, by the name of whose it is."""
    kept: dict[str, Any] = session.info["kept"]
    return kept


async def discard(session: AsyncSession) -> None:
    """Undo what this unit of work has written so far and go on in a new transaction.

    For a refused form whose page is drawn by the same request.  What was read
    before stays readable: a rollback would expire it, and the signed-in member
    is needed to draw the page.
    """
    session.expunge_all()
    await session.rollback()
    session.info["after_commit"].clear()
