"""The keys: fetched seldom, shared, and kept when Clerk is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from coursecove.config import ConfigurationError
from coursecove.identity.errors import SigningKeysUnavailable
from coursecove.identity.jwks import COOLDOWN_SECONDS, FRESH_SECONDS, STALE_SECONDS, SigningKeys
from coursecove.identity.tokens import TokenRefused
from tests.identity.identity_world import FOREIGN_KEY, KEY, KEY_ID, jwks_document, make_settings


class Clerk:
    """Answers for Clerk's key endpoint and counts how often it was asked."""

    def __init__(self) -> None:
        self.document: Any = jwks_document((KEY_ID, KEY))
        self.status = 200
        self.requests: list[httpx.Request] = []
        self.seconds = 1000.0
        self.gate: asyncio.Event | None = None

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.gate is not None:
            await self.gate.wait()
        return httpx.Response(self.status, json=self.document)


def run(clerk: Clerk, story: Callable[[SigningKeys], Awaitable[None]], *, pem: bool = False) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(clerk.answer)) as http:
            await story(SigningKeys(make_settings(pem=pem), http, monotonic=lambda: clerk.seconds))

    asyncio.run(main())


def test_keys_come_from_the_backend_api_with_the_secret_key_and_stay_fresh_for_five_minutes() -> None:
    clerk = Clerk()

    async def story(keys: SigningKeys) -> None:
        for _ in range(3):
            assert (await keys.key_for(KEY_ID)).public_numbers() == KEY.public_key().public_numbers()
        assert len(clerk.requests) == 1
        assert str(clerk.requests[0].url) == "https://api.clerk.test/v1/jwks"
        assert clerk.requests[0].headers["Authorization"] == "Bearer sk_test_secret"
        clerk.seconds += FRESH_SECONDS
        await keys.key_for(KEY_ID)
        assert len(clerk.requests) == 2

    run(clerk, story)


def test_a_hundred_requests_at_once_share_one_fetch() -> None:
    clerk = Clerk()

    async def story(keys: SigningKeys) -> None:
        clerk.gate = asyncio.Event()
        waiting = [asyncio.create_task(keys.key_for(KEY_ID)) for _ in range(100)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        await asyncio.sleep(0)
        clerk.gate.set()
        answers = await asyncio.gather(*waiting[1:])
        assert len(answers) == 99
        assert len(clerk.requests) == 1

    run(clerk, story)


def test_forged_key_ids_are_looked_up_once_and_then_cool_down() -> None:
    clerk = Clerk()

    async def story(keys: SigningKeys) -> None:
        await keys.key_for(KEY_ID)
        clerk.seconds += COOLDOWN_SECONDS
        for number in range(500):
            with pytest.raises(TokenRefused, match="token-key-unknown"):
                await keys.key_for(f"ins_forged{number}")
        assert len(clerk.requests) == 2
        clerk.seconds += COOLDOWN_SECONDS
        with pytest.raises(TokenRefused):
            await keys.key_for("ins_forged")
        assert len(clerk.requests) == 3

    run(clerk, story)


def test_a_new_key_is_found_without_waiting_for_the_old_ones_to_age() -> None:
    clerk = Clerk()

    async def story(keys: SigningKeys) -> None:
        await keys.key_for(KEY_ID)
        clerk.document = jwks_document((KEY_ID, KEY), ("ins_2new", FOREIGN_KEY))
        clerk.seconds += COOLDOWN_SECONDS
        found = await keys.key_for("ins_2new")
        assert found.public_numbers() == FOREIGN_KEY.public_key().public_numbers()

    run(clerk, story)


def test_remembered_keys_outlive_an_outage_but_not_for_ever() -> None:
    clerk = Clerk()

    async def story(keys: SigningKeys) -> None:
        await keys.key_for(KEY_ID)
        clerk.status = 500
        clerk.seconds += FRESH_SECONDS + 1
        assert (await keys.key_for(KEY_ID)).public_numbers() == KEY.public_key().public_numbers()
        assert len(clerk.requests) == 2
        clerk.seconds += STALE_SECONDS
        with pytest.raises(SigningKeysUnavailable):
            await keys.key_for(KEY_ID)

    run(clerk, story)


@pytest.mark.parametrize("document", [{}, [], {"keys": []}, {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}])
def test_an_answer_without_usable_keys_is_an_outage_and_never_a_key(document: Any) -> None:
    clerk = Clerk()
    clerk.document = document

    async def story(keys: SigningKeys) -> None:
        with pytest.raises(SigningKeysUnavailable):
            await keys.key_for(KEY_ID)
        with pytest.raises(SigningKeysUnavailable):
            await keys.key_for(KEY_ID)
        assert len(clerk.requests) == 1

    run(clerk, story)


def test_with_a_configured_key_nothing_is_ever_fetched() -> None:
    clerk = Clerk()

    async def story(keys: SigningKeys) -> None:
        assert (await keys.key_for("ins_whatever")).public_numbers() == KEY.public_key().public_numbers()
        assert not clerk.requests

    run(clerk, story, pem=True)


def test_a_configured_key_that_is_no_rsa_key_stops_the_start() -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nbm90IGEga2V5\n-----END PUBLIC KEY-----"
    with pytest.raises(ConfigurationError, match="CLERK_JWT_KEY"):
        SigningKeys(make_settings(CLERK_JWT_KEY=pem), httpx.AsyncClient())
