"""The page on which a school writes its words, and the look at a mail with them."""

from __future__ import annotations

import re

import httpx
import pytest

from coursecove.notifications.mail_texts import KINDS
from tests.conftest import ClientFor
from tests.portals.admin_pages import fields, fill_in, message_at, send
from tests.portals.reading import buttons, links, text_of
from tests.portals.stale_forms import assert_careful

TEXTS = "/admin/school/texts"
HERE = f"{TEXTS}/confirmation/en"


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def test_every_kind_of_mail_has_a_page_in_every_language(clara: httpx.Client) -> None:
    listed = clara.get(TEXTS)
    for kind in KINDS:
        assert f"{TEXTS}/{kind}/en" in links(listed, TEXTS)
        page = clara.get(f"{TEXTS}/{kind}/en")
        assert f"{TEXTS}/{kind}/de" in links(page, TEXTS)
        for language in ("en", "de"):
            for view in ("html", "text"):
                shown = clara.get(f"{TEXTS}/{kind}/{language}/preview", params={"view": view})
                assert shown.status_code == 200
                assert "Harmony Music School" in text_of(shown)


def test_words_are_saved_shown_and_taken_back(clara: httpx.Client) -> None:
    assert (
        fill_in(clara, HERE, subject=["Yes, {student}!"], opening=["Dear {student},\n\nhurray."]).status_code
        == 303
    )
    page = clara.get(HERE)
    assert fields(page, HERE)["opening"] == ["Dear {student},\n\nhurray."]
    assert "Your words in English" in text_of(clara.get(TEXTS))
    preview = clara.get(f"{HERE}/preview")
    assert "Subject : Yes, Mia Sample! " in text_of(preview)
    assert "Dear Mia Sample," in text_of(preview)
    german = clara.get(f"{TEXTS}/confirmation/de/preview")
    assert "hurray" not in text_of(german)
    reset = send(clara, f"{HERE}/reset")
    assert reset.headers["location"] == HERE
    back = clara.get(
        HERE, headers={"Cookie": clara.headers["Cookie"] + "; " + reset.headers["set-cookie"].split(";")[0]}
    )
    # The way back, beside what was done, and the form that says nothing of its own any more.
    undo = {"subject": ["Yes, {student}!"], "opening": ["Dear {student},\n\nhurray."]}
    assert fields(back, HERE)["opening"] == [*undo["opening"], ""]
    assert send(clara, HERE, undo).status_code == 303
    assert fields(clara.get(HERE), HERE)["subject"] == ["Yes, {student}!"]
    assert send(clara, f"{HERE}/reset").status_code == 303


def test_the_preview_shows_what_is_typed_and_saves_nothing(clara: httpx.Client) -> None:
    page = clara.get(HERE)
    typed = fields(page, HERE) | {"opening": ["<script>alert(1)</script> {lesson}"], "view": ["html"]}
    assert buttons(page, "view") == ["html", "text"]
    shown = send(clara, f"{HERE}/preview", typed)
    assert shown.status_code == 200
    assert "<script>" not in shown.text
    assert "<script>alert(1)</script> " in text_of(shown)
    assert re.search(r"https?://", shown.text.replace("http://www.w3.org/1999/xhtml", "")) is None
    plain = send(clara, f"{HERE}/preview", typed | {"view": ["text"]})
    assert "<script>" not in plain.text
    assert "Your lesson is booked" in text_of(plain)
    assert fields(clara.get(HERE), HERE)["opening"] == [""]


def test_the_preview_can_be_framed_by_our_page_alone_and_runs_nothing(clara: httpx.Client) -> None:
    for shown in (clara.get(f"{HERE}/preview"), send(clara, f"{HERE}/preview", opening=["Hello"])):
        policy = shown.headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy
        assert policy.endswith("sandbox")
        assert "script-src" not in policy
        assert "default-src 'none'" in policy
        assert shown.headers["x-frame-options"] == "SAMEORIGIN"
    # Every other page refuses to be framed, and to frame.
    page = clara.get(HERE)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "frame-src 'self'" in page.headers["content-security-policy"]
    assert "frame-src" not in clara.get(TEXTS).headers["content-security-policy"]


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("opening", "Dear {name}", "“{name}” is none of the placeholders"),
        ("subject", "x" * 151, "At most 150 characters, please."),
        ("closing", "x" * 2001, "At most 2000 characters, please."),
        ("closing", "a\x01b", "Remove the characters that cannot be shown."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    clara: httpx.Client, field: str, typed: str, message: str
) -> None:
    values = fields(clara.get(HERE), HERE) | {"closing": ["Bye"], field: [typed]}
    refused = send(clara, HERE, values)
    assert refused.status_code == 422
    assert message in (message_at(refused, field) or "")
    assert fields(refused, HERE)[field] == [typed]
    shown = send(clara, f"{HERE}/preview", values)
    assert shown.status_code == 422
    assert message in text_of(shown)
    assert fields(clara.get(HERE), HERE)["closing"] == [""]


def test_two_admins_do_not_overwrite_each_other(clara: httpx.Client) -> None:
    assert_careful(clara, HERE, "closing", theirs="See you", mine="Bye")
    assert send(clara, f"{HERE}/reset").status_code == 303


@pytest.mark.parametrize("path", ["gossip/en", "confirmation/tlh", "confirmation/en/else"])
def test_other_mails_do_not_exist(clara: httpx.Client, path: str) -> None:
    assert clara.get(f"{TEXTS}/{path}").status_code == 404
    assert send(clara, f"{TEXTS}/{path}", opening=["Hello"]).status_code in (404, 405)


def test_the_log_says_what_was_changed(clara: httpx.Client) -> None:
    fill_in(clara, HERE, closing=["Adieu"])
    page = clara.get("/admin/activity", params={"q": "adieu"})
    assert "Clara Weiss changed the school’s words in mails" in text_of(page)
    assert "Closing words: before none → , now Adieu" in text_of(page)
    assert HERE in links(page, TEXTS)
    send(clara, f"{HERE}/reset")
