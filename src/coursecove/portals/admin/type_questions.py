"""The intake questions of an appointment type: list, form, order, archive."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, QuestionCreate, QuestionUpdate, QuestionView
from coursecove.appointments.writing import one_at_a_time
from coursecove.errors import NotFound
from coursecove.i18n import N_, _
from coursecove.portals import staleness
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.ordered_lists import put_beside, restored, with_handle
from coursecove.portals.admin.type_list import tabs_of, trail
from coursecove.portals.forms import Form, attempt, convert, read_form
from coursecove.portals.pages import redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

AnyRequest = Request[Any, Any, Any]
FIELDS = ("kind", "label", "hint", "options", "required")
LABELS = {
    "kind": N_("Kind of answer"),
    "label": N_("Question"),
    "hint": N_("Hint"),
    "options": N_("Answers to choose from"),
    "required": N_("Has to be answered"),
}
KINDS = {
    "short_text": N_("A short text"),
    "long_text": N_("A long text"),
    "choice": N_("One of several answers"),
    "yes_no": N_("Yes or no"),
}


class QuestionPages(Controller):
    """What students are asked when they book a type."""

    path = "/admin/types/{slug:str}/questions"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def listed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """List what is asked, in order, and below what was asked before."""
        type_ = await appointments.get_type_by_slug(session, slug)
        everything = await appointments.list_questions(session, type_.id, include_archived=True)
        asked = [question for question in everything if question.archived_at is None]
        return render(
            request,
            "admin/questions.html",
            admin_page(request, _("Questions of {name}").format(name=type_.name), *trail(type_)),
            type=type_,
            tabs=tabs_of(type_, "questions"),
            base=_base(type_),
            rows=[
                {**_row(type_, question), "first": index == 0, "last": index + 1 == len(asked)}
                for index, question in enumerate(asked)
            ],
            archived=[_row(type_, question) for question in everything if question.archived_at],
        )

    @get("/new")
    async def blank(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show an empty form."""
        type_ = await appointments.get_type_by_slug(session, slug)
        return _form(request, Form({"kind": "short_text"}), type_)

    @post("/new", status_code=200)
    async def create(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Ask it, after the others; nothing typed is lost when something is wrong."""
        type_ = await appointments.get_type_by_slug(session, slug)
        form = Form(await read_form(request, fields=FIELDS))

        async def verb() -> QuestionView:
            return await appointments.add_question(session, type_.id, _typed(form), by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is not None:
            return _form(request, refused, type_, status_code=refused.refused_status)
        return redirect(request, _base(type_), flash=_("Students are asked this from now on."))

    @get("/{question:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
        question: FromPath[str],
    ) -> Response[Any]:
        """Show a question as it is stored."""
        type_, found = await _find(session, slug, question)
        return _form(request, staleness.drawn(_values(found)), type_, found)

    @post("/{question:str}", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        question: FromPath[str],
    ) -> Response[Any]:
        """Ask it in other words; answers that were given keep theirs."""
        type_, found = await _find(session, slug, question)
        form = Form(await read_form(request, fields=(*FIELDS, *staleness.FIELDS)))

        async def stored() -> dict[str, Any]:
            await one_at_a_time(session)
            return _values(await appointments.get_question(session, found.id))

        async def verb() -> QuestionView:
            await staleness.check(
                session,
                form,
                stored,
                subject=("question", found.id),
                labels=LABELS,
                by=by,
                words={"kind": {kind: _(label) for kind, label in KINDS.items()}},
            )
            changes = QuestionUpdate(**msgspec.structs.asdict(_typed(form)))
            return await appointments.change_question(session, found.id, changes, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is not None:
            return _form(request, refused, type_, found, status_code=refused.refused_status)
        return redirect(request, _base(type_), flash=_("The question is saved."))

    @post("/{question:str}/archive", status_code=200)
    async def archive(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        question: FromPath[str],
    ) -> Response[Any]:
        """Ask it no longer; it can be restored from the same page."""
        await read_form(request, fields=())
        type_, found = await _find(session, slug, question)
        await appointments.archive_question(session, found.id, by=by)
        text = _("It is asked no longer. Answers stay with their lessons; you can restore it below.")
        return redirect(request, _base(type_), flash=text)

    @post("/{question:str}/restore", status_code=200)
    async def restore(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        question: FromPath[str],
    ) -> Response[Any]:
        """Ask it again."""
        type_, found = await _find(session, slug, question)
        return await restored(
            request,
            session,
            lambda: appointments.restore_question(session, found.id, by=by),
            back=_base(type_),
            said=_("It is asked again."),
        )

    @post("/{question:str}/move", status_code=200)
    async def move(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        question: FromPath[str],
    ) -> Response[Any]:
        """Ask it before or after its neighbour."""
        type_, found = await _find(session, slug, question)
        return await put_beside(
            request,
            [one.id for one in type_.questions],
            found.id,
            lambda pair: appointments.reorder_questions(session, type_.id, pair, by=by),
            back=f"{_base(type_)}#{_handle(found)}",
        )


def _base(type_: AppointmentTypeView) -> str:
    return f"/admin/types/{type_.slug}/questions"


def _handle(question: QuestionView) -> str:
    return handle_of(question.id, question.label)


async def _find(session: AsyncSession, slug: str, handle: str) -> tuple[AppointmentTypeView, QuestionView]:
    type_ = await appointments.get_type_by_slug(session, slug)
    questions = await appointments.list_questions(session, type_.id, include_archived=True)
    found = with_handle(questions, handle, handle_of=_handle)
    if found is None:
        raise NotFound(_("There is no such question at this school."))
    return type_, found


def _typed(form: Form) -> QuestionCreate:
    values = {
        **form.values,
        # Empty lines say nothing; what the page hides for another kind is not read.
        "options": [line.strip() for line in form.value("options").split("\n") if line.strip()]
        if form.value("kind") == "choice"
        else [],
        "required": bool(form.value("required")),
    }
    messages = {
        "kind": _("Choose a kind of answer."),
        "options": _("Give up to 30 answers of at most 120 characters, each on a line of its own."),
    }
    return convert(values, QuestionCreate, messages=messages)


def _values(question: QuestionView) -> dict[str, Any]:
    return {
        "kind": question.kind,
        "label": question.label,
        "hint": question.hint,
        "options": "\n".join(question.options),
        "required": question.required,
    }


def _row(type_: AppointmentTypeView, question: QuestionView) -> dict[str, Any]:
    return {
        "label": question.label,
        "handle": _handle(question),
        "href": f"{_base(type_)}/{_handle(question)}",
        "kind": _(KINDS[question.kind]),
        "options": question.options,
        "required": question.required,
    }


def _form(
    request: AnyRequest,
    form: Form,
    type_: AppointmentTypeView,
    question: QuestionView | None = None,
    *,
    status_code: int = 200,
) -> Response[Any]:
    above = (*trail(type_), (_("Questions"), _base(type_)))
    return render(
        request,
        "admin/question_form.html",
        admin_page(request, _("Question") if question else _("New question"), *above),
        status_code=status_code,
        form=form,
        labels={name: _(label) for name, label in LABELS.items()},
        kinds=[{"value": kind, "label": _(label)} for kind, label in KINDS.items()],
        question=question,
        action=f"{_base(type_)}/{_handle(question) if question else 'new'}",
        back_href=_base(type_),
    )
