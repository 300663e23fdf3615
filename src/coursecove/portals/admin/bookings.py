"""All lessons of the school, and each of them."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView, PersonSummary
from coursecove.errors import NotFound
from coursecove.formatting import initials, zone_name
from coursecove.portals.admin.booking_filters import (
    PAGE_SIZE,
    PATH,
    Filters,
    filter_choices,
    matching,
    read_filters,
)
from coursecove.portals.admin.navigation import address, admin_clocks, admin_page, last_page, pages_of
from coursecove.portals.admin.people import person_href
from coursecove.portals.cancelling import cancel_by_form
from coursecove.portals.forms import Form
from coursecove.portals.lesson_words import map_href, status_of
from coursecove.portals.pages import redirect, render
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
_LIST = ("Lessons", PATH)


class LessonPages(Controller):
    """Everybody's lessons; cancelling on somebody's behalf."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def listed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """List lessons by start, narrowed to what the address says."""
        instructors, types = await filter_choices(session)
        filters = await read_filters(session, request.query_params, instructors, types)
        found = await matching(session, filters, by=by, zone=organization.time_zone)
        if not found.items and filters.page > 1:
            last = str(last_page(found.total, PAGE_SIZE))
            return redirect(request, address(PATH, filters.query(page=last)))
        return render(
            request,
            "admin/bookings.html",
            admin_page(request, "Lessons"),
            filters=filters,
            rows=[_row(request, organization, booking) for booking in found.items],
            total=found.total,
            pages=pages_of(PATH, filters.query(), page=filters.page, page_size=PAGE_SIZE, total=found.total),
            clear_href=_clear_href(filters),
            zone=zone_name(organization.time_zone),
            statuses=[
                {"value": "confirmed", "label": "Confirmed"},
                {"value": "cancelled", "label": "Cancelled"},
            ],
            instructors=[{"value": i.slug, "label": i.name} for i in instructors],
            types=[
                {"value": t.slug, "label": f"{t.name} (archived)" if t.archived_at else t.name} for t in types
            ],
        )

    @get("/{reference:str}")
    async def details(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Show one lesson with both people."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        page = admin_page(request, booking.appointment_type.name, _LIST)
        return await _draw(request, session, organization, booking, "admin/booking.html", page)

    @get("/{reference:str}/cancel")
    async def ask_to_cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Ask whether to cancel on the student's behalf."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        if not booking.can_cancel:
            return redirect(request, f"{PATH}/{booking.reference}")
        return await _cancel_page(request, session, organization, booking, Form())

    @post("/{reference:str}/cancel", status_code=200)
    async def cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Cancel it; student and instructor are told, with the reason."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        refused = await cancel_by_form(request, session, booking, by=by)
        if refused is None:
            return redirect(
                request,
                f"{PATH}/{booking.reference}",
                flash=f"The lesson is cancelled. {booking.student.name} and {booking.instructor.name} "
                "will be told.",
            )
        status = refused.refused_status
        return await _cancel_page(request, session, organization, booking, refused, status_code=status)


def _clear_href(filters: Filters) -> str | None:
    if not filters.narrowed:
        return None
    dated = filters.from_text or filters.until_text
    return address(PATH, {"show": None if dated or filters.show == "upcoming" else filters.show})


def _row(request: AnyRequest, organization: OrganizationView, booking: BookingView) -> dict[str, Any]:
    clocks = admin_clocks(request, organization, venue=booking.venue_time_zone)
    when = clocks.when(booking.starts_at, booking.ends_at)
    return {
        "reference": booking.reference,
        "href": f"{PATH}/{booking.reference}",
        "when": when,
        "type": booking.appointment_type,
        "student": booking.student.name,
        "instructor": booking.instructor.name,
        "where": booking.location.name if booking.location else "Online",
        "status": status_of(booking, clocks.shown),
        "cancelled": booking.status == "cancelled",
        "past": booking.ends_at <= clock.now(),
    }


async def _cancel_page(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    form: Form,
    *,
    status_code: int = 200,
) -> Response[Any]:
    trail = (booking.appointment_type.name, f"{PATH}/{booking.reference}")
    page = admin_page(request, "Cancel this lesson?", _LIST, trail)
    return await _draw(
        request,
        session,
        organization,
        booking,
        "admin/booking_cancel.html",
        page,
        form=form,
        status_code=status_code,
    )


async def _draw(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    template: str,
    page: dict[str, Any],
    *,
    status_code: int = 200,
    **context: Any,
) -> Response[Any]:
    clocks = admin_clocks(request, organization, venue=booking.venue_time_zone)
    return render(
        request,
        template,
        page,
        status_code=status_code,
        booking=booking,
        href=f"{PATH}/{booking.reference}",
        student=await _person(session, booking.student),
        instructor=await _person(session, booking.instructor),
        again_href=address(
            f"{PATH}/new",
            {
                "student": handle_of(booking.student.id, booking.student.name),
                "type": booking.appointment_type.slug,
            },
        ),
        when=clocks.when(booking.starts_at, booking.ends_at),
        status=status_of(booking, clocks.shown),
        over=booking.ends_at <= clock.now(),
        map_href=map_href(booking.location) if booking.location else None,
        booked_at=clocks.moment(booking.confirmed_at),
        cancelled_at=clocks.moment(booking.cancelled_at) if booking.cancelled_at else None,
        # Staff may cancel later than the student could; whoever does should know.
        past_cut_off=clock.now() > booking.cancel_until,
        cancel_until=clocks.moment(booking.cancel_until),
        **context,
    )


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
