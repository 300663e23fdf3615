"""Everybody at Stillwater Yoga, ready to be fuzzed: what exists there, asked of the application itself."""

from __future__ import annotations

from collections.abc import Callable
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
    return Fuzzer(address=address, people=people, document=document, known=known, seed=seed, only=only)


def _known(settings: Settings, admin: httpx.Client) -> Known:
    school = read_school(settings, SLUG)
    students = [str(id_) for email, id_ in school.members.items() if email.endswith("@example.com")]
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
