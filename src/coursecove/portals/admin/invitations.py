"""Inviting somebody into the school, through the identity provider."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.errors import Invalid
from coursecove.events import track
from coursecove.identity.api import ClerkApi
from coursecove.identity.errors import ClerkApiError
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.forms import Form, read_form
from coursecove.portals.pages import redirect, render
from coursecove.resources import Resources
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView
from coursecove.text import is_storable

AnyRequest = Request[Any, Any, Any]

log = structlog.get_logger("coursecove.invitations")

# What Clerk calls the roles.
_CLERK_ROLES = {"student": "org:member", "instructor": "org:instructor", "admin": "org:admin"}
ROLE_OPTIONS = [
    {"value": "student", "label": "Student", "hint": "Books lessons for themselves."},
    {"value": "instructor", "label": "Instructor", "hint": "Teaches, and keeps their own hours."},
    {"value": "admin", "label": "Admin", "hint": "Sets the school up and sees everything."},
]
_LONGEST_ADDRESS = 254


class InvitationPages(Controller):
    """By e-mail, with the role the person will have."""

    path = "/admin/people/invite"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def blank(
        self,
        request: AnyRequest,
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show an empty form; ``?role=`` chooses the role already."""
        role = request.query_params.get("role", "")
        return _draw(request, Form({"email": "", "role": role if role in _CLERK_ROLES else "student"}))

    @post("/", status_code=200)
    async def invite(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Have the invitation sent, or say in words why it cannot be."""
        form = Form(await read_form(request, fields=("email", "role")))
        try:
            email, role = _checked(form)
        except Invalid as error:
            return _draw(request, form.refused(error), status_code=422)
        try:
            await _send(request, organization, email, _CLERK_ROLES[role])
        except ClerkApiError as error:
            return _refused(request, form, error, email)
        track(
            session,
            "member.invited",
            subject_type="organization",
            subject_id=organization.id,
            actor_id=by.id,
            data={"role": role},
        )
        return redirect(request, "/admin/people", flash=f"{email} is invited and gets an e-mail.")


def _checked(form: Form) -> tuple[str, str]:
    """Return the address and the role; raises :class:`Invalid` at each that cannot be used."""
    email, role = form.value("email"), form.value("role")
    problems = {}
    name, at, domain = email.rpartition("@")
    usable = at and name and "." in domain and not any(char.isspace() for char in email)
    if not usable or not is_storable(email) or len(email) > _LONGEST_ADDRESS:
        problems["email"] = "Enter an e-mail address such as mia@example.com."
    if role not in _CLERK_ROLES:
        problems["role"] = "Choose a role."
    if problems:
        raise Invalid(fields=problems)
    return email, role


async def _send(request: AnyRequest, organization: OrganizationView, email: str, clerk_role: str) -> None:
    resources: Resources = request.app.state.resources
    settings: Settings = resources.settings
    await ClerkApi(settings, resources.http).create_invitation(
        organization.clerk_id,
        email,
        clerk_role,
        redirect_url=f"{settings.origin(organization.slug)}/sign-up",
    )


def _refused(request: AnyRequest, form: Form, error: ClerkApiError, email: str) -> Response[Any]:
    known = {
        "duplicate_record": f"{email} is already invited.",
        "already_a_member_in_organization": f"{email} already belongs to this school.",
        "form_param_format_invalid": "This e-mail address cannot be used.",
    }.get(error.clerk_code)
    if known:
        return _draw(request, form.refused(Invalid(fields={"email": known})), status_code=422)
    log.warning("invitation_failed", clerk_code=error.clerk_code, clerk_status=error.clerk_status)
    problem = "The invitation could not be sent just now. Please try again in a few minutes."
    return _draw(request, Form(form.values, {}, problem), status_code=503)


def _draw(request: AnyRequest, form: Form, *, status_code: int = 200) -> Response[Any]:
    return render(
        request,
        "admin/invite.html",
        admin_page(request, "Invite somebody", ("People", "/admin/people")),
        status_code=status_code,
        form=form,
        roles=ROLE_OPTIONS,
    )
