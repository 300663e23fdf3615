"""Failures as pages, for people."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from coursecove import problems
from coursecove.errors import CourseCoveError, Unauthenticated
from coursecove.i18n import _
from coursecove.portals.csrf import StaleForm
from coursecove.portals.pages import environment, local_path, page_context, redirect, render, static_version
from coursecove.tenants.errors import NotAMember

_TEMPLATES = {
    400: "errors/400.html",
    401: "errors/401.html",
    403: "errors/403.html",
    404: "errors/404.html",
    429: "errors/429.html",
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
    page: dict[str, Any] = {"title": _(error.title), "version": static_version()}
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
    if isinstance(expected, StaleForm):
        return _offer_the_form_again(request, expected)
    if expected is not None:
        status, code = expected.status, expected.code
    elif isinstance(error, HTTPException) and error.status_code < 500:
        status, code = error.status_code, None
    else:
        structlog.get_logger("coursecove.pages").error("unexpected_failure", exc_info=error)
        status, code = 500, None
    page = page_context(request, _(expected.title) if expected else _("Something went wrong"))
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
    came_from = _came_from(request)
    way_in = f"{door}?return_to={quote(came_from, safe='/')}"
    resubmit = None
    if isinstance(error, Unauthenticated) and "hx-request" not in request.headers:
        # With the token it had: what ended is the proof of the session, which a renewed one brings
        # back. Should it turn out to be another session, the form is offered once more.
        resubmit = _resubmit(request)
    page = page_context(request, _(error.title))
    return render(
        request,
        _template(error.status),
        page,
        status_code=error.status,
        sign_in_href=way_in,
        resubmit=resubmit,
        detail=error.detail,
    )


def _offer_the_form_again(request: Request[Any, Any, Any], error: StaleForm) -> Response[Any]:
    """Show a form that carried no token of this session, with a fresh one and what was typed."""
    return render(
        request,
        "errors/csrf.html",
        page_context(request, _(error.title)),
        status_code=error.status,
        # For scripts of ours, which do not swap this page into a part of another.
        headers={"X-Problem": error.code},
        resubmit=_resubmit(request),
        back_href=_came_from(request),
    )


def _resubmit(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """Return where a form was sent to and what was typed into it."""
    query = f"?{request.url.query}" if request.url.query else ""
    typed = request.scope["state"].get("typed", [])
    return {
        "action": local_path(request.url.path + query),
        "fields": [{"name": name, "value": value} for name, value in typed],
    }


def _came_from(request: Request[Any, Any, Any]) -> str:
    """Return the page a form was on, as far as the browser says; its own address may take POST only."""
    return local_path(urlsplit(request.headers.get("referer", "")).path or "/")
