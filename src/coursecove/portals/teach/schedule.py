"""An instructor's lessons, by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.portals.lesson_words import instructor_clocks, lesson_card, long_day
from coursecove.portals.pages import page_context, render
from coursecove.portals.teach.navigation import NAV, own_profile
from coursecove.scheduling import service as scheduling
from coursecove.scheduling import zones
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

_DAYS = timedelta(days=7)
# More than anybody can teach in a week.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Span:
    """Seven days: from today on, or an ISO week."""

    first: date
    week: str | None

    @property
    def title(self) -> str:
        """Return "30 Nov to 6 Dec"."""
        last = self.first + _DAYS - timedelta(days=1)
        # Without the weekday: both ends are known to be a Monday and a Sunday.
        return f"{formatting.day(self.first).partition(' ')[2]} to {formatting.day(last).partition(' ')[2]}"


@get("/teach", include_in_schema=False, dependencies={"by": Provide(as_staff)})
async def schedule(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """Show today and the coming days, or any week of the calendar, in the instructor's own zone."""
    profile = await own_profile(session, by)
    zone = profile.time_zone if profile else organization.time_zone
    today = formatting.local(clock.now(), zone).date()
    span = _span(request.query_params.get("week", ""), today)
    found = await bookings.list_bookings(
        session,
        viewer=by,
        instructor_id=by.id,
        from_=zones.to_datetime(zones.opening(zone, span.first.toordinal(), 0)),
        until=zones.to_datetime(zones.opening(zone, (span.first + _DAYS).toordinal(), 0)),
        page_size=_MOST,
    )
    standing = [booking for booking in found.items if booking.status == "confirmed"]
    this_week = _week(today)
    return render(
        request,
        "teach/schedule.html",
        page_context(request, "My lessons", portal="teach", nav=NAV),
        lead=f"{long_day(today, zone)}, {formatting.zone_name(zone)} time.",
        week=span.week,
        span_title=span.title,
        summary=_count(len(standing)),
        days=_days(found.items, span, today, zone),
        tabs=[
            {"label": "Coming days", "href": "/teach", "current": span.week is None},
            {"label": "By week", "href": f"/teach?week={this_week}", "current": span.week is not None},
        ],
        previous_href=f"/teach?week={_week(span.first - _DAYS)}",
        next_href=f"/teach?week={_week(span.first + _DAYS)}",
        this_week_href=f"/teach?week={this_week}" if span.week not in (None, this_week) else None,
        has_hours=bool(await scheduling.hours_of(session, by.id)),
        any_lessons=bool(found.items),
    )


def _span(text: str, today: date) -> Span:
    year, _, week = text.partition("-W")
    try:
        monday = date.fromisocalendar(int(year), int(week), 1)
    except ValueError:
        return Span(today, None)
    # The calendar's arithmetic ends with the year 9999.
    if not 2000 <= monday.year <= 9000:
        return Span(today, None)
    return Span(monday, _week(monday))


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _count(number: int) -> str:
    return "No lessons" if not number else "1 lesson" if number == 1 else f"{number} lessons"


def _days(items: list[BookingView], span: Span, today: date, zone: str) -> list[dict[str, Any]]:
    """Return the days with their lessons; without lessons only today is worth a heading."""
    by_day: dict[date, list[BookingView]] = {}
    for booking in items:
        by_day.setdefault(formatting.local(booking.starts_at, zone).date(), []).append(booking)
    days = []
    for offset in range(7):
        day = span.first + timedelta(days=offset)
        lessons = by_day.get(day, [])
        if not lessons and day != today:
            continue
        near = {0: "Today", 1: "Tomorrow"}.get((day - today).days)
        days.append(
            {
                "title": f"{near}, {formatting.day(day)}" if near else long_day(day, zone),
                "count": _count(sum(booking.status == "confirmed" for booking in lessons)),
                "cards": [_card(booking, zone) for booking in lessons],
            }
        )
    return days


def _card(booking: BookingView, zone: str) -> dict[str, Any]:
    card = lesson_card(
        booking,
        instructor_clocks(venue=booking.venue_time_zone, own=zone),
        href=f"/teach/lessons/{booking.reference}",
        who=booking.student.name,
    )
    # The heading above the card names the day.
    card["time"] = card["time"].partition(", ")[2]
    if card["status"] and card["status"]["label"] in ("Today", "Tomorrow"):
        card["status"] = None
    return card
