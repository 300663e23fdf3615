"""One person of every kind at Stillwater Yoga, and what they get when they ask."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import psycopg

from coursecove.config import Settings
from coursecove.notifications.unsubscribing import unsubscribe_token
from coursecove.portals import csrf
from coursecove.tenants.handles import handle_of
from tests.factories.world import School
from tests.isolation.databases import Connection, enter
from tests.isolation.routes import FAR_AHEAD, ROUTES, Things, filled

#: Mia belongs to the music school only.
PEOPLE = {
    "visitor": None,
    "stranger": "mia@example.com",
    "student": "sofia@example.com",
    "instructor": "jun@stillwater.example",
    "admin": "noor@stillwater.example",
}

Ask = Callable[..., httpx.Response]

#: Codes, slugs, handles and days are at least as long; "yes" and "30" may stand anywhere on a page.
_SHORTEST_NAME = 8
_TOKEN = re.compile(rf'(name="{csrf.FIELD}" value=")[\w-]{{64}}(?=")')


@dataclass(frozen=True, slots=True)
class Answer:
    """What of an answer has to be the same whoever's thing was asked for."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str


def answer_of(response: httpx.Response, values: list[str]) -> Answer:
    """Return an answer without what differs between any two requests: date, id, token, what was asked for."""
    body = response.text
    headers = []
    for name, value in sorted(response.headers.items()):
        # How short a text becomes depends on every letter of it; the text itself is compared below.
        compressed = name == "content-length" and "content-encoding" in response.headers
        if name not in ("date", "x-request-id") and not compressed:
            headers.append((name, _without(value, values)))
    return Answer(response.status_code, tuple(headers), _without(body, values))


def _without(text: str, values: list[str]) -> str:
    # The longest first: one may be a part of another.
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "…")
    # No two pages carry the same token: 48 random bytes that know nothing of what was asked for.
    text = _TOKEN.sub(r"\1…", text)
    # A page names the request, for whoever asks the operator about it.
    return re.sub(r"\b[0-9a-f]{32}\b", "…", text)


def is_page(route: str) -> bool:
    """Say whether a route is for people rather than programs."""
    return "/api/v1" not in route


def call(client: httpx.Client, route: str, things: Things, **changes: Any) -> tuple[httpx.Response, list[str]]:
    """Call a route with a school's things; `changes` replace `params`, `json` or `data`."""
    method, _, path = route.partition(" ")
    address, values = filled(path, things)
    described = ROUTES[route]
    parts: dict[str, Any] = {
        "params": described.query and described.query(things),
        "json": described.json and described.json(things),
        "data": described.form and described.form(things),
        "files": described.files and described.files(things),
    }
    parts |= changes
    # What was typed comes back, too, in the page that offers to send it again.
    for value in (parts["data"] or {}).values():
        typed = value if isinstance(value, list) else [value]
        values += [text for text in typed if len(text) >= _SHORTEST_NAME]
    sent = {name: value for name, value in parts.items() if value is not None}
    if method == "POST" and described.form is not None and not sent.get("data"):
        # A form of a button alone is one all the same; the client sends the token as a header.
        sent["data"] = {csrf.FIELD: ""}
    return client.request(method, address, **sent), values


def outcome_of(response: httpx.Response) -> str:
    """Say what became of somebody: "sign in", "refused" or "allowed"."""
    location = response.headers.get("location", "")
    if response.status_code == 401 or (response.status_code == 303 and location.startswith("/sign-in")):
        return "sign in"
    if response.status_code == 403 or (response.status_code == 303 and location.startswith("/join")):
        return "refused"
    return "allowed"


def things_of(settings: Settings, school: School, *, teacher: str, student: str) -> Things:
    """Return one of each thing of a school: a lesson of that student, taught by that teacher."""
    with psycopg.connect(settings.database_url) as connection:
        enter(connection, school.organization_id)
        booking = _one(
            connection,
            "select b.id, b.reference, t.id, t.slug, l.id, l.slug from bookings b "
            "join sessions s on s.id = b.session_id join appointment_types t on t.id = s.appointment_type_id "
            "join locations l on l.id = s.location_id where b.student_id = %s and s.instructor_id = %s "
            "and b.status = 'confirmed' order by b.starts_at limit 1",
            school.members[student],
            school.members[teacher],
        )
        (name,) = _one(
            connection,
            "select given_name || ' ' || family_name from members where id = %s",
            school.members[teacher],
        )
        passing = _things_that_pass(connection, school, teacher)
        (question_id,) = _one(
            connection,
            "insert into intake_questions (organization_id, appointment_type_id, kind, label) "
            "values (%s, %s, 'yes_no', 'Is this the matrix?') returning id",
            school.organization_id,
            booking[2],
        )
        (room_id,) = _one(
            connection,
            "insert into rooms (organization_id, location_id, name) "
            "values (%s, %s, 'Chamber of the matrix') returning id",
            school.organization_id,
            booking[4],
        )
        (class_type_id,) = _one(
            connection,
            "insert into appointment_types (organization_id, slug, name, color, kind, duration_minutes, "
            "capacity, location_mode, minimum_notice_minutes, horizon_days, cancellation_notice_minutes, "
            "published_at) values (%s, 'choir-of-the-matrix', 'Choir of the matrix', '#0f766e', 'class', 45, "
            "9, 'in_person', 0, 60, 0, now()) returning id",
            school.organization_id,
        )
        connection.execute(
            "insert into appointment_type_locations (organization_id, appointment_type_id, location_id) "
            "values (%s, %s, %s)",
            [school.organization_id, class_type_id, booking[4]],
        )
        connection.execute(
            "insert into qualifications (organization_id, appointment_type_id, member_id) values (%s, %s, %s)",
            [school.organization_id, class_type_id, school.members[teacher]],
        )
        (class_id,) = _one(
            connection,
            "insert into sessions (organization_id, id, appointment_type_id, instructor_id, location_id, "
            "starts_at, ends_at, blocked_from, blocked_until, capacity, scheduled_by_id) "
            "select %s, gen_random_uuid(), %s, id, %s, at, at + interval '45 min', at, at + interval '45 min', "
            "9, id from members, cast(%s as timestamptz) at where id = %s returning id",
            school.organization_id,
            class_type_id,
            booking[4],
            FAR_AHEAD - timedelta(days=10),
            school.members[teacher],
        )
        (note_id,) = _one(
            connection,
            "insert into lesson_notes (organization_id, id, booking_id, author_id, body) "
            "values (%s, gen_random_uuid(), %s, %s, 'A note of the matrix') returning id",
            school.organization_id,
            booking[0],
            school.members[teacher],
        )
        (child_id,) = _one(
            connection,
            "insert into members (organization_id, id, given_name, clerk_role, guardian_id, version) "
            "values (%s, gen_random_uuid(), 'Child of the matrix', 'none', %s, 0) returning id",
            school.organization_id,
            school.members[student],
        )
        (sibling_id,) = _one(
            connection,
            "insert into members (organization_id, id, given_name, clerk_role, guardian_id, version) "
            "values (%s, gen_random_uuid(), 'Sibling of the matrix', 'none', %s, 0) returning id",
            school.organization_id,
            school.members[student],
        )
        (entry_id,) = _one(
            connection,
            "insert into waitlist_entries (organization_id, session_id, student_id, joined_by_id) "
            "values (%s, %s, %s, %s) returning id",
            school.organization_id,
            class_id,
            school.members[student],
            school.members[student],
        )
        (series_id,) = _one(
            connection,
            "insert into series (organization_id, appointment_type_id, student_id, instructor_id, time_zone, "
            "weekday, starts_minute, duration_minutes, every_weeks, first_on, last_on, created_by_id) "
            "values (%s, %s, %s, %s, 'UTC', 1, 600, 45, 1, '2031-01-06', '2031-01-13', %s) returning id",
            school.organization_id,
            booking[2],
            school.members[student],
            school.members[teacher],
            school.members[teacher],
        )
        (picture_id,) = _one(
            connection,
            "insert into pictures (organization_id, media_type, content, digest, uploaded_by_id) "
            "values (%s, 'image/png', 'x', repeat('1', 64), %s) returning id",
            school.organization_id,
            school.members[teacher],
        )
        (delivery_id,) = _one(
            connection,
            "insert into deliveries (organization_id, id, kind, booking_id, booking_revision, recipient_id, "
            "recipient_email, sent_at) values (%s, gen_random_uuid(), 'matrix', %s, 0, %s, 'x@example.com', "
            "now()) returning id",
            school.organization_id,
            booking[0],
            school.members[student],
        )
        secret = secrets.token_urlsafe(32)
        (feed_id,) = _one(
            connection,
            "insert into calendar_feeds (organization_id, token_digest, kind, location_id, created_by_id) "
            "select %s, %s, 'location', %s, id from members where role = 'admin' limit 1 returning id",
            school.organization_id,
            hashlib.sha256(secret.encode()).hexdigest(),
            # Not the place whose feed the matrix makes anew.
            _one(
                connection,
                "insert into locations (organization_id, slug, name, time_zone) "
                "values (%s, 'yard-of-the-matrix', 'Yard of the matrix', 'Europe/Berlin') returning id",
                school.organization_id,
            )[0],
        )
    booking_id, reference, type_id, type_slug, location_id, location_slug = booking
    return Things(
        member_id=school.members[teacher],
        student_id=school.members[student],
        type_id=type_id,
        location_id=location_id,
        booking_id=booking_id,
        reference=reference,
        type_slug=type_slug,
        location_slug=location_slug,
        handle=handle_of(school.members[teacher], name),
        question_id=question_id,
        room_id=room_id,
        class_id=class_id,
        class_type_id=class_type_id,
        class_handle=handle_of(class_id, "Choir of the matrix"),
        note_id=note_id,
        child_id=child_id,
        sibling_id=sibling_id,
        entry_id=entry_id,
        series_id=series_id,
        digest=picture_id.hex,
        **passing,
        feed_id=feed_id,
        delivery_id=delivery_id,
        feed_file=f"{secret}.ics",
        ending=unsubscribe_token(
            settings,
            organization_id=school.organization_id,
            member_id=school.members[student],
            kind="clock_change",
        ),
    )


def with_new_things_that_pass(settings: Settings, school: School, things: Things, *, teacher: str) -> Things:
    """Return the same things with those replaced that requests take away for good."""
    with psycopg.connect(settings.database_url) as connection:
        enter(connection, school.organization_id)
        return replace(things, **_things_that_pass(connection, school, teacher))


def _things_that_pass(connection: Connection, school: School, teacher: str) -> dict[str, Any]:
    (closure_id,) = _one(
        connection,
        "insert into closures (organization_id, name, starts_on, ends_on) "
        "values (%s, 'Holiday of the matrix', %s, %s) returning id",
        school.organization_id,
        FAR_AHEAD,
        FAR_AHEAD,
    )
    (time_off_id,) = _one(
        connection,
        "insert into time_off (organization_id, member_id, starts_at, ends_at, created_by_id) "
        "values (%s, %s, %s, %s, %s) returning id",
        school.organization_id,
        school.members[teacher],
        FAR_AHEAD - timedelta(days=20),
        FAR_AHEAD - timedelta(days=19),
        school.members[teacher],
    )
    (zone_id,) = _one(
        connection,
        "insert into travel_zones (organization_id, name, postcode_prefixes, travel_minutes) "
        "values (%s, 'Suburb ' || gen_random_uuid(), array[upper(left(gen_random_uuid()::text, 8))], 5) "
        "returning id",
        school.organization_id,
    )
    return {
        "zone_id": zone_id,
        "closure_id": closure_id,
        "closure_slug": "holiday-of-the-matrix-" + handle_of(closure_id, "").rpartition("-")[2],
        "time_off_id": time_off_id,
        "time_off_code": handle_of(time_off_id, "").rpartition("-")[2],
    }


def _one(connection: Connection, query: str, *values: Any) -> tuple[Any, ...]:
    row = connection.execute(query, values).fetchone()
    assert row is not None, query
    return tuple(row)
