"""Prometheus sees what operators see: counters that move, gauges that are the ledger's."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import psycopg
import pytest

from coursecove.app import CourseCove, create_app, stored_gauges
from coursecove.config import Settings
from coursecove.db import gauges
from coursecove.resources import Resources
from tests.platform.inbox import Inbox, work_on
from tests.serving import Loop, free_port, serving


@pytest.fixture
def _always_fresh(app: CourseCove, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "FRESH_SECONDS", 0.0)
    # What was read before may be kept for a while yet.
    state = app.platform.state
    state.gauges = stored_gauges(state.resources.database)


def scrape(address: str) -> dict[str, float]:
    """Return every sample about webhooks and reconciliation, by name and labels."""
    text = httpx.get(f"{address}/metrics", trust_env=False, timeout=20).raise_for_status().text
    found = re.findall(r"^(coursecove_(?:webhook|reconciliation)\S*(?: \S+)*) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def events(group: str, path: str, status: str, outcome: str) -> str:
    return (
        f'coursecove_webhook_events_total{{outcome="{outcome}",path="{path}",'
        f'status="{status}",type_group="{group}"}}'
    )


def moved(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


@pytest.mark.usefixtures("_always_fresh")
def test_every_event_is_counted_by_group_path_status_and_outcome(
    address: str, inbox: Inbox, resources: Resources, loop: Loop
) -> None:
    before = scrape(address)
    done = inbox.completed()
    inbox.completed(message_id=done)
    inbox.failed()
    inbox.send("surprise.happened", {"id": "x"})
    waiting = inbox.waiting()
    inbox.send_body(b"not json")
    inbox.change("update webhook_events set next_attempt_at = now() where message_id = %s", waiting)
    loop.run(work_on(resources, waiting))
    changed = moved(before, scrape(address))
    assert changed[events("user", "fast", "completed", "applied")] == 1
    assert changed[events("user", "fast", "duplicate", "none")] == 1
    assert changed[events("user", "fast", "failed", "none")] == 1
    assert changed[events("other", "fast", "completed", "ignored")] == 1
    assert changed[events("other", "fast", "failed", "none")] == 1
    assert changed[events("organizationMembership", "fast", "pending", "none")] == 1
    # The worker's part; here in the same process.
    assert changed[events("organizationMembership", "queue", "pending", "none")] == 1
    assert changed['coursecove_webhook_processing_seconds_count{path="fast"}'] == 4
    assert changed['coursecove_webhook_processing_seconds_count{path="queue"}'] == 1


@pytest.mark.usefixtures("_always_fresh")
def test_gauges_are_what_the_ledger_holds(address: str, inbox: Inbox) -> None:
    empty = scrape(address)
    assert empty["coursecove_webhook_ledger_up"] == 1
    assert empty['coursecove_webhook_ledger_events{status="failed"}'] == 0
    assert empty["coursecove_webhook_ledger_oldest_open_seconds"] == 0
    inbox.failed()
    inbox.failed()
    inbox.waiting()
    inbox.change(
        "update webhook_events set received_at = now() - interval '10 minutes' where status = 'pending'"
    )
    full = scrape(address)
    assert full['coursecove_webhook_ledger_events{status="failed"}'] == 2
    assert full['coursecove_webhook_ledger_events{status="pending"}'] == 1
    assert full["coursecove_webhook_ledger_waiting"] == 1
    assert 600 <= full["coursecove_webhook_ledger_oldest_open_seconds"] < 630


@pytest.mark.usefixtures("_always_fresh")
def test_the_last_hour_is_counted_whoever_did_the_work(address: str, inbox: Inbox) -> None:
    """Workers answer no scrape; what they did is in the ledger."""
    for number in range(3):
        inbox.completed(message_id=f"msg_{number}")
    inbox.send("surprise.happened", {"id": "x"})
    inbox.change("update webhook_events set path = 'queue' where message_id in ('msg_0', 'msg_1')")
    inbox.change("update webhook_events set processed_at = received_at + interval '1.5 s'")
    found = {name: value for name, value in scrape(address).items() if "last_hour" in name}
    labels = 'outcome="applied",path="{}",status="completed",type_group="user"'
    assert found == {
        f"coursecove_webhook_last_hour_events{{{labels.format('queue')}}}": 2,
        f"coursecove_webhook_last_hour_events{{{labels.format('fast')}}}": 1,
        'coursecove_webhook_last_hour_events{outcome="ignored",path="fast",status="completed",'
        'type_group="other"}': 1,
        'coursecove_webhook_last_hour_seconds{quantile="0.5"}': 1.5,
        'coursecove_webhook_last_hour_seconds{quantile="0.99"}': 1.5,
    }
    inbox.empty()
    assert not [name for name in scrape(address) if "last_hour" in name]


def test_gauges_are_read_once_in_a_while_however_often_one_asks(address: str, inbox: Inbox) -> None:
    time.sleep(gauges.FRESH_SECONDS)
    first = scrape(address)
    inbox.failed()
    again = scrape(address)
    name = 'coursecove_webhook_ledger_events{status="failed"}'
    assert again[name] == first[name] == 0


def _run(settings: Settings, scope: str, ended: str | None, error: str | None = None, **changes: int) -> None:
    """Write down a run of the instance or of a school; `ended` is how long ago."""
    columns = "".join(f", {name}" for name in changes)
    values = "".join(f", {number}" for number in changes.values())
    with psycopg.connect(settings.database_platform_url) as connection:
        connection.execute(
            "insert into reconciliations (organization_id, requested_at, started_at, finished_at, error"
            f"{columns}) select (select id from organizations where %(scope)s = 'school' order by slug "
            "limit 1), now() - interval '9 days', now() - interval '9 days', now() - %(ended)s::interval, "
            "%(error)s"
            f"{values}",
            {"scope": scope, "ended": ended, "error": error},
        )


@pytest.fixture
def _no_runs(settings: Settings) -> Iterator[None]:
    yield
    with psycopg.connect(settings.database_owner_url) as connection:
        connection.execute("truncate reconciliations")


@pytest.mark.usefixtures("_always_fresh", "_no_runs")
def test_reconciliation_says_what_it_repaired_and_when_it_ended(address: str, settings: Settings) -> None:
    prefix = "coursecove_reconciliation_"
    empty = {name: value for name, value in scrape(address).items() if name.startswith(prefix)}
    assert empty.pop(f"{prefix}up") == 1
    # Nothing ended, so there is no time of it.
    assert set(empty.values()) == {0}
    assert not [name for name in empty if "timestamp" in name]
    _run(settings, "instance", "2 hours", created=3, updated=2)
    _run(settings, "instance", "1 hour", created=1, removed=4)
    _run(settings, "school", "10 minutes", "2 could not be taken over", updated=5, skipped=2)
    # Too long ago to be counted, and still the last of its kind.
    _run(settings, "instance", "30 hours", "Clerk does not know 3 of the 3 schools here.", removed=100)
    _run(settings, "instance", None, created=7)
    found = {name.removeprefix(prefix): value for name, value in scrape(address).items() if "reconcil" in name}
    repairs = {"created": 11, "updated": 7, "removed": 4, "skipped": 2}
    assert {change: found[f'last_day_repairs{{change="{change}"}}'] for change in repairs} == repairs

    def of(name: str) -> dict[tuple[str, str], float]:
        return {
            (scope, outcome): found[f'{name}{{outcome="{outcome}",scope="{scope}"}}']
            for scope in ("instance", "school")
            for outcome in ("completed", "error")
            if f'{name}{{outcome="{outcome}",scope="{scope}"}}' in found
        }

    assert of("last_day_runs") == {
        ("instance", "completed"): 2,
        ("instance", "error"): 0,
        ("school", "completed"): 0,
        ("school", "error"): 1,
    }
    ages = {key: round((time.time() - at) / 60) for key, at in of("last_finished_timestamp_seconds").items()}
    assert ages == {("instance", "completed"): 60, ("instance", "error"): 1800, ("school", "error"): 10}
    assert (found['open_runs{scope="instance"}'], found['open_runs{scope="school"}']) == (1, 0)


@pytest.fixture
def locked_ledger(settings: Settings) -> Iterator[None]:
    """Nobody can read the ledger for the length of a test."""
    with psycopg.connect(settings.database_owner_url) as connection:
        connection.execute("lock table webhook_events in access exclusive mode")
        yield
        connection.rollback()


@pytest.mark.usefixtures("_always_fresh", "locked_ledger")
def test_a_slow_database_does_not_hang_a_scrape(address: str) -> None:
    for _ in range(3):
        started = time.monotonic()
        found = scrape(address)
        assert time.monotonic() - started < gauges.WAIT_SECONDS + 1
        assert found["coursecove_webhook_ledger_up"] == 0


def test_without_a_database_the_other_metrics_are_there(settings: Settings) -> None:
    port = free_port()
    away = replace(
        settings, database_platform_url=f"postgresql://nobody@127.0.0.1:{free_port()}/none", port=port
    )
    with serving(create_app(away), port) as address:
        text = httpx.get(f"{address}/metrics", trust_env=False, timeout=20).raise_for_status().text
    assert "coursecove_webhook_ledger_up 0.0" in text
    assert "coursecove_reconciliation_up 0.0" in text
    assert "coursecove_requests_total" in text
