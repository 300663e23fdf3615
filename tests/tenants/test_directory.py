"""The way from a subdomain to a school: remembered for seconds, asked once however many want to know."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from coursecove.config import Settings
from coursecove.db.session import Database
from coursecove.tenants import directory as module
from coursecove.tenants.directory import Directory
from tests.factories.world import School
from tests.serving import Loop


class Counting:
    """The platform's door with a counter on it."""

    def __init__(self, database: Database) -> None:
        self.asked = 0
        self._database = database

    def platform_scope(self) -> Any:
        """Open the door and count."""
        self.asked += 1
        return self._database.platform_scope()


@pytest.fixture
def counting(database: Database) -> Counting:
    return Counting(database)


@pytest.fixture
def directory(counting: Counting) -> Directory:
    return Directory(counting)  # type: ignore[arg-type] # the one door it uses


@contextmanager
def _changed(settings: Settings, statement: str, back: str, *values: object) -> Iterator[None]:
    with psycopg.connect(settings.database_platform_url, autocommit=True) as connection:
        connection.execute(statement, values)
        try:
            yield
        finally:
            connection.execute(back, values)


def test_a_hundred_at_once_ask_once(loop: Loop, directory: Directory, counting: Counting, yoga: School) -> None:
    async def ask() -> list[Any]:
        return await asyncio.gather(*(directory.find("yoga") for _ in range(100)))

    found = loop.run(ask())
    assert {view.id for view in found} == {yoga.organization_id}
    assert counting.asked == 1
    loop.run(ask())
    assert counting.asked == 1


def test_whoever_goes_away_does_not_take_the_answer_along(
    loop: Loop, directory: Directory, counting: Counting
) -> None:
    async def ask() -> Any:
        impatient = asyncio.create_task(directory.find("yoga"))
        patient = asyncio.create_task(directory.find("yoga"))
        await asyncio.sleep(0)
        impatient.cancel()
        return await patient

    assert loop.run(ask()).slug == "yoga"
    assert counting.asked == 1


def test_unknown_names_are_remembered_too_and_for_a_shorter_time(
    loop: Loop, directory: Directory, counting: Counting
) -> None:
    """Guessing names does not reach the database with each guess; a founder finds the school at once."""
    for _ in range(3):
        assert loop.run(directory.find("nobody")) is None
    assert counting.asked == 1
    assert module.UNKNOWN_SECONDS < module.FRESH_SECONDS <= 10


def test_a_school_that_was_deleted_or_moved_is_gone_once_the_memory_fades(
    loop: Loop, directory: Directory, settings: Settings, monkeypatch: pytest.MonkeyPatch, yoga: School
) -> None:
    monkeypatch.setattr(module, "FRESH_SECONDS", 0)
    monkeypatch.setattr(module, "UNKNOWN_SECONDS", 0)
    for table, column in (("organizations", "deleted_at"), ("subdomains", "retired_at")):
        with _changed(
            settings,
            f"update {table} set {column} = now() where slug = %s",
            f"update {table} set {column} = null where slug = %s",
            "yoga",
        ):
            assert loop.run(directory.find("yoga")) is None, table
        assert loop.run(directory.find("yoga")) is not None


def test_a_change_made_here_is_seen_here_as_soon_as_it_lasts(
    loop: Loop, directory: Directory, database: Database, yoga: School
) -> None:
    async def rename(name: str, *, fail: bool = False) -> None:
        async with database.platform_scope() as session:
            values = {"name": name, "slug": "yoga"}
            await session.execute(text("update organizations set name = :name where slug = :slug"), values)
            directory.forget_after_commit(session, "yoga")
            assert await seen() == "Stillwater Yoga"
            if fail:
                raise LookupError

    async def seen() -> str:
        found = await directory.find("yoga")
        assert found is not None
        return found.name

    assert loop.run(seen()) == "Stillwater Yoga"
    with pytest.raises(LookupError):
        loop.run(rename("Never", fail=True))
    assert loop.run(seen()) == "Stillwater Yoga"
    loop.run(rename("Renamed"))
    assert loop.run(seen()) == "Renamed"


def test_a_question_that_failed_is_not_remembered(
    loop: Loop, directory: Directory, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(counting, "platform_scope", away)
        with pytest.raises(ConnectionRefusedError):
            loop.run(directory.find("yoga"))
    assert loop.run(directory.find("yoga")) is not None


def test_what_is_remembered_is_bounded(
    loop: Loop, directory: Directory, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)

    async def guess() -> None:
        await directory.find("yoga")
        for _ in range(30):
            await directory.find(f"guess-{uuid.uuid4().hex}")

    loop.run(guess())
    assert len(directory._known) == 10
    assert counting.asked == 31


def test_schools_are_listed_by_name(loop: Loop, directory: Directory) -> None:
    found = loop.run(directory.listed())
    assert [view.slug for view in found] == ["tutoring", "musicschool", "yoga"]
    assert [view.slug for view in loop.run(directory.listed(limit=1))] == ["tutoring"]
