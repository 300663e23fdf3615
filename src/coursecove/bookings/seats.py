"""A seat that becomes free, and whom it is offered to.

A freed seat of a class is not free for everybody: whoever waited longest gets an
offer, and until it is answered or has run out the seat counts as taken.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.sight import as_the_school, seeing_everything
from coursecove.events import track
from coursecove.tenants import service as tenants

#: An offer shorter than this is none: whoever comes first takes the seat.
SHORTEST_OFFER_MINUTES = 15

# A private lesson ends with its only seat; a class that staff put on the calendar stays.
_GIVE_BACK = text("""
update sessions
set seats_taken = seats_taken - 1,
    cancelled_at = case when seats_taken = 1 and scheduled_by_id is null then now() else cancelled_at end
where id = :session_id and cancelled_at is null and seats_taken > 0
""")
_FREE = text("""
select id, appointment_type_id, instructor_id, location_id, starts_at, ends_at, capacity - seats_taken as free
from sessions
where id = :session_id and cancelled_at is null and scheduled_by_id is not null and seats_taken < capacity
""")
_OFFER = text("""
with longest as materialized (
  select id from waitlist_entries
  where session_id = :session_id and offered_at is null and accepted_at is null and ended_at is null
  order by created_at, id limit :free for update
)
update waitlist_entries
set offered_at = statement_timestamp(),
    offer_expires_at = statement_timestamp() + make_interval(mins => :minutes)
where id in (select id from longest)
returning id, session_id, student_id, joined_by_id, offer_expires_at
""")
_SEATED_ANYWAY = text("""
update waitlist_entries set ended_at = now(), end_reason = 'left'
where session_id = :session_id and student_id = :student_id and accepted_at is null and ended_at is null
returning offered_at
""")
_END_LIST = text("""
update waitlist_entries set ended_at = now(), end_reason = :reason
where session_id = :session_id and accepted_at is null and ended_at is null
returning id, session_id, student_id, joined_by_id, offered_at, offer_expires_at
""")
_WAITING = text("""
select session_id, count(*) from waitlist_entries
where session_id = any(:session_ids) and offered_at is null and accepted_at is null and ended_at is null
group by session_id
""")
_KEEP = text("""
update sessions set seats_taken = seats_taken + :offers, held_until = least(held_until, :until)
where id = :session_id
""")


async def give_seat_back(session: AsyncSession, session_id: uuid.UUID) -> None:
    """Count one seat less in a locked session.

    A private lesson's time is free again; a class stays for the others, and its
    seat is offered to whoever waits for one.
    """
    await session.execute(_GIVE_BACK, {"session_id": session_id})
    await offer_free_seats(session, session_id)


async def offer_free_seats(session: AsyncSession, session_id: uuid.UUID) -> None:
    """Offer what is free in a locked class to those who have waited longest, as far as there is time left."""
    taught = (await session.execute(_FREE, {"session_id": session_id})).one_or_none()
    if taught is None:
        return
    minutes = await _offer_minutes(session, taught.starts_at)
    if minutes < SHORTEST_OFFER_MINUTES:
        return
    async with as_the_school(session):
        values = {"session_id": session_id, "free": taught.free, "minutes": minutes}
        offers = (await session.execute(_OFFER, values)).all()
        if not offers:
            return
        until = min(offer.offer_expires_at for offer in offers)
        await session.execute(_KEEP, {"session_id": session_id, "offers": len(offers), "until": until})
        for offer in offers:
            track_entry(session, "waitlist.offered", offer, taught, by_id=None)


async def _offer_minutes(session: AsyncSession, starts_at: datetime) -> int:
    """Return how long an offer lasts: as the school says, and at most half of the time that is left."""
    school = await tenants.get_organization(session)
    left = int((starts_at - clock.now()).total_seconds()) // 120
    return min(school.waitlist_offer_minutes, left)


async def leave_list(session: AsyncSession, session_id: uuid.UUID, student_id: uuid.UUID) -> None:
    """Take a student who got a seat off the list of a locked class; a seat kept for them goes to the next."""
    values = {"session_id": session_id, "student_id": student_id}
    async with seeing_everything(session):
        left = (await session.execute(_SEATED_ANYWAY, values)).one_or_none()
    if left is not None and left.offered_at is not None:
        await give_seat_back(session, session_id)


async def end_list(session: AsyncSession, taught: Row[Any], *, reason: str) -> int:
    """End the list of a locked class that was cancelled or begins; return how many were on it."""
    async with as_the_school(session):
        entries = (await session.execute(_END_LIST, {"session_id": taught.id, "reason": reason})).all()
        for entry in entries:
            track_entry(session, "waitlist.ended", entry, taught, by_id=None, reason=reason)
        kept = sum(entry.offered_at is not None for entry in entries)
        if kept and taught.cancelled_at is None:
            await session.execute(_KEEP, {"session_id": taught.id, "offers": -kept, "until": None})
    return len(entries)


async def waiting_of(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return how many wait for a seat in each of several classes, in one query; who they are is not read."""
    if not session_ids:
        return {}
    async with as_the_school(session):
        rows = (await session.execute(_WAITING, {"session_ids": list(session_ids)})).all()
    return {row[0]: row[1] for row in rows}


def track_entry(
    session: AsyncSession,
    action: str,
    entry: Row[Any],
    taught: Row[Any],
    *,
    by_id: uuid.UUID | None,
    **further: Any,
) -> None:
    """Record what happened to somebody on a waiting list; ``by_id`` None: nobody did it.

    ``entry`` has the columns id, session_id, student_id, joined_by_id and
    offer_expires_at, ``taught`` those of the class.
    """
    until = entry.offer_expires_at
    track(
        session,
        action,
        subject_type="waitlist_entry",
        subject_id=entry.id,
        actor_id=by_id,
        data={
            "session_id": str(entry.session_id),
            "appointment_type_id": str(taught.appointment_type_id),
            "instructor_id": str(taught.instructor_id),
            "student_id": str(entry.student_id),
            "joined_by_id": str(entry.joined_by_id),
            "starts_at": taught.starts_at.isoformat(),
            "ends_at": taught.ends_at.isoformat(),
            "offer_expires_at": until.isoformat() if until else None,
            **further,
        },
    )
