"""The first page of the admin portal: the coming week, what needs a look, and what a new school still needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import LocationView
from coursecove.bookings import service as bookings
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.bookings.schemas import BookingView
from coursecove.config import Settings
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.attention import matters
from coursecove.portals.admin.booking_filters import midnight
from coursecove.portals.admin.calendar_layout import Span, merged, minutes_in, without
from coursecove.portals.admin.calendar_words import LIVE, closure_note
from coursecove.portals.admin.checklist import first_tasks
from coursecove.portals.admin.closures import span_words
from coursecove.portals.admin.navigation import admin_clocks, admin_page
from coursecove.portals.lesson_words import lesson_card
from coursecove.portals.pages import render
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import ClosedDays
from coursecove.scheduling.service import WorkingTimes, working_times
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

_WEEK = timedelta(days=7)
# What one read of lessons gives at most.
_MOST = 200
_NEXT_LESSONS = 6
_NEXT_SEATS = 40
_CANCELLATIONS = 5
_LAPSES_AHEAD_DAYS = 30


@get("/admin", include_in_schema=False, dependencies={"by": Provide(as_admin)})
async def overview(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """Show the coming seven days, what needs a look, and the first steps while some are open."""
    settings: Settings = request.app.state.resources.settings
    zone, now = organization.time_zone, clock.now()
    today = formatting.local(now, zone).date()
    from_, until = midnight(today, zone), midnight(today + _WEEK, zone)
    entries = await bookings.calendar(session, viewer=by, from_=from_, until=until)
    week = [entry for entry in entries if entry.status in LIVE and entry.seats_taken]
    upcoming = await bookings.list_bookings(
        session, viewer=by, status="confirmed", from_=now, page_size=_NEXT_SEATS
    )
    # A class is one lesson, however many sit in it.
    lessons = list({booking.session_id: booking for booking in upcoming.items}.values())
    pending = await bookings.list_bookings(session, viewer=by, status="pending", from_=now, page_size=1)
    cancelled = await _cancelled_lately(session, by)
    instructors = await tenants.list_instructors(session)
    hours = await scheduling.hours_of_many(session, [instructor.id for instructor in instructors])
    with_hours = {member_id for member_id, windows in hours.items() if windows}
    locations = await appointments.list_locations(session, include_archived=True)
    types = await appointments.list_types(session, include_unpublished=True)
    lapses = await appointments.lapsing_qualifications(session, within_days=_LAPSES_AHEAD_DAYS)
    times = await _times(session, instructors, locations, from_=from_, until=until)
    tasks = first_tasks(
        organization,
        [place for place in locations if not place.archived_at],
        types,
        instructors,
        with_hours,
        any_closures=bool(await scheduling.list_closures(session)),
        any_bookings=(await bookings.list_bookings(session, viewer=by, page_size=1)).total > 0,
    )
    # A new school is told by its list what it lacks.
    starting = any(not task.done and not task.optional for task in tasks)
    attention, more_attention = matters(types, instructors, with_hours, lapses, pending=pending.total)
    total, free = _capacity(times, entries, now=now)
    students = await tenants.list_members(session, role="student", page_size=1)
    return render(
        request,
        "admin/overview.html",
        admin_page(request, _("Overview")),
        today=_("{day}, {zone} time.").format(day=formatting.day_long(today), zone=formatting.zone_name(zone)),
        starting=starting,
        tasks=tasks,
        done=sum(task.done for task in tasks),
        next_task=next((task for task in tasks if not task.done), None),
        attention=[] if starting and not pending.total else attention,
        more_attention=more_attention,
        school_href=settings.origin(organization.slug),
        week_total=len(week),
        free=_hours(free) if total else None,
        free_text=_("of {total} of teaching time").format(total=_hours(total)) if total else None,
        days=_days(week, today, zone),
        closed=_closures(times.closed, locations, today),
        students_total=students.total,
        cancelled_total=len(cancelled),
        lessons_next=[_card(request, organization, booking) for booking in lessons[:_NEXT_LESSONS]],
        more_lessons=upcoming.total > len(upcoming.items) or len(lessons) > _NEXT_LESSONS,
        cancelled=[_cancellation(request, organization, b) for b in cancelled[:_CANCELLATIONS]],
    )


async def _times(
    session: AsyncSession,
    instructors: Sequence[InstructorView],
    locations: Sequence[LocationView],
    *,
    from_: datetime,
    until: datetime,
) -> WorkingTimes:
    return await working_times(
        session,
        {person.id: person.time_zone for person in instructors},
        place_zones={place.id: place.time_zone for place in locations},
        from_=from_,
        until=until,
    )


def _capacity(times: WorkingTimes, entries: Sequence[CalendarEntry], *, now: datetime) -> tuple[int, int]:
    """Return how many minutes the school teaches from now on, and how many of them are free."""
    total = free = 0
    past = (0, _minute(now))
    for member_id, working in times.working.items():
        spans = without([_span(time.starts_at, time.ends_at) for time in working], [past])
        busy = [
            _span(entry.blocked_from, entry.blocked_until)
            for entry in entries
            if entry.status in LIVE and entry.instructor.id == member_id
        ]
        total += minutes_in(merged(spans))
        free += minutes_in(without(spans, busy))
    return total, free


def _hours(minutes: int) -> str:
    """Return a length as it is talked about: of a week of lessons, nobody counts the minutes."""
    return formatting.duration(minutes if minutes < 600 else minutes // 60 * 60)


def _span(starts_at: datetime, ends_at: datetime) -> Span:
    return _minute(starts_at), _minute(ends_at)


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _closures(closed: Sequence[ClosedDays], locations: Sequence[LocationView], today: date) -> list[str]:
    places = {place.id: place.name for place in locations}
    last = today + _WEEK - timedelta(days=1)
    return [
        f"{closure_note(days, places)}, {span_words(days.starts_on, days.ends_on)}"
        for days in closed
        if days.starts_on <= last and days.ends_on >= today
    ]


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
    return [booking for _at, booking in sorted(lately, key=lambda pair: pair[0], reverse=True)]


def _days(week: Sequence[CalendarEntry], today: date, zone: str) -> list[dict[str, Any]]:
    counts = Counter(formatting.local(entry.starts_at, zone).date() for entry in week)
    days = []
    for offset in range(7):
        day = today + timedelta(days=offset)
        count = counts[day]
        words = ngettext("{count} lesson", "{count} lessons", count).format(count=count)
        days.append(
            {
                "weekday": formatting.day(day).partition(" ")[0].rstrip(".,"),
                "number": day.day,
                "count": count,
                "today": offset == 0,
                "label": f"{formatting.day_long(day)}, {words if count else _('no lessons')}",
                "href": f"/admin/calendar?view=day&on={day.isoformat()}",
            }
        )
    return days


def _card(
    request: Request[Any, Any, Any], organization: OrganizationView, booking: BookingView
) -> dict[str, Any]:
    href = f"/admin/bookings/{booking.reference}"
    who = _("{student} with {instructor}").format(
        student=booking.student.name, instructor=booking.instructor.name
    )
    if booking.appointment_type.kind == "class":
        href = f"/admin/classes/{handle_of(booking.session_id, booking.appointment_type.name)}"
        who = _("Class with {instructor}").format(instructor=booking.instructor.name)
    clocks = admin_clocks(request, organization, venue=booking.venue_time_zone)
    return lesson_card(booking, clocks, href=href, who=who)


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
