"""Failures as pages, for people."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from coursecove import problems
from coursecove.errors import CourseCoveError, Unauthenticated
from coursecove.portals.pages import environment, local_path, page_context, redirect, render, static_version
from coursecove.tenants.errors import NotAMember

_TEMPLATES = {
    401: "errors/401.html",
    403: "errors/403.html",
    404: "errors/404.html",
    503: "errors/503.html",
}


def _template(status: int, code: str | None = None) -> str:
    if code == "unknown_school":
        return "errors/unknown_school.html"
    if status in _TEMPLATES:
        return _TEMPLATES[status]
    return "errors/404.html" if status < 500 else "errors/500.html"


async def gateway_page(error: CourseCoveError) -> tuple[int, bytes]:
    """Draw a failure that happened before any route was reached."""
    page: dict[str, Any] = {"title": error.title, "version": static_version()}
    html = environment().get_template(_template(error.status, error.code)).render(page=page, error=error)
    return error.status, html.encode()


def as_page(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Draw any failure of a page's handler.

    Whoever is not signed in is asked to, and comes back to where they were;
    what they had typed into a form comes back with them.
    """
    expected = problems.as_expected(error)
    if isinstance(expected, Unauthenticated | NotAMember):
        return _show_the_way_in(request, expected)
    if expected is not None:
        status, code = expected.status, expected.code
    elif isinstance(error, HTTPException) and error.status_code < 500:
        status, code = error.status_code, None
    else:
        structlog.get_logger("coursecove.pages").error("unexpected_failure", exc_info=error)
        status, code = 500, None
    page = page_context(request, expected.title if expected else "Something went wrong")
    headers = {"Retry-After": "5"} if status == 503 else None
    return render(
        request,
        _template(status, code),
        page,
        status_code=status,
        headers=headers,
        error=expected,
        request_id=structlog.contextvars.get_contextvars().get("request_id") if status >= 500 else None,
    )


def _show_the_way_in(request: Request[Any, Any, Any], error: CourseCoveError) -> Response[Any]:
    door = "/join" if isinstance(error, NotAMember) else "/sign-in"
    if request.method in ("GET", "HEAD"):
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return redirect(request, f"{door}?return_to={quote(local_path(path), safe='/')}")
    # After a form: back to the page it was on, since its own address may take POST only.
    came_from = local_path(urlsplit(request.headers.get("referer", "")).path or "/")
    way_in = f"{door}?return_to={quote(came_from, safe='/')}"
    resubmit = None
    if isinstance(error, Unauthenticated) and "hx-request" not in request.headers:
        typed = request.scope["state"].get("typed", [])
        fields = [{"name": name, "value": value} for name, value in typed]
        resubmit = {"action": request.url.path, "fields": fields}
    page = page_context(request, error.title)
    return render(
        request,
        _template(error.status),
        page,
        status_code=error.status,
        sign_in_href=way_in,
        resubmit=resubmit,
        detail=error.detail,
    )
