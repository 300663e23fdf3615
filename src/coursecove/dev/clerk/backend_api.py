"""The Backend API: what CourseCove's server talks to, with the secret key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.params import FromPath

from coursecove.dev.clerk.access import known_host, secret_key_required, stand_in_of
from coursecove.dev.clerk.errors import ClerkRefusal
from coursecove.dev.clerk.frontend_api import jwks
from coursecove.dev.clerk.payloads import Json
from coursecove.dev.clerk.records import Invitation
from coursecove.dev.clerk.stand_in import ClerkStandIn

_Request = Request[Any, Any, Any]
_T = TypeVar("_T")

MAX_LIMIT = 500


class BackendApi(Controller):
    """Users, organizations, memberships, invitations and sessions in Clerk's shapes."""

    path = "/v1"
    guards = [known_host, secret_key_required]

    @get("/jwks")
    async def read_jwks(self, request: _Request) -> Json:
        """The public keys."""
        return jwks(stand_in_of(request))

    @get("/clients/handshake_payload")
    async def handshake_payload(self, request: _Request) -> Json:
        """The answer of a handshake, once."""
        nonce = request.query_params.get("nonce", "")
        return {"directives": stand_in_of(request).sessions.redeem_nonce(nonce)}

    # Users

    @get("/users")
    async def list_users(self, request: _Request) -> list[Json]:
        """A bare array, unlike every other list."""
        stand_in = stand_in_of(request)
        wanted = {address.lower() for address in request.query_params.getall("email_address", [])}
        ids = set(request.query_params.getall("user_id", []))
        text = request.query_params.get("query", "").lower()
        found = (
            user
            for user in stand_in.store.state.users.values()
            if (not wanted or user.email.lower() in wanted)
            and (not ids or user.id in ids)
            and text in f"{user.name} {user.email}".lower()
        )
        return _page(request, found, stand_in.payloads.user)["data"]  # type: ignore[no-any-return]

    @get("/users/count")
    async def count_users(self, request: _Request) -> Json:
        """How many people there are."""
        return {"object": "total_count", "total_count": len(stand_in_of(request).store.state.users)}

    @post("/users", status_code=200)
    async def create_user(self, request: _Request) -> Json:
        """Sign somebody up; they need no password here."""
        stand_in = stand_in_of(request)
        body = await _body(request)
        addresses = body.get("email_address")
        if not isinstance(addresses, list) or not addresses:
            raise ClerkRefusal(
                422, "form_param_missing", "email_address must hold an address.", parameter="email_address"
            )
        user = stand_in.directory.create_user(
            _text(body, "first_name") or "", _text(body, "last_name") or "", str(addresses[0])
        )
        return stand_in.payloads.user(user)

    @get("/users/{user_id:str}")
    async def read_user(self, request: _Request, user_id: FromPath[str]) -> Json:
        """One person."""
        stand_in = stand_in_of(request)
        return stand_in.payloads.user(stand_in.directory.get_user(user_id))

    @patch("/users/{user_id:str}")
    async def update_user(self, request: _Request, user_id: FromPath[str]) -> Json:
        """Change a name."""
        stand_in = stand_in_of(request)
        body = await _body(request)
        user = stand_in.directory.update_user(
            user_id, first_name=_text(body, "first_name"), last_name=_text(body, "last_name")
        )
        return stand_in.payloads.user(user)

    @delete("/users/{user_id:str}", status_code=200)
    async def delete_user(self, request: _Request, user_id: FromPath[str]) -> Json:
        """Take a person away."""
        stand_in_of(request).directory.delete_user(user_id)
        return {"object": "user", "id": user_id, "deleted": True}

    @get("/users/{user_id:str}/organization_memberships")
    async def list_memberships_of_user(self, request: _Request, user_id: FromPath[str]) -> Json:
        """Where a person belongs."""
        stand_in = stand_in_of(request)
        stand_in.directory.get_user(user_id)
        found = stand_in.directory.memberships_of(user_id=user_id)
        return _page(request, found, stand_in.payloads.membership)

    # Organizations

    @get("/organizations")
    async def list_organizations(self, request: _Request) -> Json:
        """All organizations, or those whose id, name or slug matches ``query``."""
        stand_in = stand_in_of(request)
        text = request.query_params.get("query", "").lower()
        found = (
            organization
            for organization in stand_in.store.state.organizations.values()
            if text == organization.id.lower() or text in f"{organization.name} {organization.slug}".lower()
        )
        return _page(request, found, stand_in.payloads.organization)

    @post("/organizations", status_code=200)
    async def create_organization(self, request: _Request) -> Json:
        """Found a school."""
        stand_in = stand_in_of(request)
        body = await _body(request)
        organization = stand_in.directory.create_organization(
            _text(body, "name") or "", slug=_text(body, "slug"), created_by=_text(body, "created_by")
        )
        return stand_in.payloads.organization(organization)

    @get("/organizations/{organization_id:str}")
    async def read_organization(self, request: _Request, organization_id: FromPath[str]) -> Json:
        """One organization, by id or slug."""
        stand_in = stand_in_of(request)
        return stand_in.payloads.organization(stand_in.directory.get_organization(organization_id))

    @patch("/organizations/{organization_id:str}")
    async def update_organization(self, request: _Request, organization_id: FromPath[str]) -> Json:
        """Rename a school."""
        stand_in = stand_in_of(request)
        body = await _body(request)
        organization = stand_in.directory.update_organization(
            organization_id, name=_text(body, "name"), slug=_text(body, "slug")
        )
        return stand_in.payloads.organization(organization)

    @delete("/organizations/{organization_id:str}", status_code=200)
    async def delete_organization(self, request: _Request, organization_id: FromPath[str]) -> Json:
        """Take a school away."""
        gone = stand_in_of(request).directory.delete_organization(organization_id)
        return {"object": "organization", "id": gone.id, "slug": gone.slug, "deleted": True}

    # Memberships, keyed by the user's id

    @get("/organizations/{organization_id:str}/memberships")
    async def list_memberships(self, request: _Request, organization_id: FromPath[str]) -> Json:
        """The people of a school."""
        stand_in = stand_in_of(request)
        organization = stand_in.directory.get_organization(organization_id)
        roles = set(request.query_params.getall("role", []))
        users = set(request.query_params.getall("user_id", []))
        found = (
            membership
            for membership in stand_in.directory.memberships_of(organization_id=organization.id)
            if (not roles or membership.role in roles) and (not users or membership.user_id in users)
        )
        return _page(request, found, stand_in.payloads.membership)

    @post("/organizations/{organization_id:str}/memberships", status_code=200)
    async def create_membership(self, request: _Request, organization_id: FromPath[str]) -> Json:
        """Put a person into a school."""
        stand_in = stand_in_of(request)
        body = await _body(request)
        membership = stand_in.directory.create_membership(
            organization_id, _text(body, "user_id") or "", _text(body, "role") or ""
        )
        return stand_in.payloads.membership(membership)

    @patch("/organizations/{organization_id:str}/memberships/{user_id:str}")
    async def change_role(
        self, request: _Request, organization_id: FromPath[str], user_id: FromPath[str]
    ) -> Json:
        """Give a member another role."""
        stand_in = stand_in_of(request)
        organization = stand_in.directory.get_organization(organization_id)
        role = _text(await _body(request), "role") or ""
        return stand_in.payloads.membership(stand_in.directory.change_role(organization.id, user_id, role))

    @delete("/organizations/{organization_id:str}/memberships/{user_id:str}", status_code=200)
    async def delete_membership(
        self, request: _Request, organization_id: FromPath[str], user_id: FromPath[str]
    ) -> Json:
        """Take a person out of a school; answers with what was removed."""
        stand_in = stand_in_of(request)
        organization = stand_in.directory.get_organization(organization_id)
        return stand_in.payloads.membership(stand_in.directory.delete_membership(organization.id, user_id))

    # Invitations

    @get("/organizations/{organization_id:str}/invitations")
    async def list_invitations(self, request: _Request, organization_id: FromPath[str]) -> Json:
        """Invitations into a school, of one status or all."""
        stand_in = stand_in_of(request)
        organization = stand_in.directory.get_organization(organization_id)
        statuses = set(request.query_params.getall("status", []))
        found = (
            invitation
            for invitation in stand_in.store.state.invitations.values()
            if invitation.organization_id == organization.id and (not statuses or invitation.status in statuses)
        )
        return _page(request, found, stand_in.payloads.invitation)

    @post("/organizations/{organization_id:str}/invitations", status_code=200)
    async def create_invitation(self, request: _Request, organization_id: FromPath[str]) -> Json:
        """Invite an address."""
        stand_in = stand_in_of(request)
        body = await _body(request)
        days = body.get("expires_in_days", 30)
        if not isinstance(days, int) or not 1 <= days <= 365:
            raise ClerkRefusal(422, "form_param_format_invalid", "expires_in_days must be 1 to 365.")
        invitation = stand_in.directory.invite(
            organization_id,
            _text(body, "email_address") or "",
            _text(body, "role") or "",
            inviter_id=_text(body, "inviter_user_id"),
            redirect_url=_text(body, "redirect_url"),
            expires_in_days=days,
        )
        return stand_in.payloads.invitation(invitation)

    @get("/organizations/{organization_id:str}/invitations/{invitation_id:str}")
    async def read_invitation(
        self, request: _Request, organization_id: FromPath[str], invitation_id: FromPath[str]
    ) -> Json:
        """One invitation of an organization."""
        stand_in = stand_in_of(request)
        return stand_in.payloads.invitation(_invitation_of(stand_in, organization_id, invitation_id))

    @post("/organizations/{organization_id:str}/invitations/{invitation_id:str}/revoke", status_code=200)
    async def revoke_invitation(
        self, request: _Request, organization_id: FromPath[str], invitation_id: FromPath[str]
    ) -> Json:
        """Take an invitation back."""
        stand_in = stand_in_of(request)
        _invitation_of(stand_in, organization_id, invitation_id)
        return stand_in.payloads.invitation(stand_in.directory.revoke_invitation(invitation_id))

    # Sessions

    @post("/sessions", status_code=200)
    async def create_session(self, request: _Request) -> Json:
        """Begin a session without a browser, as Clerk's development instances allow."""
        stand_in = stand_in_of(request)
        body = await _body(request)
        user = stand_in.directory.get_user(_text(body, "user_id") or "")
        session = stand_in.sessions.sign_in(None, user, organization_id=_text(body, "active_organization_id"))
        return stand_in.payloads.session(session)

    @post("/sessions/{session_id:str}/revoke", status_code=200)
    async def revoke_session(self, request: _Request, session_id: FromPath[str]) -> Json:
        """End a session."""
        stand_in = stand_in_of(request)
        return stand_in.payloads.session(stand_in.sessions.revoke(session_id))

    @post("/sessions/{session_id:str}/tokens", status_code=200)
    async def create_token(self, request: _Request, session_id: FromPath[str]) -> Json:
        """A session token; the Origin header, when sent, becomes its ``azp``."""
        stand_in = stand_in_of(request)
        session = stand_in.sessions.get_session(session_id)
        version = 1 if request.query_params.get("version") == "1" else 2
        token = stand_in.sessions.token(session, origin=request.headers.get("origin"), version=version)
        return {"object": "token", "jwt": token}

    # What only the stand-in has

    @post("/stand_in/seed", status_code=200)
    async def seed(self, request: _Request) -> Json:
        """Create the demo world if this folder has never had it."""
        return {"events": stand_in_of(request).seed_world()}

    @get("/stand_in/outbox")
    async def outbox(self, request: _Request) -> Json:
        """How many webhooks still wait to be delivered, and the ones that failed so far."""
        outbox = stand_in_of(request).outbox
        failing = [m for m in outbox.messages if m.delivered_at is None and m.attempts]
        return {
            "pending": outbox.pending,
            "failing": [
                {"id": m.id, "type": m.type, "attempts": m.attempts, "last_answer": m.last_answer}
                for m in failing
            ],
        }

    @post("/stand_in/outbox/deliver", status_code=200)
    async def deliver(self, request: _Request) -> Json:
        """Try every waiting webhook now, for example when the product has just come up."""
        return {"pending": stand_in_of(request).outbox.deliver_now()}


def _invitation_of(stand_in: ClerkStandIn, organization_id: str, invitation_id: str) -> Invitation:
    organization = stand_in.directory.get_organization(organization_id)
    invitation = stand_in.directory.get_invitation(invitation_id)
    if invitation.organization_id != organization.id:
        raise ClerkRefusal(404, "resource_not_found", "No such invitation in this organization.")
    return invitation


async def _body(request: _Request) -> Json:
    content = await request.body()
    try:
        return msgspec.json.decode(content or b"{}", type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ClerkRefusal(400, "request_body_invalid", "The body is not a JSON object.") from error


def _text(body: Json, name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise ClerkRefusal(422, "form_param_format_invalid", f"{name} must be text.", parameter=name)
    return value


def _page(request: _Request, items: Iterable[_T], show: Callable[[_T], Json]) -> Json:
    """Return one page; newest first unless ``order_by`` asks for ``+created_at``, as Clerk does."""
    found = list(items)
    order = request.query_params.get("order_by", "-created_at").strip()
    if order.startswith("-"):
        found.reverse()
    try:
        limit, offset = (
            int(request.query_params.get(name, default)) for name, default in (("limit", "10"), ("offset", "0"))
        )
    except ValueError as error:
        raise ClerkRefusal(422, "form_param_format_invalid", "limit and offset are numbers.") from error
    if not 1 <= limit <= MAX_LIMIT or offset < 0:
        raise ClerkRefusal(422, "form_param_format_invalid", f"limit must be 1 to {MAX_LIMIT}.")
    return {
        "data": [show(item) for item in found[offset : offset + limit]],
        "total_count": len(found),
    }
