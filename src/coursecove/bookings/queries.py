"""Selects over bookings, for use inside one organization.

A booking is read together with its type, people and place in one query: these
are the only reads that reach into lower rooms' tables, because searching,
sorting and counting by a person's name needs them in one statement.  Nothing
here writes.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, and_, func, or_, select, true
from sqlalchemy.orm import aliased

from coursecove.appointments.models import AppointmentType, Location
from coursecove.bookings.models import Booking, TeachingSession
from coursecove.tenants.models import InstructorProfile, Member

Order = Literal["starts_at", "-starts_at"]

_Instructor = aliased(Member, name="instructor")
_Student = aliased(Member, name="student")
_Canceller = aliased(Member, name="canceller")


def _person(entity: Any, prefix: str) -> list[Any]:
    return [
        entity.id.label(f"{prefix}_id"),
        func.trim(entity.given_name + " " + entity.family_name).label(f"{prefix}_name"),
        entity.email.label(f"{prefix}_email"),
        entity.image_url.label(f"{prefix}_image_url"),
    ]


def _same(entity: Any, column: Any) -> Any:
    """Join on the whole key, organization first, as every index begins with it."""
    return and_(entity.organization_id == Booking.organization_id, entity.id == column)


def booked() -> Select[Any]:
    """Everything a view of a booking is made from, one row per booking."""
    columns: list[Any] = [
        Booking.id,
        Booking.reference,
        Booking.status,
        Booking.booked_by_id,
        Booking.starts_at,
        Booking.ends_at,
        Booking.note,
        Booking.price_cents,
        Booking.currency,
        Booking.confirmed_at,
        Booking.cancelled_at,
        Booking.cancellation_reason,
        Booking.cancellation_notice_minutes,
        Booking.revision,
        AppointmentType.id.label("type_id"),
        AppointmentType.slug.label("type_slug"),
        AppointmentType.name.label("type_name"),
        AppointmentType.color.label("type_color"),
        AppointmentType.location_mode.label("type_location_mode"),
        Location.id.label("location_id"),
        Location.slug.label("location_slug"),
        Location.name.label("location_name"),
        Location.address.label("location_address"),
        Location.directions.label("location_directions"),
        Location.time_zone.label("location_time_zone"),
        InstructorProfile.meeting_url,
        *_person(_Instructor, "instructor"),
        *_person(_Student, "student"),
        *_person(_Canceller, "canceller"),
    ]
    return (
        select(*columns)
        .select_from(Booking)
        .join(TeachingSession, _same(TeachingSession, Booking.session_id))
        .join(AppointmentType, _same(AppointmentType, TeachingSession.appointment_type_id))
        .join(_Instructor, _same(_Instructor, TeachingSession.instructor_id))
        .join(_Student, _same(_Student, Booking.student_id))
        .outerjoin(Location, _same(Location, TeachingSession.location_id))
        .outerjoin(_Canceller, _same(_Canceller, Booking.cancelled_by_id))
        .outerjoin(
            InstructorProfile,
            and_(
                InstructorProfile.organization_id == Booking.organization_id,
                InstructorProfile.member_id == TeachingSession.instructor_id,
            ),
        )
    )


def visible_to(viewer: Member) -> Any:
    """What a person may know of: students their own lessons, instructors also what they teach or booked."""
    if viewer.role == "admin":
        return true()
    if viewer.role == "instructor":
        return or_(
            TeachingSession.instructor_id == viewer.id,
            Booking.student_id == viewer.id,
            Booking.booked_by_id == viewer.id,
        )
    return Booking.student_id == viewer.id


def filtered(
    statement: Select[Any],
    *,
    student_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    appointment_type_id: uuid.UUID | None = None,
    status: str | None = None,
    from_: datetime | None = None,
    until: datetime | None = None,
    search: str | None = None,
) -> Select[Any]:
    """Narrow to what matches every filter given; ``[from_, until)`` is about the start."""
    conditions: list[Any] = []
    if student_id is not None:
        conditions.append(Booking.student_id == student_id)
    if instructor_id is not None:
        conditions.append(TeachingSession.instructor_id == instructor_id)
    if appointment_type_id is not None:
        conditions.append(TeachingSession.appointment_type_id == appointment_type_id)
    if status is not None:
        # Asked as the fact it is derived from, which the partial indexes know.
        cancelled = Booking.cancelled_at.is_not(None)
        conditions.append(cancelled if status == "cancelled" else Booking.cancelled_at.is_(None))
    if from_ is not None:
        conditions.append(Booking.starts_at >= from_)
    if until is not None:
        conditions.append(Booking.starts_at < until)
    haystack = func.concat_ws(
        " ",
        Booking.reference,
        AppointmentType.name,
        _Instructor.given_name,
        _Instructor.family_name,
        _Student.given_name,
        _Student.family_name,
    )
    conditions += [haystack.icontains(word, autoescape=True) for word in (search or "").split()[:5]]
    return statement.where(*conditions)


def ordered(statement: Select[Any], order: Order) -> Select[Any]:
    """Sort by start, ascending or descending; equal starts keep one order on every page."""
    start = Booking.starts_at.desc() if order == "-starts_at" else Booking.starts_at
    return statement.order_by(start, Booking.id)
