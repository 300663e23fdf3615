"""Words fit for a mail: times always with their zone, because a mail is read anywhere, and harmless names."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from coursecove import formatting
from coursecove.i18n import _
from coursecove.text import one_line

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def time_span(starts_at: datetime, ends_at: datetime, zone: str) -> str:
    """Return "Tuesday 24 November 2026, 16:00–16:45 Berlin time (UTC+1)".

    When clocks change in between, both ends carry their offset.
    """
    start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (starts_at, ends_at))
    first_day = formatting.day_long(start.date())
    last_day = "" if end.date() == start.date() else f"{formatting.day_long(end.date())}, "
    if start.utcoffset() == end.utcoffset():
        span = f"{start:%H:%M}–{last_day}{end:%H:%M}"
        return f"{first_day}, {span} {zone_name(zone)}{_offset_note(start, zone)}"
    from_, until = formatting.offset(start, zone), formatting.offset(end, zone)
    return f"{first_day}, {start:%H:%M} ({from_})–{last_day}{end:%H:%M} ({until}) {zone_name(zone)}"


def moment_in_words(moment: datetime, zone: str) -> str:
    """Return "Tuesday 24 November 2026, 16:00 Berlin time (UTC+1)"."""
    here = moment.astimezone(ZoneInfo(zone))
    return f"{formatting.day_long(here.date())}, {here:%H:%M} {zone_name(zone)}{_offset_note(here, zone)}"


def short_start(starts_at: datetime, zone: str, *, with_zone: bool) -> str:
    """Return "Tue 24 Nov, 16:00", followed by "Berlin time" if asked for; for a subject."""
    here = starts_at.astimezone(ZoneInfo(zone))
    text = f"{formatting.day(here.date(), year=False)}, {here:%H:%M}"
    return f"{text} {zone_name(zone)}" if with_zone else text


def plain_line(text: str) -> str:
    """Return text fit for a header or a calendar property: one line without control characters."""
    return one_line(_CONTROL.sub(" ", text))


def zone_name(zone: str) -> str:
    """Return "New York time" for America/New_York, and "UTC" for UTC."""
    if zone in ("UTC", "Etc/UTC"):
        return "UTC"
    return _("{zone} time").format(zone=formatting.zone_name(zone))


def _offset_note(moment: datetime, zone: str) -> str:
    return "" if zone_name(zone) == "UTC" else f" ({formatting.offset(moment, zone)})"
