"""The calendar of the school: a day, a week or a month of everybody's lessons, with the time that is free."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings import service as bookings
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.i18n import _
from coursecove.portals.admin.calendar_board import Board, Material, board_of, column_of, days_between
from coursecove.portals.admin.calendar_filters import (
    BY,
    PATH,
    STATUSES,
    CalendarFilters,
    read_calendar_filters,
)
from coursecove.portals.admin.calendar_month import weeks_of
from coursecove.portals.admin.choices import Choices, read_choices
from coursecove.portals.admin.navigation import address, admin_page
from coursecove.portals.pages import render
from coursecove.portals.student.calendar import weekday_heads
from coursecove.portals.student.choice import instant_text
from coursecove.scheduling.service import working_times
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

AnyRequest = Request[Any, Any, Any]


@get(PATH, include_in_schema=False, dependencies={"by": Provide(as_admin)})
async def school_calendar(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """Draw what the address asks for: whose lessons, which days, as columns or as a month."""
    zone = organization.time_zone
    choices = await read_choices(session)
    today = formatting.local(clock.now(), zone).date()
    filters = read_calendar_filters(request.query_params, choices, today=today)
    material = await _material(session, choices, filters, by=by, zone=zone)
    places = {place.id: place.name for place in choices.locations}
    month = filters.view == "month"
    return render(
        request,
        "admin/calendar.html",
        admin_page(request, _("Calendar")),
        filters=filters,
        zone=formatting.zone_name(zone),
        board=None if month else _board(filters, choices, material),
        weeks=weeks_of(
            filters,
            material.entries,
            material.times.closed,
            zone=zone,
            places=places,
            entry_href=entry_href,
        )
        if month
        else None,
        weekdays=weekday_heads(),
        empty=not material.entries,
        today_href=filters.href(on=None),
        previous_href=filters.href(on=filters.previous.isoformat()),
        next_href=filters.href(on=filters.next.isoformat()),
        clear_href=filters.href(instructor=None, room=None, type=None, location=None, status=None, q=None)
        if filters.narrowed
        else None,
        by_tabs=[
            {
                "label": _(label),
                "href": filters.href(by=by if by != "instructors" else None),
                "current": by == filters.by,
            }
            for by, label in BY.items()
        ]
        if filters.view == "day" and choices.rooms
        else [],
        options={
            **choices.options(),
            "statuses": [{"value": value, "label": _(label)} for value, label in STATUSES.items()],
        },
        new_href=address("/admin/bookings/new", {"with": filters.instructor}),
        class_href=address("/admin/classes/new", {"with": filters.instructor})
        if any(t.kind == "class" for t in choices.types if not t.archived_at)
        else None,
    )


def entry_href(entry: CalendarEntry) -> str:
    """Return the page of a lesson: its booking's, or the class's."""
    if entry.kind == "private" and entry.seats:
        return f"/admin/bookings/{entry.seats[0].reference}"
    return f"/admin/classes/{handle_of(entry.session_id, entry.appointment_type.name)}"


async def _material(
    session: AsyncSession, choices: Choices, filters: CalendarFilters, *, by: Member, zone: str
) -> Material:
    """Read lessons and hours of the days shown; the same number of queries however many there are."""
    from_, until = filters.window(zone)
    people = [
        person
        for person in choices.instructors
        if filters.instructor_id is None or person.id == filters.instructor_id
    ]
    entries: list[CalendarEntry] = []
    if not filters.missing:
        entries = await bookings.calendar(
            session,
            viewer=by,
            from_=from_,
            until=until,
            instructor_id=filters.instructor_id,
            room_id=filters.room_id,
            appointment_type_id=filters.type_id,
            location_id=filters.location_id,
            search=filters.search or None,
            with_cancelled=filters.with_cancelled,
        )
    taken = entries
    if filters.view != "month" and (filters.narrows_lessons or filters.missing):
        # What is left out of sight still keeps its instructor busy.
        taken = await bookings.calendar(
            session, viewer=by, from_=from_, until=until, instructor_id=filters.instructor_id
        )
    times = await working_times(
        session,
        {person.id: person.time_zone for person in people},
        place_zones={place.id: place.time_zone for place in choices.locations},
        from_=from_,
        until=until,
    )

    def new_href(starts_at: datetime, person: InstructorView | None, room: str | None) -> str:
        return address(
            "/admin/bookings/new",
            {
                "with": person.slug if person else filters.instructor,
                "room": room or filters.room,
                "time": instant_text(starts_at),
            },
        )

    return Material(
        zone=zone,
        entries=[entry for entry in entries if filters.lets_through(entry)],
        taken=taken,
        times=times,
        instructors=people,
        places={place.id: place.name for place in choices.locations},
        location_id=filters.location_id,
        entry_href=entry_href,
        new_href=new_href,
    )


def _board(filters: CalendarFilters, choices: Choices, material: Material) -> Board:
    if filters.view == "week":
        alone = material.instructors[0] if filters.instructor_id else None
        return board_of(
            [
                column_of(
                    material,
                    day,
                    key=day.isoformat(),
                    title=formatting.day(day, year=False),
                    href=filters.day_href(day),
                    instructor=alone,
                )
                for day in days_between(filters.first, filters.last)
            ]
        )
    day = filters.on
    if filters.by == "rooms" and choices.rooms:
        names = {place.id: place.name for place in choices.locations}
        return board_of(
            [
                column_of(
                    material.in_room(room),
                    day,
                    key=choices.room_key(room),
                    title=room.name,
                    text=names.get(room.location_id),
                    href=filters.href(room=choices.room_key(room)),
                    room=(room, choices.room_key(room)),
                )
                for room in choices.rooms
                if filters.room_id in (None, room.id) and filters.location_id in (None, room.location_id)
            ]
        )
    return board_of(
        [
            column_of(
                material.of_person(person),
                day,
                key=person.slug,
                title=person.name,
                href=filters.href(view=None, instructor=person.slug),
                instructor=person,
            )
            for person in material.instructors
        ]
    )
