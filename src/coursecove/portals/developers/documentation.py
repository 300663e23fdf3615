"""The API's documentation: Swagger UI, served from here, over our own OpenAPI document."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from coursecove.portals.pages import page_context, render


@get("/api/v1/docs", include_in_schema=False)
async def documentation(request: Request[Any, Any, Any]) -> Response[Any]:
    """Draw the document with every operation; it asks nothing of any other host."""
    page = page_context(request, "CourseCove API", description="The CourseCove API for programs.")
    return render(request, "layouts/api_docs.html", page, openapi_href="/api/v1/openapi.json")
