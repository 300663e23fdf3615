"""What staff see on a calendar: sessions with their seats, and a span of time in numbers.

Every read here is one statement for any number of lessons.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import queries
from coursecove.bookings.calendar_schemas import CalendarEntry, WeekFigures
from coursecove.bookings.models import Booking, TeachingSession
from coursecove.bookings.schemas import BookingStatus, PersonSummary, SeatView
from coursecove.bookings.timetable import LONGEST_LESSON
from coursecove.bookings.views import (
    is_online,
    is_staff_of,
    place_summary,
    room_summary,
    seat_view,
    type_summary,
)
from coursecove.i18n import _
from coursecove.tenants.models import Member
from coursecove.text import is_storable

MOST_ENTRIES = 5000


async def calendar(
    session: AsyncSession,
    *,
    viewer: Member,
    from_: datetime,
    until: datetime,
    instructor_id: uuid.UUID | None = None,
    room_id: uuid.UUID | None = None,
    appointment_type_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    search: str | None = None,
    with_cancelled: bool = False,
) -> list[CalendarEntry]:
    """Return the sessions that meet ``[from_, until)``, by start, in two queries whatever their number.

    Admins get all of them, instructors those they teach, students none; at
    most 5,000.  Every word of ``search`` must occur in the type's name, the
    instructor's, or a student's name or reference.  Cancelled sessions, and
    seats given back, come only ``with_cancelled``.
    """
    if viewer.role == "student" or (search and not is_storable(search)):
        return []
    statement = queries.taught().where(
        TeachingSession.starts_at > from_ - LONGEST_LESSON,
        TeachingSession.starts_at < until,
        TeachingSession.ends_at > from_,
    )
    if viewer.role != "admin":
        statement = statement.where(TeachingSession.instructor_id == viewer.id)
    for column, wanted in (
        (TeachingSession.instructor_id, instructor_id),
        (TeachingSession.room_id, room_id),
        (TeachingSession.appointment_type_id, appointment_type_id),
        (TeachingSession.location_id, location_id),
    ):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if not with_cancelled:
        statement = statement.where(TeachingSession.cancelled_at.is_(None))
    for word in (search or "").split()[:5]:
        statement = statement.where(queries.session_mentions(word))
    rows = (
        await session.execute(
            statement.order_by(TeachingSession.starts_at, TeachingSession.id).limit(MOST_ENTRIES)
        )
    ).all()
    return await calendar_entries(session, rows, viewer=viewer, with_cancelled=with_cancelled)


async def calendar_entries(
    session: AsyncSession, rows: Sequence[Row[Any]], *, viewer: Member, with_cancelled: bool = False
) -> list[CalendarEntry]:
    """Make entries from rows of :func:`queries.taught`, with one read of all their seats."""
    if not rows:
        return []
    statement = queries.seated().where(Booking.session_id.in_([row.id for row in rows]))
    if not with_cancelled:
        statement = statement.where(Booking.cancelled_at.is_(None))
    seats: dict[uuid.UUID, list[Row[Any]]] = {}
    for row in await session.execute(statement):
        seats.setdefault(row.session_id, []).append(row)
    return [_entry(row, seats.get(row.id, []), viewer) for row in rows]


def _entry(row: Row[Any], seats: list[Row[Any]], viewer: Member) -> CalendarEntry:
    staff = is_staff_of(viewer, row.instructor_id)
    # A private session that was freed keeps the seat it had; a moved one was never left.
    current = [seat for seat in seats if seat.cancelled_at is None] or seats
    views: list[SeatView] = [seat_view(seat) for seat in seats]
    status: BookingStatus
    if row.type_kind == "class":
        status = "cancelled" if row.cancelled_at else "confirmed"
    elif current:
        status = current[0].status
    else:
        status = "cancelled" if row.cancelled_at else "confirmed"
    return CalendarEntry(
        session_id=row.id,
        kind=row.type_kind,
        scheduled=row.scheduled_by_id is not None,
        status=status,
        appointment_type=type_summary(row),
        instructor=PersonSummary(
            row.instructor_id,
            row.instructor_name or row.instructor_email or _("Unnamed person"),
            row.instructor_image_url,
            row.instructor_email if staff else None,
        ),
        location=place_summary(row),
        room=room_summary(row),
        meeting_url=row.meeting_url if is_online(row) and viewer.id == row.instructor_id else None,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        blocked_from=row.blocked_from,
        blocked_until=row.blocked_until,
        venue_time_zone=row.location_time_zone,
        address=", ".join(part for part in (current[0].address, current[0].postcode) if part)
        if current and row.type_kind == "private"
        else "",
        capacity=row.capacity,
        seats_taken=row.seats_taken,
        seats=views,
    )


_FIGURES = text("""
select count(*) filter (where cancelled_at is null and seats_taken > 0),
       coalesce(sum(extract(epoch from ends_at - starts_at) / 60)
                filter (where cancelled_at is null and seats_taken > 0), 0)::bigint,
       coalesce(sum(capacity) filter (where cancelled_at is null and scheduled_by_id is not null), 0),
       coalesce(sum(seats_taken) filter (where cancelled_at is null and scheduled_by_id is not null), 0)
from sessions
where starts_at >= :from_ and starts_at < :until
  and (cast(:instructor_id as uuid) is null or instructor_id = :instructor_id)
""")


async def week_figures(
    session: AsyncSession, *, from_: datetime, until: datetime, viewer: Member
) -> WeekFigures:
    """Return what starts in ``[from_, until)`` in numbers, in two queries.

    Admins count the whole school, instructors what they teach.  A class that
    nobody has booked is no lesson; its seats count as capacity.
    """
    values = {
        "from_": from_,
        "until": until,
        "instructor_id": None if viewer.role == "admin" else viewer.id,
    }
    lessons, minutes, capacity, taken = (await session.execute(_FIGURES, values)).one()
    counted = (
        select(
            func.count().filter(Booking.cancelled_at.is_not(None)),
            func.count().filter(Booking.status == "pending"),
        )
        .select_from(Booking)
        .join(
            TeachingSession,
            (TeachingSession.organization_id == Booking.organization_id)
            & (TeachingSession.id == Booking.session_id),
        )
        .where(Booking.starts_at >= from_, Booking.starts_at < until)
    )
    if viewer.role != "admin":
        counted = counted.where(TeachingSession.instructor_id == viewer.id)
    cancellations, pending = (await session.execute(counted)).one()
    return WeekFigures(
        lessons=lessons,
        cancellations=cancellations,
        pending=pending,
        taught_minutes=minutes,
        class_seats=capacity,
        class_seats_taken=taken,
    )
