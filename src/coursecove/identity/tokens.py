"""Clerk session tokens: what is believed of one, and why one is refused.

Verification is free of I/O: :func:`read_header` says which key a token asks
for, :func:`verify_session_token` checks everything else against that key.
The order follows Clerk's documentation, with the issuer and the category
checked although Clerk's own packages leave them out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from coursecove import clock
from coursecove.identity.permissions import decode_permissions

#: How far Clerk's clock and ours may differ (the default of Clerk's packages).
CLOCK_SKEW_SECONDS = 5

#: Cookies hold 4 KiB and headers little more; anything longer is not a session token.
MAX_TOKEN_LENGTH = 16_384

#: Values of the ``cat`` header that may stand on a session or handshake token.  Template and
#: machine-to-machine tokens are signed with the same key and outlive a revoked session.
_SESSION_CATEGORIES = frozenset({"cl_B7d4PD111AAA", "cl_I7d4PD111III"})


class TokenRefused(Exception):
    """A token that proves nothing.

    ``reason`` is a stable slug for logs and headers; the token itself is never
    part of the message.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class TokenHeader:
    """The part of a token that is read before its signature is known to hold."""

    key_id: str | None


@dataclass(frozen=True, slots=True)
class ClaimedOrganization:
    """The organization that was active when the token was made: a claim, not a membership.

    ``role`` always carries the ``org:`` prefix, whichever token version named it.
    """

    id: str
    slug: str | None
    role: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class SessionClaims:
    """What a verified session token says.  ``actor`` is the Clerk id of an impersonator."""

    user_id: str
    session_id: str
    issued_at: datetime
    expires_at: datetime
    authorized_party: str | None
    organization: ClaimedOrganization | None
    actor: str | None
    version: int


def read_header(token: str) -> TokenHeader:
    """Return the header of a token, refusing early what can never be a session token.

    Raises :class:`TokenRefused` with ``token-malformed``, ``token-algorithm``
    or ``token-category``.
    """
    if not token or len(token) > MAX_TOKEN_LENGTH:
        raise TokenRefused("token-malformed")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused("token-malformed") from error
    if header.get("alg") != "RS256":
        raise TokenRefused("token-algorithm")
    category = header.get("cat")
    if "cat" in header and (not isinstance(category, str) or category not in _SESSION_CATEGORIES):
        raise TokenRefused("token-category")
    key_id = header.get("kid")
    return TokenHeader(key_id=key_id if isinstance(key_id, str) else None)


def verify_signed(token: str, key: RSAPublicKey) -> dict[str, Any]:
    """Return the payload of a token of this instance that is valid now.

    Checks header, signature and the times that are present; this is all a
    handshake token promises.  Raises :class:`TokenRefused`.
    """
    read_header(token)
    try:
        payload: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            # Claims are checked below, against our own clock and with our own reasons.
            options={
                "verify_signature": True,
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.InvalidSignatureError as error:
        raise TokenRefused("token-signature") from error
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused("token-malformed") from error
    _check_times(payload)
    return payload


def verify_session_token(
    token: str,
    key: RSAPublicKey,
    *,
    issuer: str,
    authorized_parties: Collection[str],
    azp_required: bool,
) -> SessionClaims:
    """Return what the token says, once everything about it holds.

    ``azp_required`` is for cookies: a browser always gets tokens made for the
    page's own origin, so one without ``azp`` did not come from there.

    Raises :class:`TokenRefused`; a session that still has a task open
    (``sts: pending``) is refused as ``session-pending``.
    """
    payload = verify_signed(token, key)
    for name in ("exp", "iat"):
        if name not in payload:
            raise TokenRefused("token-malformed")
    user_id = payload.get("sub")
    if not isinstance(user_id, str) or not user_id.startswith("user_"):
        raise TokenRefused("token-subject")
    session_id = payload.get("sid")
    if not isinstance(session_id, str) or not session_id:
        raise TokenRefused("token-session-missing")
    if payload.get("iss") != issuer:
        raise TokenRefused("token-issuer")
    authorized_party = payload.get("azp")
    if authorized_party is None:
        if azp_required:
            raise TokenRefused("token-azp-missing")
    elif authorized_party not in tuple(authorized_parties):
        raise TokenRefused("token-azp")
    if payload.get("sts") == "pending":
        raise TokenRefused("session-pending")
    version = payload.get("v", 1)
    if isinstance(version, bool) or version not in (1, 2):
        raise TokenRefused("token-version")
    return SessionClaims(
        user_id=user_id,
        session_id=session_id,
        issued_at=_instant(payload["iat"]),
        expires_at=_instant(payload["exp"]),
        authorized_party=authorized_party,
        organization=_organization_v2(payload) if version == 2 else _organization_v1(payload),
        actor=_actor(payload),
        version=int(version),
    )


def _check_times(payload: Mapping[str, Any]) -> None:
    now = clock.now().timestamp()
    if "exp" in payload and _seconds(payload["exp"]) <= now - CLOCK_SKEW_SECONDS:
        raise TokenRefused("session-token-expired")
    if "nbf" in payload and _seconds(payload["nbf"]) > now + CLOCK_SKEW_SECONDS:
        raise TokenRefused("session-token-nbf")
    if "iat" in payload and _seconds(payload["iat"]) > now + CLOCK_SKEW_SECONDS:
        raise TokenRefused("session-token-iat-in-the-future")


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused("token-malformed")
    try:
        seconds = float(value)
    except OverflowError as error:
        raise TokenRefused("token-malformed") from error
    if not math.isfinite(seconds):
        raise TokenRefused("token-malformed")
    return seconds


def _instant(value: object) -> datetime:
    try:
        return datetime.fromtimestamp(_seconds(value), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise TokenRefused("token-malformed") from error


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _role(value: object) -> str:
    role = _text(value)
    return role if role.startswith("org:") or not role else f"org:{role}"


def _organization_v2(payload: Mapping[str, Any]) -> ClaimedOrganization | None:
    claimed = payload.get("o")
    if not isinstance(claimed, Mapping) or not _text(claimed.get("id")):
        return None
    return ClaimedOrganization(
        id=_text(claimed.get("id")),
        slug=_text(claimed.get("slg")) or None,
        role=_role(claimed.get("rol")),
        permissions=decode_permissions(
            _text(payload.get("fea")), _text(claimed.get("per")), _text(claimed.get("fpm"))
        ),
    )


def _organization_v1(payload: Mapping[str, Any]) -> ClaimedOrganization | None:
    if not _text(payload.get("org_id")):
        return None
    permissions = payload.get("org_permissions")
    return ClaimedOrganization(
        id=_text(payload.get("org_id")),
        slug=_text(payload.get("org_slug")) or None,
        role=_role(payload.get("org_role")),
        permissions=frozenset(
            permission
            for permission in (permissions if isinstance(permissions, list) else ())
            if isinstance(permission, str)
        ),
    )


def _actor(payload: Mapping[str, Any]) -> str | None:
    actor = payload.get("act")
    return _text(actor.get("sub")) or None if isinstance(actor, Mapping) else None
