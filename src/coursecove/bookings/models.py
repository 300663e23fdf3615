"""Sessions (the instructor's blocked time) and bookings (a student's seat in one)."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import ARRAY, Computed, Text, func
from sqlalchemy.dialects.postgresql import JSONB
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
    room_id: Mapped[uuid.UUID | None]
    capacity: Mapped[int]
    # Kept by the verbs, because a student's eyes do not reach the other seats.
    seats_taken: Mapped[int] = mapped_column(default=1)
    # Who put a class on the calendar; it stays there when its last seat is given back.
    scheduled_by_id: Mapped[uuid.UUID | None]
    # When the first hold or offer in it ends; of a private lesson, when it stops being in the way.
    held_until: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class Booking(Identified, Base):
    """A student's seat, with the promises made at booking time written on it."""

    __tablename__ = "bookings"

    reference: Mapped[str]
    session_id: Mapped[uuid.UUID]
    # Who teaches the session, kept by the database so that policies need not look there.
    instructor_id: Mapped[uuid.UUID]
    student_id: Mapped[uuid.UUID]
    booked_by_id: Mapped[uuid.UUID]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    held_until: Mapped[datetime | None]
    # Until when staff may confirm a request; then it lapses.
    approve_by: Mapped[datetime | None]
    declined_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancelled_by_id: Mapped[uuid.UUID | None]
    cancellation_reason: Mapped[str | None]
    cancellation_notice_minutes: Mapped[int]
    reschedule_notice_minutes: Mapped[int]
    most_reschedules: Mapped[int | None]
    rescheduled_count: Mapped[int]
    note: Mapped[str]
    answers: Mapped[list[dict[str, str]]] = mapped_column(JSONB)
    address: Mapped[str]
    postcode: Mapped[str]
    travel_minutes: Mapped[int]
    price_cents: Mapped[int | None]
    currency: Mapped[str | None]
    rules_overridden: Mapped[bool]
    overridden_rules: Mapped[list[str]] = mapped_column(ARRAY(Text))
    series_id: Mapped[uuid.UUID | None]
    # The local date this lesson of a series was meant for, whatever it was moved to since.
    series_on: Mapped[date | None]
    attendance: Mapped[str | None]
    attendance_noted_at: Mapped[datetime | None]
    attendance_noted_by_id: Mapped[uuid.UUID | None]
    revision: Mapped[int]
    status: Mapped[str] = mapped_column(Computed("status", persisted=True))


class LessonNote(Identified, Base):
    """What staff wrote about a lesson; the student reads it from ``shared_at`` on."""

    __tablename__ = "lesson_notes"

    booking_id: Mapped[uuid.UUID]
    author_id: Mapped[uuid.UUID]
    shared_at: Mapped[datetime | None]
    body: Mapped[str]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Series(Identified, Base):
    """Lessons every week or every other one, at a wall-clock time of ``time_zone``."""

    __tablename__ = "series"

    appointment_type_id: Mapped[uuid.UUID]
    student_id: Mapped[uuid.UUID]
    instructor_id: Mapped[uuid.UUID]
    location_id: Mapped[uuid.UUID | None]
    time_zone: Mapped[str]
    weekday: Mapped[int]
    starts_minute: Mapped[int]
    duration_minutes: Mapped[int]
    every_weeks: Mapped[int]
    first_on: Mapped[date]
    last_on: Mapped[date]
    created_by_id: Mapped[uuid.UUID]
    ended_at: Mapped[datetime | None]


class WaitlistEntry(Identified, Base):
    """Somebody waits for a seat in a full class; a seat is offered in order, with a deadline."""

    __tablename__ = "waitlist_entries"

    session_id: Mapped[uuid.UUID]
    student_id: Mapped[uuid.UUID]
    joined_by_id: Mapped[uuid.UUID]
    offered_at: Mapped[datetime | None]
    offer_expires_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
