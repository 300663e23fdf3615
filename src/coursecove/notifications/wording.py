"""Words fit for a mail: times always with their zone, because a mail is read anywhere, and harmless names."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from coursecove.text import one_line

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

# Not strftime: its names of days and months follow the machine's locale.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip


def time_span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return "Tuesday 24 November 2026, 16:00–16:45 Berlin time (UTC+1)".

    When clocks change in between, both ends carry their offset.
    """
    start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (starts_at, ends_at))
    last_day = "" if end.date() == start.date() else f"{_day(end)}, "
    if start.utcoffset() == end.utcoffset():
        return (
            f"{_day(start)}, {start:%H:%M}–{last_day}{end:%H:%M} {zone_name(zone)}{_offset_note(start, zone)}"
        )
    return (
        f"{_day(start)}, {start:%H:%M} ({_offset(start)})–{last_day}{end:%H:%M} ({_offset(end)}) "
        f"{zone_name(zone)}"
    )


def moment_in_words(moment: datetime, zone: str) -> str:
    """Return "Tuesday 24 November 2026, 16:00 Berlin time (UTC+1)"."""
    here = moment.astimezone(ZoneInfo(zone))
    return f"{_day(here)}, {here:%H:%M} {zone_name(zone)}{_offset_note(here, zone)}"


def short_start(starts_at: datetime, zone: str, *, with_zone: bool) -> str:
    """Return "Tue 24 Nov, 16:00", followed by "Berlin time" if asked for; for a subject."""
    here = starts_at.astimezone(ZoneInfo(zone))
    text = f"{_DAYS[here.weekday()][:3]} {here.day} {_MONTHS[here.month - 1][:3]}, {here:%H:%M}"
    return f"{text} {zone_name(zone)}" if with_zone else text


def plain_line(text: str) -> str:
    """Return text fit for a header or a calendar property: one line without control characters."""
    return one_line(_CONTROL.sub(" ", text))


def zone_name(zone: str) -> str:
    """Return "New York time" for America/New_York, and "UTC" for UTC."""
    if zone in ("UTC", "Etc/UTC"):
        return "UTC"
    return zone.rpartition("/")[2].replace("_", " ") + " time"


def _day(here: datetime) -> str:
    return f"{_DAYS[here.weekday()]} {here.day} {_MONTHS[here.month - 1]} {here.year}"


def _offset_note(here: datetime, zone: str) -> str:
    return "" if zone_name(zone) == "UTC" else f" ({_offset(here)})"


def _offset(here: datetime) -> str:
    minutes = (here.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
