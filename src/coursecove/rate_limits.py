"""How often one person, one address and one school may ask, counted in Redis for all processes together.

A budget is a number of requests in a window of 60 seconds that begins with the
first of them.  One script counts a request against all budgets that apply to
it, from the smallest circle to the widest, and stops at the first that is used
up: what is refused to one person takes nothing from their school.

A budget that is used up stays so until its window is over: every process remembers
that much by itself, and whoever goes on asking hears it late.  A flood over a few
connections costs nearly nothing so, and the neighbours notice little of it.

This protects the service, not the data; so whenever Redis does not answer
within :data:`PATIENCE_SECONDS`, requests pass.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import RedisError

from coursecove.config import Settings
from coursecove.counting_line import CountingLine
from coursecove.errors import CourseCoveError
from coursecove.i18n import N_

log = structlog.get_logger("coursecove.rate_limits")

WINDOW_SECONDS = 60
PATIENCE_SECONDS = 0.05
#: While Redis is away, so often is it said in the log.
REMINDER_SECONDS = 10.0
#: After so many failures in a row Redis is left alone for a while, so that not every request waits for it.
#: One alone may be nothing but a busy moment of this process.
FAILURES_IN_A_ROW = 3
PAUSE_SECONDS = 1.0

#: So late is somebody refused: a loop that asks again at once is slowed down, a person does not notice.
REFUSED_AFTER_SECONDS = 0.2
#: More than these do not wait for it; each holds a connection.
MOST_WAITING = 500
_MOST_REMEMBERED = 10_000

REFUSED = Counter("coursecove_rate_limited_total", "Requests over a budget", ["budget"])
UNCOUNTED = Counter(
    "coursecove_rate_limit_unavailable_total", "Requests that passed because Redis did not answer"
)

# KEYS: counters; ARGV: the window in milliseconds, then a limit per counter. Returns the place (from 1) of the
# budget that is used up, 0 for none, then count and remaining milliseconds of each counter it came to.
_SCRIPT = """
local answer = {0}
for place, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    left = tonumber(ARGV[1])
  end
  answer[#answer + 1] = count
  answer[#answer + 1] = left
  if count > tonumber(ARGV[place + 1]) then
    answer[1] = place
    return answer
  end
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many requests of one kind and one asker are answered in a window."""

    name: str
    key: str
    limit: int


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a budget, for the headers of an answer; ``reset`` in seconds."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the RateLimit headers (IETF draft, the version with one header per value)."""
        return [
            (b"ratelimit-limit", str(self.limit).encode()),
            (b"ratelimit-remaining", str(self.remaining).encode()),
            (b"ratelimit-reset", str(self.reset).encode()),
        ]


class TooManyRequests(CourseCoveError):
    """A budget is used up; ``left.reset`` says in how many seconds it is there again."""

    code = "too_many_requests"
    status = 429
    title = N_("Too many requests")

    def __init__(self, left: Remaining) -> None:
        self.left = left
        super().__init__(f"Try again in {left.reset} s.", extra={"retry_after_seconds": left.reset})

    @property
    def retry_after(self) -> int:
        """Return the seconds to wait."""
        return self.left.reset


class RateLimits:
    """Counts requests for one process, together with all others on the same Redis."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._person = settings.rate_limit_person
        self._anonymous = settings.rate_limit_anonymous
        self._writes = settings.rate_limit_writes
        self._organization = settings.rate_limit_organization
        self._line = CountingLine(redis, _SCRIPT)
        self._remind_at = 0.0
        self._failures = 0
        self._ask_again_at = 0.0
        # Until when (monotonic) a budget is used up.
        self._used_up: dict[str, float] = {}
        self._waiting = 0

    def budgets(self, place: str, *, user_id: str | None, address: str, writes: bool) -> list[Budget]:
        """Return the budgets a request counts against, the narrowest first; a limit of 0 is none.

        ``place`` names the school (or the bare domain).  It stands in braces,
        so that a Redis cluster keeps one school's counters together.
        """
        who = f"person:{user_id}" if user_id else f"address:{address}"
        around = f"rate:{{{place}}}"
        all_of_one = self._person if user_id else self._anonymous
        budgets = [
            Budget("writes", f"{around}:writes:{who}", self._writes if writes else 0),
            Budget("person" if user_id else "anonymous", f"{around}:{who}", all_of_one),
            Budget("organization", f"{around}:all", self._organization),
        ]
        return [budget for budget in budgets if budget.limit]

    async def spend(self, budgets: Sequence[Budget]) -> Remaining | None:
        """Count a request; return what is left of the budget that will be used up first.

        None when nothing is limited or Redis does not answer: then the
        request passes.  Raises :class:`TooManyRequests` when it may not.
        """
        if not budgets:
            return None
        self._refuse_what_is_used_up(budgets)
        if time.monotonic() < self._ask_again_at:
            UNCOUNTED.inc()
            return None
        keys = [budget.key for budget in budgets]
        limits = [WINDOW_SECONDS * 1000, *(budget.limit for budget in budgets)]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                used_up, *counted = await self._line.ask(keys, limits)
        except (RedisError, OSError, TimeoutError) as error:
            self._pass(error)
            return None
        self._failures = 0
        if used_up:
            budget, milliseconds = budgets[used_up - 1], counted[2 * used_up - 1]
            self._remember(budget, milliseconds)
            REFUSED.labels(budget.name).inc()
            raise TooManyRequests(Remaining(budget.limit, 0, _seconds(milliseconds)))
        left_over = [
            Remaining(budget.limit, budget.limit - counted[2 * place], _seconds(counted[2 * place + 1]))
            for place, budget in enumerate(budgets)
        ]
        return min(left_over, key=lambda left: left.remaining)

    async def keep_waiting(self) -> None:
        """Let some time pass before somebody is refused, unless too many wait for that already."""
        if self._waiting >= MOST_WAITING:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(REFUSED_AFTER_SECONDS)
        finally:
            self._waiting -= 1

    def _refuse_what_is_used_up(self, budgets: Sequence[Budget]) -> None:
        """Raise what Redis would have answered, when that is known already."""
        if not self._used_up:
            return
        now = time.monotonic()
        for budget in budgets:
            until = self._used_up.get(budget.key, 0.0)
            if until > now:
                REFUSED.labels(budget.name).inc()
                raise TooManyRequests(Remaining(budget.limit, 0, _seconds(round((until - now) * 1000))))

    def _remember(self, budget: Budget, milliseconds: int) -> None:
        now = time.monotonic()
        if len(self._used_up) >= _MOST_REMEMBERED:
            self._used_up = {key: until for key, until in self._used_up.items() if until > now}
        if len(self._used_up) < _MOST_REMEMBERED:
            self._used_up[budget.key] = now + milliseconds / 1000

    async def aclose(self) -> None:
        """Give up the connection."""
        await self._line.aclose()

    def _pass(self, error: Exception) -> None:
        UNCOUNTED.inc()
        now = time.monotonic()
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW:
            self._ask_again_at = now + PAUSE_SECONDS
            # One that says nothing may be dead without anybody having heard of it.
            self._line.hang_up()
        if now >= self._remind_at:
            self._remind_at = now + REMINDER_SECONDS
            log.warning("rate_limits_not_counted", error=type(error).__name__)


def _seconds(milliseconds: int) -> int:
    return max(1, -(-milliseconds // 1000))


class AddressReader:
    """Says which address a request came from, by the rules of this deployment."""

    def __init__(self, settings: Settings) -> None:
        self._proxies: list[IPv4Network | IPv6Network] = [
            ip_network(proxy, strict=False) for proxy in settings.trusted_proxies
        ]

    def read(self, scope: Any) -> str:
        """Return the asker's address; an IPv6 one as its /64, which one household has all of.

        ``X-Forwarded-For`` counts only when a trusted proxy sent it, and then
        its rightmost address that is no trusted proxy: everything left of
        that could be made up by the asker.
        """
        client = scope.get("client")
        peer = client[0] if client else ""
        if not self._trusts(peer):
            return _household(peer)
        forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for hop in reversed(forwarded.decode("latin-1").split(",")):
            if not _is_address(hop.strip()):
                break
            peer = hop.strip()
            if not self._trusts(peer):
                break
        return _household(peer)

    def _trusts(self, peer: str) -> bool:
        return (
            bool(self._proxies)
            and _is_address(peer)
            and any(ip_address(peer) in network for network in self._proxies)
        )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def _household(text: str) -> str:
    if not _is_address(text):
        return "unknown"
    address = ip_address(text)
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
