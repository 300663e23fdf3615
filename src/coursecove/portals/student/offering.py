"""A type as one person can book it: who teaches it, where, and how far the way to them is."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.portals.student.choice import Offer
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView


async def offer_of(
    session: AsyncSession,
    organization: OrganizationView,
    type_: AppointmentTypeView,
    *,
    viewer: Member | None,
    zone: str,
    postcode: str = "",
    path: str | None = None,
    family: bool = False,
) -> Offer:
    """Return ``type_``, which ``viewer`` may see, with its people and places; ``zone`` is where the reader is.

    ``path`` is where its pages are when they are not the student portal's.  With
    ``family`` it is for ``viewer``'s children as well, and knows the time that is
    kept for them.
    """
    teachers = await tenants.instructors_by_id(session, type_.instructor_ids)
    places = await appointments.list_locations(session) if type_.location_ids else []
    travelled = type_.location_mode == "students_place"
    zones = await appointments.list_travel_zones(session) if travelled else []
    near = appointments.zone_of(zones, postcode) if postcode else None
    children = await tenants.list_children(session, guardian=viewer) if family and viewer else []
    held = await held_by(session, type_, by=viewer) if family and viewer else None
    away = near.travel_minutes if near else organization.default_travel_minutes
    return Offer(
        type=type_,
        # Nobody takes lessons from themselves.
        teachers=tuple(t for t in teachers.values() if viewer is None or t.id != viewer.id),
        places=tuple(place for place in places if place.id in type_.location_ids),
        viewer_zone=zone,
        school_zone=organization.time_zone,
        path=path,
        # Whoever got here had it, or works here: an address that is handed on opens the same page.
        key=type_.link_key,
        asks_postcode=bool(zones),
        travel_minutes=away if travelled else None,
        policy_text=organization.policy_text,
        children=tuple(children),
        held=held,
    )


async def held_by(session: AsyncSession, type_: AppointmentTypeView, *, by: Member) -> BookingView | None:
    """Return the time of this type that is kept for somebody or their children; the newest of several."""
    held = await bookings.list_bookings(
        session, viewer=by, own=True, appointment_type_id=type_.id, status="held", page_size=10
    )
    return max(held.items, key=lambda booking: booking.booked_at, default=None)
