"""What students will see of a type, before they do, and the link of a type that is shared by one."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.errors import NotSeenByLink
from coursecove.config import Settings
from coursecove.i18n import _
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.type_list import trail
from coursecove.portals.forms import read_form
from coursecove.portals.pages import redirect, render, viewer_zone
from coursecove.portals.student.catalogue import type_card
from coursecove.portals.student.choice import address as booking_address
from coursecove.portals.student.choice import read_choice
from coursecove.portals.student.flow import next_step
from coursecove.portals.student.offering import offer_of
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


class PreviewPages(Controller):
    """A type as its students will meet it."""

    path = "/admin/types/{slug:str}"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/preview")
    async def preview(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show the pages of booking it, step by step as students see them; nothing can be booked here."""
        type_ = await appointments.get_type_by_slug(session, slug)
        path = f"/admin/types/{type_.slug}/preview"
        params = request.query_params
        offer = await offer_of(
            session,
            organization,
            type_,
            viewer=None,
            zone=viewer_zone(request, organization.time_zone),
            postcode=params.get("postcode", ""),
            path=path,
        )
        choice = read_choice(params, offer)
        card = type_card(
            type_,
            {teacher.id: teacher for teacher in offer.teachers},
            {place.id: place for place in offer.places},
            path=path,
        )
        # The card stands above the first page alone: after that it has been clicked.
        shown = None if params else card
        back_href = f"/admin/types/{type_.slug}"
        return await next_step(
            request, session, choice, viewer=None, preview={"back_href": back_href, "card": shown}
        )

    @get("/link")
    async def link(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Ask whether the link is to be replaced by another."""
        type_ = await appointments.get_type_by_slug(session, slug)
        if type_.link_key is None:
            raise NotSeenByLink(_("{name} is not shared by link.").format(name=type_.name))
        return render(
            request,
            "admin/type_link.html",
            admin_page(request, _("Renew the link?"), *trail(type_)),
            type=type_,
            action=f"/admin/types/{type_.slug}/link",
            keep_href=f"/admin/types/{type_.slug}",
            link=link_of(request, type_.slug, type_.link_key),
        )

    @post("/link", status_code=200)
    async def renew(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Replace it; whoever has the old one finds nothing there any more."""
        await read_form(request, fields=())
        type_ = await appointments.get_type_by_slug(session, slug)
        await appointments.renew_link(session, type_.id, by=by)
        text = _("{name} has a new link. The old one leads nowhere now.")
        return redirect(request, f"/admin/types/{type_.slug}", flash=text.format(name=type_.name))


def link_of(request: AnyRequest, slug: str, key: str) -> str:
    """Return the whole address that opens a type which is shared by link."""
    settings: Settings = request.app.state.resources.settings
    organization: OrganizationView = request.scope["state"]["organization"]
    return settings.origin(organization.slug) + booking_address(slug, {"key": key})
