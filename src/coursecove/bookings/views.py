"""A booking as one person sees it, and whether that person may see it at all."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import queries
from coursecove.bookings.models import Booking
from coursecove.bookings.schemas import BookingView, PersonSummary, PlaceSummary, TypeSummary
from coursecove.errors import NotFound
from coursecove.tenants.models import Member


def is_staff_of(member: Member, instructor_id: uuid.UUID) -> bool:
    """Say whether the rules for staff hold: for admins, and for instructors in the lessons they teach."""
    return member.role == "admin" or (member.role == "instructor" and member.id == instructor_id)


def cancel_until(starts_at: datetime, notice_minutes: int) -> datetime:
    """Return the last instant at which the student may cancel; at this very instant it is still allowed."""
    return starts_at - timedelta(minutes=notice_minutes)


async def find_view(
    session: AsyncSession, *, booking_id: uuid.UUID | None = None, reference: str | None = None, viewer: Member
) -> BookingView:
    """Return a booking by id or reference; NotFound alike when it is missing and when it is another's."""
    statement: Select[Any] = queries.booked().where(queries.visible_to(viewer))
    if booking_id is not None:
        statement = statement.where(Booking.id == booking_id)
    else:
        statement = statement.where(Booking.reference == reference)
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        raise NotFound("There is no such lesson.")
    return booking_view(row, viewer)


def booking_view(row: Row[Any], viewer: Member) -> BookingView:
    """Make the view from a row of :func:`queries.booked`.

    Staff of the lesson see addresses, students only their own.  The meeting
    link is for the two people who meet, as long as the lesson stands.
    """
    staff = is_staff_of(viewer, row.instructor_id)
    confirmed = row.cancelled_at is None
    cut_off = cancel_until(row.starts_at, row.cancellation_notice_minutes)
    now = clock.now()
    student = viewer.id == row.student_id
    participant = viewer.id == row.instructor_id or student
    online = row.type_location_mode == "online" and row.location_id is None
    return BookingView(
        id=row.id,
        reference=row.reference,
        status=row.status,
        appointment_type=TypeSummary(
            row.type_id, row.type_slug, row.type_name, row.type_color, row.type_location_mode
        ),
        instructor=_person(row, "instructor", viewer, staff=staff),
        student=_person(row, "student", viewer, staff=staff),
        location=(
            PlaceSummary(
                row.location_id,
                row.location_slug,
                row.location_name,
                row.location_address,
                row.location_directions,
                row.location_time_zone,
            )
            if row.location_id
            else None
        ),
        meeting_url=row.meeting_url if participant and online and confirmed else None,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        venue_time_zone=row.location_time_zone,
        note=row.note,
        price_cents=row.price_cents,
        currency=row.currency,
        confirmed_at=row.confirmed_at,
        cancelled_at=row.cancelled_at,
        cancelled_by=_person(row, "canceller", viewer, staff=staff) if row.canceller_id else None,
        cancellation_reason=row.cancellation_reason,
        cancel_until=cut_off,
        can_cancel=confirmed and ((staff and now < row.ends_at) or (student and now <= cut_off)),
        revision=row.revision,
    )


def _person(row: Row[Any], prefix: str, viewer: Member, *, staff: bool) -> PersonSummary:
    person_id = getattr(row, f"{prefix}_id")
    email = getattr(row, f"{prefix}_email") if staff or person_id == viewer.id else None
    return PersonSummary(
        id=person_id,
        name=getattr(row, f"{prefix}_name") or email or "Unnamed person",
        image_url=getattr(row, f"{prefix}_image_url"),
        email=email,
    )
