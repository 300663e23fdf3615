"""When people work in a window of time, whatever is booked: what calendars shade and free capacity counts in.

Closure before override before weekly hours, cut to the opening hours of the
place, without time off.  What a *type* asks of a time is the engine's business
(:mod:`coursecove.scheduling.slots`); here nothing is offered.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.scheduling import zones
from coursecove.scheduling.closures import closed_days
from coursecove.scheduling.exceptions import exceptions_of_many
from coursecove.scheduling.intervals import Interval, between, common, union
from coursecove.scheduling.location_hours import opening_hours_of_many
from coursecove.scheduling.schemas import ClosedDays, Exceptions, OpeningWindowView, TimeOffView, WindowView
from coursecove.scheduling.weekly_hours import hours_of_many


class WorkingTime(Struct, frozen=True):
    """Somebody is there to teach; without a location wherever a lesson's type is taught."""

    starts_at: datetime
    ends_at: datetime
    location_id: uuid.UUID | None


class WorkingTimes(Struct, frozen=True):
    """What keeps a school's people working or away in a window of time, by instructor, in order."""

    working: dict[uuid.UUID, list[WorkingTime]]
    time_off: dict[uuid.UUID, list[TimeOffView]]
    # Around the window, as :func:`~coursecove.scheduling.closures.closed_days` gives them.
    closed: list[ClosedDays]


async def working_times(
    session: AsyncSession,
    zone_of: Mapping[uuid.UUID, str],
    *,
    place_zones: Mapping[uuid.UUID, str],
    from_: datetime,
    until: datetime,
) -> WorkingTimes:
    """Return when each of the instructors in ``zone_of`` works in ``[from_, until)``, in five queries.

    ``zone_of`` and ``place_zones`` name the zones of the instructors and of the
    school's locations, archived ones too.
    """
    hours = await hours_of_many(session, list(zone_of))
    exceptions = await exceptions_of_many(session, list(zone_of), from_=from_, until=until)
    closed = await closed_days(session, from_=from_, until=until)
    opening = await opening_hours_of_many(session, list(place_zones))
    window = (zones.to_instant(from_), zones.to_instant(until))
    days = range(zones.utc_day(window[0]) - 1, zones.utc_day(window[1]) + 2)
    open_at = {
        place: union(_week_in(zone, opening[place], days)) if opening[place] else None
        for place, zone in place_zones.items()
    }
    working: dict[uuid.UUID, list[WorkingTime]] = {}
    for member_id, zone in zone_of.items():
        own = exceptions[member_id]
        away = [(zones.to_instant(off.starts_at), zones.to_instant(off.ends_at)) for off in own.time_off]
        found: list[tuple[int, int, uuid.UUID | None]] = []
        for start, end, place in _windows(zone, hours.get(member_id, ()), own, days):
            at = place_zones.get(place, zone) if place else zone
            start, end = max(start, window[0]), min(end, window[1])
            if start >= end:
                continue
            kept_free = common(union([*away, *_closed_at(closed, place, at)]), [(start, end)])
            spans = between(kept_free, start, end)
            inside = open_at.get(place) if place else None
            found += [(*span, place) for span in (spans if inside is None else common(spans, inside))]
        working[member_id] = [
            WorkingTime(zones.to_datetime(start), zones.to_datetime(end), place)
            for start, end, place in sorted(found, key=lambda item: item[:2])
        ]
    return WorkingTimes(working, {member_id: exceptions[member_id].time_off for member_id in zone_of}, closed)


def _windows(
    zone: str, weekly: Sequence[WindowView], exceptions: Exceptions, days: Iterable[int]
) -> Iterator[tuple[int, int, uuid.UUID | None]]:
    """Yield the hours of each local day: those of its date where it has its own, else the week's."""
    for day in days:
        own = exceptions.overrides.get(date.fromordinal(day))
        for window in own if own is not None else [w for w in weekly if w.weekday == (day - 1) % 7 + 1]:
            yield (
                zones.opening(zone, day, window.starts_minute),
                zones.closing(zone, day, window.ends_minute),
                window.location_id,
            )


def _week_in(zone: str, weekly: Sequence[OpeningWindowView], days: Iterable[int]) -> list[Interval]:
    return [
        (zones.opening(zone, day, window.starts_minute), zones.closing(zone, day, window.ends_minute))
        for day in days
        for window in weekly
        if window.weekday == (day - 1) % 7 + 1
    ]


def _closed_at(closed: Iterable[ClosedDays], place: uuid.UUID | None, zone: str) -> Iterator[Interval]:
    """Yield when the school or the place is closed; days are local to where the lesson would be."""
    for days in closed:
        if days.location_id in (None, place):
            yield (
                zones.opening(zone, days.starts_on.toordinal(), 0),
                zones.opening(zone, days.ends_on.toordinal() + 1, 0),
            )
