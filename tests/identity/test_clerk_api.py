"""The calls to Clerk's Backend API: what is sent, what is read, what is made of a refusal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from coursecove.identity.api import PAGE_SIZE, ClerkApi
from coursecove.identity.errors import ClerkApiError
from tests.identity.identity_world import make_settings

ORGANIZATION: dict[str, Any] = {"id": "org_2a", "name": "Music", "created_at": 1, "updated_at": 2}


def membership(number: int) -> dict[str, Any]:
    return {
        "id": f"orgmem_{number}",
        "role": "org:member",
        "organization": ORGANIZATION,
        "public_user_data": {"user_id": f"user_{number}"},
        "created_at": 1,
        "updated_at": 2,
    }


def run(
    answer: Callable[[httpx.Request], httpx.Response], story: Callable[[ClerkApi], Awaitable[Any]]
) -> tuple[Any, list[float]]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def main() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await story(ClerkApi(make_settings(), http, sleep=sleep))

    return asyncio.run(main()), waits


def test_every_call_carries_the_key_and_the_version_and_quotes_what_it_is_given() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=membership(1))

    run(answer, lambda api: api.update_membership_role("org_2a", "user/../x?y", "org:admin"))
    assert seen[0].headers["Authorization"] == "Bearer sk_test_secret"
    assert seen[0].headers["Clerk-API-Version"] == "2026-05-12"
    assert seen[0].method == "PATCH"
    assert seen[0].url.raw_path == b"/v1/organizations/org_2a/memberships/user%2F..%2Fx%3Fy"
    assert json.loads(seen[0].content) == {"role": "org:admin"}


def test_memberships_are_walked_page_by_page_to_the_end() -> None:
    total = PAGE_SIZE * 2 + 3
    offsets: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert b"order_by=%2Bcreated_at" in request.url.query
        offsets.append(int(request.url.params["offset"]))
        numbers = range(offsets[-1], min(offsets[-1] + PAGE_SIZE, total))
        return httpx.Response(200, json={"data": [membership(n) for n in numbers], "total_count": total})

    async def story(api: ClerkApi) -> list[str]:
        return [m.public_user_data.user_id async for m in api.memberships("org_2a")]

    found, _ = run(answer, story)
    assert found == [f"user_{n}" for n in range(total)]
    assert offsets == [0, PAGE_SIZE, PAGE_SIZE * 2]


def test_the_primary_address_is_found_by_its_id_and_not_by_its_place() -> None:
    user = {
        "id": "user_2Mia",
        "created_at": 1,
        "updated_at": 2,
        "primary_email_address_id": "idn_2",
        "email_addresses": [
            {"id": "idn_1", "email_address": "old@example.com", "verification": None},
            {"id": "idn_2", "email_address": "mia@example.com"},
        ],
        "private_metadata": {"ignored": True},
    }
    found, _ = run(lambda _: httpx.Response(200, json=user), lambda api: api.get_user("user_2Mia"))
    assert found.primary_email == "mia@example.com"


def test_a_refusal_names_clerks_code_and_what_it_said() -> None:
    document = {
        "errors": [{"message": "not found", "long_message": "No user", "code": "resource_not_found"}],
        "clerk_trace_id": "x",
    }
    with pytest.raises(ClerkApiError) as caught:
        run(lambda _: httpx.Response(404, json=document), lambda api: api.get_user("user_2x"))
    assert (caught.value.clerk_code, caught.value.clerk_status) == ("resource_not_found", 404)
    assert caught.value.detail == "No user"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"errors": []}'])
def test_a_refusal_in_no_known_shape_is_still_a_refusal(body: bytes) -> None:
    with pytest.raises(ClerkApiError) as caught:
        run(lambda _: httpx.Response(502, content=body), lambda api: api.get_user("user_2x"))
    assert caught.value.clerk_status == 502


def test_an_answer_that_is_not_what_was_promised_is_an_error() -> None:
    with pytest.raises(ClerkApiError, match="unexpected"):
        run(lambda _: httpx.Response(200, json={"id": 5}), lambda api: api.get_user("user_2x"))


def test_no_answer_at_all_is_an_error_that_says_so() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("slow", request=request)

    with pytest.raises(ClerkApiError) as caught:
        run(answer, lambda api: api.get_user("user_2x"))
    assert (caught.value.clerk_code, caught.value.clerk_status) == ("unreachable", 0)


def test_being_told_to_wait_is_obeyed_three_times_at_the_most() -> None:
    calls = 0

    def busy(_: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls == 3:
            return httpx.Response(200, json=ORGANIZATION)
        return httpx.Response(429, headers={"Retry-After": "2"})

    found, waits = run(busy, lambda api: api.get_organization("org_2a"))
    assert found.name == "Music"
    assert waits == [2.0, 2.0]

    calls = -100
    with pytest.raises(ClerkApiError):
        run(busy, lambda api: api.get_organization("org_2a"))
    assert calls == -96


def test_a_wait_that_is_too_long_is_not_begun() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(429, headers={"Retry-After": "3600"})

    with pytest.raises(ClerkApiError) as caught:
        run(answer, lambda api: api.get_organization("org_2a"))
    assert caught.value.clerk_status == 429
