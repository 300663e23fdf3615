"""The school's colour as a stylesheet of its own, since no page has inline styles."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from coursecove.tenants.schemas import OrganizationView


@get("/branding.css", include_in_schema=False, sync_to_thread=False)
def branding(organization: NamedDependency[OrganizationView]) -> Response[str]:
    """Return the custom property that every other colour of the page is derived from."""
    return Response(
        f":root{{--brand:{organization.accent_color}}}\n",
        media_type="text/css",
        headers={"Cache-Control": "public, max-age=60", "Vary": "Host"},
    )
