"""A form that somebody else changed meanwhile says what changed, and loses nothing typed."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.admin_pages import fields, fill_in, send
from tests.portals.stale_forms import assert_careful, changes_shown, save_after, save_again
from tests.serving import Loop

PLACE = "/admin/locations/main-house"
SCHOOL = "/admin/school"


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


@pytest.fixture(scope="module", autouse=True)
def place(clara: httpx.Client) -> None:
    made = clara.post("/admin/locations/new", data={"name": "Main House", "time_zone": "Europe/Berlin"})
    assert made.status_code == 303, made.text


def test_a_form_that_nobody_else_touched_is_saved(clara: httpx.Client) -> None:
    saved = fill_in(clara, PLACE, directions=["Ring twice."])
    assert saved.status_code == 303
    assert fields(clara.get(PLACE), PLACE)["directions"] == ["Ring twice."]


def test_what_only_they_changed_stands_in_the_form_and_what_i_typed_stays(clara: httpx.Client) -> None:
    fill_in(clara, PLACE, address=["Bergstr. 1"], directions=["First floor"])
    refused = save_after(clara, PLACE, theirs={"address": ["Talstr. 9"]}, mine={"directions": ["Second floor"]})
    assert refused.status_code == 409
    shown = fields(refused, PLACE)
    assert (shown["address"], shown["directions"]) == (["Talstr. 9"], ["Second floor"])
    assert changes_shown(refused) == [
        "Address : Bergstr. 1 → Talstr. 9 By you, in another window, just now. It stands in the form below."
    ]
    assert fields(clara.get(PLACE), PLACE)["directions"] == ["First floor"], "nothing was saved yet"
    assert save_again(clara, PLACE, refused).status_code == 303
    stored = fields(clara.get(PLACE), PLACE)
    assert (stored["address"], stored["directions"]) == (["Talstr. 9"], ["Second floor"])


def test_without_the_check_their_change_would_have_been_lost(clara: httpx.Client) -> None:
    """The control: a form that does not say what it was drawn from overwrites what it does not know."""
    fill_in(clara, PLACE, address=["Bergstr. 1"])
    opened = fields(clara.get(PLACE), PLACE)
    fill_in(clara, PLACE, address=["Talstr. 9"])
    assert send(clara, PLACE, opened | {"drawn_from": [""]}).status_code == 303
    assert fields(clara.get(PLACE), PLACE)["address"] == ["Bergstr. 1"]


def test_what_both_changed_stays_as_typed_until_theirs_is_taken_over(clara: httpx.Client) -> None:
    assert_careful(clara, PLACE, "address", theirs="Seestr. 3", mine="Waldstr. 4")
    assert_careful(clara, SCHOOL, "name", theirs="Harmonie", mine="Harmony School")


def test_the_same_change_by_both_is_no_quarrel(clara: httpx.Client) -> None:
    saved = save_after(clara, PLACE, theirs={"address": ["Seestr. 77"]}, mine={"address": ["Seestr. 77"]})
    assert saved.status_code == 303


def test_values_are_shown_in_words_and_by_whom(
    clara: httpx.Client, client: ClientFor, musicschool: School
) -> None:
    api = client("musicschool", "clara@harmony.example")
    promoted = api.patch(
        f"/api/v1/members/{musicschool.members['ida@harmony.example']}", json={"role": "admin"}
    )
    assert promoted.status_code == 200, promoted.text
    ida = client("musicschool", "ida@harmony.example", cookie=True)
    fill_in(clara, SCHOOL, currency=["EUR"], time_zone=["Europe/Berlin"])
    refused = save_after(
        clara,
        SCHOOL,
        theirs={"currency": ["USD"], "time_zone": ["America/New_York"]},
        mine={"name": ["Harmony"]},
        them=ida,
    )
    assert changes_shown(refused) == [
        "Time zone : Berlin → New York By Ida Berg, just now. It stands in the form below.",
        "Currency : EUR → USD By Ida Berg, just now. It stands in the form below.",
    ]


def test_a_form_that_is_stale_and_wrong_is_still_checked_when_saved_again(clara: httpx.Client) -> None:
    refused = save_after(clara, PLACE, theirs={"address": ["Am Markt 2"]}, mine={"name": [""]})
    assert refused.status_code == 409
    again = save_again(clara, PLACE, refused)
    assert again.status_code == 422
    assert save_again(clara, PLACE, again, name=["Main House"]).status_code == 303


def test_forged_or_broken_origins_are_not_a_failure(clara: httpx.Client) -> None:
    opened = fields(clara.get(PLACE), PLACE)
    for forged in ("{", "null", '{"now": 3}', '{"now": {"name": {"a": 1}}}', "\ud7ff"):
        assert send(clara, PLACE, opened | {"drawn_from": [forged]}).status_code == 303


@pytest.mark.parametrize("rounds", [5])
def test_of_two_who_save_at_once_one_is_told(
    loop: Loop, clara: httpx.Client, address: str, rounds: int
) -> None:
    async def both(values: list[dict[str, list[str]]]) -> list[int]:
        async with httpx.AsyncClient(
            base_url=address, headers=clara.headers, trust_env=False, timeout=30
        ) as http:
            answers = await asyncio.gather(*(http.post(PLACE, data=one) for one in values))
            return sorted(answer.status_code for answer in answers)

    for number in range(rounds):
        opened = fields(clara.get(PLACE), PLACE)
        typed = [opened | {"address": [f"Haus {number}{who}"]} for who in "ab"]
        assert loop.run(both(typed)) == [303, 409]
