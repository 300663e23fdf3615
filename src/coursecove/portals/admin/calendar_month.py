"""A month of the school's calendar: its weeks, and what stands on each day."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from coursecove import formatting
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.calendar_board import days_between
from coursecove.portals.admin.calendar_filters import CalendarFilters
from coursecove.portals.admin.calendar_words import closure_note, entry_words
from coursecove.scheduling.schemas import ClosedDays

# More would make a week higher than a screen; the day has them all.
_SHOWN = 3


def weeks_of(
    filters: CalendarFilters,
    entries: Sequence[CalendarEntry],
    closed: Sequence[ClosedDays],
    *,
    zone: str,
    places: Mapping[uuid.UUID, str],
    entry_href: Callable[[CalendarEntry], str],
) -> list[list[dict[str, Any]]]:
    """Return the weeks of the month as rows of seven days."""
    by_day: dict[date, list[CalendarEntry]] = {}
    for entry in entries:
        by_day.setdefault(formatting.local(entry.starts_at, zone).date(), []).append(entry)
    days = [
        _day(filters, day, by_day.get(day, []), closed, zone=zone, places=places, entry_href=entry_href)
        for day in days_between(filters.first, filters.last)
    ]
    return [days[index : index + 7] for index in range(0, len(days), 7)]


def _day(
    filters: CalendarFilters,
    day: date,
    entries: Sequence[CalendarEntry],
    closed: Sequence[ClosedDays],
    *,
    zone: str,
    places: Mapping[uuid.UUID, str],
    entry_href: Callable[[CalendarEntry], str],
) -> dict[str, Any]:
    count = len(entries)
    words = (
        ngettext("{number} lesson", "{number} lessons", count).format(number=count)
        if count
        else _("no lessons")
    )
    closures = [
        closure_note(days, places)
        for days in closed
        if days.starts_on <= day <= days.ends_on
        and (filters.location_id is None or days.location_id in (None, filters.location_id))
    ]
    return {
        "number": day.day,
        "iso": day.isoformat(),
        "label": ", ".join([formatting.day_long(day), words, *closures]),
        "href": filters.day_href(day),
        "outside": day.month != filters.on.month,
        "today": day == filters.today,
        "closed": closures,
        "count": count,
        "entries": [{**entry_words(entry, zone), "href": entry_href(entry)} for entry in entries[:_SHOWN]],
        "more": count - _SHOWN if count > _SHOWN else 0,
    }
