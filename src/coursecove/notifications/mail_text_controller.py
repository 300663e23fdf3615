"""The school's own words in mails, below /api/v1."""

from __future__ import annotations

from typing import Any

from litestar import Controller, delete, get, patch
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.notifications import mail_texts
from coursecove.notifications.mail_texts import MailTextUpdate, MailTextView
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member


class MailTextList(Struct, frozen=True):
    """What the school says in every kind of mail, in every language."""

    items: list[MailTextView]


class MailTextController(Controller):
    """A subject, an opening and a closing per kind of mail and language."""

    path = "/mail-texts"
    tags = ["Organization"]
    dependencies = {"by": Provide(as_admin)}

    @get(operation_id="list_mail_texts", summary="The school's words in mails")
    async def list_mail_texts(
        self, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> MailTextList:
        """Return every kind of mail that students get, in every language; for admins.

        Empty fields say CourseCove's words.
        """
        del by
        return MailTextList(await mail_texts.list_mail_texts(session))

    @get("/{kind:str}/{language:str}", operation_id="get_mail_text", summary="The words of one mail")
    async def get_mail_text(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
        language: FromPath[str],
    ) -> MailTextView:
        """Return what the school says in one kind of mail in one language; for admins."""
        del by
        return await mail_texts.get_mail_text(session, kind, language)

    @patch("/{kind:str}/{language:str}", operation_id="update_mail_text", summary="Say it in other words")
    async def update_mail_text(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
        language: FromPath[str],
        data: JSONBody[MailTextUpdate],
    ) -> MailTextView:
        """Change the words, from the next mail on; for admins.

        In braces stand the placeholders `student`, `lesson`, `instructor`,
        `when`, `where`, `school` and `reference`, and nothing else.
        """
        return await mail_texts.change_mail_text(session, kind, language, data, by=by)

    @delete(
        "/{kind:str}/{language:str}",
        operation_id="reset_mail_text",
        summary="Say CourseCove's words again",
        status_code=200,
    )
    async def reset_mail_text(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromPath[str],
        language: FromPath[str],
    ) -> MailTextView:
        """Take the school's words out of one kind of mail in one language; for admins."""
        return await mail_texts.reset_mail_text(session, kind, language, by=by)


API_CONTROLLERS: list[Any] = [MailTextController]
