"""Classes on the calendar, as they go in and out.  Instants are aware UTC."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from coursecove.bookings.schemas import (
    Duration,
    Instant,
    PersonSummary,
    PlaceSummary,
    Reason,
    RoomSummary,
    SeatView,
    TypeSummary,
)


class ClassCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Times of a class to put on the calendar.

    Each of ``starts_at`` comes again every ``every_weeks`` weeks, ``times``
    times in all, at the same time on the wall clock.  Capacity and duration
    are the type's unless given.
    """

    appointment_type_id: uuid.UUID
    instructor_id: uuid.UUID
    location_id: uuid.UUID | None = None
    room_id: uuid.UUID | None = None
    starts_at: Annotated[list[Instant], Meta(min_length=1, max_length=60)]
    times: Annotated[int, Meta(ge=1, le=60)] = 1
    every_weeks: Annotated[int, Meta(ge=1, le=8)] = 1
    capacity: Annotated[int, Meta(ge=1, le=1000)] | None = None
    duration_minutes: Duration | None = None
    override_rules: bool = False


class ClassCancel(Struct, forbid_unknown_fields=True):
    """Why a class does not take place; its students read it."""

    reason: Reason = ""


class ClassView(Struct, frozen=True, kw_only=True):
    """A class on the calendar; ``id`` is its session's, ``handle`` stands for it in an address."""

    id: uuid.UUID
    handle: str
    appointment_type: TypeSummary
    instructor: PersonSummary
    location: PlaceSummary | None
    room: RoomSummary | None
    starts_at: datetime
    ends_at: datetime
    duration_minutes: int
    venue_time_zone: str | None
    capacity: int
    seats_taken: int
    seats_left: int
    cancelled_at: datetime | None
    # For its staff; None to everybody else.
    seats: list[SeatView] | None
    can_cancel: bool
    # How many wait for a seat.
    waiting: int = 0


class ClassList(Struct, frozen=True):
    """Classes by start."""

    items: list[ClassView]


class ClassConflict(Struct, frozen=True):
    """A time at which a class cannot be, and why: a rule's name, or who or what is taken."""

    starts_at: datetime
    reason: str
    message: str
