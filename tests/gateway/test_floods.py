"""Whoever goes on asking above their budget costs the process, and with it other schools, nearly nothing."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import pytest
import redis

from coursecove import rate_limits
from coursecove.config import Settings
from coursecove.rate_limits import Budget, RateLimits, TooManyRequests
from coursecove.resources import open_resources


def _with_limits(settings: Settings, work: Any) -> Any:
    async def run() -> Any:
        async with open_resources(settings) as resources:
            return await work(RateLimits(settings, resources.redis))

    return asyncio.run(run())


def _budgets(limit: int) -> list[Budget]:
    around = f"rate:{{{uuid.uuid4()}}}"
    return [Budget("anonymous", f"{around}:address", limit), Budget("organization", f"{around}:all", 1000)]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "PATIENCE_SECONDS", 60)


def test_a_budget_that_is_used_up_is_not_asked_about_again(settings: Settings) -> None:
    """Seen to fail without the memory: the counter went on with every refused request."""
    budgets = _budgets(2)

    async def flood(limits: RateLimits) -> list[Any]:
        return [
            *(await asyncio.gather(*(limits.spend(budgets) for _ in range(3)), return_exceptions=True)),
            *(await asyncio.gather(*(limits.spend(budgets) for _ in range(50)), return_exceptions=True)),
        ]

    answers = _with_limits(settings, flood)
    refused = [answer for answer in answers if isinstance(answer, TooManyRequests)]
    assert len(refused) == 51
    assert {0 < refusal.retry_after <= rate_limits.WINDOW_SECONDS for refusal in refused} == {True}
    store = redis.Redis.from_url(settings.redis_url)
    assert [store.get(budget.key) for budget in budgets] == [b"3", b"2"]


def test_what_is_remembered_ends_with_the_window(settings: Settings) -> None:
    budgets = _budgets(1)
    store = redis.Redis.from_url(settings.redis_url)

    async def wait_for_it(limits: RateLimits) -> Any:
        await limits.spend(budgets)
        store.pexpire(budgets[0].key, 300)
        with pytest.raises(TooManyRequests):
            await limits.spend(budgets)
        await asyncio.sleep(0.4)
        return await limits.spend(budgets)

    assert _with_limits(settings, wait_for_it).remaining == 0


def test_ones_used_up_budget_refuses_nobody_else(settings: Settings) -> None:
    mine, theirs = _budgets(1)[0], _budgets(1)[0]

    async def both(limits: RateLimits) -> Any:
        await limits.spend([mine])
        with pytest.raises(TooManyRequests):
            await limits.spend([mine])
        return await limits.spend([theirs])

    assert _with_limits(settings, both).remaining == 0


def test_a_refusal_takes_its_time_unless_too_many_wait(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limits, "MOST_WAITING", 3)

    async def waits(limits: RateLimits) -> list[float]:
        async def one() -> float:
            started = time.monotonic()
            await limits.keep_waiting()
            return time.monotonic() - started

        return [*await asyncio.gather(*(one() for _ in range(5))), await one()]

    took = _with_limits(settings, waits)
    late = [seconds >= rate_limits.REFUSED_AFTER_SECONDS * 0.9 for seconds in took]
    assert late == [True, True, True, False, False, True]
