"""Intake questions: what students are asked when they book, and whether they answered.

A booking keeps each question as it was asked, beside its answer.  A question
that is asked no longer is archived and never deleted: nobody here knows which
were answered, and one that comes back keeps its place.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import queries
from coursecove.appointments.catalogue import get_type
from coursecove.appointments.models import IntakeQuestion
from coursecove.appointments.schemas import Answer, QuestionCreate, QuestionUpdate, QuestionView
from coursecove.appointments.validation import checked
from coursecove.appointments.writing import changes_of, in_new_order, one_at_a_time, record
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.i18n import _
from coursecove.tenants.models import Member
from coursecove.text import is_storable, one_line, paragraphs

_PLAIN = ("kind", "label", "hint", "options", "required")
_LONGEST = {"short_text": 200, "long_text": 2000}
_MOST_QUESTIONS = 30


async def list_questions(
    session: AsyncSession, type_id: uuid.UUID, *, include_archived: bool = False
) -> list[QuestionView]:
    """Return the questions of a type in their order; the archived ones only if asked for."""
    statement = queries.questions().where(IntakeQuestion.appointment_type_id == type_id)
    if not include_archived:
        statement = statement.where(IntakeQuestion.archived_at.is_(None))
    return [QuestionView(**row) for row in (await session.execute(statement)).mappings()]


async def get_question(session: AsyncSession, question_id: uuid.UUID) -> QuestionView:
    """Return one question, asked now or not; raises :class:`NotFound`."""
    row = (
        (await session.execute(queries.questions().where(IntakeQuestion.id == question_id)))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound(_("There is no such question at this school."))
    return QuestionView(**row)


async def add_question(
    session: AsyncSession, type_id: uuid.UUID, data: QuestionCreate, *, by: Member
) -> QuestionView:
    """Ask one more question, after the others of its type.

    Raises ``NotFound`` for the type, and ``Invalid`` for a choice without options
    or options of anything else.
    """
    data = checked(data)
    await one_at_a_time(session)
    type_ = await get_type(session, type_id)
    _check_options(data.kind, data.options)
    _check_room(len(type_.questions))
    last = await session.scalar(
        select(func.max(IntakeQuestion.position)).where(IntakeQuestion.appointment_type_id == type_id)
    )
    question_id: uuid.UUID = uuid.uuid4()
    await session.execute(
        insert(IntakeQuestion).values(
            organization_id=organization_of(session),
            id=question_id,
            appointment_type_id=type_id,
            position=0 if last is None else last + 1,
            **{name: getattr(data, name) for name in _PLAIN},
        )
    )
    made = await get_question(session, question_id)
    _record(session, "question.created", made, by=by, data={name: getattr(made, name) for name in _PLAIN})
    return made


async def change_question(
    session: AsyncSession, question_id: uuid.UUID, data: QuestionUpdate, *, by: Member
) -> QuestionView:
    """Ask a question in other words; answers that were given keep the words they were given to."""
    data = checked(data)
    await one_at_a_time(session)
    before = await get_question(session, question_id)
    kind = before.kind if data.kind is UNSET else data.kind
    if kind != "choice" and data.options is UNSET:
        data.options = []
    _check_options(kind, before.options if data.options is UNSET else data.options)
    changes = changes_of(data, before, among=_PLAIN)
    if not changes:
        return before
    await _set(session, question_id, {name: change["to"] for name, change in changes.items()})
    after = await get_question(session, question_id)
    _record(session, "question.changed", after, by=by, data=changes)
    return after


async def archive_question(session: AsyncSession, question_id: uuid.UUID, *, by: Member) -> QuestionView:
    """Ask it no longer; answers stay with their lessons.  Twice is the same as once."""
    await one_at_a_time(session)
    before = await get_question(session, question_id)
    if before.archived_at is not None:
        return before
    await _set(session, question_id, {"archived_at": clock.now()})
    _record(session, "question.archived", before, by=by)
    return await get_question(session, question_id)


async def restore_question(session: AsyncSession, question_id: uuid.UUID, *, by: Member) -> QuestionView:
    """Ask an archived question again, where it stood."""
    await one_at_a_time(session)
    before = await get_question(session, question_id)
    if before.archived_at is None:
        return before
    _check_room(len(await list_questions(session, before.appointment_type_id)))
    await _set(session, question_id, {"archived_at": None})
    _record(session, "question.restored", before, by=by)
    return await get_question(session, question_id)


async def reorder_questions(
    session: AsyncSession, type_id: uuid.UUID, question_ids: list[uuid.UUID], *, by: Member
) -> list[QuestionView]:
    """Ask these questions in this order, in the places they have together; others stay where they are.

    Raises ``Invalid`` at ``question_ids`` for one that the type does not ask.
    """
    await one_at_a_time(session)
    await get_type(session, type_id)
    before = await list_questions(session, type_id, include_archived=True)
    order = in_new_order([q.id for q in before], question_ids, field="question_ids")
    if order == [q.id for q in before]:
        return await list_questions(session, type_id)
    await session.execute(
        update(IntakeQuestion)
        .where(IntakeQuestion.appointment_type_id == type_id)
        .values(position=func.array_position(order, IntakeQuestion.id))
        .execution_options(synchronize_session=False)
    )
    record(
        session,
        "appointment_type.questions_reordered",
        subject_type="appointment_type",
        subject_id=type_id,
        by=by,
        data={"question_ids": {"from": [q.id for q in before], "to": order}},
    )
    return await list_questions(session, type_id)


async def copy_questions(session: AsyncSession, from_id: uuid.UUID, to_id: uuid.UUID) -> int:
    """Ask in one type what is asked in another; return how many questions that are."""
    asked = await list_questions(session, from_id)
    if asked:
        await session.execute(
            insert(IntakeQuestion).values(
                [
                    {
                        "organization_id": organization_of(session),
                        "id": uuid.uuid4(),
                        "appointment_type_id": to_id,
                        "position": position,
                        **{name: getattr(question, name) for name in _PLAIN},
                    }
                    for position, question in enumerate(asked)
                ]
            )
        )
    return len(asked)


def check_answers(
    questions: Iterable[QuestionView], answers: Mapping[uuid.UUID, str], *, complete: bool = True
) -> list[Answer]:
    """Return what was answered, in the order of the questions, each with its question as it was asked.

    Without ``complete`` a required question may be left open, as staff may who
    book for somebody else.

    Raises :class:`Invalid` at ``answers.<id>`` for every answer that is needed and
    missing, is not one of the choices, is too long, or belongs to no question
    that is asked here.
    """
    found: list[Answer] = []
    problems: dict[str, str] = {}
    asked = {question.id: question for question in questions}
    for unknown in answers.keys() - asked.keys():
        problems[answer_field(unknown)] = _("This question is not asked here (any more).")
    for question in asked.values():
        text = answers.get(question.id, "")
        tidied = (paragraphs if question.kind == "long_text" else one_line)(text)
        problem = _problem(question, tidied, complete=complete)
        if problem:
            problems[answer_field(question.id)] = problem
        elif tidied:
            found.append(Answer(question.id, question.kind, question.label, tidied))
    if problems:
        raise Invalid(fields=problems)
    return found


def answer_field(question_id: uuid.UUID) -> str:
    """Return the name under which a refusal speaks of an answer."""
    return f"answers.{question_id}"


def _problem(question: QuestionView, answer: str, *, complete: bool) -> str | None:
    if not answer:
        return _("Please answer this.") if question.required and complete else None
    if not is_storable(answer):
        return _("Remove the characters that cannot be shown.")
    if question.kind == "yes_no":
        return None if answer in ("yes", "no") else _("Choose yes or no.")
    if question.kind == "choice":
        return None if answer in question.options else _("Choose one of the answers.")
    longest = _LONGEST[question.kind]
    if len(answer) > longest:
        return _("Keep this to {most} characters; it has {count}.").format(most=longest, count=len(answer))
    return None


def _check_options(kind: str, options: list[str]) -> None:
    problem = None
    if kind == "choice" and len(options) < 2:
        problem = _("Give at least two answers to choose from.")
    elif kind == "choice" and len(set(options)) < len(options):
        problem = _("Name every answer once.")
    elif kind != "choice" and options:
        problem = _("Only a choice has answers to choose from.")
    if problem:
        raise Invalid(fields={"options": problem})


def _check_room(asked: int) -> None:
    if asked >= _MOST_QUESTIONS:
        raise Invalid(
            fields={
                "label": _("{most} questions are as many as anybody answers. Archive one first.").format(
                    most=_MOST_QUESTIONS
                )
            }
        )


def _record(
    session: AsyncSession, action: str, question: QuestionView, *, by: Member, data: Any = None
) -> None:
    """Track it with the type it belongs to, for readers of what happened to the type."""
    record(
        session,
        action,
        subject_type="question",
        subject_id=question.id,
        by=by,
        data={"appointment_type_id": question.appointment_type_id, "label": question.label, **(data or {})},
    )


async def _set(session: AsyncSession, question_id: uuid.UUID, values: dict[str, Any]) -> None:
    await session.execute(
        update(IntakeQuestion)
        .where(IntakeQuestion.id == question_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
