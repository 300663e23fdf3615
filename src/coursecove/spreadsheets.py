"""Lists as files that spreadsheet programs write and read: comma-separated values (RFC 4180).

Files are read as people's programs happen to save them: UTF-8, UTF-16 or
Windows-1252; with commas, semicolons or tabs.  They are written in one way:
UTF-8 with a byte order mark, without which Excel takes it for something else.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from coursecove.errors import Invalid
from coursecove.i18n import _

MAX_BYTES = 2_000_000
MAX_ROWS = 5_000
_LONGEST_CELL = 5_000
_SEPARATORS = ",;\t"
#: What a spreadsheet program would take for the beginning of a formula, and run.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: its number as the spreadsheet shows it, and its cells by column."""

    number: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """What a file says: the columns that are used, the rows, and the headings nobody knows."""

    columns: list[str]
    rows: list[Row]
    unknown: list[str]


class TableWriter:
    """Writes a file row by row, so that a long list is never in memory; no cell is taken for a formula."""

    def __init__(self, file: IO[bytes], header: Sequence[str]) -> None:
        self._file = file
        file.write(b"\xef\xbb\xbf")
        self.write(header)

    def write(self, row: Sequence[object]) -> None:
        """Append a row."""
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\r\n").writerow([_harmless(cell) for cell in row])
        self._file.write(line.getvalue().encode("utf-8", "replace"))


def write_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a file of these rows, as :class:`TableWriter` writes it."""
    file = io.BytesIO()
    writer = TableWriter(file, header)
    for row in rows:
        writer.write(row)
    return file.getvalue()


def _harmless(cell: object) -> str:
    """Return a cell as text; an apostrophe in front keeps a text from being run as a formula."""
    if cell is None:
        return ""
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text.startswith(_FORMULA) else text


def decoded(content: bytes) -> str:
    """Return the text of a file, whichever of the usual encodings it has.

    Raises :class:`Invalid` at ``file`` for what is too large, empty or no text.
    """
    if len(content) > MAX_BYTES:
        raise Invalid(fields={"file": _("This file is too large: at most 2 MB, please.")})
    if not content.strip(b"\x00\xff\xfe\xef\xbb\xbf \t\r\n"):
        raise Invalid(fields={"file": _("This file is empty.")})
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise Invalid(
            fields={"file": _("This is not a CSV file. In your spreadsheet program, choose “Save as” and CSV.")}
        )
    text = _decode(content)
    if text is None or _CONTROL.search(text):
        raise Invalid(fields={"file": _("This file cannot be read as text. Save it as CSV in UTF-8.")})
    return text


def _decode(content: bytes) -> str | None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _try(content, "utf-16")
    if content.startswith(b"\xef\xbb\xbf"):
        return _try(content, "utf-8-sig")
    start = content[:400]
    if start.count(b"\x00") > len(start) // 4:
        # UTF-16 without its mark: letters of our languages have a zero in front or behind.
        return _try(content, "utf-16-le" if start[1:2] == b"\x00" else "utf-16-be")
    return _try(content, "utf-8") or _try(content, "cp1252")


def _try(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def read_table(text: str, headings: Mapping[str, Sequence[str]]) -> Table:
    """Return the rows of a file whose first line names its columns.

    ``headings`` are the columns that are looked for, each with all names it may
    have; capitals, blanks and punctuation make no difference.  Empty lines are
    skipped.  Raises :class:`Invalid` at ``file`` when there are no columns of
    ours, a column twice, no rows, or too many.
    """
    lines = _lines(text)
    head = next(lines, None)
    known = {_plain(name): column for column, names in headings.items() for name in (column, *names)}
    found = [known.get(_plain(cell)) for cell in (head[1] if head else [])]
    columns = [column for column in found if column]
    if head is None or not columns:
        expected = ", ".join(names[0] for names in headings.values())
        message = _("The first line has to name the columns. These are known: {columns}.")
        raise Invalid(fields={"file": message.format(columns=expected)})
    if len(set(columns)) < len(columns):
        twice = next(column for column in columns if columns.count(column) > 1)
        raise Invalid(
            fields={"file": _("The column “{column}” is there twice.").format(column=headings[twice][0])}
        )
    rows: list[Row] = []
    for number, cells in lines:
        if not any(cells):
            continue
        if len(rows) == MAX_ROWS:
            raise Invalid(fields={"file": _("This file has too many rows: at most 5,000, please.")})
        rows.append(Row(number, {c: cell for c, cell in zip(found, cells, strict=False) if c}))
    if not rows:
        raise Invalid(fields={"file": _("This file has no rows below its first line.")})
    unknown = [cell for column, cell in zip(found, head[1], strict=True) if cell and not column]
    return Table(columns, rows, unknown)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of a file with their numbers, cells trimmed and without the mark against formulas."""
    first, _newline, rest = text.partition("\n")
    offset = 0
    declared = re.fullmatch(r"sep=([,;\t])\r?", first)
    if declared:
        # What Excel writes to say which separator follows.
        text, offset = rest, 1
    separator = declared[1] if declared else _separator_of(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = offset
    try:
        for cells in reader:
            yield number + 1, [_cell(cell) for cell in cells]
            number = offset + reader.line_num
    except csv.Error:
        message = _("Line {number} cannot be read: a quotation mark is missing or in the wrong place.")
        raise Invalid(fields={"file": message.format(number=number + 1)}) from None


def _separator_of(text: str) -> str:
    line = text.lstrip("\r\n").partition("\n")[0]
    outside = re.sub(r'"[^"]*"', "", line)
    return max(_SEPARATORS, key=outside.count)


def _cell(text: str) -> str:
    if len(text) > _LONGEST_CELL:
        raise Invalid(fields={"file": _("A cell of this file is too long: at most 5,000 characters, please.")})
    stripped = text.strip()
    return stripped[1:] if stripped[:1] == "'" and stripped[1:2] in ("=", "+", "-", "@") else stripped


def _plain(heading: str) -> str:
    return re.sub(r"[^\w]+|_", "", heading).casefold()
