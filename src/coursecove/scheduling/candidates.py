"""From hours to the starts they allow.

Candidates depend on hours alone, so what a plain week allows is kept between requests, as offsets from Monday's
midnight: tens of numbers per schedule, type and place. Only weeks in which the clocks change, and days with an
override, are computed one by one.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from uuid import UUID

from msgspec import Struct

from coursecove.scheduling import zones
from coursecove.scheduling.intervals import Interval, between, union, without
from coursecove.scheduling.rules import Hours, Place, Rules, Schedule, Window
from coursecove.scheduling.zones import DAY, MINUTE

_MIDNIGHT = 1440

# Openings of a day: pairs of wall-clock minutes, apart from one another and in order. A week is seven of them,
# Monday first; an override is one, under the ordinal of its date.
_Day = tuple[tuple[int, int], ...]
_Week = tuple[_Day, ...]
_NEVER: _Week = ((),) * 7


class LocalHours(Struct, frozen=True):
    """Somebody's hours at one location, joined where they touch."""

    location_id: UUID | None
    week: _Week
    overrides: Mapping[int, _Day]

    def on(self, day: int) -> _Day:
        """The hours of a local day, given as its ordinal."""
        return self.overrides.get(day, self.week[(day - 1) % 7])  # ordinal 1 is a Monday


def hours_of(schedule: Schedule) -> list[LocalHours]:
    """A schedule's hours per location, in the order of the locations (none comes first)."""
    weeks = _weeks(schedule.windows)
    if not schedule.overrides:
        return [LocalHours(at, week, {}) for at, week in weeks]
    by_location: dict[UUID | None, dict[int, _Day]] = {at: {} for at, _ in weeks}
    days = {on.toordinal(): _days(hours) for on, hours in schedule.overrides.items()}
    for openings in days.values():
        for at in openings:
            by_location.setdefault(at, {})
    week_of = dict(weeks)
    for at, overrides in by_location.items():
        overrides.update({day: openings.get(at, ()) for day, openings in days.items()})
    return [
        LocalHours(at, week_of.get(at, _NEVER), by_location[at])
        for at in sorted(by_location, key=location_order)
    ]


def candidates(
    rules: Rules, hours: LocalHours, time_zone: str, place: Place | None, *, first: int, last: int
) -> Sequence[int]:
    """Every start the hours allow in the weeks that hold these local days, ascending, without repeats.

    The opening hours of the place count here when it shares the schedule's zone; else see `shut`.
    """
    # In a week without a change of clocks every start is a constant away from Monday's midnight. Asking for
    # each day instead made a year five times slower.
    opens = _weeks_of_place(place.opens) if place is not None and _shares(place, time_zone) else None
    grid = (rules.duration, rules.start_interval)
    pattern, ends = _pattern(hours.week, opens, *grid)
    differing = sorted(hours.overrides, reverse=True)
    starts: list[int] = []
    for monday in range(first - (first - 1) % 7, last + 1, 7):
        while differing and differing[-1] < monday:
            differing.pop()
        midnight = zones.plain_week(time_zone, monday)
        if midnight is None:
            found = {
                at
                for day in range(monday, monday + 7)
                for run in grids(rules, hours, time_zone, day)
                for at in run
            }
            # A set, because windows that both meet a repeated hour run into one another there.
            week: Sequence[int] = sorted(found)
            if opens is not None and place is not None:
                week = without(week, _shut(place, monday, monday + 6), before=0, after=rules.duration)
            starts += week
            continue
        position = 0
        while differing and differing[-1] < monday + 7:
            index = differing.pop() - monday
            # What the week says up to the day before, then the day, then what the week says from the next on.
            starts += [midnight + at for at in pattern[position : ends[index]]]
            position = ends[index + 1]
            day = hours.overrides[monday + index]
            starts += [midnight + at for at in _pattern_of_day(day, index, opens, *grid)]
        starts += [midnight + at for at in (pattern[position:] if position else pattern)]
    return starts


def grids(rules: Rules, hours: LocalHours, time_zone: str, day: int) -> list[range]:
    """Per window of a local day the instants at which a lesson may start; a range is empty if none fits."""
    return [
        _grid(zones.opening(time_zone, day, start), zones.closing(time_zone, day, end), *_of(rules))
        for start, end in hours.on(day)
    ]


def shut(place: Place, time_zone: str | None, first: int, stop: int) -> list[Interval]:
    """When nothing may be taught at a place, from one instant to another: closed days and closed hours.

    With the zone of a schedule, the opening hours that `candidates` sees to already are left out.
    """
    days = (zones.utc_day(first) - 1, zones.utc_day(stop) + 1)
    closed = closures(place, *days)
    if place.opens and not (time_zone is not None and _shares(place, time_zone)):
        closed += _shut(place, *days)
    return union(closed)


def closures(place: Place, first: int, last: int) -> list[Interval]:
    """The closures of a place that meet these local days."""
    return [
        (
            zones.opening(place.time_zone, max(closure.starts_on.toordinal(), first), 0),
            zones.closing(place.time_zone, min(closure.ends_on.toordinal(), last), _MIDNIGHT),
        )
        for closure in place.closures
        if closure.starts_on.toordinal() <= last and closure.ends_on.toordinal() >= first
    ]


def shut_hours(place: Place, first: int, last: int) -> list[Interval]:
    """Outside the opening hours of a place on these local days; nothing when it is always open."""
    return _shut(place, first, last) if place.opens else []


def location_order(location_id: UUID | None) -> tuple[bool, int]:
    """A key that sorts locations, none first."""
    return (False, 0) if location_id is None else (True, location_id.int)


def _shares(place: Place, time_zone: str) -> bool:
    return bool(place.opens) and place.time_zone == time_zone


def _shut(place: Place, first: int, last: int) -> list[Interval]:
    # Two days more on either side: another zone's day may be that far away.
    week = _weeks_of_place(place.opens)
    days = range(first - 2, last + 3)
    opened = union(
        (zones.opening(place.time_zone, day, start), zones.closing(place.time_zone, day, end))
        for day in days
        for start, end in week[(day - 1) % 7]
    )
    return between(
        opened, zones.opening(place.time_zone, days[0], 0), zones.closing(place.time_zone, days[-1], _MIDNIGHT)
    )


def _joined(windows: Iterable[Window] | Iterable[Hours]) -> _Day:
    day: list[tuple[int, int]] = []
    for start, end in sorted((window.starts_minute, window.ends_minute) for window in windows):
        if day and start <= day[-1][1]:
            day[-1] = (day[-1][0], max(day[-1][1], end))
        else:
            day.append((start, end))
    return tuple(day)


@lru_cache(maxsize=1024)
def _weeks(windows: tuple[Window, ...]) -> tuple[tuple[UUID | None, _Week], ...]:
    """Joined windows per location, in the order of the locations."""
    locations = sorted({window.location_id for window in windows}, key=location_order)
    return tuple(
        (
            at,
            tuple(
                _joined(window for window in windows if window.location_id == at and window.weekday == weekday)
                for weekday in range(1, 8)
            ),
        )
        for at in locations
    )


@lru_cache(maxsize=1024)
def _weeks_of_place(opens: tuple[Window, ...]) -> _Week:
    return tuple(_joined(window for window in opens if window.weekday == weekday) for weekday in range(1, 8))


@lru_cache(maxsize=4096)
def _days(hours: tuple[Hours, ...]) -> dict[UUID | None, _Day]:
    locations = {window.location_id for window in hours}
    return {at: _joined(window for window in hours if window.location_id == at) for at in locations}


def _of(rules: Rules) -> tuple[int, int]:
    return rules.duration, rules.start_interval


def _grid(opening: int, closing: int, duration: int, interval: int) -> range:
    """Where a lesson may start in one window; the stop follows the last instant at which it fits."""
    return range(opening, closing - duration + 1, interval)


@lru_cache(maxsize=2048)
def _pattern(
    week: _Week, opens: _Week | None, duration: int, interval: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The starts of a plain week, in seconds after Monday's midnight, and where each day's end among them."""
    starts: list[int] = []
    ends = [0]
    for index, day in enumerate(week):
        starts += _pattern_of_day(day, index, opens, duration, interval)
        ends.append(len(starts))
    return tuple(starts), tuple(ends)


@lru_cache(maxsize=8192)
def _pattern_of_day(
    day: _Day, index: int, opens: _Week | None, duration: int, interval: int
) -> tuple[int, ...]:
    midnight = index * DAY
    starts = (
        at
        for start, end in day
        for at in _grid(midnight + start * MINUTE, midnight + end * MINUTE, duration, interval)
    )
    if opens is None:
        return tuple(starts)
    # Hours of a schedule never cross midnight, so neither the day before nor the day after is asked.
    opened = union((midnight + start * MINUTE, midnight + end * MINUTE) for start, end in opens[index])
    begins = [begin for begin, _ in opened]
    return tuple(
        at
        for at in starts
        if (position := bisect_right(begins, at)) and at + duration <= opened[position - 1][1]
    )
