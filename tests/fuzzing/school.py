"""Everybody at Stillwater Yoga, ready to be fuzzed: what exists there, asked of the application itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from coursecove.config import Settings
from tests.factories.world import read_school
from tests.fuzzing.engine import Fuzzer, Person
from tests.fuzzing.known import Known

SLUG = "yoga"
ROLES: dict[str, str | None] = {
    "visitor": None,
    "student": "sofia@example.com",
    "instructor": "jun@stillwater.example",
    "admin": "noor@stillwater.example",
}
#: Priya may get any role: those who ask here must keep theirs.
_CHANGEABLE = ["priya@example.com"]


def fuzzer_for(
    *, settings: Settings, address: str, token: Callable[[str, str], str], seed: int, only: str = ""
) -> Fuzzer:
    """Return a fuzzer of all roles; ``token(email, slug)`` gives a session token."""
    host = settings.origin(SLUG).partition("://")[2]
    people = [
        Person(role, {"Host": host} | ({"Authorization": f"Bearer {token(email, SLUG)}"} if email else {}))
        for role, email in ROLES.items()
    ]
    with httpx.Client(base_url=address, headers=people[-1].headers, timeout=30, trust_env=False) as admin:
        document = admin.get("/api/v1/openapi.json").json()
        known = _known(settings, admin)
        _furnish(known.ids, admin, student=people[1].headers)
    return Fuzzer(address=address, people=people, document=document, known=known, seed=seed, only=only)


def _known(settings: Settings, admin: httpx.Client) -> Known:
    school = read_school(settings, SLUG)
    students = [str(id_) for email, id_ in school.members.items() if email and email.endswith("@example.com")]
    bookings = admin.get("/api/v1/bookings", params={"page_size": 200}).json()["items"]
    ids = {
        "members": [str(school.members[email]) for email in _CHANGEABLE],
        "instructors": [str(school.members["jun@stillwater.example"])],
        "students": students,
        "types": [str(id_) for id_ in school.types.values()],
        "locations": [str(id_) for id_ in school.locations.values()],
        "bookings": [booking["id"] for booking in bookings],
    }
    offers = [offer for type_id in ids["types"] for offer in _offers(admin, type_id)]
    return Known(ids, [offer | {"student_id": students[n % len(students)]} for n, offer in enumerate(offers)])


def _furnish(ids: dict[str, list[str]], admin: httpx.Client, *, student: Mapping[str, str]) -> None:
    """Make one of each thing that a school has and the tests' world does not; note their ids by kind."""
    # Each call has names and a day of its own: a database may be fuzzed more than once.
    name = f"Fuzz {secrets.token_hex(4)}"
    day = date(2033, 1, 1) + timedelta(days=secrets.randbelow(3000))
    place, teacher, type_id = ids["locations"][0], ids["instructors"][0], ids["types"][0]

    def make(kind: str, path: str, body: dict[str, Any], *, headers: Mapping[str, str] | None = None) -> None:
        note(kind, path, admin.post(f"/api/v1{path}", json=body, headers=headers))

    def note(kind: str, path: str, answer: httpx.Response) -> None:
        assert answer.is_success, f"{path}: {answer.text}"
        made = answer.json()
        one = made["items"][0] if "items" in made else made.get("feed", made)
        ids.setdefault(kind, []).append(one["id"])

    make("closures", "/closures", {"name": name, "starts_on": f"{day}", "ends_on": f"{day}"})
    make("questions", f"/appointment-types/{type_id}/questions", {"kind": "yes_no", "label": "Fuzz?"})
    make("zones", "/travel-zones", {"name": name, "postcode_prefixes": [name[5:]], "travel_minutes": 5})
    away = {"starts_at": f"{day}T20:00:00Z", "ends_at": f"{day}T21:00:00Z"}
    make("time_off", f"/instructors/{teacher}/time-off", away)
    gathering = {
        "name": name,
        "kind": "class",
        "capacity": 2,
        "duration_minutes": 30,
        "location_ids": [place],
        "instructor_ids": [teacher],
    }
    make("types", "/appointment-types", gathering)
    times = {
        "appointment_type_id": ids["types"].pop(),
        "instructor_id": teacher,
        "location_id": place,
        "starts_at": [_some_minute()],
        "override_rules": True,
    }
    answer = admin.post("/api/v1/classes", json=times)
    while answer.status_code == 409 and "conflicts" in answer.json():
        # The teacher has other lessons, of the demo and of earlier rounds.
        answer = admin.post("/api/v1/classes", json={**times, "starts_at": [_some_minute()]})
    note("classes", "/classes", answer)
    # Last: from here on, lessons in person need it.
    make("rooms", f"/locations/{place}/rooms", {"name": name, "capacity": 50})
    make("children", "/me/children", {"given_name": "Fuzz"}, headers=student)
    make("feeds", "/calendar-feeds", {"kind": "student"}, headers=student)


def _some_minute() -> str:
    """Return a minute within the horizon in which a class may be put on the calendar."""
    today = datetime.now(UTC).replace(hour=0, minute=0)
    return f"{today + timedelta(days=10, minutes=secrets.randbelow(40 * 1440)):%Y-%m-%dT%H:%M}:00Z"


def _offers(http: httpx.Client, type_id: str) -> list[dict[str, Any]]:
    free = http.get("/api/v1/availability", params={"appointment_type_id": type_id}).json()
    return [
        {
            "appointment_type_id": type_id,
            "starts_at": slot["starts_at"],
            "instructor_id": slot["instructors"][0]["id"],
            "location_id": slot["location"] and slot["location"]["id"],
        }
        for slot in free.get("items", [])
    ]
