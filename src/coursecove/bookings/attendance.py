"""Who came: noted by the lesson's staff, from its start on."""

from __future__ import annotations

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.errors import NotTaughtYet
from coursecove.bookings.facts import track_booking
from coursecove.bookings.rows import lock_booking
from coursecove.bookings.schemas import AttendanceUpdate, BookingView
from coursecove.bookings.views import find_view, is_staff_of
from coursecove.errors import Conflict, Forbidden
from coursecove.i18n import _
from coursecove.tenants.models import Member

_NOTE = text("""
update bookings
set attendance = cast(:attendance as text),
    attendance_noted_at = case when cast(:attendance as text) is null then null else now() end,
    attendance_noted_by_id = case when cast(:attendance as text) is null then null
                                  else cast(:by_id as uuid) end
where id = :booking_id
""")
_BEFORE = text("select attendance from bookings where id = :booking_id")


async def note_attendance(
    session: AsyncSession, booking_id: uuid.UUID, data: AttendanceUpdate, *, by: Member
) -> BookingView:
    """Note whether the student came, or take it back; noting the same again changes nothing.

    Only the lesson's instructor and admins may.  Raises :class:`NotTaughtYet`
    before the lesson starts, Conflict for one that is not confirmed, and
    NotFound for a lesson that is not for ``by`` to see.
    """
    view = await find_view(session, booking_id=booking_id, viewer=by)
    if not is_staff_of(by, view.instructor.id):
        raise Forbidden(_("Only the instructor and admins note who came."))
    taught, booking = await lock_booking(session, booking_id)
    if booking.status != "confirmed":
        raise Conflict(_("Only of a lesson that takes place can be noted who came."))
    if clock.now() < booking.starts_at:
        raise NotTaughtYet()
    before = await session.scalar(_BEFORE, {"booking_id": booking_id})
    if before != data.attendance:
        await session.execute(_NOTE, {"booking_id": booking_id, "attendance": data.attendance, "by_id": by.id})
        track_booking(
            session,
            "booking.attendance_noted",
            booking,
            instructor_id=taught.instructor_id,
            revision=booking.revision,
            by_id=by.id,
            attendance={"from": before, "to": data.attendance},
        )
    return await find_view(session, booking_id=booking_id, viewer=by)
