"""What ``coursecove doctor`` looks at: everything a start depends on, one finding each."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx

from coursecove.config import Settings
from coursecove.health import Check, run_checks
from coursecove.resources import open_resources


async def examine(settings: Settings) -> list[Check]:
    """Ask the database, Redis, Clerk and the mail server; nothing is changed anywhere."""
    async with open_resources(settings) as resources:
        found = await run_checks(resources)
        clerk, mail = await asyncio.gather(_clerk(settings, resources.http), _mail(settings))
    return [*found, clerk, mail]


async def _clerk(settings: Settings, http: httpx.AsyncClient) -> Check:
    url = f"{settings.clerk_api_url}/jwks"
    try:
        response = await http.get(url, headers={"Authorization": f"Bearer {settings.clerk_secret_key}"})
    except httpx.HTTPError as error:
        return Check("clerk", False, f"{url} does not answer ({type(error).__name__})")
    if response.status_code in (401, 403):
        return Check("clerk", False, "CLERK_SECRET_KEY is not accepted; copy it again from Clerk's dashboard")
    if response.is_error or not response.json().get("keys"):
        return Check("clerk", False, f"{url} answered {response.status_code} without signing keys")
    secrets = len(settings.clerk_webhook_secrets)
    return Check(
        "clerk",
        True,
        f"keys of {settings.clerk_frontend_api}, {secrets} webhook secret{'s' if secrets > 1 else ''}",
    )


async def _mail(settings: Settings) -> Check:
    parts = urlsplit(settings.smtp_url)
    host, port = parts.hostname or "", parts.port or (465 if parts.scheme == "smtps" else 587)
    try:
        async with asyncio.timeout(3):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
    except (TimeoutError, OSError) as error:
        return Check("mail", False, f"{host}:{port} of SMTP_URL does not answer ({type(error).__name__})")
    return Check("mail", True, f"{host}:{port} answers")
