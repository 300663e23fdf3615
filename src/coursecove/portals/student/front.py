"""The school's front page, for everybody."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Mapping
from functools import partial
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, i18n
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.bookings import service as bookings
from coursecove.bookings.availability import next_free_for_visitors, next_free_many
from coursecove.bookings.prospectus import Stale, is_current, prospectus_of
from coursecove.bookings.schemas import SlotView
from coursecove.formatting import listed, local
from coursecove.i18n import _, ngettext
from coursecove.portals.kept_pages import answer_kept
from coursecove.portals.lesson_words import student_clocks
from coursecove.portals.pages import STUDENT_NAV, page_context, read_flash, render, viewer_zone
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
    if viewer is None and (page := await _for_visitors(request, session, organization)):
        return page
    types = await appointments.offered_types(session, viewer=viewer)
    places = {place.id: place for place in await appointments.list_locations(session)}
    teachers = await tenants.instructors_by_id(
        session, {id_ for type_ in types for id_ in type_.instructor_ids}
    )
    shown = _Shown(request, organization, types, places, teachers)
    soonest = await next_free_many(
        session,
        shown.narrowed,
        after=clock.now(),
        student_id=viewer.id if viewer else None,
        ignoring_session_ids=await bookings.kept_by(session, viewer.id) if viewer else frozenset(),
        **shown.filters.asked,
    )
    offers = await waiting_of(request, session, organization, by=viewer) if viewer else ()
    return shown.draw(
        soonest,
        offers=[place for place in offers if place["offered"]],
        next_lesson=await _next_lesson(request, session, organization, viewer),
        is_admin=viewer is not None and viewer.role == "admin",
    )


async def _for_visitors(
    request: Request[Any, Any, Any], session: AsyncSession, organization: OrganizationView
) -> Response[Any] | None:
    """Return the page of whoever is not signed in: one read, and drawn once for all who are shown the same.

    None where it has to be put together at length.
    """
    for _attempt in range(2):
        prospectus = await prospectus_of(session)
        if prospectus is None or prospectus.organization != organization or read_flash(request):
            return None
        if not prospectus.listed() and not await is_current(session, prospectus):
            continue
        teaching = {id_ for type_ in prospectus.listed() for id_ in type_.instructor_ids}
        teachers = {id_: view for id_, view in prospectus.teachers.items() if id_ in teaching}
        shown = _Shown(request, organization, prospectus.listed(), prospectus.places, teachers)
        if not shown.narrowed:
            return None
        try:
            soonest = await next_free_for_visitors(session, prospectus, shown.narrowed, **shown.filters.asked)
        except Stale:
            continue
        key = (organization.id, prospectus.edition, *shown.key(soonest))
        return answer_kept(request, session, key, partial(shown.draw, soonest))
    return None


class _Shown:
    """What is on the page but for what concerns whoever is signed in."""

    def __init__(
        self,
        request: Request[Any, Any, Any],
        organization: OrganizationView,
        types: list[AppointmentTypeView],
        places: Mapping[uuid.UUID, LocationView],
        teachers: Mapping[uuid.UUID, InstructorView],
    ) -> None:
        self._request, self._organization = request, organization
        self._types, self._every_place, self._teachers = types, places, teachers
        taught_at = {id_ for type_ in types for id_ in type_.location_ids}
        self._places = [place for place in places.values() if place.id in taught_at]
        self.filters = read_filters(request.query_params, teachers.values(), self._places)
        self.narrowed = self.filters.narrowed(types)
        self._zone = viewer_zone(request, organization.time_zone)

    def key(self, soonest: Mapping[uuid.UUID, SlotView | None]) -> tuple[Hashable, ...]:
        """Return what the page depends on beside the school's edition."""
        now = clock.now()
        zones = {self._zone, self._organization.time_zone, *(place.time_zone for place in self._places)}
        return (
            i18n.language(),
            self._zone,
            self._request.url.path,
            self._request.scope["query_string"],
            # "Tomorrow" is another day soon.
            tuple(local(now, zone).date() for zone in sorted(zones)),
            tuple(
                (slot.starts_at, slot.location.id if slot.location else None) if slot else None
                for slot in map(soonest.get, (type_.id for type_ in self.narrowed))
            ),
        )

    def draw(
        self,
        soonest: Mapping[uuid.UUID, SlotView | None],
        *,
        offers: list[dict[str, Any]] | None = None,
        next_lesson: dict[str, Any] | None = None,
        is_admin: bool = False,
    ) -> Response[bytes]:
        """Draw it."""
        organization, filters, types = self._organization, self.filters, self._types
        page = page_context(
            self._request,
            organization.name,
            nav=STUDENT_NAV,
            description=_("Book a lesson at {school}.").format(school=organization.name),
        )
        return render(
            self._request,
            "student/front.html",
            page,
            lead=_lead(types, list(self._teachers.values())),
            types=[
                type_card(
                    type_,
                    self._teachers,
                    self._every_place,
                    query=filters.query(type_),
                    next_free=next_words(
                        type_,
                        soonest.get(type_.id),
                        filters,
                        places=self._every_place,
                        viewer_zone=self._zone,
                        school_zone=organization.time_zone,
                    ),
                )
                for type_ in self.narrowed
            ],
            offers_nothing=not types,
            filters=filters.fields(types, self._teachers.values(), self._places),
            filtered=filters.any,
            teachers=[teacher_card(teacher, types) for teacher in self._teachers.values()],
            places=self._places,
            offers=offers or [],
            next_lesson=next_lesson,
            is_admin=is_admin,
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
