"""What staff's calendar shows, and what becomes of lessons somebody cannot give.  Instants are aware UTC."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from coursecove.bookings.schemas import (
    BookingStatus,
    Kind,
    PersonSummary,
    PlaceSummary,
    Reason,
    RoomSummary,
    SeatView,
    TypeSummary,
)


class CalendarEntry(Struct, frozen=True, kw_only=True):
    """A session on staff's calendar: a private lesson with its student, or a class with its seats.

    ``status`` is the lesson's: pending while its only student waits for an
    answer, cancelled when nobody comes any more.
    """

    session_id: uuid.UUID
    kind: Kind
    # Staff put it on the calendar; it stays there without a student.
    scheduled: bool
    status: BookingStatus
    appointment_type: TypeSummary
    instructor: PersonSummary
    location: PlaceSummary | None
    room: RoomSummary | None
    meeting_url: str | None
    starts_at: datetime
    ends_at: datetime
    # With buffers and the way: when the instructor is not free for anything else.
    blocked_from: datetime
    blocked_until: datetime
    venue_time_zone: str | None
    address: str
    capacity: int
    seats_taken: int
    seats: list[SeatView]


class CalendarList(Struct, frozen=True):
    """Sessions by start."""

    items: list[CalendarEntry]


class WeekFigures(Struct, frozen=True, kw_only=True):
    """A span of time in numbers, as far as the viewer may count.

    ``lessons`` are sessions that take place, ``cancellations`` seats given
    back or refused, ``pending`` requests that wait for an answer.
    """

    lessons: int
    cancellations: int
    pending: int
    taught_minutes: int
    class_seats: int
    class_seats_taken: int


class SubstituteLesson(Struct, frozen=True):
    """A lesson somebody cannot give, with the qualified colleagues who are free at its time."""

    lesson: CalendarEntry
    colleagues: list[PersonSummary]


class SubstituteList(Struct, frozen=True):
    """Lessons by start."""

    items: list[SubstituteLesson]


class HandOverChoice(Struct, forbid_unknown_fields=True):
    """What becomes of one lesson: somebody else gives it, or (without ``instructor_id``) it is cancelled."""

    session_id: uuid.UUID
    instructor_id: uuid.UUID | None = None


class HandOver(Struct, forbid_unknown_fields=True):
    """What becomes of lessons somebody cannot give, and what their students are told."""

    lessons: Annotated[list[HandOverChoice], Meta(min_length=1, max_length=200)]
    message: Reason = ""


class HandOverResult(Struct, frozen=True):
    """How many lessons were given to colleagues, and how many cancelled."""

    handed_over: int
    cancelled: int
