"""Answers as gzip, for whoever accepts it: a page is a fifth of its size on the way to a phone.

Static files, and pages that are the same for everybody, are compressed once and
kept; the rest each time, quickly.
What a page compares with is safe to compress: the token of its forms is masked
anew on every page (:mod:`coursecove.portals.csrf`), so lengths say nothing of it.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Send

# Below this the headers weigh more than what is saved.
SMALLEST = 1_000
# Files of ours are smaller; what is larger is somebody's export and goes out as it is.
LARGEST = 4_000_000
_QUICK, _THOROUGH = 4, 9
# A few dozen files, of which one visit asks for ten.
REMEMBERED = 200
_TEXT = (
    b"text/html",
    b"text/css",
    b"text/plain",
    b"text/javascript",
    b"application/javascript",
    b"application/json",
    b"application/problem+json",
    b"application/manifest+json",
    b"image/svg+xml",
)


class KeptBody:
    """A body that is answered more than once, with its packed form as soon as somebody has asked for that.

    Whoever answers with one puts it into the request's state under :data:`KEPT`.
    """

    __slots__ = ("packed", "plain")

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self.packed: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.plain) + len(self.packed or b"")

    def pack(self) -> bytes:
        """Return it as gzip."""
        if self.packed is None:
            self.packed = _gzip(self.plain, _THOROUGH)
        return self.packed


KEPT = "kept_body"


def compress(app: ASGIApp) -> ASGIApp:
    """Wrap an ASGI application: text of some length is answered as gzip where that is accepted."""
    kept: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()

    def packed_file(path: str, mark: bytes, body: bytes) -> bytes:
        key = (path, mark)
        if key not in kept:
            kept[key] = _gzip(body, _THOROUGH)
            while len(kept) > REMEMBERED:
                kept.popitem(last=False)
        return kept[key]

    async def compressing(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "HEAD" or not _accepts_gzip(scope):
            await app(scope, receive, send)
            return
        is_file = scope["path"].startswith("/static/")
        start: Any = None
        chunks: list[bytes] = []

        async def pack(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_worth_it(message):
                start = message
                return
            if start is None or message["type"] != "http.response.body":
                await send(message)
                return
            chunks.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = b"".join(chunks)
            mark = dict(start["headers"]).get(b"etag", b"")
            kept_body: KeptBody | None = scope.get("state", {}).get(KEPT)
            if kept_body is not None and kept_body.plain == body:
                packed = kept_body.pack()
            else:
                packed = packed_file(scope["path"], mark, body) if is_file and mark else _gzip(body, _QUICK)
            start["headers"] = _told(start["headers"], len(packed))
            await send(start)
            await send({"type": "http.response.body", "body": packed, "more_body": False})

        await app(scope, receive, pack)

    return compressing


def _accepts_gzip(scope: Any) -> bool:
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding").lower()
    if any(name == b"range" for name, _ in scope["headers"]):
        return False
    for offer in accepted.split(b","):
        name, _, parameters = offer.partition(b";")
        if name.strip() == b"gzip":
            return parameters.replace(b" ", b"").rstrip(b"0").rstrip(b".") not in (b"q=", b"q=0")
    return False


def _is_worth_it(message: Any) -> bool:
    headers = dict(message["headers"])
    length = headers.get(b"content-length", b"")
    return (
        message["status"] not in (204, 206, 304)
        and b"content-encoding" not in headers
        # An answer of unknown length is a stream: whoever reads it wants each part at once.
        and length.isdigit()
        and SMALLEST <= int(length) <= LARGEST
        and headers.get(b"content-type", b"").partition(b";")[0].strip().lower() in _TEXT
    )


def _told(headers: Any, length: int) -> list[tuple[bytes, bytes]]:
    """Return the headers of the packed answer; a mark of the plain one becomes a weak one."""
    told = [
        (name, value if name != b"etag" or value.startswith(b"W/") else b"W/" + value)
        for name, value in headers
        if name not in (b"content-length", b"vary")
    ]
    vary = [value for name, value in headers if name == b"vary"]
    return [
        *told,
        (b"vary", b", ".join([*vary, b"Accept-Encoding"])),
        (b"content-encoding", b"gzip"),
        (b"content-length", str(length).encode()),
    ]


def _gzip(body: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
