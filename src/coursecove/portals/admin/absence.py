"""An admin settles what becomes of the lessons of somebody who cannot teach."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.portals import sick
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.pages import AnyRequest
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle, handle_of
from coursecove.tenants.models import Member


class AbsencePages(Controller):
    """Somebody is sick, today or for a while."""

    path = "/admin/people/{handle:str}/sick"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def ask(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """List their lessons of today, or of the days in the address, with who could give them."""
        return await sick.show(request, session, await _absent(request, session, handle), by=by)

    @post("/", status_code=200)
    async def settle(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Hand over, cancel, tell everybody and take the time off, all at once."""
        return await sick.settle(request, session, await _absent(request, session, handle), by=by)


async def _absent(request: AnyRequest, session: AsyncSession, handle: str) -> sick.Absent:
    member = await get_member_by_handle(session, handle)
    profile = (await tenants.instructors_by_id(session, [member.id])).get(member.id)
    if profile is None:
        raise NotFound(_("This person does not teach here."))
    href = f"/admin/people/{handle_of(member.id, member.name)}"
    return sick.Absent(
        member=member,
        zone=profile.time_zone,
        path=f"{href}/sick",
        back=href,
        own=False,
        page=lambda title: admin_page(request, title, (_("People"), "/admin/people"), (member.name, href)),
    )
