"""Booking a lesson.

The engine that offers times judges the wanted one again
(:mod:`coursecove.bookings.acceptance`), and the database has the last word
(:mod:`coursecove.bookings.taking`).
"""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.acceptance import Acceptance, accept_start
from coursecove.bookings.availability import alternatives
from coursecove.bookings.errors import ClassFull, SlotNotOffered, SlotTaken, broken
from coursecove.bookings.expiry import around, clearing
from coursecove.bookings.prospectus import Prospectus, Stale, keep_soon, prospectus_kept
from coursecove.bookings.requests import Request, checked, hold_what_is_counted
from coursecove.bookings.schemas import BookingCreate, BookingView
from coursecove.bookings.taking import student_busy, take
from coursecove.bookings.timetable import Timetable
from coursecove.bookings.views import find_view
from coursecove.errors import CourseCoveError
from coursecove.scheduling.rules import OVERRIDABLE, Reason
from coursecove.tenants.models import Member


async def book(session: AsyncSession, data: BookingCreate, *, by: Member) -> BookingView:
    """Book a lesson or a seat in a class for ``by``, or, as staff, for a student; return it as ``by`` sees it.

    Without an instructor, the free one with the fewest lessons in that local
    week gets it; of several rooms, the first that is free.  What a student
    books of a type that requires approval is a request: it blocks the time and
    waits for staff.  Staff who book for a student are exempt from notice and
    horizon, and with ``override_rules`` from the other rules but overlaps and
    capacity; which rules were passed is kept on the booking.  Limits are counted
    under a lock, so that two bookings at once do not both pass the last one.

    Raises :class:`SlotTaken`, :class:`SlotNotOffered` or :class:`ClassFull` with
    the nearest free times, :class:`StudentBusy`, :class:`InstructorNotQualified`,
    Forbidden for somebody else's lessons, and Invalid at the field that cannot
    be used.
    """
    booking_id = await _from_what_is_known(session, data, by=by)
    if booking_id is None:
        booking_id = await have(session, await checked(session, data, by=by))
    return await find_view(session, booking_id=booking_id, viewer=by)


async def _from_what_is_known(session: AsyncSession, data: BookingCreate, *, by: Member) -> uuid.UUID | None:
    """Book without reading again what the school offers; None where that cannot be, and nothing was written."""
    # Staff see more than a prospectus holds, and choose more than it was made for.
    if by.role != "student" or data.room_id is not None:
        return None
    prospectus = prospectus_kept(session)
    if prospectus is None:
        keep_soon(session)
        return None
    try:
        request = await checked(session, data, by=by, prospectus=prospectus)
    except CourseCoveError:
        # It may be right by now.
        return None
    try:
        return await have(session, request, prospectus=prospectus)
    except Stale:
        return None


async def have(session: AsyncSession, request: Request, *, prospectus: Prospectus | None = None) -> uuid.UUID:
    """Write what was asked for; return the booking's id, or raise why it cannot be had.

    With the ``prospectus`` its type is of, raises Stale when the school has changed since.
    """

    async def hold(timetable: Timetable) -> None:
        await hold_what_is_counted(session, request, people=timetable.instructors)

    acceptance = await accept_start(
        session,
        request.type,
        request.starts_at,
        instructor_id=request.instructor_id,
        location_id=request.location_id,
        room_id=request.room_id,
        duration_minutes=request.duration_minutes,
        student_id=request.student_id,
        travel_minutes=request.travel_minutes,
        exempt=request.exempt,
        override=request.override,
        session_id=request.session_id,
        holding=hold,
        clearing=clearing(around(request.starts_at, request.duration_minutes)),
        prospectus=prospectus,
    )
    for slot in acceptance.slots:
        booking_id = await take(session, request, slot)
        if booking_id is not None:
            return booking_id
    raise await refusal(session, request, acceptance, prospectus=prospectus)


async def refusal(
    session: AsyncSession,
    request: Request,
    acceptance: Acceptance,
    *,
    prospectus: Prospectus | None = None,
) -> CourseCoveError:
    """Return why a start was not accepted, or why nothing of what was accepted could be had."""
    reason = acceptance.reason if not acceptance.slots else None
    if reason == Reason.STUDENT_BUSY:
        return student_busy(own=request.student_id == request.by.id)
    nearest = await alternatives(session, acceptance, prospectus=prospectus)
    in_class = request.type.kind == "class"
    if reason == Reason.FULL or (reason is None and in_class):
        return ClassFull(nearest)
    rules = broken(acceptance.broken_rules, OVERRIDABLE)
    if reason is None or reason == Reason.TAKEN:
        return SlotTaken(nearest, rules)
    return SlotNotOffered(reason, nearest, rules)
