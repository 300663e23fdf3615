"""A school with a crowd in it, written down directly: the races are about lessons, not about people."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import psycopg

SLUG = "races"
CLERK_ORGANIZATION = "org_races"
MINUTES = 45


@dataclass(frozen=True)
class Crowd:
    """The ids of the school and its people; the first instructor is the one everybody wants."""

    organization_id: uuid.UUID
    admin_id: uuid.UUID
    instructor_ids: list[uuid.UUID]
    student_ids: list[uuid.UUID]
    location_id: uuid.UUID
    room_ids: list[uuid.UUID]
    private_id: uuid.UUID
    class_id: uuid.UUID


def clerk_user(member_id: uuid.UUID) -> str:
    """Return what Clerk would call a person."""
    return f"user_{member_id.hex}"


def gather(connection: psycopg.Connection, *, students: int, instructors: int, rooms: int) -> Crowd:
    """Open a school with so many people; the connection must be above all policies."""
    school = _id(
        connection,
        "insert into organizations (clerk_id, slug, name, time_zone, version) "
        "values (%s, %s, 'School of Races', 'UTC', 1) returning id",
        CLERK_ORGANIZATION,
        SLUG,
    )
    connection.execute("insert into subdomains (slug, organization_id) values (%s, %s)", [SLUG, school])
    [admin] = _people(connection, school, 1, role="org:admin", name="Admin")
    teachers = _people(connection, school, instructors, role="org:instructor", name="Teacher")
    for number, teacher in enumerate(teachers):
        connection.execute(
            "insert into instructor_profiles (organization_id, member_id, slug, time_zone) "
            "values (%s, %s, %s, 'UTC')",
            [school, teacher, f"teacher-{number}"],
        )
        connection.execute(
            "insert into weekly_hours (organization_id, member_id, weekday, starts_minute, ends_minute) "
            "select %s, %s, day, 0, 1440 from generate_series(1, 7) day",
            [school, teacher],
        )
    place = _id(
        connection,
        "insert into locations (organization_id, slug, name, time_zone) "
        "values (%s, 'arena', 'Arena', 'UTC') returning id",
        school,
    )
    halls = [
        _id(
            connection,
            "insert into rooms (organization_id, location_id, name, capacity) "
            "values (%s, %s, %s, 20) returning id",
            school,
            place,
            f"Hall {number}",
        )
        for number in range(rooms)
    ]
    kinds = {kind: _type(connection, school, place, kind, teachers) for kind in ("private", "class")}
    learners = _people(connection, school, students, role="org:member", name="Racer")
    return Crowd(school, admin, teachers, learners, place, halls, kinds["private"], kinds["class"])


def _people(
    connection: psycopg.Connection, school: uuid.UUID, count: int, *, role: str, name: str
) -> list[uuid.UUID]:
    ids = [uuid.uuid4() for _ in range(count)]
    connection.cursor().executemany(
        "insert into members (organization_id, id, clerk_user_id, clerk_membership_id, given_name, clerk_role, "
        "version) values (%s, %s, %s, %s, %s, %s, 1)",
        [
            (school, id_, clerk_user(id_), f"orgmem_{id_.hex}", f"{name} {number}", role)
            for number, id_ in enumerate(ids)
        ],
    )
    return ids


def _type(
    connection: psycopg.Connection, school: uuid.UUID, place: uuid.UUID, kind: str, teachers: list[uuid.UUID]
) -> uuid.UUID:
    type_id = _id(
        connection,
        "insert into appointment_types (organization_id, slug, name, duration_minutes, start_interval_minutes, "
        "minimum_notice_minutes, cancellation_notice_minutes, reschedule_notice_minutes, most_reschedules, "
        "horizon_days, location_mode, kind, capacity, published_at) "
        "values (%s, %s, %s, %s, 15, 0, 0, 0, null, 365, 'in_person', %s, %s, now()) returning id",
        school,
        kind,
        kind.capitalize(),
        MINUTES,
        kind,
        1 if kind == "private" else 8,
    )
    connection.execute(
        "insert into appointment_type_locations (organization_id, appointment_type_id, location_id) "
        "values (%s, %s, %s)",
        [school, type_id, place],
    )
    connection.cursor().executemany(
        "insert into qualifications (organization_id, member_id, appointment_type_id) values (%s, %s, %s)",
        [(school, teacher, type_id) for teacher in teachers],
    )
    return type_id


def _id(connection: psycopg.Connection, query: str, *values: object) -> uuid.UUID:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return uuid.UUID(str(row[0]))
