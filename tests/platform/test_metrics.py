"""Prometheus sees what operators see: counters that move, gauges that are the ledger's."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import psycopg
import pytest

from coursecove.app import CourseCove, create_app
from coursecove.config import Settings
from coursecove.resources import Resources
from coursecove.webhooks import gauges
from tests.platform.inbox import Inbox, work_on
from tests.serving import Loop, free_port, serving


@pytest.fixture
def _always_fresh(app: CourseCove, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "FRESH_SECONDS", 0.0)
    # What was read before may be kept for a while yet.
    app.platform.state.pop("webhook_gauges", None)


def scrape(address: str) -> dict[str, float]:
    """Return every sample about webhooks, by name and labels."""
    text = httpx.get(f"{address}/metrics", trust_env=False, timeout=20).raise_for_status().text
    found = re.findall(r"^(coursecove_webhook\S*(?: \S+)*) (\S+)$", text, re.MULTILINE)
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
    assert "coursecove_requests_total" in text
