"""The engine against a slow and obvious one that walks through time minute by minute.

The reference knows nothing of offsets, weeks or bisection: it asks an aware datetime what the clock shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coursecove.scheduling.slots import (
    Busy,
    Interval,
    Refusal,
    Rules,
    Schedule,
    Slot,
    Window,
    accepts,
    free_days,
    offer_starts,
    offers,
)

MINUTE = timedelta(minutes=1)
LOCATIONS = (None, UUID(int=11), UUID(int=12))
INSTRUCTORS = (UUID(int=1), UUID(int=2))

# Days of interest per zone; on or next to most of them the clocks change.
MOMENTS = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25", "2026-06-07"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "America/Santiago": ("2026-04-05", "2026-09-06"),
    "Africa/Cairo": ("2026-04-24", "2026-10-30"),
    "Asia/Beirut": ("2026-03-29", "2026-10-25"),
    "America/Havana": ("2026-03-08", "2026-11-01"),
    "Pacific/Chatham": ("2026-04-05", "2026-09-27"),
    "Asia/Kolkata": ("2026-03-29",),
    "Pacific/Kiritimati": ("2026-06-07",),
    "Pacific/Pago_Pago": ("2026-06-07",),
}


@dataclass(frozen=True)
class School:
    """Everything the engine is asked with."""

    rules: Rules
    schedules: tuple[Schedule, ...]
    busy: Busy
    student_busy: Sequence[Interval]
    from_: datetime
    until: datetime
    now: datetime

    def offers(self) -> list[Slot]:
        return offers(
            self.rules,
            self.schedules,
            self.busy,
            from_=self.from_,
            until=self.until,
            now=self.now,
            student_busy=self.student_busy,
        )

    def accepts(self, schedule: Schedule, at: datetime, location_id: UUID | None) -> Slot | Refusal:
        return accepts(
            self.rules,
            schedule,
            self.busy,
            at,
            now=self.now,
            student_busy=self.student_busy,
            location_id=location_id,
        )


def halves(first: int, last: int) -> st.SearchStrategy[int]:
    """Minutes in steps of half an hour, so that neighbours touch often."""
    return st.integers(first, last).map(lambda half: half * 30)


@st.composite
def windows(draw: st.DrawFn, weekday: int) -> Window:
    """Hours on a weekday or next to it, often among the first of the day, where clocks change."""
    starts = draw(halves(0, 8) | halves(0, 8) | st.integers(0, 1400))
    ends = min(starts + draw(halves(1, 6) | halves(1, 6) | st.integers(1, 1440)), 1440)
    nearby = weekday + draw(st.sampled_from([0, 0, 0, -1, 1]))
    return Window(
        (nearby - 1) % 7 + 1, starts, ends, draw(st.sampled_from([None, None, None, None, *LOCATIONS]))
    )


@st.composite
def intervals(draw: st.DrawFn, midnight: datetime) -> Interval:
    begin = (
        int(midnight.timestamp())
        + draw(halves(-2, 20) | st.integers(-60, 600)) * 60
        + draw(st.sampled_from([0, 0, 1, -1]))
    )
    return begin, begin + draw(st.sampled_from([0, 1, 600, 1800, 3600, 5400, 40_000]))


@st.composite
def schools(draw: st.DrawFn) -> School:
    zone = draw(st.sampled_from(sorted(MOMENTS)))
    day = datetime.fromisoformat(draw(st.sampled_from(MOMENTS[zone])))
    midnight = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    rules = Rules(
        duration_minutes=draw(st.sampled_from([15, 30, 30, 45, 50, 60, 60, 90])),
        buffer_before_minutes=draw(st.sampled_from([0, 0, 5, 15])),
        buffer_after_minutes=draw(st.sampled_from([0, 0, 10, 30])),
        start_interval_minutes=draw(st.sampled_from([None, None, 7, 15, 60])),
        minimum_notice_minutes=draw(st.sampled_from([0, 0, 0, 1, 120, 1440])),
        horizon_days=draw(st.sampled_from([0, 1, 2, 2, 3, 60])),
    )
    hours = st.lists(windows(day.isoweekday()), min_size=2, max_size=8)
    schedules = [Schedule(INSTRUCTORS[0], zone, tuple(draw(hours)))]
    if draw(st.booleans()):
        other = draw(st.sampled_from(sorted(MOMENTS)))
        schedules.append(Schedule(INSTRUCTORS[1], other, tuple(draw(hours))))
    from_ = midnight + draw(st.integers(-26 * 60, 60)) * MINUTE
    now = midnight + draw(st.integers(-3000, -1440) | st.integers(-3000, 300)) * MINUTE
    return School(
        rules=rules,
        schedules=tuple(schedules),
        busy={of: draw(st.lists(intervals(midnight), max_size=4)) for of in INSTRUCTORS},
        student_busy=draw(st.lists(intervals(midnight), max_size=1)),
        from_=from_,
        until=from_ + draw(st.integers(26 * 60, 52 * 60) | st.integers(1, 52 * 60)) * MINUTE,
        now=now + timedelta(microseconds=draw(st.sampled_from([0, 0, 1, 30_000_000]))),
    )


@lru_cache(maxsize=20_000)
def clock_at(zone: str, minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, ZoneInfo(zone))


def spans(schedule: Schedule, location_id: UUID | None, around: range) -> list[tuple[int, int]]:
    """A schedule's windows as minutes since 1970, found by looking at the clock in each of them.

    A window is a run of wall-clock minutes with hours. It reaches from the first minute at which the clock
    shows one of them to the last.
    """
    hours: dict[int, set[int]] = {weekday: set() for weekday in range(1, 8)}
    for window in schedule.windows:
        if window.location_id == location_id:
            hours[window.weekday] |= set(range(window.starts_minute, window.ends_minute))
    shown: dict[tuple[date, int], list[int]] = {}
    for minute in around:
        clock = clock_at(schedule.time_zone, minute)
        of_day, of_window = clock.hour * 60 + clock.minute, hours[clock.isoweekday()]
        if of_day in of_window:
            first = of_day
            while first - 1 in of_window:
                first -= 1
            shown.setdefault((clock.date(), first), []).append(minute)
    return [(min(minutes), max(minutes) + 1) for minutes in shown.values()]


def overlap(start: datetime, end: datetime, other: Interval) -> bool:
    """Two half-open intervals share an instant; an empty one shares none."""
    return max(start.timestamp(), other[0]) < min(end.timestamp(), other[1])


def bookable(school: School, schedule: Schedule, start: datetime) -> bool:
    """The rules that do not depend on a window."""
    rules, zone = school.rules, ZoneInfo(schedule.time_zone)
    end = start + rules.duration_minutes * MINUTE
    blocked_from = start - rules.buffer_before_minutes * MINUTE
    blocked_until = end + rules.buffer_after_minutes * MINUTE
    last_day = school.now.astimezone(zone).date() + timedelta(days=rules.horizon_days)
    return (
        start - school.now >= rules.minimum_notice_minutes * MINUTE
        and start.astimezone(zone).date() <= last_day
        and not any(
            overlap(blocked_from, blocked_until, other) for other in school.busy[schedule.instructor_id]
        )
        and not any(overlap(start, end, other) for other in school.student_busy)
    )


def reference(school: School) -> Iterator[tuple[datetime, UUID, UUID | None]]:
    """Everything that may be offered, by trying each minute in each window."""
    rules = school.rules
    step = rules.start_interval_minutes or rules.duration_minutes
    minutes = range(int(school.from_.timestamp()) // 60, int(school.until.timestamp()) // 60)
    # A window of the range may begin a day of 25 hours before it and end as long after it.
    around = range(minutes.start - 1500, minutes.stop + 1500)
    windows_of = {
        (schedule, location_id): spans(schedule, location_id, around)
        for schedule in school.schedules
        for location_id in LOCATIONS
        if any(window.location_id == location_id for window in schedule.windows)
    }
    for minute in minutes:
        start = datetime.fromtimestamp(minute * 60, UTC)
        for (schedule, location_id), found in windows_of.items():
            fits = any(
                opens <= minute <= closes - rules.duration_minutes and (minute - opens) % step == 0
                for opens, closes in found
            )
            if fits and bookable(school, schedule, start):
                yield start, schedule.instructor_id, location_id


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(unhurried, max_examples=150)
@given(schools())
def test_the_engine_offers_exactly_what_the_reference_finds(school: School) -> None:
    found = [(slot.starts_at, slot.instructor_id, slot.location_id) for slot in school.offers()]
    assert found == list(reference(school))


@settings(unhurried, max_examples=80)
@given(schools())
def test_everything_offered_is_accepted(school: School) -> None:
    schedules = {schedule.instructor_id: schedule for schedule in school.schedules}
    for slot in school.offers():
        assert school.accepts(schedules[slot.instructor_id], slot.starts_at, slot.location_id) == slot


@settings(unhurried, max_examples=60)
@given(schools(), st.sampled_from([timedelta(), MINUTE, timedelta(seconds=1), timedelta(microseconds=1)]))
def test_nothing_refused_is_offered_and_nothing_else_is_accepted(school: School, nudge: timedelta) -> None:
    offered = {(slot.starts_at, slot.instructor_id, slot.location_id) for slot in school.offers()}
    at = datetime.fromtimestamp(-(int(-school.from_.timestamp()) // 900) * 900, UTC)
    while (moment := at + nudge) < school.until:
        for schedule in school.schedules:
            for location_id in LOCATIONS:
                accepted = isinstance(school.accepts(schedule, moment, location_id), Slot)
                assert accepted == ((moment, schedule.instructor_id, location_id) in offered)
        at += 15 * MINUTE


@settings(unhurried, max_examples=80)
@given(schools())
def test_no_offered_slot_overlaps_anything_busy_or_leaves_the_range(school: School) -> None:
    for slot in school.offers():
        blocked = school.busy[slot.instructor_id]
        assert not any(overlap(slot.blocked_from, slot.blocked_until, other) for other in blocked)
        assert not any(overlap(slot.starts_at, slot.ends_at, other) for other in school.student_busy)
        assert school.from_ <= slot.starts_at < school.until
        assert slot.starts_at >= school.now


@settings(unhurried, max_examples=80)
@given(schools(), st.sampled_from(sorted(MOMENTS)))
def test_the_free_days_are_the_local_dates_of_what_is_offered(school: School, viewer: str) -> None:
    found = offer_starts(
        school.rules, school.schedules, school.busy, from_=school.from_, until=school.until, now=school.now
    )
    starts = [datetime.fromtimestamp(start, ZoneInfo(viewer)) for group in found for start in group.starts]
    assert free_days(found, viewer) == {start.date() for start in starts}
