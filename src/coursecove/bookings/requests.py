"""What somebody asks for, checked against everything but time."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.errors import InstructorNotQualified
from coursecove.bookings.locks import lock_resources
from coursecove.bookings.prospectus import Prospectus
from coursecove.bookings.schemas import BookingCreate
from coursecove.bookings.texts import checked_text
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.i18n import _
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView
from coursecove.text import one_line

_IS_CLASS = text("""
select true from sessions
where id = :session_id and appointment_type_id = :type_id and scheduled_by_id is not null
""")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A booking that may be made if its time is free and right."""

    type: AppointmentTypeView
    student_id: uuid.UUID
    by: Member
    starts_at: datetime
    duration_minutes: int
    session_id: uuid.UUID | None
    instructor_id: uuid.UUID | None
    location_id: uuid.UUID | None
    room_id: uuid.UUID | None
    # Staff who book for a student are exempt from notice and horizon …
    exempt: bool
    # … and may pass other rules knowingly.
    override: bool
    note: str
    answers: list[Any]
    address: str
    postcode: str
    travel_minutes: int
    # Keep the time for so long instead of booking it.
    hold_minutes: int | None = None
    # What the trail says beside the ordinary: the series a lesson is of, for one.
    trail: dict[str, Any] = {}


async def checked(
    session: AsyncSession,
    data: BookingCreate,
    *,
    by: Member,
    hold_minutes: int | None = None,
    trail: dict[str, Any] | None = None,
    complete: bool = True,
    prospectus: Prospectus | None = None,
) -> Request:
    """Return what ``data`` asks for; raises Forbidden, InstructorNotQualified, and Invalid at the field.

    With ``hold_minutes`` the time is to be kept for so long; what the school
    wants to know may be said when the hold is confirmed, or, of what is only
    looked at (not ``complete``), when it is booked.  With a ``prospectus`` the type is
    looked up there, if it is in it; whoever goes on has to see whether that is current.
    """
    starts_at = checked_instant(data.starts_at)
    student_id = data.student_id or by.id
    for_another = not await is_own(session, student_id, by=by)
    if for_another and by.role == "student":
        raise Forbidden(_("You can book lessons for yourself and your children only."))
    if not for_another and (data.override_rules or data.room_id is not None):
        raise Forbidden(_("Rules and rooms are for staff who book for somebody else."))
    if for_another:
        await check_student(session, student_id)
    type_ = await _bookable_type(session, data, by=by, prospectus=prospectus)
    instructor_id = data.instructor_id
    if for_another and by.role == "instructor":
        if instructor_id not in (None, by.id):
            raise Forbidden(_("Instructors book their own lessons only."))
        instructor_id = by.id
    check_qualified(type_, instructor_id)
    await check_session(session, type_, data.session_id)
    await check_place(session, type_, location_id=data.location_id, room_id=data.room_id)
    # A hold is asked the rest when it is confirmed.
    complete = complete and hold_minutes is None
    address, postcode, travel_minutes = await _students_place(session, type_, data, with_address=complete)
    answers = appointments.check_answers(type_.questions, data.answers, complete=complete and not for_another)
    return Request(
        type=type_,
        student_id=student_id,
        by=by,
        starts_at=starts_at,
        duration_minutes=checked_duration(type_, data.duration_minutes),
        session_id=data.session_id,
        instructor_id=instructor_id,
        location_id=data.location_id,
        room_id=data.room_id,
        exempt=for_another,
        override=data.override_rules,
        note=checked_text(data.note, field="note", longest=1000),
        answers=msgspec.to_builtins(answers),
        address=address,
        postcode=postcode,
        travel_minutes=travel_minutes,
        hold_minutes=hold_minutes,
        trail=trail or {},
    )


async def is_own(session: AsyncSession, student_id: uuid.UUID, *, by: Member) -> bool:
    """Say whether somebody's lessons are ``by``'s to take: their own, and those of a child of theirs."""
    if student_id == by.id:
        return True
    return await tenants.find_child(session, student_id, guardian=by) is not None


def checked_instant(moment: datetime) -> datetime:
    """Return a start in UTC; raises Invalid at ``starts_at`` without a zone, and past the calendar's ends."""
    if moment.tzinfo is None:
        raise Invalid(fields={"starts_at": _("Say which time zone this time is in.")})
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise Invalid(fields={"starts_at": _("Choose a time within the calendar.")}) from None


def checked_duration(type_: AppointmentTypeView, wanted: int | None, *, present: int | None = None) -> int:
    """Return the minutes to teach: the type's own, one of its choices, or what the lesson has (``present``)."""
    if wanted is None:
        return present or type_.duration_minutes
    if wanted not in type_.durations and wanted != present:
        raise Invalid(
            fields={
                "duration_minutes": _("Choose one of these lengths: {minutes} minutes.").format(
                    minutes=", ".join(str(minutes) for minutes in type_.durations)
                )
            }
        )
    return wanted


def check_qualified(type_: AppointmentTypeView, instructor_id: uuid.UUID | None) -> None:
    """Raise InstructorNotQualified at ``instructor_id`` for somebody who does not teach the type."""
    if instructor_id is not None and instructor_id not in type_.instructor_ids:
        raise InstructorNotQualified(
            fields={
                "instructor_id": _("Choose somebody who teaches {type}, or anyone.").format(type=type_.name)
            }
        )


async def check_place(
    session: AsyncSession,
    type_: AppointmentTypeView,
    *,
    location_id: uuid.UUID | None,
    room_id: uuid.UUID | None,
) -> None:
    """Raise Invalid at ``location_id`` or ``room_id`` for a place the type is not taught at."""
    if location_id is not None and location_id not in type_.location_ids:
        if type_.location_mode == "in_person":
            message = _("Choose a location where {type} is taught.").format(type=type_.name)
        elif type_.location_mode == "online":
            message = _("This lesson is online: leave the location out.")
        else:
            message = _("This lesson is at the student's place: leave the location out.")
        raise Invalid(fields={"location_id": message})
    if room_id is not None:
        places = [location_id] if location_id else type_.location_ids
        rooms = await appointments.list_rooms(session, location_ids=places) if places else []
        if room_id not in {room.id for room in rooms}:
            raise Invalid(fields={"room_id": _("Choose a room of the place where the lesson is.")})


async def check_session(
    session: AsyncSession, type_: AppointmentTypeView, session_id: uuid.UUID | None
) -> None:
    """Raise Invalid at ``session_id`` unless it is a class of this type on the calendar."""
    if session_id is None:
        return
    found = type_.kind == "class" and await session.scalar(
        _IS_CLASS, {"session_id": session_id, "type_id": type_.id}
    )
    if not found:
        message = _("Choose a time at which {type} is on the calendar.").format(type=type_.name)
        raise Invalid(fields={"session_id": message})


async def hold_what_is_counted(
    session: AsyncSession, request: Request, *, people: Mapping[uuid.UUID, InstructorView] | None = None
) -> None:
    """Lock whoever has a limit on their lessons, so that what is counted next is still true at commit.

    ``people`` are those who teach, when they have been read.  Whoever holds times
    is counted too: nobody holds a whole day.
    """
    type_ = request.type
    candidates = {request.instructor_id} if request.instructor_id else set(type_.instructor_ids)
    counted: set[uuid.UUID | None] = set()
    if type_.day_limit or type_.week_limit:
        counted |= candidates
    elif candidates:
        if people is None:
            people = await tenants.instructors_by_id(session, candidates)
        counted |= {
            person.id
            for person in people.values()
            if person.id in candidates and (person.day_limit or person.week_limit)
        }
    if type_.student_day_limit or type_.student_week_limit:
        counted.add(request.student_id)
    if request.hold_minutes is not None:
        counted.add(request.by.id)
    await lock_resources(session, members=counted)


async def check_student(session: AsyncSession, student_id: uuid.UUID) -> None:
    """Raise Invalid at ``student_id`` for whoever does not belong to the school (any more)."""
    try:
        student = await tenants.get_member(session, student_id)
    except NotFound:
        raise Invalid(fields={"student_id": _("Choose somebody who belongs to this school.")}) from None
    if student.deactivated_at is not None:
        raise Invalid(fields={"student_id": _("This person has been deactivated.")})


async def _bookable_type(
    session: AsyncSession, data: BookingCreate, *, by: Member, prospectus: Prospectus | None
) -> AppointmentTypeView:
    known = prospectus.offered(data.appointment_type_id) if prospectus else None
    try:
        if known is not None:
            return appointments.check_offered(known, by, data.link_key)
        return await appointments.get_offered_type(
            session, data.appointment_type_id, viewer=by, key=data.link_key
        )
    except NotFound:
        raise Invalid(fields={"appointment_type_id": _("Choose a lesson this school offers.")}) from None


async def _students_place(
    session: AsyncSession, type_: AppointmentTypeView, data: BookingCreate, *, with_address: bool
) -> tuple[str, str, int]:
    if type_.location_mode != "students_place":
        return "", "", 0
    address = checked_text(data.address, field="address", longest=400)
    postcode = checked_text(one_line(data.postcode), field="postcode", longest=20)
    missing = {}
    if not address and with_address:
        missing["address"] = _("Say where the lesson is.")
    if not postcode:
        missing["postcode"] = _("Say the postcode, so that the way there can be planned.")
    if missing:
        raise Invalid(fields=missing)
    return address, postcode, await appointments.travel_minutes_for(session, postcode)
