"""What a process keeps of a school is what the database would say at that very moment."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import catalogue
from coursecove.appointments import service as appointments
from coursecove.bookings import prospectus as kept
from coursecove.bookings.availability import (
    available_slots,
    next_free_for_visitors,
    next_free_many,
    visitors_slots,
)
from coursecove.bookings.prospectus import Prospectus, Stale, prospectus_of
from coursecove.bookings.timetable import Bounds, facts_parts
from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.dev.postgres import EmbeddedPostgres
from tests.bookings.desk import IDA, MONDAY, Desk
from tests.counting import statements
from tests.factories.world import School
from tests.isolation.databases import as_superuser
from tests.serving import Loop

T = TypeVar("T")
_WEEK = timedelta(days=7)


@pytest.fixture
def visit(
    loop: Loop, database: Database, musicschool: School
) -> Callable[[Callable[[AsyncSession], Awaitable[Any]]], Any]:
    """``visit(question)``: what a visitor of the school is answered, in a unit of work of their own."""

    async def unit(question: Callable[[AsyncSession], Awaitable[T]]) -> T:
        async with database.organization(musicschool.organization_id) as session:
            return await question(session)

    return lambda question: loop.run(unit(question))


@contextmanager
def _superuser(postgres: EmbeddedPostgres, settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with as_superuser(postgres, settings) as connection:
        connection.autocommit = True
        yield connection


def _edition(connection: psycopg.Connection[Any], school: School) -> str:
    row = connection.execute(
        "select edition from school_editions where organization_id = %s", [school.organization_id]
    ).fetchone()
    assert row is not None
    return str(row[0])


def _tables_read() -> set[str]:
    """The tables that stand in the statements a prospectus is read with."""
    now = datetime.now(UTC)
    parts = [catalogue.everything_offered(), *facts_parts(None, None, Bounds(now, now + _WEEK))]
    return {name for part in parts for name in re.findall(r"(?:from|join) ([a-z_]+)", part.sql)}


def test_a_change_in_any_table_of_it_begins_a_new_edition(
    postgres: EmbeddedPostgres, settings: Settings, musicschool: School
) -> None:
    """Seen to fail with the trigger of any one of them dropped."""
    with _superuser(postgres, settings) as connection:
        tables = {
            name
            for (name,) in connection.execute(
                "select tgrelid::regclass::text from pg_trigger where tgfoid = 'begin_edition'::regproc"
            )
        }
        assert _tables_read() == tables
        for table in sorted(tables, key=lambda table: (table == "date_override_windows", table)):
            key = "id" if table == "organizations" else "organization_id"
            before = _edition(connection, musicschool)
            if table in _ADDED:
                _add(connection, table, musicschool)
            else:
                changed = connection.execute(
                    f"update {table} set {key} = {key} where {key} = %s", [musicschool.organization_id]
                )
                assert changed.rowcount > 0, f"the demo school has no {table}: the test would prove nothing"
            assert _edition(connection, musicschool) != before, table


_ADDED = {
    "time_off": (
        "member_id, created_by_id, starts_at, ends_at, reason",
        "%(ida)s, %(ida)s, now(), now() + interval '1 hour', ''",
    ),
    "closures": ("name, starts_on, ends_on, yearly", "'Holiday', current_date, current_date, false"),
    "date_overrides": ("member_id, on_date", "%(ida)s, current_date + 90"),
    "date_override_windows": (
        "member_id, on_date, starts_minute, ends_minute",
        "%(ida)s, current_date + 90, 600, 660",
    ),
    "location_hours": ("location_id, weekday, starts_minute, ends_minute", "%(hall)s, 1, 0, 1440"),
    "rooms": ("location_id, name", "%(hall)s, 'Organ loft'"),
    "intake_questions": ("appointment_type_id, kind, label", "%(piano)s, 'short_text', 'Which piece?'"),
}


def _add(connection: psycopg.Connection[Any], table: str, school: School) -> None:
    columns, values = _ADDED[table]
    connection.execute(
        f"insert into {table} (organization_id, {columns}) values (%(org)s, {values})",
        {
            "org": school.organization_id,
            "ida": school.members[IDA],
            "hall": school.locations["Kreuzberg Hall"],
            "piano": school.types["Piano lesson"],
        },
    )


def test_students_come_and_go_without_a_new_edition_and_teachers_do_not(
    postgres: EmbeddedPostgres, settings: Settings, musicschool: School
) -> None:
    with _superuser(postgres, settings) as connection:
        before = _edition(connection, musicschool)
        connection.execute(
            "update members set given_name = given_name where organization_id = %s and role = 'student'",
            [musicschool.organization_id],
        )
        assert _edition(connection, musicschool) == before
        # Somebody who teaches no more is a student from here on, and was part of it until now.
        connection.execute(
            "update members set role_override = 'student' where organization_id = %s and id = %s",
            [musicschool.organization_id, musicschool.members[IDA]],
        )
        changed = _edition(connection, musicschool)
        assert changed != before
        connection.execute(
            "update members set role_override = null where organization_id = %s and id = %s",
            [musicschool.organization_id, musicschool.members[IDA]],
        )
        assert _edition(connection, musicschool) != changed


def test_an_edition_is_the_schools_own_and_begins_with_the_commit(
    desk: Desk, database: Database, loop: Loop, yoga: School, postgres: EmbeddedPostgres, settings: Settings
) -> None:
    async def change() -> tuple[str, str]:
        async with database.organization(desk.school.organization_id, acting=SYSTEM) as session:
            await session.execute(text("update locations set directions = directions || '.'"))
            mine = str(await session.scalar(text("select edition from school_editions")))
        async with database.organization(desk.school.organization_id) as session:
            return mine, str(await session.scalar(text("select edition from school_editions")))

    with _superuser(postgres, settings) as connection:
        before, others = _edition(connection, desk.school), _edition(connection, yoga)
        within, after = loop.run(change())
        assert within == before != after == _edition(connection, desk.school)
        assert _edition(connection, yoga) == others


def test_visitors_are_told_the_same_as_by_reading_everything(desk: Desk, visit: Any) -> None:
    """For every type, week after week over its horizon and past it, with every wish."""

    async def both(session: AsyncSession, type_: Any, **asked: Any) -> tuple[Any, Any]:
        quick = await visitors_slots(session, type_.id, **asked)
        return quick, await available_slots(session, type_, **asked)

    types = visit(appointments.list_types)
    assert len(types) > 3
    offered = 0
    wishes: list[dict[str, uuid.UUID]] = [
        {},
        {"instructor_id": desk.school.members[IDA]},
        {"location_id": desk.school.locations["Kreuzberg Hall"]},
    ]
    for type_ in types:
        for week in (0, 1, 3, 8):
            for wish in wishes:
                window = {"from_": MONDAY + week * _WEEK, "until": MONDAY + (week + 2) * _WEEK}
                quick, long = visit(lambda session, t=type_, a=wish | window: both(session, t, **a))
                assert quick is None or quick == long
                offered += len(quick or ())
    assert offered > 500


def test_the_next_free_times_are_the_same_too(desk: Desk, visit: Any) -> None:
    async def both(session: AsyncSession) -> tuple[Any, Any]:
        prospectus = await prospectus_of(session)
        assert prospectus is not None
        listed = await appointments.offered_types(session, viewer=None)
        assert prospectus.listed() == listed
        quick = await next_free_for_visitors(session, prospectus, prospectus.listed())
        return quick, await next_free_many(session, listed, after=MONDAY)

    quick, long = visit(both)
    assert quick == long
    assert any(quick.values())


def test_a_change_shows_with_the_next_question_in_every_process(
    desk: Desk, loop: Loop, settings: Settings, postgres: EmbeddedPostgres, visit: Any
) -> None:
    """Seen to fail with the edition not compared: the old hours were told, of a type that was gone."""
    school = desk.school
    ask: Any = partial(visitors_slots, type_id=school.types["Piano lesson"], from_=MONDAY, until=MONDAY + _WEEK)

    async def elsewhere(database: Database) -> Any:
        async with database.organization(school.organization_id) as session:
            return await ask(session)

    async def made() -> Database:
        return Database(settings)

    other = loop.run(made())
    with _superuser(postgres, settings) as connection:
        here = [school.organization_id]
        before = loop.run(elsewhere(other))
        assert len(before) > 20
        assert before == visit(ask)
        connection.execute(
            "update weekly_hours set ends_minute = ends_minute - 45 where organization_id = %s", here
        )
        after = loop.run(elsewhere(other))
        assert after == visit(ask)
        assert 0 < len(after) < len(before)
        connection.execute("update appointment_types set archived_at = now() where organization_id = %s", here)
        # Not offered any more: whoever asks reads for themselves, and finds that out.
        assert loop.run(elsewhere(other)) is None
        connection.execute("update appointment_types set archived_at = null where organization_id = %s", here)
        connection.execute(
            "update weekly_hours set ends_minute = ends_minute + 45 where organization_id = %s", here
        )
        assert loop.run(elsewhere(other)) == before
    loop.run(other.close())


def test_what_is_known_costs_one_question(desk: Desk, visit: Any) -> None:
    piano = desk.school.types["Piano lesson"]
    ask: Any = partial(visitors_slots, type_id=piano, from_=MONDAY, until=MONDAY + _WEEK)
    visit(ask)
    with statements() as sent:
        visit(ask)
    assert len(sent) == 1


def test_a_unit_of_work_that_has_begun_reads_for_itself(desk: Desk) -> None:
    """It may have changed what it asks about, and nobody else knows of that yet."""

    async def within(session: AsyncSession) -> Prospectus | None:
        await session.execute(text("select 1"))
        return await prospectus_of(session)

    assert desk.run(within) is None
    # Nor is what staff or students see mixed with what visitors are shown.
    assert desk.run(prospectus_of) is None


def test_one_that_is_stale_is_thrown_away_and_only_so_many_are_kept(
    desk: Desk, visit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask_late(session: AsyncSession) -> None:
        prospectus = await prospectus_of(session)
        assert prospectus is not None
        prospectus.edition = str(uuid.uuid4())
        await next_free_for_visitors(session, prospectus, prospectus.listed())

    with pytest.raises(Stale):
        visit(ask_late)
    first = visit(prospectus_of)
    assert visit(prospectus_of) is first
    shelf = kept._Shelf()
    monkeypatch.setattr(kept, "MOST_ROWS", 3 * first.rows)
    for number in range(10):
        shelf.keep(uuid.UUID(int=number), first)
        shelf.find(uuid.UUID(int=0))
    held = [number for number in range(10) if shelf.find(uuid.UUID(int=number))]
    assert held == [0, 8, 9]
    shelf.throw_away(uuid.UUID(int=9), first)
    assert shelf._rows == 2 * first.rows
