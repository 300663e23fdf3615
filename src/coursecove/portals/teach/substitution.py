"""An instructor who cannot teach settles what becomes of their lessons."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.i18n import _
from coursecove.portals import sick
from coursecove.portals.pages import AnyRequest
from coursecove.portals.teach.navigation import own_zone, teach_page
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

PATH = "/teach/sick"


class OwnAbsence(Controller):
    """Sick today, or for a while."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_staff)}

    @get("/")
    async def ask(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """List one's lessons of today, or of the days in the address, with who could give them."""
        return await sick.show(request, session, await _absent(request, session, organization, by), by=by)

    @post("/", status_code=200)
    async def settle(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Hand over, cancel, tell everybody and take the time off, all at once."""
        return await sick.settle(request, session, await _absent(request, session, organization, by), by=by)


async def _absent(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView, by: Member
) -> sick.Absent:
    return sick.Absent(
        member=by,
        zone=await own_zone(session, organization, by),
        path=PATH,
        back="/teach",
        own=True,
        page=lambda title: teach_page(request, title, (_("Today"), "/teach")),
    )
