"""One's own lessons, and those of one's children, in a calendar outside."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.i18n import _
from coursecove.portals.feed_pages import FeedPage
from coursecove.portals.pages import STUDENT_NAV, page_context
from coursecove.tenants.guards import as_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
PATH = "/lessons/calendar"


class CalendarLinkPages(Controller):
    """The address of one's calendar."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_member)}

    @get("/")
    async def show(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Show whether there is an address."""
        return await _page(request).show(request, session, organization, by=by)

    @post("/", status_code=200)
    async def open(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Make one and show it."""
        return await _page(request).open(request, session, organization, by=by)

    @post("/revocation")
    async def revoke(
        self, request: AnyRequest, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> Response[Any]:
        """End it."""
        return await _page(request).revoke(request, session, by=by)


def _page(request: AnyRequest) -> FeedPage:
    return FeedPage(
        "student",
        PATH,
        "layouts/public.html",
        _("Your lessons and your children’s, kept up to date in your own calendar."),
        lambda: page_context(
            request,
            _("Lessons in your calendar"),
            nav=STUDENT_NAV,
            breadcrumb=[{"label": _("My lessons"), "href": "/lessons"}],
        ),
    )
