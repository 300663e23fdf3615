"""Connections are handed on from school to school and carry nothing along."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.db import session as unit_of_work
from coursecove.db import together
from coursecove.db.session import SYSTEM, Database
from tests.factories.world import School
from tests.isolation.tally import count
from tests.serving import Loop

#: `make isolation` asks for more.
UNITS = int(os.environ.get("ISOLATION_UNITS", "3000"))
AT_ONCE = 12
_SEEN = text(
    "select coalesce(current_setting('app.organization_id', true), ''), "
    "(select string_agg(distinct organization_id::text, ',') from members)"
)
_SEEN_ALONE: together.Part[tuple[str, str | None]] = together.Part(
    "select json_build_array(coalesce(current_setting('app.organization_id', true), ''), "
    "(select string_agg(distinct organization_id::text, ',') from members))",
    tuple[str, str | None],
)


class Broken(Exception):
    """A unit of work that failed on purpose."""


@contextmanager
def _one_connection(settings: Settings, loop: Loop) -> Iterator[Database]:
    async def made() -> Database:
        return Database(settings, pool_size=1, platform_pool_size=1)

    database = loop.run(made())
    yield database
    loop.run(database.close())


async def _residue(database: Database) -> str | None:
    """Read what the one pooled connection says of itself before anybody sets anything."""
    async with database._app.connect() as connection:
        names = ("organization_id", "clerk_user_id", "member_id", "member_role")
        settings = ", ".join(f"current_setting('app.{name}', true)" for name in names)
        value: str | None = await connection.scalar(text(f"select concat({settings})"))
        return value


async def _unit(database: Database, scope: uuid.UUID | None, dice: random.Random) -> str:
    """One unit of work with one of four ends; raises AssertionError when it meets another school."""

    async def work() -> None:
        door = database.organization(scope, acting=SYSTEM) if scope else database.outside()
        async with door as session:
            if alone:
                # In one message, which begins no transaction of the unit's own.
                [(setting, seen)] = await together.read(session, _SEEN_ALONE)
                assert setting == (str(scope) if scope else "")
                assert seen == (str(scope) if scope else None)
            setting, seen = (await session.execute(_SEEN)).one()
            assert setting == (str(scope) if scope else "")
            assert seen == (str(scope) if scope else None)
            if end == "cancelled":
                await session.execute(text("select pg_sleep(2)"))
            if end == "raises":
                raise Broken
            if end == "fails":
                await session.execute(text("select 1 / 0"))

    end = dice.choices(["commits", "raises", "fails", "cancelled"], weights=[60, 19, 19, 2])[0]
    alone = dice.random() < 0.5
    task = asyncio.create_task(work())
    if end == "cancelled":
        await asyncio.sleep(0.03)
        task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, AssertionError) or (outcome is not None and end == "commits"):
        raise outcome
    return end


async def _interleave(database: Database, scopes: list[uuid.UUID | None], units: int) -> list[str]:
    dice = random.Random(20261120)  # the day this was written; any seed does
    ends: list[str] = []

    async def one_after_another(count: int) -> None:
        for _ in range(count):
            ends.append(await _unit(database, dice.choice(scopes), dice))

    async with asyncio.TaskGroup() as tasks:
        for number in range(AT_ONCE):
            tasks.create_task(one_after_another(units // AT_ONCE + (number < units % AT_ONCE)))
    return ends


def test_thousands_of_interleaved_units_leave_nothing_on_the_connection(
    settings: Settings, loop: Loop, musicschool: School, yoga: School
) -> None:
    scopes = [musicschool.organization_id, yoga.organization_id, None]
    with _one_connection(settings, loop) as database:
        ends = loop.run(_interleave(database, scopes, UNITS), timeout=max(100, UNITS / 30))
        residue = loop.run(_residue(database))
        count("units", units=len(ends), ends=dict(Counter(ends)), residue=residue or "")
        assert len(ends) == UNITS
        assert {"commits", "raises", "fails", "cancelled"} == set(ends)
        assert residue in (None, "")


def test_a_setting_for_the_session_would_have_been_noticed(
    settings: Settings, loop: Loop, yoga: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with `false` for `true`, the next user of the connection is still in the school."""
    for_the_session = unit_of_work.SET_ONE.replace("true", "false")
    monkeypatch.setattr(unit_of_work, "SET_ONE", for_the_session)
    monkeypatch.setattr(together, "SET_ONE", for_the_session)

    async def leave_something(ask: Callable[[AsyncSession], Awaitable[Any]]) -> str | None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            await ask(session)
        return await _residue(database)

    async def as_ever(session: AsyncSession) -> None:
        await session.execute(text("select 1"))

    async def in_one_message(session: AsyncSession) -> None:
        await together.read(session, together.Part("select 1", int))

    for ask in (as_ever, in_one_message):
        with _one_connection(settings, loop) as database:
            assert loop.run(leave_something(ask)) == f"{yoga.organization_id}system"
