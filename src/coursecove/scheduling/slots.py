"""The slot engine: one set of rules that offers a time and accepts it.

Everything `offers` lists, `accepts` accepts; everything `accepts` refuses, `offers` does not list. Both ask the
same functions below. Source of the rules: "Scheduling semantics" of the product description.

- Intervals are half-open. Instants outside are aware datetimes, answers are UTC; inside they are whole seconds.
- Hours are wall-clock minutes in the schedule's zone. The *taught* time lies within one window. Windows of one
  weekday and one location that touch or overlap count as one window; windows never join across midnight or
  between locations.
- Starts are anchored to the start of that joined window (12:00-13:00 with 13:00-14:00 and 45 minutes: 12:00 and
  12:45) and follow one another in elapsed time.
- Daylight saving: an edge in a gap moves to the change; a window that meets a repeated hour spans both passes.
- Buffers keep neighbours apart (gap at least the one's after plus the other's before) and may reach past the
  edges of a window: nobody needs a break from a closed door.
- Minimum notice is elapsed time; the horizon counts whole local days of the schedule's zone, the last one
  included.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from heapq import nsmallest
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from coursecove.scheduling import zones
from coursecove.scheduling.zones import DAY, MINUTE

Interval = tuple[int, int]
"""A half-open interval in whole seconds since 1970 UTC; an empty one blocks nothing."""

Busy = Mapping[UUID, Sequence[Interval]]
"""Blocked time per instructor, in any order: each interval already carries its own appointment's buffers."""

_MIDNIGHT = 1440
_LONGEST_HORIZON_DAYS = 36_500

# Openings of a weekday: pairs of wall-clock minutes, apart from one another and in order. Monday is the first
# of seven.
_Day = tuple[tuple[int, int], ...]
_Week = tuple[_Day, ...]


class Rules(Struct, frozen=True):
    """What an appointment type asks of a time. ValueError when a number makes no sense.

    A start interval of None means one duration. A horizon of 0 days means today only.
    """

    duration_minutes: int
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    start_interval_minutes: int | None = None
    minimum_notice_minutes: int = 0
    horizon_days: int = 60

    def __post_init__(self) -> None:
        if self.duration_minutes <= 0:
            _refuse("a lesson lasts at least a minute")
        if self.start_interval_minutes is not None and self.start_interval_minutes <= 0:
            _refuse("starts are at least a minute apart")
        if min(self.buffer_before_minutes, self.buffer_after_minutes, self.minimum_notice_minutes) < 0:
            _refuse("buffers and notice cannot be negative")
        if not 0 <= self.horizon_days <= _LONGEST_HORIZON_DAYS:
            _refuse(f"the horizon is 0 to {_LONGEST_HORIZON_DAYS} days")

    @property
    def duration(self) -> int:
        """Seconds taught."""
        return self.duration_minutes * MINUTE

    @property
    def buffer_before(self) -> int:
        """Seconds kept free before the lesson."""
        return self.buffer_before_minutes * MINUTE

    @property
    def buffer_after(self) -> int:
        """Seconds kept free after the lesson."""
        return self.buffer_after_minutes * MINUTE

    @property
    def start_interval(self) -> int:
        """Seconds from one possible start to the next."""
        minutes = self.duration_minutes if self.start_interval_minutes is None else self.start_interval_minutes
        return minutes * MINUTE


class Window(Struct, frozen=True):
    """Weekly hours: `weekday` is ISO (Monday 1), minutes count from midnight, 1440 is the next midnight.

    The caller leaves out windows at locations the appointment type is not taught at. ValueError when out of
    range.
    """

    weekday: int
    starts_minute: int
    ends_minute: int
    location_id: UUID | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.weekday <= 7:
            _refuse("a weekday is 1 (Monday) to 7 (Sunday)")
        if not 0 <= self.starts_minute < self.ends_minute <= _MIDNIGHT:
            _refuse("hours start before they end, within 0 to 1440")


class Schedule(Struct, frozen=True):
    """An instructor's weekly hours, meant in `time_zone` (an IANA name). One schedule per instructor."""

    instructor_id: UUID
    time_zone: str
    windows: tuple[Window, ...]


class Openings(Struct, frozen=True):
    """Free starts of one instructor at one location: instants, ascending, without repeats. See `slots`."""

    instructor_id: UUID
    location_id: UUID | None
    starts: Sequence[int]


class Slot(Struct, frozen=True, gc=False):
    """A bookable time in UTC: taught from `starts_at` to `ends_at`, blocked, buffers included, around it."""

    starts_at: datetime
    ends_at: datetime
    blocked_from: datetime
    blocked_until: datetime
    instructor_id: UUID
    location_id: UUID | None


class Reason(StrEnum):
    """Why a time is refused. When several apply, the first in this order is given."""

    TOO_SOON = "too_soon"
    TOO_FAR = "too_far"
    OUTSIDE_HOURS = "outside_hours"
    NOT_ON_GRID = "not_on_grid"
    # Before TAKEN: a student who sends the form twice meets their own lesson, not somebody else's.
    STUDENT_BUSY = "student_busy"
    TAKEN = "taken"


class Refusal(Struct, frozen=True):
    """The answer of `accepts` to a time that cannot be booked."""

    reason: Reason


def offers(
    rules: Rules,
    schedules: Iterable[Schedule],
    busy: Busy,
    *,
    from_: datetime,
    until: datetime,
    now: datetime,
    student_busy: Sequence[Interval] = (),
) -> list[Slot]:
    """Every bookable time that starts in [from_, until), by start, then instructor, then location.

    `student_busy` is the student's own taught time, without buffers. ValueError for a datetime without a zone.
    """
    found = offer_starts(rules, schedules, busy, from_=from_, until=until, now=now, student_busy=student_busy)
    return slots(rules, found)


def offer_starts(
    rules: Rules,
    schedules: Iterable[Schedule],
    busy: Busy,
    *,
    from_: datetime,
    until: datetime,
    now: datetime,
    student_busy: Sequence[Interval] = (),
) -> list[Openings]:
    """The answer of `offers` before an object is made per time: for long ranges and for `free_days`."""
    first, stop, now_at = zones.to_instant(from_), zones.to_instant(until), zones.to_instant(now)
    student = sorted(student_busy)
    found: list[Openings] = []
    for schedule in schedules:
        earliest, latest = _bounds(rules, schedule.time_zone, now_at)
        earliest, latest = max(earliest, first), min(latest, stop)
        if earliest >= latest:
            continue
        blocked = sorted(busy.get(schedule.instructor_id, ()))
        days = (zones.utc_day(earliest) - 1, zones.utc_day(latest) + 1)  # local days differ by one at most
        for location_id, week in _weeks(schedule.windows):
            starts = _candidates(rules, week, schedule.time_zone, *days)
            starts = starts[bisect_left(starts, earliest) : bisect_left(starts, latest)]
            free = _beside_lessons(rules, starts, blocked)
            free = _beside_students_lessons(rules, free, student)
            if free:
                found.append(Openings(schedule.instructor_id, location_id, free))
    return found


def accepts(
    rules: Rules,
    schedule: Schedule,
    busy: Busy,
    starts_at: datetime,
    *,
    now: datetime,
    student_busy: Sequence[Interval] = (),
    location_id: UUID | UnsetType | None = UNSET,
) -> Slot | Refusal:
    """The slot that starts then, or why there is none. ValueError for a datetime without a zone.

    `location_id` matters to an instructor whose hours at two locations overlap; left unset, the lowest one that
    fits is given. Staff who are exempt from the notice pass rules without it.
    """
    start = zones.to_instant(starts_at)
    earliest, latest = _bounds(rules, schedule.time_zone, zones.to_instant(now))
    if start < earliest:
        return Refusal(Reason.TOO_SOON)
    if start >= latest:
        return Refusal(Reason.TOO_FAR)
    held = [
        (at, grid)
        for at, week in _weeks(schedule.windows)
        if location_id is UNSET or location_id == at
        for day in range(zones.utc_day(start) - 1, zones.utc_day(start) + 2)
        for grid in _grids(rules, week, schedule.time_zone, day)
        if grid and grid.start <= start < grid.stop
    ]
    if not held:
        return Refusal(Reason.OUTSIDE_HOURS)
    # A fraction of a second was rounded up to reach `start`; no start has one.
    matching = [] if starts_at.microsecond else [at for at, grid in held if start in grid]
    if not matching:
        return Refusal(Reason.NOT_ON_GRID)
    if not _beside_students_lessons(rules, (start,), sorted(student_busy)):
        return Refusal(Reason.STUDENT_BUSY)
    if not _beside_lessons(rules, (start,), sorted(busy.get(schedule.instructor_id, ()))):
        return Refusal(Reason.TAKEN)
    return slots(rules, [Openings(schedule.instructor_id, matching[0], (start,))])[0]


def slots(rules: Rules, openings: Iterable[Openings]) -> list[Slot]:
    """Openings as slots, sorted like `offers` (no location comes first); `rules` are those that found them."""
    groups = sorted(openings, key=lambda group: (group.instructor_id, *_location_order(group.location_id)))
    before, taught = timedelta(seconds=rules.buffer_before), timedelta(seconds=rules.duration)
    blocked = taught + timedelta(seconds=rules.buffer_after)
    made = []
    for start, index in sorted((start, index) for index, group in enumerate(groups) for start in group.starts):
        at, group = zones.to_datetime(start), groups[index]
        made.append(Slot(at, at + taught, at - before, at + blocked, group.instructor_id, group.location_id))
    return made


def free_days(openings: Iterable[Openings], time_zone: str) -> set[date]:
    """The local days of the viewer's zone on which something starts."""
    days: set[int] = set()
    for group in openings:
        position = 0
        while position < len(group.starts):
            day = zones.local_day(time_zone, group.starts[position])
            days.add(day)
            position = bisect_left(group.starts, zones.closing(time_zone, day, _MIDNIGHT), position + 1)
    return {date.fromordinal(day) for day in days}


def nearest(found: Iterable[Slot], wanted: datetime, count: int, *, now: datetime) -> list[Slot]:
    """At most `count` slots still ahead, closest to the wanted start first; of two as close, the earlier.

    The same time with two instructors is two slots.
    """
    ahead = (slot for slot in found if slot.starts_at >= now)
    return nsmallest(count, ahead, key=lambda slot: (abs(slot.starts_at - wanted), slot.starts_at))


def _bounds(rules: Rules, time_zone: str, now: int) -> Interval:
    """The instants between which a lesson may start: notice and horizon."""
    last_day = zones.local_day(time_zone, now) + rules.horizon_days
    return now + rules.minimum_notice_minutes * MINUTE, zones.closing(time_zone, last_day, _MIDNIGHT)


@lru_cache(maxsize=1024)
def _weeks(windows: tuple[Window, ...]) -> tuple[tuple[UUID | None, _Week], ...]:
    """Joined windows per location, in the order of the locations."""
    days: dict[UUID | None, list[list[tuple[int, int]]]] = {}
    for window in sorted(windows, key=lambda window: window.starts_minute):
        day = days.setdefault(window.location_id, [[] for _ in range(7)])[window.weekday - 1]
        if day and window.starts_minute <= day[-1][1]:
            day[-1] = (day[-1][0], max(day[-1][1], window.ends_minute))
        else:
            day.append((window.starts_minute, window.ends_minute))
    return tuple((at, tuple(tuple(day) for day in days[at])) for at in sorted(days, key=_location_order))


def _location_order(location_id: UUID | None) -> tuple[bool, int]:
    return (False, 0) if location_id is None else (True, location_id.int)


def _grid(opening: int, closing: int, rules: Rules) -> range:
    """Where a lesson may start in one window; the stop follows the last instant at which it fits."""
    return range(opening, closing - rules.duration + 1, rules.start_interval)


def _grids(rules: Rules, week: _Week, time_zone: str, day: int) -> list[range]:
    """Per window of a local day the instants at which a lesson may start; a range is empty if none fits."""
    return [
        _grid(zones.opening(time_zone, day, start), zones.closing(time_zone, day, end), rules)
        for start, end in week[(day - 1) % 7]  # ordinal 1 is a Monday
    ]


def _candidates(rules: Rules, week: _Week, time_zone: str, first: int, last: int) -> list[int]:
    """Every start the hours allow in the weeks that hold these local days, ascending, without repeats."""
    # In a week without a change of clocks every start is a constant away from Monday's midnight. Asking for
    # each day instead made a year five times slower.
    pattern = [
        at
        for index, day in enumerate(week)
        for start, end in day
        for at in _grid(index * DAY + start * MINUTE, index * DAY + end * MINUTE, rules)
    ]
    starts: list[int] = []
    for monday in range(first - (first - 1) % 7, last + 1, 7):
        midnight = zones.plain_week(time_zone, monday)
        if midnight is not None:
            starts += [midnight + at for at in pattern]
            continue
        grids = [grid for day in range(monday, monday + 7) for grid in _grids(rules, week, time_zone, day)]
        # A set, because windows that both meet a repeated hour run into one another there.
        starts += sorted({at for grid in grids for at in grid})
    return starts


def _beside_lessons(rules: Rules, starts: Sequence[int], blocked: Sequence[Interval]) -> Sequence[int]:
    return _without(starts, blocked, before=rules.buffer_before, after=rules.duration + rules.buffer_after)


def _beside_students_lessons(
    rules: Rules, starts: Sequence[int], student_busy: Sequence[Interval]
) -> Sequence[int]:
    # Buffers are the instructor's: a student may walk from one lesson straight into the next.
    return _without(starts, student_busy, before=0, after=rules.duration)


def _without(starts: Sequence[int], busy: Sequence[Interval], *, before: int, after: int) -> Sequence[int]:
    """The starts whose [start - before, start + after) meets nothing busy; both sequences ascend."""
    if not busy:
        return starts
    free: list[int] = []
    position = 0
    for begin, end in busy:
        if end <= begin:
            continue
        hit = bisect_right(starts, begin - after, position)
        if hit > position:
            free += starts[position:hit]
        position = bisect_left(starts, end + before, hit)
    free += starts[position:]
    return free


def _refuse(message: str) -> None:
    raise ValueError(message)
