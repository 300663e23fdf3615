"""Who hears about a booking, and in which zones they read it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.schemas import BookingView, WaitlistEntryView
from coursecove.errors import NotFound
from coursecove.formatting import same_clock
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

#: "former" is the instructor who gave a lesson before somebody else took it over.
Part = Literal["student", "instructor", "former"]


class Recipient(Struct, frozen=True):
    """Somebody who gets a mail, at the address they had when it happened."""

    id: uuid.UUID
    email: str
    part: Part = "student"


async def recipients_of(session: AsyncSession, facts: Mapping[str, Any]) -> list[Recipient]:
    """Return whom a booking event concerns: the student, the instructor, and one who gave the lesson before.

    Mail for somebody with a guardian goes to the guardian, and to themselves
    if they have an address.  Instructors are spared the seats of a class that
    come and go, unless the fact says otherwise (``tell_instructor``).  Whoever
    has left the school, or has no address, gets no mail; nobody gets two.
    """
    found = await responsible_for(session, uuid.UUID(facts["student_id"]))
    if facts.get("tell_instructor", not facts.get("in_class")):
        found += await instructors_of(session, uuid.UUID(facts["instructor_id"]))
        former = facts.get("former_instructor_id")
        if former and former != facts["instructor_id"]:
            found += await instructors_of(session, uuid.UUID(former), "former")
    return _once(found)


async def responsible_for(session: AsyncSession, student_id: uuid.UUID) -> list[Recipient]:
    """Return who reads what a student is told: themselves and their guardian, as far as they have addresses."""
    student = await _find(session, student_id)
    if student is None:
        return []
    guardian = await _find(session, student.guardian_id) if student.guardian_id else None
    return _once(
        [Recipient(member.id, member.email) for member in (student, guardian) if member and member.email]
    )


async def instructors_of(
    session: AsyncSession, member_id: uuid.UUID, part: Part = "instructor"
) -> list[Recipient]:
    """Return who gives a lesson, or gave it; nobody when they have left, or have no address."""
    member = await _find(session, member_id)
    return [Recipient(member.id, member.email, part)] if member and member.email else []


async def _find(session: AsyncSession, member_id: uuid.UUID) -> Member | None:
    try:
        return await tenants.get_member(session, member_id)
    except NotFound:
        return None


def _once(recipients: Iterable[Recipient]) -> list[Recipient]:
    found: dict[uuid.UUID, Recipient] = {}
    for recipient in recipients:
        # Who teaches the lesson of their own child reads it as its instructor.
        if recipient.id not in found or recipient.part == "instructor":
            found[recipient.id] = recipient
    return list(found.values())


def zones_for(
    booking: BookingView | WaitlistEntryView,
    part: Part,
    *,
    school_zone: str,
    instructor_zone: str,
    own_zone: str | None = None,
) -> tuple[str, str | None]:
    """Return the zone a mail speaks in, and a second one when its clock shows another time.

    In person it is the venue's, beside the reader's own.  Online it is the
    reader's own beside the school's or the instructor's, whichever shows
    another time.  ``own_zone`` is what the reader chose, or where their device
    was; without it students read the school's clock, instructors the one of
    their hours.
    """
    if part == "student":
        candidates = [own_zone, school_zone, instructor_zone]
    else:
        candidates = [own_zone, instructor_zone, school_zone]
    if booking.venue_time_zone is not None:
        # Nobody is bothered with somebody else's clock for a place they go to.
        own = own_zone or (instructor_zone if part != "student" else None)
        candidates = [booking.venue_time_zone, own]
    zones = [zone for zone in candidates if zone]
    moments = (booking.starts_at, booking.ends_at)
    for zone in zones[1:]:
        if not all(same_clock(moment, zones[0], zone) for moment in moments):
            return zones[0], zone
    return zones[0], None
