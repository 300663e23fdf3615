"""The keys that sign session tokens, remembered for as long as it is safe.

Fetched from ``{clerk_api_url}/jwks`` with the secret key rather than from the
Frontend API's public address: the server must reach the former anyway, while
the latter need not resolve on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from coursecove.config import ConfigurationError, Settings
from coursecove.identity.errors import SigningKeysUnavailable
from coursecove.identity.tokens import TokenRefused

_log = structlog.get_logger(__name__)

FRESH_SECONDS = 300.0
#: Between two fetches, whatever happens: forged key ids must not hammer Clerk.
COOLDOWN_SECONDS = 5.0
#: How long remembered keys outlive an unreachable Clerk.  Keys change rarely, but a
#: withdrawn one must not be honoured for ever.
STALE_SECONDS = 6 * 3600.0
FETCH_TIMEOUT_SECONDS = 5.0
MAX_KEYS = 32


class SigningKeys:
    """Answers key ids with public keys of one Clerk instance.

    With a PEM configured (``CLERK_JWT_KEY``) nothing is ever fetched.
    Otherwise keys are fresh for five minutes, an unknown id is looked up once
    more, concurrent requests share one fetch, and a failing fetch leaves the
    remembered keys in use.
    """

    def __init__(
        self,
        settings: Settings,
        http: httpx.AsyncClient,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = f"{settings.clerk_api_url}/jwks"
        self._secret_key = settings.clerk_secret_key
        self._http = http
        self._monotonic = monotonic
        self._configured = _load_pem(settings.clerk_jwt_key) if settings.clerk_jwt_key else None
        self._keys: dict[str, RSAPublicKey] = {}
        self._fetched_at: float | None = None
        self._attempted_at: float | None = None
        self._refresh: asyncio.Task[None] | None = None

    async def key_for(self, key_id: str | None) -> RSAPublicKey:
        """Return the key with this id.

        Raises :class:`TokenRefused` (``token-key-unknown``) when Clerk does not
        know it, :class:`SigningKeysUnavailable` when Clerk cannot be asked and
        nothing is remembered.
        """
        if self._configured is not None:
            return self._configured
        if key_id is None:
            raise TokenRefused("token-key-unknown")
        age = self._age()
        if age is None or age >= FRESH_SECONDS or key_id not in self._keys:
            await self._refresh_once()
        age = self._age()
        if age is None or age >= STALE_SECONDS:
            raise SigningKeysUnavailable("The signing keys could not be fetched.")
        key = self._keys.get(key_id)
        if key is None:
            raise TokenRefused("token-key-unknown")
        return key

    def _age(self) -> float | None:
        return None if self._fetched_at is None else self._monotonic() - self._fetched_at

    async def _refresh_once(self) -> None:
        """Join the fetch under way, or start one unless the last was a moment ago."""
        if self._refresh is None:
            last = self._attempted_at
            if last is not None and self._monotonic() - last < COOLDOWN_SECONDS:
                return
            self._attempted_at = self._monotonic()
            self._refresh = asyncio.create_task(self._fetch())
            self._refresh.add_done_callback(self._forget_refresh)
        # One request going away must not take the fetch from the others.
        await asyncio.shield(self._refresh)

    def _forget_refresh(self, task: asyncio.Task[None]) -> None:
        if self._refresh is task:
            self._refresh = None

    async def _fetch(self) -> None:
        try:
            response = await self._http.get(
                self._url,
                headers={"Authorization": f"Bearer {self._secret_key}"},
                timeout=FETCH_TIMEOUT_SECONDS,
                follow_redirects=False,
            )
            response.raise_for_status()
            keys = _parse(response.json())
        except (httpx.HTTPError, ValueError) as error:
            _log.warning("clerk_signing_keys_unavailable", error=type(error).__name__)
            return
        if not keys:
            _log.warning("clerk_signing_keys_unavailable", error="no usable key")
            return
        self._keys = keys
        self._fetched_at = self._monotonic()


def _load_pem(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise ConfigurationError(["CLERK_JWT_KEY is not a readable PEM public key"]) from error
    if not isinstance(key, RSAPublicKey):
        raise ConfigurationError(["CLERK_JWT_KEY must be an RSA public key"])
    return key


def _parse(document: Any) -> dict[str, RSAPublicKey]:
    """Return the RSA signing keys of a JWKS document; others are passed over."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWKS document")
    keys: dict[str, RSAPublicKey] = {}
    for entry in entries[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("kty") != "RSA":
            continue
        if entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), str):
            continue
        try:
            key = jwt.PyJWK(entry, algorithm="RS256").key
        except (jwt.PyJWTError, ValueError):
            continue
        if isinstance(key, RSAPublicKey):
            keys[entry["kid"]] = key
    return keys
