"""Taking lists out as files: one as it is shown, or everything the school has."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.portals.admin.navigation import AnyRequest, admin_page
from coursecove.portals.admin.school import PATH as SCHOOL
from coursecove.portals.admin.school import school_tabs
from coursecove.portals.exports import EXPORTS, Asking
from coursecove.portals.exports.files import as_csv, as_zip, download
from coursecove.portals.pages import render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

PATH = "/admin/exports"


class ExportPages(Controller):
    """Every list, and all of them."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def listed(
        self,
        request: AnyRequest,
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show what can be taken out."""
        lists = [{"label": _(export.title), "href": f"{PATH}/{slug}.csv"} for slug, export in EXPORTS.items()]
        page = admin_page(request, _("School"), (_("School"), SCHOOL))
        return render(request, "admin/exports.html", page, tabs=school_tabs(PATH), lists=lists)

    @get("/school.zip")
    async def everything(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Stream:
        """Download all lists, with what is archived, over or shut out."""
        asking = Asking(session, request.app.state.resources, organization, by, everything=True)
        file = await as_zip(EXPORTS.values(), asking)
        return download(file, _name(organization, "coursecove", "zip"), "application/zip")

    @get("/{file:str}")
    async def one(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        file: FromPath[str],
    ) -> Stream:
        """Download a list, narrowed to what the address says, like the page it is of."""
        slug, _dot, ending = file.partition(".")
        export = EXPORTS.get(slug)
        if export is None or ending != "csv":
            raise NotFound(_("There is no such list."))
        asking = Asking(session, request.app.state.resources, organization, by, request.query_params)
        written = await as_csv(export, asking)
        return download(written, _name(organization, slug, "csv"), "text/csv")


def _name(organization: OrganizationView, what: str, ending: str) -> str:
    return f"{organization.slug}-{what}-{clock.now().date().isoformat()}.{ending}"
