"""The school's front page, for everybody."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.bookings import service as bookings
from coursecove.formatting import initials, listed
from coursecove.i18n import _, ngettext
from coursecove.portals.lesson_words import lesson_card, student_clocks
from coursecove.portals.pages import STUDENT_NAV, page_context, render, viewer_zone
from coursecove.portals.student.choice import address
from coursecove.portals.student.flow import lengths_in_words
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
    places = {place.id: place for place in await appointments.list_locations(session)}
    teachers = await tenants.instructors_by_id(
        session, {id_ for type_ in types for id_ in type_.instructor_ids}
    )
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
        types=[type_card(type_, teachers, places) for type_ in types],
        teachers=[_teacher_card(teacher, types) for teacher in teachers.values()],
        places=[place for place in places.values() if any(place.id in t.location_ids for t in types)],
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
        student_id=viewer.id,
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
        return lesson_card(booking, clocks, href=f"/lessons/{booking.reference}", who=booking.instructor.name)
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


def type_card(
    type_: AppointmentTypeView,
    teachers: dict[Any, InstructorView],
    places: dict[Any, LocationView],
    *,
    path: str | None = None,
) -> dict[str, Any]:
    """Return a type as its card on the front page shows it; ``path`` is where it leads instead of booking."""
    taught_by = [teachers[id_] for id_ in type_.instructor_ids if id_ in teachers]
    at = [places[id_].name for id_ in type_.location_ids if id_ in places]
    where = at[0] if len(at) == 1 else ngettext("1 place", "{count} places", len(at)).format(count=len(at))
    if type_.location_mode == "online":
        where = _("Online")
    elif type_.location_mode == "students_place":
        where = _("At your place")
    elif not at:
        where = ""
    return {
        "href": address(type_.slug, {"key": type_.link_key}, path=path),
        "name": type_.name,
        "description": type_.description,
        "color": type_.color,
        "lengths": lengths_in_words(type_),
        "price_cents": type_.price_cents,
        "currency": type_.currency,
        "where_icon": {"online": "video", "students_place": "house"}.get(type_.location_mode, "map-pin"),
        "where": where,
        "seats": type_.capacity if type_.kind == "class" else None,
        "needs_approval": type_.requires_approval,
        # Only staff see what is shared by link on the front page.
        "seen_by": {"members": _("For members"), "link": _("By link only")}.get(type_.visibility),
        "bookable": bool(taught_by) or type_.kind == "class",
        "teachers": [
            {"name": t.name, "initials": initials(t.name), "image_url": t.image_url} for t in taught_by
        ],
    }


def _teacher_card(teacher: InstructorView, types: list[AppointmentTypeView]) -> dict[str, Any]:
    return {
        "name": teacher.name,
        "initials": initials(teacher.name),
        "image_url": teacher.image_url,
        "bio": teacher.bio,
        "teaches": [
            {
                "name": type_.name,
                "href": address(type_.slug, {"with": teacher.slug, "key": type_.link_key}),
            }
            for type_ in types
            if teacher.id in type_.instructor_ids
        ],
    }
