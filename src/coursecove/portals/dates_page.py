"""What the page of dates that differ shows: a month at a glance, and a list of what is planned."""

from __future__ import annotations

import calendar
import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments.schemas import LocationView
from coursecove.i18n import _
from coursecove.portals.dates_form import spans_of, whole_days
from coursecove.portals.hours_form import place_options
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import (
    ClosedDays,
    DayWindowView,
    Exceptions,
    OverrideView,
    TimeOffView,
    WindowView,
)

#: How far ahead the list reaches; time off is 400 days at the longest.
AHEAD = timedelta(days=800)


def planned_span() -> tuple[datetime, datetime]:
    """Return the time whose exceptions are listed: from now on."""
    now = clock.now()
    return now, now + AHEAD


def time_off_words(time_off: TimeOffView, zone: str) -> str:
    """Return "Thu 24 Dec", "Thu 24 Dec to Fri 1 Jan" or "Thu 24 Dec, 14:00 to 18:00"."""
    days = whole_days(time_off, zone)
    if days is not None:
        first, last = (formatting.day(one) for one in days)
        return first if days[0] == days[1] else _("{first} to {last}").format(first=first, last=last)
    starts, ends = time_off.starts_at, time_off.ends_at
    first, last = formatting.day(starts, zone), formatting.day(ends, zone)
    if first == last:
        return f"{first}, {formatting.time_range(starts, ends, zone)}"
    return _("{first} to {last}").format(
        first=f"{first}, {formatting.time(starts, zone)}", last=f"{last}, {formatting.time(ends, zone)}"
    )


async def dates_context(
    session: AsyncSession,
    member_id: uuid.UUID,
    *,
    zone: str,
    places: Sequence[LocationView],
    href: str,
    month: str,
    chosen: str,
    code_of: Callable[[uuid.UUID], str],
) -> dict[str, Any]:
    """Return the month and the list; ``month`` is "2026-12" as it stands in the address, or nothing."""
    now = clock.now()
    today = formatting.local(now, zone).date()
    first = _first_of(month, chosen, today)
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    from_, until = planned_span()
    # One read for both: from the first day of the month, or now, to the end of what is listed.
    month_from, month_until = scheduling.local_span(zone, first, last)
    found = (
        await scheduling.exceptions_of_many(
            session, [member_id], from_=min(from_, month_from), until=max(until, month_until)
        )
    )[member_id]
    closed = await scheduling.closed_days(session, from_=month_from, until=month_until)
    week = await scheduling.hours_of(session, member_id)
    names = {place.id: place.name for place in places}
    used = {window.location_id for windows in found.overrides.values() for window in windows}
    return {
        "month": _month(first, last, today, zone, week, found, closed, names, href=href, chosen=chosen),
        "planned": _planned(found, today, now, zone, names, href=href, code_of=code_of),
        "places": place_options(places, used),
        "today": today.isoformat(),
    }


def _first_of(month: str, chosen: str, today: date) -> date:
    for text in (month, chosen[:7]):
        try:
            found = date.fromisoformat(f"{text}-01")
        except ValueError:
            continue
        if 2000 <= found.year <= 2200:
            return found
    return today.replace(day=1)


def _month(
    first: date,
    last: date,
    today: date,
    zone: str,
    week: Sequence[WindowView],
    found: Exceptions,
    closed: Sequence[ClosedDays],
    names: dict[uuid.UUID, str],
    *,
    href: str,
    chosen: str,
) -> dict[str, Any]:
    weeks = []
    for days in calendar.Calendar().monthdatescalendar(first.year, first.month):
        row: list[dict[str, Any]] = []
        for one in days:
            if one.month != first.month:
                row.append({"number": one.day, "outside": True})
                continue
            state, words = _state(one, zone, week, found, closed, names)
            row.append(
                {
                    "number": one.day,
                    "outside": False,
                    "state": state,
                    "label": f"{formatting.day_long(one)}: {words}",
                    "words": words,
                    "href": f"{href}?on={one.isoformat()}#one-date",
                    "today": one == today,
                    "current": one.isoformat() == chosen,
                }
            )
        weeks.append(row)
    before, after = first - timedelta(days=1), last + timedelta(days=1)
    return {
        "name": formatting.month(first),
        "weekdays": [
            {"short": formatting.weekday(number, "abbreviated"), "long": formatting.weekday(number)}
            for number in range(1, 8)
        ],
        "weeks": weeks,
        "previous_href": f"{href}?month={before:%Y-%m}#month",
        "next_href": f"{href}?month={after:%Y-%m}#month",
        "legend": [
            {"state": "hours", "label": _("Weekly hours")},
            {"state": "differs", "label": _("Other hours")},
            {"state": "off", "label": _("Off")},
            {"state": "closed", "label": _("School closed")},
        ],
    }


def _state(
    one: date,
    zone: str,
    week: Sequence[WindowView],
    found: Exceptions,
    closed: Sequence[ClosedDays],
    names: dict[uuid.UUID, str],
) -> tuple[str, str]:
    """Return how a day is marked, and what it is in words: closure before override before the week."""
    closure = next(
        (days for days in closed if days.location_id is None and days.starts_on <= one <= days.ends_on), None
    )
    if closure is not None:
        return "closed", _("the school is closed, {name}").format(name=closure.name)
    starts_at, ends_at = scheduling.local_span(zone, one, one)
    away = [off for off in found.time_off if off.starts_at < ends_at and off.ends_at > starts_at]
    if any(off.starts_at <= starts_at and off.ends_at >= ends_at for off in away):
        return "off", _("time off")
    windows: Sequence[WindowView | DayWindowView]
    if one in found.overrides:
        windows = found.overrides[one]
        if not windows:
            return "off", _("day off")
        return "differs", formatting.listed(spans_of(windows, names))
    windows = [window for window in week if window.weekday == one.isoweekday()]
    words = formatting.listed(spans_of(windows, names)) if windows else _("no hours")
    if away and windows:
        return "differs", _("{hours}, without {time_off}").format(
            hours=words, time_off=formatting.listed([time_off_words(off, zone) for off in away])
        )
    return ("hours" if windows else "none"), words


def _planned(
    found: Exceptions,
    today: date,
    now: datetime,
    zone: str,
    names: dict[uuid.UUID, str],
    *,
    href: str,
    code_of: Callable[[uuid.UUID], str],
) -> list[dict[str, Any]]:
    """Return what is planned from today on, by date."""
    rows: list[tuple[date, dict[str, Any]]] = []
    for on_date, windows in found.overrides.items():
        if on_date >= today:
            override = OverrideView(on_date, windows)
            rows.append((on_date, _override_row(override, names, href=href)))
    for off in found.time_off:
        if off.ends_at > now:
            row = {
                "when": time_off_words(off, zone),
                "what": off.reason or _("Time off"),
                "kind": {"label": _("Time off"), "kind": "warning"},
                "edit_href": None,
                "field": {"name": "time_off", "value": code_of(off.id)},
                "remove": "time-off/remove",
            }
            rows.append((formatting.local(off.starts_at, zone).date(), row))
    return [row for _date, row in sorted(rows, key=lambda item: item[0])]


def _override_row(override: OverrideView, names: dict[uuid.UUID, str], *, href: str) -> dict[str, Any]:
    return {
        "when": formatting.day(override.on_date),
        "what": formatting.listed(spans_of(override.windows, names)) or _("Not teaching"),
        "kind": {"label": _("Other hours"), "kind": "info"}
        if override.windows
        else {"label": _("Day off"), "kind": "warning"},
        "edit_href": f"{href}?on={override.on_date.isoformat()}#one-date",
        "field": {"name": "on_date", "value": override.on_date.isoformat()},
        "remove": "dates/remove",
    }
