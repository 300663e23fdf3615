"""The landing page of the bare domain."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from coursecove.formatting import initials, zone_name
from coursecove.identity.authentication import SignedIn
from coursecove.portals.pages import NavLink, page_context, render
from coursecove.resources import Resources
from coursecove.tenants.guards import identity_of
from coursecove.tenants.operators import find_operator

WAY_IN = NavLink("Platform", "/platform", "activity")


@get("/", include_in_schema=False)
async def landing(request: Request[Any, Any, Any]) -> Response[Any]:
    """Say what CourseCove is; on a developer's machine also list the schools."""
    resources: Resources = request.app.state.resources
    settings = resources.settings
    schools = await request.app.state.directory.listed() if settings.is_development else []
    await _recognise(request, resources)
    page = page_context(
        request,
        "CourseCove",
        portal="platform",
        nav=(WAY_IN,) if "operator" in request.scope["state"] else (),
        description="Lesson booking for music schools, yoga studios, tutoring centres and coaches.",
    )
    return render(
        request,
        "platform/landing.html",
        page,
        schools=[
            {
                "name": school.name,
                "initials": initials(school.name),
                "href": settings.origin(school.slug),
                "address": settings.origin(school.slug).partition("://")[2],
                "place": zone_name(school.time_zone),
            }
            for school in schools
        ],
        mailbox_url=settings.mailbox_url if settings.is_development else None,
    )


async def _recognise(request: Request[Any, Any, Any], resources: Resources) -> None:
    """Let an operator who comes by see the way to their pages."""
    identity = identity_of(request)
    if isinstance(identity, SignedIn) and resources.settings.platform_operators:
        async with resources.database.platform_scope() as session:
            operator = await find_operator(session, resources.settings, identity.claims.user_id)
        if operator is not None:
            request.scope["state"]["operator"] = operator
