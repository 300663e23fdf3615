"""The landing page of the bare domain."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from coursecove.formatting import initials, zone_name
from coursecove.portals.pages import page_context, render
from coursecove.resources import Resources


@get("/", include_in_schema=False)
async def landing(request: Request[Any, Any, Any]) -> Response[Any]:
    """Say what CourseCove is; on a developer's machine also list the schools."""
    resources: Resources = request.app.state.resources
    settings = resources.settings
    schools = await request.app.state.directory.listed() if settings.is_development else []
    page = page_context(
        request,
        "CourseCove",
        portal="platform",
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
