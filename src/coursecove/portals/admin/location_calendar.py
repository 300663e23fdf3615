"""What is at a location, in a calendar outside: for the desk, or the screen at the door."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.i18n import _
from coursecove.portals.admin.locations import tabs_of, trail
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.feed_pages import FeedPage
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


class LocationCalendarPages(Controller):
    """The address of a location's calendar."""

    path = "/admin/locations"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/{slug:str}/calendar")
    async def show(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show whether there is an address."""
        page = await _page(request, session, slug)
        return await page.show(request, session, organization, by=by)

    @post("/{slug:str}/calendar", status_code=200)
    async def open(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Make one and show it."""
        page = await _page(request, session, slug)
        return await page.open(request, session, organization, by=by)

    @post("/{slug:str}/calendar/revocation")
    async def revoke(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """End it."""
        page = await _page(request, session, slug)
        return await page.revoke(request, session, by=by)


async def _page(request: AnyRequest, session: AsyncSession, slug: str) -> FeedPage:
    place = await appointments.get_location_by_slug(session, slug)
    return FeedPage(
        "location",
        f"/admin/locations/{place.slug}/calendar",
        "layouts/portal.html",
        _(
            "Everything at {place}, with rooms and names. It stops when whoever made it is no admin any more."
        ).format(place=place.name),
        lambda: admin_page(request, _("Calendar link"), *trail(place)),
        place,
        tabs_of(place, "calendar"),
    )
