"""Times in mails: with the zone, across midnight and across a change of clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coursecove.notifications.rendering import readable_on
from coursecove.notifications.wording import moment_in_words, short_start, time_span

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "hours", "zone", "words"),
    [
        ("2031-03-04T13:00Z", 1, "Europe/Berlin", "Tuesday 4 March 2031, 14:00–15:00 Berlin time (UTC+1)"),
        ("2031-03-04T13:00Z", 1, "Asia/Kolkata", "Tuesday 4 March 2031, 18:30–19:30 Kolkata time (UTC+5:30)"),
        ("2031-03-04T13:00Z", 1, "America/New_York", "Tuesday 4 March 2031, 08:00–09:00 New York time (UTC-5)"),
        (
            "2031-03-04T13:00Z",
            1,
            "America/St_Johns",
            "Tuesday 4 March 2031, 09:30–10:30 St Johns time (UTC-3:30)",
        ),
        ("2031-03-04T13:00Z", 1, "UTC", "Tuesday 4 March 2031, 13:00–14:00 UTC"),
        (
            "2031-03-04T22:30Z",
            1,
            "Europe/Berlin",
            "Tuesday 4 March 2031, 23:30–Wednesday 5 March 2031, 00:30 Berlin time (UTC+1)",
        ),
        (
            "2031-10-26T00:30Z",
            1,
            "Europe/Berlin",
            "Sunday 26 October 2031, 02:30 (UTC+2)–02:30 (UTC+1) Berlin time",
        ),
        ("2031-10-26T01:30Z", 1, "Europe/Berlin", "Sunday 26 October 2031, 02:30–03:30 Berlin time (UTC+1)"),
    ],
)
def test_a_span_names_its_zone(start: str, hours: int, zone: str, words: str) -> None:
    moment = datetime.fromisoformat(start)
    assert time_span(moment, moment + hours * HOUR, zone) == words


def test_a_moment_and_a_short_start() -> None:
    moment = datetime(2031, 12, 3, 15, tzinfo=UTC)
    assert moment_in_words(moment, "Europe/Berlin") == "Wednesday 3 December 2031, 16:00 Berlin time (UTC+1)"
    assert short_start(moment, "Europe/Berlin", with_zone=False) == "Wed 3 Dec, 16:00"
    assert short_start(moment, "Europe/Berlin", with_zone=True) == "Wed 3 Dec, 16:00 Berlin time"


@pytest.mark.parametrize(
    ("color", "foreground"),
    [("#4f46e5", "#ffffff"), ("#0f766e", "#ffffff"), ("#fde047", "#111114"), ("#ffffff", "#111114")],
)
def test_a_button_is_readable_on_any_brand(color: str, foreground: str) -> None:
    assert readable_on(color) == foreground
