"""PNG, JPEG and WebP, told by their bytes and written anew without what nobody needs to see.

Neither the name of a file nor what a browser says it is counts.  A picture is
taken apart into its pieces and put together again from those that draw it:
where and with what a photo was taken goes, and so does whatever hides behind or
between the pieces, which is how one file is a picture and a page at once.  How
a photo has to be turned stays.

Sources: PNG (W3C, 2003, 5 and 11), JPEG (ITU-T T.81, annex B; EXIF 2.32, 4.6),
WebP (RFC 9649).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from coursecove.errors import Invalid
from coursecove.i18n import _

LONGEST_SIDE = 10_000
MOST_PIXELS = 40_000_000


class Drawing(Struct, frozen=True):
    """A picture that has been understood."""

    media_type: str
    content: bytes
    width: int
    height: int


class _Damaged(Exception):
    """The pieces of a picture do not fit together."""


def understood(content: bytes, *, field: str) -> Drawing:
    """Return the picture in ``content``, freed of everything that does not draw it.

    Raises :class:`Invalid` at ``field`` for anything but a whole PNG, JPEG or
    WebP of at most :data:`LONGEST_SIDE` pixels a side and :data:`MOST_PIXELS` in all.
    """
    try:
        drawing = _read(content)
    except (_Damaged, struct.error, IndexError):
        text = _("This picture is damaged. Save it once more and try again.")
        raise Invalid(fields={field: text}) from None
    if drawing is None:
        raise Invalid(fields={field: _unusable(content)})
    width, height = drawing.width, drawing.height
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        text = _("This picture has {width} × {height} pixels. Make it smaller and try again.")
        raise Invalid(fields={field: text.format(width=width, height=height)})
    return drawing


def _read(content: bytes) -> Drawing | None:
    if content.startswith(_PNG_SIGNATURE):
        return _png(content)
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    return None


def _unusable(content: bytes) -> str:
    """Return what to say about a file that is none of the three; the usual ones by name."""
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    kind = None
    if start.startswith((b"<svg", b"<?xml")):
        kind = "SVG"
    elif start.startswith((b"gif87a", b"gif89a")):
        kind = "GIF"
    elif content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        kind = "HEIC"
    elif content[4:8] == b"ftyp" and content[8:12] in (b"avif", b"avis"):
        kind = "AVIF"
    elif start.startswith(b"%pdf"):
        kind = "PDF"
    if kind:
        return _("This is a file of the kind {kind}. Save it as PNG, JPEG or WebP and try again.").format(
            kind=kind
        )
    return _("This is not a picture of the kind PNG, JPEG or WebP.")


_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs"}
)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG_SIGNATURE)
    while True:
        (length,) = struct.unpack_from(">I", content, at)
        kind = content[at + 4 : at + 8]
        data = content[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", content, at + 8 + length)
        if len(data) != length or zlib.crc32(kind + data) != checksum:
            raise _Damaged
        yield kind, data
        at += 12 + length
        if kind == b"IEND":
            return


def _png(content: bytes) -> Drawing:
    pieces = [_PNG_SIGNATURE]
    size = None
    drawn = False
    for kind, data in _png_chunks(content):
        if size is None:
            if kind != b"IHDR" or len(data) != 13:
                raise _Damaged
            size = struct.unpack_from(">II", data)
        drawn |= kind == b"IDAT"
        if kind in _PNG_KEPT:
            pieces.append(
                struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            )
    if size is None or not drawn or not all(size):
        raise _Damaged
    return Drawing("image/png", b"".join(pieces), *size)


_SOI, _EOI, _SOS, _DHT, _DQT, _DRI, _DAC = b"\xff\xd8", 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xCC
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, _DAC}
_TABLES = frozenset({_DHT, _DQT, _DRI, _DAC})
_RESTARTS = frozenset(range(0xD0, 0xD8))


def _jpeg(content: bytes) -> Drawing:
    kept: list[bytes] = []
    size, turned, scanned = None, 1, False
    at = 2
    while True:
        if content[at] != 0xFF:
            raise _Damaged
        while content[at + 1] == 0xFF:
            at += 1
        marker = content[at + 1]
        if marker == _EOI:
            break
        (length,) = struct.unpack_from(">H", content, at + 2)
        segment = content[at : at + 2 + length]
        data = segment[4:]
        if length < 2 or len(segment) != 2 + length:
            raise _Damaged
        at += 2 + length
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, 1)
            size = (width, height)
            kept.append(segment)
        elif marker == _SOS:
            end = _end_of_scan(content, at)
            kept.append(segment + content[at:end])
            at, scanned = end, True
        elif marker == _APP1 and data.startswith(b"Exif\0\0"):
            turned = _orientation(data[6:])
        elif _is_kept(marker, data):
            kept.append(segment)
    if size is None or not scanned or not all(size):
        raise _Damaged
    exif = _exif_of(turned) if turned != 1 else b""
    # What says how to read the colours (JFIF, ICC, Adobe) may follow EXIF.
    return Drawing("image/jpeg", _SOI + exif + b"".join(kept) + b"\xff\xd9", *size)


def _is_kept(marker: int, data: bytes) -> bool:
    return (
        marker in _TABLES
        or (marker == _APP0 and data.startswith(b"JFIF\0"))
        or (marker == _APP2 and data.startswith(b"ICC_PROFILE\0"))
        or (marker == _APP14 and data.startswith(b"Adobe"))
    )


def _end_of_scan(content: bytes, at: int) -> int:
    """Return where the next marker stands that ends a scan's data."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise _Damaged
        following = content[at + 1]
        if following != 0xFF and following != 0 and following not in _RESTARTS:
            return at
        at += 1 if following == 0xFF else 2


def _orientation(tiff: bytes) -> int:
    """Return EXIF's orientation, 1 (upright) when it is not to be found."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, at)
        for number in range(min(count, 200)):
            tag, kind, _count, value = struct.unpack_from(order + "HHIH", tiff, at + 2 + 12 * number)
            if tag == 0x0112 and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _exif_of(orientation: int) -> bytes:
    """Return an EXIF segment that says how the photo is turned, and nothing else."""
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\x00\x2a" + struct.pack(">I", 8) + struct.pack(">H", 1) + entry + struct.pack(">I", 0)
    data = b"Exif\0\0" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


# Animation, transparency, colour profile and the two codings; EXIF and XMP go.
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_EXIF_AND_XMP = 0x08 | 0x04


def _webp(content: bytes) -> Drawing:
    (size,) = struct.unpack_from("<I", content, 4)
    end = 8 + size
    if end > len(content):
        raise _Damaged
    pieces: list[bytes] = []
    canvas = coded = None
    at = 12
    while at < end:
        kind = content[at : at + 4]
        (length,) = struct.unpack_from("<I", content, at + 4)
        data = content[at + 8 : at + 8 + length]
        if len(data) != length or at + 8 + length > end:
            raise _Damaged
        at += 8 + length + length % 2
        if kind == b"VP8X":
            canvas = (int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1)
            data = bytes([data[0] & ~_WEBP_EXIF_AND_XMP]) + data[1:]
        elif kind == b"VP8 ":
            if data[3:6] != b"\x9d\x01\x2a":
                raise _Damaged
            wide, high = struct.unpack_from("<HH", data, 6)
            coded = (wide & 0x3FFF, high & 0x3FFF)
        elif kind == b"VP8L":
            if data[0] != 0x2F:
                raise _Damaged
            (packed,) = struct.unpack_from("<I", data, 1)
            coded = ((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
        elif kind == b"ANMF" and canvas:
            coded = canvas
        if kind in _WEBP_KEPT:
            pieces.append(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))
    shown = canvas or coded
    if coded is None or shown is None or not all(shown):
        raise _Damaged
    body = b"WEBP" + b"".join(pieces)
    return Drawing("image/webp", b"RIFF" + struct.pack("<I", len(body)) + body, *shown)
