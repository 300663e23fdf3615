"""Who may talk to which face of the stand-in."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from coursecove.dev.clerk.errors import ClerkRefusal
from coursecove.dev.clerk.stand_in import ClerkStandIn

_Connection = ASGIConnection[Any, Any, Any, Any]


def stand_in_of(connection: _Connection) -> ClerkStandIn:
    """Return the stand-in that serves this connection."""
    stand_in: ClerkStandIn = connection.app.state.stand_in
    return stand_in


def is_own_origin(stand_in: ClerkStandIn, origin: str) -> bool:
    """Say whether an origin belongs to the base domain or to this machine's own console."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or parts.username is not None:
        return False
    host = (parts.hostname or "").lower()
    return host == stand_in.base_domain or host.endswith(f".{stand_in.base_domain}")


def known_host(connection: _Connection, _handler: BaseRouteHandler) -> None:
    """Refuse names that merely resolve to this machine, so that no other page can talk to the stand-in."""
    stand_in = stand_in_of(connection)
    host = connection.headers.get("host", "").rpartition(":")[0] or connection.headers.get("host", "")
    own = stand_in.frontend_api_host.partition(":")[0]
    if host.lower() not in (own, "127.0.0.1", "localhost"):
        raise ClerkRefusal(400, "host_invalid", "This host is not served here.")


def secret_key_required(connection: _Connection, _handler: BaseRouteHandler) -> None:
    """Refuse calls of the Backend API without the secret key."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    expected = stand_in_of(connection).secret_key
    if scheme.lower() != "bearer" or not secrets.compare_digest(key.strip().encode(), expected.encode()):
        raise ClerkRefusal(401, "clerk_key_invalid", "The provided Clerk Secret Key is invalid.")


def own_pages_only(connection: _Connection, _handler: BaseRouteHandler) -> None:
    """Refuse changes asked for by pages outside the base domain."""
    if connection.scope.get("method") in ("GET", "HEAD", "OPTIONS"):
        return
    origin = connection.headers.get("origin", "")
    if not is_own_origin(stand_in_of(connection), origin):
        raise ClerkRefusal(403, "origin_invalid", "Pages of this origin may not do that.")


def console_only(connection: _Connection, _handler: BaseRouteHandler) -> None:
    """Refuse forms that were not sent by the console itself."""
    if connection.scope.get("method") in ("GET", "HEAD"):
        return
    origin = urlsplit(connection.headers.get("origin", "")).netloc
    if origin != connection.headers.get("host"):
        raise ClerkRefusal(403, "origin_invalid", "Only the console's own forms may do that.")
