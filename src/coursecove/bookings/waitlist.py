"""The waiting list of a full class: join it, take the seat that is offered, or leave.

Nobody is enrolled without saying yes.  A freed seat is offered to whoever has
waited longest (:mod:`coursecove.bookings.seats`) and counts as taken until they
answer or the offer runs out, by the clock of the database; then it is the next
one's turn.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, and_, func, or_, text, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.bookings import queries
from coursecove.bookings.acceptance import accept_start
from coursecove.bookings.booking import refusal
from coursecove.bookings.classes import get_class
from coursecove.bookings.errors import InClassAlready, OfferEnded, SeatsLeft
from coursecove.bookings.expiry import let_go_of, note_next_end
from coursecove.bookings.models import TeachingSession, WaitlistEntry
from coursecove.bookings.requests import check_student, checked, hold_what_is_counted, is_own
from coursecove.bookings.rows import lock_sessions
from coursecove.bookings.schemas import (
    BookingCreate,
    BookingView,
    PersonSummary,
    WaitlistAccept,
    WaitlistEntryView,
    WaitlistJoin,
    WaitlistStatus,
)
from coursecove.bookings.seats import give_seat_back, track_entry
from coursecove.bookings.sight import as_the_school, seeing_everything
from coursecove.bookings.taking import take
from coursecove.bookings.views import find_view, is_staff_of, place_summary, type_summary
from coursecove.db.session import organization_of
from coursecove.errors import Conflict, Forbidden, Invalid, NotFound
from coursecove.i18n import _
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

LARGEST_LIST = 500

_Waiting = aliased(Member, name="waiting")

_JOIN = text("""
insert into waitlist_entries (organization_id, id, session_id, student_id, joined_by_id)
values (:organization_id, :id, :session_id, :student_id, :joined_by_id)
on conflict (organization_id, session_id, student_id) where accepted_at is null and ended_at is null do nothing
returning id, session_id, student_id, joined_by_id, offer_expires_at
""")
_ON_LIST = text("""
select id from waitlist_entries
where session_id = :session_id and student_id = :student_id and accepted_at is null and ended_at is null
""")
_SEATED = text("""
select exists (select from bookings where session_id = :session_id and student_id = :student_id
               and cancelled_at is null)
""")
_LOCK_ENTRY = text("""
select id, session_id, student_id, joined_by_id, offered_at, offer_expires_at, accepted_at, ended_at,
       coalesce(offer_expires_at > statement_timestamp(), false) as stands
from waitlist_entries where id = :entry_id for update
""")
_ACCEPT = text("update waitlist_entries set accepted_at = now() where id = :entry_id")
_END = text("update waitlist_entries set ended_at = now(), end_reason = :reason where id = :entry_id")
_HAND_OUT = text("update sessions set seats_taken = seats_taken - 1 where id = :session_id")
_POSITIONS = text("""
select id, row_number() over (partition by session_id order by created_at, id)
from waitlist_entries
where session_id = any(:session_ids) and offered_at is null and accepted_at is null and ended_at is null
""")


async def join_waitlist(session: AsyncSession, data: WaitlistJoin, *, by: Member) -> WaitlistEntryView:
    """Put ``by``, a child of theirs or (as the class's staff) a student at the end of a full class's list.

    Joining again is fine, and keeps the place.  Raises :class:`SeatsLeft` while
    a seat is free, :class:`InClassAlready`, Conflict for a class that has begun
    or was cancelled, Forbidden for somebody else's place, and NotFound.
    """
    student_id = data.student_id or by.id
    found = await get_class(session, data.session_id, viewer=by)
    if not await is_own(session, student_id, by=by):
        if not is_staff_of(by, found.instructor.id):
            raise Forbidden(_("You can wait for yourself and your children only."))
        await check_student(session, student_id)
    if student_id == found.instructor.id:
        raise Invalid(fields={"student_id": _("Nobody waits for a seat in their own class.")})
    await let_go_of(session, [data.session_id])
    taught = (await lock_sessions(session, [data.session_id]))[data.session_id]
    if taught.cancelled_at is not None:
        raise Conflict(_("This class was cancelled."))
    if clock.now() >= taught.starts_at:
        raise Conflict(_("This class has begun."))
    values = {"session_id": data.session_id, "student_id": student_id}
    async with seeing_everything(session):
        seated = await session.scalar(_SEATED, values)
    if seated:
        raise InClassAlready()
    if taught.seats_taken < taught.capacity:
        raise SeatsLeft()
    written = {"organization_id": organization_of(session), "id": uuid.uuid4(), "joined_by_id": by.id}
    entry = (await session.execute(_JOIN, {**values, **written})).one_or_none()
    if entry is not None:
        track_entry(session, "waitlist.joined", entry, taught, by_id=by.id)
        return await get_entry(session, entry.id, viewer=by)
    return await get_entry(session, await session.scalar(_ON_LIST, values), viewer=by)


async def accept_offer(
    session: AsyncSession, entry_id: uuid.UUID, data: WaitlistAccept, *, by: Member
) -> BookingView:
    """Take the seat that is offered, as whoever waits, their guardian or the class's staff.

    Notice and horizon do not count: the school offered it.  Of an answer and
    the end of the offer one wins; raises :class:`OfferEnded` when it was the
    end, what :func:`~.booking.book` raises for everything else, and NotFound.
    """
    view = await _find_own(session, entry_id, by=by)
    type_ = await appointments.get_type(session, view.appointment_type.id)
    wanted = BookingCreate(
        appointment_type_id=type_.id,
        starts_at=view.starts_at,
        session_id=view.session_id,
        student_id=view.student.id,
        note=data.note,
        answers=data.answers,
        link_key=type_.link_key,
    )
    request = await checked(session, wanted, by=by, trail={"from_waitlist": True})
    await hold_what_is_counted(session, request)
    taught = (await lock_sessions(session, [view.session_id]))[view.session_id]
    entry = (await session.execute(_LOCK_ENTRY, {"entry_id": entry_id})).one()
    if entry.accepted_at or entry.ended_at or not entry.stands:
        raise OfferEnded()
    # A refusal that somebody catches leaves the offer as it was.
    async with session.begin_nested() as attempt:
        await session.execute(_ACCEPT, {"entry_id": entry_id})
        await session.execute(_HAND_OUT, {"session_id": view.session_id})
        acceptance = await accept_start(
            session,
            type_,
            view.starts_at,
            student_id=view.student.id,
            exempt=True,
            session_id=view.session_id,
        )
        booking_id = None
        for slot in acceptance.slots:
            booking_id = await take(session, request, slot)
        if booking_id is None:
            await attempt.rollback()
    if booking_id is None:
        raise await refusal(session, request, acceptance)
    await note_next_end(session, [view.session_id])
    track_entry(session, "waitlist.accepted", entry, taught, by_id=by.id, booking_id=str(booking_id))
    return await find_view(session, booking_id=booking_id, viewer=by)


async def leave_waitlist(session: AsyncSession, entry_id: uuid.UUID, *, by: Member) -> None:
    """Decline what is offered, or wait no longer; the seat goes to the next.  Leaving twice is fine.

    Raises Conflict once the seat was taken, Forbidden to others who may see the
    place, and NotFound.
    """
    view = await _find_own(session, entry_id, by=by)
    taught = (await lock_sessions(session, [view.session_id]))[view.session_id]
    entry = (await session.execute(_LOCK_ENTRY, {"entry_id": entry_id})).one()
    if entry.accepted_at is not None:
        raise Conflict(_("The seat is taken. Cancel the lesson instead."))
    if entry.ended_at is not None:
        return
    offered = entry.offered_at is not None
    reason = "declined" if offered else "left"
    await session.execute(_END, {"entry_id": entry_id, "reason": reason})
    action = "waitlist.declined" if offered else "waitlist.left"
    track_entry(session, action, entry, taught, by_id=by.id)
    if offered:
        await give_seat_back(session, view.session_id)
        await note_next_end(session, [view.session_id])


async def get_entry(session: AsyncSession, entry_id: uuid.UUID, *, viewer: Member) -> WaitlistEntryView:
    """Return somebody's place; raises NotFound alike when there is none and when it is not for ``viewer``."""
    found = await _entries(session, WaitlistEntry.id == entry_id, viewer=viewer)
    if not found:
        raise NotFound(_("There is no such place on a waiting list."))
    return found[0]


async def list_waitlist(
    session: AsyncSession,
    *,
    viewer: Member,
    session_id: uuid.UUID | None = None,
    student_id: uuid.UUID | None = None,
    with_ended: bool = False,
    page: int = 1,
) -> list[WaitlistEntryView]:
    """Return places by the class's start and in the order of the list, in a fixed number of queries.

    Everybody sees their own and their children's, instructors also those of
    their classes, admins all of them.  What is over comes only ``with_ended``;
    at most 500 to a page.
    """
    conditions: list[Any] = []
    if session_id is not None:
        conditions.append(WaitlistEntry.session_id == session_id)
    if student_id is not None:
        conditions.append(WaitlistEntry.student_id == student_id)
    if not with_ended:
        conditions += [WaitlistEntry.accepted_at.is_(None), WaitlistEntry.ended_at.is_(None)]
    return await _entries(session, *conditions, viewer=viewer, page=page)


async def _find_own(session: AsyncSession, entry_id: uuid.UUID, *, by: Member) -> WaitlistEntryView:
    view = await get_entry(session, entry_id, viewer=by)
    if not view.is_own and not is_staff_of(by, view.instructor.id):
        raise Forbidden(_("This place is somebody else's."))
    return view


async def _entries(
    session: AsyncSession, *conditions: Any, viewer: Member, page: int = 1
) -> list[WaitlistEntryView]:
    seen: Any = true()
    if viewer.role != "admin":
        own = or_(WaitlistEntry.student_id == viewer.id, _Waiting.guardian_id == viewer.id)
        teaches = TeachingSession.instructor_id == viewer.id
        seen = or_(own, teaches) if viewer.role == "instructor" else own
    statement = (
        queries.taught()
        .join(
            WaitlistEntry,
            and_(
                WaitlistEntry.organization_id == TeachingSession.organization_id,
                WaitlistEntry.session_id == TeachingSession.id,
            ),
        )
        .join(
            _Waiting,
            and_(
                _Waiting.organization_id == WaitlistEntry.organization_id,
                _Waiting.id == WaitlistEntry.student_id,
            ),
        )
        .add_columns(
            WaitlistEntry.id.label("entry_id"),
            WaitlistEntry.created_at.label("joined_at"),
            WaitlistEntry.offered_at,
            WaitlistEntry.offer_expires_at,
            WaitlistEntry.accepted_at,
            WaitlistEntry.ended_at,
            WaitlistEntry.end_reason,
            (WaitlistEntry.offer_expires_at > func.statement_timestamp()).label("stands"),
            _Waiting.id.label("student_id"),
            func.trim(_Waiting.given_name + " " + _Waiting.family_name).label("student_name"),
            _Waiting.email.label("student_email"),
            _Waiting.image_url.label("student_image_url"),
            _Waiting.guardian_id,
        )
        .where(seen, *conditions)
        .order_by(TeachingSession.starts_at, TeachingSession.id, WaitlistEntry.created_at, WaitlistEntry.id)
        .limit(LARGEST_LIST)
        .offset((page - 1) * LARGEST_LIST)
    )
    rows = (await session.execute(statement)).all()
    positions = await _positions(session, {row.id for row in rows})
    return [_view(row, viewer, positions.get(row.entry_id)) for row in rows]


async def _positions(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return how many are before each who waits, themselves included; others' names are not read."""
    if not session_ids:
        return {}
    async with as_the_school(session):
        rows = (await session.execute(_POSITIONS, {"session_ids": list(session_ids)})).all()
    return {row[0]: row[1] for row in rows}


def _view(row: Row[Any], viewer: Member, position: int | None) -> WaitlistEntryView:
    staff = is_staff_of(viewer, row.instructor_id)
    own = viewer.id in (row.student_id, row.guardian_id)
    status = _status(row)
    return WaitlistEntryView(
        id=row.entry_id,
        session_id=row.id,
        class_handle=handle_of(row.id, row.type_name),
        appointment_type=type_summary(row),
        instructor=PersonSummary(
            row.instructor_id, row.instructor_name or _("Unnamed person"), row.instructor_image_url
        ),
        location=place_summary(row),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        venue_time_zone=row.location_time_zone,
        student=PersonSummary(
            row.student_id,
            row.student_name or row.student_email or _("Unnamed person"),
            row.student_image_url,
            row.student_email if staff or row.student_id == viewer.id else None,
        ),
        is_own=own,
        status=status,
        position=position,
        joined_at=row.joined_at,
        offered_at=row.offered_at,
        offer_expires_at=row.offer_expires_at,
        can_accept=status == "offered" and (own or staff),
        can_leave=status in ("waiting", "offered") and (own or staff),
    )


def _status(row: Row[Any]) -> WaitlistStatus:
    if row.accepted_at is not None:
        return "accepted"
    if row.end_reason is not None:
        return row.end_reason  # type: ignore[no-any-return]
    if row.offered_at is None:
        return "waiting"
    # The sweep has not been there yet.
    return "offered" if row.stands else "lapsed"
