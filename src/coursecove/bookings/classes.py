"""Classes: sessions that staff put on the calendar, with seats that students take.

The row of the session decides about its last seat: ``seats_taken`` is raised
where it is below ``capacity``, and whoever comes second waits for the first and
then counts again.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import queries
from coursecove.bookings.cancellation import give_back
from coursecove.bookings.class_schemas import ClassCancel, ClassView
from coursecove.bookings.errors import AlreadyCancelled, TooLateToCancel
from coursecove.bookings.models import TeachingSession
from coursecove.bookings.rows import lock_seats, lock_sessions
from coursecove.bookings.schemas import PersonSummary
from coursecove.bookings.seats import end_list, waiting_of
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import (
    is_staff_of,
    minutes_between,
    place_summary,
    room_summary,
    seats_of,
    type_summary,
)
from coursecove.errors import Forbidden, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

MOST_CLASSES = 500
_CODE_BYTES = 5

_CANCEL_SESSION = text(
    "update sessions set cancelled_at = now() where id = :session_id and cancelled_at is null"
)


async def get_class(session: AsyncSession, session_id: uuid.UUID, *, viewer: Member | None) -> ClassView:
    """Return a class on the calendar; its students' names only to its staff.

    Raises NotFound for a private lesson too: those are found as bookings.
    """
    return await _one(session, TeachingSession.id == session_id, viewer=viewer)


async def get_class_by_handle(session: AsyncSession, handle: str, *, viewer: Member | None) -> ClassView:
    """Return a class by the name it has in addresses, ``ClassView.handle``; raises NotFound."""
    try:
        digest = base64.b32decode(handle.rpartition("-")[2].upper())
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != _CODE_BYTES:
        raise _unknown()
    of_row = func.substring(func.sha256(func.uuid_send(TeachingSession.id)), 1, _CODE_BYTES)
    return await _one(session, of_row == digest, viewer=viewer)


async def list_classes(
    session: AsyncSession,
    *,
    viewer: Member | None,
    from_: datetime,
    until: datetime,
    appointment_type_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    with_cancelled: bool = False,
) -> list[ClassView]:
    """Return the classes that start in ``[from_, until)``, by start, in a fixed number of queries; at most 500.

    Everybody sees when they are and how many seats are left, staff also of
    drafts; who sits in them only their staff.
    """
    statement = _scheduled().where(TeachingSession.starts_at >= from_, TeachingSession.starts_at < until)
    for column, wanted in (
        (TeachingSession.appointment_type_id, appointment_type_id),
        (TeachingSession.instructor_id, instructor_id),
        (TeachingSession.location_id, location_id),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if not with_cancelled:
        statement = statement.where(TeachingSession.cancelled_at.is_(None))
    if viewer is None or viewer.role == "student":
        statement = statement.where(queries.is_offered_openly(signed_in=viewer is not None))
    rows = await session.execute(
        statement.order_by(TeachingSession.starts_at, TeachingSession.id).limit(MOST_CLASSES)
    )
    return await _views(session, rows.all(), viewer)


async def classes_by_id(
    session: AsyncSession, session_ids: Collection[uuid.UUID], *, viewer: Member
) -> list[ClassView]:
    """Return several classes, by start, in a fixed number of queries; for staff."""
    statement = _scheduled().where(TeachingSession.id.in_(session_ids))
    rows = await session.execute(statement.order_by(TeachingSession.starts_at, TeachingSession.id))
    return await _views(session, rows.all(), viewer)


async def cancel_class(
    session: AsyncSession, session_id: uuid.UUID, data: ClassCancel, *, by: Member
) -> ClassView:
    """Cancel a class with every seat in it, as its instructor or an admin, until it is over.

    Each student is told, and each seat is recorded.  Raises AlreadyCancelled,
    TooLateToCancel, Forbidden for other people's classes, and NotFound.
    """
    reason = checked_text(data.reason, field="reason", longest=500) or None
    view = await get_class(session, session_id, viewer=by)
    if not is_staff_of(by, view.instructor.id):
        raise Forbidden(_("Only the instructor and admins cancel a class."))
    taught = (await lock_sessions(session, [session_id])).get(session_id)
    if taught is None or taught.cancelled_at is not None:
        raise AlreadyCancelled()
    if clock.now() >= taught.ends_at:
        raise TooLateToCancel(_("This class is over."))
    await end_class(session, taught, reason=reason, by=by)
    return await get_class(session, session_id, viewer=by)


async def end_class(session: AsyncSession, taught: Row[Any], *, reason: str | None, by: Member) -> int:
    """Cancel a locked class and all its seats; return how many there were.

    The session goes first, so that giving the seats back does not free it once more.
    """
    seats = await lock_seats(session, [taught.id])
    await session.execute(_CANCEL_SESSION, {"session_id": taught.id})
    await end_list(session, taught, reason="class_cancelled")
    for number, seat in enumerate(seats):
        await give_back(
            session,
            taught,
            seat,
            by_id=by.id,
            reason=reason,
            class_cancelled=True,
            # The instructor hears of a class once, with the first of its seats.
            tell_instructor=number == 0 and by.id != taught.instructor_id,
        )
    track(
        session,
        "class.cancelled",
        subject_type="session",
        subject_id=taught.id,
        actor_id=by.id,
        data={
            "appointment_type_id": str(taught.appointment_type_id),
            "instructor_id": str(taught.instructor_id),
            "starts_at": taught.starts_at.isoformat(),
            "ends_at": taught.ends_at.isoformat(),
            "seats": len(seats),
            "reason": reason,
        },
    )
    return len(seats)


def _scheduled() -> Any:
    return queries.taught().where(TeachingSession.scheduled_by_id.is_not(None))


async def _one(session: AsyncSession, condition: Any, *, viewer: Member | None) -> ClassView:
    statement = _scheduled().where(condition)
    if viewer is None or viewer.role == "student":
        statement = statement.where(queries.is_published())
    found = (await session.execute(statement.limit(2))).all()
    if len(found) != 1:
        raise _unknown()
    return (await _views(session, found, viewer))[0]


async def _views(session: AsyncSession, rows: Sequence[Row[Any]], viewer: Member | None) -> list[ClassView]:
    own = [row.id for row in rows if viewer is not None and is_staff_of(viewer, row.instructor_id)]
    seats = await seats_of(session, own, with_cancelled=False) if own else {}
    full = {row.id for row in rows if row.cancelled_at is None and row.seats_taken >= row.capacity}
    waiting = await waiting_of(session, full)
    now = clock.now()
    return [
        ClassView(
            id=row.id,
            handle=handle_of(row.id, row.type_name),
            appointment_type=type_summary(row),
            instructor=PersonSummary(
                row.instructor_id, row.instructor_name or _("Unnamed person"), row.instructor_image_url
            ),
            location=place_summary(row),
            room=room_summary(row),
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            duration_minutes=minutes_between(row.starts_at, row.ends_at),
            venue_time_zone=row.location_time_zone,
            capacity=row.capacity,
            seats_taken=row.seats_taken,
            seats_left=0 if row.cancelled_at else row.capacity - row.seats_taken,
            cancelled_at=row.cancelled_at,
            seats=seats.get(row.id, []) if row.id in own else None,
            waiting=waiting.get(row.id, 0),
            can_cancel=row.id in own and row.cancelled_at is None and now < row.ends_at,
        )
        for row in rows
    ]


def _unknown() -> NotFound:
    return NotFound(_("There is no such class."))
