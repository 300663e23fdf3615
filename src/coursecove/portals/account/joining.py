"""Becoming a student of a school that lets people in by themselves."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.i18n import _
from coursecove.identity.authentication import SignedOut
from coursecove.portals.forms import read_form
from coursecove.portals.pages import local_path, page_context, redirect, render
from coursecove.tenants import enrolment
from coursecove.tenants.guards import check_not_deactivated, identity_of, maybe_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView


@get("/join", include_in_schema=False, dependencies={"viewer": Provide(maybe_member)})
async def join_page(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    viewer: NamedDependency[Member | None],
    return_to: FromQuery[str | None] = None,
) -> Response[Any]:
    """Ask a signed-in stranger whether they want to be a student here."""
    target = local_path(return_to)
    identity = identity_of(request)
    if isinstance(identity, SignedOut):
        return redirect(request, f"/sign-in?return_to={quote(target, safe='/')}")
    if viewer is not None:
        return redirect(request, target)
    await check_not_deactivated(session, identity.claims.user_id)
    page = page_context(request, _("Join {school}").format(school=organization.name))
    return render(request, "account/join.html", page, school=organization, return_to=target)


@post("/join", include_in_schema=False)
async def join(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
) -> Response[Any]:
    """Make the signed-in person a student of this school, at Clerk and here."""
    values = await read_form(request, fields=("return_to",))
    target = local_path(values.get("return_to"))
    identity = identity_of(request)
    if isinstance(identity, SignedOut):
        return redirect(request, f"/sign-in?return_to={quote(target, safe='/')}")
    await check_not_deactivated(session, identity.claims.user_id)
    await enrolment.join(request.app.state.resources, organization, identity.claims.user_id)
    return redirect(request, target, flash=_("Welcome to {school}!").format(school=organization.name))
