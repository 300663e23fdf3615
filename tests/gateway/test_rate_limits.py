"""Who asks too often waits, and nobody else does."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import redis
from prometheus_client import REGISTRY
from redis.asyncio import BlockingConnectionPool, Redis

from coursecove import rate_limits
from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.counting_line import CountingLine
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.logs import configure_logging
from coursecove.rate_limits import (
    FAILURES_IN_A_ROW,
    PATIENCE_SECONDS,
    WINDOW_SECONDS,
    AddressReader,
    Budget,
    RateLimits,
    TooManyRequests,
)
from coursecove.resources import open_resources
from tests.conftest import form_token
from tests.factories.world import token_for
from tests.serving import Loop, free_port, serving

PERSON, ANONYMOUS, WRITES, ORGANIZATION = 6, 4, 3, 20
SOFIA, JUN, NOOR = "sofia@example.com", "jun@stillwater.example", "noor@stillwater.example"
API = "/api/v1/organization"

Ask = Callable[..., httpx.Client]


@pytest.fixture
def limited(settings: Settings, stand_in: ClerkStandIn) -> Iterator[Ask]:
    """`limited(email, slug)`: a client of a process with small budgets, none of them begun."""
    redis.Redis.from_url(settings.redis_url).flushall()
    with _serving(settings, stand_in) as ask:
        yield ask


@contextmanager
def _serving(settings: Settings, stand_in: ClerkStandIn, **changes: Any) -> Iterator[Ask]:
    port = free_port()
    small: dict[str, Any] = {
        "rate_limit_person": PERSON,
        "rate_limit_anonymous": ANONYMOUS,
        "rate_limit_writes": WRITES,
        "rate_limit_organization": ORGANIZATION,
        # So that the stand-in's keys are not asked for by every process of this file.
        "clerk_jwt_key": stand_in.public_key_pem,
        "port": port,
        "public_port": port,
    }
    made = replace(settings, **(small | changes))
    with ExitStack() as stack:
        address = stack.enter_context(serving(create_app(made), port))

        def ask(
            email: str | None = None, slug: str | None = "yoga", *, page: bool = False, **headers: str
        ) -> httpx.Client:
            origin = made.origin(slug)
            sent = {"Host": origin.partition("://")[2]}
            if email and slug:
                token = token_for(stand_in, made, email, slug)
                if page:
                    sent |= {
                        "Cookie": f"__session={token}; __client_uat=1",
                        "Origin": origin,
                        "x-csrf-token": form_token(made, token, slug),
                    }
                else:
                    sent["Authorization"] = f"Bearer {token}"
            sent |= {name.replace("_", "-"): value for name, value in headers.items()}
            return stack.enter_context(
                httpx.Client(base_url=address, headers=sent, timeout=30, trust_env=False)
            )

        yield ask


def _statuses(http: httpx.Client, number: int, path: str = API, method: str = "GET") -> list[int]:
    return [http.request(method, path).status_code for _ in range(number)]


def test_a_program_over_its_budget_is_told_when_to_come_back(limited: Ask) -> None:
    http = limited(SOFIA)
    for spent in range(1, PERSON + 1):
        answer = http.get(API)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-limit"] == str(PERSON)
        assert answer.headers["ratelimit-remaining"] == str(PERSON - spent)
        assert 0 < int(answer.headers["ratelimit-reset"]) <= WINDOW_SECONDS
        assert "retry-after" not in answer.headers
    refused = http.get(API)
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_requests"
    seconds = int(refused.headers["retry-after"])
    assert 0 < seconds <= WINDOW_SECONDS
    assert refused.json()["retry_after_seconds"] == seconds
    assert refused.headers["ratelimit-remaining"] == "0"
    assert refused.headers["cache-control"] == "no-store"
    # Pages and the API are one budget.
    assert limited(SOFIA, page=True).get("/lessons").status_code == 429


def test_a_person_over_their_budget_reads_a_page_in_words(limited: Ask) -> None:
    http = limited(SOFIA, page=True)
    _statuses(http, PERSON, "/lessons")
    refused = http.get("/lessons")
    assert refused.status_code == 429
    assert refused.headers["content-type"].startswith("text/html")
    assert 0 < int(refused.headers["retry-after"]) <= WINDOW_SECONDS
    assert f"try again in {refused.headers['retry-after']} second" in refused.text
    assert "ratelimit-limit" not in refused.headers


def test_ones_flood_is_ones_own(limited: Ask) -> None:
    """Neither a colleague, nor a visitor, nor oneself at another school is in the way."""
    assert set(_statuses(limited("priya@example.com"), PERSON + 40)[PERSON:]) == {429}
    assert limited(JUN).get(API).status_code == 200
    assert limited().get(API).status_code == 200
    assert limited("priya@example.com", "musicschool").get(API).status_code == 200


def test_what_is_refused_takes_nothing_from_the_school(limited: Ask) -> None:
    """Were refused requests counted, one person could use up everybody's budget."""
    _statuses(limited(SOFIA), ORGANIZATION * 3)
    assert _statuses(limited(JUN), PERSON) == [200] * PERSON


def test_one_schools_flood_does_not_take_anothers_budget(limited: Ask) -> None:
    for email in (SOFIA, JUN, NOOR, "priya@example.com"):
        _statuses(limited(email), PERSON)
    # Four people within their own budgets have used up the school's.
    assert limited(SOFIA).get(API).status_code == 429
    assert limited().get(API).status_code == 429
    assert limited("mia@example.com", "musicschool").get(API).status_code == 200
    assert limited(slug="musicschool").get(API).status_code == 200


def test_changes_have_a_smaller_budget_than_reading(limited: Ask) -> None:
    http = limited(SOFIA)
    path = f"/api/v1/bookings/{uuid.uuid4()}/cancellation"
    answers = [http.post(path, json={}) for _ in range(WRITES + 1)]
    assert [answer.status_code for answer in answers] == [404] * WRITES + [429]
    assert answers[0].headers["ratelimit-limit"] == str(WRITES)
    assert http.get(API).status_code == 200
    page = limited(JUN, page=True)
    assert _statuses(page, WRITES + 1, "/teach/profile", "POST")[-1] == 429


def test_visitors_are_counted_by_address_and_school(limited: Ask) -> None:
    assert _statuses(limited(), ANONYMOUS + 1) == [200] * ANONYMOUS + [429]
    assert limited(SOFIA).get(API).status_code == 200
    assert limited(slug="musicschool").get(API).status_code == 200
    # A token that says nobody is a visitor too.
    assert limited(Authorization="Bearer nonsense").get("/api/v1/me").status_code == 429
    # Nobody chooses the address they are counted by.
    for name in ("X_Forwarded_For", "X_Real_IP", "Forwarded"):
        assert limited(**{name: "203.0.113.9"}).get(API).status_code == 429


def test_names_of_no_school_are_counted_too(limited: Ask) -> None:
    strangers = [limited(slug=f"nobody-{number}").get("/").status_code for number in range(ANONYMOUS + 1)]
    assert strangers == [404] * ANONYMOUS + [429]


def test_what_belongs_to_no_school_is_not_counted(limited: Ask) -> None:
    http = limited()
    assert set(_statuses(http, 30, "/health/live")) == {200}
    assert set(_statuses(http, 30, "/static/css/app.css")) == {200}
    assert set(_statuses(http, 30, "/branding.css")) == {200}
    assert set(_statuses(http, 30, "/metrics")) == {200}
    # Unsigned, therefore refused; signed ones come from one address in thousands.
    assert set(_statuses(http, 30, "/api/webhooks/clerk", "POST")) == {400}
    assert http.get(API).status_code == 200


def test_behind_a_proxy_the_asker_is_the_rightmost_who_is_none(
    settings: Settings, stand_in: ClerkStandIn
) -> None:
    redis.Redis.from_url(settings.redis_url).flushall()
    with _serving(settings, stand_in, trusted_proxies=("127.0.0.0/8", "10.0.0.0/8")) as ask:
        for number in range(ANONYMOUS):
            # What stands on the left was sent by the asker, who may write anything.
            assert (
                ask(X_Forwarded_For=f"198.51.100.{number}, 203.0.113.9, 10.0.0.3").get(API).status_code == 200
            )
        assert ask(X_Forwarded_For="198.51.100.77, 203.0.113.9").get(API).status_code == 429
        assert ask(X_Forwarded_For="203.0.113.9, 198.51.100.77").get(API).status_code == 200


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1, 203.0.113.9, 10.0.0.2",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1", "203.0.113.9"), "203.0.113.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9, nonsense, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("203.0.113.9,",), "10.0.0.1"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("10.0.0.1", ("é",), "10.0.0.1"),
        ("203.0.113.1", ("198.51.100.1",), "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", ("198.51.100.1",), "2001:db8:1:2::/64"),
        ("10.0.0.1", ("2001:db8:1:2:ffff::1",), "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.1", (), "203.0.113.1"),
        ("", (), "unknown"),
        ("testclient", ("198.51.100.1",), "unknown"),
    ],
)
def test_the_address_of_a_request(
    settings: Settings, client: str, forwarded: tuple[str, ...], address: str
) -> None:
    reader = AddressReader(replace(settings, trusted_proxies=("10.0.0.0/8",)))
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    assert reader.read({"client": (client, 1), "headers": headers}) == address
    assert reader.read({"client": None, "headers": headers}) == "unknown"


# Counting


def _spend(settings: Settings, budgets: list[Budget], times: int = 1) -> list[Any]:
    async def spend() -> list[Any]:
        # As many connections as a process has, and all the time in the world for a busy machine.
        pool = BlockingConnectionPool.from_url(settings.redis_url, max_connections=10, timeout=60)
        async with Redis(connection_pool=pool) as patient:
            limits = RateLimits(settings, patient)
            return await asyncio.gather(*(limits.spend(budgets) for _ in range(times)), return_exceptions=True)

    return asyncio.run(spend())


def test_a_hundred_at_once_get_exactly_what_the_budget_holds(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "PATIENCE_SECONDS", 60)
    budget = Budget("person", f"rate:{{x}}:{uuid.uuid4()}", 37)
    answers = _spend(settings, [budget], 100)
    assert sum(isinstance(answer, TooManyRequests) for answer in answers) == 63
    assert {answer.remaining for answer in answers if not isinstance(answer, Exception)} == set(range(37))


def test_a_budget_is_there_again_after_its_window_and_no_counter_stays_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "PATIENCE_SECONDS", 60)
    store = redis.Redis.from_url(settings.redis_url)
    key = f"rate:{{x}}:{uuid.uuid4()}"
    budget = Budget("person", key, 1)
    first, second = _spend(settings, [budget])[0], _spend(settings, [budget])[0]
    assert first.remaining == 0
    assert isinstance(second, TooManyRequests)
    assert 0 < store.pttl(key) <= WINDOW_SECONDS * 1000
    # Asking on while refused does not put the end off.
    store.pexpire(key, 300)
    assert isinstance(_spend(settings, [budget])[0], TooManyRequests)
    time.sleep(0.35)
    assert _spend(settings, [budget])[0].remaining == 0
    # A counter that lost its end, however that came about, is given one.
    store.persist(key)
    assert isinstance(_spend(settings, [budget])[0], TooManyRequests)
    assert store.pttl(key) > 0


def test_no_limit_means_no_counter(settings: Settings, loop: Loop) -> None:
    async def budgets() -> list[Budget]:
        async with open_resources(settings) as resources:
            limits = RateLimits(replace(settings, rate_limit_person=5), resources.redis)
            return limits.budgets("school", user_id="user_1", address="203.0.113.9", writes=True)

    (only,) = loop.run(budgets())
    assert (only.name, only.limit) == ("person", 5)
    assert "203.0.113.9" not in only.key


# Redis away


@contextmanager
def _a_redis_that_says_nothing() -> Iterator[str]:
    """A port where connections are taken, by the kernel, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize("how", ["away", "silent"])
def test_without_redis_requests_pass_soon_and_it_is_said_once(
    settings: Settings, stand_in: ClerkStandIn, how: str
) -> None:
    stream = io.StringIO()

    def uncounted() -> float:
        return REGISTRY.get_sample_value("coursecove_rate_limit_unavailable_total") or 0.0

    with ExitStack() as stack:
        url = f"redis://127.0.0.1:{free_port()}/0"
        if how == "silent":
            url = stack.enter_context(_a_redis_that_says_nothing())
        ask = stack.enter_context(_serving(settings, stand_in, redis_url=url))
        http, before = ask(SOFIA), uncounted()
        configure_logging("json", stream=stream)
        started = time.monotonic()
        assert set(_statuses(http, PERSON * 10)) == {200}
        took = time.monotonic() - started
        configure_logging("text")
    assert uncounted() - before == PERSON * 10
    said = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert said.count("rate_limits_not_counted") == 1
    # After a few in a row Redis is not waited for; without that pause it would be waited for each time.
    assert took < PERSON * 10 * PATIENCE_SECONDS


def test_when_redis_is_back_it_counts_again(settings: Settings, loop: Loop) -> None:
    async def spend() -> list[Any]:
        async with open_resources(replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")) as gone:
            limits = RateLimits(settings, gone.redis)
            budget = Budget("person", f"rate:{{x}}:{uuid.uuid4()}", 1)
            passed = [await limits.spend([budget]) for _ in range(FAILURES_IN_A_ROW + 2)]
            async with open_resources(settings) as resources:
                limits._line = RateLimits(settings, resources.redis)._line
                passed.append(await limits.spend([budget]))
                await asyncio.sleep(1.05)
                return [*passed, await limits.spend([budget])]

    *passed, counted = loop.run(spend())
    assert passed == [None] * (FAILURES_IN_A_ROW + 3)
    assert counted.remaining == 0


# The line to Redis


def test_a_redis_that_forgot_its_scripts_or_hung_up_goes_on_counting(settings: Settings, loop: Loop) -> None:
    store = redis.Redis.from_url(settings.redis_url)

    async def spend() -> list[int]:
        async with open_resources(settings) as resources:
            limits = RateLimits(settings, resources.redis)
            budget = Budget("person", f"rate:{{x}}:{uuid.uuid4()}", 9)

            async def left() -> int:
                found = await limits.spend([budget])
                return -1 if found is None else found.remaining

            found = [await left()]
            store.script_flush()
            found.append(await left())
            store.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0.2)
            found.append(await left())
            await limits.aclose()
            return found

    assert loop.run(spend()) == [8, 7, 6]


def test_who_stops_waiting_takes_no_ones_answer(settings: Settings, loop: Loop) -> None:
    """Answers come in the order of the questions, and one that nobody waits for has its place in the row too.

    Seen to fail with whoever had gone taken out of the row: everybody behind got their neighbour's answer.
    """

    async def ask() -> list[Any]:
        async with open_resources(settings) as resources:
            line = CountingLine(resources.redis, "return {tonumber(ARGV[1])}")
            await line.ask(["a"], [0])
            asked = [asyncio.ensure_future(line.ask(["a"], [number])) for number in range(20)]
            await asyncio.sleep(0)
            for number in range(0, 20, 3):
                asked[number].cancel()
            found = await asyncio.gather(*asked, return_exceptions=True)
            await line.aclose()
            return found

    found = loop.run(ask())
    assert [answer for number, answer in enumerate(found) if number % 3] == [
        [number] for number in range(20) if number % 3
    ]
    assert all(isinstance(found[number], asyncio.CancelledError) for number in range(0, 20, 3))
