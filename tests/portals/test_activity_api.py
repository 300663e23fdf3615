"""What happened and what mails say, for programs: the same verbs, the same rules."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import ClientFor
from tests.factories.world import School

ACTIVITY, TEXTS = "/api/v1/activity", "/api/v1/mail-texts"


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example")


def test_a_change_is_read_back_with_both_values(clara: httpx.Client) -> None:
    before = clara.get("/api/v1/organization").json()["name"]
    clara.patch("/api/v1/organization", json={"name": "Harmony & Friends"})
    clara.patch("/api/v1/organization", json={"name": before})
    page = clara.get(ACTIVITY, params={"action": "organization.", "page_size": 1}).json()
    [fact] = page["items"]
    assert fact["action"] == "organization.changed"
    assert fact["actor_name"] == "Clara Weiss"
    assert fact["data"] == {"name": {"from": "Harmony & Friends", "to": before}}
    assert (page["page"], page["page_size"]) == (1, 1)
    assert page["total"] >= 2
    # From then on, until then, about somebody, and by a word.
    at = fact["occurred_at"]
    since = clara.get(ACTIVITY, params={"action": "organization.", "from": at}).json()
    assert [one["id"] for one in since["items"]] == [fact["id"]]
    earlier = clara.get(ACTIVITY, params={"action": "organization.", "until": at}).json()
    assert earlier["total"] == page["total"] - 1
    assert clara.get(ACTIVITY, params={"search": "no-such-word"}).json()["total"] == 0
    assert clara.get(ACTIVITY, params={"search": "friends"}).json()["total"] >= 2
    assert clara.get(ACTIVITY, params={"search": "\x00"}).json()["items"] == []


def test_the_log_of_one_person(clara: httpx.Client, musicschool: School) -> None:
    ida = str(musicschool.members["ida@harmony.example"])
    found = clara.get(ACTIVITY, params={"person_id": ida, "page_size": 200}).json()["items"]
    assert found
    assert all(ida in (one["actor_id"], one["subject_id"]) or ida in str(one["data"]) for one in found)


@pytest.mark.parametrize(
    ("query", "field"),
    [({"from": "2026-12-01"}, "from"), ({"until": "1764547200"}, "until"), ({"page": 0}, "page")],
)
def test_what_cannot_be_asked_is_named(clara: httpx.Client, query: dict[str, Any], field: str) -> None:
    refused = clara.get(ACTIVITY, params=query)
    assert refused.status_code in (400, 422)
    assert list(refused.json()["fields"]) == [field]


def test_words_of_a_mail_are_set_and_taken_back(clara: httpx.Client) -> None:
    address = f"{TEXTS}/reminder/de"
    assert clara.get(address).json()["updated_at"] is None
    said = clara.patch(address, json={"opening": "Liebe {student},\n\nbis gleich!"})
    assert said.status_code == 200
    assert said.json()["opening"] == "Liebe {student},\n\nbis gleich!"
    listed = clara.get(TEXTS).json()["items"]
    assert [one["kind"] for one in listed if one["updated_at"]] == ["reminder"]
    assert clara.patch(address, json={"closing": "Tschüss"}).json()["opening"] == said.json()["opening"]
    assert clara.delete(address).json()["opening"] == ""
    assert clara.get(address).json()["updated_at"] is None


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"opening": "Dear {name}"}, 422, "opening"),
        ({"subject": "x" * 151}, 400, "subject"),
        ({"closing": None}, 400, "closing"),
        ({"footer": "x"}, 400, "footer"),
    ],
)
def test_wrong_words_are_named(clara: httpx.Client, body: dict[str, Any], status: int, field: str) -> None:
    refused = clara.patch(f"{TEXTS}/reminder/en", json=body)
    assert refused.status_code == status
    assert list(refused.json()["fields"]) == [field]


def test_mails_that_do_not_exist_are_not_found(clara: httpx.Client) -> None:
    assert clara.get(f"{TEXTS}/gossip/en").status_code == 404
    assert clara.patch(f"{TEXTS}/reminder/tlh", json={"opening": "nuqneH"}).status_code == 404
