"""What ends by itself: holds nobody confirmed, offers nobody accepted.

By the clock of the database, which every process shares.  Whoever wants the
time or the seat clears the way first, in the transaction that books, whether
the sweep has been there or not: in one order (sessions by id, then bookings),
and before the first row of its own, so that two who clear never wait for each
other in a circle.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.cancellation import give_back
from coursecove.bookings.occupancy import Clearing, Stale
from coursecove.bookings.rows import lock_expired_holds, lock_sessions
from coursecove.bookings.seats import end_list, give_seat_back, track_entry
from coursecove.bookings.sight import as_the_school
from coursecove.bookings.timetable import LONGEST_BUFFER
from coursecove.db.session import SYSTEM
from coursecove.db.together import read, tuples
from coursecove.jobs import job
from coursecove.periodic import periodic
from coursecove.resources import Resources

Window = tuple[datetime, datetime]

_STALE = """
select id from sessions
where held_until <= statement_timestamp() and cancelled_at is null
  and exists (select from unnest(%(stale_from)s::timestamptz[], %(stale_until)s::timestamptz[]) wanted (f, u)
              where blocked_from < u and blocked_until > f)
"""
_STALE_ONES = text("""
select id from sessions
where id = any(:session_ids) and held_until <= statement_timestamp() and cancelled_at is null
order by id
""")
_LAPSED_OFFERS = text("""
select id, session_id, student_id, joined_by_id, offer_expires_at from waitlist_entries
where session_id = any(:session_ids) and offer_expires_at <= statement_timestamp()
  and accepted_at is null and ended_at is null
order by id for update
""")
_LAPSE = text("update waitlist_entries set ended_at = now(), end_reason = 'lapsed' where id = :entry_id")
_NEXT_END = text("""
update sessions set held_until = least(
  (select min(held_until) from bookings
   where bookings.session_id = sessions.id and confirmed_at is null and cancelled_at is null),
  (select min(offer_expires_at) from waitlist_entries entry
   where entry.session_id = sessions.id and accepted_at is null and ended_at is null)
)
where id = any(:session_ids) and cancelled_at is null
""")
_BEGUN = text("""
select distinct sessions.organization_id, sessions.id from waitlist_entries entry
join sessions on sessions.organization_id = entry.organization_id and sessions.id = entry.session_id
where entry.accepted_at is null and entry.ended_at is null and sessions.starts_at <= :now
limit 200
""")
_DUE = text("""
select organization_id, id from sessions
where held_until <= statement_timestamp() and cancelled_at is null
order by held_until limit 500
""")


def around(starts_at: datetime, duration_minutes: int) -> list[Window]:
    """Return whatever a lesson may block, with the longest buffers; nothing at the ends of the calendar."""
    try:
        ends_at = starts_at + timedelta(minutes=duration_minutes)
        return [(starts_at - LONGEST_BUFFER, ends_at + LONGEST_BUFFER)]
    except OverflowError:
        return []


async def let_go(session: AsyncSession, windows: Collection[Window]) -> None:
    """End whatever has run out in these spans of time; call it before the first row is written."""
    [stale] = await read(session, clearing(windows).stale)
    if stale:
        await _end(session, sorted(row.session_id for row in stale))


def clearing(windows: Collection[Window]) -> Clearing:
    """Return the same as something that whoever reads what is booked there does on the way."""
    spans = {"stale_from": [start for start, _ in windows], "stale_until": [end for _, end in windows]}
    return Clearing(tuples(_STALE, Stale, **spans), _end)


async def let_go_of(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> None:
    """End whatever has run out in these sessions."""
    stale = list(await session.scalars(_STALE_ONES, {"session_ids": list(session_ids)}))
    if stale:
        await _end(session, stale)


async def note_next_end(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> None:
    """Write down when the next hold or offer in locked sessions ends; none, when there is none any more."""
    async with as_the_school(session):
        await session.execute(_NEXT_END, {"session_ids": list(session_ids)})


async def _end(session: AsyncSession, session_ids: list[uuid.UUID]) -> None:
    """Lock, look again, and give back; whoever confirmed in the meantime has won."""
    async with as_the_school(session):
        taught = await lock_sessions(session, session_ids)
        for hold in await lock_expired_holds(session, session_ids):
            await give_back(session, taught[hold.session_id], hold, by_id=None, reason=None)
        for offer in (await session.execute(_LAPSED_OFFERS, {"session_ids": session_ids})).all():
            await session.execute(_LAPSE, {"entry_id": offer.id})
            track_entry(session, "waitlist.lapsed", offer, taught[offer.session_id], by_id=None)
            await give_seat_back(session, offer.session_id)
        await note_next_end(session, session_ids)


@job("bookings.end_waitlist")
async def end_waitlist(resources: Resources, *, organization_id: str, session_id: str) -> None:
    """End the list of a class that has begun; does nothing when nobody is on it any more."""
    wanted = uuid.UUID(session_id)
    async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
        taught = (await lock_sessions(session, [wanted])).get(wanted)
        if taught is not None and clock.now() >= taught.starts_at:
            await end_list(session, taught, reason="class_began")
            await note_next_end(session, [wanted])


@periodic("bookings.end_waitlists", every_seconds=60)
async def end_waitlists(resources: Resources) -> None:
    """Wake the end of the list of every class that has begun."""
    async with resources.database.platform_scope() as session:
        due = (await session.execute(_BEGUN, {"now": clock.now()})).all()
    for organization_id, session_id in due:
        await resources.queue.send(end_waitlist, organization_id=organization_id, session_id=session_id)


@job("bookings.let_go")
async def let_go_job(resources: Resources, *, organization_id: str, session_id: str) -> None:
    """End what has run out in one session; does nothing when somebody else did."""
    async with resources.database.organization(uuid.UUID(organization_id), acting=SYSTEM) as session:
        await let_go_of(session, [uuid.UUID(session_id)])


@periodic("bookings.let_go", every_seconds=15)
async def sweep(resources: Resources) -> None:
    """Wake the end of every hold and offer that has run out, the oldest first."""
    async with resources.database.platform_scope() as session:
        due = (await session.execute(_DUE)).all()
    for organization_id, session_id in due:
        await resources.queue.send(let_go_job, organization_id=organization_id, session_id=session_id)
