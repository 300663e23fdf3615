"""What Clerk sends over http, and what it gets back."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from coursecove.resources import Resources
from tests.webhooks.support import (
    Sender,
    deleted,
    envelope,
    event_row,
    membership,
    new_id,
    organization,
    row,
    rows,
    signed,
    user,
)

pytestmark = pytest.mark.anyio


async def test_signed_events_create_a_user_an_organization_and_a_membership(
    clerk: Sender, house: Resources
) -> None:
    person, school = new_id("user"), new_id("org")
    metadata = {"time_zone": "Europe/Berlin", "currency": "EUR", "accent_color": "#4F46E5", "locale": "de"}
    for event_type, data in [
        ("user.created", user(person)),
        ("organization.created", organization(school, slug="musicschool", metadata=metadata)),
        ("organizationMembership.created", membership(new_id("orgmem"), school, person, role="org:admin")),
    ]:
        answer = await clerk.send(event_type, data)
        assert (answer.status_code, answer.json()) == (200, {"status": "completed", "outcome": "applied"})
    member = await row(
        house,
        "select members.*, organizations.slug, organizations.time_zone, accent_color, currency, locale "
        "from members join organizations on organizations.id = organization_id where clerk_user_id = :id",
        id=person,
    )
    assert (member["given_name"], member["email"], member["role"]) == ("Mia", "mia@example.com", "admin")
    assert (member["slug"], member["time_zone"], member["accent_color"]) == (
        "musicschool",
        "Europe/Berlin",
        "#4f46e5",
    )
    assert (member["currency"], member["locale"]) == ("EUR", "de")
    event = await row(
        house, "select * from webhook_events where event_type = 'user.created' and entity_id = :id", id=person
    )
    assert (event["path"], event["status"], event["attempts"]) == ("fast", "completed", 1)
    assert event["processed_at"] >= event["received_at"]
    assert bytes(event["body"]) == envelope("user.created", user(person))


async def test_both_secrets_of_a_rotation_and_both_header_families_are_good(
    clerk: Sender, house: Resources
) -> None:
    secrets = house.settings.clerk_webhook_secrets
    assert len(secrets) == 2
    for secret, family in [(secrets[0], "svix"), (secrets[1], "svix"), (secrets[1], "webhook")]:
        body = envelope("user.created", user(new_id("user")))
        answer = await clerk.post(body, signed(body, secret, family=family))
        assert answer.status_code == 200


async def test_two_signatures_in_one_header_are_good_when_one_of_them_is(clerk: Sender) -> None:
    body = envelope("user.created", user(new_id("user")))
    headers = signed(body, clerk.secret)
    headers["svix-signature"] = "v1,AAAA v2,whatever " + headers["svix-signature"]
    assert (await clerk.post(body, headers)).status_code == 200


async def test_what_is_not_proven_is_refused_and_leaves_no_row(clerk: Sender, house: Resources) -> None:
    body = envelope("user.created", user(new_id("user")))
    good = signed(body, clerk.secret)

    def without(name: str) -> dict[str, str]:
        return {key: value for key, value in good.items() if key != name}

    forged = [
        (body, {}),
        *[(body, without(name)) for name in ("svix-id", "svix-timestamp", "svix-signature")],
        (body, signed(body, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")),
        (body, signed(body, clerk.secret, at=time.time() - 400)),
        (body, signed(body, clerk.secret, at=time.time() + 400)),
        (json.dumps(json.loads(body), indent=1).encode(), good),
        (body, good | {"svix-id": new_id("msg")}),
        (body, good | {"svix-signature": ""}),
        (body, good | {"svix-signature": "v1"}),
        (body, good | {"svix-signature": "v1,a,b  x"}),
        (body, good | {"svix-timestamp": "nan"}),
        (b"\xff\xfe" + body, good),
        (b"", good),
    ]
    forged += [
        (body[:i] + bytes([body[i] ^ 1]) + body[i + 1 :], good) for i in range(0, len(body), len(body) // 40)
    ]
    for content, headers in forged:
        answer = await clerk.post(content, headers)
        assert answer.status_code == 400, headers
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["code"] == "bad_signature"
    assert await rows(house, "select message_id from webhook_events") == []
    # The same message, untouched, is fine: it was the forgery that was refused.
    assert (await clerk.post(body, good)).status_code == 200


async def test_a_header_sent_twice_proves_nothing(clerk: Sender, house: Resources) -> None:
    body = envelope("user.created", user(new_id("user")))
    headers = [*signed(body, clerk.secret).items(), ("svix-id", "msg_other")]
    async with httpx.AsyncClient() as client:
        answer = await client.post(clerk.url, content=body, headers=headers)
    assert answer.status_code == 400
    assert await rows(house, "select 1 from webhook_events") == []


async def test_the_same_delivery_fifty_times_at_once_has_one_effect(clerk: Sender, house: Resources) -> None:
    person, message_id = new_id("user"), new_id("msg")
    answers = await asyncio.gather(
        *(clerk.send("user.created", user(person), message_id=message_id) for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {200}
    said = [answer.json()["status"] for answer in answers]
    assert sorted(set(said)) == ["completed", "duplicate"]
    assert said.count("completed") == 1
    event = await event_row(house, message_id)
    assert (event["status"], event["attempts"]) == ("completed", 1)
    assert len(await rows(house, "select 1 from users where clerk_id = :id", id=person)) == 1


async def test_an_event_nobody_cares_about_is_completed_as_ignored(clerk: Sender, house: Resources) -> None:
    answer = await clerk.send(
        "session.created", {"id": "sess_1", "object": "session"}, message_id="msg_ignored"
    )
    assert (answer.status_code, answer.json()) == (200, {"status": "completed", "outcome": "ignored"})
    assert (await event_row(house, "msg_ignored"))["outcome"] == "ignored"


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"type": 7, "data": {}}',
        b'{"type": "user\\u0000.created", "data": {}}',
        b'{"type": "", "data": {}}',
        b"[" * 50_000,
        b'{"type": "user.created", "data": {"id": "user_1", "updated_at": "yesterday"}}',
        b'{"type": "user.created", "data": null}',
        b'{"type": "user.created", "data": {"id": "", "updated_at": 1}}',
        b'{"type": "user.created", "data": {"id": "a\\u0000b", "updated_at": 1}}',
        b'{"type": "organization.created", "data": {"id": "org_1"}}',
    ],
)
async def test_signed_nonsense_is_accepted_and_visible_as_failed(
    clerk: Sender, house: Resources, body: bytes
) -> None:
    answer = await clerk.post(body, signed(body, clerk.secret, message_id="msg_nonsense"))
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    event = await event_row(house, "msg_nonsense")
    assert event["status"] == "failed"
    assert event["error"]
    assert bytes(event["body"]) == body
    again = await clerk.post(body, signed(body, clerk.secret, message_id="msg_nonsense"))
    assert (again.status_code, again.json()["status"]) == (200, "duplicate")


async def test_text_a_database_cannot_keep_does_not_stop_a_person(clerk: Sender, house: Resources) -> None:
    person = new_id("user")
    data = user(person, given_name="Mi\x00a\n\n Maria  " + "x" * 500)
    assert (await clerk.send("user.created", data)).json()["outcome"] == "applied"
    found = await row(house, "select given_name from users where clerk_id = :id", id=person)
    assert found["given_name"].startswith("Mia Maria xxx")
    assert len(found["given_name"]) == 100


async def test_more_than_256_kilobytes_are_refused_with_and_without_a_content_length(
    clerk: Sender, house: Resources
) -> None:
    body = envelope("user.created", user(new_id("user"), given_name="x" * 256 * 1024))
    headers = signed(body, clerk.secret)
    answer = await clerk.post(body, headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 16_384):
            yield body[start : start + 16_384]

    async with httpx.AsyncClient() as client:
        streamed = await client.post(clerk.url, content=chunks(), headers=headers)
    assert streamed.status_code == 413
    assert await rows(house, "select 1 from webhook_events") == []


async def test_the_largest_allowed_message_is_taken(clerk: Sender) -> None:
    room = 256 * 1024 - len(envelope("user.created", user("user_big", given_name="")))
    body = envelope("user.created", user("user_big", given_name="x" * room))
    assert len(body) == 256 * 1024
    assert (await clerk.post(body, signed(body, clerk.secret))).status_code == 200


async def test_a_content_length_that_lies_does_not_get_more_in(clerk: Sender, house: Resources) -> None:
    body = envelope("user.created", user(new_id("user")))
    lines = [f"{name}: {value}" for name, value in signed(body, clerk.secret).items()]
    host, port = clerk.url.split("/")[2].split(":")
    request = "\r\n".join(
        ["POST /api/webhooks/clerk HTTP/1.1", "Host: x", f"Content-Length: {10**12}", *lines, "", ""]
    )

    def talk() -> bytes:
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(request.encode() + body)
            return connection.recv(4096)

    said = await asyncio.to_thread(talk)
    assert b" 413 " in said.splitlines()[0]
    assert await rows(house, "select 1 from webhook_events") == []


async def test_the_answer_never_repeats_what_was_sent(clerk: Sender) -> None:
    answer = await clerk.send("user.deleted", deleted("user", "user_private"))
    assert "user_private" not in answer.text
    assert set(answer.json()) == {"status", "outcome"}
