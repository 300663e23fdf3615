"""Serves the stand-in: both of Clerk's APIs, the browser script, the console, and the sender of webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar, MediaType, Request, Response, get
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException, NotFoundException
from litestar.params import FromPath

from coursecove.dev.clerk.access import stand_in_of
from coursecove.dev.clerk.backend_api import BackendApi
from coursecove.dev.clerk.console import Console
from coursecove.dev.clerk.errors import ClerkRefusal
from coursecove.dev.clerk.frontend_api import FrontendApi
from coursecove.dev.clerk.stand_in import ClerkStandIn

_Request = Request[Any, Any, Any]

_STATIC = Path(__file__).parent / "static"
_AVATAR_COLORS = ("#6366f1", "#0d9488", "#d97706", "#db2777", "#2563eb", "#65a30d", "#7c3aed", "#dc2626")


def create_clerk_app(stand_in: ClerkStandIn) -> Litestar:
    """Return the application; webhooks are sent while it runs."""

    @asynccontextmanager
    async def deliveries(_: Litestar) -> AsyncIterator[None]:
        sender = asyncio.create_task(stand_in.outbox.run())
        try:
            yield
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender

    return Litestar(
        route_handlers=[FrontendApi, BackendApi, Console, browser_script, stylesheet, avatar, health],
        state=State({"stand_in": stand_in}),
        lifespan=[deliveries],
        cors_config=CORSConfig(
            allow_origins=[],
            allow_origin_regex=rf"https?://([a-z0-9-]+\.)*{re.escape(stand_in.base_domain)}(:\d+)?",
            allow_credentials=True,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Content-Type"],
        ),
        exception_handlers={ClerkRefusal: _refusal, HTTPException: _http_error},
        openapi_config=None,
    )


@get("/npm/@clerk/{package:str}/dist/clerk.browser.js")
async def browser_script(package: FromPath[str]) -> Response[bytes]:
    """The script a page loads as it would load Clerk's: ``clerk-js@5``, whatever the version."""
    if not package.startswith("clerk-js@"):
        raise NotFoundException("There is no such package here.")
    return _static("text/javascript; charset=utf-8", "clerk.browser.js", "components.js")


@get("/stand-in.css")
async def stylesheet() -> Response[bytes]:
    """The look of the mounted components and of the console."""
    return _static("text/css; charset=utf-8", "stand-in.css")


@get("/avatars/{name:str}")
async def avatar(request: _Request, name: FromPath[str]) -> Response[str]:
    """A picture with the initials of a person or a school."""
    state = stand_in_of(request).store.state
    subject_id = name.removesuffix(".svg")
    user, organization = state.users.get(subject_id), state.organizations.get(subject_id)
    words = (user.name if user else organization.name if organization else "?").split()
    initials = html.escape("".join(word[0] for word in (words[0], words[-1])[: len(words)]).upper())
    color = _AVATAR_COLORS[sum(subject_id.encode()) % len(_AVATAR_COLORS)]
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" fill="{color}"/>'
        '<text x="32" y="33" fill="#fff" font-family="system-ui,sans-serif" font-size="26" '
        f'font-weight="600" text-anchor="middle" dominant-baseline="central">{initials}</text></svg>'
    )
    return Response(picture, media_type="image/svg+xml", headers={"Cache-Control": "max-age=60"})


@get("/health", media_type=MediaType.TEXT)
async def health() -> str:
    """Say that the stand-in is up."""
    return "ok"


def _static(media_type: str, *names: str) -> Response[bytes]:
    content = b"".join((_STATIC / name).read_bytes() for name in names)
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})


def _refusal(_: _Request, refusal: ClerkRefusal) -> Response[dict[str, Any]]:
    return Response(refusal.document(secrets.token_hex(16)), status_code=refusal.status)


def _http_error(request: _Request, error: HTTPException) -> Response[dict[str, Any]]:
    code = "resource_not_found" if error.status_code == 404 else "request_invalid"
    return _refusal(request, ClerkRefusal(error.status_code, code, error.detail or "not found"))
