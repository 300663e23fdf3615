"""The school's front page."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from coursecove.config import Settings
from coursecove.portals.pages import Flash
from tests.conftest import ClientFor
from tests.factories.world import School, read_school
from tests.portals.reading import RAW_ID, links, text_of


@pytest.fixture(scope="module")
def tutoring(settings: Settings) -> School:
    """Brightside Tutoring."""
    return read_school(settings, "tutoring")


def test_a_visitor_reads_what_is_taught_by_whom_and_where(client: ClientFor) -> None:
    page = client("musicschool", cookie=True).get("/")
    assert page.status_code == 200
    said = text_of(page)
    for words in ("Piano lesson", "45 min", "€45", "Ida Berg", "Tomás Rey", "Studio Linden", "Lindenstraße 14"):
        assert words in said
    assert links(page, r"^/book/piano-lesson$")
    assert links(page, r"^/book/piano-lesson\?with=ida-berg$")


def test_meeting_links_and_addresses_of_people_are_not_on_the_front_page(client: ClientFor) -> None:
    page = client("musicschool", cookie=True).get("/")
    assert "meet.example.com" not in page.text
    assert "@harmony.example" not in page.text


def test_a_student_finds_the_next_lesson_on_the_front_page(client: ClientFor) -> None:
    said = text_of(client("musicschool", "mia@example.com", cookie=True).get("/"))
    assert "Your next lesson" in said
    assert "Your next lesson" not in text_of(
        client("musicschool", "tomas@harmony.example", cookie=True).get("/")
    )


def test_prices_are_in_the_schools_own_currency(client: ClientFor) -> None:
    assert "$95" in text_of(client("yoga", cookie=True).get("/"))
    assert "₹900" in text_of(client("tutoring", cookie=True).get("/"))


@pytest.mark.parametrize("email", [None, "mia@example.com", "ida@harmony.example", "clara@harmony.example"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/book/piano-lesson",
        "/book/piano-lesson?with=anyone",
        "/lessons",
        "/teach",
        "/teach/hours",
        "/teach/profile",
    ],
)
def test_no_page_shows_a_raw_id(client: ClientFor, email: str | None, path: str) -> None:
    page = client("musicschool", email, cookie=True).get(path)
    assert page.status_code in (200, 303, 403)
    assert not RAW_ID.search(page.text)


def test_a_name_with_a_script_in_it_is_only_text(client: ClientFor, yoga: School) -> None:
    admin = client("yoga", "noor@stillwater.example")
    created = admin.post(
        "/api/v1/appointment-types",
        json={
            "name": "<script>alert(1)</script>",
            "description": "<img src=x onerror=alert(2)>",
            "duration_minutes": 30,
            "location_mode": "online",
            "instructor_ids": [str(yoga.members["jun@stillwater.example"])],
        },
    )
    assert created.status_code == 201, created.text
    visitor = client("yoga", cookie=True)
    pages: list[httpx.Response] = [visitor.get("/"), visitor.get(f"/book/{created.json()['slug']}")]
    for page in pages:
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "<script>alert(1)</script>" in text_of(page)


def test_a_school_that_offers_nothing_says_so_and_tells_its_admin_what_to_do(
    client: ClientFor, tutoring: School
) -> None:
    admin = client("tutoring", "arjun@brightside.example")
    for type_id in tutoring.types.values():
        answer = admin.patch(f"/api/v1/appointment-types/{type_id}", json={"published": False})
        assert answer.status_code == 200, answer.text
    page = client("tutoring", cookie=True).get("/")
    assert "Nothing can be booked yet" in text_of(page)
    assert not links(page, "^/admin")
    page = client("tutoring", "arjun@brightside.example", cookie=True).get("/")
    assert links(page, "^/admin/types/new$")


def test_visitors_share_a_page_and_nothing_of_anybody_is_on_it(client: ClientFor) -> None:
    """Seen to fail with the language, and then the query, left out of what the page is kept under."""
    visitor = client("musicschool", cookie=True)
    first = visitor.get("/").text
    assert visitor.get("/").text == first
    assert '<html lang="en">' in first
    assert '<html lang="de">' in visitor.get("/", headers={"Accept-Language": "de"}).text
    elsewhere = visitor.get("/", headers={"Cookie": "tz=Europe/London"})
    assert "your time" in text_of(elsewhere)
    assert "your time" not in first
    assert 'value="/?from=flyer"' in visitor.get("/?from=flyer").text
    mia = client("musicschool", "mia@example.com", cookie=True).get("/").text
    assert "Mia Okafor" in mia
    assert "_csrf" in mia
    told = msgspec.json.encode(Flash("success", "You have been signed out."))
    flash = {"Cookie": "flash=" + base64.urlsafe_b64encode(told).decode().rstrip("=")}
    assert "You have been signed out." in visitor.get("/", headers=flash).text
    assert visitor.get("/").text == first


def test_what_is_booked_and_what_is_changed_shows_on_the_shared_page_at_once(client: ClientFor) -> None:
    visitor, mia = client("musicschool", cookie=True), client("musicschool", "mia@example.com")
    admin = client("musicschool", "clara@harmony.example")
    types = admin.get("/api/v1/appointment-types").json()["items"]
    piano = next(type_ for type_ in types if type_["slug"] == "piano-lesson")
    before = visitor.get("/").text
    [soonest] = re.findall(r"/book/piano-lesson\?[^\"]*time=([^&\"]+)", before)
    window = {
        "from": datetime.now(UTC).isoformat(),
        "until": (datetime.now(UTC) + timedelta(days=20)).isoformat(),
    }
    asked = {"appointment_type_id": piano["id"], **window}
    free = visitor.get("/api/v1/availability", params=asked).json()["items"]
    at = free[0]["starts_at"]
    for slot in [slot for slot in free if slot["starts_at"] == at]:
        for person in slot["instructors"]:
            booked = mia.post(
                "/api/v1/bookings",
                json={
                    "appointment_type_id": piano["id"],
                    "instructor_id": person["id"],
                    "location_id": slot["location"]["id"],
                    "starts_at": at,
                },
            )
            assert booked.status_code in (201, 409), booked.text
            mia = client("musicschool", "leo@example.com")
    after = visitor.get("/").text
    assert [soonest] != re.findall(r"/book/piano-lesson\?[^\"]*time=([^&\"]+)", after)
    changed = admin.patch(f"/api/v1/appointment-types/{piano['id']}", json={"price_cents": 12300})
    assert changed.status_code == 200, changed.text
    assert "€123" in visitor.get("/").text
    admin.patch(f"/api/v1/appointment-types/{piano['id']}", json={"price_cents": piano["price_cents"]})
