"""What one process holds open: settings, both database doors, the queue, Redis, http.

Made once per event loop by ``app.py`` and ``worker.py`` and handed down;
nothing below reads a global.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from redis.asyncio import BlockingConnectionPool, Redis

from coursecove.config import Settings
from coursecove.db.session import Database
from coursecove.jobs import Queue, make_broker


@dataclass(frozen=True, slots=True)
class Resources:
    """The open connections of a process."""

    settings: Settings
    database: Database
    queue: Queue
    redis: Redis
    http: httpx.AsyncClient


@asynccontextmanager
async def open_resources(settings: Settings, *, queue: Queue | None = None) -> AsyncIterator[Resources]:
    """Open everything lazily (nothing connects yet) and close it at the end."""
    queue = queue or Queue(make_broker(settings.redis_url))
    database = Database(settings, info={"queue": queue})
    redis = Redis(
        connection_pool=BlockingConnectionPool.from_url(
            settings.redis_url,
            max_connections=10,
            timeout=2,
            socket_timeout=2,
            socket_connect_timeout=1,
        )
    )
    async with httpx.AsyncClient(timeout=httpx.Timeout(5.0)) as http:
        try:
            yield Resources(settings, database, queue, redis, http)
        finally:
            await redis.aclose()
            await database.close()
