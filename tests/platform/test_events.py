"""Operators find events, read what became of them, and have them processed again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest
from click.testing import CliRunner

from coursecove.config import Settings
from coursecove.dev.clerk.world import MUSIC_SCHOOL
from coursecove.resources import Resources
from coursecove.webhooks.commands import webhooks_group
from tests.platform.inbox import Inbox, work_on
from tests.portals.admin_pages import fields
from tests.portals.reading import hidden_fields, links, text_of
from tests.serving import Loop
from tests.webhooks.support import envelope, new_id, user

REPLAY = "/platform/webhooks/replay"


def listed(page: httpx.Response) -> list[str]:
    """Return the message ids of a list, in its order."""
    assert page.status_code == 200, page.status_code
    return [href.rpartition("/")[2] for href in links(page, r"^/platform/webhooks/msg_")]


@pytest.fixture
def everything(inbox: Inbox) -> dict[str, str]:
    """One event of each kind, in the order they came in."""
    ids = {
        "applied": inbox.completed(message_id="msg_applied"),
        "ignored": inbox.send("session.created", {"id": "sess_1"}, message_id="msg_ignored"),
        "failed": inbox.failed(message_id="msg_failed"),
        "waiting": inbox.waiting(message_id="msg_waiting"),
        "queued": inbox.completed(message_id="msg_queued"),
        "busy": inbox.completed(message_id="msg_busy"),
    }
    inbox.change("update webhook_events set path = 'queue' where message_id = 'msg_queued'")
    inbox.change(
        "update webhook_events set status = 'processing', lease_token = gen_random_uuid(), outcome = null, "
        "lease_expires_at = now() + interval '1 hour', processed_at = null where message_id = 'msg_busy'"
    )
    for days, name in enumerate(["busy", "queued", "waiting", "failed", "ignored", "applied"]):
        inbox.change(
            "update webhook_events set received_at = %s::timestamptz - make_interval(days => %s) "
            "where message_id = %s",
            "2026-03-20 12:00Z",
            days,
            ids[name],
        )
    return ids


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["failed", "busy", "queued", "waiting", "ignored", "applied"]),
        ("sort=newest", ["busy", "queued", "waiting", "failed", "ignored", "applied"]),
        ("sort=oldest", ["applied", "ignored", "failed", "waiting", "queued", "busy"]),
        ("status=failed", ["failed"]),
        ("status=pending", ["waiting"]),
        ("status=processing", ["busy"]),
        ("status=completed", ["queued", "ignored", "applied"]),
        ("status=nonsense", ["failed", "busy", "queued", "waiting", "ignored", "applied"]),
        ("outcome=ignored", ["ignored"]),
        ("outcome=superseded", []),
        ("type=user.updated&sort=oldest", ["applied", "queued", "busy"]),
        ("type=no.such", []),
        ("path=queue", ["queued"]),
        ("waiting=yes", ["waiting"]),
        ("waiting=no&status=pending", []),
        ("from=2026-03-19", ["busy", "queued"]),
        ("until=2026-03-16", ["ignored", "applied"]),
        ("from=2026-03-17&until=2026-03-17", ["failed"]),
        ("q=_wait", ["waiting"]),
        ("q=%25", []),
        (f"q={MUSIC_SCHOOL.clerk_id}", ["waiting"]),
        ("q=%00", ["failed", "busy", "queued", "waiting", "ignored", "applied"]),
    ],
)
def test_filters_stand_in_the_address(
    operator: httpx.Client, everything: dict[str, str], query: str, found: list[str]
) -> None:
    page = operator.get(f"/platform/webhooks?{query}")
    assert listed(page) == [everything[name] for name in found]
    if not found:
        assert "No event matches" in text_of(page)


def test_days_are_the_readers_own(operator: httpx.Client, everything: dict[str, str]) -> None:
    """Noon in London is the next day on Kiritimati."""
    page = operator.get(
        "/platform/webhooks?from=2026-03-21",
        headers={"Cookie": operator.headers["Cookie"] + "; tz=Pacific/Kiritimati"},
    )
    assert listed(page) == [everything["busy"]]
    assert "Sat 21 Mar, 02:00:00" in text_of(page)


def test_dates_that_cannot_be_read_narrow_nothing_and_are_said(
    operator: httpx.Client, everything: dict[str, str]
) -> None:
    page = operator.get("/platform/webhooks?from=yesterday")
    assert len(listed(page)) == len(everything)
    assert "Enter a date such as" in text_of(page)
    assert "before the first" in text_of(operator.get("/platform/webhooks?from=2026-03-02&until=2026-03-01"))


def test_long_lists_have_pages_that_keep_the_filters(operator: httpx.Client, inbox: Inbox) -> None:
    body = envelope("user.created", {})
    with inbox.connection() as connection:
        connection.execute(
            "insert into webhook_events (source, message_id, event_type, status, error, body, received_at) "
            "select 'clerk', 'msg_' || n, 'user.created', 'failed', 'why', %s, now() - n * interval '1 second' "
            "from generate_series(1, 60) as n",
            [body],
        )
    first = operator.get("/platform/webhooks?status=failed&sort=newest")
    assert "1 to 25 of 60" in text_of(first)
    (onward,) = links(first, r"page=2")
    assert "status=failed" in onward
    assert "sort=newest" in onward
    second = operator.get(onward)
    seen = listed(first) + listed(second) + listed(operator.get(onward.replace("page=2", "page=3")))
    assert seen == [f"msg_{n}" for n in range(1, 61)]
    beyond = operator.get(onward.replace("page=2", "page=9"))
    assert (beyond.status_code, "page=3" in beyond.headers["location"]) == (303, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("applied", ["Completed", "What it says was applied.", "Done in the request"]),
        ("ignored", ["Nothing here depends on events of this type."]),
        ("failed", ["Failed", "could not be read", "updated_at"]),
        ("waiting", ["Waiting", "Put aside", "It makes sense only after user_", "Next attempt"]),
        ("queued", ["Done by a worker"]),
        ("busy", ["Being processed"]),
    ],
)
def test_an_event_says_in_words_what_happened_to_it(
    operator: httpx.Client, everything: dict[str, str], name: str, said: list[str]
) -> None:
    page = operator.get(f"/platform/webhooks/{everything[name]}")
    assert page.status_code == 200
    shown = text_of(page)
    for words in [*said, everything[name], "svix-timestamp", "instance_id"]:
        assert words in shown, words
    assert bool(links(page, r"/replay\?message_ids=")) == (name != "busy")


def test_an_id_of_any_spelling_is_no_way_out_of_the_page(operator: httpx.Client, inbox: Inbox) -> None:
    odd = "<script>&'\"x"
    inbox.failed(message_id=odd)
    assert odd not in operator.get("/platform/webhooks").text
    page = operator.get(f"/platform/webhooks/{quote(odd, safe='')}")
    assert page.status_code == 200
    assert "<script>&" not in page.text
    assert operator.get("/platform/webhooks/%E2%82%AC").status_code == 404


def test_one_event_is_processed_again_by_a_form_that_asks_first(
    operator: httpx.Client, inbox: Inbox, resources: Resources, loop: Loop
) -> None:
    """The person arrives for real: a wrong row is put right by the replay."""
    person = new_id("user")
    message_id = inbox.send("user.created", user(person, given_name="Mia"))
    inbox.change("update users set given_name = 'Wrong', version = 0 where clerk_id = %s", person)
    page = operator.get(f"/platform/webhooks/{message_id}")
    (ask,) = links(page, r"/replay\?message_ids=")
    asked = operator.get(ask)
    assert "Replay 1 event" in text_of(asked)
    assert inbox.row(message_id)["status"] == "completed"
    done = operator.post(REPLAY, data={**fields(asked, REPLAY), **hidden_fields(asked)})
    assert (done.status_code, done.headers["location"]) == (303, f"/platform/webhooks/{message_id}")
    assert inbox.row(message_id)["status"] == "pending"
    loop.run(work_on(resources, message_id))
    assert (inbox.row(message_id)["status"], inbox.row(message_id)["path"]) == ("completed", "queue")
    with inbox.connection() as connection:
        assert connection.execute("select given_name from users where clerk_id = %s", [person]).fetchone() == (
            "Mia",
        )


def test_chosen_events_are_processed_again_and_busy_ones_left_alone(
    operator: httpx.Client, inbox: Inbox, everything: dict[str, str]
) -> None:
    chosen = [everything[name] for name in ("failed", "applied", "busy")]
    asked = operator.get(
        REPLAY, params={"message_ids": [*chosen, "msg_gone"], "return_to": "/platform/webhooks?q=m"}
    )
    assert sorted(fields(asked, REPLAY)["message_ids"]) == sorted(chosen)
    token = {"_csrf": hidden_fields(asked)["_csrf"]}
    done = operator.post(REPLAY, data={**token, **fields(asked, REPLAY)})
    assert done.headers["location"] == "/platform/webhooks?q=m"
    after = operator.get(
        done.headers["location"],
        headers={"Cookie": f"{operator.headers['Cookie']}; flash={done.cookies['flash']}"},
    )
    assert "2 events will be processed again. 1 event left out" in text_of(after)
    states = {name: inbox.row(message_id)["status"] for name, message_id in everything.items()}
    assert states["failed"] == states["applied"] == "pending"
    assert states["busy"] == "processing"
    assert states["ignored"] == "completed"


def test_all_that_failed_is_processed_again(
    operator: httpx.Client, inbox: Inbox, everything: dict[str, str], resources: Resources, loop: Loop
) -> None:
    asked = operator.get(f"{REPLAY}?failed=1")
    assert "One event has failed" in text_of(asked)
    operator.post(REPLAY, data={**hidden_fields(asked)})
    assert inbox.row(everything["failed"])["status"] == "pending"
    loop.run(work_on(resources, everything["failed"]))
    # Nothing about it has changed, so it fails again; but it was tried.
    row = inbox.row(everything["failed"])
    assert (row["status"], row["attempts"], row["path"]) == ("failed", 1, "queue")


def test_a_replay_needs_the_forms_token_and_its_fields_alone_and_stays_on_these_pages(
    operator: httpx.Client, inbox: Inbox, everything: dict[str, str]
) -> None:
    refused = operator.post(REPLAY, data={"failed": "1"})
    assert refused.status_code == 403
    assert inbox.row(everything["failed"])["status"] == "failed"
    token = hidden_fields(operator.get("/sign-out"))
    elsewhere = operator.post(REPLAY, data={**token, "failed": "1"}, headers={"Origin": "https://evil.example"})
    assert elsewhere.status_code == 403
    assert inbox.row(everything["failed"])["status"] == "failed"
    for path, more in ((REPLAY, {"failed": "1", "status": "completed"}), ("/sign-out", {"role": "admin"})):
        assert operator.post(path, data={**token, **more}).status_code == 400
    assert inbox.row(everything["failed"])["status"] == "failed"
    for target in ("https://evil.example", "//evil.example", "/admin"):
        answer = operator.post(REPLAY, data={**token, "message_ids": "msg_gone", "return_to": target})
        assert answer.headers["location"] == "/platform/webhooks"
    nothing = operator.get(REPLAY)
    assert (nothing.status_code, nothing.headers["location"]) == (303, "/platform/webhooks")


def test_the_overview_puts_failures_first_and_adds_up(
    operator: httpx.Client, inbox: Inbox, everything: dict[str, str]
) -> None:
    inbox.change("update webhook_events set received_at = now() - interval '2 hours' where status <> 'failed'")
    inbox.change(
        "update webhook_events set processed_at = received_at + interval '40 ms' where status = 'completed'"
    )
    page = operator.get("/platform")
    shown = text_of(page)
    assert listed(page)[0] == everything["failed"]
    for words in (
        "Failed 1",
        "Pending 1",
        "1 waiting for another",
        "Processing 1",
        "Schools 3",
        "Oldest open 2 h",
    ):
        assert words in shown, words
    assert "1 hour 0 0 – – – –" in shown
    # Of three that are done, one by a worker; the one that failed came in long ago.
    assert "24 hours 3 0 100.0 % 66.6 % 40 ms 40 ms" in shown


def test_schools_are_listed_with_what_failed_about_them(operator: httpx.Client, inbox: Inbox) -> None:
    inbox.waiting(message_id="msg_about_school")
    inbox.change("update webhook_events set status = 'failed', error = 'x', next_attempt_at = null")
    page = operator.get("/platform/schools")
    shown = text_of(page)
    assert "Harmony Music School , events" in shown
    assert "musicschool.coursecove.localhost" in shown
    (failed,) = links(page, r"status=failed")
    assert listed(operator.get(failed)) == ["msg_about_school"]
    assert "Stillwater Yoga" not in text_of(operator.get("/platform/schools?q=harm"))
    assert "No school matches" in text_of(operator.get("/platform/schools?q=100%25"))


def test_a_list_takes_as_many_queries_for_many_events_as_for_few(
    operator: httpx.Client, inbox: Inbox, statements: Callable[[Callable[[], object]], int]
) -> None:
    pages = ("/platform", "/platform/webhooks", "/platform/schools")
    inbox.failed()
    few = [statements(lambda path=path: operator.get(path)) for path in pages]  # type: ignore[misc]
    for _ in range(20):
        inbox.failed()
        inbox.waiting()
    many = [statements(lambda path=path: operator.get(path)) for path in pages]  # type: ignore[misc]
    assert many == few
    # The control: something was counted.
    assert min(few) >= 4


def test_times_are_told_to_the_second(operator: httpx.Client, inbox: Inbox) -> None:
    message_id = inbox.completed()
    received: datetime = inbox.row(message_id)["received_at"]
    assert f"{received.astimezone(UTC):%H:%M:%S}" in text_of(operator.get(f"/platform/webhooks/{message_id}"))


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--status failed", ["failed"]),
        ("--outcome ignored", ["ignored"]),
        ("--type user.updated --order oldest", ["applied", "queued", "busy"]),
        ("--path queue", ["queued"]),
        ("--waiting", ["waiting"]),
        ("--not-waiting --status pending", []),
        ("--from 2026-03-19 --until 2026-03-20T00:00:00+00:00", ["queued"]),
        ("--search _wait", ["waiting"]),
        ("--order failed --limit 2", ["failed", "busy"]),
        ("--limit 2 --page 3", ["ignored", "applied"]),
    ],
)
def test_the_command_line_takes_the_same_filters(
    settings: Settings, everything: dict[str, str], words: str, found: list[str]
) -> None:
    result = CliRunner().invoke(
        webhooks_group, ["list", "--json", *words.split()], obj={"settings": lambda: settings}
    )
    assert result.exit_code == 0, result.output
    page = json.loads(result.output.splitlines()[-1])
    assert [event["message_id"] for event in page["items"]] == [everything[name] for name in found]


def test_an_instant_that_cannot_be_read_is_refused_with_an_example(settings: Settings) -> None:
    words = ["list", "--from", "yesterday"]
    result = CliRunner().invoke(webhooks_group, words, obj={"settings": lambda: settings})
    assert result.exit_code == 2
    assert "2026-12-31" in result.output
