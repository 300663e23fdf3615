"""The slow and obvious engine, and random schools to ask it about.

It walks through time minute by minute and knows nothing of offsets, weeks or bisection: it asks an aware
datetime what the clock shows, and each rule is one line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from coursecove.scheduling.intervals import Interval
from coursecove.scheduling.rules import (
    Booked,
    Closure,
    Hours,
    Place,
    Places,
    Reason,
    Refusal,
    Room,
    Rules,
    Schedule,
    Slot,
    Window,
)
from coursecove.scheduling.slots import accepts, offers

MINUTE = timedelta(minutes=1)
LOCATIONS = (None, UUID(int=11), UUID(int=12))
INSTRUCTORS = (UUID(int=1), UUID(int=2))
ROOMS = (UUID(int=21), UUID(int=22))

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
    booked: Booked
    places: Places | None
    from_: datetime
    until: datetime
    now: datetime

    def offers(self) -> list[Slot]:
        return offers(
            self.rules,
            self.schedules,
            self.booked,
            places=self.places,
            from_=self.from_,
            until=self.until,
            now=self.now,
        )

    def accepts(
        self,
        schedule: Schedule,
        at: datetime,
        location_id: UUID | None,
        passing: frozenset[Reason] = frozenset(),
    ) -> Slot | Refusal:
        return accepts(
            self.rules,
            schedule,
            self.booked,
            at,
            places=self.places,
            now=self.now,
            location_id=location_id,
            passing=passing,
        )


def halves(first: int, last: int) -> st.SearchStrategy[int]:
    """Minutes in steps of half an hour, so that neighbours touch often."""
    return st.integers(first, last).map(lambda half: half * 30)


@st.composite
def spans_of_a_day(draw: st.DrawFn) -> tuple[int, int]:
    """Hours often among the first of the day, where clocks change."""
    starts = draw(halves(0, 8) | halves(0, 8) | st.integers(0, 1400))
    return starts, min(starts + draw(halves(1, 6) | halves(1, 6) | st.integers(1, 1440)), 1440)


@st.composite
def windows(draw: st.DrawFn, weekday: int) -> Window:
    """Hours on a weekday or next to it."""
    nearby = weekday + draw(st.sampled_from([0, 0, 0, -1, 1]))
    at = draw(st.sampled_from([None, None, None, None, *LOCATIONS]))
    return Window((nearby - 1) % 7 + 1, *draw(spans_of_a_day()), at)


@st.composite
def intervals(draw: st.DrawFn, midnight: datetime) -> Interval:
    begin = (
        int(midnight.timestamp())
        + draw(halves(-2, 20) | st.integers(-60, 600)) * 60
        + draw(st.sampled_from([0, 0, 1, -1]))
    )
    return begin, begin + draw(st.sampled_from([0, 1, 600, 1800, 3600, 5400, 40_000]))


@st.composite
def closed_days(draw: st.DrawFn, day: date) -> Closure:
    begins = day + timedelta(days=draw(st.sampled_from([-9, -2, -1, 0, 1, 2])))
    return Closure(begins, begins + timedelta(days=draw(st.sampled_from([0, 0, 0, 1, 8]))))


# All of them at once leave next to nothing to offer, so a school has a few.
RULES = (
    "elsewhere",
    "opening hours",
    "closures",
    "rooms",
    "overrides",
    "time off",
    "qualification",
    "term",
    "limits",
    "students limits",
    "travel",
)


@st.composite
def open_places(draw: st.DrawFn, has: set[str], zone: str, day: date) -> Place:
    opens = st.tuples(st.integers(-1, 1), halves(0, 4), halves(8, 48)).map(
        lambda drawn: Window((day.isoweekday() + drawn[0] - 1) % 7 + 1, drawn[1], drawn[2])
    )
    rooms = draw(st.lists(st.integers(1, 3), max_size=2)) if "rooms" in has else []
    return Place(
        draw(st.sampled_from([zone, zone, *sorted(MOMENTS)])),
        opens=tuple(draw(st.lists(opens, min_size=2, max_size=6))) if "opening hours" in has else (),
        closures=tuple(draw(st.lists(closed_days(day), max_size=2))) if "closures" in has else (),
        rooms=tuple(Room(id_, size) for id_, size in zip(ROOMS, rooms, strict=False)),
    )


@st.composite
def schedules(draw: st.DrawFn, has: set[str], of: UUID, zone: str, day: date, midnight: datetime) -> Schedule:
    dates = st.sampled_from([day + timedelta(days=n) for n in (-1, 0, 0, 1)])
    hours = st.tuples(spans_of_a_day(), st.sampled_from([None, None, *LOCATIONS])).map(
        lambda drawn: Hours(*drawn[0], drawn[1])
    )
    overrides = st.dictionaries(dates, st.lists(hours, max_size=3).map(tuple), min_size=1, max_size=2)
    exact = int(midnight.timestamp()) + draw(st.integers(-1, 12)) * 3600
    return Schedule(
        of,
        zone,
        tuple(draw(st.lists(windows(day.isoweekday()), min_size=2, max_size=8))),
        overrides=draw(overrides) if "overrides" in has else {},
        time_off=draw(st.lists(intervals(midnight), max_size=2)) if "time off" in has else (),
        qualified_until=exact if "qualification" in has else None,
        day_limit=draw(st.sampled_from([None, 1, 2, 3])) if "limits" in has else None,
        week_limit=draw(st.sampled_from([None, 3, 4])) if "limits" in has else None,
    )


@st.composite
def schools(draw: st.DrawFn) -> School:
    has = draw(st.sets(st.sampled_from(RULES), max_size=4))
    zone = draw(st.sampled_from(sorted(MOMENTS)))
    moment = datetime.fromisoformat(draw(st.sampled_from(MOMENTS[zone])))
    day, midnight = moment.date(), moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    limits, students = "limits" in has, "students limits" in has
    rules = Rules(
        duration_minutes=draw(st.sampled_from([15, 30, 30, 45, 50, 60, 60, 90])),
        buffer_before_minutes=draw(st.sampled_from([0, 0, 5, 15])),
        buffer_after_minutes=draw(st.sampled_from([0, 0, 10, 30])),
        start_interval_minutes=draw(st.sampled_from([None, None, 7, 15, 60])),
        minimum_notice_minutes=draw(st.sampled_from([0, 0, 0, 1, 120, 1440])),
        horizon_days=draw(st.sampled_from([0, 1, 2, 2, 3, 60])),
        travel_minutes=20 if "travel" in has else 0,
        bookable_from=draw(st.sampled_from(_around(day, date.min))) if "term" in has else None,
        bookable_until=draw(st.sampled_from(_around(day, date.max))) if "term" in has else None,
        day_limit=draw(st.sampled_from([None, 1, 2])) if limits else None,
        week_limit=draw(st.sampled_from([None, 2, 3])) if limits else None,
        student_day_limit=draw(st.sampled_from([None, 1])) if students else None,
        student_week_limit=draw(st.sampled_from([None, 2])) if students else None,
        people=draw(st.sampled_from([1, 1, 2])) if "rooms" in has else 1,
    )
    taught = [draw(schedules(has, INSTRUCTORS[0], zone, day, midnight))]
    if draw(st.booleans()):
        other = draw(st.sampled_from(sorted(MOMENTS)))
        taught.append(draw(schedules(has, INSTRUCTORS[1], other, day, midnight)))
    starts = st.lists(
        st.integers(-100, 100).map(lambda hour: int(midnight.timestamp()) + hour * 3600), max_size=5
    )
    busy = st.lists(intervals(midnight), max_size=4)
    has_places = has & {"elsewhere", "opening hours", "closures", "rooms"}
    places = st.fixed_dictionaries(
        {None: open_places(has, zone, day)},
        optional={at: open_places(has, zone, day) for at in LOCATIONS[1:]},
    )
    return School(
        rules=rules,
        schedules=tuple(taught),
        booked=Booked(
            instructors={of: draw(busy) for of in INSTRUCTORS},
            rooms={of: draw(busy) for of in ROOMS} if "rooms" in has else {},
            student=draw(st.lists(intervals(midnight), max_size=1)),
            starts_of_type={of: draw(starts) for of in INSTRUCTORS} if limits else {},
            starts_of_all_types={of: draw(starts) for of in INSTRUCTORS} if limits else {},
            starts_of_student=draw(starts) if students else (),
        ),
        places=draw(places) if has_places else None,
        from_=(from_ := midnight + draw(st.integers(-26 * 60, 60)) * MINUTE),
        until=from_ + draw(st.integers(26 * 60, 52 * 60) | st.integers(1, 52 * 60)) * MINUTE,
        now=midnight
        + draw(st.integers(-3000, -1440) | st.integers(-3000, 300)) * MINUTE
        + timedelta(microseconds=draw(st.sampled_from([0, 0, 1, 30_000_000]))),
    )


def _around(day: date, edge: date) -> list[date]:
    return [edge, *(day + timedelta(days=n) for n in (-2, -1, 0, 1))]


@lru_cache(maxsize=200_000)
def clock_at(zone: str, minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, ZoneInfo(zone))


def runs(minutes: set[int]) -> dict[int, int]:
    """For each minute the first one of the unbroken run it is in."""
    first: dict[int, int] = {}
    for minute in sorted(minutes):
        first[minute] = first.get(minute - 1, minute)
    return first


def shown(
    zone: str, week: Mapping[int, set[int]], dates: Mapping[date, set[int]], around: range
) -> list[tuple[int, int]]:
    """Hours as minutes since 1970, found by looking at the clock in each of them.

    A window is a run of wall-clock minutes with hours. It reaches from the first minute at which the clock
    shows one of them to the last.
    """
    runs_of_week = {weekday: runs(minutes) for weekday, minutes in week.items()}
    runs_of_date = {on: runs(minutes) for on, minutes in dates.items()}
    found: dict[tuple[date, int], list[int]] = {}
    for minute in around if any(week.values()) or any(dates.values()) else ():
        clock = clock_at(zone, minute)
        of_window = runs_of_date.get(clock.date(), runs_of_week[clock.isoweekday()])
        first = of_window.get(clock.hour * 60 + clock.minute)
        if first is not None:
            found.setdefault((clock.date(), first), []).append(minute)
    return [(min(minutes), max(minutes) + 1) for minutes in found.values()]


def minutes_of(hours: Sequence[Window] | Sequence[Hours]) -> set[int]:
    return {minute for window in hours for minute in range(window.starts_minute, window.ends_minute)}


def spans(schedule: Schedule, location_id: UUID | None, around: range) -> list[tuple[int, int]]:
    """A schedule's hours at a location; an override replaces its date's."""
    here = [window for window in schedule.windows if window.location_id == location_id]
    week = {weekday: minutes_of([w for w in here if w.weekday == weekday]) for weekday in range(1, 8)}
    dates = {
        on: minutes_of([window for window in hours if window.location_id == location_id])
        for on, hours in schedule.overrides.items()
    }
    return shown(schedule.time_zone, week, dates, around)


def open_minutes(place: Place, around: range) -> set[int]:
    """The minutes in which a place is open."""
    if not place.opens:
        return set(around)
    week = {weekday: minutes_of([w for w in place.opens if w.weekday == weekday]) for weekday in range(1, 8)}
    return {minute for first, end in shown(place.time_zone, week, {}, around) for minute in range(first, end)}


def overlap(start: datetime, end: datetime, other: Interval) -> bool:
    """Two half-open intervals share an instant; an empty one shares none."""
    return max(start.timestamp(), other[0]) < min(end.timestamp(), other[1])


class Reference:
    """What is wrong with a start, one line per rule."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.minutes = range(int(school.from_.timestamp()) // 60, int(school.until.timestamp()) // 60)
        # A window of the range may begin a day of 25 hours before it and end as long after it.
        self.around = range(self.minutes.start - 1500, self.minutes.stop + 1500)
        self.hours = {
            (schedule.instructor_id, at): spans(schedule, at, self.around)
            for schedule in school.schedules
            for at in LOCATIONS
        }
        self.open = {at: open_minutes(place, self.around) for at, place in (school.places or {}).items()}

    def broken(self, schedule: Schedule, location_id: UUID | None, start: datetime) -> tuple[Reason, ...]:
        """Every broken rule, in the order of `Reason`."""
        school, rules, zone = self.school, self.school.rules, ZoneInfo(schedule.time_zone)
        booked, of = school.booked, schedule.instructor_id
        end, local = start + rules.duration_minutes * MINUTE, start.astimezone(zone)
        way = rules.travel_minutes * MINUTE
        blocked = (
            start - rules.buffer_before_minutes * MINUTE - way,
            end + rules.buffer_after_minutes * MINUTE + way,
        )
        minute, last = start.timestamp() / 60, rules.duration_minutes
        step = rules.start_interval_minutes or rules.duration_minutes
        held = [opens for opens, closes in self.hours[of, location_id] if opens <= minute <= closes - last]
        taught = range(int(minute), int((end.timestamp() + 59) // 60))
        place = None if school.places is None else school.places.get(location_id)
        elsewhere = school.places is not None and place is None
        today = school.now.astimezone(zone).date()
        broken = {
            Reason.PAST: start < school.now,
            Reason.TOO_SOON: school.now <= start < school.now + rules.minimum_notice_minutes * MINUTE,
            Reason.TOO_FAR: local.date() > today + timedelta(days=rules.horizon_days),
            Reason.OUTSIDE_TERM: not (rules.bookable_from or date.min) <= local.date()
            or not local.date() <= (rules.bookable_until or date.max),
            Reason.NOT_QUALIFIED: schedule.qualified_until is not None
            and start.timestamp() >= schedule.qualified_until,
            Reason.CLOSED: place is not None
            and any(
                closure.starts_on <= clock_at(place.time_zone, minute).date() <= closure.ends_on
                for closure in place.closures
                for minute in taught
            ),
            Reason.OUTSIDE_HOURS: elsewhere or not held,
            Reason.LOCATION_CLOSED: place is not None and not self.open[location_id].issuperset(taught),
            Reason.TIME_OFF: any(overlap(start, end, off) for off in schedule.time_off),
            Reason.NOT_ON_GRID: minute != int(minute)
            or (bool(held) and not any((minute - opens) % step == 0 for opens in held)),
            Reason.LIMIT_REACHED: any(
                limit is not None and self._as_many(starts, local, zone, weekly=weekly) >= limit
                for limit, starts, weekly in (
                    (rules.day_limit, booked.starts_of_type.get(of, ()), False),
                    (rules.week_limit, booked.starts_of_type.get(of, ()), True),
                    (schedule.day_limit, booked.starts_of_all_types.get(of, ()), False),
                    (schedule.week_limit, booked.starts_of_all_types.get(of, ()), True),
                    (rules.student_day_limit, booked.starts_of_student, False),
                    (rules.student_week_limit, booked.starts_of_student, True),
                )
            ),
            Reason.STUDENT_BUSY: any(overlap(start, end, other) for other in booked.student),
            Reason.TAKEN: any(overlap(*blocked, other) for other in booked.instructors.get(of, ())),
            Reason.NO_ROOM: place is not None
            and bool(place.rooms)
            and not any(
                room.capacity >= rules.people
                and not any(overlap(*blocked, other) for other in booked.rooms.get(room.id, ()))
                for room in place.rooms
            ),
        }
        return tuple(reason for reason in Reason if broken.get(reason))

    @staticmethod
    def _as_many(starts: Sequence[int], local: datetime, zone: ZoneInfo, *, weekly: bool) -> int:
        days = [datetime.fromtimestamp(start, zone).date() for start in starts]
        if weekly:
            return sum(day.isocalendar()[:2] == local.date().isocalendar()[:2] for day in days)
        return days.count(local.date())

    def offers(self) -> Iterator[tuple[datetime, UUID, UUID | None]]:
        """Everything that may be offered, by trying each minute in each window."""
        step = self.school.rules.start_interval_minutes or self.school.rules.duration_minutes
        for minute in self.minutes:
            start = datetime.fromtimestamp(minute * 60, UTC)
            for schedule in self.school.schedules:
                for at in LOCATIONS:
                    # Most minutes are in no window: those are not worth asking the other rules about.
                    held = self.hours[schedule.instructor_id, at]
                    fits = any(
                        opens <= minute < closes and (minute - opens) % step == 0 for opens, closes in held
                    )
                    if fits and not self.broken(schedule, at, start):
                        yield start, schedule.instructor_id, at
