"""The school's front page, for everybody."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import service as bookings
from coursecove.bookings.availability import next_free_many
from coursecove.formatting import listed
from coursecove.i18n import _, ngettext
from coursecove.portals.lesson_words import student_clocks
from coursecove.portals.pages import STUDENT_NAV, page_context, render, viewer_zone
from coursecove.portals.student.catalogue import next_words, read_filters, teacher_card, type_card
from coursecove.portals.student.classes import waiting_of
from coursecove.portals.student.lessons import own_card
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import maybe_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView


@get("/", include_in_schema=False, dependencies={"viewer": Provide(maybe_member)})
async def front(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    viewer: NamedDependency[Member | None],
) -> Response[Any]:
    """Say who the school is, what can be booked, who teaches and where; as many reads for any school."""
    types = await appointments.offered_types(session, viewer=viewer)
    every_place = {place.id: place for place in await appointments.list_locations(session)}
    places = [place for place in every_place.values() if any(place.id in t.location_ids for t in types)]
    teachers = await tenants.instructors_by_id(
        session, {id_ for type_ in types for id_ in type_.instructor_ids}
    )
    filters = read_filters(request.query_params, teachers.values(), places)
    shown = filters.narrowed(types)
    soonest = await next_free_many(
        session,
        shown,
        after=clock.now(),
        student_id=viewer.id if viewer else None,
        **filters.asked,
    )
    zone = viewer_zone(request, organization.time_zone)
    page = page_context(
        request,
        organization.name,
        nav=STUDENT_NAV,
        description=_("Book a lesson at {school}.").format(school=organization.name),
    )
    return render(
        request,
        "student/front.html",
        page,
        lead=_lead(types, list(teachers.values())),
        types=[
            type_card(
                type_,
                teachers,
                every_place,
                query=filters.query(type_),
                next_free=next_words(
                    type_,
                    soonest.get(type_.id),
                    filters,
                    places=every_place,
                    viewer_zone=zone,
                    school_zone=organization.time_zone,
                ),
            )
            for type_ in shown
        ],
        offers_nothing=not types,
        filters=filters.fields(types, teachers.values(), places),
        filtered=filters.any,
        teachers=[teacher_card(teacher, types) for teacher in teachers.values()],
        places=places,
        offers=[
            place
            for place in (await waiting_of(request, session, organization, by=viewer) if viewer else ())
            if place["offered"]
        ],
        next_lesson=await _next_lesson(request, session, organization, viewer),
        is_admin=viewer is not None and viewer.role == "admin",
    )


async def _next_lesson(
    request: Request[Any, Any, Any],
    session: AsyncSession,
    organization: OrganizationView,
    viewer: Member | None,
) -> dict[str, Any] | None:
    if viewer is None:
        return None
    found = await bookings.list_bookings(
        session,
        viewer=viewer,
        own=True,
        status="confirmed",
        from_=clock.now(),
        page_size=1,
    )
    for booking in found.items:
        clocks = student_clocks(
            venue=booking.venue_time_zone,
            viewer=viewer_zone(request, organization.time_zone),
            school=organization.time_zone,
        )
        return own_card(booking, clocks, by=viewer)
    return None


def _lead(types: list[AppointmentTypeView], teachers: list[InstructorView]) -> str | None:
    if not types or not teachers:
        return None
    kinds = {type_.kind for type_ in types}
    names = [teacher.name for teacher in teachers]
    if len(names) > 3:
        who = ngettext("one teacher", "{count} teachers", len(names)).format(count=len(names))
    else:
        who = listed(names)
    if kinds == {"private"}:
        what = _("Private lessons with {teachers}.")
    elif kinds == {"class"}:
        what = _("Classes with {teachers}.")
    else:
        what = _("Private lessons and classes with {teachers}.")
    return what.format(teachers=who) + " " + _("Pick a lesson, then a time that suits you.")
