"""Requests: lessons that staff confirm or decline, and that lapse when nobody answers.

A request blocks the time like a lesson does, until somebody says no or the
deadline it was given passes.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.errors import NotWaiting
from coursecove.bookings.facts import track_booking
from coursecove.bookings.rows import lock_booking
from coursecove.bookings.schemas import BookingDecline, BookingView
from coursecove.bookings.seats import give_seat_back
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import find_view, is_staff_of
from coursecove.db.session import SYSTEM
from coursecove.errors import Forbidden
from coursecove.i18n import _
from coursecove.jobs import job
from coursecove.periodic import periodic
from coursecove.resources import Resources
from coursecove.tenants.models import Member

_APPROVE = text("""
update bookings set confirmed_at = now(), revision = revision + 1 where id = :booking_id
""")
_DECLINE = text("""
update bookings set declined_at = now(), cancelled_at = now(), cancelled_by_id = :by_id,
                    cancellation_reason = :reason, revision = revision + 1
where id = :booking_id
""")
_LAPSE = text("""
update bookings set cancelled_at = now(), revision = revision + 1 where id = :booking_id
""")
_DUE = text("""
select organization_id, id from bookings
where confirmed_at is null and cancelled_at is null and approve_by <= :now and held_until is null
order by approve_by limit 200
""")
_STILL_DUE = text("""
select exists (select from bookings where id = :booking_id and confirmed_at is null
               and cancelled_at is null and approve_by <= :now)
""")


async def approve(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> BookingView:
    """Confirm a request, as the instructor of the lesson or an admin; return it as ``by`` sees it.

    Raises :class:`NotWaiting` when it was answered, taken back or has lapsed,
    Forbidden for everybody else who may see it, and NotFound for the others.
    """
    taught, booking = await _waiting(session, booking_id, by=by)
    await session.execute(_APPROVE, {"booking_id": booking_id})
    track_booking(
        session,
        "booking.confirmed",
        booking,
        instructor_id=taught.instructor_id,
        revision=booking.revision + 1,
        by_id=by.id,
        approved=True,
        in_class=taught.scheduled_by_id is not None,
    )
    return await find_view(session, booking_id=booking_id, viewer=by)


async def decline(
    session: AsyncSession, booking_id: uuid.UUID, data: BookingDecline, *, by: Member
) -> BookingView:
    """Say no to a request and free the time; refuses like :func:`approve`."""
    reason = checked_text(data.reason, field="reason", longest=500) or None
    taught, booking = await _waiting(session, booking_id, by=by)
    await session.execute(_DECLINE, {"booking_id": booking_id, "by_id": by.id, "reason": reason})
    await give_seat_back(session, taught.id)
    track_booking(
        session,
        "booking.declined",
        booking,
        instructor_id=taught.instructor_id,
        revision=booking.revision + 1,
        by_id=by.id,
        reason=reason,
        in_class=taught.scheduled_by_id is not None,
    )
    return await find_view(session, booking_id=booking_id, viewer=by)


async def _waiting(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> tuple[Row[Any], Row[Any]]:
    view = await find_view(session, booking_id=booking_id, viewer=by)
    if not is_staff_of(by, view.instructor.id):
        raise Forbidden(_("Only the instructor and admins answer requests."))
    taught, booking = await lock_booking(session, booking_id)
    # Past its deadline it is over, whether or not the sweep has been here.
    if booking.status != "pending" or booking.approve_by <= clock.now():
        raise NotWaiting()
    return taught, booking


@job("bookings.lapse")
async def lapse(resources: Resources, *, organization_id: str, booking_id: str) -> None:
    """End a request whose deadline has passed; does nothing when it was answered in the meantime."""
    wanted = uuid.UUID(booking_id)
    async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
        if not await session.scalar(_STILL_DUE, {"booking_id": wanted, "now": clock.now()}):
            return
        taught, booking = await lock_booking(session, wanted)
        if booking.status != "pending":
            return
        await session.execute(_LAPSE, {"booking_id": wanted})
        await give_seat_back(session, taught.id)
        track_booking(
            session,
            "booking.lapsed",
            booking,
            instructor_id=taught.instructor_id,
            revision=booking.revision + 1,
            by_id=None,
            in_class=taught.scheduled_by_id is not None,
        )


@periodic("bookings.lapse_requests", every_seconds=30)
async def lapse_requests(resources: Resources) -> None:
    """Wake the end of every request that nobody answered in time, the oldest first."""
    async with resources.database.platform_scope() as session:
        due = (await session.execute(_DUE, {"now": clock.now()})).all()
    for organization_id, booking_id in due:
        await resources.queue.send(lapse, organization_id=organization_id, booking_id=booking_id)
