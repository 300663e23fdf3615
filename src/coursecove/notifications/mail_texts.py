"""What a school says in its mails in its own words: a subject, an opening, a closing, per kind and language.

They go into the mails that students get; instructors read CourseCove's.  What a
school leaves empty says CourseCove's, and when, where and with whom always
stands below the opening, whatever the opening says.  In braces stand names of
:data:`PLACEHOLDERS`; nothing else in braces is taken, so a text can neither
break a mail nor reach anything but these words.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import LANGUAGES, N_, _
from coursecove.notifications.models import MailText
from coursecove.tenants.models import Member
from coursecove.text import is_storable, one_line, paragraphs

#: The kinds of mail that students get, by what happened.  A kind that is rendered for students belongs here.
KINDS: dict[str, str] = {
    "confirmation": N_("A lesson is booked"),
    "series_booked": N_("A series is booked"),
    "request": N_("A lesson is asked for"),
    "approval": N_("A request is confirmed"),
    "decline": N_("A request is declined"),
    "lapse": N_("A request has lapsed"),
    "change": N_("A lesson is moved or changed"),
    "cancellation": N_("A lesson is cancelled"),
    "series_approved": N_("The requests of a series are confirmed"),
    "series_declined": N_("The requests of a series are declined"),
    "series_lapsed": N_("The requests of a series have lapsed"),
    "series_moved": N_("Lessons of a series are moved"),
    "series_cancelled": N_("Lessons of a series are cancelled"),
    "reminder": N_("A lesson begins soon"),
}
#: What may stand in braces, and what it becomes.
PLACEHOLDERS: dict[str, str] = {
    "student": N_("The student’s name"),
    "lesson": N_("The appointment type"),
    "instructor": N_("The instructor’s name"),
    "when": N_("Day and time"),
    "where": N_("The place, or “online”"),
    "school": N_("Your school’s name"),
    "reference": N_("The lesson’s reference"),
}
_BRACES = re.compile(r"\{\s*([^{}\n]*?)\s*\}")
FIELDS = ("subject", "opening", "closing")

Subject = Annotated[str, Meta(max_length=150)]
Words = Annotated[str, Meta(max_length=2000)]


class MailWords(Struct, frozen=True):
    """The school's words of one mail; "" where CourseCove's are said."""

    subject: str = ""
    opening: str = ""
    closing: str = ""

    def __bool__(self) -> bool:
        return bool(self.subject or self.opening or self.closing)


class MailTextView(Struct, frozen=True):
    """What a school says in one kind of mail in one language; ``updated_at`` is None where it says nothing."""

    kind: str
    language: str
    subject: str = ""
    opening: str = ""
    closing: str = ""
    updated_at: datetime | None = None

    @property
    def words(self) -> MailWords:
        """Return the words alone."""
        return MailWords(self.subject, self.opening, self.closing)


class MailTextUpdate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes to a mail's words; what is left out stays, and "" says CourseCove's."""

    subject: Subject | UnsetType = UNSET
    opening: Words | UnsetType = UNSET
    closing: Words | UnsetType = UNSET


def filled(words: MailWords, values: Mapping[str, str]) -> MailWords:
    """Return words with what stands in braces replaced by ``values``, once: a value is never looked into."""

    def fill(text: str) -> str:
        return _BRACES.sub(lambda found: values.get(found[1], found[0]), text)

    return MailWords(one_line(fill(words.subject)), fill(words.opening), fill(words.closing))


def problems_of(words: MailWords) -> dict[str, str]:
    """Return what is wrong with words, field by field."""
    problems: dict[str, str] = {}
    for name in FIELDS:
        text = getattr(words, name)
        unknown = next((found for found in _BRACES.findall(text) if found not in PLACEHOLDERS), None)
        if not is_storable(text):
            problems[name] = _("Remove the characters that cannot be shown.")
        elif unknown is not None:
            message = _("“{{{name}}}” is none of the placeholders: {known}.")
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            problems[name] = message.format(name=unknown, known=known)
    return problems


async def list_mail_texts(session: AsyncSession) -> list[MailTextView]:
    """Return what the school says in every kind of mail in every language, in one query."""
    stored = {(row.kind, row.locale): row for row in await session.scalars(select(MailText))}
    return [_view(kind, language, stored.get((kind, language))) for kind in KINDS for language in LANGUAGES]


async def get_mail_text(
    session: AsyncSession, kind: str, language: str, *, locked: bool = False
) -> MailTextView:
    """Return what the school says; raises :class:`NotFound` for a kind or language that does not exist."""
    if kind not in KINDS or language not in LANGUAGES:
        raise NotFound(_("There is no such mail."))
    statement = select(MailText).where(MailText.kind == kind, MailText.locale == language)
    if locked:
        statement = statement.with_for_update()
    found = await session.scalar(statement.execution_options(populate_existing=True))
    return _view(kind, language, found)


async def find_words(session: AsyncSession, kind: str, language: str) -> MailWords | None:
    """Return the school's words for a mail that is about to be written; None where it has none."""
    found = await session.scalar(select(MailText).where(MailText.kind == kind, MailText.locale == language))
    return MailWords(found.subject, found.opening, found.closing) if found else None


async def change_mail_text(
    session: AsyncSession, kind: str, language: str, changes: MailTextUpdate, *, by: Member
) -> MailTextView:
    """Say it in these words from the next mail on; all three empty means CourseCove's words again.

    Raises :class:`Invalid` for placeholders nobody knows.
    """
    before = await get_mail_text(session, kind, language, locked=True)
    given = {name: value for name in FIELDS if isinstance(value := getattr(changes, name), str)}
    tidy = {name: one_line(text) if name == "subject" else paragraphs(text) for name, text in given.items()}
    wanted = MailWords(**{name: tidy.get(name, getattr(before, name)) for name in FIELDS})
    problems = problems_of(wanted)
    if problems:
        raise Invalid(fields=problems)
    if wanted == before.words:
        return before
    if not wanted:
        return await reset_mail_text(session, kind, language, by=by)
    values = {name: getattr(wanted, name) for name in FIELDS}
    statement = insert(MailText).values(
        organization_id=organization_of(session), kind=kind, locale=language, updated_at=clock.now(), **values
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["organization_id", "kind", "locale"],
            set_={**values, "updated_at": statement.excluded.updated_at},
        )
    )
    changed = {
        name: {"from": getattr(before, name), "to": values[name]}
        for name in FIELDS
        if getattr(before, name) != values[name]
    }
    _note(session, "mail_text.changed", before, changed, by=by)
    return await get_mail_text(session, kind, language)


async def reset_mail_text(session: AsyncSession, kind: str, language: str, *, by: Member) -> MailTextView:
    """Say CourseCove's words again.  Doing it twice is fine."""
    before = await get_mail_text(session, kind, language, locked=True)
    if before.updated_at is None:
        return before
    await session.execute(
        delete(MailText)
        .where(MailText.kind == kind, MailText.locale == language)
        .execution_options(synchronize_session=False)
    )
    gone = {name: {"from": getattr(before, name), "to": ""} for name in FIELDS if getattr(before, name)}
    _note(session, "mail_text.reset", before, gone, by=by)
    return MailTextView(kind, language)


def subject_of(session: AsyncSession, kind: str, language: str) -> tuple[str, uuid.UUID]:
    """Return what facts about a mail's words are filed under: the words have no id of their own."""
    return "mail_text", uuid.uuid5(organization_of(session), f"mail_text:{kind}:{language}")


def _note(
    session: AsyncSession, action: str, text: MailTextView, changed: dict[str, dict[str, str]], *, by: Member
) -> None:
    subject_type, subject_id = subject_of(session, text.kind, text.language)
    track(
        session,
        action,
        subject_type=subject_type,
        subject_id=subject_id,
        actor_id=by.id,
        data={"kind": text.kind, "language": text.language, **changed},
    )


def _view(kind: str, language: str, row: MailText | None) -> MailTextView:
    if row is None:
        return MailTextView(kind, language)
    return MailTextView(kind, language, row.subject, row.opening, row.closing, row.updated_at)
