"""The names of Clerk's cookies, and the lines that set ours."""

from __future__ import annotations

import base64
import hashlib

SESSION = "__session"
CLIENT_UAT = "__client_uat"
DEV_BROWSER = "__clerk_db_jwt"
HANDSHAKE = "__clerk_handshake"
HANDSHAKE_NONCE = "__clerk_handshake_nonce"
REFRESH = "__refresh"

#: After so many redirects in a row a handshake is given up.
MAX_REDIRECTS = 3
#: For how long a session is not asked again to make an organization active after it did not.
ORGANIZATION_ASKED_SECONDS = 300


def suffix_of(publishable_key: str) -> str:
    """Return what Clerk appends to cookie names when several instances share a domain."""
    digest = hashlib.sha1(publishable_key.encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode()[:8]


def clerk_cookie_names(suffix: str) -> frozenset[str]:
    """Return the names a handshake may set; anything else it asks for is left out."""
    plain = (SESSION, CLIENT_UAT, DEV_BROWSER, REFRESH)
    return frozenset((*plain, *(f"{name}_{suffix}" for name in plain), HANDSHAKE, HANDSHAKE_NONCE))


def own_name(origin: str, name: str) -> str:
    """Return the name of a cookie of ours on this host; ``__Host-`` keeps sibling subdomains from setting it.

    Browsers take the prefix over https only; on a developer's http the name is plain.
    """
    return f"__Host-{name}" if origin.startswith("https://") else name


def own_line(origin: str, name: str, value: str, max_age: int) -> str:
    """Return the line that sets a cookie of ours, for this host and out of reach of scripts."""
    secure = "; Secure" if origin.startswith("https://") else ""
    return f"{own_name(origin, name)}={value}; Path=/; SameSite=Lax; HttpOnly; Max-Age={max_age}{secure}"


def redirect_count_name(origin: str) -> str:
    """Return the name of the loop guard; Clerk's packages call theirs ``__clerk_redirect_count``."""
    return own_name(origin, "coursecove_redirect_count")


def redirect_count_line(origin: str, count: int) -> str:
    """Return the line of the loop guard; it forgets after two seconds, as Clerk's does."""
    return own_line(origin, "coursecove_redirect_count", str(count), 2)


def organization_asked_name(origin: str) -> str:
    """Return the name of the marker that a session was asked for this host's organization."""
    return own_name(origin, "coursecove_organization_asked")


def organization_asked_line(origin: str, session_id: str) -> str:
    """Return the line that remembers that this session was asked for this host's organization."""
    return own_line(origin, "coursecove_organization_asked", session_id, ORGANIZATION_ASKED_SECONDS)


def expired_lines(name: str, base_domain: str) -> tuple[str, str]:
    """Return the lines that take a cookie away from this host and from the base domain."""
    line = f"{name}=; Path=/; Max-Age=0; SameSite=Lax"
    return line, f"{line}; Domain={base_domain}"
