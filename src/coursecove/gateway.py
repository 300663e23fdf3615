"""The door of the web process: host → school → who is asking → the pages of that host.

The order matters and is the same for every request:

1. a few paths that belong to no school (health, metrics, webhooks, static
   files) are answered on any host;
2. the Host header names the bare domain, a school or nothing of ours; unknown,
   reserved and retired names get one and the same 404;
3. a form sent from another site is refused;
4. Clerk's token says who is asking; what they may do is decided further in;
5. whoever asks too often is told to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from litestar import Litestar
from litestar.types import HTTPScope, Message, Receive, Send

from coursecove import i18n, problems
from coursecove.config import Settings
from coursecove.errors import CourseCoveError, Forbidden, Malformed, NotFound
from coursecove.i18n import N_
from coursecove.identity.authentication import Authenticator, Handshake, SignedIn, SignedOut
from coursecove.identity.cookies import own_name
from coursecove.identity.requests import RequestFacts
from coursecove.observability import SECRET_PATHS
from coursecove.rate_limits import AddressReader, RateLimits, TooManyRequests
from coursecove.tenants.directory import Directory
from coursecove.tenants.hosts import BadHost, Bare, Elsewhere, HostReader, School
from coursecove.tenants.schemas import OrganizationView

log = structlog.get_logger("coursecove.gateway")

Header = tuple[bytes, bytes]
ErrorPage = Callable[[CourseCoveError], Awaitable[tuple[int, bytes]]]

_ANY_HOST = ("/health/", "/static/", "/api/webhooks/")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: Shown in frames of other sites: they know nobody, whatever cookies a browser sends along.
_FOR_NOBODY = ("/embed", "/widget.js")
#: Belongs to every page as the static files do, and costs no more than they.
_UNCOUNTED = frozenset({"/branding.css"})


def _language_of(facts: RequestFacts, origin: str, organization: OrganizationView) -> str:
    """Return what somebody chose here, else what their browser prefers, else what the school speaks."""
    chosen = facts.cookie(own_name(origin, "lang"))
    if chosen in i18n.LANGUAGES:
        return str(chosen)
    return i18n.negotiate(facts.accept_language) or organization.locale


def _preferred(scope: HTTPScope) -> str:
    """Return what a browser prefers, where there is no school to ask."""
    accepted = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
    return i18n.negotiate(accepted) or i18n.DEFAULT


class CrossSite(Forbidden):
    """A browser sent this from another site, or from another school."""

    code = "cross_site"
    title = N_("This form was sent from somewhere else")


class Gateway:
    """The ASGI application in front of the school's and the platform's routes."""

    def __init__(
        self,
        settings: Settings,
        *,
        school: Litestar,
        platform: Litestar,
        directory: Directory,
        authenticator: Authenticator,
        limits: RateLimits,
        error_page: ErrorPage,
    ) -> None:
        self.school = school
        self.platform = platform
        self._settings = settings
        self._hosts = HostReader(settings)
        self._directory = directory
        self._authenticator = authenticator
        self._limits = limits
        self._addresses = AddressReader(settings)
        self._error_page = error_page
        self._policies = _content_security_policies(settings)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 4404, "reason": ""})
            return
        scope.setdefault("state", {})
        if scope["method"] == "HEAD":
            # What GET would answer, without the body (RFC 9110): monitors and previews of links ask so.
            scope = {**scope, "method": "GET"}
            send = _without_body(send)
        send = self._secured(scope, send)
        try:
            await self._route(scope, receive, send)
        except Exception as error:
            if scope["state"].get("answering"):
                raise
            # The routes answer their own failures: this one came before them.
            await self._refuse(scope, send, problems.as_expected(error) or _logged(error))

    async def _route(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        state = scope["state"]
        if "\0" in path:
            raise Malformed(i18n.gettext("An address has no NUL characters."))
        if path.startswith(_ANY_HOST) or path == "/metrics":
            state["organization"], state["identity"] = None, SignedOut("not-asked")
            await self.platform(scope, receive, send)
            return
        host = self._hosts.read(scope)
        if isinstance(host, BadHost):
            await _answer(send, 400, b"The Host header of this request cannot be read.\n", b"text/plain")
            return
        organization: OrganizationView | None = None
        if isinstance(host, School):
            organization = await self._directory.find(host.slug)
        if isinstance(host, Elsewhere) or (isinstance(host, School) and organization is None):
            await self._count(scope, "unknown", None)
            i18n.speak(_preferred(scope))
            raise UnknownSchool
        state["organization"] = organization
        origin = self._settings.origin(organization.slug if organization else None)
        state["origin"] = origin
        facts = RequestFacts.from_scope(scope, public_url=origin)
        state["by_bearer"] = facts.by_bearer
        if not path.startswith("/api/"):
            # Programs and operators are answered in one language, a school's people in theirs.
            i18n.speak(_language_of(facts, origin, organization) if organization else i18n.DEFAULT)
        _refuse_cross_site(scope, facts, origin)
        identity: SignedIn | SignedOut | Handshake = SignedOut("not-asked")
        if not _is_for_nobody(path):
            identity = await self._authenticator.authenticate(
                facts, origin=origin, organization_clerk_id=organization.clerk_id if organization else None
            )
        await self._count(
            scope,
            str(organization.id) if organization else "platform",
            identity.claims.user_id if isinstance(identity, SignedIn) else None,
        )
        state["set_cookies"] = identity.cookies
        if isinstance(identity, Handshake):
            await _answer(send, 307, b"", b"text/plain", [(b"location", identity.location.encode("latin-1"))])
            return
        state["identity"] = identity
        await (self.platform if isinstance(host, Bare) else self.school)(scope, receive, send)

    async def _count(self, scope: HTTPScope, place: str, user_id: str | None) -> None:
        """Count a request against the budgets of whoever asks and of the school; refuse it above them."""
        if scope["path"] in _UNCOUNTED:
            return
        budgets = self._limits.budgets(
            place,
            user_id=user_id,
            address=self._addresses.read(scope),
            writes=scope["method"] not in _SAFE_METHODS,
        )
        left = None
        try:
            left = await self._limits.spend(budgets)
        except TooManyRequests as refusal:
            left = refusal.left
            raise
        finally:
            if left and scope["path"].startswith("/api/"):
                scope["state"]["rate_limit_headers"] = left.headers

    async def _refuse(self, scope: HTTPScope, send: Send, error: CourseCoveError) -> None:
        """Answer a failure that happened before any route was reached."""
        extra = [(b"retry-after", b"5")] if error.status == 503 else []
        if isinstance(error, TooManyRequests):
            extra = [(b"retry-after", str(error.retry_after).encode())]
            await self._limits.keep_waiting()
        if scope["path"].startswith("/api/"):
            body = msgspec.json.encode(problems.problem(error))
            await _answer(send, error.status, body, problems.PROBLEM_JSON.encode(), extra)
            return
        status, page = await self._error_page(error)
        await _answer(send, status, page, b"text/html; charset=utf-8", extra)

    def _secured(self, scope: HTTPScope, send: Send) -> Send:
        """Add what every answer carries: cookies of authentication, and headers that close doors."""

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                state = scope["state"]
                state["answering"] = True
                headers = list(message["headers"])
                names = {name.lower() for name, _ in headers}
                headers.extend(state.get("rate_limit_headers", ()))
                for line in state.get("set_cookies", ()):
                    headers.append((b"set-cookie", line.encode("latin-1")))
                policy = self._policies[state.get("content_policy", "page")]
                if scope["path"].startswith(SECRET_PATHS):
                    # No link followed from here, and no script, tells the next page where one was.
                    headers.append((b"referrer-policy", b"no-referrer"))
                    names.add(b"referrer-policy")
                framed = state.get("content_policy") == "embed"
                for name, value in (*_SECURITY_HEADERS, (b"content-security-policy", policy)):
                    if framed and name == b"x-frame-options":
                        # It knows no "everybody"; the policy says who may frame it.
                        continue
                    if name not in names:
                        headers.append((name, value))
                if b"cache-control" not in names:
                    # Whatever is about a person or a school is not for shared caches.
                    headers.append((b"cache-control", b"no-store"))
                if self._settings.public_scheme == "https":
                    headers.append((b"strict-transport-security", b"max-age=31536000"))
                message["headers"] = headers
            await send(message)

        return secured


class Defect(CourseCoveError):
    """Something nobody expected; what it was is in the log."""

    code = "internal"
    status = 500
    title = N_("Something went wrong on our side")


def _logged(error: Exception) -> Defect:
    log.error("unexpected_failure", exc_info=error)
    return Defect()


class UnknownSchool(NotFound):
    """No school lives at this address; nothing more is said, whatever the reason."""

    code = "unknown_school"
    title = N_("There is no school here")


_SECURITY_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin-allow-popups"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)


def _content_security_policies(settings: Settings) -> dict[str, bytes]:
    """Return the policy of ordinary pages, of those that show another in a frame, and of Clerk's components.

    Source for the last: Clerk's own guide; its components write inline
    styles and ask Cloudflare's challenge.
    """
    clerk = settings.clerk_frontend_api
    shared = (
        f"default-src 'none'; base-uri 'none'; form-action 'self' {clerk}; frame-ancestors 'none'; "
        f"font-src 'self'; manifest-src 'self'; img-src 'self' data: {clerk} https://img.clerk.com; "
        f"connect-src 'self' {clerk}; "
    )
    page = shared + f"script-src 'self' {clerk}; style-src 'self' {clerk}; worker-src 'self' blob:"
    sign_in = shared + (
        f"script-src 'self' {clerk} https://challenges.cloudflare.com; "
        f"style-src 'self' {clerk} 'unsafe-inline'; worker-src 'self' blob:; "
        "frame-src https://challenges.cloudflare.com"
    )
    framing = f"{page}; frame-src 'self'"
    # Open to frames of every site, and therefore to no script and no form but our own.
    embed = (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors *; font-src 'self'; "
        "img-src 'self' data: https://img.clerk.com; connect-src 'self'; script-src 'self'; style-src 'self'"
    )
    policies = {"page": page, "framing": framing, "sign_in": sign_in, "embed": embed}
    return {name: policy.encode() for name, policy in policies.items()}


def _is_for_nobody(path: str) -> bool:
    return path in _FOR_NOBODY or path.startswith("/embed/")


def _refuse_cross_site(scope: HTTPScope, facts: RequestFacts, origin: str) -> None:
    """Refuse a change that a browser was tricked into, by another site or a sibling school.

    Cookies are sent along between subdomains of one site, so SameSite alone
    does not tell schools apart; the Origin header does.  A request without
    cookies carries nobody's authority but its own.
    """
    if scope["method"] in _SAFE_METHODS or facts.by_bearer or not facts.cookies:
        return
    headers = dict(scope["headers"])
    sent_from = headers.get(b"origin", b"").decode("latin-1")
    if not sent_from:
        referer = urlsplit(headers.get(b"referer", b"").decode("latin-1"))
        sent_from = f"{referer.scheme}://{referer.netloc}"
    if sent_from != origin:
        raise CrossSite(i18n.gettext("Go back to the page and send it from there."))


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return headers_only


async def _answer(
    send: Send, status: int, body: bytes, content_type: bytes, headers: Iterable[Header] = ()
) -> None:
    start: list[Header] = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body, "more_body": False})
