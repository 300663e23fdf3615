"""Pages that mount Clerk's sign-in and sign-up, and the way out."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Request, Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from coursecove.i18n import _
from coursecove.identity.api import ClerkApi
from coursecove.identity.authentication import SignedIn
from coursecove.identity.cookies import expired_lines
from coursecove.identity.errors import ClerkApiError
from coursecove.portals.forms import read_form
from coursecove.portals.pages import AnyRequest, local_path, page_context, redirect, render
from coursecove.resources import Resources
from coursecove.tenants.guards import identity_of

log = structlog.get_logger("coursecove.account")


def _mounting(request: AnyRequest, template: str, title: str, return_to: str | None) -> Response[Any]:
    target = local_path(return_to)
    if isinstance(identity_of(request), SignedIn):
        return Redirect(target, status_code=303)
    request.scope["state"]["content_policy"] = "sign_in"
    return render(request, template, page_context(request, title), return_to=target)


@get("/sign-in", include_in_schema=False)
async def sign_in(request: Request[Any, Any, Any], return_to: FromQuery[str | None] = None) -> Response[Any]:
    """Mount Clerk's sign-in; whoever is signed in goes straight on."""
    return _mounting(request, "account/sign_in.html", _("Sign in"), return_to)


@get("/sign-up", include_in_schema=False)
async def sign_up(request: Request[Any, Any, Any], return_to: FromQuery[str | None] = None) -> Response[Any]:
    """Mount Clerk's sign-up; afterwards the school asks whether to join."""
    return _mounting(request, "account/sign_up.html", _("Create your account"), return_to)


@get("/sign-out", include_in_schema=False)
async def sign_out_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """Ask once; for browsers without scripts, and for whoever follows the link directly."""
    if not isinstance(identity_of(request), SignedIn):
        return redirect(request, "/")
    return render(request, "account/sign_out.html", page_context(request, _("Sign out")))


@post("/sign-out", include_in_schema=False)
async def sign_out(request: Request[Any, Any, Any]) -> Response[Any]:
    """End the session at Clerk and forget its cookies here."""
    await read_form(request, fields=())
    resources: Resources = request.app.state.resources
    identity = identity_of(request)
    if isinstance(identity, SignedIn):
        try:
            await ClerkApi(resources.settings, resources.http).revoke_session(identity.claims.session_id)
        except ClerkApiError as error:
            # The cookies go all the same; the token they held dies within a minute.
            log.warning("session_not_revoked", clerk_code=error.clerk_code)
    answer = redirect(request, "/", flash=_("You are signed out."), kind="info")
    lines = [
        line
        for name in ("__session", "__client_uat")
        for line in expired_lines(name, resources.settings.base_domain)
    ]
    request.scope["state"]["set_cookies"] = tuple(lines)
    return answer
