"""The classes of some weeks, with how many seats are taken; both portals of staff mount it."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any, ClassVar

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import service as bookings
from coursecove.bookings.class_schemas import ClassView
from coursecove.i18n import _
from coursecove.portals.admin.booking_filters import midnight, readable_day
from coursecove.portals.admin.calendar_words import seats_words
from coursecove.portals.admin.navigation import address
from coursecove.portals.class_pages import ClassDesk
from coursecove.portals.pages import AnyRequest, render
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

_FOUR_WEEKS = timedelta(days=28)
_NOBODY = uuid.UUID(int=0)


class ClassListPage(Controller):
    """Four weeks of classes, from today or from the day in the address."""

    include_in_schema = False
    desk: ClassVar[ClassDesk]

    @get("/")
    async def classes(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """List them by start, narrowed to a type or an instructor; the same few queries however many."""
        params = request.query_params
        zone = await self.desk.zone(session, organization, by)
        today = formatting.local(clock.now(), zone).date()
        from_text = params.get("from", "")[:20]
        asked = readable_day(from_text) if from_text else None
        first = asked or today
        types = [
            type_ for type_ in await _class_types(session) if not self.desk.own or by.id in type_.instructor_ids
        ]
        people = [] if self.desk.own else await tenants.list_instructors(session)
        type_slug, person_slug = params.get("type", ""), "" if self.desk.own else params.get("instructor", "")
        cancelled = params.get("status", "") == "cancelled"
        found = await bookings.list_classes(
            session,
            viewer=by,
            from_=midnight(first, zone),
            until=midnight(first + _FOUR_WEEKS, zone),
            appointment_type_id=_id_of(types, type_slug),
            instructor_id=by.id if self.desk.own else _id_of(people, person_slug),
            with_cancelled=cancelled,
        )
        query = {
            "type": type_slug or None,
            "instructor": person_slug or None,
            "status": "cancelled" if cancelled else None,
        }

        def href(day: date | None) -> str:
            return address(self.desk.path, {**query, "from": day.isoformat() if day and day != today else None})

        return render(
            request,
            "teach/classes.html",
            self.desk.page(request, _("My classes") if self.desk.own else _("Classes")),
            rows=[self._row(request, organization, view, zone) for view in found],
            own=self.desk.own,
            path=self.desk.path,
            title=_("{first} to {last}").format(
                first=formatting.day(first), last=formatting.day(first + _FOUR_WEEKS - timedelta(days=1))
            ),
            zone=formatting.zone_name(zone),
            previous_href=href(first - _FOUR_WEEKS),
            next_href=href(first + _FOUR_WEEKS),
            today_href=href(None) if first != today else None,
            from_text=from_text,
            from_error=_("Enter a date such as 2026-12-31.") if from_text and asked is None else None,
            types=[{"value": type_.slug, "label": type_.name} for type_ in types],
            people=[{"value": person.slug, "label": person.name} for person in people],
            chosen={"type": type_slug, "instructor": person_slug, "status": "cancelled" if cancelled else ""},
            clear_href=self.desk.path if any(query.values()) else None,
            new_href=address(f"{self.desk.path}/new", {"type": type_slug or None, "with": person_slug or None}),
            can_plan=any(type_.archived_at is None for type_ in types),
        )

    def _row(
        self, request: AnyRequest, organization: OrganizationView, view: ClassView, zone: str
    ) -> dict[str, Any]:
        pending = sum(seat.status == "pending" for seat in view.seats or ())
        return {
            "href": self.desk.href(view),
            "when": self.desk.clocks(request, organization, view.venue_time_zone, zone).when(
                view.starts_at, view.ends_at
            ),
            "name": view.appointment_type.name,
            "color": view.appointment_type.color,
            "instructor": view.instructor.name,
            "where": f"{view.location.name}, {view.room.name}"
            if view.location and view.room
            else view.location.name
            if view.location
            else _("Online"),
            "seats": seats_words(view.seats_taken, view.capacity),
            "taken": view.seats_taken,
            "capacity": view.capacity,
            "full": view.seats_left == 0 and view.cancelled_at is None,
            "cancelled": view.cancelled_at is not None,
            "pending": pending,
        }


async def _class_types(session: AsyncSession) -> list[AppointmentTypeView]:
    types = await appointments.list_types(session, include_unpublished=True, include_archived=True)
    return [type_ for type_ in types if type_.kind == "class"]


def _id_of(known: list[AppointmentTypeView] | list[InstructorView], slug: str) -> uuid.UUID | None:
    """Return whose slug this is; a slug nobody has is nobody's id, so that nothing is found."""
    if not slug:
        return None
    return next((one.id for one in known if one.slug == slug), _NOBODY)
