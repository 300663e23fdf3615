"""An instructor's own hours: the week, dates that differ, time off."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.i18n import _
from coursecove.portals.hours_desk import HoursDesk
from coursecove.portals.pages import page_context, render
from coursecove.portals.teach.navigation import NAV, own_zone
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


async def own_desk(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> HoursDesk:
    """Return the desk of whoever asks."""

    def draw(page: str, context: dict[str, Any], status_code: int) -> Response[Any]:
        titles = {"hours": _("Hours"), "dates": _("Dates and time off")}
        drawn = page_context(request, titles[page], portal="teach", nav=NAV)
        return render(request, f"teach/{page}.html", drawn, status_code=status_code, **context)

    zone = await own_zone(session, organization, by)
    return HoursDesk(request, session, by, by, zone, "/teach/hours", draw)


class HoursPages(Controller):
    """When somebody teaches."""

    path = "/teach/hours"
    include_in_schema = False
    dependencies = {"by": Provide(as_staff), "desk": Provide(own_desk)}

    @get("/")
    async def edit(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Show the week as it is stored."""
        return await desk.week()

    @post("/", status_code=200)
    async def save(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Save the week, or change rows without saving."""
        return await desk.save_week()

    @get("/dates")
    async def dates(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Show the dates that differ, and the time off."""
        return await desk.dates()

    @post("/dates", status_code=200)
    async def save_date(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Set the hours of one date."""
        return await desk.save_date()

    @post("/dates/remove", status_code=200)
    async def remove_date(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Let a date follow the week again."""
        return await desk.remove_date()

    @post("/time-off", status_code=200)
    async def add_time_off(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Take time off."""
        return await desk.add_time_off()

    @post("/time-off/remove", status_code=200)
    async def remove_time_off(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Take time off back."""
        return await desk.remove_time_off()
