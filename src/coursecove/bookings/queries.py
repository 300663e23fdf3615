"""Selects over bookings, for use inside one organization.

A booking is read together with its type, people and place in one query: these
are the only reads that reach into lower rooms' tables, because searching,
sorting and counting by a person's name needs them in one statement.  Nothing
here writes.  What a statement begins with is made once: a select is never
changed, only made into another one.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, Text, Uuid, and_, bindparam, exists, func, or_, select, true
from sqlalchemy.orm import aliased

from coursecove.appointments.models import AppointmentType, Location, Room
from coursecove.bookings.models import Booking, LessonNote, TeachingSession
from coursecove.db.together import Part, rows, selected
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


def _of_session(entity: Any, column: Any) -> Any:
    return and_(entity.organization_id == TeachingSession.organization_id, entity.id == column)


@cache
def booked() -> Select[Any]:
    """Everything a view of a booking is made from, one row per booking."""
    columns: list[Any] = [
        Booking.id,
        Booking.session_id,
        Booking.reference,
        Booking.status,
        Booking.booked_by_id,
        Booking.starts_at,
        Booking.ends_at,
        Booking.created_at,
        Booking.note,
        Booking.answers,
        Booking.address,
        Booking.postcode,
        Booking.travel_minutes,
        Booking.price_cents,
        Booking.currency,
        Booking.confirmed_at,
        Booking.held_until,
        Booking.approve_by,
        Booking.declined_at,
        Booking.cancelled_at,
        Booking.cancellation_reason,
        Booking.cancellation_notice_minutes,
        Booking.reschedule_notice_minutes,
        Booking.most_reschedules,
        Booking.rescheduled_count,
        Booking.overridden_rules,
        Booking.attendance,
        Booking.series_id,
        Booking.series_on,
        Booking.revision,
        TeachingSession.capacity,
        TeachingSession.seats_taken,
        *_place_of_session(),
        *_person(_Instructor, "instructor"),
        *_person(_Student, "student"),
        _Student.guardian_id.label("student_guardian_id"),
        *_person(_Canceller, "canceller"),
    ]
    return _with_place(
        select(*columns)
        .select_from(Booking)
        .join(TeachingSession, _same(TeachingSession, Booking.session_id))
        .join(_Student, _same(_Student, Booking.student_id))
        .outerjoin(_Canceller, _same(_Canceller, Booking.cancelled_by_id)),
    )


@cache
def taught() -> Select[Any]:
    """Everything a view of a session is made from, one row per session; its seats are another read."""
    columns: list[Any] = [
        TeachingSession.id,
        TeachingSession.starts_at,
        TeachingSession.ends_at,
        TeachingSession.blocked_from,
        TeachingSession.blocked_until,
        TeachingSession.capacity,
        TeachingSession.seats_taken,
        TeachingSession.scheduled_by_id,
        TeachingSession.cancelled_at,
        *_place_of_session(),
        *_person(_Instructor, "instructor"),
    ]
    return _with_place(select(*columns).select_from(TeachingSession))


@cache
def seated() -> Select[Any]:
    """The seats of sessions with their students, one row per booking."""
    columns: list[Any] = [
        Booking.id,
        Booking.session_id,
        Booking.reference,
        Booking.status,
        Booking.note,
        Booking.address,
        Booking.postcode,
        Booking.attendance,
        Booking.approve_by,
        Booking.overridden_rules,
        Booking.revision,
        Booking.starts_at,
        Booking.cancelled_at,
        *_person(_Student, "student"),
    ]
    return (
        select(*columns)
        .select_from(Booking)
        .join(_Student, _same(_Student, Booking.student_id))
        .order_by(_Student.given_name, _Student.family_name, Booking.id)
    )


@cache
def written() -> Select[Any]:
    """Notes about lessons with their authors, oldest first."""
    columns: list[Any] = [
        LessonNote.id,
        LessonNote.booking_id,
        LessonNote.body,
        LessonNote.shared_at,
        LessonNote.created_at,
        LessonNote.updated_at,
        LessonNote.author_id,
        func.trim(Member.given_name + " " + Member.family_name).label("author_name"),
        Member.image_url.label("author_image_url"),
    ]
    return (
        select(*columns)
        .select_from(LessonNote)
        # Outer, because a student does not see an author who has left the staff since.
        .outerjoin(
            Member,
            and_(Member.organization_id == LessonNote.organization_id, Member.id == LessonNote.author_id),
        )
        .order_by(LessonNote.created_at, LessonNote.id)
    )


def offered_to_members() -> Any:
    """Whether a type can be booked by members now, without a link."""
    return and_(
        AppointmentType.published_at.is_not(None),
        AppointmentType.archived_at.is_(None),
        AppointmentType.visibility != "link",
    )


def _place_of_session() -> list[Any]:
    return [
        AppointmentType.id.label("type_id"),
        AppointmentType.slug.label("type_slug"),
        AppointmentType.name.label("type_name"),
        AppointmentType.color.label("type_color"),
        AppointmentType.location_mode.label("type_location_mode"),
        AppointmentType.kind.label("type_kind"),
        offered_to_members().label("type_is_offered"),
        Location.id.label("location_id"),
        Location.slug.label("location_slug"),
        Location.name.label("location_name"),
        Location.address.label("location_address"),
        Location.directions.label("location_directions"),
        Location.time_zone.label("location_time_zone"),
        Room.id.label("room_id"),
        Room.name.label("room_name"),
        InstructorProfile.meeting_url,
    ]


def _with_place(statement: Select[Any]) -> Select[Any]:
    return (
        statement.join(AppointmentType, _of_session(AppointmentType, TeachingSession.appointment_type_id))
        .join(_Instructor, _of_session(_Instructor, TeachingSession.instructor_id))
        .outerjoin(Location, _of_session(Location, TeachingSession.location_id))
        .outerjoin(Room, _of_session(Room, TeachingSession.room_id))
        .outerjoin(
            InstructorProfile,
            and_(
                InstructorProfile.organization_id == TeachingSession.organization_id,
                InstructorProfile.member_id == TeachingSession.instructor_id,
            ),
        )
    )


def visible_to(viewer: Member) -> Any:
    """What a person may know of: their own lessons and their children's, instructors also what they teach.

    And what they booked.  For statements over :func:`booked`.
    """
    if viewer.role == "admin":
        return true()
    own = taken_by(viewer)
    if viewer.role == "instructor":
        return or_(TeachingSession.instructor_id == viewer.id, own, Booking.booked_by_id == viewer.id)
    return own


class _Viewer(NamedTuple):
    """Whoever looks, as a value that comes later."""

    id: Any
    role: str


@cache
def _one(role: str, by: Literal["id", "reference"]) -> tuple[Any, Any]:
    viewer: Any = _Viewer(bindparam("viewer_id", type_=Uuid()), role)
    wanted = Booking.id == bindparam("booking_id", type_=Uuid())
    if by == "reference":
        wanted = Booking.reference == bindparam("reference", type_=Text())
    notes = written().where(LessonNote.booking_id == select(Booking.id).where(wanted).scalar_subquery())
    if role == "student":
        notes = notes.where(LessonNote.shared_at.is_not(None))
    return selected(booked().where(visible_to(viewer), wanted)), selected(notes)


def one_booking(
    viewer: Member, *, booking_id: uuid.UUID | None = None, reference: str | None = None
) -> tuple[Part[list[Any]], Part[list[Any]]]:
    """Return the parts that read one booking ``viewer`` may see, and its notes as they may read them.

    What :func:`booked` and :func:`written` say, put into words once per process: building and taking apart a
    statement of forty columns took longer than reading it.
    """
    of_booking, of_notes = _one(viewer.role, "reference" if booking_id is None else "id")
    values = {"viewer_id": viewer.id, "booking_id": booking_id, "reference": reference}
    return tuple(  # type: ignore[return-value] # of two
        rows(statement, shape, **constant, **values) for statement, constant, shape in (of_booking, of_notes)
    )


def taken_by(member: Member) -> Any:
    """The lessons somebody takes themselves, and their children's.  For statements over :func:`booked`."""
    return or_(Booking.student_id == member.id, _Student.guardian_id == member.id)


def session_mentions(word: str) -> Any:
    """Say that a word occurs in a session's type or instructor, or in one of its students or references."""
    who = func.concat_ws(" ", AppointmentType.name, _Instructor.given_name, _Instructor.family_name)
    seat = func.concat_ws(" ", Booking.reference, Member.given_name, Member.family_name)
    return or_(
        who.icontains(word, autoescape=True),
        exists()
        .where(
            Booking.organization_id == TeachingSession.organization_id,
            Booking.session_id == TeachingSession.id,
            Member.organization_id == Booking.organization_id,
            Member.id == Booking.student_id,
            seat.icontains(word, autoescape=True),
        )
        .correlate(TeachingSession),
    )


def is_published() -> Any:
    """Say that a session's type is neither a draft nor archived."""
    return and_(AppointmentType.published_at.is_not(None), AppointmentType.archived_at.is_(None))


def is_offered_openly(*, signed_in: bool) -> Any:
    """Say that a session's type is listed for visitors, or for whoever is signed in as a member."""
    shown = ("public", "members") if signed_in else ("public",)
    return and_(is_published(), AppointmentType.visibility.in_(shown))


def filtered(
    statement: Select[Any],
    *,
    student_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    appointment_type_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    room_id: uuid.UUID | None = None,
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
    if location_id is not None:
        conditions.append(TeachingSession.location_id == location_id)
    if room_id is not None:
        conditions.append(TeachingSession.room_id == room_id)
    if status is None:
        # A time that is only kept, or was, is nobody's lesson.
        conditions.append(Booking.status.not_in(("held", "expired")))
    else:
        conditions.append(Booking.status == status)
        if status in ("held", "pending", "confirmed"):
            # Said again as the fact it is derived from, which the partial indexes know.
            conditions.append(Booking.cancelled_at.is_(None))
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
