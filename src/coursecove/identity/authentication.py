"""Who sent this request, as far as Clerk's cookies or a Bearer token can say.

Mirrors the decision table of Clerk's own backend package.  Two things are
stricter: the token's issuer is checked, and a request that carries two
different session cookies is nobody's, because a sibling subdomain can write
into this host's cookie jar.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import structlog

from coursecove.config import Settings
from coursecove.identity import cookies
from coursecove.identity.handshake import (
    Directives,
    HandshakeReader,
    handshake_url,
    is_development_instance,
    own_url,
)
from coursecove.identity.jwks import SigningKeys
from coursecove.identity.requests import RequestFacts
from coursecove.identity.tokens import (
    SessionClaims,
    TokenRefused,
    read_header,
    verify_session_token,
)

_log = structlog.get_logger(__name__)

#: Refusals that a fresh token would mend, so that a page may ask Clerk for one.
_MENDED_BY_HANDSHAKE = frozenset(
    {"session-token-expired", "session-token-nbf", "session-token-iat-in-the-future"}
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A Clerk session is behind the request.  ``cookies`` are Set-Cookie lines to answer with."""

    claims: SessionClaims
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedOut:
    """Nobody is.  ``reason`` is a stable slug; ``cookies`` are Set-Cookie lines to answer with."""

    reason: str
    cookies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Handshake:
    """Answer 307 to ``location`` with ``cookies`` as Set-Cookie lines and ``Cache-Control: no-store``."""

    location: str
    cookies: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Carried:
    """The session cookies of a request, suffixed ones preferred."""

    session_token: str | None
    client_uat: int
    suffixed: bool
    ambiguous: bool


class Authenticator:
    """Decides over requests of one Clerk instance; safe to share between them."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, *, keys: SigningKeys | None = None) -> None:
        self._settings = settings
        self._issuer = settings.clerk_frontend_api
        self._keys = keys or SigningKeys(settings, http)
        self._handshakes = HandshakeReader(settings, http, self._keys)
        self._suffix = cookies.suffix_of(settings.clerk_publishable_key)

    async def authenticate(
        self, request: RequestFacts, *, origin: str, organization_clerk_id: str | None
    ) -> SignedIn | SignedOut | Handshake:
        """Say who is asking on ``origin``, the one authorized party of this host.

        ``organization_clerk_id`` is the Clerk organization of this host, None
        on the bare domain.  A Bearer token for another organization is
        refused; a cookie for another one asks Clerk once to switch, and is
        then taken as it is, for membership is not decided here.

        Raises :class:`~coursecove.identity.errors.SigningKeysUnavailable` when
        a token cannot be judged at all.
        """
        bearer = _bearer_token(request.authorization)
        if bearer is not None:
            return await self._authenticate_bearer(bearer, origin, organization_clerk_id)
        if request.wants_page:
            directives = await self._handshakes.read(request)
            if directives is not None:
                return await self._finish_handshake(request, directives, origin)
        return await self._authenticate_cookies(request, origin, organization_clerk_id)

    async def _authenticate_bearer(
        self, token: str, origin: str, organization_clerk_id: str | None
    ) -> SignedIn | SignedOut:
        try:
            claims = await self._verify(token, origin, azp_required=False)
        except TokenRefused as refusal:
            return SignedOut(refusal.reason)
        if _is_for_another_organization(claims, organization_clerk_id):
            return SignedOut("organization-mismatch")
        return SignedIn(claims)

    async def _finish_handshake(
        self, request: RequestFacts, directives: Directives, origin: str
    ) -> SignedIn | SignedOut | Handshake:
        if is_development_instance(self._settings):
            # The answer came in the address: go to the address without it, so that it
            # is neither bookmarked nor sent on as a referrer.
            return Handshake(own_url(request, origin), directives.cookies, "handshake-finished")
        if directives.session_token is None:
            return SignedOut("handshake-signed-out", directives.cookies)
        try:
            claims = await self._verify(directives.session_token, origin, azp_required=True)
        except TokenRefused as refusal:
            return SignedOut(refusal.reason, directives.cookies)
        return SignedIn(claims, directives.cookies)

    async def _authenticate_cookies(
        self, request: RequestFacts, origin: str, organization_clerk_id: str | None
    ) -> SignedIn | SignedOut | Handshake:
        carried = self._read_cookies(request)
        if carried.ambiguous:
            return SignedOut("session-cookie-ambiguous")

        def ask(reason: str, *more_cookies: str) -> Handshake | SignedOut:
            return self._ask(request, carried, origin, organization_clerk_id, reason, more_cookies)

        token = carried.session_token
        if token is None:
            if carried.client_uat == 0:
                return SignedOut("session-token-and-uat-missing")
            return ask("client-uat-but-no-session-token")
        if carried.client_uat == 0:
            return ask("session-token-but-no-client-uat")
        try:
            claims = await self._verify(token, origin, azp_required=True)
        except TokenRefused as refusal:
            if refusal.reason in _MENDED_BY_HANDSHAKE:
                return ask(refusal.reason)
            return SignedOut(refusal.reason)
        if claims.issued_at.timestamp() < carried.client_uat:
            return ask("session-token-iat-before-client-uat")
        if not _is_for_another_organization(claims, organization_clerk_id):
            return SignedIn(claims)
        # Asked at most once in a while: somebody who is not a member of this host's
        # organization would otherwise be sent round on every page they open.
        if request.cookie(cookies.organization_asked_name(origin)) == claims.session_id:
            return SignedIn(claims)
        asked = ask("active-organization-mismatch", cookies.organization_asked_line(origin, claims.session_id))
        return asked if isinstance(asked, Handshake) else SignedIn(claims)

    async def _verify(self, token: str, origin: str, *, azp_required: bool) -> SessionClaims:
        key = await self._keys.key_for(read_header(token).key_id)
        return verify_session_token(
            token,
            key,
            issuer=self._issuer,
            authorized_parties=(origin,),
            azp_required=azp_required,
        )

    def _read_cookies(self, request: RequestFacts) -> _Carried:
        suffixed_session = f"{cookies.SESSION}_{self._suffix}"
        suffixed_uat = f"{cookies.CLIENT_UAT}_{self._suffix}"
        session_name = suffixed_session if request.cookie(suffixed_session) else cookies.SESSION
        uat_name = suffixed_uat if request.cookie(suffixed_uat) else cookies.CLIENT_UAT
        return _Carried(
            session_token=request.cookie(session_name),
            # The newest one counts: an old one left on another domain level only costs a handshake.
            client_uat=max(map(_seconds, request.cookies.get(uat_name, ())), default=0),
            suffixed=session_name == suffixed_session or uat_name == suffixed_uat,
            ambiguous=len(set(filter(None, request.cookies.get(session_name, ())))) > 1,
        )

    def _ask(
        self,
        request: RequestFacts,
        carried: _Carried,
        origin: str,
        organization_clerk_id: str | None,
        reason: str,
        more_cookies: tuple[str, ...],
    ) -> Handshake | SignedOut:
        """Send a page to Clerk, unless that went in circles; anything else is signed out.

        Every handshake names this host's organization, so that one redirect is
        enough on the first visit to another school.
        """
        if not request.wants_page:
            return SignedOut(reason)
        count = _seconds(request.cookie(cookies.redirect_count_name(origin)) or "")
        if count >= cookies.MAX_REDIRECTS:
            _log.warning("clerk_handshake_loop", reason=reason)
            return SignedOut("handshake-loop")
        location = handshake_url(
            self._settings,
            request,
            origin=origin,
            reason=reason,
            suffixed=carried.suffixed,
            session_token=carried.session_token,
            organization_clerk_id=organization_clerk_id,
        )
        return Handshake(location, (cookies.redirect_count_line(origin, count + 1), *more_cookies), reason)


def _is_for_another_organization(claims: SessionClaims, organization_clerk_id: str | None) -> bool:
    return (
        organization_clerk_id is not None
        and claims.organization is not None
        and claims.organization.id != organization_clerk_id
    )


def _bearer_token(authorization: str | None) -> str | None:
    """Return the token of an Authorization header; a bare token counts, other schemes do not."""
    if authorization is None:
        return None
    scheme, space, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip() or None
    return None if space else scheme or None


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0
