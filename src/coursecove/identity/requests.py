"""The few facts of a request that authentication looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

#: ASCII that may stand in a path or a query as it is; everything else is percent-encoded, so
#: that a URL built from a request can go into a header.
_URL_SAFE = "/%:@!$&'()*+,;=-._~?[]"


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is known of a request before anybody is known to have sent it.

    ``url`` is the full public URL.  A cookie name maps to every value that
    was sent for it, in order, because two values for one name mean that
    somebody else wrote one of them.  Tokens are hidden from ``repr``.
    """

    method: str
    url: str
    authorization: str | None = field(default=None, repr=False)
    accept: str = ""
    accept_language: str = ""
    sec_fetch_dest: str | None = None
    cookies: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_scope(cls, scope: Mapping[str, Any], *, public_url: str) -> RequestFacts:
        """Read an ASGI scope; ``public_url`` is this host's public origin, without a path.

        The origin never comes from the request itself, so no header can turn
        a redirect elsewhere.
        """
        headers: dict[str, str] = {}
        cookie_headers: list[str] = []
        for raw_name, raw_value in scope.get("headers", ()):
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name == "cookie":
                cookie_headers.append(value)
            else:
                headers.setdefault(name, value)
        raw_path: bytes = scope.get("raw_path") or quote(scope.get("path", "/")).encode()
        path = "/" + raw_path.decode("latin-1").partition("?")[0].lstrip("/")
        query = scope.get("query_string", b"").decode("latin-1")
        url = quote(f"{path}?{query}" if query else path, safe=_URL_SAFE)
        return cls(
            method=str(scope.get("method", "GET")).upper(),
            url=public_url.rstrip("/") + url,
            authorization=headers.get("authorization"),
            accept=headers.get("accept", ""),
            accept_language=headers.get("accept-language", ""),
            sec_fetch_dest=headers.get("sec-fetch-dest"),
            cookies=parse_cookies(cookie_headers),
        )

    def cookie(self, name: str) -> str | None:
        """Return the first non-empty value sent for a cookie."""
        return next(filter(None, self.cookies.get(name, ())), None)

    @property
    def by_bearer(self) -> bool:
        """Say whether a Bearer token says who is asking, which no browser adds to a form on its own.

        Other schemes say nothing about who is asking: a browser sends the
        password of a protected site along with any form, and the cookies stay
        the identity.
        """
        return (self.authorization or "").strip().lower().startswith("bearer ")

    @property
    def wants_page(self) -> bool:
        """Say whether a person's browser is navigating, so that a redirect would be followed.

        Source: the eligibility rule of Clerk's packages.
        """
        if self.method != "GET":
            return False
        if self.sec_fetch_dest is not None:
            return self.sec_fetch_dest in {"document", "iframe"}
        return self.accept.startswith("text/html")


def parse_cookies(headers: list[str]) -> dict[str, tuple[str, ...]]:
    """Return every value of every cookie; parts without ``=`` are passed over."""
    found: dict[str, list[str]] = {}
    for header in headers:
        for part in header.split(";"):
            name, equals, value = part.strip().partition("=")
            if equals and name:
                found.setdefault(name, []).append(value.strip().strip('"'))
    return {name: tuple(values) for name, values in found.items()}
