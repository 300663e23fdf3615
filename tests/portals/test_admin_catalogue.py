"""Types, locations and the school's settings, set up by filling in forms."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import ClientFor
from tests.counting import statements
from tests.portals.admin_pages import fields, fill_in, href_of, message_at, send
from tests.portals.reading import text_of

NEW_TYPE = "/admin/types/new"
HARP = {
    "name": "Harp lesson",
    "description": "Forty-seven strings.\nBring none.",
    "color": "#0F766E",
    "duration_minutes": "50",
    "buffer_before_minutes": "5",
    "buffer_after_minutes": "10",
    "start_interval_minutes": "30",
    "minimum_notice_minutes": "3",
    "minimum_notice_minutes_unit": "hours",
    "horizon_days": "90",
    "cancellation_notice_minutes": "2",
    "cancellation_notice_minutes_unit": "days",
    "price_cents": "52,50",
    "location_mode": "in_person",
    "location_ids": ["studio-linden"],
    "published": "yes",
}


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def test_an_admin_creates_a_type_and_students_can_see_it_at_once(
    clara: httpx.Client, client: ClientFor
) -> None:
    page = clara.get(NEW_TYPE)
    ida = next(value for value in _cards(page, "instructor_ids") if value.startswith("ida-berg-"))
    answer = fill_in(clara, NEW_TYPE, **HARP, instructor_ids=[ida])
    assert answer.status_code == 303
    assert answer.headers["location"] == "/admin/types"
    stored = fields(clara.get("/admin/types/harp-lesson"), "/admin/types/harp-lesson")
    expected = {**HARP, "color": "#0f766e", "price_cents": "52.50", "instructor_ids": [ida]}
    assert {name: stored[name] for name in expected} == {
        name: v if isinstance(v, list) else [v] for name, v in expected.items()
    }
    row = text_of(clara.get("/admin/types"))
    assert "Harp lesson" in row
    assert "€52.50" in row
    front = text_of(client("musicschool", cookie=True).get("/"))
    assert "Harp lesson" in front


def _cards(page: httpx.Response, name: str) -> list[str]:
    return [part.split('"')[0] for part in page.text.split(f'type="checkbox" name="{name}" value="')[1:]]


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("name", "", "This is needed."),
        ("name", "x" * 121, "At most 120 characters, please."),
        ("name", "Bell\x07", "Remove the characters that cannot be shown."),
        ("description", "x" * 2001, "At most 2000 characters, please."),
        ("color", "blue", "Choose a colour."),
        ("duration_minutes", "", "This is needed."),
        ("duration_minutes", "4", "Enter 5 to 720 minutes."),
        ("duration_minutes", "three quarters", "Enter a whole number."),
        ("duration_minutes", "9" * 5000, "Enter a whole number."),
        ("buffer_before_minutes", "241", "Enter 0 to 240 minutes."),
        ("buffer_after_minutes", "-1", "Enter 0 to 240 minutes."),
        ("start_interval_minutes", "1", "Enter 5 to 720 minutes, or nothing."),
        ("minimum_notice_minutes", "", "This is needed."),
        ("minimum_notice_minutes", "1441", "Enter 0 up to 60 days."),
        ("minimum_notice_minutes_unit", "fortnights", None),
        ("cancellation_notice_minutes", "soon", "Enter a whole number."),
        ("horizon_days", "366", "Enter 1 to 365 days."),
        ("price_cents", "45.505", "Enter an amount such as 45 or 45.50."),
        ("price_cents", "1000001", "Enter an amount up to 1,000,000."),
        ("price_cents", "-5", "Enter an amount such as 45 or 45.50."),
        ("location_mode", "underwater", "Choose where it takes place."),
        (
            "location_ids",
            "the-loft",
            "One of these places is not offered any more. Please look at your choice again.",
        ),
        (
            "instructor_ids",
            "mia-okafor-aaaaaaaa",
            "One of these people does not teach here any more. Please look at your choice again.",
        ),
    ],
)
def test_a_wrong_value_of_a_type_is_said_beside_its_field_and_nothing_typed_is_lost(
    clara: httpx.Client, field: str, typed: str, message: str | None
) -> None:
    path = "/admin/types/piano-lesson"
    before = fields(clara.get(path), path)
    kept = {"description": "What I had typed, <em>all</em> of it."}
    values = {**before, **kept, field: [typed] if field.endswith("_ids") else typed}
    answer = send(clara, path, values)
    assert answer.status_code == 422
    if field == "minimum_notice_minutes_unit":
        field, message = "minimum_notice_minutes", "Choose minutes, hours or days."
    assert message_at(answer, field) == message
    assert f'href="#f-{field}"' in answer.text
    shown = fields(answer, path)
    if field not in ("location_mode", "location_ids", "instructor_ids", "minimum_notice_minutes"):
        assert shown[field] == [typed]
    if field != "description":
        assert shown["description"] == ["What I had typed, <em>all</em> of it."]
    assert fields(clara.get(path), path) == before


def test_all_problems_of_a_type_are_told_at_once(clara: httpx.Client) -> None:
    answer = fill_in(clara, NEW_TYPE, name="", duration_minutes="x", horizon_days="0", price_cents="free")
    assert answer.status_code == 422
    for field in ("name", "duration_minutes", "horizon_days", "price_cents"):
        assert message_at(answer, field), field
    # The list above the form says which field each of them is about.
    assert "Name: This is needed." in text_of(answer)
    assert "How far ahead: Enter 1 to 365 days." in text_of(answer)


def test_a_lesson_in_person_is_published_with_a_place_only(clara: httpx.Client) -> None:
    answer = fill_in(clara, NEW_TYPE, name="Nowhere", location_ids=[])
    assert answer.status_code == 422
    assert "Choose where this lesson takes place" in (message_at(answer, "location_ids") or "")
    draft = fill_in(clara, NEW_TYPE, name="Nowhere", location_ids=[], published="no")
    assert draft.headers["location"] == "/admin/types?show=drafts"
    assert "No location" in text_of(clara.get("/admin/types?show=drafts"))


def test_emptying_a_price_and_an_interval_takes_them_away(clara: httpx.Client) -> None:
    fill_in(clara, NEW_TYPE, **{**HARP, "name": "Priced"})
    path = "/admin/types/priced"
    assert fill_in(clara, path, price_cents="", start_interval_minutes="").status_code == 303
    stored = fields(clara.get(path), path)
    assert stored["price_cents"] == [""]
    assert stored["start_interval_minutes"] == [""]


def test_the_places_of_a_lesson_wait_while_it_is_online(clara: httpx.Client, client: ClientFor) -> None:
    fill_in(clara, NEW_TYPE, **{**HARP, "name": "Travelling"})
    path = "/admin/types/travelling"
    values = fields(clara.get(path), path)
    values.pop("location_ids")
    assert send(clara, path, values, location_mode="online").status_code == 303
    values = fields(clara.get(path), path)
    assert "location_ids" not in values
    # Saved once more while online: nothing is shown of the places, and nothing is lost.
    assert send(clara, path, values).status_code == 303
    api = client("musicschool", "clara@harmony.example")
    found = api.get("/api/v1/appointment-types").json()["items"]
    type_id = next(item["id"] for item in found if item["slug"] == "travelling")
    answer = api.patch(f"/api/v1/appointment-types/{type_id}", json={"location_mode": "in_person"})
    assert answer.status_code == 200
    assert fields(clara.get(path), path)["location_ids"] == ["studio-linden"]


def test_renaming_a_type_keeps_its_address(clara: httpx.Client) -> None:
    fill_in(clara, NEW_TYPE, **{**HARP, "name": "Old name"})
    assert fill_in(clara, "/admin/types/old-name", name="Another name").status_code == 303
    assert "Another name" in text_of(clara.get("/admin/types/old-name"))


def test_a_type_goes_to_the_archive_and_comes_back(clara: httpx.Client, client: ClientFor) -> None:
    fill_in(clara, NEW_TYPE, **{**HARP, "name": "Seasonal"})
    asked = clara.get("/admin/types/seasonal/archive")
    assert "Archive Seasonal?" in text_of(asked)
    assert send(clara, "/admin/types/seasonal/archive").status_code == 303
    assert "Seasonal" not in text_of(clara.get("/admin/types"))
    assert "Seasonal" in text_of(clara.get("/admin/types?show=archived"))
    assert client("musicschool", cookie=True).get("/book/seasonal").status_code == 404
    answer = send(clara, "/admin/types/seasonal/restore")
    assert answer.headers["location"] == "/admin/types"
    assert client("musicschool", cookie=True).get("/book/seasonal").status_code == 200


def test_an_admin_creates_edits_archives_and_restores_a_location(clara: httpx.Client) -> None:
    answer = fill_in(
        clara, "/admin/locations/new", name="Garden room", address="Am Park 3", directions="Ring twice."
    )
    assert answer.status_code == 303
    path = "/admin/locations/garden-room"
    shown = fields(clara.get(path), path)
    assert shown.pop("drawn_from")
    assert shown == {
        "name": ["Garden room"],
        "address": ["Am Park 3"],
        "directions": ["Ring twice."],
        "time_zone": ["Europe/Berlin"],
    }
    assert fill_in(clara, path, name="Winter garden", time_zone="Europe/Lisbon").status_code == 303
    listed = text_of(clara.get("/admin/locations"))
    assert "Winter garden" in listed
    assert "Lisbon time" in listed
    assert "Archive Winter garden?" in text_of(clara.get(f"{path}/archive"))
    assert send(clara, f"{path}/archive").status_code == 303
    assert "Winter garden" not in text_of(clara.get("/admin/locations"))
    assert "Winter garden" in text_of(clara.get("/admin/locations?show=archived"))
    assert send(clara, f"{path}/restore").status_code == 303
    assert "Winter garden" in text_of(clara.get("/admin/locations"))


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("name", "", "This is needed."),
        ("name", "x" * 121, "At most 120 characters, please."),
        ("address", "x" * 401, "At most 400 characters, please."),
        ("directions", "x" * 1001, "At most 1000 characters, please."),
        ("directions", "\x00", "Remove the characters that cannot be shown."),
        ("time_zone", "Moon/Tranquility", "Choose a time zone such as Europe/Berlin."),
    ],
)
@pytest.mark.parametrize("path", ["/admin/locations/new", "/admin/locations/kreuzberg-hall"])
def test_a_wrong_value_of_a_location_is_said_beside_its_field(
    clara: httpx.Client, path: str, field: str, typed: str, message: str
) -> None:
    values = {**fields(clara.get(path), path), "name": "Typed name", field: typed}
    answer = send(clara, path, values)
    assert answer.status_code == 422
    assert message_at(answer, field) == message
    shown = fields(answer, path)
    assert shown[field] == [typed]
    if field != "name":
        assert shown["name"] == ["Typed name"]
    assert "Typed name" not in text_of(clara.get("/admin/locations"))


def test_the_only_place_of_a_lesson_stays_and_the_lesson_is_named(clara: httpx.Client) -> None:
    answer = send(clara, "/admin/locations/kreuzberg-hall/archive")
    assert answer.status_code == 409
    assert "“Guitar lesson” can be booked at Kreuzberg Hall only" in text_of(answer)
    assert "Kreuzberg Hall" in text_of(clara.get("/admin/locations"))


def test_the_schools_settings_show_at_once(client: ClientFor) -> None:
    noor = client("yoga", "noor@stillwater.example", cookie=True)
    visitor = client("yoga", cookie=True)
    assert "Stillwater Yoga" in text_of(visitor.get("/"))
    typed = {
        "/admin/school": {"name": "Still  Water & Co", "time_zone": "America/Chicago", "currency": "JPY"},
        "/admin/school/look": {"accent_color": "#AA3366"},
        "/admin/school/policies": {"self_enrolment": "false", "policy_text": "Be on time."},
    }
    for path, values in typed.items():
        assert fill_in(noor, path, **values).headers["location"] == path
    assert "Still Water & Co" in text_of(visitor.get("/"))
    assert "--brand:#aa3366" in visitor.get("/branding.css").text
    shown = {path: fields(noor.get(path), path) for path in typed}
    assert {name: shown["/admin/school"][name] for name in ("name", "time_zone", "locale", "currency")} == {
        "name": ["Still Water & Co"],
        "time_zone": ["America/Chicago"],
        "locale": ["en"],
        "currency": ["JPY"],
    }
    assert shown["/admin/school/look"]["accent_color"] == ["#aa3366"]
    assert shown["/admin/school/policies"]["self_enrolment"] == ["false"]
    assert shown["/admin/school/policies"]["policy_text"] == ["Be on time."]
    # A currency without a minor unit: what is typed is what is stored and shown.
    path = "/admin/types/private-yoga-session"
    assert message_at(fill_in(noor, path, price_cents="95.50"), "price_cents") is not None
    assert fill_in(noor, path, price_cents="9500").status_code == 303
    assert fields(noor.get(path), path)["price_cents"] == ["9500"]
    assert "¥9,500" in text_of(noor.get("/admin/types"))


@pytest.mark.parametrize(
    ("part", "field", "typed", "message"),
    [
        ("", "name", "", "This is needed."),
        ("", "name", "x" * 201, "At most 200 characters, please."),
        ("", "name", "a\x00b", "Remove the characters that cannot be shown."),
        ("", "time_zone", "Berlin", "Choose a time zone such as Europe/Berlin."),
        ("", "currency", "euro", "Choose a currency."),
        ("", "currency", "ZZZ", "Choose a currency such as EUR."),
        ("", "locale", "tlh", "Choose one of these languages: English, Deutsch."),
        ("/look", "accent_color", "#12345", "Choose a colour."),
        ("/look", "accent_color", "red;}", "Choose a colour."),
        ("/policies", "self_enrolment", "maybe", "Choose who may join."),
        ("/policies", "policy_text", "x" * 4001, "At most 4000 characters, please."),
        ("/policies", "policy_text", "a\x07b", "Remove the characters that cannot be shown."),
        ("/policies", "default_minimum_notice_minutes", "soon", "Enter a whole number."),
        ("/policies", "default_minimum_notice_minutes", "", "Enter a number; 0 for none."),
        ("/policies", "default_minimum_notice_minutes", "-1", "Enter 0 up to 60 days."),
        ("/policies", "default_cancellation_notice_minutes", "90000", "Enter 0 up to 60 days."),
        ("/policies", "default_reschedule_notice_minutes", "1e3", "Enter a whole number."),
        ("/policies", "default_travel_minutes", "121", "Enter 0 to 120 minutes."),
        ("/policies", "default_travel_minutes", "a while", "Enter a whole number."),
    ],
)
def test_a_wrong_setting_is_said_beside_its_field(
    clara: httpx.Client, part: str, field: str, typed: str, message: str
) -> None:
    path = f"/admin/school{part}"
    before = fields(clara.get(path), path)
    answer = send(clara, path, {**before, field: typed})
    assert answer.status_code == 422
    assert message_at(answer, field) == message
    if field not in ("self_enrolment", "locale"):
        assert fields(answer, path)[field] == [typed]
    assert fields(clara.get(path), path) == before


def test_lists_take_as_many_reads_however_long_they_are(clara: httpx.Client) -> None:
    counts: dict[str, list[int]] = {}
    for round_ in range(2):
        for path in ("/admin/types", "/admin/locations"):
            with statements() as reads:
                assert clara.get(path).status_code == 200
            counts.setdefault(path, []).append(len(reads))
        for number in range(3):
            fill_in(clara, "/admin/locations/new", name=f"Room {round_} {number}")
            fill_in(clara, NEW_TYPE, **{**HARP, "name": f"Lesson {round_} {number}"})
    for path, (few, many) in counts.items():
        assert few == many > 0, path


def test_the_page_of_a_type_leads_to_what_students_see(clara: httpx.Client) -> None:
    href = href_of(clara.get("/admin/types/violin-lesson"), "See it as a student")
    assert href == "/admin/types/violin-lesson/preview"
    assert "This is a preview" in text_of(clara.get(href))
