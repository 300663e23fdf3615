"""What goes in and out of bookings.  Instants are aware UTC; templates translate them for a viewer."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

BookingStatus = Literal["confirmed", "cancelled"]


class TypeSummary(Struct, frozen=True):
    """The appointment type of a booking."""

    id: uuid.UUID
    slug: str
    name: str
    color: str
    location_mode: str


class PersonSummary(Struct, frozen=True):
    """A person of a booking; ``email`` only where the viewer may see it."""

    id: uuid.UUID
    name: str
    image_url: str | None = None
    email: str | None = None


class PlaceSummary(Struct, frozen=True):
    """Where a lesson in person happens."""

    id: uuid.UUID
    slug: str
    name: str
    address: str
    directions: str
    time_zone: str


class SlotView(Struct, frozen=True):
    """A time that can be booked, with everybody who is free at it."""

    starts_at: datetime
    ends_at: datetime
    location: PlaceSummary | None
    instructors: list[PersonSummary]


class SlotList(Struct, frozen=True):
    """The times that can be booked in a window, by start."""

    items: list[SlotView]


class Alternative(Struct, frozen=True):
    """A free time near one that could not be had, with somebody who is free at it."""

    starts_at: datetime
    ends_at: datetime
    instructor: PersonSummary
    location: PlaceSummary | None


class BookingCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """What a booking needs.

    No instructor means "anyone".  ``student_id`` is for staff who book for a
    student; everybody else, and staff who leave it out, book for themselves.
    """

    appointment_type_id: uuid.UUID
    # With an offset: a time without one is a different instant to every reader.
    starts_at: Annotated[datetime, Meta(tz=True)]
    instructor_id: uuid.UUID | None = None
    location_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    note: Annotated[str, Meta(max_length=1000)] = ""


class BookingCancel(Struct, forbid_unknown_fields=True):
    """Why a lesson is cancelled, in the person's own words."""

    reason: Annotated[str, Meta(max_length=500)] = ""


class BookingView(Struct, frozen=True, kw_only=True):
    """A booking as its student, its instructor or an admin sees it."""

    id: uuid.UUID
    reference: str
    status: BookingStatus
    appointment_type: TypeSummary
    instructor: PersonSummary
    student: PersonSummary
    location: PlaceSummary | None
    meeting_url: str | None
    starts_at: datetime
    ends_at: datetime
    # The zone a lesson in person is shown in; None: show it in the viewer's.
    venue_time_zone: str | None
    note: str
    price_cents: int | None
    currency: str | None
    confirmed_at: datetime
    cancelled_at: datetime | None
    cancelled_by: PersonSummary | None
    cancellation_reason: str | None
    # The last instant the student may cancel at (allowed at this very instant).
    cancel_until: datetime
    # What this viewer may do now.
    can_cancel: bool
    revision: int


class BookingPage(Struct, frozen=True):
    """A page of bookings; ``total`` counts all that match."""

    items: list[BookingView]
    total: int
    page: int
    page_size: int
