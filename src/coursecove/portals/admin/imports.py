"""Taking over lists from files: choose one, look at what it would do, confirm."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import discard
from coursecove.errors import Invalid, NotFound
from coursecove.i18n import _
from coursecove.lists.imports import KINDS, ImportKind, kind_of
from coursecove.lists.imports.kinds import Outcome, Work, outcome_of
from coursecove.portals.admin.navigation import AnyRequest, admin_page
from coursecove.portals.forms import Form, read_form
from coursecove.portals.pages import redirect, render
from coursecove.portals.uploads import MAX_FORM_BYTES, read_file
from coursecove.spreadsheets import Table, decoded, read_table
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.uploaded_lists import UploadedListView, drop_list, get_list, keep_list

PATH = "/admin/imports"
_SHOWN_PROBLEMS, _SHOWN_ROWS = 200, 10


class ImportPages(Controller):
    """People, appointment types and hours from files."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def chosen(
        self,
        request: AnyRequest,
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show what can be taken over."""
        kinds = [
            {"title": _(kind.title), "text": _(kind.lead), "icon": kind.icon, "href": f"{PATH}/{slug}"}
            for slug, kind in KINDS.items()
        ]
        return render(request, "admin/imports.html", admin_page(request, _("Import")), kinds=kinds)

    @get("/{kind:str}")
    async def blank(
        self,
        request: AnyRequest,
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        kind: FromPath[str],
    ) -> Response[Any]:
        """Ask for a file, and say what its columns are."""
        return _ask(request, kind_of(kind), Form())

    @get("/{kind:str}/template.csv")
    async def template(
        self,
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        kind: FromPath[str],
    ) -> Response[bytes]:
        """Download a file with the columns and two rows to write over."""
        wanted = kind_of(kind)
        return Response(
            wanted.template(),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{wanted.slug}.csv"'},
        )

    @post("/{kind:str}", status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def upload(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
    ) -> Response[Any]:
        """Keep the file's text and go on to the look at it; nothing is taken over yet."""
        wanted = kind_of(kind)
        chosen = await read_file(request, "file")
        try:
            if chosen is None:
                raise Invalid(fields={"file": _("Choose a file.")})
            content = decoded(chosen.content)
            read_table(content, wanted.headings())
        except Invalid as error:
            return _ask(request, wanted, Form().refused(error), status_code=422)
        name = "".join(c for c in chosen.name if c.isprintable())
        await keep_list(session, wanted.kind, file_name=name, content=content, by=by)
        return redirect(request, f"{PATH}/{wanted.slug}/review")

    @get("/{kind:str}/review")
    async def review(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
    ) -> Response[Any]:
        """Show what the list would do, and every row's problem; nothing is written."""
        wanted = kind_of(kind)
        try:
            taken = await get_list(session, wanted.kind, by=by)
        except NotFound:
            return redirect(request, f"{PATH}/{wanted.slug}")
        table = read_table(taken.content, wanted.headings())
        outcome = await outcome_of(wanted, Work(session, table, by))
        # Looking is doing, undone: what is right here is right when it is confirmed.
        await discard(session)
        return _show(request, wanted, taken, table, outcome)

    @post("/{kind:str}/review", status_code=200)
    async def confirm(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
    ) -> Response[Any]:
        """Take the whole list over, or nothing of it when a row is wrong meanwhile."""
        wanted = kind_of(kind)
        await read_form(request, fields=())
        try:
            taken = await get_list(session, wanted.kind, by=by)
        except NotFound as error:
            return redirect(request, f"{PATH}/{wanted.slug}", flash=error.detail, kind="warning")
        table = read_table(taken.content, wanted.headings())
        outcome = await outcome_of(wanted, Work(session, table, by, taken=taken, apply=True))
        if not outcome.ready:
            await discard(session)
            return _show(request, wanted, taken, table, outcome, status_code=409)
        return redirect(request, wanted.result_href, flash=wanted.done(outcome.done))

    @post("/{kind:str}/discard", status_code=200)
    async def throw_away(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
    ) -> Response[Any]:
        """Throw the list away."""
        await read_form(request, fields=())
        wanted = kind_of(kind)
        await drop_list(session, wanted.kind, by=by)
        return redirect(request, PATH, flash=_("The list is thrown away."))


def _trail(kind: ImportKind) -> tuple[tuple[str, str], ...]:
    return ((_("Import"), PATH), (_(kind.title), f"{PATH}/{kind.slug}"))


def _ask(request: AnyRequest, kind: ImportKind, form: Form, *, status_code: int = 200) -> Response[Any]:
    page = admin_page(request, _("Import: {kind}").format(kind=_(kind.title)), (_("Import"), PATH))
    columns = [
        {"title": _(column.title), "hint": _(column.hint), "required": column.required}
        for column in kind.columns
    ]
    return render(
        request,
        "admin/import_file.html",
        page,
        status_code=status_code,
        form=form,
        lead=_(kind.lead),
        action=f"{PATH}/{kind.slug}",
        columns=columns,
    )


def _show(
    request: AnyRequest,
    kind: ImportKind,
    taken: UploadedListView,
    table: Table,
    outcome: Outcome,
    *,
    status_code: int = 200,
) -> Response[Any]:
    problems = sorted(outcome.problems, key=lambda problem: problem.row)
    return render(
        request,
        "admin/import_review.html",
        admin_page(request, _("Look it over"), *_trail(kind)),
        status_code=status_code,
        file_name=taken.file_name,
        action=f"{PATH}/{kind.slug}/review",
        again_href=f"{PATH}/{kind.slug}",
        discard_href=f"{PATH}/{kind.slug}/discard",
        rows=len(table.rows),
        wrong=len({problem.row for problem in problems}),
        problems=problems[:_SHOWN_PROBLEMS],
        more_problems=max(len(problems) - _SHOWN_PROBLEMS, 0),
        notes=outcome.notes,
        unknown=table.unknown,
        refused=outcome.refused,
        confirm=kind.confirm(outcome.done) if outcome.ready else None,
        columns=[kind.title_of(name) for name in table.columns],
        heads=[{"label": _("Row")}, *({"label": kind.title_of(name)} for name in table.columns)],
        sample=[
            {"number": row.number, "cells": [row.cells.get(name, "") for name in table.columns]}
            for row in table.rows[:_SHOWN_ROWS]
        ],
    )
