"""Appointment types, the places they happen at, and who is qualified for them."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import ARRAY, Integer, Text, func
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
    # A private lesson is offered in the instructor's free hours; a class takes place when staff put it on the
    # calendar, and has ``capacity`` seats.
    kind: Mapped[str] = mapped_column(default="private")
    capacity: Mapped[int] = mapped_column(default=1)
    duration_minutes: Mapped[int]
    further_durations_minutes: Mapped[list[int]] = mapped_column(ARRAY(Integer), default=list)
    buffer_before_minutes: Mapped[int] = mapped_column(default=0)
    buffer_after_minutes: Mapped[int] = mapped_column(default=0)
    start_interval_minutes: Mapped[int | None]
    minimum_notice_minutes: Mapped[int]
    horizon_days: Mapped[int]
    bookable_from: Mapped[date | None]
    bookable_until: Mapped[date | None]
    cancellation_notice_minutes: Mapped[int]
    reschedule_notice_minutes: Mapped[int] = mapped_column(default=1440)
    most_reschedules: Mapped[int | None] = mapped_column(default=3)
    requires_approval: Mapped[bool] = mapped_column(default=False)
    approve_within_minutes: Mapped[int] = mapped_column(default=2880)
    day_limit: Mapped[int | None]
    week_limit: Mapped[int | None]
    student_day_limit: Mapped[int | None]
    student_week_limit: Mapped[int | None]
    visibility: Mapped[str] = mapped_column(default="public")
    link_key: Mapped[str | None]
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
    """An instructor may teach a type, up to and including ``expires_on`` in the school's zone."""

    __tablename__ = "qualifications"

    member_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    appointment_type_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    expires_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Room(Identified, Base):
    """A room of a location; two lessons never share one (the database refuses)."""

    __tablename__ = "rooms"

    location_id: Mapped[uuid.UUID]
    name: Mapped[str]
    # People beside the instructor.
    capacity: Mapped[int] = mapped_column(default=1)
    position: Mapped[int] = mapped_column(default=0)
    archived_at: Mapped[datetime | None]


class TravelZone(Identified, Base):
    """How long the way to students with these postcodes takes."""

    __tablename__ = "travel_zones"

    name: Mapped[str]
    postcode_prefixes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    travel_minutes: Mapped[int]
    position: Mapped[int] = mapped_column(default=0)


class IntakeQuestion(Identified, Base):
    """What a student is asked when booking a type; a booking keeps the question with its answer."""

    __tablename__ = "intake_questions"

    appointment_type_id: Mapped[uuid.UUID]
    position: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str]
    label: Mapped[str]
    hint: Mapped[str] = mapped_column(default="")
    options: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    required: Mapped[bool] = mapped_column(default=False)
    archived_at: Mapped[datetime | None]
