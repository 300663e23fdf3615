"""What every kind of list has in common: columns, rows with problems, a look and a taking over."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import CourseCoveError
from coursecove.i18n import _, speaking
from coursecove.spreadsheets import Row, Table, write_table
from coursecove.tenants.models import Member
from coursecove.tenants.uploaded_lists import ListKind, UploadedListView


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what may stand in it, two examples, and other names it is known by."""

    name: str
    title: str
    hint: str
    examples: tuple[str, str]
    aliases: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a row; ``column`` is its name for a person, "" when it is about the whole row."""

    row: int
    column: str
    message: str


@dataclass(slots=True)
class Outcome:
    """What a list would do, or has done: how many rows are right, what is wrong, what to know."""

    done: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: Why the list cannot be used as a whole.
    refused: str | None = None

    @property
    def ready(self) -> bool:
        """Say whether all of it can be taken over."""
        return bool(self.done) and not self.problems and self.refused is None


@dataclass(frozen=True, slots=True)
class Work:
    """What the reading of a list works with."""

    session: AsyncSession
    table: Table
    by: Member
    taken: UploadedListView | None = None
    #: Whether it is for real; looking at a list is undone by whoever asked for it.
    apply: bool = False


async def outcome_of(kind: ImportKind, work: Work) -> Outcome:
    """Do what a list says, or say why not; a list that is wrong as a whole has a note and nothing done."""
    try:
        return await kind.read(work)
    except CourseCoveError as error:
        message = next(iter(error.fields.values()), error.detail or _(error.title))
        return Outcome(refused=message)


@dataclass(frozen=True, slots=True)
class ImportKind:
    """A kind of list."""

    slug: str
    kind: ListKind
    title: str
    lead: str
    icon: str
    columns: tuple[Column, ...]
    read: Callable[[Work], Awaitable[Outcome]]
    #: What the button says: "Invite 12 people".
    confirm: Callable[[int], str]
    #: What is said when it is done.
    done: Callable[[int], str]
    #: Where one sees the result.
    result_href: str

    def headings(self) -> Mapping[str, Sequence[str]]:
        """Return the names each column may have, in every language; the reader's first."""
        found: dict[str, Sequence[str]] = {}
        for column in self.columns:
            names = [_(column.title)]
            for language in ("en", "de"):
                with speaking(language):
                    names.append(_(column.title))
            found[column.name] = [*names, *column.aliases]
        return found

    def template(self) -> bytes:
        """Return a file with the columns and two rows to write over."""
        rows = [[_(column.examples[number]) for column in self.columns] for number in (0, 1)]
        return write_table([_(column.title) for column in self.columns], rows)

    def title_of(self, name: str) -> str:
        """Return what a column is called; "" for what is no column."""
        return next((_(column.title) for column in self.columns if column.name == name), "")

    def missing(self, row: Row) -> list[Problem]:
        """Return a problem for every cell of a row that has to be filled and is not."""
        return [
            Problem(row.number, _(column.title), _("This is needed."))
            for column in self.columns
            if column.required and not row.cells.get(column.name)
        ]


def spoken(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return a look-up of what people write, in any of our languages, for what we call it."""
    found: dict[str, str] = {}
    for value, names in words.items():
        for name in (value, *names):
            for language in ("en", "de"):
                with speaking(language):
                    found[_(name).casefold()] = value
            found[name.casefold()] = value
    return found


def parts(cell: str) -> list[str]:
    """Return the names in a cell that holds several, with commas, semicolons or lines between them."""
    normal = cell.replace(";", ",").replace("\n", ",")
    return [part.strip() for part in normal.split(",") if part.strip()]


def by_name(pairs: Sequence[tuple[str, uuid.UUID]]) -> dict[str, uuid.UUID | None]:
    """Return ids by name, whatever its capitals; None where two share one."""
    found: dict[str, uuid.UUID | None] = {}
    for name, id_ in pairs:
        key = name.casefold()
        found[key] = None if key in found and found[key] != id_ else id_
    return found
