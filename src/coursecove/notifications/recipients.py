"""Who hears about a booking, and in which zones they read it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.schemas import BookingView
from coursecove.errors import NotFound
from coursecove.tenants import service as tenants

Part = Literal["student", "instructor"]


class Recipient(Struct, frozen=True):
    """Somebody who gets a mail, at the address they had when it happened."""

    id: uuid.UUID
    email: str


async def recipients_of(session: AsyncSession, facts: Mapping[str, Any]) -> list[Recipient]:
    """Return the student and the instructor of a booking event.

    Whoever has left the school, or has no address, gets no mail.
    """
    found = []
    for part in ("student_id", "instructor_id"):
        try:
            member = await tenants.get_member(session, uuid.UUID(facts[part]))
        except NotFound:
            continue
        if member.email:
            found.append(Recipient(member.id, member.email))
    return found


def zones_for(
    booking: BookingView, part: Part, *, school_zone: str, instructor_zone: str
) -> tuple[str, str | None]:
    """Return the zone a mail speaks in, and a second one when its clock shows another time.

    In person it is the venue's, for the instructor beside their own.  Online,
    students read the school's beside the instructor's (a student has no zone of
    their own here), and instructors read their own beside the school's.
    """
    if booking.venue_time_zone is not None:
        first, second = booking.venue_time_zone, instructor_zone if part == "instructor" else None
    elif part == "instructor":
        first, second = instructor_zone, school_zone
    else:
        first, second = school_zone, instructor_zone
    if second is None or _same_clock(first, second, booking.starts_at, booking.ends_at):
        return first, None
    return first, second


def _same_clock(one: str, other: str, *moments: datetime) -> bool:
    return all(
        moment.astimezone(ZoneInfo(one)).utcoffset() == moment.astimezone(ZoneInfo(other)).utcoffset()
        for moment in moments
    )
