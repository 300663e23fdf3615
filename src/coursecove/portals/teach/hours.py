"""An instructor's own weekly hours."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.formatting import zone_name
from coursecove.portals.hours_form import HoursForm, place_options
from coursecove.portals.pages import page_context, redirect, render
from coursecove.portals.teach.navigation import NAV, own_zone
from coursecove.scheduling import service as scheduling
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


class HoursPages(Controller):
    """When somebody teaches."""

    path = "/teach/hours"
    include_in_schema = False
    dependencies = {"by": Provide(as_staff)}

    @get("/")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Show the week as it is stored."""
        places = await appointments.list_locations(session, include_archived=True)
        form = HoursForm.of(await scheduling.hours_of(session, by.id), places)
        return await _draw(request, session, organization, form, by=by)

    @post("/", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save the week, or add and take away rows without saving; nothing typed is lost."""
        form = await HoursForm.read(request)
        if form.unsaved:
            return await _draw(request, session, organization, form, by=by)
        places = await appointments.list_locations(session, include_archived=True)
        if await form.save(session, by.id, places, by=by):
            return redirect(request, "/teach/hours", flash="Your hours are saved.")
        return await _draw(request, session, organization, form, by=by, status_code=422)


async def _draw(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    form: HoursForm,
    *,
    by: Member,
    status_code: int = 200,
) -> Response[Any]:
    places = await appointments.list_locations(session, include_archived=True)
    stored = await scheduling.hours_of(session, by.id)
    zone = await own_zone(session, organization, by)
    return render(
        request,
        "teach/hours.html",
        page_context(request, "Weekly hours", portal="teach", nav=NAV),
        status_code=status_code,
        form=form,
        places=place_options(places, stored),
        zone=zone_name(zone),
    )
