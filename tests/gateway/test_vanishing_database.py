"""Postgres goes away in the middle of a request: somebody gets an answer, and nothing is left behind."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.errors import Conflict
from coursecove.tenants.service import member_view
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.serving import Loop

JUN, SOFIA = "jun@stillwater.example", "sofia@example.com"


@pytest.fixture
def cut(postgres: EmbeddedPostgres, settings: Settings) -> Callable[[], int]:
    """`cut()`: end every connection to this test's database; returns how many there were."""

    def end() -> int:
        with psycopg.connect(postgres.superuser_url) as connection:
            row = connection.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                "where application_name = 'coursecove app' and datname = %s",
                [settings.database_url.rpartition("/")[2]],
            ).fetchone()
        return int(row[0]) if row else 0

    return end


def _complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what asyncio found lying about, given the time to find it."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.05)
    return [record.getMessage() for record in caplog.records if record.name == "asyncio"]


#: Who asks for the page of admins only or of staff, and what they get: while it is decided who they are
#: the connection is there; it is gone before anything else is asked.
CASES = {
    "refused by then": (SOFIA, "/api/v1/members", 403),
    "before the answer is read": (JUN, "/api/v1/bookings", 503),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_request_ends_with_an_answer_and_without_a_forgotten_task(
    client: ClientFor,
    cut: Callable[[], int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    email, path, status = CASES[case]
    http = client("yoga", email)
    assert http.get(path).status_code in (200, 403)
    ended: list[int] = []

    def and_cut(member: Any) -> Any:
        if not ended:
            ended.append(cut())
        return member_view(member)

    monkeypatch.setattr("coursecove.tenants.guards.member_view", and_cut)
    with caplog.at_level(logging.DEBUG, "asyncio"):
        answer: httpx.Response = http.get(path)
        assert ended[0] >= 1
        assert answer.status_code == status, answer.text
        assert _complaints(caplog) == []
    # And the next one finds a connection that works.
    assert http.get(path).status_code in (200, 403)


def test_what_went_wrong_first_is_what_is_told(
    loop: Loop, database: Database, yoga: School, cut: Callable[[], int]
) -> None:
    """The transaction is gone with the connection, so there is nothing to be said about undoing it."""

    async def refused() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            await session.execute(text("select 1"))
            assert cut() >= 1
            raise Conflict("Too late.")

    with pytest.raises(Conflict, match="Too late"):
        loop.run(refused())

    async def again() -> Any:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            return await session.scalar(text("select count(*) from members"))

    assert loop.run(again()) == len(yoga.members)


def test_what_could_not_be_committed_is_an_error(
    loop: Loop, database: Database, yoga: School, cut: Callable[[], int]
) -> None:
    """The control: only undoing is quiet."""

    async def done() -> None:
        async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
            await session.execute(text("select 1"))
            assert cut() >= 1

    with pytest.raises(OperationalError):
        loop.run(done())
