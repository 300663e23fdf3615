"""The schools of the platform."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.portals.admin.navigation import address, last_page, page_number, pages_of
from coursecove.portals.pages import redirect, render
from coursecove.portals.platform.operators import Moments, as_operator, platform_page, platform_session
from coursecove.tenants.operators import Operator, list_schools
from coursecove.webhooks import service as webhooks

PATH = "/platform/schools"
PAGE_SIZE = 25


@get(
    PATH,
    include_in_schema=False,
    dependencies={"session": Provide(platform_session), "by": Provide(as_operator)},
)
async def schools(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    by: NamedDependency[Operator],  # noqa: ARG001 - asks for an operator
) -> Response[Any]:
    """List schools, the newest first, with what failed about each."""
    settings: Settings = request.app.state.resources.settings
    search = "".join(c for c in request.query_params.get("q", "") if c.isprintable()).strip()[:100]
    page, moments = page_number(request.query_params.get("page", "")), Moments(request)
    found = await list_schools(session, search=search, page=page, page_size=PAGE_SIZE)
    if not found.items and page > 1:
        last = last_page(found.total, PAGE_SIZE)
        return redirect(request, address(PATH, {"q": search, "page": str(last) if last > 1 else None}))
    failed = await webhooks.failed_about(session, [school.clerk_id for school in found.items])
    return render(
        request,
        "platform/schools.html",
        platform_page(request, "Schools"),
        search=search,
        clear_href=PATH if search else None,
        total=found.total,
        pages=pages_of(PATH, {"q": search}, page=page, page_size=PAGE_SIZE, total=found.total),
        rows=[
            {
                "name": school.name,
                "address": settings.origin(school.slug).partition("://")[2] if school.slug else None,
                "href": settings.origin(school.slug) if school.slug and not school.deleted_at else None,
                "deleted": school.deleted_at is not None,
                "members": f"{school.members:,}",
                "created": moments.moment(school.created_at),
                "failed": failed.get(school.clerk_id, 0),
                "events_href": address("/platform/webhooks", {"q": school.clerk_id}),
            }
            for school in found.items
        ],
    )
