"""People choose the language they read; everything that is theirs follows, and programs stay with English."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import ClientFor
from tests.portals.reading import text_of


@pytest.fixture
def mia(client: ClientFor) -> httpx.Client:
    return client("musicschool", "mia@example.com", cookie=True)


def test_a_page_speaks_what_the_browser_prefers(mia: httpx.Client) -> None:
    english = mia.get("/lessons", headers={"Accept-Language": "fr, en;q=0.5"})
    german = mia.get("/lessons", headers={"Accept-Language": "de-AT, en;q=0.5"})
    assert '<html lang="en">' in english.text
    assert "Upcoming" in text_of(english)
    assert '<html lang="de">' in german.text
    assert "Upcoming" not in text_of(german)
    assert "Abmelden" in text_of(german)


def test_a_choice_wins_over_the_browser_and_leads_back(mia: httpx.Client) -> None:
    answer = mia.post("/language", data={"language": "de", "return_to": "/lessons?show=past"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/lessons?show=past")
    line = answer.headers["set-cookie"]
    assert line.startswith("lang=de;")
    for part in ("HttpOnly", "Path=/", "SameSite=lax"):
        assert part in line
    chosen = mia.get(
        "/lessons", headers={"Accept-Language": "en", "Cookie": f"{mia.headers['Cookie']}; lang=de"}
    )
    assert '<html lang="de">' in chosen.text
    assert 'value="de" lang="de" aria-current="true"' in chosen.text


def test_visitors_may_choose_as_well(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    page = visitor.get("/", headers={"Accept-Language": "de"})
    assert '<form class="language-switch' in page.text
    assert visitor.post("/language", data={"language": "en", "return_to": "/"}).status_code == 303


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", ""])
def test_choosing_a_language_leads_nowhere_else(mia: httpx.Client, target: str) -> None:
    answer = mia.post("/language", data={"language": "de", "return_to": target})
    assert answer.headers["location"] == "/"


def test_a_language_nobody_speaks_changes_nothing(mia: httpx.Client) -> None:
    answer = mia.post("/language", data={"language": "xx", "return_to": "/lessons"})
    assert answer.status_code == 303
    assert "set-cookie" not in answer.headers
    odd = mia.get("/lessons", headers={"Cookie": f"{mia.headers['Cookie']}; lang=xx"})
    assert '<html lang="en">' in odd.text


def test_the_choice_needs_a_form_of_ours(mia: httpx.Client) -> None:
    refused = mia.post("/language", data={"language": "de"}, headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403


def test_errors_are_said_in_the_readers_language(mia: httpx.Client, client: ClientFor) -> None:
    missing = mia.get("/lessons/ZZZZ-9ZZZ", headers={"Accept-Language": "de"})
    assert missing.status_code == 404
    assert "Diese Seite haben wir nicht gefunden" in text_of(missing)
    nowhere = client("musicschool").get(
        "/", headers={"Host": "nobody.coursecove.localhost", "Accept-Language": "de"}
    )
    assert nowhere.status_code == 404
    assert "Hier gibt es keine Schule" in text_of(nowhere)


def test_programs_are_answered_in_english(client: ClientFor) -> None:
    api = client("musicschool", "mia@example.com")
    answer = api.get("/api/v1/bookings/00000000-0000-0000-0000-000000000000", headers={"Accept-Language": "de"})
    assert answer.json()["title"] == "Not found"


def test_one_request_in_german_leaves_the_next_in_english(mia: httpx.Client) -> None:
    for _ in range(3):
        assert '<html lang="de">' in mia.get("/lessons", headers={"Accept-Language": "de"}).text
        assert '<html lang="en">' in mia.get("/lessons").text
