"""Schools with thousands of rows, and how many queries a page asks."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg

from coursecove.config import Settings
from tests.counting import statements
from tests.factories.world import ENTER, School


def counted(ask: Callable[[], httpx.Response]) -> tuple[int, httpx.Response]:
    """Return how many statements all engines of this process ran meanwhile, and the answer."""
    with statements() as sent:
        answer = ask()
    assert answer.status_code == 200, answer.status_code
    assert sent, "nothing was asked, so nothing was counted"
    return len(sent), answer


def add_members(settings: Settings, school: School, number: int) -> None:
    """Let that many students in, as the synchronization does."""
    with psycopg.connect(settings.database_platform_url) as connection:
        connection.execute(
            "insert into members (organization_id, id, clerk_user_id, clerk_membership_id, given_name, "
            "family_name, email, clerk_role, version) select %s, gen_random_uuid(), 'user_matrix_' || n, "
            "'mem_matrix_' || n, 'Matrix', 'Number ' || n, 'matrix' || n || '@example.com', 'student', 1 "
            "from generate_series(1, %s) n",
            [school.organization_id, number],
        )


def add_lessons(
    settings: Settings, school: School, number: int, *, type_name: str, teacher: str, student: str
) -> None:
    """Put that many confirmed lessons of one teacher on the calendar, a day apart, far in the future."""
    values = {
        "organization": school.organization_id,
        "type": school.types[type_name],
        "teacher": school.members[teacher],
        "student": school.members[student],
        "number": number,
    }
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(ENTER, [str(school.organization_id)])
        connection.execute(_LESSONS, values)


_LESSONS = """
with made as (
  insert into sessions (organization_id, id, appointment_type_id, instructor_id, starts_at, ends_at,
    blocked_from, blocked_until, capacity, seats_taken)
  select %(organization)s, gen_random_uuid(), %(type)s, %(teacher)s, at, at + interval '30 minutes',
    at, at + interval '30 minutes', 1, 1
  from generate_series(1, %(number)s) n, lateral (select '2041-01-01T10:00Z'::timestamptz
    + make_interval(days => n) as at) when_
  returning organization_id, id, instructor_id, starts_at, ends_at
)
insert into bookings (organization_id, id, session_id, instructor_id, student_id, booked_by_id, reference,
  starts_at, ends_at, confirmed_at, cancellation_notice_minutes)
select organization_id, gen_random_uuid(), id, instructor_id, %(student)s, %(student)s,
  upper(substr(md5(id::text), 1, 4) || '-' || substr(md5(id::text), 5, 4)),
  starts_at, ends_at, now(), 0
from made
"""
