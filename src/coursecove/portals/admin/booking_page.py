"""The page of one booking: all its facts, what can be done with it, what happened to it."""

from __future__ import annotations

from typing import Any

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.bookings.schemas import BookingView, NoteView, PersonSummary
from coursecove.errors import NotFound
from coursecove.formatting import initials, local
from coursecove.i18n import _
from coursecove.notifications.deliveries import deliveries_of
from coursecove.portals.admin.booking_filters import PATH
from coursecove.portals.admin.booking_history import history, mails, rules_passed
from coursecove.portals.admin.navigation import AnyRequest, address, admin_clocks, admin_page
from coursecove.portals.admin.people import person_href
from coursecove.portals.booking_changes import requests_of_series
from coursecove.portals.booking_notes import note_words
from coursecove.portals.forms import Form
from coursecove.portals.lesson_words import attendance_choices, map_href, status_of
from coursecove.portals.pages import render
from coursecove.tenants import service as tenants
from coursecove.tenants.activity import facts_about
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView


def to_list() -> tuple[str, str]:
    """Return the list of all lessons as an ancestor of a page."""
    return _("Lessons"), PATH


async def draw_booking(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    *,
    by: Member,
    note_form: Form | None = None,
    problem: str | None = None,
    deleted: NoteView | None = None,
    status_code: int = 200,
) -> Response[Any]:
    """Draw the page; ``note_form`` is a note that was refused, ``problem`` why something else was.

    ``deleted`` is a note that can still be had back.
    """
    clocks = admin_clocks(request, organization, venue=booking.venue_time_zone)
    facts = await facts_about(session, "booking", booking.id, limit=200)
    instructors = {str(person.id): person.name for person in await tenants.list_instructors(session)}
    return render(
        request,
        "admin/booking.html",
        admin_page(request, booking.appointment_type.name, to_list()),
        status_code=status_code,
        **await booking_context(request, session, organization, booking, by),
        history=history(facts, clocks, names=instructors),
        mails=mails(await deliveries_of(session, booking.id), clocks),
        notes=[note_words(note, clocks) for note in booking.notes],
        note_form=note_form or Form(),
        problem=problem,
        deleted=deleted,
        attendance=attendance_choices(),
        rules_passed=rules_passed(booking.overridden_rules),
    )


async def booking_context(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView, booking: BookingView, by: Member
) -> dict[str, Any]:
    """Return what every page about one booking shows of it."""
    clocks = admin_clocks(request, organization, venue=booking.venue_time_zone)
    type_ = await appointments.get_type(session, booking.appointment_type.id)
    return {
        "booking": booking,
        "href": f"{PATH}/{booking.reference}",
        "student": await _person(session, booking.student),
        "instructor": await _person(session, booking.instructor),
        "again_href": address(
            f"{PATH}/new",
            {
                "student": handle_of(booking.student.id, booking.student.name),
                "type": booking.appointment_type.slug,
            },
        )
        if type_.archived_at is None
        else None,
        "class_href": f"/admin/classes/{handle_of(booking.session_id, booking.appointment_type.name)}"
        if booking.appointment_type.kind == "class"
        else None,
        "when": clocks.when(booking.starts_at, booking.ends_at),
        "status": status_of(booking, clocks.shown),
        "over": booking.ends_at <= clock.now(),
        "map_href": map_href(booking.location) if booking.location else None,
        "booked_at": clocks.moment(booking.booked_at),
        "ended_at": clocks.moment(booking.cancelled_at) if booking.cancelled_at else None,
        "approve_by": clocks.moment(booking.approve_by) if booking.approve_by else None,
        "requests": await requests_of_series(session, booking, by=by),
        # Staff may cancel later than the student could; whoever does should know.
        "past_cut_off": clock.now() > booking.cancel_until,
        "cancel_until": clocks.moment(booking.cancel_until),
        "move_until": clocks.moment(booking.move_until),
        "day_href": address(
            "/admin/calendar",
            {"view": "day", "on": local(booking.starts_at, organization.time_zone).date().isoformat()},
        ),
    }


async def _person(session: AsyncSession, person: PersonSummary) -> dict[str, Any]:
    try:
        href = person_href(await tenants.get_member(session, person.id))
    except NotFound:
        # Whoever has left has no page any more; their lessons stay.
        href = None
    return {
        "name": person.name,
        "email": person.email,
        "initials": initials(person.name),
        "image_url": person.image_url,
        "href": href,
    }
