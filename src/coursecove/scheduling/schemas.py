"""Hours, dates that differ, time off and closures as they come in and go out.

Hours are minutes of a local day, dates are local days, time off is in instants.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

Weekday = Annotated[int, Meta(ge=1, le=7)]
StartMinute = Annotated[int, Meta(ge=0, le=1439)]
EndMinute = Annotated[int, Meta(ge=1, le=1440)]
Instant = Annotated[datetime, Meta(tz=True)]


class WindowView(Struct, frozen=True):
    """One window of an instructor's week, ``[starts_minute, ends_minute)`` in the instructor's zone."""

    weekday: int
    starts_minute: int
    ends_minute: int
    location_id: uuid.UUID | None


class WindowInput(Struct, forbid_unknown_fields=True):
    """A window to set; no location means wherever the lesson's type is taught."""

    weekday: Weekday
    starts_minute: StartMinute
    ends_minute: EndMinute
    location_id: uuid.UUID | None = None


class DayWindowView(Struct, frozen=True):
    """One window of a single date, ``[starts_minute, ends_minute)`` in the instructor's zone."""

    starts_minute: int
    ends_minute: int
    location_id: uuid.UUID | None


class DayWindowInput(Struct, forbid_unknown_fields=True):
    """A window of a date to set; no location means wherever the lesson's type is taught."""

    starts_minute: StartMinute
    ends_minute: EndMinute
    location_id: uuid.UUID | None = None


class OverrideView(Struct, frozen=True):
    """A local date whose windows replace those of the week; without windows it is a day off."""

    on_date: date
    windows: list[DayWindowView]


class TimeOffView(Struct, frozen=True):
    """An instructor is away in ``[starts_at, ends_at)``; the reason is for colleagues, never for students."""

    id: uuid.UUID
    starts_at: datetime
    ends_at: datetime
    reason: str


class TimeOffCreate(Struct, forbid_unknown_fields=True):
    """Time to take off; both instants carry their offset."""

    starts_at: Instant
    ends_at: Instant
    reason: Annotated[str, Meta(max_length=200)] = ""


class Exceptions(Struct, frozen=True):
    """What differs from an instructor's week in some window of time.

    ``overrides`` are by local date of the instructor's zone; ``time_off`` is in order of its start.
    """

    overrides: dict[date, list[DayWindowView]]
    time_off: list[TimeOffView]


class ClosureView(Struct, frozen=True, kw_only=True):
    """Days, both included, on which a location (None: the whole school) is closed.

    ``next_starts_on`` and ``next_ends_on`` are the closure that is on or comes next, of a yearly one this
    year's or next year's; None when all of it is past.
    """

    id: uuid.UUID
    name: str
    location_id: uuid.UUID | None
    starts_on: date
    ends_on: date
    yearly: bool
    next_starts_on: date | None
    next_ends_on: date | None


class ClosureCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Days on which nothing is taught, at one location or (without one) at the whole school."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    starts_on: date
    ends_on: date
    location_id: uuid.UUID | None = None
    yearly: bool = False


class ClosureUpdate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes to a closure; what is left out stays."""

    name: Annotated[str, Meta(min_length=1, max_length=120)] | UnsetType = UNSET
    starts_on: date | UnsetType = UNSET
    ends_on: date | UnsetType = UNSET
    location_id: uuid.UUID | UnsetType | None = UNSET
    yearly: bool | UnsetType = UNSET


class ClosedDays(Struct, frozen=True):
    """One occurrence of a closure: local days of wherever the lesson would be, both included."""

    closure_id: uuid.UUID
    name: str
    location_id: uuid.UUID | None
    starts_on: date
    ends_on: date


class OpeningWindowView(Struct, frozen=True):
    """A window in which a location is open, ``[starts_minute, ends_minute)`` in the location's zone."""

    weekday: int
    starts_minute: int
    ends_minute: int


class OpeningWindowInput(Struct, forbid_unknown_fields=True):
    """A window of opening hours to set."""

    weekday: Weekday
    starts_minute: StartMinute
    ends_minute: EndMinute
