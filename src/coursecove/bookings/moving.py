"""Moving a lesson: the same booking at another time, or a seat in another session of the class.

Moving is an UPDATE and cannot ask politely with ``ON CONFLICT``.  So whoever
moves first takes an advisory lock for each person and room concerned, in one
order: two movers never wait for each other in a circle.  What remains is a race
with somebody who books, and that is lost inside a savepoint.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg.errors
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.acceptance import accept_start
from coursecove.bookings.booking import refusal
from coursecove.bookings.errors import AlreadyCancelled, StudentBusy, TooLateToMove
from coursecove.bookings.expiry import around, let_go
from coursecove.bookings.facts import track_booking
from coursecove.bookings.locks import lock_resources
from coursecove.bookings.requests import (
    Request,
    check_place,
    check_qualified,
    check_session,
    checked_duration,
    checked_instant,
)
from coursecove.bookings.rows import lock_booking, lock_sessions
from coursecove.bookings.schemas import BookingMove, BookingView
from coursecove.bookings.seats import give_seat_back, leave_list
from coursecove.bookings.taking import approval_deadline, student_busy
from coursecove.bookings.views import find_view, is_staff_of
from coursecove.errors import Conflict, Forbidden, Invalid
from coursecove.i18n import _, ngettext
from coursecove.scheduling.rules import Slot
from coursecove.tenants.models import Member

_MOVE_SESSION = text("""
update sessions
set instructor_id = :instructor_id, location_id = :location_id, room_id = :room_id,
    starts_at = :starts_at, ends_at = :ends_at,
    blocked_from = :blocked_from, blocked_until = :blocked_until
where id = :session_id
""")
_TAKE_SEAT = text("""
update sessions set seats_taken = seats_taken + 1
where id = :session_id and cancelled_at is null and seats_taken < capacity
returning id
""")
_MOVE_BOOKING = text("""
update bookings
set session_id = :session_id, starts_at = :starts_at, ends_at = :ends_at,
    revision = revision + 1, rescheduled_count = rescheduled_count + :counts,
    confirmed_at = case when cast(:approve_by as timestamptz) is null then confirmed_at end,
    approve_by = coalesce(cast(:approve_by as timestamptz), approve_by),
    overridden_rules = cast(:overridden_rules as text[]), rules_overridden = :rules_overridden
where id = :booking_id
""")


async def move(session: AsyncSession, booking_id: uuid.UUID, data: BookingMove, *, by: Member) -> BookingView:
    """Move a lesson and return it as ``by`` sees it; reference and id stay, the revision goes up by one.

    Every rule is checked again, as for a new booking, but its own old time is no
    conflict.  A student may until the longer of both notices (moving is no way
    around the cut-off of cancelling) and as often as was promised at booking;
    where lessons need approval, the new time is a request again.  Admins, and
    instructors in their own lessons, may until the lesson is over: they are
    exempt from notice, horizon and cut-off, with ``override_rules`` from the
    other rules but overlaps and capacity, and that is recorded.

    Raises :class:`TooLateToMove`, AlreadyCancelled, what :func:`~.booking.book`
    raises for the time, Forbidden, and NotFound for a lesson that is not for
    ``by`` to see.
    """
    view = await find_view(session, booking_id=booking_id, viewer=by)
    staff = is_staff_of(by, view.instructor.id)
    if not staff and not view.is_own:
        raise Forbidden(_("Only the student, the instructor and admins can move this lesson."))
    type_ = await appointments.get_type(session, view.appointment_type.id)
    request = await _checked(session, view, type_, data, by=by, staff=staff)
    check_may_move(view, clock.now(), staff=staff)
    await _hold(session, view, request)
    await let_go(session, around(request.starts_at, request.duration_minutes))
    acceptance = await accept_start(
        session,
        type_,
        request.starts_at,
        instructor_id=request.instructor_id,
        location_id=request.location_id,
        room_id=request.room_id,
        duration_minutes=request.duration_minutes,
        student_id=request.student_id,
        travel_minutes=request.travel_minutes,
        exempt=staff,
        override=request.override,
        ignoring_session_id=view.session_id,
        session_id=request.session_id,
    )
    taught, booking = await _locked(session, view, acceptance.slots)
    going = _Going(taught, booking, request, past_cut_off=staff and clock.now() > view.move_until)
    for slot in acceptance.slots:
        if await _go(session, going, slot):
            return await find_view(session, booking_id=booking_id, viewer=by)
    raise await refusal(session, request, acceptance)


@dataclass(frozen=True, slots=True)
class _Going:
    """A move whose rows are locked; staff's (``request.exempt``) may be past the student's cut-off."""

    taught: Row[Any]
    booking: Row[Any]
    request: Request
    past_cut_off: bool


async def _checked(
    session: AsyncSession,
    view: BookingView,
    type_: AppointmentTypeView,
    data: BookingMove,
    *,
    by: Member,
    staff: bool,
) -> Request:
    if not staff and (data.override_rules or data.room_id or data.duration_minutes):
        raise Forbidden(_("Rules, rooms and lengths are for the school's staff."))
    if by.role == "instructor" and staff and data.instructor_id not in (None, by.id):
        raise Forbidden(_("Give a lesson to a colleague by handing it over."))
    starts_at = checked_instant(data.starts_at)
    in_class = type_.kind == "class"
    here = view.location.id if view.location else None
    location_id = data.location_id or (here if here in type_.location_ids else None)
    check_qualified(type_, data.instructor_id)
    await check_session(session, type_, data.session_id)
    if not in_class:
        await check_place(session, type_, location_id=location_id, room_id=data.room_id)
    duration = checked_duration(type_, data.duration_minutes, present=view.duration_minutes)
    stays = (
        starts_at == view.starts_at
        and data.session_id in (None, view.session_id)
        and data.instructor_id in (None, view.instructor.id)
        and data.location_id in (None, here)
        and data.room_id in (None, view.room.id if view.room else None)
        and duration == view.duration_minutes
    )
    if stays:
        raise Invalid(fields={"starts_at": _("The lesson is at this time already. Choose another.")})
    return Request(
        type=type_,
        student_id=view.student.id,
        by=by,
        starts_at=starts_at,
        duration_minutes=duration,
        session_id=data.session_id,
        # A seat goes where the class is, whoever teaches it.
        instructor_id=data.instructor_id or (None if in_class else view.instructor.id),
        location_id=data.location_id if in_class else location_id,
        room_id=data.room_id,
        exempt=staff,
        override=data.override_rules,
        note=view.note,
        answers=[],
        address=view.address,
        postcode=view.postcode,
        travel_minutes=view.travel_minutes,
    )


async def _hold(session: AsyncSession, view: BookingView, request: Request) -> None:
    """Lock the student, the instructors and the rooms this move may touch, so that movers queue up."""
    members = [view.student.id, view.instructor.id, request.instructor_id]
    rooms: list[uuid.UUID | None] = []
    if request.type.kind == "class":
        members += request.type.instructor_ids
    elif request.type.location_mode == "in_person":
        places = [request.location_id] if request.location_id else request.type.location_ids
        rooms = [room.id for room in await appointments.list_rooms(session, location_ids=places)]
    await lock_resources(session, members=members, rooms=[*rooms, view.room.id if view.room else None])


async def _locked(session: AsyncSession, view: BookingView, slots: Sequence[Slot]) -> tuple[Row[Any], Row[Any]]:
    """Lock what is left, and what may be entered, in the order of all sessions; then the booking."""
    wanted = {view.session_id, *(slot.session_id for slot in slots if slot.session_id is not None)}
    await lock_sessions(session, wanted)
    taught, booking = await lock_booking(session, view.id)
    if booking.cancelled_at is not None:
        raise AlreadyCancelled()
    if booking.revision != view.revision or taught.instructor_id != view.instructor.id:
        raise Conflict(_("Somebody has changed this lesson in this moment. Look at it again."))
    return taught, booking


def check_may_move(view: BookingView, now: datetime, *, staff: bool) -> None:
    """Raise why a lesson is not moved now, whatever the time it would go to."""
    if view.cancelled_at is not None:
        raise AlreadyCancelled()
    if now >= view.ends_at:
        raise TooLateToMove(_("This lesson is over."))
    if view.status == "held":
        raise TooLateToMove(_("This time is only kept for a moment. Let go of it and take another."))
    if staff:
        return
    if view.status != "confirmed":
        raise TooLateToMove(_("This request is waiting for an answer. Take it back and ask for another time."))
    most = view.most_reschedules
    if most is not None and view.rescheduled_count >= most:
        raise TooLateToMove(
            _("Lessons like this cannot be moved. Please get in touch with the school.")
            if most == 0
            else ngettext(
                "This lesson was moved {count} time, which is as often as possible. "
                "Please get in touch with the school.",
                "This lesson was moved {count} times, which is as often as possible. "
                "Please get in touch with the school.",
                most,
            ).format(count=most)
        )
    if now > view.move_until:
        notice = int((view.starts_at - view.move_until).total_seconds()) // 60
        raise TooLateToMove(
            _(
                "Lessons can be moved until {notice} before they start. Please get in touch with the school."
            ).format(notice=formatting.notice(notice))
        )


async def go_to(session: AsyncSession, view: BookingView, request: Request, slot: Slot) -> bool:
    """Move a lesson whose people, rooms and rows are locked, to a slot that was accepted.

    False when the slot was lost to somebody else; raises StudentBusy.
    """
    taught, booking = await lock_booking(session, view.id)
    past_cut_off = request.exempt and clock.now() > view.move_until
    return await _go(session, _Going(taught, booking, request, past_cut_off=past_cut_off), slot)


async def _go(session: AsyncSession, going: _Going, slot: Slot) -> bool:
    """Move session and booking to the slot; False when it, or every room of it, was lost to somebody else."""
    if slot.session_id is not None:
        return await _change_seat(session, going, slot, slot.session_id)
    # The room it has, if that is free there, and no other without need.
    rooms: list[uuid.UUID | None] = sorted(slot.rooms, key=lambda id_: id_ != going.taught.room_id) or [None]
    for room_id in rooms:
        lost = await _change_time(session, going, slot, room_id=room_id)
        if lost is None:
            return True
        if lost == "bookings_student_free":
            raise _busy(going.request)
        if lost != "sessions_room_free":
            return False
    return False


async def _change_time(
    session: AsyncSession, going: _Going, slot: Slot, *, room_id: uuid.UUID | None
) -> str | None:
    """Write a private lesson's new time; return the constraint that refused it, None when it is done."""
    values = {
        "session_id": going.taught.id,
        "instructor_id": slot.instructor_id,
        "location_id": slot.location_id,
        "room_id": room_id,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "blocked_from": slot.blocked_from,
        "blocked_until": slot.blocked_until,
    }
    try:
        async with session.begin_nested():
            # The booking first: an instructor may write it while the session is still theirs.
            pending = await _move_booking(session, going, slot, going.taught.id)
            await session.execute(_MOVE_SESSION, values)
    except IntegrityError as error:
        return refusing_constraint(error)
    _track(session, going, slot, room_id=room_id, pending=pending)
    return None


async def _change_seat(session: AsyncSession, going: _Going, slot: Slot, session_id: uuid.UUID) -> bool:
    by = going.request.by
    if going.request.exempt and by.role == "instructor" and slot.instructor_id != by.id:
        raise Forbidden(_("Instructors move students within their own classes only."))
    try:
        async with session.begin_nested():
            if await session.scalar(_TAKE_SEAT, {"session_id": session_id}) is None:
                return False
            await give_seat_back(session, going.taught.id)
            pending = await _move_booking(session, going, slot, session_id)
            await leave_list(session, session_id, going.request.student_id)
    except IntegrityError as error:
        refusing_constraint(error)
        raise _busy(going.request) from error
    _track(session, going, slot, room_id=None, pending=pending)
    return True


async def _move_booking(session: AsyncSession, going: _Going, slot: Slot, session_id: uuid.UUID) -> bool:
    """Write the booking's new time; return whether it is a request now."""
    request, booking = going.request, going.booking
    approve_by: datetime | None = None
    if request.type.requires_approval and not request.exempt:
        approve_by = approval_deadline(request.type.approve_within_minutes, slot.starts_at)
    elif booking.confirmed_at is None:
        # A request stays one, and never outlives its own start.
        approve_by = min(booking.approve_by, slot.starts_at)
    await session.execute(
        _MOVE_BOOKING,
        {
            "booking_id": booking.id,
            "session_id": session_id,
            "starts_at": slot.starts_at,
            "ends_at": slot.ends_at,
            "counts": 0 if request.exempt else 1,
            "approve_by": approve_by,
            "overridden_rules": [str(rule) for rule in slot.overridden],
            "rules_overridden": bool(slot.overridden),
        },
    )
    return approve_by is not None


def refusing_constraint(error: IntegrityError) -> str:
    """Return the exclusion constraint that refused a write; anything else was a defect and rises again."""
    refused = error.orig
    if isinstance(refused, psycopg.errors.ExclusionViolation):
        return refused.diag.constraint_name or ""
    raise error


def _busy(request: Request) -> StudentBusy:
    return student_busy(own=request.student_id == request.by.id)


def _track(
    session: AsyncSession, going: _Going, slot: Slot, *, room_id: uuid.UUID | None, pending: bool
) -> None:
    taught, booking = going.taught, going.booking
    changes = {
        "starts_at": (booking.starts_at.isoformat(), slot.starts_at.isoformat()),
        "ends_at": (booking.ends_at.isoformat(), slot.ends_at.isoformat()),
        "location_id": (_text(taught.location_id), _text(slot.location_id)),
    }
    if slot.session_id is None:
        changes["room_id"] = (_text(taught.room_id), _text(room_id))
    track_booking(
        session,
        "booking.moved",
        booking,
        instructor_id=slot.instructor_id,
        revision=booking.revision + 1,
        by_id=going.request.by.id,
        in_class=slot.session_id is not None,
        pending=pending,
        former_instructor_id=_text(taught.instructor_id),
        former_starts_at=booking.starts_at.isoformat(),
        former_ends_at=booking.ends_at.isoformat(),
        # Staff are exempt from cut-offs and from notice; that they made use of it is kept.
        rules_overridden=bool(slot.overridden) or going.past_cut_off,
        overridden_rules=[str(rule) for rule in slot.overridden],
        **going.request.trail,
        **{name: {"from": before, "to": after} for name, (before, after) in changes.items() if before != after},
    )


def _text(value: uuid.UUID | None) -> str | None:
    return str(value) if value else None
