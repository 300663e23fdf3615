"""What a log line may say."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from coursecove.logs import configure_logging, scrub
from coursecove.resources import Resources
from tests.webhooks.support import Sender, envelope, new_id, signed, user

pytestmark = pytest.mark.anyio


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging("json", stream=stream)
    yield stream
    configure_logging("text")


def told(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_an_event_writes_one_line_with_its_path_and_none_of_its_content(
    lines: io.StringIO, clerk: Sender
) -> None:
    # The fixture order matters: the server logs through what was configured last.
    await clerk.send("user.created", user(new_id("user")), message_id="msg_logged")
    body = envelope("user.created", user(new_id("user")))
    await clerk.post(body, signed(body, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"))
    said = [line for line in told(lines) if line.get("message_id") == "msg_logged"]
    assert len(said) == 1
    assert said[0] == said[0] | {
        "event": "webhook",
        "event_type": "user.created",
        "path": "fast",
        "status": "completed",
        "outcome": "applied",
    }
    assert isinstance(said[0]["duration_ms"], int)
    for secret in ("mia@example.com", "Okafor", "do not log", "v1,", clerk.secret):
        assert secret not in lines.getvalue()


def test_secrets_are_taken_out_whoever_writes_the_line(lines: io.StringIO) -> None:
    log = structlog.get_logger("coursecove.test")
    log.info("a", body=b"x", headers={"a": 1}, cookie="c", nested={"authorization": "z", "fine": "ok"})
    logging.getLogger("library").warning("asked postgresql://u:hunter2@h/d with Bearer abc.def-ghi123")
    try:
        raise RuntimeError("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2ln and sk_test_secret")
    except RuntimeError:
        log.exception("b")
        logging.getLogger("library").exception("c")
    written = lines.getvalue()
    assert len(told(lines)) == 4
    assert told(lines)[0]["nested"] == {"authorization": "[hidden]", "fine": "ok"}
    for secret in ("hunter2", "abc.def", "eyJ", "sk_test_secret", '"x"', '"z"', '"c"'):
        assert secret not in written.replace('"event": "c"', "")
    assert "RuntimeError" in written


async def test_a_failed_statement_is_logged_without_its_parameters(house: Resources) -> None:
    async def fail() -> None:
        async with house.database.platform_scope() as session:
            await session.execute(
                text("insert into users (clerk_id, email, version) values ('u', :email, null)"),
                {"email": "mia@example.com"},
            )

    with pytest.raises(DBAPIError) as caught:
        await fail()
    # The engine leaves the parameters out, and where a driver tells them all the
    # same (the DETAIL of a violated key, another engine), the log rules do.
    assert "mia@example.com" in str(caught.value.params)
    assert "parameters: {" not in str(caught.value)
    told = f"{caught.value}\n[parameters: {caught.value.params}]\nDETAIL:  Key (email)=(mia@example.com)."
    cleaned = scrub(told)
    assert "mia@example.com" in told
    assert "mia@example.com" not in cleaned
    assert "insert into users" in cleaned
