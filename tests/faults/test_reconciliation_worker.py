"""Reconciliation by a worker process: woken through Redis, killed in the middle, taken up again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from coursecove.config import Settings
from coursecove.dev.clerk.world import YOGA
from coursecove.resources import Resources
from coursecove.tenants.reconciliation import runs
from tests.faults.test_worker import working
from tests.tenants.clerk_side import ClerkSide, a_worker, change, clerk_side, members, rows
from tests.webhooks.support import Json, eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clerk(tmp_path: Path) -> Iterator[ClerkSide]:
    with clerk_side(tmp_path) as side:
        yield side


@pytest.fixture
async def house(clerk: ClerkSide, empty_settings: Settings) -> AsyncIterator[Resources]:
    async with a_worker(clerk.settings(empty_settings)) as resources:
        yield resources


async def test_a_killed_worker_leaves_its_place_to_the_next(house: Resources, clerk: ClerkSide) -> None:
    async def asked() -> int:
        return clerk.front.count("users")

    async def finished() -> list[Json]:
        return await rows(house, "select * from reconciliations where finished_at is not null")

    clerk.front.stalling = "users"
    async with house.database.platform_scope() as session:
        await runs.open_run(session)
    with working(house.settings) as worker:
        # The people of the first school are asked for, and Clerk takes its time.
        await eventually(asked, seconds=40)
        worker.send_signal(signal.SIGKILL)
        await asyncio.to_thread(worker.wait)
    clerk.front.stalling = None
    assert clerk.front.count("organizations") == 1
    assert await rows(house, "select 1 from reconciliations where lease_expires_at > now()") != []
    # Nobody may take it before its time; ninety seconds pass.
    async with house.database.platform_scope() as session:
        assert await runs.claim(session) is None
    await change(house, "update reconciliations set lease_expires_at = now()")
    with working(house.settings):
        done = (await eventually(finished, seconds=40))[0]
    assert (done["error"], done["created"]) == (None, 3 + 13 + 12)
    # It went on where the first one was; the schools were read once.
    assert clerk.front.count("organizations") == 1
    assert len(await members(house, YOGA.slug)) == 4
