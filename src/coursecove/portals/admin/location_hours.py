"""When a location is open, as an admin sets it."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import LocationView
from coursecove.bookings.affected import Affected, affected_by_opening_hours
from coursecove.formatting import zone_name
from coursecove.i18n import _
from coursecove.portals.admin.locations import tabs_of, trail
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.affected_words import question
from coursecove.portals.hours_form import HoursForm
from coursecove.portals.pages import redirect, render
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import OpeningWindowInput, OpeningWindowView, WindowInput
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member

AnyRequest = Request[Any, Any, Any]


class LocationHoursPages(Controller):
    """When a location is open."""

    path = "/admin/locations/{slug:str}/hours"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show its week as it is stored."""
        place = await appointments.get_location_by_slug(session, slug)
        return _draw(request, place, HoursForm.of(await scheduling.opening_hours_of(session, place.id)))

    @post("/", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Save its week, or add, take away and copy rows without saving; nothing typed is lost."""
        place = await appointments.get_location_by_slug(session, slug)
        form = await HoursForm.read(request)

        async def stored() -> list[OpeningWindowView]:
            return await scheduling.opening_hours_of(session, place.id)

        async def affected(windows: list[WindowInput]) -> Affected:
            return await affected_by_opening_hours(session, place.id, _opening(windows))

        async def write(windows: list[WindowInput]) -> object:
            return await scheduling.replace_opening_hours(session, place.id, _opening(windows), by=by)

        if form.unsaved or not await form.save(
            session, stored=stored, affected=affected, write=write, subject=("location", place.id), by=by
        ):
            return _draw(request, place, form)
        return redirect(
            request,
            f"/admin/locations/{place.slug}/hours",
            flash=_("The opening hours of {name} are saved.").format(name=place.name),
        )


def _opening(windows: list[WindowInput]) -> list[OpeningWindowInput]:
    return [OpeningWindowInput(w.weekday, w.starts_minute, w.ends_minute) for w in windows]


def _draw(request: AnyRequest, place: LocationView, form: HoursForm) -> Response[Any]:
    href = f"/admin/locations/{place.slug}"
    return render(
        request,
        "admin/location_hours.html",
        admin_page(request, _("Opening hours"), *trail(place)),
        status_code=form.refused_status,
        form=form,
        place=place.name,
        tabs=tabs_of(place, "hours"),
        zone=zone_name(place.time_zone),
        action=f"{href}/hours",
        back_href=href,
        closures_href=f"/admin/closures/new?location={place.slug}",
        question=question(form.affected, whose=True),
    )
