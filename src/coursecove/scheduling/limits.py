"""How soon, how far ahead, and how many: the rules that count minutes, days and lessons."""

from collections.abc import Sequence
from datetime import date
from operator import sub

from coursecove.scheduling import zones
from coursecove.scheduling.intervals import Interval
from coursecove.scheduling.rules import Booked, Reason, Rules, Schedule
from coursecove.scheduling.zones import DAY, MINUTE

_MIDNIGHT = 1440
_ALWAYS, _NEVER = -(1 << 62), 1 << 62
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1).toordinal(), date(9000, 1, 1).toordinal()


class Reach:
    """The instants between which a lesson may start: notice, horizon, term."""

    __slots__ = ("farthest", "soonest", "term_from", "term_until")

    def __init__(self, rules: Rules, time_zone: str, now: int) -> None:
        today = zones.local_day(time_zone, now)
        last_day = today + rules.horizon_days
        self.soonest = now + rules.minimum_notice_minutes * MINUTE
        self.farthest = zones.closing(time_zone, last_day, _MIDNIGHT)
        self.term_from, self.term_until = _ALWAYS, _NEVER
        if rules.bookable_from is not None:
            day = rules.bookable_from.toordinal()
            self.term_from = _edge(day) or zones.opening(time_zone, day, 0)
        if rules.bookable_until is not None:
            day = rules.bookable_until.toordinal()
            self.term_until = _edge(day) or zones.closing(time_zone, day, _MIDNIGHT)


def _edge(day: int) -> int | None:
    # Days at the ends of the calendar have no neighbours to compute with, and mean always and never.
    return _ALWAYS if day < _FIRST_DAY else _NEVER if day > _LAST_DAY else None


def reasons_of_reach(reach: Reach, start: int, now: int) -> list[tuple[Reason, bool]]:
    """The rules about the start alone, each with whether it is broken."""
    return [
        (Reason.PAST, start < now),
        (Reason.TOO_SOON, now <= start < reach.soonest),
        (Reason.TOO_FAR, start >= reach.farthest),
        (Reason.OUTSIDE_TERM, not reach.term_from <= start < reach.term_until),
    ]


def full_periods(rules: Rules, schedule: Schedule, booked: Booked) -> list[Interval]:
    """The local days and weeks that hold as many lessons as they may, ascending by their beginning."""
    of, zone = schedule.instructor_id, schedule.time_zone
    full = students_full_periods(rules, zone, booked)
    if rules.day_limit is not None or rules.week_limit is not None:
        starts = booked.starts_of_type.get(of, ())
        full = [*full, *_full(starts, rules.day_limit, rules.week_limit, zone)]
    if schedule.day_limit is not None or schedule.week_limit is not None:
        starts = booked.starts_of_all_types.get(of, ())
        full = [*full, *_full(starts, schedule.day_limit, schedule.week_limit, zone)]
    full.sort()
    return full


def students_full_periods(rules: Rules, time_zone: str, booked: Booked) -> list[Interval]:
    """The local days and weeks in which the student has as many lessons of the type as they may."""
    if rules.student_day_limit is None and rules.student_week_limit is None:
        return []
    return _full(booked.starts_of_student, rules.student_day_limit, rules.student_week_limit, time_zone)


def _full(
    unsorted: Sequence[int], day_limit: int | None, week_limit: int | None, time_zone: str
) -> list[Interval]:
    starts = sorted(unsorted)
    full: list[Interval] = []
    for limit, days in ((day_limit, 1), (week_limit, 7)):
        if limit is None or len(starts) < limit:
            continue
        # A full period holds as many starts as allowed, so that the first is no further from the last than the
        # period is long, and an hour or two more where the clocks change. Few are; only those are looked at
        # with the calendar, and of each period only its first.
        length = days * DAY + 2 * 60 * MINUTE
        lasts = starts[limit - 1 :]
        if min(map(sub, lasts, starts)) >= length:
            continue
        closes = _ALWAYS
        for begin, last in [pair for pair in zip(starts, lasts, strict=False) if pair[1] - pair[0] < length]:
            if begin >= closes:
                opens, closes = _period(time_zone, begin, days)
                if last < closes:
                    full.append((opens, closes))
    return full


def _period(time_zone: str, instant: int, days: int) -> Interval:
    """The local day (1) or ISO week (7) that holds an instant."""
    day = zones.local_day(time_zone, instant)
    if days == 7:
        day -= (day - 1) % 7  # ordinal 1 is a Monday
    return zones.opening(time_zone, day, 0), zones.closing(time_zone, day + days - 1, _MIDNIGHT)
