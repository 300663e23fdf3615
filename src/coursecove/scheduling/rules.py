"""What the slot engine is told, and what it answers with.  Source of the rules: the product description."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from coursecove.scheduling.intervals import Interval
from coursecove.scheduling.zones import MINUTE

_MIDNIGHT = 1440
_LONGEST_HORIZON_DAYS = 36_500


class Rules(Struct, frozen=True):
    """What an appointment type asks of a time. ValueError when a number makes no sense.

    - A type with several durations is several rules. A start interval of None means one duration.
    - Travel is for lessons at the student's place: it is kept free on both sides, beside the buffers.
    - A horizon of 0 days means today only; the term are whole days, both included. Either counts in the
      schedule's zone, by the start of the lesson.
    - Limits count the lessons of this type: an instructor's, and the student's own with whomever, in the days
      and ISO weeks of the zone of the instructor who would teach.
    - `people` is whom a room must hold beside the instructor.
    """

    duration_minutes: int
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    start_interval_minutes: int | None = None
    minimum_notice_minutes: int = 0
    horizon_days: int = 60
    travel_minutes: int = 0
    bookable_from: date | None = None
    bookable_until: date | None = None
    day_limit: int | None = None
    week_limit: int | None = None
    student_day_limit: int | None = None
    student_week_limit: int | None = None
    people: int = 1

    def __post_init__(self) -> None:
        if self.duration_minutes <= 0:
            _refuse("a lesson lasts at least a minute")
        if self.start_interval_minutes is not None and self.start_interval_minutes <= 0:
            _refuse("starts are at least a minute apart")
        kept_free = (self.buffer_before_minutes, self.buffer_after_minutes, self.travel_minutes)
        if min(*kept_free, self.minimum_notice_minutes) < 0:
            _refuse("buffers, travel and notice cannot be negative")
        if not 0 <= self.horizon_days <= _LONGEST_HORIZON_DAYS:
            _refuse(f"the horizon is 0 to {_LONGEST_HORIZON_DAYS} days")
        _check_limits(self.day_limit, self.week_limit, self.student_day_limit, self.student_week_limit)

    @property
    def duration(self) -> int:
        """Seconds taught."""
        return self.duration_minutes * MINUTE

    @property
    def before(self) -> int:
        """Seconds kept free before the lesson: buffer and way."""
        return (self.buffer_before_minutes + self.travel_minutes) * MINUTE

    @property
    def after(self) -> int:
        """Seconds kept free after the lesson: buffer and way."""
        return (self.buffer_after_minutes + self.travel_minutes) * MINUTE

    @property
    def start_interval(self) -> int:
        """Seconds from one possible start to the next."""
        minutes = self.duration_minutes if self.start_interval_minutes is None else self.start_interval_minutes
        return minutes * MINUTE


class Hours(Struct, frozen=True):
    """Hours of one local day, in minutes from midnight; 1440 is the next one. ValueError when out of range."""

    starts_minute: int
    ends_minute: int
    location_id: UUID | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.starts_minute < self.ends_minute <= _MIDNIGHT:
            _refuse("hours start before they end, within 0 to 1440")


class Window(Struct, frozen=True):
    """Weekly hours: `weekday` is ISO (Monday 1), the rest is as in `Hours`."""

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
    """When an instructor teaches, meant in `time_zone` (an IANA name). One schedule per instructor.

    An override replaces its local date's weekly hours; an empty one is a day off. The caller leaves out hours
    at locations the appointment type is not taught at. Time off is instants, in any order. `qualified_until` is
    the first instant at which they may not teach the type any more. Limits count the lessons of all types.
    """

    instructor_id: UUID
    time_zone: str
    windows: tuple[Window, ...]
    overrides: Mapping[date, tuple[Hours, ...]] = {}
    time_off: Sequence[Interval] = ()
    qualified_until: int | None = None
    day_limit: int | None = None
    week_limit: int | None = None

    def __post_init__(self) -> None:
        _check_limits(self.day_limit, self.week_limit)


class Closure(Struct, frozen=True):
    """Whole local days of a place, both included, on which nothing is taught there."""

    starts_on: date
    ends_on: date


class Room(Struct, frozen=True):
    """A room and the people it holds beside the instructor."""

    id: UUID
    capacity: int = 1


class Place(Struct, frozen=True):
    """Where lessons happen, with the zone its closures and opening hours are meant in.

    Online, and at the student's place, it is the school's zone. Without opening hours it is always open;
    without rooms none is needed. Of two rooms that would do, the smaller is taken, then the one named first.
    The closures include the school's own.
    """

    time_zone: str
    opens: tuple[Window, ...] = ()
    closures: tuple[Closure, ...] = ()
    rooms: tuple[Room, ...] = ()


Places = Mapping[UUID | None, Place]
"""The places a type is taught at; None is wherever an online lesson, or one at the student's, happens."""


class Booked(Struct, frozen=True):
    """What is on the calendar already, in any order: all of it that is held, requested or confirmed.

    `instructors` and `rooms` map to blocked time, each interval with its own appointment's buffers; `student`
    is the taught time of the student's own lessons. The rest are starts of lessons for the limits, and must be
    complete for every ISO week (in each instructor's zone) that the question touches: of the type and of all
    types per instructor, and of the type for the student.
    """

    instructors: Mapping[UUID, Sequence[Interval]] = {}
    rooms: Mapping[UUID, Sequence[Interval]] = {}
    student: Sequence[Interval] = ()
    starts_of_type: Mapping[UUID, Sequence[int]] = {}
    starts_of_all_types: Mapping[UUID, Sequence[int]] = {}
    starts_of_student: Sequence[int] = ()


class Seats(Struct, frozen=True):
    """A class on the calendar: instants, the instructor's zone, and how many seats are left."""

    session_id: UUID
    instructor_id: UUID
    time_zone: str
    location_id: UUID | None
    starts_at: int
    ends_at: int
    left: int


class Openings(Struct, frozen=True):
    """Free starts of one instructor at one location: instants, ascending, without repeats. See `slots`."""

    instructor_id: UUID
    location_id: UUID | None
    starts: Sequence[int]


class Reason(StrEnum):
    """Why a time is refused. When several apply, the first in this order is told."""

    PAST = "past"
    """It has begun."""
    TOO_SOON = "too_soon"
    """Within the minimum notice."""
    TOO_FAR = "too_far"
    """After the last day of the horizon."""
    OUTSIDE_TERM = "outside_term"
    """Before the first day of the term, or after its last."""
    NOT_QUALIFIED = "not_qualified"
    """The instructor's qualification has lapsed by then."""
    CLOSED = "closed"
    """On a day on which the school or the place is closed."""
    OUTSIDE_HOURS = "outside_hours"
    """Outside the instructor's hours of that day, weekly or overridden."""
    LOCATION_CLOSED = "location_closed"
    """Outside the opening hours of the place."""
    TIME_OFF = "time_off"
    """The instructor is away."""
    NOT_ON_GRID = "not_on_grid"
    """Lessons do not start at this minute."""
    NOT_SCHEDULED = "not_scheduled"
    """No class is on the calendar at this time."""
    LIMIT_REACHED = "limit_reached"
    """The day or the week holds as many lessons as it may."""
    # Before TAKEN: a student who sends the form twice meets their own lesson, not somebody else's.
    STUDENT_BUSY = "student_busy"
    """The student has another lesson then."""
    TAKEN = "taken"
    """The instructor has another lesson then, buffers included."""
    NO_ROOM = "no_room"
    """Every room that is large enough is taken."""
    FULL = "full"
    """No seat of the class is left."""


EXEMPT = frozenset({Reason.TOO_SOON, Reason.TOO_FAR})
"""What does not hold for staff who book for a student."""

OVERRIDABLE = EXEMPT | {
    Reason.OUTSIDE_TERM,
    Reason.NOT_QUALIFIED,
    Reason.CLOSED,
    Reason.OUTSIDE_HOURS,
    Reason.LOCATION_CLOSED,
    Reason.TIME_OFF,
    Reason.NOT_ON_GRID,
    Reason.LIMIT_REACHED,
}
"""What staff may decide to pass. Never that two lessons overlap, and never the past."""


class Slot(Struct, frozen=True, gc=False):
    """A bookable time in UTC: taught from `starts_at` to `ends_at`, blocked, buffers included, around it.

    Only an accepted slot names the rooms that are free, the best first (none: no room is needed), and the rules
    that were passed for it. `session_id` is the class it is a seat of.
    """

    starts_at: datetime
    ends_at: datetime
    blocked_from: datetime
    blocked_until: datetime
    instructor_id: UUID
    location_id: UUID | None
    rooms: tuple[UUID, ...] = ()
    overridden: tuple[Reason, ...] = ()
    session_id: UUID | None = None


class Refusal(Struct, frozen=True):
    """The answer to a time that cannot be booked: every rule it breaks, in the order of `Reason`."""

    reasons: tuple[Reason, ...]

    @property
    def reason(self) -> Reason:
        """The one to tell first."""
        return self.reasons[0]

    @property
    def overridable(self) -> bool:
        """Whether staff may decide to pass all of it."""
        return OVERRIDABLE.issuperset(self.reasons)


def _check_limits(*limits: int | None) -> None:
    if any(limit is not None and limit <= 0 for limit in limits):
        _refuse("a limit is at least one lesson")


def _refuse(message: str) -> None:
    raise ValueError(message)
