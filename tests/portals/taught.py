"""Lessons put straight into the database: past ones, running ones, two thousand of them.

Booking cannot make those, since nobody books what has begun.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from coursecove.bookings.references import ALPHABET
from coursecove.config import Settings
from coursecove.tenants.handles import handle_of
from tests.factories.world import ENTER, School


@dataclass(frozen=True)
class Put:
    """A session with its seats' references, by the students' addresses."""

    session_id: uuid.UUID
    references: dict[str, str]

    @property
    def reference(self) -> str:
        return next(iter(self.references.values()))

    def handle(self, type_name: str) -> str:
        return handle_of(self.session_id, type_name)


@contextmanager
def inside(settings: Settings, school: School) -> Iterator[psycopg.Connection]:
    """A connection that is CourseCove itself at one school; commits at the end."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(ENTER, [str(school.organization_id)])
        yield connection


def put(
    connection: psycopg.Connection,
    school: School,
    starts_at: datetime,
    *,
    teacher: str,
    students: Sequence[str],
    type_name: str,
    location: str | None = None,
    minutes: int = 45,
    capacity: int = 1,
    pending: bool = False,
    note: str = "",
    answers: Mapping[str, str] | None = None,
    scheduled: bool = False,
) -> Put:
    """Insert a session and one booking per student."""
    session_id = uuid.uuid4()
    ends_at = starts_at + timedelta(minutes=minutes)
    organization_id = school.organization_id
    connection.execute(
        "insert into sessions (organization_id, id, appointment_type_id, instructor_id, location_id, "
        "starts_at, ends_at, blocked_from, blocked_until, capacity, seats_taken, scheduled_by_id) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            organization_id,
            session_id,
            school.types[type_name],
            school.members[teacher],
            school.locations[location] if location else None,
            starts_at,
            ends_at,
            starts_at,
            ends_at,
            capacity,
            len(students),
            school.members[teacher] if scheduled else None,
        ],
    )
    references = {}
    for student in students:
        code = "".join(secrets.choice(ALPHABET) for _ in range(8))
        references[student] = f"{code[:4]}-{code[4:]}"
        connection.execute(
            "insert into bookings (organization_id, id, reference, session_id, student_id, booked_by_id, "
            "starts_at, ends_at, cancellation_notice_minutes, note, answers, confirmed_at, approve_by) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, 1440, %s, %s, %s, %s)",
            [
                organization_id,
                uuid.uuid4(),
                references[student],
                session_id,
                school.members[student],
                school.members[student],
                starts_at,
                ends_at,
                note,
                json.dumps(
                    [
                        {"question_id": str(uuid.uuid4()), "kind": "short_text", "label": label, "answer": text}
                        for label, text in (answers or {}).items()
                    ]
                ),
                None if pending else starts_at - timedelta(days=9),
                starts_at - timedelta(hours=1) if pending else None,
            ],
        )
    return Put(session_id, references)


def write(connection: psycopg.Connection, school: School, reference: str, body: str, *, author: str) -> None:
    """Insert a note about a lesson."""
    connection.execute(
        "insert into lesson_notes (organization_id, id, booking_id, author_id, body) "
        "select organization_id, %s, id, %s, %s from bookings where reference = %s",
        [uuid.uuid4(), school.members[author], body, reference],
    )
