"""Inviting people into the school, and what becomes of invitations that nobody has answered."""

from __future__ import annotations

from typing import Any, cast

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import CourseCoveError, Invalid
from coursecove.i18n import _, ngettext
from coursecove.identity.errors import ClerkApiError
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.people import ROLES, role_options
from coursecove.portals.forms import Form, read_form
from coursecove.portals.pages import redirect, render
from coursecove.tenants import invitations
from coursecove.tenants.guards import as_admin
from coursecove.tenants.invitations import Invited
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView, Role

AnyRequest = Request[Any, Any, Any]
_INVITED = "/admin/people?status=invited"


class InvitationPages(Controller):
    """By e-mail, one or many at once, with the role they will have."""

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
        return _draw(request, Form({"emails": "", "role": role if role in ROLES else "student"}))

    @post("/", status_code=200)
    async def invite(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Have the invitations sent; the addresses that could not be stay in the form, each with the reason."""
        form = Form(await read_form(request, fields=("emails", "role")))
        role = form.value("role")
        try:
            if role not in ROLES:
                raise Invalid(fields={"role": _("Choose a role.")})
            result = await invitations.invite(
                session,
                request.app.state.resources,
                organization,
                invitations.addresses_in(form.value("emails")),
                cast("Role", role),
                by=by,
            )
        except (Invalid, invitations.InvitationsUnavailable) as error:
            # Nothing was written: there is nothing to undo.
            return _draw(request, _worded(form, error), status_code=error.status)
        sent = _sent(result)
        if result.refused:
            rest = "\n".join(refusal.email for refusal in result.refused)
            reasons = " ".join(refusal.message for refusal in result.refused)
            refused = Form({"emails": rest, "role": role}, {"emails": reasons})
            return _draw(request, refused, sent=sent, status_code=422)
        return redirect(request, _INVITED, flash=sent)


class PendingPages(Controller):
    """Invitations that have not been answered."""

    path = "/admin/people/invitations"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @post("/resend", status_code=200)
    async def resend(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Send one once more, with a new link and a new term."""
        values = await read_form(request, fields=("invitation",))
        try:
            again = await invitations.resend_invitation(
                session, request.app.state.resources, organization, values.get("invitation", ""), by=by
            )
        except (ClerkApiError, invitations.InvitationsUnavailable, invitations.NotPending) as error:
            return _not_done(request, error)
        return redirect(request, _INVITED, flash=_("{email} gets another e-mail.").format(email=again.email))

    @post("/revoke", status_code=200)
    async def revoke(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Take one back; inviting again is all it takes to undo that."""
        values = await read_form(request, fields=("invitation",))
        try:
            gone = await invitations.revoke_invitation(
                session, request.app.state.resources, organization, values.get("invitation", ""), by=by
            )
        except (ClerkApiError, invitations.NotPending) as error:
            return _not_done(request, error)
        return redirect(
            request, _INVITED, flash=_("The invitation of {email} is taken back.").format(email=gone.email)
        )


def _sent(result: Invited) -> str | None:
    """Return who gets an e-mail now; None for nobody."""
    emails = [one.email for one in result.invited]
    if len(emails) == 1:
        return _("{email} is invited and gets an e-mail.").format(email=emails[0])
    if not emails:
        return None
    text = ngettext(
        "{count} person is invited and gets an e-mail.",
        "{count} people are invited and get an e-mail.",
        len(emails),
    )
    return text.format(count=len(emails))


def _worded(form: Form, error: CourseCoveError) -> Form:
    if isinstance(error, invitations.InvitationsUnavailable):
        return Form(form.values, {}, f"{_(error.title)}.")
    return form.refused(error)


def _not_done(request: AnyRequest, error: CourseCoveError) -> Response[Any]:
    """Go back to the list and say why nothing was done."""
    if isinstance(error, ClerkApiError):
        text = _("Clerk could not be asked just now. Please try again in a few minutes.")
    else:
        text = error.detail or f"{_(error.title)}."
    return redirect(request, _INVITED, flash=text, kind="error")


def _draw(request: AnyRequest, form: Form, *, sent: str | None = None, status_code: int = 200) -> Response[Any]:
    return render(
        request,
        "admin/invite.html",
        admin_page(request, _("Invite people"), (_("People"), "/admin/people")),
        status_code=status_code,
        form=form,
        roles=role_options(),
        sent=sent,
        most=invitations.MOST_AT_ONCE,
    )
