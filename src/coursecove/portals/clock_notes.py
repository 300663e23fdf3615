"""What a lesson's page says about clocks that change before it."""

from __future__ import annotations

from typing import Any

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings.schemas import BookingView
from coursecove.i18n import _
from coursecove.notifications.clock_changes import apart, changed_zones, last_move_before
from coursecove.portals.pages import viewer_zone
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView


async def clock_note(
    request: Request[Any, Any, Any],
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    *,
    by: Member,
) -> str | None:
    """Say that clocks change before a lesson and it is at another time on the reader's than it would be now.

    None for readers whose clock goes along with the lesson's, for those who do not
    want to be told, and for what is over or cancelled.
    """
    now = clock.now()
    if booking.cancelled_at is not None or booking.starts_at <= now:
        return None
    reader = viewer_zone(request, organization.time_zone)
    schedule = booking.venue_time_zone
    if schedule is None:
        teaching = (await tenants.instructors_by_id(session, [booking.instructor.id])).get(
            booking.instructor.id
        )
        schedule = teaching.time_zone if teaching else organization.time_zone
    change_at = last_move_before(reader, schedule, now=now, starts_at=booking.starts_at)
    if change_at is None or not (await tenants.get_preferences(session, by.id)).clock_change_notices:
        return None
    moved = apart(reader, schedule, booking.starts_at) - apart(reader, schedule, now)
    new = formatting.local(booking.starts_at, reader)
    changing = changed_zones([reader, schedule], change_at)
    note = _(
        "The clocks change in {places} on {day}, before this lesson: it is at {new} your time, not at {old}."
    )
    return note.format(
        places=formatting.listed([formatting.zone_name(zone) for zone in changing]),
        day=formatting.day(change_at, changing[0]),
        new=f"{new:%H:%M}",
        old=f"{new.replace(tzinfo=None) - moved:%H:%M}",
    )
