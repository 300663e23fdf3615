"""The inbox on a migrated database of its own, over http and directly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import psycopg
import pytest

from coursecove.config import Settings
from coursecove.resources import Resources, open_resources
from tests.webhooks.support import Sender, serving_inbox


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def inbox(empty_settings: Settings) -> Settings:
    """Settings with two signing secrets, nothing in the ledger and nobody known."""
    with psycopg.connect(empty_settings.database_owner_url, autocommit=True) as connection:
        connection.execute(
            "truncate webhook_events, identity_tombstones, users, organizations, subdomains cascade"
        )
    rotating = (*empty_settings.clerk_webhook_secrets, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    return replace(empty_settings, clerk_webhook_secrets=rotating)


@pytest.fixture
async def house(inbox: Settings) -> AsyncIterator[Resources]:
    async with open_resources(inbox) as resources:
        yield resources


@pytest.fixture
def clerk(inbox: Settings) -> Iterator[Sender]:
    with serving_inbox(inbox) as sender:
        yield sender
