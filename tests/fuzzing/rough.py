"""Bodies that break the rules of JSON, of Unicode or of measure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoughBody:
    """Bytes and what they claim to be."""

    content: bytes
    content_type: str = "application/json"


#: Every one of these is a 4xx, whoever sends it wherever.
ROUGH_BODIES: dict[str, RoughBody] = {
    "a NUL byte": RoughBody(b"\0"),
    "half an object": RoughBody(b'{"name": '),
    "bytes that are no UTF-8": RoughBody(b'{"name": "\xff\xfe", "reason": "\xc3\x28", "role": "\xc3"}'),
    "a lone surrogate": RoughBody(b'{"name": "\\ud800", "bio": "\\udfff", "reason": "\\ud800", "windows": 1}'),
    "an array where an object belongs": RoughBody(b"[]"),
    "null": RoughBody(b"null"),
    "numbers beyond measure": RoughBody(b'{"duration_minutes": 1e999999, "price_cents": ' + b"9" * 5000 + b"}"),
    "not a number": RoughBody(b'{"duration_minutes": NaN}'),
    "a hundred thousand brackets": RoughBody(b"[" * 100_000),
    "ten megabytes": RoughBody(b'{"name": "' + b"x" * 10_000_000 + b'"}'),
    "a form": RoughBody(b"name=x", "application/x-www-form-urlencoded"),
    "a form with parts that never end": RoughBody(b"--x\r\n", "multipart/form-data; boundary=x"),
    "XML": RoughBody(b"<name>x</name>", "application/xml"),
    "MessagePack": RoughBody(b"\x81\xa4name\xa1x", "application/x-msgpack"),
    "a content type of nonsense": RoughBody(b"{", "\x7e/;;=,"),
}
