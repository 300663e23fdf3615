"""The handshake: how a browser that Clerk knows becomes known on one more subdomain.

``__session`` belongs to one host, so the first visit to a school's subdomain
has none.  The browser is sent to Clerk's Frontend API, which sends it back
with either a signed list of cookies or a nonce for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx
import msgspec
import structlog

from coursecove.config import Settings
from coursecove.identity import cookies
from coursecove.identity.api import CLERK_API_VERSION
from coursecove.identity.jwks import SigningKeys
from coursecove.identity.requests import RequestFacts
from coursecove.identity.tokens import TokenRefused, read_header, verify_signed

_log = structlog.get_logger(__name__)

_PARAMETERS = (cookies.HANDSHAKE, cookies.HANDSHAKE_NONCE, "__clerk_help")
_NONCE_TIMEOUT_SECONDS = 5.0
_MAX_DIRECTIVES = 20


@dataclass(frozen=True, slots=True)
class Directives:
    """What a finished handshake asks for: cookies to set, and the session token among them."""

    cookies: tuple[str, ...]
    session_token: str | None


class _Payload(msgspec.Struct):
    directives: list[str]


def own_url(request: RequestFacts, origin: str) -> str:
    """Return the request's URL on ``origin``, without what a handshake added to it.

    Whatever the request claimed, the result is a page of this origin: this is
    the only address a handshake ever returns to.
    """
    parts = urlsplit(request.url)
    path = "/" + parts.path.lstrip("/")
    query = "&".join(
        pair for pair in parts.query.split("&") if pair and pair.partition("=")[0] not in _PARAMETERS
    )
    return origin + quote(path, safe="/%:@!$&'()*+,;=-._~") + (f"?{query}" if query else "")


def handshake_url(
    settings: Settings,
    request: RequestFacts,
    *,
    origin: str,
    reason: str,
    suffixed: bool,
    session_token: str | None,
    organization_clerk_id: str | None,
) -> str:
    """Return the address at Clerk's Frontend API that starts a handshake for this page."""
    query = {
        "redirect_url": own_url(request, origin),
        "__clerk_api_version": CLERK_API_VERSION,
        "suffixed_cookies": "true" if suffixed else "false",
        "__clerk_hs_reason": reason,
        "format": "nonce",
    }
    if session_token:
        query[cookies.SESSION] = session_token
    if is_development_instance(settings):
        browser = request.cookie(cookies.DEV_BROWSER)
        if browser:
            query[cookies.DEV_BROWSER] = browser
    if organization_clerk_id:
        query["organization_id"] = organization_clerk_id
    return f"{settings.clerk_frontend_api}/v1/client/handshake?{urlencode(query)}"


def is_development_instance(settings: Settings) -> bool:
    """Say whether the publishable key belongs to a development instance of Clerk."""
    return settings.clerk_publishable_key.startswith("pk_test_")


class HandshakeReader:
    """Reads what a browser brings back from a handshake.

    Development instances answer in the query, production instances in a
    cookie; the query is ignored in production, because a link to it could
    sign somebody in as somebody else.
    """

    def __init__(self, settings: Settings, http: httpx.AsyncClient, keys: SigningKeys) -> None:
        self._settings = settings
        self._http = http
        self._keys = keys
        self._allowed = cookies.clerk_cookie_names(cookies.suffix_of(settings.clerk_publishable_key))

    async def read(self, request: RequestFacts) -> Directives | None:
        """Return the directives the request brings, None when it brings none that hold."""
        carried = self._carried(request)
        nonce, token = carried.get(cookies.HANDSHAKE_NONCE), carried.get(cookies.HANDSHAKE)
        lines: list[str]
        try:
            if nonce:
                lines = await self._redeem(nonce)
            elif token:
                lines = await self._verify(token)
            else:
                return None
        except TokenRefused as refusal:
            _log.warning("clerk_handshake_refused", reason=refusal.reason)
            return None
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            _log.warning("clerk_handshake_refused", reason=type(error).__name__)
            return None
        return self._directives(lines)

    def _carried(self, request: RequestFacts) -> dict[str, str]:
        found = {
            name: value
            for name in (cookies.HANDSHAKE, cookies.HANDSHAKE_NONCE)
            if (value := request.cookie(name))
        }
        if is_development_instance(self._settings):
            for name, value in parse_qsl(urlsplit(request.url).query):
                if name in (cookies.HANDSHAKE, cookies.HANDSHAKE_NONCE):
                    found[name] = value
        return found

    async def _redeem(self, nonce: str) -> list[str]:
        response = await self._http.get(
            f"{self._settings.clerk_api_url}/clients/handshake_payload",
            params={"nonce": nonce},
            headers={
                "Authorization": f"Bearer {self._settings.clerk_secret_key}",
                "Clerk-API-Version": CLERK_API_VERSION,
            },
            timeout=_NONCE_TIMEOUT_SECONDS,
            follow_redirects=False,
        )
        response.raise_for_status()
        return msgspec.json.decode(response.content, type=_Payload).directives

    async def _verify(self, token: str) -> list[str]:
        key = await self._keys.key_for(read_header(token).key_id)
        lines: Any = verify_signed(token, key).get("handshake")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise TokenRefused("handshake-malformed")
        return lines

    def _directives(self, lines: list[str]) -> Directives:
        kept: list[str] = []
        session_token: str | None = None
        for line in lines[:_MAX_DIRECTIVES]:
            name, equals, rest = line.partition("=")
            if not equals or name not in self._allowed or not line.isprintable():
                _log.warning("clerk_handshake_cookie_left_out")
                continue
            kept.append(line)
            value = rest.partition(";")[0].strip()
            if name.startswith(cookies.SESSION) and value:
                session_token = value
        # The answer is used once; left in a cookie it would be read again on every page.
        for name in (cookies.HANDSHAKE, cookies.HANDSHAKE_NONCE):
            kept.extend(cookies.expired_lines(name, self._settings.base_domain))
        return Directives(cookies=tuple(kept), session_token=session_token)
