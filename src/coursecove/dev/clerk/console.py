"""The console: a plain page where a developer plays the people and the schools.  Needs no JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment, FileSystemLoader
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from coursecove.dev.clerk.access import console_only, is_own_origin, known_host, stand_in_of
from coursecove.dev.clerk.errors import ClerkRefusal
from coursecove.dev.clerk.frontend_api import CLIENT_COOKIE, client_cookie_line
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.clerk.world import ROLE_WORDS

_Request = Request[Any, Any, Any]

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
)
#: How many deliveries the page shows.
_SHOWN_MESSAGES = 15


class Console(Controller):
    """People, organizations, invitations and what was sent about them."""

    guards = [known_host, console_only]

    @get("/")
    async def show(self, request: _Request) -> Response[str]:
        """The page."""
        stand_in = stand_in_of(request)
        state, directory = stand_in.store.state, stand_in.directory
        return _page(
            "console.html",
            stand_in,
            notice=request.query_params.get("notice"),
            problem=request.query_params.get("problem"),
            people=[
                (
                    user,
                    [
                        (state.organizations[m.organization_id].name, ROLE_WORDS[m.role])
                        for m in directory.memberships_of(user_id=user.id)
                    ],
                )
                for user in state.users.values()
            ],
            organizations=[
                (
                    organization,
                    [
                        (m, state.users[m.user_id])
                        for m in directory.memberships_of(organization_id=organization.id)
                    ],
                    [
                        i
                        for i in state.invitations.values()
                        if i.organization_id == organization.id and i.status == "pending"
                    ],
                )
                for organization in state.organizations.values()
            ],
            messages=list(reversed(stand_in.outbox.messages[-_SHOWN_MESSAGES:])),
            pending=stand_in.outbox.pending,
        )

    @post("/console/{action:str}")
    async def act(self, request: _Request, action: FromPath[str]) -> Redirect:
        """Do what a form of the page asks for, then show the page again."""
        stand_in = stand_in_of(request)
        form = await _form(request)
        try:
            notice = _perform(stand_in, action, form)
        except ClerkRefusal as refusal:
            return _back(problem=refusal.message)
        return _back(notice=notice)

    @get("/invitations/{invitation_id:str}")
    async def show_invitation(self, request: _Request, invitation_id: FromPath[str]) -> Response[str]:
        """Where the link of an invitation leads."""
        stand_in = stand_in_of(request)
        invitation = stand_in.directory.get_invitation(invitation_id)
        return _page(
            "invitation.html",
            stand_in,
            invitation=invitation,
            organization=stand_in.directory.get_organization(invitation.organization_id),
            role=ROLE_WORDS[invitation.role],
            known=stand_in.directory.find_user_by_email(invitation.email),
            problem=request.query_params.get("problem"),
        )

    @post("/invitations/{invitation_id:str}")
    async def accept_invitation(self, request: _Request, invitation_id: FromPath[str]) -> Response[None]:
        """Accept an invitation, sign in as the invited person and go where it leads."""
        stand_in = stand_in_of(request)
        form = await _form(request)
        invitation = stand_in.directory.get_invitation(invitation_id)
        known = stand_in.directory.find_user_by_email(invitation.email)
        if known is None and not form.get("first_name", "").strip():
            problem = urlencode({"problem": "Please enter your given name."})
            return _redirect(f"/invitations/{invitation_id}?{problem}")
        user = stand_in.directory.accept_invitation(
            invitation_id, first_name=form.get("first_name", ""), last_name=form.get("last_name", "")
        )
        client = stand_in.sessions.find_client(request.cookies.get(CLIENT_COOKIE))
        client = client or stand_in.sessions.create_client()
        stand_in.sessions.sign_in(client, user, organization_id=invitation.organization_id)
        target = invitation.redirect_url or ""
        location = target if is_own_origin(stand_in, target) else "/?notice=Invitation+accepted"
        answer = _redirect(location)
        answer.headers["Set-Cookie"] = client_cookie_line(client)
        return answer


def _perform(stand_in: ClerkStandIn, action: str, form: dict[str, str]) -> str:
    """Do one thing and say what was done."""
    directory = stand_in.directory
    organization_id, user_id = form.get("organization_id", ""), form.get("user_id", "")
    match action:
        case "sign-up":
            person = directory.create_user(
                form.get("first_name", ""), form.get("last_name", ""), form.get("email", "")
            )
            return f"{person.name} signed up."
        case "rename-person":
            person = directory.update_user(
                user_id, first_name=form.get("first_name"), last_name=form.get("last_name")
            )
            return f"Now called {person.name}."
        case "delete-person":
            return f"{directory.delete_user(user_id).name} was deleted."
        case "create-organization":
            school = directory.create_organization(
                form.get("name", ""), slug=form.get("slug") or None, created_by=user_id or None
            )
            return f"{school.name} was founded."
        case "delete-organization":
            return f"{directory.delete_organization(organization_id).name} was deleted."
        case "add-member":
            directory.create_membership(organization_id, user_id, form.get("role", ""))
            return "Added."
        case "change-role":
            membership = directory.change_role(organization_id, user_id, form.get("role", ""))
            return f"{directory.get_user(user_id).name} is now {ROLE_WORDS[membership.role]}."
        case "remove-member":
            directory.delete_membership(organization_id, user_id)
            return f"{directory.get_user(user_id).name} was removed."
        case "invite":
            invited = directory.invite(organization_id, form.get("email", ""), form.get("role", ""))
            return f"{invited.email} was invited."
        case "revoke-invitation":
            revoked = directory.revoke_invitation(form.get("invitation_id", ""))
            return f"The invitation of {revoked.email} was revoked."
        case "resend":
            if stand_in.outbox.resend(form.get("message_id", "")):
                return "Sent once more, under the same id."
            raise ClerkRefusal(404, "resource_not_found", "That message is no longer remembered.")
        case "deliver":
            return f"Trying {stand_in.outbox.deliver_now()} waiting message(s) now."
    raise ClerkRefusal(404, "resource_not_found", "The console cannot do that.")


async def _form(request: _Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(body, keep_blank_values=True).items()}


def _page(template: str, stand_in: ClerkStandIn, **values: Any) -> Response[str]:
    html = _templates.get_template(template).render(
        stand_in=stand_in, roles=ROLE_WORDS, base_domain=stand_in.base_domain, **values
    )
    return Response(
        html,
        media_type="text/html; charset=utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
            "form-action *; base-uri 'none'; frame-ancestors 'none'",
        },
    )


def _back(**values: str) -> Redirect:
    return Redirect(f"/?{urlencode(values)}", status_code=303)


def _redirect(location: str) -> Response[None]:
    return Response(None, status_code=303, headers={"Location": location})
