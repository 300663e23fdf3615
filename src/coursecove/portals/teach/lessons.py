"""One lesson as its instructor, or an admin, sees it."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.errors import NotFound
from coursecove.formatting import initials
from coursecove.portals.cancelling import cancel_by_form
from coursecove.portals.forms import Form
from coursecove.portals.lesson_words import instructor_clocks, map_href, status_of
from coursecove.portals.pages import page_context, redirect, render
from coursecove.portals.teach.navigation import NAV, own_zone
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


class TaughtLessonPages(Controller):
    """Lessons one teaches; admins see everybody's."""

    path = "/teach/lessons"
    include_in_schema = False
    dependencies = {"by": Provide(as_staff)}

    @get("/{reference:str}")
    async def details(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Show the lesson with the student's address."""
        booking = await _taught(session, reference, by=by)
        return await _draw(
            request,
            session,
            organization,
            booking,
            "teach/lesson.html",
            booking.appointment_type.name,
            by=by,
        )

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
        booking = await _taught(session, reference, by=by)
        if not booking.can_cancel:
            return redirect(request, f"/teach/lessons/{booking.reference}")
        return await _draw(
            request,
            session,
            organization,
            booking,
            "teach/cancel.html",
            "Cancel this lesson?",
            by=by,
            form=Form(),
        )

    @post("/{reference:str}/cancel", status_code=200)
    async def cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Cancel it; the student is told, with the reason."""
        booking = await _taught(session, reference, by=by)
        refused = await cancel_by_form(request, session, booking, by=by)
        if refused is None:
            return redirect(
                request,
                f"/teach/lessons/{booking.reference}",
                flash=f"The lesson is cancelled. {booking.student.name} will be told.",
            )
        return await _draw(
            request,
            session,
            organization,
            booking,
            "teach/cancel.html",
            "Cancel this lesson?",
            by=by,
            form=refused,
            status_code=refused.refused_status,
        )


async def _taught(session: AsyncSession, reference: str, *, by: Member) -> BookingView:
    """Return a lesson that ``by`` teaches or administers; raises NotFound for all others."""
    booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
    if by.role != "admin" and booking.instructor.id != by.id:
        raise NotFound("There is no such lesson among those you teach.")
    return booking


async def _draw(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    template: str,
    title: str,
    *,
    by: Member,
    status_code: int = 200,
    **context: Any,
) -> Response[Any]:
    clocks = instructor_clocks(venue=booking.venue_time_zone, own=await own_zone(session, organization, by))
    now = clock.now()
    href = f"/teach/lessons/{booking.reference}"
    trail = [{"label": "Lessons", "href": "/teach"}]
    if template == "teach/cancel.html":
        trail.append({"label": booking.appointment_type.name, "href": href})
    return render(
        request,
        template,
        page_context(request, title, portal="teach", nav=NAV, breadcrumb=trail),
        status_code=status_code,
        booking=booking,
        href=href,
        when=clocks.when(booking.starts_at, booking.ends_at),
        status=status_of(booking, clocks.shown),
        over=booking.ends_at <= now,
        # Staff may cancel later than the student could; whoever does should know.
        past_cut_off=now > booking.cancel_until,
        student_initials=initials(booking.student.name),
        taught_by=None if booking.instructor.id == by.id else booking.instructor.name,
        map_href=map_href(booking.location) if booking.location else None,
        booked_at=clocks.moment(booking.confirmed_at),
        cancelled_at=clocks.moment(booking.cancelled_at) if booking.cancelled_at else None,
        **context,
    )
