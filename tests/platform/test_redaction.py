"""What operators see of a payload: enough to understand it, nothing to use against anybody."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from click.testing import CliRunner

from coursecove.config import Settings
from coursecove.webhooks.commands import webhooks_group
from coursecove.webhooks.redaction import HIDDEN, mask_email, redact, redact_text
from tests.patience import patience
from tests.platform.inbox import SECRETS, Inbox, private_person
from tests.portals.reading import text_of
from tests.webhooks.support import envelope


def test_neither_page_nor_command_line_shows_a_secret_or_a_whole_address(
    operator: httpx.Client, inbox: Inbox, settings: Settings
) -> None:
    body = envelope("user.created", private_person("user_2Private"))
    for secret in SECRETS:
        # The control: it is all in there.
        assert secret in body.decode(), secret
    message_id = inbox.send("user.created", private_person("user_2Private"), message_id="msg_private")
    inbox.change(
        "update webhook_events set status = 'failed', error = %s where message_id = %s",
        "RuntimeError: mia.okafor@example.com, +49 170 1234567, Bearer sk_live_abcdef123456",
        message_id,
    )
    pages = [
        operator.get("/platform"),
        operator.get("/platform/webhooks"),
        operator.get(f"/platform/webhooks/{message_id}"),
        operator.get("/platform/webhooks/replay?failed=1"),
    ]
    said = [page.text for page in pages]
    for words in (["list"], ["list", "--json"], ["show", message_id], ["show", message_id, "--body"]):
        result = CliRunner().invoke(webhooks_group, words, obj={"settings": lambda: settings})
        assert result.exit_code == 0, result.output
        assert message_id in result.output or "--body" in words
        said.append(result.output)
    for text in said:
        for secret in SECRETS:
            assert secret not in text, secret
    shown = text_of(pages[2])
    assert f"m{HIDDEN}@example.com" in shown
    assert "user_2Private" in shown
    assert f"https://example.com/welcome?{HIDDEN}" in shown


def test_what_says_what_happened_stays() -> None:
    shown = json.loads(redact(envelope("user.created", private_person("user_2Private"))) or "")
    data = shown["data"]
    assert shown["type"] == "user.created"
    assert (data["id"], data["updated_at"], data["has_image"]) == ("user_2Private", 1_767_225_600_000, True)
    assert data["first_name"] == f"M{HIDDEN}"
    assert data["private_metadata"] == HIDDEN
    assert [entry["id"] for entry in data["email_addresses"]] == ["idn_0", "idn_1"]
    assert shown["event_attributes"]["http_request"] == {"client_ip": HIDDEN, "user_agent": HIDDEN}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mia@example.com", f"m{HIDDEN}@example.com"),
        ("m@example.com", f"{HIDDEN}@example.com"),
        ("Mia <mia@example.com>, the first", f"Mia <m{HIDDEN}@example.com>, the first"),
        ("call +4917012345678 now", f"call {HIDDEN} now"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {HIDDEN}"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", HIDDEN),
        ("https://user:word@example.com/x", f"https://{HIDDEN}"),
        ("https://example.com/a#token", f"https://example.com/a?{HIDDEN}"),
        ("org_2Harmony, user_2Mia, sess_1", "org_2Harmony, user_2Mia, sess_1"),
        ("a\x1b[2Jb\x9bc", "a [2Jb c"),
    ],
)
def test_sentences_lose_what_is_not_for_everybody(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_an_address_without_a_name_has_nothing_to_show() -> None:
    assert mask_email("@example.com") == f"{HIDDEN}@example.com"


@pytest.mark.parametrize(
    "body", [b"", b"mia@example.com", b"{", b"\xff\xfe", b'{"a": "\\ud800"}', b"[" * 5000], ids=range(6)
)
def test_what_is_no_json_is_not_shown_at_all(body: bytes) -> None:
    assert redact(body) is None


def test_the_largest_message_is_redacted_in_time() -> None:
    """Text that makes searches slow: near misses without an end."""
    for piece in ("a", "eyJ", "http://", "+1", "@", "sk_"):
        body = json.dumps({"type": "x", "data": piece * (250_000 // len(piece))}).encode()
        started = time.monotonic()
        assert redact(body)
        assert time.monotonic() - started < patience(3), piece


def test_a_body_that_is_no_json_is_said_to_be_none(
    operator: httpx.Client, inbox: Inbox, settings: Settings
) -> None:
    inbox.send_body(b"not json, mia@example.com", message_id="msg_garbled")
    page = operator.get("/platform/webhooks/msg_garbled")
    assert "It is no JSON" in text_of(page)
    assert "mia@example.com" not in page.text
    words = ["show", "msg_garbled", "--body"]
    result = CliRunner().invoke(webhooks_group, words, obj={"settings": lambda: settings})
    assert result.output == "25 bytes that are no JSON.\n"
