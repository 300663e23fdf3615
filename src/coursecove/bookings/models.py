"""Sessions (the instructor's blocked time) and bookings (a student's seat in one)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Computed, func
from sqlalchemy.orm import Mapped, mapped_column

from coursecove.db.base import Base, Identified


class TeachingSession(Identified, Base):
    """Time of one instructor, buffers included; live ones never overlap (the database refuses)."""

    __tablename__ = "sessions"

    appointment_type_id: Mapped[uuid.UUID]
    instructor_id: Mapped[uuid.UUID]
    location_id: Mapped[uuid.UUID | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    blocked_from: Mapped[datetime]
    blocked_until: Mapped[datetime]
    capacity: Mapped[int]
    cancelled_at: Mapped[datetime | None]


class Booking(Identified, Base):
    """A student's seat, with the promises made at booking time written on it."""

    __tablename__ = "bookings"

    reference: Mapped[str]
    session_id: Mapped[uuid.UUID]
    student_id: Mapped[uuid.UUID]
    booked_by_id: Mapped[uuid.UUID]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    confirmed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    cancelled_at: Mapped[datetime | None]
    cancelled_by_id: Mapped[uuid.UUID | None]
    cancellation_reason: Mapped[str | None]
    cancellation_notice_minutes: Mapped[int]
    note: Mapped[str]
    price_cents: Mapped[int | None]
    currency: Mapped[str | None]
    rules_overridden: Mapped[bool]
    revision: Mapped[int]
    status: Mapped[str] = mapped_column(Computed("status", persisted=True))
