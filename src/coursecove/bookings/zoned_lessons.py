"""Lessons with the clock they are planned on: the venue's, else the one of the instructor's hours."""

from __future__ import annotations

import uuid
from datetime import datetime

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import queries
from coursecove.bookings.models import Booking
from coursecove.tenants import service as tenants
from coursecove.tenants.models import InstructorProfile, Member


class ZonedLesson(Struct, frozen=True, kw_only=True):
    """A lesson that stands, as far as clocks concern it."""

    booking_id: uuid.UUID
    reference: str
    student_id: uuid.UUID
    guardian_id: uuid.UUID | None
    student: str
    instructor_id: uuid.UUID
    instructor: str
    appointment_type_id: uuid.UUID
    appointment_type: str
    starts_at: datetime
    ends_at: datetime
    # The zone whose wall clock the lesson is planned on.
    time_zone: str


async def zoned_lessons(
    session: AsyncSession, *, from_: datetime, until: datetime, of: Member | None = None
) -> list[ZonedLesson]:
    """Return the confirmed lessons that start in ``[from_, until)``, by start, in two queries.

    With ``of``, those of one person and their children.
    """
    statement = (
        queries.booked()
        .add_columns(InstructorProfile.time_zone.label("instructor_time_zone"))
        .where(
            Booking.status == "confirmed",
            Booking.cancelled_at.is_(None),
            Booking.starts_at >= from_,
            Booking.starts_at < until,
        )
    )
    if of is not None:
        statement = statement.where(queries.taken_by(of))
    school = (await tenants.get_organization(session)).time_zone
    rows = await session.execute(queries.ordered(statement, "starts_at"))
    return [
        ZonedLesson(
            booking_id=row.id,
            reference=row.reference,
            student_id=row.student_id,
            guardian_id=row.student_guardian_id,
            student=row.student_name or row.student_email or "",
            instructor_id=row.instructor_id,
            instructor=row.instructor_name or row.instructor_email or "",
            appointment_type_id=row.type_id,
            appointment_type=row.type_name,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            time_zone=row.location_time_zone or row.instructor_time_zone or school,
        )
        for row in rows
    ]
