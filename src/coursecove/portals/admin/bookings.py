"""All lessons of the school, and each of them."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.formatting import zone_name
from coursecove.i18n import _
from coursecove.portals.admin.booking_filters import (
    PAGE_SIZE,
    PATH,
    STATUSES,
    Filters,
    matching,
    read_filters,
)
from coursecove.portals.admin.booking_page import booking_context, draw_booking, to_list
from coursecove.portals.admin.choices import read_choices
from coursecove.portals.admin.navigation import address, admin_clocks, admin_page, last_page, pages_of
from coursecove.portals.cancelling import cancel_by_form, scope_context
from coursecove.portals.forms import Form
from coursecove.portals.lesson_words import status_of, where_of
from coursecove.portals.pages import redirect, render
from coursecove.portals.scopes import Scope, read_scope
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


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
        choices = await read_choices(session)
        filters = await read_filters(session, request.query_params, choices)
        found = await matching(session, filters, by=by, zone=organization.time_zone)
        if not found.items and filters.page > 1:
            last = str(last_page(found.total, PAGE_SIZE))
            return redirect(request, address(PATH, filters.query(page=last)))
        return render(
            request,
            "admin/bookings.html",
            admin_page(request, _("Lessons")),
            filters=filters,
            rows=[_row(request, organization, booking) for booking in found.items],
            total=found.total,
            pages=pages_of(PATH, filters.query(), page=filters.page, page_size=PAGE_SIZE, total=found.total),
            clear_href=_clear_href(filters),
            export_href=address("/admin/exports/lessons.csv", filters.query()),
            zone=zone_name(organization.time_zone),
            options={
                **choices.options(),
                "statuses": [{"value": value, "label": _(label)} for value, label in STATUSES.items()],
            },
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
        return await draw_booking(request, session, organization, booking, by=by)

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
        scope = read_scope(request.query_params.get("scope"), booking)
        return await _cancel_page(request, session, organization, booking, Form(), scope=scope, by=by)

    @post("/{reference:str}/cancel", status_code=200)
    async def cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Cancel it, or several of its series; student and instructor are told, with the reason."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        done = await cancel_by_form(request, session, booking, by=by)
        if done.refused is None:
            one = _("The lesson is cancelled. {student} and {instructor} will be told.").format(
                student=booking.student.name, instructor=booking.instructor.name
            )
            return redirect(request, f"{PATH}/{booking.reference}", flash=done.said(one=one))
        return await _cancel_page(
            request, session, organization, booking, done.refused, scope=done.scope, by=by
        )


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
        "where": where_of(booking),
        "status": status_of(booking, clocks.shown),
        "cancelled": booking.cancelled_at is not None,
        "past": booking.ends_at <= clock.now(),
    }


async def _cancel_page(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    form: Form,
    *,
    scope: Scope,
    by: Member,
) -> Response[Any]:
    href = f"{PATH}/{booking.reference}"
    clocks = admin_clocks(request, organization, venue=booking.venue_time_zone)
    title = _("Cancel this lesson?") if scope == "this" else _("Cancel these lessons?")
    return render(
        request,
        "admin/booking_cancel.html",
        admin_page(request, title, to_list(), (booking.appointment_type.name, href)),
        status_code=form.refused_status if form.problem or form.errors else 200,
        form=form,
        **await booking_context(request, session, organization, booking, by),
        **await scope_context(session, booking, scope=scope, path=f"{href}/cancel", clocks=clocks, by=by),
    )
