"""Staying well below what Clerk allows: 100 requests in 10 seconds in development, 1,000 in production."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

BURST = 5.0
#: Half of what a development key may do, a quarter of what a live one may: people sign in meanwhile.
PER_SECOND = 5.0
PER_SECOND_LIVE = 25.0


class TokenBucket:
    """Lets ``burst`` callers through at once and then ``per_second`` of them, in their order."""

    def __init__(
        self,
        per_second: float,
        *,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._tokens = burst
        self._filled_at = clock()

    async def take(self) -> None:
        """Return when the next request may be made."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        # Taken before the wait, so that whoever comes next waits longer.
        self._tokens -= 1
        if self._tokens < 0:
            await self._sleep(-self._tokens / self._per_second)


def bucket_for(secret_key: str) -> TokenBucket:
    """Return the pace that fits the kind of instance the key is for."""
    return TokenBucket(PER_SECOND_LIVE if secret_key.startswith("sk_live_") else PER_SECOND)
