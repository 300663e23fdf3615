"""A booking and its session, locked for a change.

The session is locked before its seats, by everybody, so that the last of two
seats given back at once sees the other one gone and frees the instructor.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

_LOCK_SESSIONS = text("""
select id, appointment_type_id, instructor_id, location_id, room_id, starts_at, ends_at,
       blocked_from, blocked_until, capacity, seats_taken, scheduled_by_id, held_until, cancelled_at
from sessions
where id = any(cast(:session_ids as uuid[])
               || array(select session_id from bookings where id = :booking_id))
order by id for no key update
""")
_LOCK_BOOKINGS = text("""
select id, reference, session_id, student_id, booked_by_id, starts_at, ends_at, confirmed_at, held_until,
       approve_by, cancelled_at, status, revision, cancellation_notice_minutes, note, answers, address
from bookings
where id = any(cast(:booking_ids as uuid[])
               || array(select id from bookings where session_id = any(cast(:session_ids as uuid[]))
                        and cancelled_at is null))
order by id for no key update
""")
_EXPIRED = text("""
select id, reference, session_id, student_id, starts_at, ends_at, confirmed_at, held_until, status, revision
from bookings
where session_id = any(cast(:session_ids as uuid[])) and held_until <= statement_timestamp()
  and confirmed_at is null and cancelled_at is null
order by id for no key update
""")


async def lock_booking(session: AsyncSession, booking_id: uuid.UUID) -> tuple[Row[Any], Row[Any]]:
    """Lock a booking that exists and its session; return (session, booking) as they are now."""
    taught = (await session.execute(_LOCK_SESSIONS, {"session_ids": [], "booking_id": booking_id})).one()
    values = {"booking_ids": [booking_id], "session_ids": []}
    return taught, (await session.execute(_LOCK_BOOKINGS, values)).one()


async def lock_sessions(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Row[Any]]:
    """Lock several sessions in the order of their ids, as everybody does; return those that exist."""
    rows = await session.execute(_LOCK_SESSIONS, {"session_ids": list(session_ids), "booking_id": None})
    return {row.id: row for row in rows}


async def lock_bookings(session: AsyncSession, booking_ids: Collection[uuid.UUID]) -> list[Row[Any]]:
    """Lock bookings whose sessions are locked already; return them by id."""
    values = {"booking_ids": list(booking_ids), "session_ids": []}
    return list((await session.execute(_LOCK_BOOKINGS, values)).all())


async def lock_seats(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> list[Row[Any]]:
    """Lock the live bookings of sessions that are locked already; return them by id."""
    values = {"booking_ids": [], "session_ids": list(session_ids)}
    return list((await session.execute(_LOCK_BOOKINGS, values)).all())


async def lock_expired_holds(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> list[Row[Any]]:
    """Lock the holds that have run out in sessions that are locked already; return them by id."""
    return list((await session.execute(_EXPIRED, {"session_ids": list(session_ids)})).all())
