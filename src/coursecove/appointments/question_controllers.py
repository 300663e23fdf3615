"""Intake questions, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Literal

from litestar import Controller, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service
from coursecove.appointments.schemas import QuestionCreate, QuestionUpdate, QuestionView
from coursecove.tenants import guards
from coursecove.tenants.models import Member

_BY_ADMINS = {"by": Provide(guards.as_admin)}


class QuestionList(Struct, frozen=True):
    """Questions in the order they are asked."""

    items: list[QuestionView]


class QuestionOrder(Struct, forbid_unknown_fields=True):
    """Questions in the order they are to have."""

    question_ids: list[uuid.UUID]


class QuestionsOfTypeController(Controller):
    """What students are asked when they book a type."""

    path = "/appointment-types/{type_id:uuid}/questions"
    tags = ["Catalogue"]
    dependencies = _BY_ADMINS

    @get(
        operation_id="list_questions",
        summary="The questions of an appointment type",
        response_description="The questions in the order they are asked.",
    )
    async def list_questions(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        type_id: FromPath[uuid.UUID],
        include: FromQuery[list[Literal["archived"]] | None] = None,
    ) -> QuestionList:
        """Return what is asked, and with `?include=archived` what was asked before; for admins.

        Everybody else finds what is asked in the appointment type.
        """
        await service.get_type(session, type_id)
        return QuestionList(
            await service.list_questions(session, type_id, include_archived="archived" in (include or ()))
        )

    @post(
        operation_id="add_question",
        summary="Ask one more question",
        response_description="The new question.",
    )
    async def add_question(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        type_id: FromPath[uuid.UUID],
        data: JSONBody[QuestionCreate],
    ) -> QuestionView:
        """Ask it after the others; for admins."""
        return await service.add_question(session, type_id, data, by=by)

    @put(
        "/order",
        operation_id="reorder_questions",
        summary="Put questions in order",
        response_description="The questions in the order they are asked now.",
    )
    async def reorder_questions(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        type_id: FromPath[uuid.UUID],
        data: JSONBody[QuestionOrder],
    ) -> QuestionList:
        """Ask the given questions in this order, in the places they have together.  For admins."""
        return QuestionList(await service.reorder_questions(session, type_id, data.question_ids, by=by))


class QuestionController(Controller):
    """One intake question."""

    path = "/questions/{question_id:uuid}"
    tags = ["Catalogue"]
    dependencies = _BY_ADMINS

    @get(operation_id="get_question", summary="One question", response_description="The question.")
    async def get_question(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        question_id: FromPath[uuid.UUID],
    ) -> QuestionView:
        """Return one question, asked now or not; for admins."""
        return await service.get_question(session, question_id)

    @patch(
        operation_id="change_question",
        summary="Change a question",
        response_description="The question as it is now.",
    )
    async def change_question(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        question_id: FromPath[uuid.UUID],
        data: JSONBody[QuestionUpdate],
    ) -> QuestionView:
        """Change what is sent, keep the rest; answers keep the question they were given to.  For admins."""
        return await service.change_question(session, question_id, data, by=by)

    @post(
        "/archival",
        operation_id="archive_question",
        summary="Archive a question",
        response_description="The archived question.",
        status_code=200,
    )
    async def archive_question(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        question_id: FromPath[uuid.UUID],
    ) -> QuestionView:
        """Ask it no longer; answers stay with their lessons.  For admins."""
        return await service.archive_question(session, question_id, by=by)

    @delete(
        "/archival",
        operation_id="restore_question",
        summary="Restore a question",
        response_description="The restored question.",
        status_code=200,
    )
    async def restore_question(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        question_id: FromPath[uuid.UUID],
    ) -> QuestionView:
        """Ask it again where it stood.  For admins."""
        return await service.restore_question(session, question_id, by=by)
