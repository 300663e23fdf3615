"""What the tests of identity share: one instance of Clerk, one school's address, tokens made to order."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from coursecove.config import Settings, load_settings
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.identity.authentication import Authenticator, Handshake, SignedIn, SignedOut
from coursecove.identity.requests import RequestFacts

ORIGIN: Final = "https://musicschool.coursecove.com"
FRONTEND_API: Final = "clerk.coursecove.com"
ISSUER: Final = f"https://{FRONTEND_API}"
KEY_ID: Final = "ins_2mUsic"
SCHOOL: Final = "org_2HarmonyMusicSchool"
OTHER_SCHOOL: Final = "org_2StillwaterYoga"
NOW: Final = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)

UAT: Final = int(NOW.timestamp()) - 30

KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_KEY: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM: Final = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def make_settings(*, live: bool = True, pem: bool = True, **more: str) -> Settings:
    prefix = "pk_live_" if live else "pk_test_"
    environ = {
        "APP_ENV": "test",
        "DATABASE_URL": "postgresql://coursecove_app:x@127.0.0.1/coursecove",
        "REDIS_URL": "redis://127.0.0.1:6379/0",
        "BASE_DOMAIN": "coursecove.com",
        "PUBLIC_SCHEME": "https",
        "CLERK_PUBLISHABLE_KEY": prefix + base64.b64encode(f"{FRONTEND_API}$".encode()).decode(),
        "CLERK_SECRET_KEY": "sk_test_secret",
        "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "CLERK_API_URL": "https://api.clerk.test/v1",
        "SMTP_URL": "smtp://127.0.0.1:2525",
    }
    if pem:
        environ["CLERK_JWT_KEY"] = PEM
    return load_settings(environ | more)


def make_token(key: rsa.RSAPrivateKey = KEY, **more: Any) -> str:
    """A token that is right in every way, except for what is said otherwise."""
    values: dict[str, Any] = {
        "key_id": KEY_ID,
        "issuer": ISSUER,
        "user_id": "user_2Mia",
        "session_id": "sess_2Mia",
        "authorized_party": ORIGIN,
        "issued_at": NOW.timestamp(),
    }
    return mint_session_token(key, **(values | more))


def jwks_document(*keys: tuple[str, rsa.RSAPrivateKey]) -> dict[str, Any]:
    return {
        "keys": [
            {
                **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                "kid": key_id,
                "use": "sig",
                "alg": "RS256",
            }
            for key_id, key in keys
        ]
    }


def page(
    path: str = "/book?type=piano",
    cookies: Mapping[str, str | tuple[str, ...]] | None = None,
    **more: Any,
) -> RequestFacts:
    """A browser opening a page of the music school."""
    values: dict[str, Any] = {
        "method": "GET",
        "url": ORIGIN + path,
        "accept": "text/html,application/xhtml+xml",
        "sec_fetch_dest": "document",
        "cookies": {
            name: value if isinstance(value, tuple) else (value,) for name, value in (cookies or {}).items()
        },
    }
    return RequestFacts(**(values | more))


def decide(
    request: RequestFacts,
    *,
    organization_clerk_id: str | None = None,
    live: bool = True,
    directives: list[str] | None = None,
) -> SignedIn | SignedOut | Handshake:
    """Ask the authenticator; ``directives`` is what Clerk keeps for the nonce ``good``."""

    def clerk(call: httpx.Request) -> httpx.Response:
        assert call.url.path == "/v1/clients/handshake_payload"
        assert call.headers["Authorization"] == "Bearer sk_test_secret"
        if directives is None or call.url.params["nonce"] != "good":
            return httpx.Response(404, json={"errors": []})
        return httpx.Response(200, json={"directives": directives})

    async def main() -> SignedIn | SignedOut | Handshake:
        async with httpx.AsyncClient(transport=httpx.MockTransport(clerk)) as http:
            return await Authenticator(make_settings(live=live), http).authenticate(
                request, origin=ORIGIN, organization_clerk_id=organization_clerk_id
            )

    return asyncio.run(main())


def old(**more: Any) -> str:
    """A token whose minute is over."""
    return make_token(issued_at=NOW.timestamp() - 120, **more)
