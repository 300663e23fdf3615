"""Reads of several rooms in one message: inside their school, with and without plans that are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from msgspec import Struct
from sqlalchemy import text

from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.db.together import Part, read, rows, send, send_alone
from coursecove.tenants import reading
from tests.factories.world import School
from tests.serving import Loop


class Named(Struct):
    """A row with a name."""

    name: str


PLACES: Part[list[Named]] = rows("select name from locations order by name", Named)
_RESIDUE = text("select coalesce(current_setting('app.organization_id', true), '')")


@pytest.fixture(scope="module", params=[True, False], ids=["plans kept", "plans not kept"])
def single(request: pytest.FixtureRequest, settings: Settings, loop: Loop) -> Iterator[Database]:
    """Both doors with one connection each, so that everybody gets the same one."""

    async def made() -> Database:
        return Database(replace(settings, database_prepare=request.param), pool_size=1, platform_pool_size=1)

    database = loop.run(made())
    yield database
    loop.run(database.close())


def test_schools_that_take_turns_on_one_connection_read_their_own(
    single: Database, loop: Loop, musicschool: School, yoga: School
) -> None:
    async def of(school: School) -> tuple[str, set[str], str]:
        async with single.organization(school.organization_id, acting=SYSTEM) as session:
            schools, places = await read(session, reading.school(), PLACES)
        async with single._app.connect() as connection:
            residue = str(await connection.scalar(_RESIDUE))
        return reading.school_view(schools).slug, {place.name for place in places}, residue

    seen = [loop.run(of(school)) for school in (musicschool, yoga) * 10]
    assert seen[::2] == [seen[0]] * 10
    assert seen[1::2] == [seen[1]] * 10
    assert (seen[0][0], seen[1][0]) == ("musicschool", "yoga")
    assert not seen[0][1] & seen[1][1]
    # The settings ended with the message, as those of a transaction do.
    assert {residue for _, _, residue in seen} == {""}


def test_nobody_reads_nothing(single: Database, loop: Loop) -> None:
    async def outside() -> list[Named]:
        async with single.outside() as session:
            [places] = await read(session, PLACES)
            return places

    assert loop.run(outside()) == []


def test_a_read_sees_what_its_unit_of_work_has_written(single: Database, loop: Loop, yoga: School) -> None:
    async def work() -> bool:
        async with single.organization(yoga.organization_id, acting=SYSTEM) as session:
            await session.execute(
                text(
                    "insert into locations (organization_id, slug, name, time_zone) "
                    "values (:organization_id, 'together', 'Written just now', 'UTC')"
                ),
                {"organization_id": yoga.organization_id},
            )
            [places] = await read(session, PLACES)
            await session.rollback()
            return "Written just now" in {place.name for place in places}

    assert loop.run(work())


def test_a_lock_taken_by_the_first_statement_holds_for_the_unit_of_work(single: Database, loop: Loop) -> None:
    async def work() -> tuple[int, int]:
        async with single.platform_scope() as session:
            lock = "select pg_advisory_xact_lock(%(key)s)"
            held = "select count(*) from pg_locks where locktype = 'advisory' and objid = %(key)s"
            _, [[within]] = await send(session, [lock, held], {"key": 4711})
        async with single.platform_scope() as session:
            [[[after]]] = await send(session, [held], {"key": 4711})
        return within, after

    assert loop.run(work()) == (1, 0)


def test_what_is_sent_alone_lasts_whatever_becomes_of_the_unit_of_work(
    single: Database, loop: Loop, yoga: School
) -> None:
    class Broken(Exception):
        pass

    slug = f"alone-{id(single)}"

    async def work() -> None:
        async with single.organization(yoga.organization_id, acting=SYSTEM) as session:
            await send_alone(
                session,
                [
                    "insert into locations (organization_id, slug, name, time_zone) "
                    "values (%(organization_id)s, %(slug)s, 'Alone', 'UTC')"
                ],
                {"organization_id": yoga.organization_id, "slug": slug},
            )
            raise Broken

    with pytest.raises(Broken):
        loop.run(work())

    async def kept() -> int:
        async with single.organization(yoga.organization_id, acting=SYSTEM) as session:
            count = text("select count(*) from locations where slug = :slug")
            return int(await session.scalar(count, {"slug": slug}) or 0)

    assert loop.run(kept()) == 1


@pytest.mark.parametrize("prepare", [True, False])
def test_plans_are_kept_where_statements_may_be(settings: Settings, loop: Loop, prepare: bool) -> None:
    """Asked of the connection that a unit of work gets, once it has been used and given back."""

    async def mode() -> list[str]:
        database = Database(replace(settings, database_prepare=prepare), pool_size=1)
        found = []
        try:
            for _ in range(2):
                async with database.outside() as session:
                    await session.execute(text("select 1"))
                    found.append(str(await session.scalar(text("show plan_cache_mode"))))
        finally:
            await database.close()
        return found

    assert loop.run(mode()) == ["force_generic_plan" if prepare else "auto"] * 2
