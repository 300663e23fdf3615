"""Schools with people, lessons and bookings, written with COPY; the same ones on every run.

Ids are made from names (UUID version 5), so that every process knows them
without asking.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

ZONE = "America/New_York"
# The peer's week: Monday to Friday, 9:00 to 17:00 with two breaks.
WINDOWS = ((540, 720), (780, 900), (915, 1020))
DURATION, BUFFER, NOTICE = 30, 15, 120
HORIZON = 365
_NAMESPACE = uuid.UUID("6f2d6b3e-3d38-4f0e-9a5a-2f1f2f0c9a11")
_NAMES = ("Mia", "Leo", "Ida", "Tomás", "Priya", "Noor", "Emil", "Zoë", "Iris", "Jun")
_FAMILIES = ("Okafor", "Lindqvist", "Berg", "Rey", "Nair", "Haddad", "Moreau", "Sato", "Weiss", "Kim")


def id_of(*name: object) -> uuid.UUID:
    """Return the id of a thing by its name."""
    return uuid.uuid5(_NAMESPACE, "/".join(map(str, name)))


@dataclass(frozen=True)
class School:
    """A school to be written: how many people, and how many lessons each instructor has.

    ``buffer`` and ``duration`` are the minutes of its one type; ``spread_days``
    from ``begins`` on hold the bookings.
    """

    slug: str
    instructors: int = 1
    students: int = 10
    bookings: int = 0
    duration: int = DURATION
    buffer: int = BUFFER
    spread_days: int = 62
    rooms: int = 2
    past_days: int = 0

    @property
    def id(self) -> uuid.UUID:
        """The organization."""
        return id_of(self.slug)

    @property
    def type_id(self) -> uuid.UUID:
        """Its one appointment type."""
        return id_of(self.slug, "type")

    @property
    def location_id(self) -> uuid.UUID:
        """Its one place."""
        return id_of(self.slug, "place")

    def instructor(self, number: int) -> uuid.UUID:
        """An instructor's member id."""
        return id_of(self.slug, "instructor", number)

    def student(self, number: int) -> uuid.UUID:
        """A student's member id."""
        return id_of(self.slug, "student", number)

    def clerk_id(self, role: str, number: int = 0) -> str:
        """The Clerk id of somebody."""
        return f"user_{id_of(self.slug, role, number).hex[:24]}"


TABLES: dict[str, tuple[str, ...]] = {
    "organizations": ("id", "clerk_id", "slug", "name", "time_zone", "version"),
    "subdomains": ("slug", "organization_id"),
    "members": (
        "organization_id", "id", "clerk_user_id", "clerk_membership_id", "given_name", "family_name",
        "email", "clerk_role", "version",
    ),
    "instructor_profiles": ("organization_id", "member_id", "slug", "bio", "time_zone", "meeting_url"),
    "locations": ("organization_id", "id", "slug", "name", "address", "time_zone"),
    "rooms": ("organization_id", "id", "location_id", "name", "capacity", "position"),
    "location_hours": ("organization_id", "id", "location_id", "weekday", "starts_minute", "ends_minute"),
    "closures": ("organization_id", "id", "name", "starts_on", "ends_on", "yearly"),
    "appointment_types": (
        "organization_id", "id", "slug", "name", "description", "duration_minutes", "buffer_before_minutes",
        "buffer_after_minutes", "minimum_notice_minutes", "horizon_days", "location_mode", "price_cents",
        "published_at",
    ),
    "appointment_type_locations": ("organization_id", "appointment_type_id", "location_id"),
    "qualifications": ("organization_id", "member_id", "appointment_type_id"),
    "weekly_hours": ("organization_id", "id", "member_id", "weekday", "starts_minute", "ends_minute"),
    "sessions": (
        "organization_id", "id", "appointment_type_id", "instructor_id", "location_id", "room_id",
        "starts_at", "ends_at", "blocked_from", "blocked_until",
    ),
    "bookings": (
        "organization_id", "id", "reference", "session_id", "instructor_id", "student_id", "booked_by_id",
        "starts_at", "ends_at", "confirmed_at", "cancellation_notice_minutes", "price_cents", "currency",
    ),
}  # fmt: skip
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def reference(number: int) -> str:
    """Return the booking reference of a number, unique within a school."""
    digits = ""
    for _ in range(8):
        number, digit = divmod(number, 32)
        digits = _ALPHABET[digit] + digits
    return f"{digits[:4]}-{digits[4:]}"


def begins_at(now: datetime | None = None) -> datetime:
    """Return the next Monday: where the bookings of every school begin."""
    now = now or datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=7 - now.weekday())


def rows_of(school: School, begins: datetime) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (table, row) for everything of one school but what is booked."""
    org, place, type_ = school.id, school.location_id, school.type_id
    yield "organizations", (org, f"org_{org.hex[:24]}", school.slug, f"School {school.slug}", ZONE, 1)
    yield "subdomains", (school.slug, org)
    people = [("admin", 0, "org:admin")]
    people += [("instructor", number, "org:instructor") for number in range(school.instructors)]
    people += [("student", number, "org:member") for number in range(school.students)]
    for role, number, clerk_role in people:
        yield (
            "members",
            (
                org, id_of(school.slug, role, number), school.clerk_id(role, number),
                f"orgmem_{id_of(school.slug, role, number).hex[:20]}", _NAMES[number % 10],
                _FAMILIES[(number // 10 + number) % 10], f"{role}{number}@{school.slug}.example", clerk_role, 1,
            ),
        )  # fmt: skip
    yield "locations", (org, place, "main", "Main hall", "1 Main Street", ZONE)
    for number in range(school.rooms):
        room = id_of(school.slug, "room", number)
        yield "rooms", (org, room, place, f"Room {number + 1}", 4, number)
    for weekday in range(1, 7):
        hours = id_of(school.slug, "open", weekday)
        yield "location_hours", (org, hours, place, weekday, 480, 1200)
    closed = (begins + timedelta(days=40)).date()
    yield "closures", (org, id_of(school.slug, "closure"), "Inventory", closed, closed, False)
    yield (
        "appointment_types",
        (
            org, type_, "lesson", "Lesson", "One to one, at your pace.", school.duration, school.buffer,
            school.buffer, NOTICE, HORIZON, "in_person", 4500, begins - timedelta(days=30),
        ),
    )  # fmt: skip
    yield "appointment_type_locations", (org, type_, place)
    for number in range(school.instructors):
        member = school.instructor(number)
        yield (
            "instructor_profiles",
            (org, member, f"teacher-{number}", "Has taught for years.", ZONE, "https://meet.example/room"),
        )
        yield "qualifications", (org, member, type_)
        for weekday in range(1, 6):
            for start, end in WINDOWS:
                hours = id_of(school.slug, "hours", number, weekday, start)
                yield "weekly_hours", (org, hours, member, weekday, start, end)


def bookings_of(school: School, begins: datetime) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Yield (session, booking): spread evenly over whole hours, so that nobody overlaps themselves.

    Of a school with more instructors than rooms, lessons have no room.
    """
    hours = (school.spread_days + school.past_days) * 24
    if school.bookings > hours:
        raise ValueError("a lesson an hour is the most that fits")
    first = begins - timedelta(days=school.past_days)
    minutes = timedelta(minutes=school.duration)
    buffer = timedelta(minutes=min(school.buffer, (60 - school.duration) // 2))
    per_student = max(1, school.students // max(1, school.instructors))
    for instructor in range(school.instructors):
        room = id_of(school.slug, "room", instructor) if instructor < school.rooms else None
        for number in range(school.bookings):
            starts = first + timedelta(hours=number * hours // school.bookings, minutes=15)
            session = id_of(school.slug, "session", instructor, number)
            # Each instructor's students are their own, so that no student is in two places at once.
            student = school.student((instructor * per_student + number % per_student) % school.students)
            yield (
                (
                    school.id, session, school.type_id, school.instructor(instructor), school.location_id,
                    room, starts, starts + minutes, starts - buffer, starts + minutes + buffer,
                ),
                (
                    school.id, id_of(session, "booking"), reference(instructor * school.bookings + number),
                    session, school.instructor(instructor), student, student, starts, starts + minutes, first,
                    1440, 4500, "EUR",
                ),
            )  # fmt: skip


def load(connection: psycopg.Connection, schools: Sequence[School], begins: datetime) -> None:
    """Write schools and what is booked there, one COPY per table, then let Postgres look at it."""
    everything: dict[str, list[tuple[Any, ...]]] = {table: [] for table in TABLES}
    for school in schools:
        for table, row in rows_of(school, begins):
            everything[table].append(row)
        for session, booking in bookings_of(school, begins) if school.bookings else ():
            everything["sessions"].append(session)
            everything["bookings"].append(booking)
    for table, rows in everything.items():
        copy(connection, table, rows)
    connection.execute("vacuum (analyze)")
    connection.execute("checkpoint")


def copy(connection: psycopg.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Write rows of :data:`TABLES` into a table."""
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, TABLES[table]))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        for row in rows:
            stream.write_row(row)
