"""Lists taken in below /api/v1: look at one, then take it over, whole or not at all."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from litestar import Controller, Response, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import discard
from coursecove.errors import Invalid
from coursecove.i18n import _, ngettext
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.lists.imports import ImportKind, kind_of
from coursecove.lists.imports.kinds import Outcome, Work, outcome_of
from coursecove.spreadsheets import MAX_BYTES, Table, decoded, read_table
from coursecove.tenants.guards import AnyRequest, as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.uploaded_lists import UploadedListView

# A file of the largest size, and what JSON puts around it.
_MAX_BODY_BYTES = 2 * MAX_BYTES
_MOST_PROBLEMS = 500


class ListUpload(Struct, forbid_unknown_fields=True):
    """A list as comma-separated values, its columns named in the first line, in English or German."""

    content: Annotated[str, Meta(max_length=MAX_BYTES)]
    file_name: Annotated[str, Meta(max_length=200)] = ""


class RowProblem(Struct, frozen=True):
    """What is wrong in a row, counted as a spreadsheet does; ``column`` is "" when it is about all of it."""

    row: int
    column: str
    message: str


class ListReview(Struct, frozen=True):
    """What a list would do: ``ready`` says that all of it can be taken over, ``notes`` what to know before."""

    rows: int
    ready: bool
    problems: list[RowProblem]
    notes: list[str]
    unknown_columns: list[str]


class ListTaken(Struct, frozen=True):
    """How many rows were taken over, and what that meant."""

    rows: int
    notes: list[str]


class ImportController(Controller):
    """`people` invites everybody, `types` adds appointment types, `hours` sets weekly hours."""

    path = "/imports"
    tags = ["Organization"]
    dependencies = {"by": Provide(as_admin)}

    @post(
        "/{kind:str}/reviews",
        operation_id="review_import",
        summary="Look at a list",
        status_code=200,
        request_max_body_size=_MAX_BODY_BYTES,
    )
    async def review(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
        data: JSONBody[ListUpload],
    ) -> ListReview:
        """Say what a list would do and every row's problem, without doing any of it; for admins.

        What is right here is right when it is taken over.
        """
        wanted = kind_of(kind)
        table, outcome = await _read(wanted, session, data, by)
        # Looking is doing, undone.
        await discard(session)
        return ListReview(
            rows=len(table.rows),
            ready=outcome.ready,
            problems=_problems(outcome),
            notes=[*([outcome.refused] if outcome.refused else []), *outcome.notes],
            unknown_columns=table.unknown,
        )

    @post(
        "/{kind:str}",
        operation_id="import_list",
        summary="Take a list over",
        request_max_body_size=_MAX_BODY_BYTES,
    )
    async def take_over(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
        data: JSONBody[ListUpload],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ListTaken]:
        """Take a whole list over; 422 with `problems` and nothing done when a row is wrong; for admins."""
        wanted = kind_of(kind)

        async def verb() -> ListTaken:
            taken = UploadedListView(uuid.uuid4(), wanted.kind, data.file_name, data.content)
            table, outcome = await _read(wanted, session, data, by, taken=taken)
            if not outcome.ready:
                raise _refusal(outcome)
            return ListTaken(len(table.rows), outcome.notes)

        return await respond_once(request, session, idempotency_key, verb, member_id=by.id)


async def _read(
    kind: ImportKind,
    session: AsyncSession,
    data: ListUpload,
    by: Member,
    *,
    taken: UploadedListView | None = None,
) -> tuple[Table, Outcome]:
    try:
        table = read_table(decoded(data.content.encode("utf-8", "surrogatepass")), kind.headings())
    except Invalid as error:
        raise Invalid(fields={"content": error.fields.get("file", error.title)}) from None
    work = Work(session, table, by, taken=taken, apply=taken is not None)
    return table, await outcome_of(kind, work)


def _problems(outcome: Outcome) -> list[RowProblem]:
    found = sorted(outcome.problems, key=lambda problem: problem.row)
    return [RowProblem(one.row, one.column, one.message) for one in found[:_MOST_PROBLEMS]]


def _refusal(outcome: Outcome) -> Invalid:
    wrong = len({problem.row for problem in outcome.problems})
    message = outcome.refused or (
        ngettext("One row cannot be taken over.", "{count} rows cannot be taken over.", wrong).format(
            count=wrong
        )
        if wrong
        else _("There is nothing to take over.")
    )
    problems = [{"row": p.row, "column": p.column, "message": p.message} for p in _problems(outcome)]
    return Invalid(fields={"content": message}, extra={"problems": problems})


API_CONTROLLERS: list[Any] = [ImportController]
