"""The dates of a series in every zone whose clocks change: the wall clock stays, and no time is invalid."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from coursecove.bookings.series_planning import at_wall_clock, dates_of, wall_clock

YEAR = 2031
MINUTES = (0, 30, 60, 90, 120, 150, 180, 600, 1380, 1439)


def _changes(name: str) -> list[date]:
    """The local dates of a year on which a zone's clocks change, and the days around them."""
    zone = ZoneInfo(name)
    start = datetime(YEAR, 1, 1, tzinfo=UTC)
    offsets = [(start + timedelta(hours=hour)).astimezone(zone).utcoffset() for hour in range(366 * 24)]
    hours = [hour for hour in range(1, len(offsets)) if offsets[hour] != offsets[hour - 1]]
    days = {(start + timedelta(hours=hour)).astimezone(zone).date() for hour in hours}
    return sorted({day + timedelta(days=shift) for day in days for shift in (-1, 0, 1)})


# Zones that share their rules share their answers; one of each is enough, and there are dozens.
def _zones() -> list[str]:
    seen: dict[tuple[object, ...], str] = {}
    start = datetime(YEAR, 1, 1, tzinfo=UTC)
    for name in sorted(zone for zone in available_timezones() if "/" in zone):
        zone = ZoneInfo(name)
        key = tuple((start + timedelta(hours=6 * step)).astimezone(zone).utcoffset() for step in range(366 * 4))
        if len(set(key)) > 1:
            seen.setdefault(key, name)
    return list(seen.values())


ZONES = _zones()


def test_there_are_zones_whose_clocks_change() -> None:
    assert len(ZONES) > 20
    # Half an hour, and the south.
    assert {"Australia/LHI", "Australia/Lord_Howe"} & set(ZONES)


@pytest.mark.parametrize("name", ZONES)
def test_a_series_keeps_the_wall_clock_and_names_no_invalid_time(name: str) -> None:
    """Shown is what was meant; a minute that the clocks skip is the first valid instant after it."""
    zone = ZoneInfo(name)
    for day in _changes(name):
        for minute in MINUTES:
            starts_at = at_wall_clock(day, minute, name)
            shown = starts_at.astimezone(zone)
            meant = datetime(day.year, day.month, day.day, minute // 60, minute % 60)
            exists = any(
                meant.replace(tzinfo=zone, fold=fold).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
                == meant
                for fold in (0, 1)
            )
            if exists:
                assert shown.replace(tzinfo=None) == meant
                # Shown twice: the first of both.
                assert starts_at == meant.replace(tzinfo=zone, fold=0).astimezone(UTC)
            else:
                # The change itself: a second before, the clock showed less than was meant, and then more.
                assert shown.replace(tzinfo=None) > meant
                before = (starts_at - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
                assert before < meant
            # What is read from the wall is what was written on it.
            if exists:
                assert wall_clock(starts_at, name) == (day, minute)


def test_dates_are_weeks_apart_whatever_the_clocks_do() -> None:
    found = dates_of(date(YEAR, 3, 4), every_weeks=2, times=10)
    assert {(later - earlier).days for earlier, later in pairwise(found)} == {14}
