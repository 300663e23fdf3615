"""The editor of weekly hours and the profile, as they work without JavaScript."""

from __future__ import annotations

import html
import re
from typing import Any

import httpx
import pytest

from tests.conftest import ClientFor
from tests.portals.reading import text_of

TOMAS = "tomas@harmony.example"
Week = dict[int, list[tuple[str, str, str]]]


def fields(week: Week, **more: str) -> dict[str, Any]:
    """Return a week as the form sends it."""
    data: dict[str, Any] = dict(more)
    for weekday in range(1, 8):
        for index, part in enumerate(("starts", "ends", "place")):
            data[f"{part}-{weekday}"] = [row[index] for row in week.get(weekday, [("", "", "")])]
    return data


def week_of(page: httpx.Response) -> Week:
    """Return the rows of the form, empty ones left out."""
    week: Week = {}
    for weekday in range(1, 8):
        starts, ends = (
            re.findall(rf'name="{part}-{weekday}" value="([^"]*)"', page.text) for part in ("starts", "ends")
        )
        selects = re.findall(rf'(?s)<select[^>]*name="place-{weekday}".*?</select>', page.text)
        places = [next(iter(re.findall(r'value="([^"]*)" selected', select)), "") for select in selects]
        rows = [row for row in zip(starts, ends, places, strict=True) if row[0] or row[1]]
        if rows:
            week[weekday] = rows
    return week


def save(http: httpx.Client, week: Week, path: str = "/teach/hours") -> httpx.Response:
    """Save a week, whatever lessons it leaves outside."""
    answer = http.post(path, data=fields(week))
    seen = re.search(r'name="confirmed" value="([0-9a-f]+)"', answer.text)
    return http.post(path, data=fields(week, confirmed=seen[1])) if seen else answer


@pytest.fixture
def tomas(client: ClientFor) -> httpx.Client:
    return client("musicschool", TOMAS, cookie=True)


STORED: Week = {
    **{weekday: [("12:00", "20:00", "kreuzberg-hall")] for weekday in (2, 3, 5)},
    4: [("12:00", "18:00", "")],
    6: [("10:00", "14:00", "kreuzberg-hall")],
}


def test_the_form_shows_what_is_stored_and_an_empty_row_on_every_day(tomas: httpx.Client) -> None:
    page = tomas.get("/teach/hours")
    assert week_of(page) == STORED
    for weekday in range(1, 8):
        assert re.search(rf'name="starts-{weekday}" value=""', page.text)


def test_a_week_is_saved_with_places_and_midnight_as_the_end_of_the_day(tomas: httpx.Client) -> None:
    week: Week = {1: [("09:00", "12:00", ""), ("20:00", "00:00", "studio-linden")]}
    assert save(tomas, week).status_code == 303
    assert week_of(tomas.get("/teach/hours")) == week
    assert save(tomas, STORED).status_code == 303
    assert week_of(tomas.get("/teach/hours")) == STORED


def test_adding_and_removing_rows_saves_nothing_and_loses_nothing(tomas: httpx.Client) -> None:
    typed: Week = {1: [("09:00", "", "studio-linden"), ("13:00", "14:00", "")], 2: STORED[2]}
    added = tomas.post("/teach/hours", data=fields(typed, add="1"))
    assert added.status_code == 200
    assert week_of(added) == typed
    assert len(re.findall('name="starts-1"', added.text)) == 3
    assert "Not saved yet" in text_of(added)
    removed = tomas.post("/teach/hours", data=fields(typed, remove="1-0"))
    assert week_of(removed) == {1: [("13:00", "14:00", "")], 2: STORED[2]}
    assert week_of(tomas.get("/teach/hours")) == STORED


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("12:00", "09:00", "")], "The end must be after the start."),
        ([("09:00", "", "")], "Enter both times, or clear the row."),
        ([("nine", "12:00", "")], "Enter a time such as 09:30."),
        ([("09:00", "12:00", "elsewhere")], "Choose one of the places"),
        ([("09:00", "12:00", ""), ("11:00", "13:00", "")], "09:00–12:00 and 11:00–13:00 overlap."),
    ],
)
def test_a_wrong_row_is_named_with_its_day_and_everything_typed_stays(
    tomas: httpx.Client, rows: list[tuple[str, str, str]], message: str
) -> None:
    typed: Week = {**STORED, 1: rows}
    refused = tomas.post("/teach/hours", data=fields(typed))
    assert refused.status_code == 422
    assert message in text_of(refused)
    assert "Please look at Monday again." in text_of(refused)
    shown = week_of(refused)
    assert [row[:2] for row in shown[1]] == [row[:2] for row in rows]
    assert {day: rows for day, rows in shown.items() if day != 1} == STORED
    assert week_of(tomas.get("/teach/hours")) == STORED


def test_rows_that_do_not_belong_together_are_no_defect(tomas: httpx.Client) -> None:
    answer = tomas.post(
        "/teach/hours",
        data={"starts-1": ["09:00", "10:00"], "ends-1": ["09:30"], "remove": "9-9", "add": "eight"},
    )
    assert answer.status_code in (200, 303, 422)
    assert tomas.post("/teach/hours", data=fields(STORED)).status_code == 303


def test_a_profile_is_saved_and_shown_to_students(client: ClientFor, tomas: httpx.Client) -> None:
    saved = tomas.post(
        "/teach/profile",
        data={
            "bio": "Flamenco <em>first</em>.\nThen Bach.",
            "time_zone": "Europe/Madrid",
            "meeting_url": "https://meet.example.com/t",
        },
    )
    assert saved.status_code == 303
    page = client("musicschool", cookie=True).get("/")
    assert html.escape("Flamenco <em>first</em>.") in page.text
    assert "meet.example.com" not in page.text
    assert "in Madrid time" in text_of(tomas.get("/teach/hours"))


def test_a_wrong_profile_comes_back_as_typed(tomas: httpx.Client) -> None:
    refused = tomas.post(
        "/teach/profile",
        data={"bio": "New words", "time_zone": "Europe/Berlin", "meeting_url": "javascript:alert(1)"},
    )
    assert refused.status_code == 422
    assert "A meeting link starts with https://." in text_of(refused)
    assert "New words" in refused.text
    assert 'value="javascript:alert(1)"' in refused.text
    assert "New words" not in tomas.get("/teach/profile").text
    nowhere = tomas.post("/teach/profile", data={"bio": "", "time_zone": "Mars/Olympus", "meeting_url": ""})
    assert nowhere.status_code == 422
    assert "Choose a time zone" in text_of(nowhere)


def test_an_admin_begins_to_teach_by_saving_hours(client: ClientFor) -> None:
    admin = client("yoga", "noor@stillwater.example", cookie=True)
    saved = admin.post("/teach/hours", data=fields({1: [("09:00", "12:00", "")]}))
    assert saved.status_code == 303
    assert week_of(admin.get("/teach/hours")) == {1: [("09:00", "12:00", "")]}
    assert "You do not teach yet" not in text_of(admin.get("/teach/profile"))
