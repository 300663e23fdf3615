"""A house whose Clerk a test may change without a word, for what is told about reconciliation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from coursecove.config import Settings
from coursecove.resources import Resources
from coursecove.tenants.reconciliation import pacing
from tests.tenants.clerk_side import ClerkSide, a_worker, clerk_side


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def _no_hurry_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "PER_SECOND", 5_000.0)


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[ClerkSide]:
    with clerk_side(tmp_path) as side:
        yield side


@pytest.fixture
def at_clerk(clerk: ClerkSide, empty_settings: Settings, _no_hurry_to_wait_for: None) -> Settings:
    """Settings with this test's Clerk and an empty database."""
    with psycopg.connect(empty_settings.database_owner_url, autocommit=True) as connection:
        connection.execute(
            "truncate reconciliations, webhook_events, identity_tombstones, users, organizations, subdomains, "
            "periodic_jobs cascade"
        )
    return clerk.settings(empty_settings)


@pytest.fixture
async def house(at_clerk: Settings) -> AsyncIterator[Resources]:
    async with a_worker(at_clerk) as resources:
        yield resources
