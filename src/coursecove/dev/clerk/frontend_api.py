"""The Frontend API: what a browser on a school's page talks to."""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from litestar import Controller, Request, Response, delete, get, post
from litestar.params import FromPath

from coursecove.dev.clerk.access import is_own_origin, known_host, own_pages_only, stand_in_of
from coursecove.dev.clerk.errors import ClerkRefusal
from coursecove.dev.clerk.payloads import Json
from coursecove.dev.clerk.records import Client, User
from coursecove.dev.clerk.session_tokens import mint_handshake_token
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.clerk.world import ROLE_WORDS
from coursecove.identity.cookies import HANDSHAKE, HANDSHAKE_NONCE, suffix_of

_Request = Request[Any, Any, Any]
_T = TypeVar("_T")

#: The cookie that knows the browser; HttpOnly and for the stand-in's own host alone.
CLIENT_COOKIE = "__client"
_YEAR = 31_536_000


class _SignIn(msgspec.Struct):
    user_id: str
    organization_id: str | None = None


class _SignUp(msgspec.Struct):
    first_name: str
    last_name: str
    email_address: str


class _Touch(msgspec.Struct):
    active_organization_id: str | None = None


def jwks(stand_in: ClerkStandIn) -> Json:
    """Return the public keys as a JWKS document."""
    public: RSAPublicKey = stand_in.store.signing_key.public_key()
    key = RSAAlgorithm.to_jwk(public, as_dict=True)
    return {
        "keys": [
            {
                "use": "sig",
                "kty": "RSA",
                "kid": stand_in.store.state.instance_id,
                "alg": "RS256",
                "n": key["n"],
                "e": key["e"],
            }
        ]
    }


def client_cookie_line(client: Client) -> str:
    """Return the Set-Cookie line that makes a browser known to the stand-in."""
    return f"{CLIENT_COOKIE}={client.token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={_YEAR}"


class FrontendApi(Controller):
    """Sessions of browsers, and the handshake."""

    guards = [known_host, own_pages_only]

    @get("/.well-known/jwks.json")
    async def read_jwks(self, request: _Request) -> Json:
        """The public keys."""
        return jwks(stand_in_of(request))

    @get("/v1/client/handshake")
    async def handshake(self, request: _Request) -> Response[None]:
        """Send the browser back to its page with the cookies that make it known there.

        Only ever back to a page of the base domain.
        """
        stand_in = stand_in_of(request)
        query = request.query_params
        target = query.get("redirect_url", "")
        parts = urlsplit(target)
        origin = f"{parts.scheme}://{parts.netloc}"
        if not is_own_origin(stand_in, origin):
            raise ClerkRefusal(400, "redirect_url_invalid", "The page to return to is not one of ours.")
        client = stand_in.sessions.find_client(request.cookies.get(CLIENT_COOKIE))
        session = stand_in.sessions.active_session(client)
        if session is not None and query.get("organization_id"):
            stand_in.sessions.set_active_organization(session, query["organization_id"])
        suffix = suffix_of(stand_in.publishable_key) if query.get("suffixed_cookies") == "true" else None
        directives = stand_in.sessions.directives(client, origin=origin, suffix=suffix)
        if query.get("format") == "nonce":
            name, value = HANDSHAKE_NONCE, stand_in.sessions.keep_for_nonce(directives)
        else:
            name = HANDSHAKE
            value = mint_handshake_token(
                stand_in.store.signing_key,
                key_id=stand_in.store.state.instance_id,
                directives=directives,
            )
        headers = {"Cache-Control": "no-store"}
        if stand_in.instance == "production":
            headers["Set-Cookie"] = (
                f"{name}={value}; Path=/; Domain={stand_in.base_domain}; Max-Age=60; SameSite=Lax; HttpOnly"
            )
        else:
            pairs = [*parse_qsl(parts.query, keep_blank_values=True), (name, value)]
            target = urlunsplit(parts._replace(query=urlencode(pairs)))
        return Response(None, status_code=307, headers={**headers, "Location": target})

    @get("/v1/client")
    async def read_client(self, request: _Request) -> Response[Json]:
        """Who is signed in in this browser."""
        stand_in = stand_in_of(request)
        client = stand_in.sessions.find_client(request.cookies.get(CLIENT_COOKIE))
        return _client_answer(stand_in, client)

    @get("/v1/client/people")
    async def people(self, request: _Request) -> Json:
        """Everybody one can sign in as, by school; people without a school come last."""
        stand_in = stand_in_of(request)
        state, directory = stand_in.store.state, stand_in.directory
        groups: list[Json] = [
            {
                "organization": {"id": school.id, "name": school.name, "slug": school.slug},
                "people": [
                    _person(state.users[m.user_id], m.role)
                    for m in directory.memberships_of(organization_id=school.id)
                ],
            }
            for school in state.organizations.values()
        ]
        alone = [
            _person(user, None)
            for user in state.users.values()
            if not directory.memberships_of(user_id=user.id)
        ]
        if alone:
            groups.append({"organization": None, "people": alone})
        return {"groups": groups}

    @post("/v1/client/sign_ins", status_code=200)
    async def sign_in(self, request: _Request) -> Response[Json]:
        """Sign in as somebody, by choosing them."""
        stand_in = stand_in_of(request)
        chosen = await _read(request, _SignIn)
        user = stand_in.directory.get_user(chosen.user_id)
        client = _client_of(stand_in, request)
        stand_in.sessions.sign_in(client, user, organization_id=chosen.organization_id)
        return _client_answer(stand_in, client)

    @post("/v1/client/sign_ups", status_code=200)
    async def sign_up(self, request: _Request) -> Response[Json]:
        """Sign up and be signed in."""
        stand_in = stand_in_of(request)
        form = await _read(request, _SignUp)
        if not form.first_name.strip():
            raise ClerkRefusal(
                422, "form_param_missing", "Please enter your given name.", parameter="first_name"
            )
        user = stand_in.directory.create_user(form.first_name, form.last_name, form.email_address)
        client = _client_of(stand_in, request)
        stand_in.sessions.sign_in(client, user)
        return _client_answer(stand_in, client)

    @delete("/v1/client/sessions", status_code=200)
    async def sign_out(self, request: _Request) -> Response[Json]:
        """Sign out of this browser."""
        stand_in = stand_in_of(request)
        client = stand_in.sessions.find_client(request.cookies.get(CLIENT_COOKIE))
        if client is not None:
            stand_in.sessions.sign_out(client)
        return _client_answer(stand_in, client)

    @post("/v1/client/sessions/{session_id:str}/tokens", status_code=200)
    async def token(self, request: _Request, session_id: FromPath[str]) -> Json:
        """A fresh session token for the page that asks; ``?version=1`` for the older claims."""
        stand_in = stand_in_of(request)
        session = self._own_session(stand_in, request, session_id)
        version = 1 if request.query_params.get("version") == "1" else 2
        origin = request.headers.get("origin")
        return {"object": "token", "jwt": stand_in.sessions.token(session, origin=origin, version=version)}

    @post("/v1/client/sessions/{session_id:str}/touch", status_code=200)
    async def touch(self, request: _Request, session_id: FromPath[str]) -> Response[Json]:
        """Make another of the person's organizations active."""
        stand_in = stand_in_of(request)
        session = self._own_session(stand_in, request, session_id)
        wanted = (await _read(request, _Touch)).active_organization_id
        if not stand_in.sessions.set_active_organization(session, wanted):
            raise ClerkRefusal(403, "not_a_member_in_organization", "You are not a member there.")
        client = stand_in.sessions.find_client(request.cookies.get(CLIENT_COOKIE))
        return _client_answer(stand_in, client)

    def _own_session(self, stand_in: ClerkStandIn, request: _Request, session_id: str) -> Any:
        client = stand_in.sessions.find_client(request.cookies.get(CLIENT_COOKIE))
        session = stand_in.sessions.active_session(client)
        if session is None or session.id != session_id:
            raise ClerkRefusal(401, "session_not_found", "Nobody is signed in with this session.")
        return session


async def _read(request: _Request, shape: type[_T]) -> _T:
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except msgspec.MsgspecError as error:
        raise ClerkRefusal(422, "form_param_format_invalid", str(error)) from error


def _client_of(stand_in: ClerkStandIn, request: _Request) -> Client:
    known = stand_in.sessions.find_client(request.cookies.get(CLIENT_COOKIE))
    return known or stand_in.sessions.create_client()


def _person(user: User, role: str | None) -> Json:
    return {
        "user_id": user.id,
        "name": user.name,
        "email": user.email,
        "role": ROLE_WORDS[role] if role else None,
    }


def _client_answer(stand_in: ClerkStandIn, client: Client | None) -> Response[Json]:
    session = stand_in.sessions.active_session(client)
    shown: Json = {"object": "client", "id": None, "sessions": [], "last_active_session_id": None, "uat": 0}
    headers = {"Cache-Control": "no-store"}
    if client is not None:
        shown |= {"id": client.id, "uat": client.uat_seconds}
        headers["Set-Cookie"] = client_cookie_line(client)
    if session is not None:
        memberships = stand_in.directory.memberships_of(user_id=session.user_id)
        whole = stand_in.payloads.session(session)
        whole["user"]["organization_memberships"] = [
            stand_in.payloads.membership(membership) for membership in memberships
        ]
        shown |= {"sessions": [whole], "last_active_session_id": session.id}
    return Response({"response": shown, "client": None}, headers=headers)
