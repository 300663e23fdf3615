"""Rooms, travel times and closures, as an admin sets them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.conftest import ClientFor
from tests.portals.admin_pages import fields, fill_in, follow, href_of, message_at, send, undo
from tests.portals.reading import RAW_ID, buttons, links, text_of
from tests.portals.stale_forms import assert_careful

ROOMS = "/admin/locations/studio-linden/rooms"
TRAVEL = "/admin/travel"
CLOSURES = "/admin/closures"


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def rooms_in(page: httpx.Response, base: str = ROOMS) -> list[str]:
    """Return the pages of the rooms that are used, in order."""
    return list(dict.fromkeys(links(page, rf"^{base}/[a-z0-9-]+$")))


def test_rooms_are_added_put_in_order_archived_and_taken_back(clara: httpx.Client) -> None:
    for name, capacity in (("Grand piano", "1"), ("Choir room", "14")):
        answer = send(clara, ROOMS, {"name": name, "capacity": capacity})
        assert f"{name} is added." in text_of(follow(clara, answer))
    page = clara.get(ROOMS)
    assert not RAW_ID.search(page.text)
    assert "for 14 students" in text_of(page)
    piano, choir = rooms_in(page)
    send(clara, f"{choir}/move", to="up")
    assert rooms_in(clara.get(ROOMS)) == [choir, piano]
    gone = follow(clara, send(clara, f"{piano}/archive"))
    assert "Lessons that are booked stay in it." in text_of(gone)
    assert rooms_in(gone) == [choir]
    assert undo(clara, gone).status_code == 303
    assert rooms_in(clara.get(ROOMS)) == [choir, piano]
    assert "2 rooms" in text_of(clara.get("/admin/locations"))


def test_a_room_whose_name_was_taken_meanwhile_is_not_restored(clara: httpx.Client) -> None:
    base = "/admin/locations/kreuzberg-hall/rooms"
    send(clara, base, {"name": "Stage", "capacity": "3"})
    [first] = rooms_in(clara.get(base), base)
    send(clara, f"{first}/archive")
    send(clara, base, {"name": "Stage", "capacity": "5"})
    answer = follow(clara, send(clara, f"{first}/restore"))
    assert "There is a room of this name here already." in text_of(answer)


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("name", "", "This is needed."),
        ("name", "x" * 81, "At most 80 characters, please."),
        ("name", "Attic\x07", "Remove the characters that cannot be shown."),
        ("capacity", "", "Enter 1 to 1,000 students."),
        ("capacity", "0", "Enter 1 to 1,000 students."),
        ("capacity", "1001", "Enter 1 to 1,000 students."),
        ("capacity", "many", "Enter a whole number."),
    ],
)
def test_a_wrong_room_is_told_beside_its_field_and_nothing_typed_is_lost(
    clara: httpx.Client, field: str, typed: str, message: str
) -> None:
    send(clara, ROOMS, {"name": "Attic", "capacity": "4"})
    attic = next(href for href in rooms_in(clara.get(ROOMS)) if "/attic-" in href)
    for path in (ROOMS, attic):
        values = {"name": "Typed name", "capacity": "7", field: typed}
        answer = send(clara, path, values)
        assert (answer.status_code, message_at(answer, field)) == (422, message)
        assert fields(answer, path)["name" if field == "capacity" else "capacity"] == [
            "Typed name" if field == "capacity" else "7"
        ]
    assert "Typed name" not in text_of(clara.get(ROOMS))


def test_two_rooms_of_a_place_never_have_one_name(clara: httpx.Client) -> None:
    send(clara, ROOMS, {"name": "Cellar", "capacity": "1"})
    answer = send(clara, ROOMS, {"name": "CELLAR", "capacity": "1"})
    assert message_at(answer, "name") == "There is a room of this name here already."


def test_two_who_change_a_room_or_a_zone_at_once_lose_nothing(clara: httpx.Client) -> None:
    send(clara, ROOMS, {"name": "Loft", "capacity": "1"})
    loft = next(href for href in rooms_in(clara.get(ROOMS)) if "/loft-" in href)
    assert_careful(clara, loft, "capacity", theirs="11", mine="12")
    zone = _zone(clara, "Shared zone", "8")
    assert_careful(clara, zone, "travel_minutes", theirs="11", mine="12")


def _zone(clara: httpx.Client, name: str, prefixes: str, minutes: str = "20") -> str:
    """Add a travel zone; return its page."""
    answer = fill_in(clara, f"{TRAVEL}/new", name=name, postcode_prefixes=prefixes, travel_minutes=minutes)
    assert answer.status_code == 303, text_of(answer)
    return href_of(clara.get(TRAVEL), name)


def test_the_longest_beginning_of_a_postcode_says_how_long_the_way_is(
    clara: httpx.Client, client: ClientFor
) -> None:
    noor = client("yoga", "noor@stillwater.example", cookie=True)
    assert "No zones yet" in text_of(noor.get(TRAVEL))
    _zone(clara, "Town", "10, 12", "15")
    _zone(clara, "Garden suburb", "1041\n10 42", "35")
    for postcode, said in (
        ("10961", "10961 is in Town: 15 min each way."),
        ("1042 7", "1042 7 is in Garden suburb: 35 min each way."),
        ("99084", "99084 is in no zone: the usual 30 min each way."),
    ):
        assert said in text_of(clara.get(TRAVEL, params={"postcode": postcode}))


def test_a_zone_is_removed_with_one_press_and_taken_back_with_another(clara: httpx.Client) -> None:
    zone = _zone(clara, "Far away", "98, 97", "55")
    page = follow(clara, send(clara, f"{zone}/remove"))
    assert "Its postcodes have the usual way now." in text_of(page)
    assert not links(page, "far-away")
    assert undo(clara, page).status_code == 303
    back = clara.get(href_of(clara.get(TRAVEL), "Far away"))
    action = str(back.url.path)
    assert fields(back, action)["postcode_prefixes"] == ["97, 98"]
    assert fields(back, action)["travel_minutes"] == ["55"]


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("name", "", "This is needed."),
        ("postcode_prefixes", "", "Name at least one beginning of a postcode."),
        ("postcode_prefixes", "1#0", "No postcode begins with “1#0”: letters and digits only."),
        ("postcode_prefixes", "77", "77 belongs to Taken already."),
        ("postcode_prefixes", "x" * 13, "Enter up to 200 beginnings of at most 12 characters."),
        ("travel_minutes", "121", "Enter 0 to 120 minutes."),
        ("travel_minutes", "soon", "Enter a whole number."),
        ("travel_minutes", "", "This is needed."),
    ],
)
def test_a_wrong_zone_is_told_beside_its_field_and_nothing_typed_is_lost(
    clara: httpx.Client, field: str, typed: str, message: str
) -> None:
    if "Taken" not in text_of(clara.get(TRAVEL)):
        _zone(clara, "Taken", "77")
    path = f"{TRAVEL}/new"
    values = {"name": "Typed", "postcode_prefixes": "55", "travel_minutes": "5", field: typed}
    answer = send(clara, path, values)
    assert (answer.status_code, message_at(answer, field)) == (422, message)
    assert fields(answer, path)["name"] == [values["name"]]


def test_a_closure_lists_the_lessons_it_meets_before_anything_is_saved(
    clara: httpx.Client, client: ClientFor
) -> None:
    api = client("musicschool", "clara@harmony.example")
    lesson = api.get("/api/v1/bookings?status=confirmed&page_size=1&from=" + _now()).json()["items"][0]
    day = datetime.fromisoformat(lesson["starts_at"]).date()
    typed = {"name": "Water damage", "starts_on": day.isoformat(), "ends_on": day.isoformat()}
    asked = fill_in(clara, f"{CLOSURES}/new", **typed)
    assert asked.status_code == 200
    assert lesson["student"]["name"] in text_of(asked)
    assert "Nothing is saved yet." in text_of(asked)
    assert fields(asked, f"{CLOSURES}/new")["name"] == ["Water damage"]
    assert "Water damage" not in text_of(clara.get(CLOSURES))
    [fingerprint] = buttons(asked, "confirmed")
    kept = {**fields(asked, f"{CLOSURES}/new"), "confirmed": fingerprint}
    assert send(clara, f"{CLOSURES}/new", kept).status_code == 303
    assert api.get(f"/api/v1/bookings/{lesson['id']}").json()["status"] == "confirmed"
    assert "Water damage" in text_of(clara.get(CLOSURES))


def test_a_closure_of_every_year_and_of_one_place_comes_again(clara: httpx.Client) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=200)).date()
    typed = {
        "name": "Founding day",
        "starts_on": ahead.isoformat(),
        "yearly": "on",
        "location": "studio-linden",
    }
    assert fill_in(clara, f"{CLOSURES}/new", **typed).status_code == 303
    row = text_of(clara.get(CLOSURES)).partition("Founding day")[2]
    assert row.startswith(" Every year")
    assert "Studio Linden" in row
    page = clara.get(href_of(clara.get(CLOSURES), "Founding day"))
    stored = fields(page, str(page.url.path))
    assert (stored["ends_on"], stored["location"]) == ([ahead.isoformat()], ["studio-linden"])


@pytest.mark.parametrize(
    ("field", "typed"),
    [("name", ""), ("starts_on", "soon"), ("ends_on", "2020-01-01"), ("location", "the-moon")],
)
def test_a_wrong_closure_is_told_beside_its_field_and_nothing_typed_is_lost(
    clara: httpx.Client, field: str, typed: str
) -> None:
    path = f"{CLOSURES}/new"
    values = {"name": "Typed", "starts_on": "2031-05-01", "ends_on": "2031-05-02", "location": "", field: typed}
    answer = send(clara, path, values)
    assert answer.status_code == 422
    assert message_at(answer, field)
    kept = fields(answer, path)
    assert kept["name"] == [values["name"]]
    assert kept["ends_on"] == [values["ends_on"]]


def test_the_places_of_online_lessons_are_the_links_of_those_who_teach(
    clara: httpx.Client, client: ClientFor
) -> None:
    page = text_of(clara.get("/admin/locations"))
    assert "https://meet.example.com/ida-berg" in page
    api = client("musicschool", "clara@harmony.example")
    ida = next(i for i in api.get("/api/v1/instructors").json()["items"] if i["name"] == "Ida Berg")
    assert api.patch(f"/api/v1/instructors/{ida['id']}", json={"meeting_url": None}).status_code == 200
    assert "No link yet" in text_of(clara.get("/admin/locations"))
    assert "Ida Berg teaches online and has no meeting link yet." in text_of(clara.get("/admin"))


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
