"""Prometheus gauges that are read from Postgres: the same whichever process answers.

A scrape waits for them a moment at most and then does without, because a slow
database must not hang it.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod

import structlog
from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import Database

log = structlog.get_logger("coursecove.db")

FRESH_SECONDS = 5.0
WAIT_SECONDS = 1.0

_SET_TIMEOUT = text("select set_config('statement_timeout', :limit, true)")


class StoredGauges(ABC):
    """Keeps some gauges of one process fresh; one question at a time, however many ask."""

    #: 1 when they were read just now; the other gauges are otherwise as old as the last reading.
    up: Gauge

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fresh_until = 0.0
        self._asking: asyncio.Task[None] | None = None

    @abstractmethod
    async def read(self, session: AsyncSession) -> None:
        """Read everything in the platform's scope, and only then set the gauges."""

    async def refresh(self) -> None:
        """Read them unless that was just done; take :data:`WAIT_SECONDS` at most, raise nothing."""
        if time.monotonic() < self._fresh_until:
            return
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._read())
        # Left running when it takes too long: cancelling would have to wait for a server that does not answer.
        done, _ = await asyncio.wait({self._asking}, timeout=WAIT_SECONDS)
        if not done:
            self.up.set(0)

    async def _read(self) -> None:
        try:
            async with self._database.platform_scope() as session:
                await session.execute(_SET_TIMEOUT, {"limit": f"{WAIT_SECONDS * 5:.0f}s"})
                await self.read(session)
        except Exception as error:
            log.warning("gauges_not_read", gauges=type(self).__name__, reason=type(error).__name__)
            self.up.set(0)
            return
        self.up.set(1)
        self._fresh_until = time.monotonic() + FRESH_SECONDS
