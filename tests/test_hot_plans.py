"""What is asked for all the time reads no growing table from end to end, with the policies on.

Not timed: plans are facts.  Seen to fail: without `sessions_by_start` (and with
`&&` on `during` instead of bounds on both sides) the second test is red.
"""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from benchmarks import hot, world
from benchmarks.world import School
from coursecove.config import Settings
from coursecove.db.session import Database
from coursecove.dev.postgres import EmbeddedPostgres

BUSY = School("hot-busy", instructors=20, students=200, bookings=500, past_days=60, rooms=4)
OTHERS = [School(f"hot-{number}", students=5, bookings=20) for number in range(120)]
BEGINS = world.begins_at()
VERBS = [verb.name for verb in hot.hot_verbs(BUSY, BEGINS)]


@pytest.fixture(scope="module")
def crowded(empty_settings: Settings, postgres: EmbeddedPostgres) -> Settings:
    """A database with a busy school among many small ones."""
    name = empty_settings.database_url.rpartition("/")[2]
    administrator = postgres.superuser_url.rpartition("/")[0] + "/" + name
    with psycopg.connect(administrator, autocommit=True) as connection:
        world.load(connection, [BUSY, *OTHERS], BEGINS)
    return empty_settings


async def _sent(settings: Settings, verb: hot.Hot) -> list[hot.Sent]:
    database = Database(settings)
    try:
        return await hot.sent_by(database, BUSY, verb)
    finally:
        await database.close()


@pytest.mark.parametrize("name", VERBS)
def test_a_hot_verb_reads_no_growing_table_from_end_to_end(crowded: Settings, name: str) -> None:
    [verb] = [verb for verb in hot.hot_verbs(BUSY, BEGINS) if verb.name == name]
    sent = asyncio.run(_sent(crowded, verb))
    assert sent, "the verb asked nothing: the test would prove nothing"
    with psycopg.connect(crowded.database_url, autocommit=True) as connection:
        plans = [
            explained(connection, BUSY, verb.role, question)
            for question in sent
            for explained in (hot.plan, hot.kept_plan)
        ]
    read = {table for plan in plans for _kind, table in hot.scans(plan)}
    assert read & hot.GROWING, "no growing table was asked at all"
    assert [hot.whole_table_reads(plan) for plan in plans] == [set()] * len(plans)


def test_an_overlap_asked_for_with_the_range_operator_would_have_been_noticed(crowded: Settings) -> None:
    """The control: under a policy, && is a filter over all rows of the organization."""
    naive = hot.Sent("select id from sessions where during && tstzrange(now(), now() + interval '1 day')", {})
    with psycopg.connect(crowded.database_url, autocommit=True) as connection:
        connection.execute("set enable_bitmapscan = off; set enable_indexscan = off")
        assert hot.whole_table_reads(hot.plan(connection, BUSY, "admin", naive)) == {"sessions"}
