"""What an operator sees of the web process: one log line and two metrics per request."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import structlog
from litestar.types import ASGIApp, Message, Receive, Send
from prometheus_client import Counter, Histogram

from coursecove.logs import say_often

REQUESTS = Counter("coursecove_requests_total", "Answered requests", ["method", "area", "status"])
SECONDS = Histogram(
    "coursecove_request_seconds",
    "Time to answer",
    ["area"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")


#: Addresses whose next part is a secret: a private calendar, the end of somebody's mails.
SECRET_PATHS = ("/feeds/", "/unsubscribe/")


def shown_path(path: str) -> str:
    """Return a path as it may be written down: what follows :data:`SECRET_PATHS` is left out."""
    for prefix in SECRET_PATHS:
        if path.startswith(prefix):
            return f"{prefix}…"
    return path[:300]


def _area(path: str) -> str:
    """Return a label of few values for a path: the part of the house it belongs to."""
    head = path.strip("/").split("/")[0]
    return head if head in ("api", "admin", "teach", "static", "health", "metrics", "platform") else "pages"


def observe(app: ASGIApp) -> ASGIApp:
    """Wrap an ASGI application: request id, one structured line, metrics.

    The line carries method, path, status, duration and ids; never a query
    string (it may hold a handshake token), a header, a cookie or a body.
    """

    async def observed(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await app(scope, receive, send_with_id)
        finally:
            duration = time.perf_counter() - started
            path = scope["path"]
            area = _area(path)
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            REQUESTS.labels(method, area, str(status)).inc()
            SECONDS.labels(area).observe(duration)
            if area not in ("static", "health", "metrics"):
                say_often(
                    "coursecove.request",
                    "request",
                    method=method,
                    path=shown_path(path),
                    status=status,
                    duration_ms=round(duration * 1000, 1),
                )

    return observed


def _request_id(scope: Any) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if _REQUEST_ID.match(text):
                return str(text)
    return uuid.uuid4().hex
