"""Session and handshake tokens as Clerk signs them, and how a developer gets one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SESSION_CATEGORY = "cl_B7d4PD111AAA"
LIFETIME_SECONDS = 60
VERBS = ("manage", "read")
FEATURE = "lessons"


def mint_session_token(
    key: RSAPrivateKey,
    *,
    key_id: str,
    issuer: str,
    user_id: str,
    session_id: str,
    authorized_party: str | None = None,
    organization_id: str | None = None,
    organization_slug: str | None = None,
    role: str = "org:member",
    permissions: tuple[str, ...] = (),
    version: int = 2,
    lifetime_seconds: int = LIFETIME_SECONDS,
    issued_at: float | None = None,
    claims: Mapping[str, Any] | None = None,
    headers: Mapping[str, Any] | None = None,
) -> str:
    """Return a signed session token of version 1 or 2.

    ``role`` and ``permissions`` carry their ``org:`` prefix in both.
    ``claims`` and ``headers`` are laid over the result, None taking a claim
    away: with them a test says exactly what is wrong with a token.
    """
    now = int(time.time() if issued_at is None else issued_at)
    payload: dict[str, Any] = {
        "iss": issuer,
        "sub": user_id,
        "sid": session_id,
        "iat": now,
        "nbf": now - 10,
        "exp": now + lifetime_seconds,
        "azp": authorized_party,
        "fva": [0, -1],
    }
    if version == 1:
        if organization_id:
            payload |= {
                "org_id": organization_id,
                "org_slug": organization_slug,
                "org_role": role,
                "org_permissions": list(permissions),
            }
    else:
        payload |= {"v": 2, "jti": secrets.token_hex(10), "pla": "u:free", "fea": f"o:{FEATURE}"}
        if organization_id:
            mask = sum(1 << bit for bit, verb in enumerate(VERBS) if f"org:{FEATURE}:{verb}" in permissions)
            payload["o"] = {
                "id": organization_id,
                "slg": organization_slug,
                "rol": role.removeprefix("org:"),
                "per": ",".join(VERBS),
                "fpm": str(mask),
            }
    payload |= claims or {}
    return jwt.encode(
        {name: value for name, value in payload.items() if value is not None},
        key,
        algorithm="RS256",
        headers={"kid": key_id, "cat": SESSION_CATEGORY, **(headers or {})},
    )


def mint_handshake_token(key: RSAPrivateKey, *, key_id: str, directives: list[str]) -> str:
    """Return the signed form of a handshake's answer."""
    return jwt.encode(
        {"handshake": directives},
        key,
        algorithm="RS256",
        headers={"kid": key_id, "cat": SESSION_CATEGORY},
    )


class NoSuchPerson(Exception):
    """There is nobody with this address, or not in this school."""


def fetch_session_token(*, api_url: str, secret_key: str, email: str, organization: str, origin: str) -> str:
    """Return a session token for API calls, made by a running stand-in.

    ``organization`` is a slug, ``origin`` the school's own address, which
    becomes the token's ``azp``.  Raises :class:`NoSuchPerson`, and
    :class:`httpx.HTTPError` when the stand-in does not answer.
    """
    with httpx.Client(base_url=api_url, headers={"Authorization": f"Bearer {secret_key}"}, timeout=10) as http:
        users = http.get("/users", params={"email_address": email}).raise_for_status().json()
        if not users:
            raise NoSuchPerson(f"Nobody has the address {email}.")
        user_id = users[0]["id"]
        memberships = http.get(f"/users/{user_id}/organization_memberships", params={"limit": 500})
        found = [
            membership["organization"]["id"]
            for membership in memberships.raise_for_status().json()["data"]
            if membership["organization"]["slug"] == organization
        ]
        if not found:
            raise NoSuchPerson(f"{email} is not in the school {organization}.")
        session = http.post(
            "/sessions", json={"user_id": user_id, "active_organization_id": found[0]}
        ).raise_for_status()
        token = http.post(f"/sessions/{session.json()['id']}/tokens", headers={"Origin": origin})
        jwt_text: str = token.raise_for_status().json()["jwt"]
        return jwt_text
