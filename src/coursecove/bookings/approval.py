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
from coursecove.bookings.rows import lock_booking, lock_bookings, lock_sessions
from coursecove.bookings.schemas import BookingDecline, BookingView
from coursecove.bookings.seats import give_seat_back
from coursecove.bookings.series_scope import TOGETHER, Changed, track_change
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
select due.id, due.session_id, due.series_id
from bookings asked
join bookings due on due.organization_id = asked.organization_id
  and (due.id = asked.id or due.series_id = asked.series_id)
where asked.id = :booking_id and asked.confirmed_at is null and asked.cancelled_at is null
  and asked.approve_by <= :now
  and due.confirmed_at is null and due.cancelled_at is null and due.approve_by <= :now
""")


async def approve(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> BookingView:
    """Confirm a request, as the instructor of the lesson or an admin; return it as ``by`` sees it.

    Raises :class:`NotWaiting` when it was answered, taken back or has lapsed,
    Forbidden for everybody else who may see it, and NotFound for the others.
    """
    taught, booking = await _waiting(session, booking_id, by=by)
    await confirm_request(session, taught, booking, by=by)
    return await find_view(session, booking_id=booking_id, viewer=by)


async def decline(
    session: AsyncSession, booking_id: uuid.UUID, data: BookingDecline, *, by: Member
) -> BookingView:
    """Say no to a request and free the time; refuses like :func:`approve`."""
    reason = checked_text(data.reason, field="reason", longest=500) or None
    taught, booking = await _waiting(session, booking_id, by=by)
    await refuse_request(session, taught, booking, by=by, reason=reason)
    return await find_view(session, booking_id=booking_id, viewer=by)


async def confirm_request(
    session: AsyncSession, taught: Row[Any], booking: Row[Any], *, by: Member, **further: Any
) -> None:
    """Confirm a request whose rows are locked, and record it."""
    await session.execute(_APPROVE, {"booking_id": booking.id})
    _track(session, "booking.confirmed", taught, booking, by_id=by.id, approved=True, **further)


async def refuse_request(
    session: AsyncSession,
    taught: Row[Any],
    booking: Row[Any],
    *,
    by: Member,
    reason: str | None,
    **further: Any,
) -> None:
    """Decline a request whose rows are locked, free its time and record it."""
    await session.execute(_DECLINE, {"booking_id": booking.id, "by_id": by.id, "reason": reason})
    await give_seat_back(session, taught.id)
    _track(session, "booking.declined", taught, booking, by_id=by.id, reason=reason, **further)


async def _waiting(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> tuple[Row[Any], Row[Any]]:
    view = await find_view(session, booking_id=booking_id, viewer=by)
    if not is_staff_of(by, view.instructor.id):
        raise Forbidden(_("Only the instructor and admins answer requests."))
    taught, booking = await lock_booking(session, booking_id)
    if not is_waiting(booking):
        raise NotWaiting()
    return taught, booking


def is_waiting(booking: Row[Any]) -> bool:
    """Say whether a booking is a request.

    Past its deadline it is over, whether or not the sweep has been here.
    """
    return bool(booking.status == "pending" and booking.approve_by > clock.now())


def _track(
    session: AsyncSession,
    action: str,
    taught: Row[Any],
    booking: Row[Any],
    *,
    by_id: uuid.UUID | None,
    **further: Any,
) -> None:
    track_booking(
        session,
        action,
        booking,
        instructor_id=taught.instructor_id,
        revision=booking.revision + 1,
        by_id=by_id,
        in_class=taught.scheduled_by_id is not None,
        **further,
    )


@job("bookings.lapse")
async def lapse(resources: Resources, *, organization_id: str, booking_id: str) -> None:
    """End a request whose deadline has passed; does nothing when it was answered in the meantime.

    Those of its series whose deadline has passed too end with it, so that it is
    said once.
    """
    wanted = uuid.UUID(booking_id)
    async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
        due = (await session.execute(_STILL_DUE, {"booking_id": wanted, "now": clock.now()})).all()
        if not due:
            return
        taught = await lock_sessions(session, [row.session_id for row in due])
        locked = await lock_bookings(session, [row.id for row in due])
        waiting = sorted(
            (row for row in locked if row.status == "pending" and row.session_id in taught),
            key=lambda row: row.starts_at,
        )
        series_id = due[0].series_id
        together = {"series_id": str(series_id), **TOGETHER} if series_id and len(waiting) > 1 else {}
        for booking in waiting:
            await session.execute(_LAPSE, {"booking_id": booking.id})
            await give_seat_back(session, booking.session_id)
            _track(session, "booking.lapsed", taught[booking.session_id], booking, by_id=None, **together)
        if together:
            await track_change(
                session,
                "series.lapsed",
                series_id,
                [Changed(row.id, row.revision + 1, taught[row.session_id].instructor_id) for row in waiting],
                starts_at=waiting[0].starts_at,
                by_id=None,
                in_class=taught[waiting[0].session_id].scheduled_by_id is not None,
            )


@periodic("bookings.lapse_requests", every_seconds=30)
async def lapse_requests(resources: Resources) -> None:
    """Wake the end of every request that nobody answered in time, the oldest first."""
    async with resources.database.platform_scope() as session:
        due = (await session.execute(_DUE, {"now": clock.now()})).all()
    for organization_id, booking_id in due:
        await resources.queue.send(lapse, organization_id=organization_id, booking_id=booking_id)
