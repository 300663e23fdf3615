"""The unit of work: whole or not at all, and what comes after only when it lasts."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.util import greenlet_spawn

from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database, after_commit, discard, organization_of
from coursecove.dev.postgres import EmbeddedPostgres
from tests.factories.world import School
from tests.serving import Loop

_ADD = text(
    "insert into locations (organization_id, slug, name, time_zone) "
    "values (:organization_id, :slug, 'Made by a test', 'UTC')"
)
_COUNT = text("select count(*) from locations where slug = :slug")

_STILL_THERE = (
    "select count(*) from pg_stat_activity where application_name = 'coursecove app' and datname = %s"
)


class Broken(Exception):
    """Something that went wrong on purpose."""


@pytest.fixture
def slug() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def _kept(loop: Loop, database: Database, school: School, slug: str) -> int:
    async def counted() -> int:
        async with database.organization(school.organization_id, acting=SYSTEM) as session:
            return await session.scalar(_COUNT, {"slug": slug}) or 0

    return loop.run(counted())


async def _add(session: Any, school: School, slug: str) -> None:
    await session.execute(_ADD, {"organization_id": school.organization_id, "slug": slug})


def test_what_returns_is_kept(loop: Loop, database: Database, yoga: School, slug: str) -> None:
    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            await _add(session, yoga, slug)

    loop.run(work())
    assert _kept(loop, database, yoga, slug) == 1


def test_what_raises_is_undone_and_raises_on(loop: Loop, database: Database, yoga: School, slug: str) -> None:
    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            await _add(session, yoga, slug)
            raise Broken

    with pytest.raises(Broken):
        loop.run(work())
    assert _kept(loop, database, yoga, slug) == 0


def test_what_is_cancelled_is_undone(loop: Loop, database: Database, yoga: School, slug: str) -> None:
    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            await _add(session, yoga, slug)
            await session.execute(text("select pg_sleep(30)"))

    async def cancelled() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    loop.run(cancelled())
    assert _kept(loop, database, yoga, slug) == 0


def test_a_commit_that_fails_is_no_success(loop: Loop, database: Database, yoga: School) -> None:
    """The server ends the transaction just before: whoever did the work hears of it, and nothing follows."""
    ran = []

    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:

            async def note() -> None:
                ran.append("after")

            after_commit(session, note)
            await session.execute(text("set local transaction_timeout = '100ms'"))
            await asyncio.sleep(0.4)

    with pytest.raises(Exception, match=r"(?i)terminat|closed|timeout|connection"):
        loop.run(work())
    assert ran == []


def _noting(order: list[str], name: str) -> Any:
    async def note() -> None:
        order.append(name)

    return note


def test_what_comes_after_runs_when_the_work_is_durable(
    loop: Loop, database: Database, yoga: School, slug: str
) -> None:
    order: list[str] = []

    async def look() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            order.append(f"sees {await session.scalar(_COUNT, {'slug': slug})}")

    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            after_commit(session, look)
            after_commit(session, _noting(order, "second"))
            await _add(session, yoga, slug)
            order.append("worked")

    loop.run(work())
    assert order == ["worked", "sees 1", "second"]


def test_what_comes_after_is_dropped_with_the_work(
    loop: Loop, database: Database, yoga: School, slug: str
) -> None:
    order: list[str] = []

    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            after_commit(session, _noting(order, "after"))
            await _add(session, yoga, slug)
            raise Broken

    with pytest.raises(Broken):
        loop.run(work())
    assert order == []


def test_what_comes_after_cannot_take_the_work_back(
    loop: Loop, database: Database, yoga: School, slug: str
) -> None:
    order: list[str] = []

    async def broken() -> None:
        raise Broken

    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            after_commit(session, broken)
            after_commit(session, _noting(order, "the next one"))
            await _add(session, yoga, slug)

    loop.run(work())
    assert order == ["the next one"]
    assert _kept(loop, database, yoga, slug) == 1


def test_discarding_undoes_what_was_done_and_goes_on_in_the_same_school(
    loop: Loop, database: Database, yoga: School, slug: str
) -> None:
    order: list[str] = []
    second = f"{slug}-second"

    async def work() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            await _add(session, yoga, slug)
            after_commit(session, _noting(order, "before"))
            await discard(session)
            assert organization_of(session) == yoga.organization_id
            await _add(session, yoga, second)
            after_commit(session, _noting(order, "afterwards"))

    loop.run(work())
    assert order == ["afterwards"]
    assert (_kept(loop, database, yoga, slug), _kept(loop, database, yoga, second)) == (0, 1)


def test_units_know_where_they_are(loop: Loop, database: Database, yoga: School) -> None:
    async def ask(door: Any) -> Any:
        async with door as session:
            role = await session.scalar(text("select current_user"))
            try:
                return role, organization_of(session)
            except LookupError:
                return role, None

    assert loop.run(ask(database.organization(yoga.organization_id, acting=SYSTEM))) == (
        "coursecove_app",
        yoga.organization_id,
    )
    assert loop.run(ask(database.platform_scope())) == ("coursecove_platform", None)
    assert loop.run(ask(database.outside())) == ("coursecove_app", None)


def test_two_units_at_once_are_two_transactions(
    loop: Loop, database: Database, yoga: School, musicschool: School, slug: str
) -> None:
    async def work() -> list[Any]:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as outer:
            await _add(outer, yoga, slug)
            async with database.organization(musicschool.organization_id, acting=SYSTEM) as inner:
                other = await inner.scalar(text("select count(*) from members"))
            async with database.organization(yoga.organization_id, acting=SYSTEM) as same:
                unseen = await same.scalar(_COUNT, {"slug": slug})
            return [other, unseen, await outer.scalar(_COUNT, {"slug": slug})]

    assert loop.run(work()) == [len(musicschool.members), 0, 1]


def test_a_connection_the_server_has_closed_costs_nobody_an_error(
    loop: Loop, database: Database, yoga: School, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    async def ask() -> Any:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            return await session.scalar(text("select count(*) from members"))

    before = loop.run(ask())
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        (ended,) = connection.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where application_name = 'coursecove app' and datname = %s",
            [settings.database_url.rpartition("/")[2]],
        ).fetchone() or (0,)
        assert ended >= 1
        # Told to end is not ended yet: the goodbye comes a moment later.
        while connection.execute(_STILL_THERE, [settings.database_url.rpartition("/")[2]]).fetchone() != (0,):
            time.sleep(0.005)
    assert loop.run(ask()) == before


def test_a_statement_cannot_run_for_ever(loop: Loop, database: Database) -> None:
    """The limits stand on the roles, on the server's side."""

    async def limits(door: Any) -> list[str]:
        async with door as session:
            return [
                await session.scalar(text(f"show {name}"))
                for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
            ]

    doors: list[Coroutine[Any, Any, list[str]]] = [
        limits(database.outside()),
        limits(database.platform_scope()),
    ]
    for door in doors:
        assert loop.run(door) == ["10s", "5s", "30s"]


def test_what_a_connection_left_open_is_undone_when_it_comes_back(settings: Settings, loop: Loop) -> None:
    """Seen to fail without the listener: whoever came next was inside the transaction, and the school."""

    async def come_back() -> str:
        database = Database(settings, pool_size=1)
        engine = database._app.sync_engine

        def leave_open() -> int:
            pooled = engine.raw_connection()
            cursor = pooled.cursor()
            cursor.execute("begin")
            cursor.execute("select set_config('app.organization_id', 'somebody', true), pg_backend_pid()")
            [(_, pid)] = cursor.fetchall()
            pooled.close()
            return int(pid)

        def look() -> tuple[Any, ...]:
            pooled = engine.raw_connection()
            cursor = pooled.cursor()
            cursor.execute(
                "select pg_backend_pid(), coalesce(current_setting('app.organization_id', true), '')"
            )
            [found] = cursor.fetchall()
            pooled.close()
            return tuple(found)

        try:
            left = await greenlet_spawn(leave_open)
            pid, setting = await greenlet_spawn(look)
            assert pid == left
            return str(setting)
        finally:
            await database.close()

    assert loop.run(come_back()) == ""
