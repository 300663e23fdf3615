"""The first page of the admin portal: the coming week, and what a new school still needs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.config import Settings
from coursecove.portals.admin.booking_filters import midnight
from coursecove.portals.admin.checklist import first_tasks
from coursecove.portals.admin.navigation import admin_clocks, admin_page
from coursecove.portals.lesson_words import lesson_card
from coursecove.portals.pages import render
from coursecove.scheduling import service as scheduling
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

_WEEK = timedelta(days=7)
# What one read of lessons gives at most.
_MOST = 200
_NEXT_LESSONS = 6
_CANCELLATIONS = 5


@get("/admin", include_in_schema=False, dependencies={"by": Provide(as_admin)})
async def overview(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """Show the coming seven days, what was cancelled lately, and the first steps while some are open."""
    settings: Settings = request.app.state.resources.settings
    zone, now = organization.time_zone, clock.now()
    today = formatting.local(now, zone).date()
    week = await _week(session, by, today, zone)
    upcoming = await bookings.list_bookings(
        session, viewer=by, status="confirmed", from_=now, page_size=_NEXT_LESSONS
    )
    cancelled = await _cancelled_lately(session, by)
    instructors = await tenants.list_instructors(session)
    hours = await scheduling.hours_of_many(session, [instructor.id for instructor in instructors])
    tasks = first_tasks(
        organization,
        await appointments.list_locations(session),
        await appointments.list_types(session, include_unpublished=True),
        instructors,
        {member_id for member_id, windows in hours.items() if windows},
        any_bookings=(await bookings.list_bookings(session, viewer=by, page_size=1)).total > 0,
    )
    students = await tenants.list_members(session, role="student", page_size=1)
    return render(
        request,
        "admin/overview.html",
        admin_page(request, "Overview"),
        today=f"{formatting.day_long(today)}, {formatting.zone_name(zone)} time.",
        tasks=tasks,
        done=sum(task.done for task in tasks),
        next_task=next((task for task in tasks if not task.done), None),
        school_href=settings.origin(organization.slug),
        week_total=len(week),
        days=_days(week, today, zone),
        students_total=students.total,
        instructors_total=len(instructors),
        cancelled_total=len(cancelled),
        lessons_next=[_card(request, organization, booking) for booking in upcoming.items],
        more_lessons=upcoming.total > len(upcoming.items),
        cancelled=[_cancellation(request, organization, b) for b in cancelled[:_CANCELLATIONS]],
    )


async def _week(session: AsyncSession, by: Member, today: date, zone: str) -> list[BookingView]:
    """Return the lessons of seven days from today on; one read for up to two hundred."""
    items: list[BookingView] = []
    page = 1
    while True:
        found = await bookings.list_bookings(
            session,
            viewer=by,
            status="confirmed",
            from_=midnight(today, zone),
            until=midnight(today + _WEEK, zone),
            page=page,
            page_size=_MOST,
        )
        items += found.items
        if len(items) >= found.total or not found.items:
            return items
        page += 1


async def _cancelled_lately(session: AsyncSession, by: Member) -> list[BookingView]:
    """Return what was cancelled in the last seven days, latest first.

    Lessons are found by their start; one that is over cannot be cancelled, and
    none is longer than a day.
    """
    since = clock.now() - _WEEK
    found = await bookings.list_bookings(
        session, viewer=by, status="cancelled", from_=since - timedelta(days=1), page_size=_MOST
    )
    lately = [(b.cancelled_at, b) for b in found.items if b.cancelled_at and b.cancelled_at >= since]
    return [booking for _, booking in sorted(lately, key=lambda pair: pair[0], reverse=True)]


def _days(items: list[BookingView], today: date, zone: str) -> list[dict[str, Any]]:
    counts: dict[date, int] = {}
    for booking in items:
        day = formatting.local(booking.starts_at, zone).date()
        counts[day] = counts.get(day, 0) + 1
    days = []
    for offset in range(7):
        day = today + timedelta(days=offset)
        count = counts.get(day, 0)
        words = "no lessons" if not count else "1 lesson" if count == 1 else f"{count} lessons"
        days.append(
            {
                "weekday": formatting.day(day)[:3],
                "number": day.day,
                "count": count,
                "today": offset == 0,
                "label": f"{formatting.day_long(day)}, {words}",
                "href": f"/admin/bookings?from={day.isoformat()}&until={day.isoformat()}&status=confirmed",
            }
        )
    return days


def _card(
    request: Request[Any, Any, Any], organization: OrganizationView, booking: BookingView
) -> dict[str, Any]:
    return lesson_card(
        booking,
        admin_clocks(request, organization, venue=booking.venue_time_zone),
        href=f"/admin/bookings/{booking.reference}",
        who=f"{booking.student.name} with {booking.instructor.name}",
    )


def _cancellation(
    request: Request[Any, Any, Any], organization: OrganizationView, booking: BookingView
) -> dict[str, Any]:
    clocks = admin_clocks(request, organization, venue=booking.venue_time_zone)
    assert booking.cancelled_at is not None
    return {
        "href": f"/admin/bookings/{booking.reference}",
        "title": f"{booking.student.name}, {booking.appointment_type.name}",
        "when": clocks.when(booking.starts_at, booking.ends_at).sentence,
        "by": booking.cancelled_by.name if booking.cancelled_by else None,
        "at": clocks.moment(booking.cancelled_at),
        "reason": booking.cancellation_reason,
    }
