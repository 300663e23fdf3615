"""Anybody's hours, as an admin sets them: the week, dates that differ, time off."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.portals.admin.people import person_context, person_href, person_page
from coursecove.portals.hours_desk import HoursDesk
from coursecove.portals.pages import render
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


async def desk_of(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
    handle: FromPath[str],
) -> HoursDesk:
    """Return the desk of an instructor or an admin; raises NotFound for students, who have no hours."""
    member = await get_member_by_handle(session, handle)
    if member.role == "student":
        raise NotFound(_("Students do not teach. Make them an instructor first."))

    def draw(page: str, context: dict[str, Any], status_code: int) -> Response[Any]:
        about = {**context, **person_context(member, "hours")}
        drawn = person_page(request, member)
        return render(request, f"admin/person_{page}.html", drawn, status_code=status_code, **about)

    profile = (await tenants.instructors_by_id(session, [member.id])).get(member.id)
    zone = profile.time_zone if profile else organization.time_zone
    return HoursDesk(request, session, member, by, zone, f"{person_href(member)}/hours", draw)


class PersonHoursPages(Controller):
    """When somebody teaches."""

    path = "/admin/people/{handle:str}/hours"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin), "desk": Provide(desk_of)}

    @get("/")
    async def edit(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Show their week as it is stored."""
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
        """Take time off for them."""
        return await desk.add_time_off()

    @post("/time-off/remove", status_code=200)
    async def remove_time_off(self, desk: NamedDependency[HoursDesk]) -> Response[Any]:
        """Take time off back."""
        return await desk.remove_time_off()
