"""Several small reads in one round trip, for pages that are asked for all the time.

A room says what it reads as a :class:`Part`: one SQL expression that yields one
JSON value, and the shape that value has.  :func:`read` sends all parts as one
statement.  Inside a running transaction they are part of it; otherwise the
settings of the unit of work and the statement travel as one message, which is a
transaction of its own, so that nothing has to be begun or ended.

Round trips and the layers above the driver are what a small read costs, not the
rows: see docs/decisions/0009-reading-together.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar, cast, overload

import msgspec
import psycopg
from msgspec import Struct, defstruct
from sqlalchemy import Engine, Select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util import await_only, greenlet_spawn

from coursecove.db.session import SET_ONE, Database, scope_settings, scope_statement

T = TypeVar("T")
N = TypeVar("N", bound="NamedTuple")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

Rows = list[tuple[Any, ...]]
_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One JSON value to read: ``sql`` without outer parentheses, its values, and its shape.

    Values are named in the usual way, ``%(name)s``; parts that are read
    together share the names, so a name has to mean one thing everywhere.
    """

    sql: str
    shape: Any
    values: Mapping[str, Any] = field(default_factory=dict)

    def decode(self, answer: str | None) -> T:
        """Return the value in its shape; lists and objects that have no rows are empty."""
        found: T = _decoder(self.shape).decode(answer or "null")
        return found


def rows(statement: str, shape: type[T], **values: Any) -> Part[list[T]]:
    """Return the part that reads every row of ``statement`` as an object of ``shape``."""
    return Part(*_every_object(statement, cast("Hashable", shape)), values)


# The same few statements are put together for every request.
@lru_cache(maxsize=512)
def _every_object(statement: str, shape: Any) -> tuple[str, Any]:
    every = f"select coalesce(json_agg(row_to_json(found)), '[]') from ({statement}) found"  # noqa: S608 - no values
    return every, list[shape]


def row_of(model: type[Any], *names: str, base: type[Struct] = Struct) -> type[Any]:
    """Return the shape of a table's row as JSON has it: the columns of ``names``, or all of them.

    Made from the model, so that a column somebody adds is there without anyone remembering.
    """
    columns = model.__table__.columns
    fields = [
        (column.key, column.type.python_type | None if column.nullable else column.type.python_type)
        for column in columns
        if not names or column.key in names
    ]
    return defstruct(f"{model.__name__}Row", fields, bases=(base,), kw_only=True)


def selected(statement: Select[Any]) -> tuple[str, dict[str, Any], type[Any]]:
    """Return a select as text for :func:`rows`, with the values it holds itself and the shape of its rows.

    Work for once, not for every read: what differs between reads is a ``bindparam`` without a value.
    """
    compiled = statement.compile(dialect=_DIALECT)
    values = {name: value for name, value in compiled.params.items() if value is not None}
    fields = [(str(column.key), _type_of(column)) for column in statement.selected_columns]
    return str(compiled), values, defstruct("SelectedRow", fields, kw_only=True)


def _type_of(column: Any) -> Any:
    try:
        found = column.type.python_type
    except NotImplementedError:
        return Any
    # Of JSON nothing is known, and an outer join may leave everything out.
    return Any if found is dict else found | None


def array(ids: Iterable[uuid.UUID]) -> str:
    """Return ids as Postgres writes an array of them, for ``%(…)s::uuid[]``; much quicker than a list."""
    return "{" + ",".join(map(str, ids)) + "}"


def tuples(statement: str, shape: type[N], **values: Any) -> Part[list[N]]:
    """Return the part that reads every row of ``statement``, by position, as a named tuple; for many rows."""
    return Part(*_every_list(statement, shape), values)


@lru_cache(maxsize=512)
def _every_list(statement: str, shape: Any) -> tuple[str, Any]:
    names = ", ".join(f'"{name}"' for name in shape._fields)
    listed = f"select coalesce(json_agg(json_build_array({names})), '[]')"
    every = f"{listed} from ({statement}) found ({names})"
    return every, list[shape]


def both(first: Part[A], second: Part[B]) -> Part[tuple[A, B]]:
    """Return the part that reads two values, for where there is room for one."""
    statement = f"select json_build_array(({first.sql}), ({second.sql}))"
    shapes: Any = tuple[first.shape, second.shape]  # type: ignore[name-defined] # put together while running
    return Part(statement, shapes, {**first.values, **second.values})


@overload
async def read(session: AsyncSession, first: Part[A], /) -> tuple[A]: ...
@overload
async def read(session: AsyncSession, first: Part[A], second: Part[B], /) -> tuple[A, B]: ...
@overload
async def read(session: AsyncSession, first: Part[A], second: Part[B], third: Part[C], /) -> tuple[A, B, C]: ...
@overload
async def read(session: AsyncSession, *parts: Part[Any]) -> tuple[Any, ...]: ...
async def read(session: AsyncSession, *parts: Part[Any]) -> tuple[Any, ...]:
    """Return the values of all parts, as one statement sees them."""
    answers = await read_raw(session, *parts)
    return tuple(part.decode(answer) for part, answer in zip(parts, answers, strict=True))


async def read_raw(session: AsyncSession, *parts: Part[Any]) -> tuple[str | None, ...]:
    """Return the parts as the JSON that Postgres wrote, for whoever may not have to look into it."""
    wanted = ", ".join([f"({part.sql})::text" for part in parts])
    values: dict[str, Any] = {}
    for part in parts:
        values.update(part.values)
    if session.new or session.dirty or session.deleted:
        await session.flush()
    if session.in_transaction():
        [[answers]] = await send(session, [f"select {wanted}"], values)
    else:
        [answers] = await _read_alone(session, wanted, values)
    return answers


async def _read_alone(session: AsyncSession, wanted: str, values: dict[str, Any]) -> Rows:
    """Read in one statement that enters the session's organization itself: one message there, one back.

    Postgres makes the settings before it looks for what is wanted: a function
    with side effects is never left out or moved, and the questions below are
    asked when their answer is needed, which is after the first row of ``scope``.
    Were it ever otherwise, nothing would be set yet, and nothing be found.
    """
    assert isinstance(session.bind, AsyncEngine)
    settings = scope_settings(session.sync_session)
    # The names are ours and stand in the statement, the values travel beside it; of a visitor most are empty.
    entering = ", ".join(
        [SET_ONE.format(name=f"'{name}'", value=f"%({name})s" if value else "''") for name, value in settings]
    )
    values.update(settings)
    statement = f"with scope as materialized (select {entering}) select {wanted} from scope"  # noqa: S608 - no values
    engine = session.bind.sync_engine
    # What is asked is of interest to whoever listens, not how it is sent.
    _announce(engine, [f"select {wanted}"], values)
    return await greenlet_spawn(_read_from_pool, engine, statement, values)


def _read_from_pool(engine: Engine, statement: str, values: Mapping[str, Any]) -> Rows:
    # Straight from the pool: what SQLAlchemy's connection does for a transaction is not needed for one message.
    pooled = engine.raw_connection()
    try:
        driver = pooled.driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)
        return await_only(_ask_once(driver, statement, values))
    finally:
        pooled.close()


async def send(session: AsyncSession, statements: Sequence[str], values: Mapping[str, Any]) -> list[Rows]:
    """Send several statements of this unit of work at once; return the rows of each, if it has any.

    Each looks at the data anew, as it would in a message of its own, so a lock
    that one of them takes holds for the next.
    """
    if session.new or session.dirty or session.deleted:
        await session.flush()
    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)
    _announce(connection.engine.sync_engine, statements, values)
    return await _ask(driver, statements, values)


async def send_alone(session: AsyncSession, statements: Sequence[str], values: Mapping[str, Any]) -> list[Rows]:
    """Send statements as a transaction of their own, inside the session's organization, durable on return.

    Nothing else of the unit of work is part of it, whether that has begun or not.
    """
    assert isinstance(session.bind, AsyncEngine)
    engine = session.bind.sync_engine
    _announce(engine, statements, values)
    # Straight from the pool: what SQLAlchemy's connection does for a transaction is not needed for one message.
    scope = scope_statement(session.sync_session)
    return await greenlet_spawn(_ask_from_pool, engine, scope, statements, values)


async def send_to_platform(
    database: Database, statements: Sequence[str], values: Mapping[str, Any]
) -> list[Rows]:
    """Send statements as the platform's role, as a transaction of their own, durable on return.

    With no setting but those they make themselves, and no session: for what is sent all the time.
    """
    engine = database.platform_engine
    _announce(engine, statements, values)
    return await greenlet_spawn(_ask_from_pool, engine, None, statements, values)


def _ask_from_pool(
    engine: Engine, scope: str | None, statements: Sequence[str], values: Mapping[str, Any]
) -> list[Rows]:
    pooled = engine.raw_connection()
    try:
        driver = pooled.driver_connection
        assert isinstance(driver, psycopg.AsyncConnection)
        return await_only(_ask(driver, statements, values, scope=scope, alone=True))
    finally:
        pooled.close()


def _announce(engine: Engine, statements: Sequence[str], values: Mapping[str, Any]) -> None:
    # Whoever listens to what is sent (tests that count, an operator's profiler) hears of these too.
    for heard in engine.dispatch.before_cursor_execute:
        heard(engine, None, "; ".join(statements), values, None, False)


async def _ask(
    driver: psycopg.AsyncConnection,
    statements: Sequence[str],
    values: Mapping[str, Any],
    *,
    scope: str | None = None,
    alone: bool = False,
) -> list[Rows]:
    try:
        if driver.prepare_threshold is not None:
            return await _ask_prepared(driver, statements, values, scope, alone=alone)
        return await _ask_in_one_message(driver, statements, values, scope)
    except psycopg.Error as error:
        raise _as_everybody_knows_it(error, driver) from error


async def _ask_once(driver: psycopg.AsyncConnection, statement: str, values: Mapping[str, Any]) -> Rows:
    try:
        # Kept by the server only where it may keep statements (DATABASE_PREPARE).
        return await _rows(await driver.execute(statement, values, prepare=True))
    except psycopg.Error as error:
        raise _as_everybody_knows_it(error, driver) from error


def _as_everybody_knows_it(error: psycopg.Error, driver: psycopg.AsyncConnection) -> BaseException:
    # As SQLAlchemy would raise it, so that everybody above knows one kind of failure.
    return DBAPIError.instance(
        None, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=driver.closed
    )


async def _ask_in_one_message(
    driver: psycopg.AsyncConnection, statements: Sequence[str], values: Mapping[str, Any], scope: str | None
) -> list[Rows]:
    # Values are put in by the client: only so can a message hold several statements.
    cursor = psycopg.AsyncClientCursor(driver)
    before = [scope.replace("%", "%%")] if scope else []
    await cursor.execute("; ".join([*before, *statements]), values)
    found: list[Rows] = []
    while True:
        found.append(await _rows(cursor))
        if not cursor.nextset():
            return found[len(before) :]


async def _ask_prepared(
    driver: psycopg.AsyncConnection,
    statements: Sequence[str],
    values: Mapping[str, Any],
    scope: str | None,
    *,
    alone: bool,
) -> list[Rows]:
    # Planning costs several times what a small read does; a prepared statement is planned once a connection.
    if not alone or (scope is None and len(statements) == 1):
        return [await _rows(await driver.execute(statement, values, prepare=True)) for statement in statements]
    # Everything up to the end of the pipeline is one transaction, the settings included.
    async with driver.pipeline():
        if scope is not None:
            await driver.execute(scope, prepare=False)
        cursors = [await driver.execute(statement, values, prepare=True) for statement in statements]
    return [await _rows(cursor) for cursor in cursors]


async def _rows(cursor: psycopg.AsyncCursor[Any]) -> Rows:
    # Not cursor.description: it makes an object per column.
    has_rows = cursor.pgresult is not None and cursor.pgresult.nfields > 0
    return await cursor.fetchall() if has_rows else []


@lru_cache(maxsize=64)
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)
