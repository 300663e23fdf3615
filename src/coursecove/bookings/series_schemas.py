"""What goes in and out of series.  Dates are local ones of the series' zone; instants are aware UTC."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from coursecove.bookings.schemas import (
    Alternative,
    BookingView,
    Duration,
    Instant,
    PersonSummary,
    PlaceSummary,
    Reason,
    TypeSummary,
)

Scope = Literal["this", "following", "all"]
Dates = Annotated[list[date], Meta(max_length=60)]


class OccurrenceInstead(Struct, forbid_unknown_fields=True):
    """Another time for one of the dates."""

    on: date
    starts_at: Instant


class SeriesCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Lessons every week or every other one, at the same time on the wall clock.

    ``starts_at`` is the first; the others are ``times`` in all.  ``skip`` leaves
    dates out, ``instead`` has one lesson at another time; the rest is as for a
    booking.
    """

    appointment_type_id: uuid.UUID
    starts_at: Instant
    every_weeks: Annotated[int, Meta(ge=1, le=2)] = 1
    times: Annotated[int, Meta(ge=2, le=53)]
    skip: Dates = []
    instead: Annotated[list[OccurrenceInstead], Meta(max_length=60)] = []
    duration_minutes: Duration | None = None
    instructor_id: uuid.UUID | None = None
    location_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    note: Annotated[str, Meta(max_length=1000)] = ""
    answers: dict[uuid.UUID, Annotated[str, Meta(max_length=2000)]] = {}
    address: Annotated[str, Meta(max_length=400)] = ""
    postcode: Annotated[str, Meta(max_length=20)] = ""
    override_rules: bool = False
    link_key: Annotated[str, Meta(max_length=64)] | None = None


class Occurrence(Struct, frozen=True, kw_only=True):
    """One date of a series: whether the lesson can be then, or why not.

    ``alternative`` is the nearest free time with the same instructor, for
    ``instead``.  ``skipped``: it was left out on purpose.
    """

    on: date
    starts_at: datetime
    ends_at: datetime
    ok: bool
    skipped: bool = False
    reason: str | None = None
    message: str | None = None
    # What staff would pass.
    overridden_rules: list[str] = []
    alternative: Alternative | None = None


class SeriesPreview(Struct, frozen=True, kw_only=True):
    """What a series would be, before anything is written: one instructor throughout."""

    instructor: PersonSummary | None
    location: PlaceSummary | None
    # The clock that the lessons keep.
    time_zone: str
    occurrences: list[Occurrence]
    # How many lessons there would be, and how many dates need a decision.
    bookable: int
    conflicts: int


class SeriesView(Struct, frozen=True, kw_only=True):
    """A series with its lessons, as far as the viewer may see them, by date."""

    id: uuid.UUID
    appointment_type: TypeSummary
    student: PersonSummary
    instructor: PersonSummary
    location: PlaceSummary | None
    time_zone: str
    # ISO: Monday is 1.
    weekday: int
    starts_minute: int
    duration_minutes: int
    every_weeks: int
    first_on: date
    last_on: date
    ended_at: datetime | None
    is_own: bool
    # Lessons ahead that this viewer may change.
    can_change: bool
    lessons: list[BookingView]


class SeriesList(Struct, frozen=True):
    """Series by their first date."""

    items: list[SeriesView]


class SeriesMove(Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the lessons of a series go.

    ``starts_at`` is the new time of ``booking_id``; with ``following`` and
    ``all`` the others shift by as many days, to the same time on the wall clock.
    ``skip`` names the dates that stay where they are.  ``location_id`` takes all of
    them to another place; without it each stays at its own.
    """

    booking_id: uuid.UUID
    scope: Scope
    starts_at: Instant
    location_id: uuid.UUID | None = None
    skip: Dates = []
    override_rules: bool = False


class SeriesCancel(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which lessons of a series are cancelled, counted from ``booking_id``, and why."""

    booking_id: uuid.UUID
    scope: Scope
    reason: Reason = ""


class SeriesChange(Struct, frozen=True, kw_only=True):
    """What would become of one lesson of a series: ``ok``, or why it stays as it is."""

    booking_id: uuid.UUID
    reference: str
    on: date
    starts_at: datetime
    # Where it would go; None: it is cancelled.
    to_starts_at: datetime | None
    ok: bool
    skipped: bool = False
    reason: str | None = None
    message: str | None = None
    overridden_rules: list[str] = []


class SeriesChangeList(Struct, frozen=True):
    """The lessons that a change is about, by date."""

    items: list[SeriesChange]


class SeriesChanged(Struct, frozen=True, kw_only=True):
    """A series after a change: the lessons that changed, and those that stayed, with the reason."""

    series: SeriesView
    changed: list[uuid.UUID]
    kept: list[SeriesChange]
