"""Many students, one free time: exactly one gets it, and nobody deadlocks."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pytest

from coursecove.bookings import service
from coursecove.bookings.errors import SlotTaken, StudentBusy
from coursecove.bookings.schemas import BookingCreate, BookingView
from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.jobs import Queue, make_broker
from coursecove.tenants import service as tenants
from tests.bookings.desk import IDA, MONDAY, TOMAS, Desk, berlin
from tests.conftest import copy_database, drop_database, on_database
from tests.factories.world import ENTER, School, read_school
from tests.serving import Loop

STUDENTS = 50
CONNECTIONS = 25


@dataclass(frozen=True)
class Arena:
    """A database with fifty students and enough connections for a real race."""

    settings: Settings
    school: School
    database: Database
    students: list[uuid.UUID]

    async def race(self, bookings: list[tuple[uuid.UUID, BookingCreate]]) -> list[BookingView | Exception]:
        """Let everybody book at once; only the expected refusals are answers, anything else fails the test."""
        ready = asyncio.Barrier(min(len(bookings), CONNECTIONS))

        async def one(student_id: uuid.UUID, data: BookingCreate, *, waits: bool) -> BookingView | Exception:
            try:
                async with self.database.organization(self.school.organization_id, acting=SYSTEM) as session:
                    by = await tenants.get_member(session, student_id)
                    if waits:
                        # Everybody who has a connection starts at the same moment.
                        await ready.wait()
                    return await service.book(session, data, by=by)
            except (SlotTaken, StudentBusy) as refused:
                return refused

        return await asyncio.gather(
            *(one(student, data, waits=n < CONNECTIONS) for n, (student, data) in enumerate(bookings))
        )

    def deadlocks(self) -> int:
        with psycopg.connect(self.settings.database_url) as connection:
            row = connection.execute(
                "select deadlocks from pg_stat_database where datname = current_database()"
            ).fetchone()
            assert row is not None
            return int(row[0])

    def overlaps(self) -> int:
        with psycopg.connect(self.settings.database_url) as connection:
            connection.execute(
                ENTER,
                [str(self.school.organization_id)],
            )
            row = connection.execute(
                "select count(*) from sessions a join sessions b on a.instructor_id = b.instructor_id "
                "and a.id < b.id and a.during && b.during "
                "where a.cancelled_at is null and b.cancelled_at is null"
            ).fetchone()
            assert row is not None
            return int(row[0])


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    queue = Queue(make_broker(settings.redis_url))
    database = Database(settings, pool_size=CONNECTIONS, info={"queue": queue})
    try:
        yield database
    finally:
        await database.close()


def _enrol(settings: Settings, school: School) -> list[uuid.UUID]:
    students = [uuid.uuid4() for _ in range(STUDENTS)]
    with psycopg.connect(settings.database_platform_url) as connection:
        connection.cursor().executemany(
            "insert into members (organization_id, id, clerk_user_id, clerk_membership_id, given_name, "
            "clerk_role, version) values (%s, %s, %s, %s, 'Racer', 'org:member', 1)",
            [(school.organization_id, student, f"user_{student}", f"orgmem_{student}") for student in students],
        )
    return students


@contextmanager
def _arena(postgres: EmbeddedPostgres, base: Settings, template: str, loop: Loop) -> Iterator[Arena]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    copy_database(postgres, template, name)
    settings = on_database(base, name)
    school = read_school(settings, "musicschool")
    opened = _database(settings)
    database = loop.run(opened.__aenter__())
    try:
        yield Arena(settings, school, database, _enrol(settings, school))
    finally:
        loop.run(opened.__aexit__(None, None, None))
        drop_database(postgres, name)


@pytest.fixture(scope="module")
def arena(
    postgres: EmbeddedPostgres, base_settings: Settings, world_template: str, loop: Loop
) -> Iterator[Arena]:
    """The real schema."""
    with _arena(postgres, base_settings, world_template, loop) as arena:
        yield arena


def test_of_fifty_students_on_one_time_one_books_and_the_others_see_what_is_left(
    arena: Arena, loop: Loop, travel: Callable[[datetime], None]
) -> None:
    travel(MONDAY)
    start = berlin(5, 14)
    wanted = BookingCreate(appointment_type_id=arena.school.types["Violin lesson"], starts_at=start)
    answers = loop.run(arena.race([(student, wanted) for student in arena.students]))
    assert Counter(type(answer) for answer in answers) == {BookingView: 1, SlotTaken: STUDENTS - 1}
    for answer in answers:
        if isinstance(answer, SlotTaken):
            choices = answer.extra["alternatives"]
            assert len(choices) == 5
            assert start not in {choice.starts_at for choice in choices}
    assert arena.overlaps() == 0
    assert arena.deadlocks() == 0


def test_fifty_students_who_take_anyone_fill_every_instructor_once(
    arena: Arena, loop: Loop, travel: Callable[[datetime], None]
) -> None:
    travel(MONDAY)
    desk = Desk(loop, arena.database, arena.school)
    made = desk.add_type("Anybody's lesson", [IDA, TOMAS])
    wanted = BookingCreate(appointment_type_id=made.id, starts_at=berlin(6, 14))
    answers = loop.run(arena.race([(student, wanted) for student in arena.students]))
    taught = {answer.instructor.name for answer in answers if isinstance(answer, BookingView)}
    assert taught == {"Ida Berg", "Tomás Rey"}
    assert Counter(type(answer) for answer in answers) == {BookingView: 2, SlotTaken: STUDENTS - 2}
    assert arena.overlaps() == 0
    assert arena.deadlocks() == 0


def test_times_that_overlap_without_being_equal_never_both_win(
    arena: Arena, loop: Loop, travel: Callable[[datetime], None]
) -> None:
    """A key on the start time alone would let these through."""
    travel(MONDAY)
    desk = Desk(loop, arena.database, arena.school)
    made = desk.add_type("Short or long", [IDA], duration_minutes=45, start_interval_minutes=5)
    bookings = [
        (student, BookingCreate(appointment_type_id=made.id, starts_at=berlin(11, 14, 5 * (n % 10))))
        for n, student in enumerate(arena.students)
    ]
    answers = loop.run(arena.race(bookings))
    assert sum(isinstance(answer, BookingView) for answer in answers) >= 1
    assert arena.overlaps() == 0
    assert arena.deadlocks() == 0


def test_one_student_who_presses_everywhere_gets_one_lesson(
    arena: Arena, loop: Loop, travel: Callable[[datetime], None]
) -> None:
    travel(MONDAY)
    start, student, types = berlin(12, 14), arena.students[0], arena.school.types
    bookings = [
        (student, BookingCreate(appointment_type_id=types[name], starts_at=start))
        for name in ("Violin lesson", "Guitar lesson") * 10
    ]
    answers = loop.run(arena.race(bookings))
    assert sum(isinstance(answer, BookingView) for answer in answers) == 1
    desk = Desk(loop, arena.database, arena.school)
    live = desk.rows("select count(*) from sessions where starts_at = :at and cancelled_at is null", at=start)
    assert live == [(1,)]
    assert arena.deadlocks() == 0


def test_without_the_constraint_the_same_race_books_twice(
    postgres: EmbeddedPostgres,
    base_settings: Settings,
    world_template: str,
    loop: Loop,
    travel: Callable[[datetime], None],
) -> None:
    """The control: it is the constraint that holds, not luck or the engine's look before the insert."""
    travel(MONDAY)
    with _arena(postgres, base_settings, world_template, loop) as arena:
        with psycopg.connect(arena.settings.database_owner_url) as owner:
            owner.execute("alter table sessions drop constraint sessions_instructor_free")
        wanted = BookingCreate(appointment_type_id=arena.school.types["Violin lesson"], starts_at=berlin(5, 14))
        answers = loop.run(arena.race([(student, wanted) for student in arena.students]))
        assert sum(isinstance(answer, BookingView) for answer in answers) > 1
        assert arena.overlaps() > 0
