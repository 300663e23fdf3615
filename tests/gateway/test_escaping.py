"""Script in every text field of a school × every page: shown as text, never run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from coursecove.app import CourseCove
from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.isolation.people import PEOPLE, is_page, things_of
from tests.isolation.routes import ROUTES, Things, filled

ATTACK = """<script>alert(1)</script>"'><img src=x onerror=alert(1)>{{7*7}}${7*7}"""
#: As much of it as a link may hold: no spaces.
LINK = "https://x.example/" + ATTACK.replace(" ", "/")
#: What must not come out: a tag of ours that was not escaped, an attribute that was left, a template that ran.
RAW = ("<script>alert", "<img src=x", "<img/src=x", "\"'><", ">49$")


def _api(client: ClientFor, email: str) -> Callable[..., Any]:
    http = client("yoga", email)

    def call(method: str, path: str, **body: Any) -> Any:
        response = http.request(method, f"/api/v1{path}", json=body or None)
        assert response.is_success, response.text
        return response.json()

    return call


@pytest.fixture(scope="module")
def things(settings: Settings, yoga: School) -> Things:
    return things_of(settings, yoga, teacher="jun@stillwater.example", student="sofia@example.com")


@pytest.fixture(scope="module")
def attacked(client: ClientFor, settings: Settings, yoga: School, things: Things) -> Things:
    """The yoga studio after everybody wrote the attack into everything they may write."""
    student = "sofia@example.com"
    admin = _api(client, "noor@stillwater.example")
    admin("PATCH", f"/locations/{things.location_id}", name=ATTACK, address=ATTACK, directions=ATTACK)
    admin("PATCH", f"/appointment-types/{things.type_id}", name=ATTACK, description=ATTACK)
    admin("PATCH", f"/instructors/{things.member_id}", bio=ATTACK, meeting_url=LINK)
    admin("PATCH", "/organization", name=ATTACK)
    # Names come from the identity provider, which lets people choose them.
    with psycopg.connect(settings.database_platform_url) as connection:
        connection.execute(
            "update members set given_name = %(attack)s, family_name = %(attack)s "
            "where organization_id = %(school)s",
            {"attack": ATTACK, "school": yoga.organization_id},
        )
    start = datetime.now(UTC) + timedelta(days=10)
    query = httpx.QueryParams(
        {
            "appointment_type_id": str(things.type_id),
            "from": start.isoformat(),
            "until": (start + timedelta(days=7)).isoformat(),
        }
    )
    slot = admin("GET", f"/availability?{query}")["items"][0]
    booking = _api(client, student)(
        "POST",
        "/bookings",
        appointment_type_id=str(things.type_id),
        starts_at=slot["starts_at"],
        note=ATTACK,
    )
    _api(client, student)("POST", f"/bookings/{booking['id']}/cancellation", reason=ATTACK)
    return things


def test_no_page_runs_what_somebody_typed(client: ClientFor, app: CourseCove, attacked: Things) -> None:
    shown = 0
    for role, email in PEOPLE.items():
        http = client("yoga", email, cookie=True)
        for route in ROUTES:
            if not route.startswith("GET") or not is_page(route):
                continue
            path, _ = filled(route.removeprefix("GET "), attacked)
            lists = ("?show=past", "?status=cancelled") if role == "admin" and "{" not in route else ()
            for query in ("", *lists):
                response = http.get(path + query)
                assert response.status_code < 500, f"{role}: {path}{query}"
                if not response.headers.get("content-type", "").startswith("text/html"):
                    continue
                for raw in RAW:
                    assert raw not in response.text, f"{role}: {path}{query} holds {raw}"
                shown += response.text.count("&lt;script&gt;alert(1)")
    # The control: it was on the pages, as text.
    assert shown > 50


def test_a_calendar_entry_is_not_broken_out_of(client: ClientFor, attacked: Things) -> None:
    http = client("yoga", "sofia@example.com", cookie=True)
    entry = http.get(f"/lessons/{attacked.reference}/calendar.ics")
    assert entry.status_code == 200
    assert entry.headers["content-type"].startswith("text/calendar")
    unfolded = entry.text.replace("\r\n ", "")
    assert unfolded.count("BEGIN:VEVENT") == 1
    assert unfolded.count("DTSTART") == unfolded.count("\r\nDTSTART")


def test_what_is_typed_into_an_address_is_shown_as_text(client: ClientFor) -> None:
    http = client("yoga", "noor@stillwater.example", cookie=True)
    for path in ("/", "/lessons", "/teach", "/admin/people", "/admin/bookings", "/sign-in", "/nothing"):
        for name in ("search", "q", "return_to", "show", "page", "with", "status", "from", "role"):
            response = http.get(path, params={name: ATTACK})
            assert response.status_code < 500, f"{path}?{name}"
            for raw in RAW:
                assert raw not in response.text, f"{path}?{name}"


#: form → the fields of text in it.
TEXTS = {
    "/teach/profile": ("bio", "meeting_url", "time_zone"),
    "/admin/school": ("name", "locale", "time_zone", "currency"),
    "/admin/school/look": ("accent_color",),
    "/admin/school/policies": ("self_enrolment", "policy_text", "default_travel_minutes"),
    "/admin/locations/new": ("name", "address", "directions", "time_zone"),
    "/admin/locations/{slug}/rooms": ("name", "capacity"),
    "/admin/travel/new": ("name", "postcode_prefixes", "travel_minutes"),
    "/admin/closures/new": ("name", "starts_on", "ends_on", "location"),
    "/admin/people/invite": ("emails", "role"),
    "/admin/types/new": ("name", "description", "color", "location_mode", "duration_minutes", "price_cents"),
    "/admin/types/{slug}/questions/new": ("label", "hint", "kind", "options"),
    "/book/{slug}": ("with", "place", "time", "note"),
}


@pytest.mark.parametrize("form", list(TEXTS))
def test_nor_does_a_refused_form_run_it(client: ClientFor, things: Things, form: str) -> None:
    http = client("yoga", "noor@stillwater.example", cookie=True)
    path, _ = filled(form, things)
    response = http.post(path, data=dict.fromkeys(TEXTS[form], ATTACK))
    assert response.status_code == 422
    for raw in RAW:
        assert raw not in response.text
    unknown = http.post(path, data={ATTACK: ATTACK})
    assert unknown.status_code == 400
    for raw in RAW:
        assert raw not in unknown.text
