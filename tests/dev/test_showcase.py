"""What the demo shows beside the catalogues, loaded into the tests' world once more."""

from __future__ import annotations

import httpx
import pytest

from coursecove.config import Settings
from coursecove.dev import showcase
from coursecove.dev.showcase_world import SHOWCASES
from tests.conftest import ClientFor
from tests.factories.world import read_school
from tests.portals.reading import text_of

ADMINS = {
    "musicschool": "clara@harmony.example",
    "yoga": "noor@stillwater.example",
    "tutoring": "arjun@brightside.example",
}


@pytest.fixture(scope="module", params=sorted(SHOWCASES))
def dressed(request: pytest.FixtureRequest, settings: Settings) -> str:
    slug: str = request.param
    showcase.dress(settings, slug, read_school(settings, slug).organization_id)
    return slug


@pytest.fixture(scope="module")
def admin(dressed: str, client: ClientFor) -> httpx.Client:
    return client(dressed, ADMINS[dressed])


def test_a_school_shows_everything_a_type_can_be(dressed: str, admin: httpx.Client) -> None:
    types = admin.get("/api/v1/appointment-types").json()["items"]
    assert {t["name"] for t in types} >= {show.name for show in SHOWCASES[dressed].shows}
    assert any(t["kind"] == "class" and t["capacity"] > 1 for t in types)
    assert any(len(t["further_durations_minutes"]) for t in types)
    assert any(t["requires_approval"] for t in types)
    assert any(t["questions"] for t in types)
    assert any(t["location_mode"] == "students_place" for t in types)
    assert any(t["visibility"] == "members" for t in types)
    assert any(t["qualified_until"] for t in types)


def test_a_school_has_rooms_hours_zones_and_days_off(dressed: str, admin: httpx.Client) -> None:
    place = admin.get("/api/v1/locations").json()["items"][0]["id"]
    assert len(admin.get(f"/api/v1/locations/{place}/rooms").json()["items"]) >= 2
    assert admin.get(f"/api/v1/locations/{place}/opening-hours").json()["windows"]
    assert admin.get("/api/v1/travel-zones").json()["items"]
    closures = admin.get("/api/v1/closures").json()["items"]
    assert {closure["yearly"] for closure in closures} == {True, False}
    [who, *_rest] = SHOWCASES[dressed].away[0]
    member = next(m for m in admin.get("/api/v1/members").json()["items"] if m["email"] == who)
    assert admin.get(f"/api/v1/instructors/{member['id']}/time-off").json()["items"]


def test_a_school_has_lessons_of_last_week_and_of_the_next(dressed: str, admin: httpx.Client) -> None:
    lessons = admin.get("/api/v1/bookings?page_size=200").json()["items"]
    assert any(lesson["attendance"] == "present" for lesson in lessons)
    assert any(lesson["status"] == "pending" for lesson in lessons)
    assert any(lesson["answers"] for lesson in lessons)
    assert any(lesson["address"] for lesson in lessons)


def test_the_overview_has_something_to_look_at(dressed: str, client: ClientFor) -> None:
    page = client(dressed, ADMINS[dressed], cookie=True).get("/admin")
    assert page.status_code == 200
    assert "waits for your answer" in text_of(page)
    assert "nothing is booked after that" in text_of(page)


def test_every_type_can_be_seen_as_a_student_sees_it(
    dressed: str, admin: httpx.Client, client: ClientFor
) -> None:
    """Classes, lessons at the student's place, several lengths: each has its own steps."""
    pages = client(dressed, ADMINS[dressed], cookie=True)
    for type_ in admin.get("/api/v1/appointment-types").json()["items"]:
        preview = pages.get(f"/admin/types/{type_['slug']}/preview")
        assert preview.status_code == 200, type_["name"]
        assert type_["name"] in text_of(preview)
        assert "Students see this page just so" in text_of(preview)


def test_dressing_a_school_again_changes_nothing(dressed: str, admin: httpx.Client, settings: Settings) -> None:
    """As after a start that was interrupted before it could write down that it was done."""

    def counted() -> list[int]:
        paths = ("bookings?page_size=1", "appointment-types", "closures", "travel-zones")
        answers = [admin.get(f"/api/v1/{path}").json() for path in paths]
        return [answer.get("total", len(answer["items"])) for answer in answers]

    before = counted()
    showcase.dress(settings, dressed, read_school(settings, dressed).organization_id)
    assert counted() == before
