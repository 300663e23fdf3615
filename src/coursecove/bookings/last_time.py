"""What was last done with a student, for whoever prepares the next lesson."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments.models import AppointmentType
from coursecove.bookings.models import Booking, TeachingSession
from coursecove.bookings.schemas import Attendance, NoteView
from coursecove.bookings.views import notes_of
from coursecove.tenants.models import Member


class LastTime(Struct, frozen=True):
    """The lesson before, with what was written about it."""

    reference: str
    type_name: str
    starts_at: datetime
    attendance: Attendance | None
    notes: list[NoteView]


async def last_lessons(
    session: AsyncSession, student_ids: Collection[uuid.UUID], *, viewer: Member, before: datetime
) -> dict[uuid.UUID, LastTime]:
    """Return, by student, the latest lesson that ``viewer`` gave and that began before an instant.

    Two queries, however many students and lessons there are; whoever was never
    taught by ``viewer`` is not in it.
    """
    if not student_ids or viewer.role == "student":
        return {}
    rows = (
        await session.execute(
            select(
                Booking.id,
                Booking.student_id,
                Booking.reference,
                Booking.starts_at,
                Booking.attendance,
                AppointmentType.name,
            )
            .join(
                TeachingSession,
                (TeachingSession.organization_id == Booking.organization_id)
                & (TeachingSession.id == Booking.session_id),
            )
            .join(
                AppointmentType,
                (AppointmentType.organization_id == TeachingSession.organization_id)
                & (AppointmentType.id == TeachingSession.appointment_type_id),
            )
            .where(
                Booking.student_id.in_(student_ids),
                TeachingSession.instructor_id == viewer.id,
                Booking.status == "confirmed",
                Booking.starts_at < before,
            )
            .ext(distinct_on(Booking.student_id))
            .order_by(Booking.student_id, Booking.starts_at.desc(), Booking.id)
        )
    ).all()
    if not rows:
        return {}
    notes = await notes_of(session, [row.id for row in rows], viewer=viewer)
    return {
        row.student_id: LastTime(row.reference, row.name, row.starts_at, row.attendance, notes.get(row.id, []))
        for row in rows
    }
