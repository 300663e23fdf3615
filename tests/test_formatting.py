"""Dates, times and money in words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from coursecove import formatting

Travel = Callable[[datetime], None]
BERLIN = "Europe/Berlin"


def test_a_day_is_named_with_its_year_only_when_it_is_another_one(travel: Travel) -> None:
    travel(datetime(2026, 12, 30, 12, tzinfo=UTC))
    assert formatting.day(date(2026, 12, 31)) == "Thu 31 Dec"
    assert formatting.day(date(2027, 1, 1)) == "Fri 1 Jan 2027"


def test_today_is_decided_in_the_readers_zone(travel: Travel) -> None:
    travel(datetime(2026, 6, 1, 22, 30, tzinfo=UTC))
    lesson = datetime(2026, 6, 2, 8, 0, tzinfo=UTC)
    assert formatting.day_near(lesson, BERLIN) == "Today"
    assert formatting.day_near(lesson, "America/New_York") == "Tomorrow"


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "02:30 (UTC+2)"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "02:30 (UTC+1)"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=UTC), "03:30"),
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "03:30"),
    ],
)
def test_the_repeated_hour_shows_its_offset_and_no_other_does(instant: datetime, shown: str) -> None:
    assert formatting.time(instant, BERLIN) == shown


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(45, "45 min"), (60, "1 h"), (90, "1 h 30 min"), (0, "0 min"), (600, "10 h")],
)
def test_durations_read_as_people_say_them(minutes: int, words: str) -> None:
    assert formatting.duration(minutes) == words


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "0 minutes"),
        (1, "1 minute"),
        (30, "30 minutes"),
        (60, "1 hour"),
        (90, "90 minutes"),
        (720, "12 hours"),
        (1440, "24 hours"),
        (2880, "2 days"),
        (2160, "36 hours"),
    ],
)
def test_a_notice_uses_the_largest_unit_that_is_exact(minutes: int, words: str) -> None:
    assert formatting.notice(minutes) == words


@pytest.mark.parametrize(
    ("cents", "currency", "words"),
    [
        (4500, "EUR", "€45"),
        (4550, "EUR", "€45.50"),
        (123456789, "USD", "$1,234,567.89"),
        (5000, "JPY", "¥5,000"),
        (4500, "SEK", "SEK 45"),
        (0, "EUR", "Free"),
        (None, "EUR", ""),
    ],
)
def test_money_is_shown_without_useless_zeros(cents: int | None, currency: str, words: str) -> None:
    assert formatting.money(cents, currency) == words


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Ida Berg", "IB"),
        ("Tomás Rey", "TR"),
        ("Cher", "C"),
        ("Anna-Lena Maria Groß", "AG"),
        ("", "?"),
        ("(?)", "?"),
    ],
)
def test_initials_are_the_first_and_the_last_name(name: str, letters: str) -> None:
    assert formatting.initials(name) == letters


def test_zones_are_named_as_people_name_them() -> None:
    assert formatting.zone_name("America/New_York") == "New York"
    assert formatting.zone_name("America/Argentina/Buenos_Aires") == "Buenos Aires"
    moment = datetime(2026, 7, 1, tzinfo=UTC)
    assert formatting.offset(moment, "Asia/Kolkata") == "UTC+5:30"
    assert formatting.offset(moment, "America/St_Johns") == "UTC-2:30"
    assert formatting.same_clock(moment, BERLIN, "Europe/Paris")
    assert not formatting.same_clock(moment, BERLIN, "Europe/London")
