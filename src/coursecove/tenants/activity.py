"""What happened at a school, read back: who changed what, and when.

Facts are written by :func:`coursecove.events.track` in the transaction of the
change they speak of.  Here they are only read: the application role has no
grant to change what a fact says, nor to take one away.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, String, and_, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONPATH, distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.events import Event
from coursecove.tenants.models import Member

_TEXTS = cast('$.** ? (@.type() == "string")', JSONPATH)


class Fact(Struct, frozen=True):
    """One thing that happened; ``actor_name`` is None where CourseCove acted, or who did cannot be seen."""

    id: uuid.UUID
    action: str
    actor_id: uuid.UUID | None
    actor_name: str | None
    subject_type: str
    subject_id: uuid.UUID
    data: dict[str, Any]
    occurred_at: datetime


class FactPage(Struct, frozen=True):
    """A page of facts, newest first; ``total`` counts all that match."""

    items: list[Fact]
    total: int
    page: int
    page_size: int


class FactFilter(Struct, frozen=True):
    """Which facts are wanted; what is not given narrows nothing.

    ``person_id`` means what that member did and what was done about them;
    ``actions`` are beginnings such as ``booking.``; ``search`` is looked for in
    names of people and in what a fact says; ``found_ids`` are things that the
    asker found by the same words in another room.
    """

    person_id: uuid.UUID | None = None
    actions: tuple[str, ...] = ()
    from_: datetime | None = None
    until: datetime | None = None
    search: str = ""
    found_ids: tuple[uuid.UUID, ...] = ()


def _facts() -> Select[Any]:
    joined = and_(Member.organization_id == Event.organization_id, Member.id == Event.actor_id)
    who = (Member.given_name, Member.family_name, Member.email)
    statement: Any = select(Event, *who).outerjoin(Member, joined)
    found: Select[Any] = statement
    return found


async def _read(session: AsyncSession, statement: Select[Any]) -> list[Fact]:
    return [
        Fact(
            id=event.id,
            action=event.action,
            actor_id=event.actor_id,
            actor_name=f"{given or ''} {family or ''}".strip() or email,
            subject_type=event.subject_type,
            subject_id=event.subject_id,
            data=event.data,
            occurred_at=event.created_at,
        )
        for event, given, family, email in (await session.execute(statement)).all()
    ]


async def facts_about(
    session: AsyncSession, subject_type: str, subject_id: uuid.UUID, *, limit: int = 50
) -> list[Fact]:
    """Return the latest facts about one subject, newest first; instructors see those they caused.

    What is asked for an appointment type is part of the type.
    """
    about: ColumnElement[bool] = and_(Event.subject_type == subject_type, Event.subject_id == subject_id)
    if subject_type == "appointment_type":
        of_type = Event.data["appointment_type_id"].astext == str(subject_id)
        about = or_(about, and_(Event.subject_type == "question", of_type))
    return await _read(session, _newest_first(_facts().where(about)).limit(limit))


async def list_facts(
    session: AsyncSession, wanted: FactFilter, *, page: int = 1, page_size: int = 50
) -> FactPage:
    """Return one page of what happened, newest first, in two queries."""
    conditions = _conditions(wanted)
    total = await session.scalar(select(func.count()).select_from(Event).where(*conditions)) or 0
    statement = _newest_first(_facts().where(*conditions))
    items = await _read(session, statement.limit(page_size).offset((page - 1) * page_size))
    return FactPage(items, total, page, page_size)


async def openings_of(session: AsyncSession, booking_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Fact]:
    """Return the first fact about each booking, which says whose lesson it is and when, in one query."""
    wanted = set(booking_ids)
    if not wanted:
        return {}
    statement = (
        _facts()
        .where(Event.subject_type == "booking", Event.subject_id.in_(wanted), Event.data.has_key("student_id"))
        .ext(distinct_on(Event.subject_id))
        .order_by(Event.subject_id, Event.created_at)
    )
    return {fact.subject_id: fact for fact in await _read(session, statement)}


async def names_of_members(session: AsyncSession, member_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the names of people, also of those who have left, in one query."""
    wanted = set(member_ids)
    if not wanted:
        return {}
    return {
        member.id: member.name for member in await session.scalars(select(Member).where(Member.id.in_(wanted)))
    }


def _newest_first(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(Event.created_at.desc(), Event.id.desc())


def _conditions(wanted: FactFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.person_id is not None:
        text = str(wanted.person_id)
        found.append(
            or_(
                Event.actor_id == wanted.person_id,
                and_(Event.subject_type == "member", Event.subject_id == wanted.person_id),
                Event.data["student_id"].astext == text,
                Event.data["instructor_id"].astext == text,
            )
        )
    if wanted.actions:
        found.append(or_(*(Event.action.startswith(start, autoescape=True) for start in wanted.actions)))
    if wanted.from_ is not None:
        found.append(Event.created_at >= wanted.from_)
    if wanted.until is not None:
        found.append(Event.created_at < wanted.until)
    for word in wanted.search.split()[:5]:
        found.append(_speaks_of(word, wanted.found_ids))
    return found


def _speaks_of(word: str, found_ids: tuple[uuid.UUID, ...]) -> ColumnElement[bool]:
    """Return whether a fact has a word in what it says, or is by or about somebody of that name."""
    name = func.concat_ws(" ", Member.given_name, Member.family_name, Member.email)
    people = select(Member.id).where(name.icontains(word, autoescape=True))
    people_as_text = select(cast(Member.id, String)).where(name.icontains(word, autoescape=True))
    return or_(
        Event.actor_id.in_(people),
        Event.subject_id.in_(people),
        Event.subject_id.in_(found_ids),
        Event.data["student_id"].astext.in_(people_as_text),
        Event.data["instructor_id"].astext.in_(people_as_text),
        Event.data["appointment_type_id"].astext.in_([str(id_) for id_ in found_ids]),
        Event.data["location_id"].astext.in_([str(id_) for id_ in found_ids]),
        # What a fact says, at any depth, without the names of its fields.
        cast(func.jsonb_path_query_array(Event.data, _TEXTS), String).icontains(word, autoescape=True),
    )
