"""A booking as one person sees it, and whether that person may see it at all."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import queries
from coursecove.bookings.models import Booking, LessonNote
from coursecove.bookings.schemas import (
    AnswerView,
    BookingView,
    NoteView,
    PersonSummary,
    PlaceSummary,
    RoomSummary,
    SeatView,
    TypeSummary,
)
from coursecove.db.together import read
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.tenants.models import Member


def is_staff_of(member: Member, instructor_id: uuid.UUID) -> bool:
    """Say whether the rules for staff hold: for admins, and for instructors in the lessons they teach."""
    return member.role == "admin" or (member.role == "instructor" and member.id == instructor_id)


def cancel_until(starts_at: datetime, notice_minutes: int) -> datetime:
    """Return the last instant at which the student may cancel; at this very instant it is still allowed."""
    return starts_at - timedelta(minutes=notice_minutes)


def move_until(starts_at: datetime, *, reschedule_notice: int, cancellation_notice: int) -> datetime:
    """Return the last instant at which the student may move the lesson, notices in minutes.

    The longer notice counts: moving is no way around the cut-off of cancelling.
    """
    return starts_at - timedelta(minutes=max(reschedule_notice, cancellation_notice))


def may_move(row: Row[Any], now: datetime) -> bool:
    """Say whether the student of a booking (a row with its policy) may move it at ``now``."""
    until = move_until(
        row.starts_at,
        reschedule_notice=row.reschedule_notice_minutes,
        cancellation_notice=row.cancellation_notice_minutes,
    )
    again = row.most_reschedules is None or row.rescheduled_count < row.most_reschedules
    return again and now <= until


async def find_view(
    session: AsyncSession, *, booking_id: uuid.UUID | None = None, reference: str | None = None, viewer: Member
) -> BookingView:
    """Return a booking by id or reference; NotFound alike when it is missing and when it is another's."""
    of_booking, of_notes = queries.one_booking(viewer, booking_id=booking_id, reference=reference)
    found, notes = await read(session, of_booking, of_notes)
    if not found:
        raise NotFound(_("There is no such lesson."))
    [row] = found
    seats = None
    if _has_seats_to_show(row, viewer):
        seats = (await seats_of(session, {row.session_id})).get(row.session_id, [])
    return booking_view(row, viewer, notes=[_note_view(note, viewer) for note in notes], seats=seats)


async def booking_views(session: AsyncSession, rows: Collection[Row[Any]], viewer: Member) -> list[BookingView]:
    """Make views from rows of :func:`queries.booked`, with two more reads at most, however many there are."""
    if not rows:
        return []
    notes = await notes_of(session, [row.id for row in rows], viewer=viewer)
    classes = {row.session_id for row in rows if _has_seats_to_show(row, viewer)}
    seats = await seats_of(session, classes) if classes else {}
    return [
        booking_view(
            row,
            viewer,
            notes=notes.get(row.id, []),
            seats=seats.get(row.session_id, []) if row.session_id in classes else None,
        )
        for row in rows
    ]


def _has_seats_to_show(row: Row[Any], viewer: Member) -> bool:
    return row.type_kind == "class" and is_staff_of(viewer, row.instructor_id)


def booking_view(
    row: Row[Any], viewer: Member, *, notes: list[NoteView], seats: list[SeatView] | None
) -> BookingView:
    """Make the view from a row of :func:`queries.booked`.

    Staff of the lesson see addresses, students only their own.  The meeting
    link is for the two people who meet, as long as the lesson stands.
    """
    staff = is_staff_of(viewer, row.instructor_id)
    confirmed, live = row.status == "confirmed", row.cancelled_at is None
    cut_off = cancel_until(row.starts_at, row.cancellation_notice_minutes)
    now = clock.now()
    student = viewer.id in (row.student_id, row.student_guardian_id)
    participant = viewer.id == row.instructor_id or student
    return BookingView(
        id=row.id,
        session_id=row.session_id,
        reference=row.reference,
        status=row.status,
        appointment_type=type_summary(row),
        instructor=_person(row, "instructor", viewer, staff=staff),
        student=_person(row, "student", viewer, staff=staff),
        is_own=student,
        location=place_summary(row),
        room=room_summary(row),
        meeting_url=row.meeting_url if participant and is_online(row) and confirmed else None,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        duration_minutes=minutes_between(row.starts_at, row.ends_at),
        venue_time_zone=row.location_time_zone,
        address=row.address if staff or student else "",
        postcode=row.postcode if staff or student else "",
        travel_minutes=row.travel_minutes if staff or student else 0,
        note=row.note,
        answers=[AnswerView(answer["label"], answer["answer"]) for answer in row.answers]
        if staff or student
        else [],
        price_cents=row.price_cents,
        currency=row.currency,
        booked_at=row.created_at,
        confirmed_at=row.confirmed_at,
        held_until=row.held_until if row.status == "held" else None,
        approve_by=row.approve_by if row.status == "pending" else None,
        declined_at=row.declined_at,
        lapsed=row.status == "cancelled" and row.confirmed_at is None and row.canceller_id is None,
        cancelled_at=row.cancelled_at,
        cancelled_by=_person(row, "canceller", viewer, staff=staff) if row.canceller_id else None,
        cancellation_reason=row.cancellation_reason,
        cancel_until=cut_off,
        move_until=move_until(
            row.starts_at,
            reschedule_notice=row.reschedule_notice_minutes,
            cancellation_notice=row.cancellation_notice_minutes,
        ),
        rescheduled_count=row.rescheduled_count,
        most_reschedules=row.most_reschedules,
        overridden_rules=list(row.overridden_rules) if staff else [],
        attendance=row.attendance,
        notes=notes,
        capacity=row.capacity,
        seats_taken=row.seats_taken,
        seats=seats,
        can_cancel=live
        and row.status != "held"
        and (
            (staff and now < row.ends_at)
            # A request is not a promise yet: it may be taken back until the lesson would start.
            or (student and now <= (cut_off if confirmed else row.starts_at))
        ),
        can_move=live
        and row.status != "held"
        and ((staff and now < row.ends_at) or (student and confirmed and may_move(row, now))),
        can_decide=staff and row.status == "pending",
        can_note_attendance=staff and confirmed and now >= row.starts_at,
        can_write_notes=staff,
        series_id=row.series_id,
        series_on=row.series_on,
        revision=row.revision,
    )


async def notes_of(
    session: AsyncSession, booking_ids: Collection[uuid.UUID], *, viewer: Member
) -> dict[uuid.UUID, list[NoteView]]:
    """Return the notes of several lessons as ``viewer`` may read them, in one query, oldest first.

    Which lessons are ``viewer``'s to see is for the caller; of those, a
    student gets what was shared and staff get everything.
    """
    statement = queries.written().where(LessonNote.booking_id.in_(booking_ids))
    if viewer.role == "student":
        statement = statement.where(LessonNote.shared_at.is_not(None))
    found: dict[uuid.UUID, list[NoteView]] = {}
    for row in await session.execute(statement):
        found.setdefault(row.booking_id, []).append(_note_view(row, viewer))
    return found


def _note_view(row: Row[Any], viewer: Member) -> NoteView:
    return NoteView(
        id=row.id,
        booking_id=row.booking_id,
        author=PersonSummary(row.author_id, row.author_name or _("Unnamed person"), row.author_image_url),
        body=row.body,
        shared=row.shared_at is not None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        can_change=viewer.role == "admin" or viewer.id == row.author_id,
    )


async def seats_of(
    session: AsyncSession, session_ids: Collection[uuid.UUID], *, with_cancelled: bool = False
) -> dict[uuid.UUID, list[SeatView]]:
    """Return who sits in several sessions, in one query, by name; for the staff of those sessions only."""
    statement = queries.seated().where(Booking.session_id.in_(session_ids))
    if not with_cancelled:
        statement = statement.where(Booking.cancelled_at.is_(None))
    found: dict[uuid.UUID, list[SeatView]] = {}
    for row in await session.execute(statement):
        found.setdefault(row.session_id, []).append(seat_view(row))
    return found


def seat_view(row: Row[Any]) -> SeatView:
    """Make a seat from a row of :func:`queries.seated`, for the staff of its session."""
    return SeatView(
        booking_id=row.id,
        reference=row.reference,
        student=PersonSummary(
            row.student_id,
            row.student_name or row.student_email or _("Unnamed person"),
            row.student_image_url,
            row.student_email,
        ),
        status=row.status,
        note=row.note,
        attendance=row.attendance,
        approve_by=row.approve_by if row.status == "pending" else None,
        overridden_rules=list(row.overridden_rules),
        revision=row.revision,
    )


def type_summary(row: Row[Any]) -> TypeSummary:
    """Return the type of a row of :func:`queries.booked` or :func:`queries.taught`."""
    return TypeSummary(
        row.type_id,
        row.type_slug,
        row.type_name,
        row.type_color,
        row.type_location_mode,
        row.type_kind,
        row.type_is_offered,
    )


def place_summary(row: Row[Any]) -> PlaceSummary | None:
    """Return the location of a row of :func:`queries.booked` or :func:`queries.taught`."""
    if not row.location_id:
        return None
    return PlaceSummary(
        row.location_id,
        row.location_slug,
        row.location_name,
        row.location_address,
        row.location_directions,
        row.location_time_zone,
    )


def room_summary(row: Row[Any]) -> RoomSummary | None:
    """Return the room of a row of :func:`queries.booked` or :func:`queries.taught`."""
    return RoomSummary(row.room_id, row.room_name) if row.room_id else None


def is_online(row: Row[Any]) -> bool:
    """Say whether a row's lesson happens online."""
    return row.type_location_mode == "online" and row.location_id is None


def minutes_between(starts_at: datetime, ends_at: datetime) -> int:
    """Return whole minutes of elapsed time."""
    return int((ends_at - starts_at).total_seconds()) // 60


def summaries(rows: Iterable[Any], prefix: str) -> list[PersonSummary]:
    """Return people without their addresses from rows with columns named like ``prefix``."""
    return [
        PersonSummary(
            getattr(row, f"{prefix}_id"),
            getattr(row, f"{prefix}_name") or _("Unnamed person"),
            getattr(row, f"{prefix}_image_url"),
        )
        for row in rows
    ]


def _person(row: Row[Any], prefix: str, viewer: Member, *, staff: bool) -> PersonSummary:
    person_id = getattr(row, f"{prefix}_id")
    email = getattr(row, f"{prefix}_email") if staff or person_id == viewer.id else None
    return PersonSummary(
        id=person_id,
        name=getattr(row, f"{prefix}_name") or email or _("Unnamed person"),
        image_url=getattr(row, f"{prefix}_image_url"),
        email=email,
    )
