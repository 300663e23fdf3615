"""Appointment types, the places they happen at, and who is qualified for them."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from coursecove.db.base import Base, Identified, OrganizationKey


class Location(Identified, Base):
    """A place of the school, with the zone its clock shows."""

    __tablename__ = "locations"

    slug: Mapped[str]
    name: Mapped[str]
    address: Mapped[str] = mapped_column(default="")
    directions: Mapped[str] = mapped_column(default="")
    time_zone: Mapped[str]
    archived_at: Mapped[datetime | None]


class AppointmentType(Identified, Base):
    """A reusable template of a lesson; a booking snapshots what it promises."""

    __tablename__ = "appointment_types"

    slug: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    color: Mapped[str]
    duration_minutes: Mapped[int]
    buffer_before_minutes: Mapped[int] = mapped_column(default=0)
    buffer_after_minutes: Mapped[int] = mapped_column(default=0)
    start_interval_minutes: Mapped[int | None]
    minimum_notice_minutes: Mapped[int]
    horizon_days: Mapped[int]
    cancellation_notice_minutes: Mapped[int]
    location_mode: Mapped[str]
    price_cents: Mapped[int | None]
    position: Mapped[int] = mapped_column(default=0)
    published_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]


class AppointmentTypeLocation(OrganizationKey, Base):
    """A type is taught at this location."""

    __tablename__ = "appointment_type_locations"

    appointment_type_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    location_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class Qualification(OrganizationKey, Base):
    """An instructor may teach a type."""

    __tablename__ = "qualifications"

    member_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    appointment_type_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
