"""Lists as files to download: written to disk past a megabyte, and handed over in pieces.

The whole file is written before its first byte is sent: what goes wrong on the
way is an answer that says so, not half a file that looks whole.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from litestar.response import Stream

from coursecove import clock
from coursecove.portals.exports.kinds import Asking, Export
from coursecove.spreadsheets import TableWriter

_IN_MEMORY_BYTES = 1_000_000
_PIECE_BYTES = 64 * 1024


async def as_csv(export: Export, asking: Asking) -> IO[bytes]:
    """Return a list as a file, ready to be read."""
    file: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - whoever sends it closes it
    await _write(file, export, asking)
    file.seek(0)
    return file


async def as_zip(exports: Iterable[Export], asking: Asking) -> IO[bytes]:
    """Return several lists as one file."""
    file: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - whoever sends it closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for export in exports:
            entry = zipfile.ZipInfo(f"{export.slug}.csv", clock.now().timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as part:
                await _write(part, export, asking)
    file.seek(0)
    return file


async def _write(file: IO[bytes], export: Export, asking: Asking) -> None:
    writer = TableWriter(file, export.header())
    async for row in export.rows(asking):
        writer.write(row)


def download(file: IO[bytes], name: str, media_type: str) -> Stream:
    """Return the answer that hands a file over."""
    return Stream(
        _pieces(file),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
