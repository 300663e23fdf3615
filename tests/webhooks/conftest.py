"""The inbox on a migrated database of its own, over http and directly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from coursecove.config import Settings
from coursecove.resources import Resources, open_resources

from .support import Sender, serving


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def inbox(settings: Settings) -> Settings:
    """The settings, with nothing in the ledger and nobody known."""
    with psycopg.connect(settings.database_owner_url, autocommit=True) as connection:
        connection.execute(
            "truncate webhook_events, identity_tombstones, users, organizations, subdomains cascade"
        )
    return settings


@pytest.fixture
async def house(inbox: Settings) -> AsyncIterator[Resources]:
    async with open_resources(inbox) as resources:
        yield resources


@pytest.fixture
def clerk(inbox: Settings) -> Iterator[Sender]:
    with serving(inbox) as sender:
        yield sender
