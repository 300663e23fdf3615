"""An instructor's week: a list by day on a phone, seven columns on a wide screen."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.booking_filters import midnight
from coursecove.portals.admin.calendar_board import Material, board_of, column_of, days_between
from coursecove.portals.pages import AnyRequest, render
from coursecove.portals.teach.addresses import entry_href
from coursecove.portals.teach.navigation import own_profile, teach_page
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.working_times import working_times
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

PATH = "/teach/week"
_SUNDAY = timedelta(days=6)
_WEEK = timedelta(days=7)


@get(PATH, include_in_schema=False, dependencies={"by": Provide(as_staff)})
async def week(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """Show an ISO week in the instructor's own zone, this one unless ``?week=2026-W48`` names another."""
    profile = await own_profile(session, by)
    zone = profile.time_zone if profile else organization.time_zone
    today = formatting.local(clock.now(), zone).date()
    this_monday = today - timedelta(days=today.weekday())
    monday = monday_of(request.query_params.get("week", "")) or this_monday
    from_, until = midnight(monday, zone), midnight(monday + _WEEK, zone)
    entries = await bookings.calendar(session, viewer=by, instructor_id=by.id, from_=from_, until=until)
    places = await appointments.list_locations(session, include_archived=True)
    times = await working_times(
        session,
        {by.id: zone},
        place_zones={place.id: place.time_zone for place in places},
        from_=from_,
        until=until,
    )
    material = Material(
        zone=zone,
        entries=entries,
        taken=entries,
        times=times,
        instructors=[profile] if profile else [],
        places={place.id: place.name for place in places},
        location_id=None,
        entry_href=entry_href,
        new_href=lambda _starts_at, _person, _room: PATH,
    )
    columns = []
    for day in days_between(monday, monday + _SUNDAY):
        column = column_of(
            material,
            day,
            key=day.isoformat(),
            title=formatting.day(day, year=False),
            href="/teach" if day == today else None,
            instructor=profile,
        )
        # Instructors do not book here; how much of a day is free stands above it.
        column.free.clear()
        columns.append(column)
    taught = [entry for entry in entries if entry.status == "confirmed" and entry.seats]
    minutes = sum(int((entry.ends_at - entry.starts_at).total_seconds()) // 60 for entry in taught)
    return render(
        request,
        "teach/week.html",
        teach_page(request, _("My week")),
        board=board_of(columns),
        filters={"view": "week"},
        zone=formatting.zone_name(zone),
        title=_("{first} to {last}").format(
            first=formatting.day(monday, year=False), last=formatting.day(monday + _SUNDAY, year=True)
        ),
        summary=_summary(len(taught), minutes),
        previous_href=_href(monday - _WEEK),
        next_href=_href(monday + _WEEK),
        today_href=PATH if monday != this_monday else None,
        empty=not entries,
        has_hours=bool(await scheduling.hours_of(session, by.id)),
    )


def monday_of(text: str) -> date | None:
    """Return the Monday of "2026-W48"; None for what is no week."""
    year, dash, number = text.partition("-W")
    if not dash or not (year.isascii() and year.isdigit() and number.isascii() and number.isdigit()):
        return None
    try:
        monday = date.fromisocalendar(int(year), int(number), 1)
    except ValueError:
        return None
    # The calendar's arithmetic ends with the year 9999.
    return monday if 2000 <= monday.year <= 9000 else None


def _href(monday: date) -> str:
    year, number, _weekday = monday.isocalendar()
    return f"{PATH}?week={year}-W{number:02}"


def _summary(lessons: int, minutes: int) -> str:
    if not lessons:
        return _("No lessons")
    count = ngettext("{count} lesson", "{count} lessons", lessons).format(count=lessons)
    return _("{lessons}, {time} in all").format(lessons=count, time=formatting.duration(minutes))
