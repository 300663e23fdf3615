"""The line of code that brings the school's lessons to the school's own website."""

from __future__ import annotations

from html import escape
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.config import Settings
from coursecove.i18n import _
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.school import PATH, school_tabs
from coursecove.portals.pages import AnyRequest, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView


@get(f"{PATH}/website", include_in_schema=False, dependencies={"by": Provide(as_admin)})
async def website(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],  # noqa: ARG001 - asks for an admin
) -> Response[Any]:
    """Show the snippets, ready to copy: a button, the whole catalogue, the times of one lesson."""
    settings: Settings = request.app.state.resources.settings
    origin = settings.origin(organization.slug)
    types = await appointments.offered_types(session, viewer=None)
    slugs = [type_.slug for type_ in types]
    lesson = request.query_params.get("lesson", "")
    wanted = lesson if lesson in slugs else (slugs[0] if slugs else "")
    label = _("Book a lesson")
    snippets = [
        {
            "title": _("A button"),
            "text": _("Opens your lessons above the page one is reading."),
            "code": _tag(origin, {"mode": "button", "label": label, "color": organization.accent_color}),
        },
        {
            "title": _("All lessons"),
            "text": _("Your lessons with their next free times, as a part of your page."),
            "code": _tag(origin, {"title": _("Lessons of {school}").format(school=organization.name)}),
        },
    ]
    if wanted:
        name = next(type_.name for type_ in types if type_.slug == wanted)
        snippets.append(
            {
                "title": _("One lesson"),
                "text": _("The free times of {lesson}.").format(lesson=name),
                "code": _tag(origin, {"lesson": wanted, "title": name}),
            }
        )
    return render(
        request,
        "admin/school_website.html",
        admin_page(request, _("School")),
        tabs=school_tabs(f"{PATH}/website"),
        snippets=snippets,
        lessons=[{"value": type_.slug, "label": type_.name} for type_ in types],
        lesson=wanted,
        preview_href="/embed",
    )


def _tag(origin: str, options: dict[str, str]) -> str:
    data = "".join(f' data-{name}="{escape(value)}"' for name, value in options.items())
    return f'<script src="{origin}/widget.js"{data} async></script>'
