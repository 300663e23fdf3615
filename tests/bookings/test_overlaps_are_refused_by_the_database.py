"""The last word: the tables themselves refuse overlaps and absurd times, as the serving role meets them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from coursecove.config import Settings
from tests.bookings.desk import IDA, LEO, MIA, berlin
from tests.factories.world import ENTER, School

MINUTE = timedelta(minutes=1)
START = berlin(3, 14, month=2)


@pytest.fixture
def school(settings: Settings, musicschool: School) -> Iterator[psycopg.Connection]:
    """A connection of the application's role inside the school; everything is rolled back."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            ENTER,
            [str(musicschool.organization_id)],
        )
        yield connection
        connection.rollback()


def _session(
    connection: psycopg.Connection,
    school: School,
    start: datetime,
    *,
    minutes: int = 45,
    before: int = 0,
    after: int = 0,
) -> uuid.UUID:
    row = connection.execute(
        "insert into sessions (organization_id, appointment_type_id, instructor_id, starts_at, ends_at, "
        "blocked_from, blocked_until) values (%s, %s, %s, %s, %s, %s, %s) returning id",
        [
            school.organization_id,
            school.types["Violin lesson"],
            school.members[IDA],
            start,
            start + minutes * MINUTE,
            start - before * MINUTE,
            start + (minutes + after) * MINUTE,
        ],
    ).fetchone()
    assert row is not None
    return uuid.UUID(str(row[0]))


def _booking(
    connection: psycopg.Connection, school: School, session_id: uuid.UUID, student: str, reference: str
) -> None:
    connection.execute(
        "insert into bookings (organization_id, reference, session_id, student_id, booked_by_id, starts_at, "
        "ends_at, cancellation_notice_minutes) select organization_id, %s, id, %s, %s, starts_at, ends_at, 0 "
        "from sessions where id = %s",
        [reference, school.members[student], school.members[student], session_id],
    )


@pytest.mark.parametrize("offset", [-44, -1, 0, 1, 44, 59])
def test_an_instructor_is_never_in_two_sessions(
    school: psycopg.Connection, musicschool: School, offset: int
) -> None:
    _session(school, musicschool, START, after=15)
    with pytest.raises(psycopg.errors.ExclusionViolation, match="sessions_instructor_free"):
        _session(school, musicschool, START + offset * MINUTE)


def test_sessions_may_touch_and_a_cancelled_one_is_not_in_the_way(
    school: psycopg.Connection, musicschool: School
) -> None:
    first = _session(school, musicschool, START, after=15)
    _session(school, musicschool, START + 60 * MINUTE)
    _session(school, musicschool, START - 45 * MINUTE)
    school.execute("update sessions set cancelled_at = now() where id = %s", [first])
    _session(school, musicschool, START + 5 * MINUTE, minutes=30)


def test_a_student_is_never_in_two_lessons(school: psycopg.Connection, musicschool: School) -> None:
    _booking(school, musicschool, _session(school, musicschool, START), MIA, "AAAA-0001")
    beside = _session(school, musicschool, START + 45 * MINUTE)
    _booking(school, musicschool, beside, MIA, "AAAA-0002")
    _booking(school, musicschool, beside, LEO, "AAAA-0003")
    with pytest.raises(psycopg.errors.ExclusionViolation, match="bookings_student_free"):
        _booking(school, musicschool, beside, MIA, "AAAA-0004")


@pytest.mark.parametrize(
    ("minutes", "before", "after"),
    [(0, 0, 0), (-5, 0, 0), (721, 0, 0), (45, 361, 0), (45, 0, 361), (45, -1, 0)],
)
def test_empty_backward_and_endless_sessions_are_refused(
    school: psycopg.Connection, musicschool: School, minutes: int, before: int, after: int
) -> None:
    with pytest.raises((psycopg.errors.CheckViolation, psycopg.errors.DataException)):
        _session(school, musicschool, START, minutes=minutes, before=before, after=after)


def test_infinite_times_are_refused(school: psycopg.Connection, musicschool: School) -> None:
    with pytest.raises(psycopg.errors.IntegrityError):
        school.execute(
            "insert into sessions (organization_id, appointment_type_id, instructor_id, starts_at, ends_at, "
            "blocked_from, blocked_until) values (%s, %s, %s, %s, %s, '-infinity', 'infinity')",
            [
                musicschool.organization_id,
                musicschool.types["Violin lesson"],
                musicschool.members[IDA],
                START,
                START + MINUTE,
            ],
        )


@pytest.mark.parametrize(
    "statement",
    [
        "update sessions set appointment_type_id = appointment_type_id",
        "update bookings set answers = '[1]'",
        "update bookings set student_id = student_id",
        "update bookings set organization_id = organization_id",
        "update bookings set price_cents = 0",
        "delete from bookings",
        "delete from sessions",
    ],
)
def test_the_application_cannot_retype_reassign_reprice_or_erase_what_was_booked(
    school: psycopg.Connection, statement: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        school.execute(statement)
