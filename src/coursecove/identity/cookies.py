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
REDIRECT_COUNT = "__clerk_redirect_count"

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


def redirect_count_line(count: int) -> str:
    """Return the line of the loop guard; it forgets after two seconds, as Clerk's does."""
    return f"{REDIRECT_COUNT}={count}; Path=/; SameSite=Lax; HttpOnly; Max-Age=2"


def organization_asked_name(origin: str) -> str:
    """Return the name of our own marker; ``__Host-`` keeps sibling subdomains from setting it."""
    prefix = "__Host-" if origin.startswith("https://") else ""
    return f"{prefix}coursecove_organization_asked"


def organization_asked_line(origin: str, session_id: str) -> str:
    """Return the line that remembers that this session was asked for this host's organization."""
    secure = "; Secure" if origin.startswith("https://") else ""
    return (
        f"{organization_asked_name(origin)}={session_id}; Path=/; SameSite=Lax; HttpOnly; "
        f"Max-Age={ORGANIZATION_ASKED_SECONDS}{secure}"
    )


def expired_lines(name: str, base_domain: str) -> tuple[str, str]:
    """Return the lines that take a cookie away from this host and from the base domain."""
    line = f"{name}=; Path=/; Max-Age=0; SameSite=Lax"
    return line, f"{line}; Domain={base_domain}"
