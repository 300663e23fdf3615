"""What goes in and out of the catalogue.  Minutes are minutes, prices integer minor units."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

LocationMode = Literal["in_person", "online"]

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Description = Annotated[str, Meta(max_length=2000)]
Color = Annotated[str, Meta(pattern="^#[0-9a-f]{6}$")]
Duration = Annotated[int, Meta(ge=5, le=720)]
Buffer = Annotated[int, Meta(ge=0, le=240)]
Interval = Annotated[int, Meta(ge=5, le=720)]
Notice = Annotated[int, Meta(ge=0, le=86400)]
Horizon = Annotated[int, Meta(ge=1, le=365)]
Price = Annotated[int, Meta(ge=0, le=100_000_000)]
TimeZone = Annotated[str, Meta(max_length=64)]


class LocationView(Struct, frozen=True):
    """A place of the school."""

    id: uuid.UUID
    slug: str
    name: str
    address: str
    directions: str
    time_zone: str
    archived_at: datetime | None


class LocationCreate(Struct, forbid_unknown_fields=True):
    """A new place; the zone defaults to the school's."""

    name: Name
    address: Annotated[str, Meta(max_length=400)] = ""
    directions: Annotated[str, Meta(max_length=1000)] = ""
    time_zone: TimeZone | None = None


class LocationUpdate(Struct, forbid_unknown_fields=True):
    """Changes to a place; what is left out stays."""

    name: Name | UnsetType = UNSET
    address: Annotated[str, Meta(max_length=400)] | UnsetType = UNSET
    directions: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET


class AppointmentTypeView(Struct, frozen=True):
    """An appointment type with the places it is taught at and the instructors qualified for it."""

    id: uuid.UUID
    slug: str
    name: str
    description: str
    color: str
    duration_minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    start_interval_minutes: int | None
    minimum_notice_minutes: int
    horizon_days: int
    cancellation_notice_minutes: int
    location_mode: LocationMode
    price_cents: int | None
    currency: str
    published_at: datetime | None
    archived_at: datetime | None
    location_ids: list[uuid.UUID]
    instructor_ids: list[uuid.UUID]


class AppointmentTypeCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """A new appointment type, published at once unless ``published`` is false."""

    name: Name
    description: Description = ""
    color: Color = "#4f46e5"
    duration_minutes: Duration
    buffer_before_minutes: Buffer = 0
    buffer_after_minutes: Buffer = 0
    start_interval_minutes: Interval | None = None
    minimum_notice_minutes: Notice = 120
    horizon_days: Horizon = 60
    cancellation_notice_minutes: Notice = 1440
    location_mode: LocationMode = "in_person"
    price_cents: Price | None = None
    location_ids: list[uuid.UUID] = []
    instructor_ids: list[uuid.UUID] = []
    published: bool = True


class AppointmentTypeUpdate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes to an appointment type; what is left out stays.  Booked lessons keep their promise."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    color: Color | UnsetType = UNSET
    duration_minutes: Duration | UnsetType = UNSET
    buffer_before_minutes: Buffer | UnsetType = UNSET
    buffer_after_minutes: Buffer | UnsetType = UNSET
    start_interval_minutes: Interval | UnsetType | None = UNSET
    minimum_notice_minutes: Notice | UnsetType = UNSET
    horizon_days: Horizon | UnsetType = UNSET
    cancellation_notice_minutes: Notice | UnsetType = UNSET
    location_mode: LocationMode | UnsetType = UNSET
    price_cents: Price | UnsetType | None = UNSET
    location_ids: list[uuid.UUID] | UnsetType = UNSET
    instructor_ids: list[uuid.UUID] | UnsetType = UNSET
    published: bool | UnsetType = UNSET
