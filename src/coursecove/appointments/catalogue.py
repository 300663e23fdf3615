"""Reading the catalogue: all of it for those who run the school, and what is offered to whoever looks."""

from __future__ import annotations

import secrets
import uuid
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import queries
from coursecove.appointments.models import AppointmentType
from coursecove.appointments.schemas import AppointmentTypeView, QuestionView
from coursecove.errors import NotFound
from coursecove.formatting import local
from coursecove.i18n import _
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

# Who a type's visibility lets in without a key; staff see everything.
_SEEN_BY_VISITORS = ("public",)
_SEEN_BY_STUDENTS = ("public", "members")


async def list_types(
    session: AsyncSession, *, include_unpublished: bool = False, include_archived: bool = False
) -> list[AppointmentTypeView]:
    """Return what the school has, whoever may see it, in its order, then by name; three reads however many.

    For the school's own pages; what visitors and students are shown comes from
    :func:`offered_types`.  ``include_archived`` adds every archived type,
    published or not.
    """
    return await type_views(
        session,
        queries.listed(
            queries.types(), include_unpublished=include_unpublished, include_archived=include_archived
        ),
    )


async def get_type(session: AsyncSession, type_id: uuid.UUID) -> AppointmentTypeView:
    """Return one type, whoever may see it, offered now or not; raises :class:`NotFound`."""
    return await _one(session, queries.types().where(AppointmentType.id == type_id))


async def get_type_by_slug(session: AsyncSession, slug: str) -> AppointmentTypeView:
    """Return the type with this address, whoever may see it, offered now or not; raises :class:`NotFound`."""
    return await _one(session, queries.types().where(AppointmentType.slug == slug))


async def offered_types(session: AsyncSession, *, viewer: Member | None) -> list[AppointmentTypeView]:
    """Return what ``viewer`` (None: a visitor) is offered without being given a link.

    Published types only: public ones for everybody, those for members to whoever
    is signed in as one, all of them to staff.  Instructors whose qualification
    has lapsed are left out.
    """
    statement = queries.listed(queries.types(), include_unpublished=False, include_archived=False)
    if not is_staff(viewer):
        seen = _SEEN_BY_STUDENTS if viewer else _SEEN_BY_VISITORS
        statement = statement.where(AppointmentType.visibility.in_(seen))
    return await type_views(session, statement, only_current=True)


async def get_offered_type(
    session: AsyncSession, type_id: uuid.UUID, *, viewer: Member | None, key: str | None = None
) -> AppointmentTypeView:
    """Return a type that ``viewer`` may look at and book; ``key`` is the one of a type seen by link.

    Staff may look at drafts too.  Raises :class:`NotFound` in the same words for
    what does not exist, is archived or a draft, and is not for this viewer:
    nothing is to be guessed at.
    """
    statement = queries.types().where(AppointmentType.id == type_id)
    return _check_offered(await _one(session, statement, only_current=True), viewer, key)


async def get_offered_type_by_slug(
    session: AsyncSession, slug: str, *, viewer: Member | None, key: str | None = None
) -> AppointmentTypeView:
    """Return the type with this address as :func:`get_offered_type` does."""
    statement = queries.types().where(AppointmentType.slug == slug)
    return _check_offered(await _one(session, statement, only_current=True), viewer, key)


def is_staff(viewer: Member | None) -> bool:
    """Say whether somebody works at the school."""
    return viewer is not None and viewer.role in ("instructor", "admin")


def _check_offered(type_: AppointmentTypeView, viewer: Member | None, key: str | None) -> AppointmentTypeView:
    if type_.archived_at is None and (is_staff(viewer) or _is_shown(type_, viewer, key)):
        return type_
    raise _unknown()


def _is_shown(type_: AppointmentTypeView, viewer: Member | None, key: str | None) -> bool:
    if type_.published_at is None:
        return False
    if type_.visibility == "link":
        # Compared in constant time: how long it takes is not to tell how much of a key is right.
        known = (type_.link_key or "").encode()
        return bool(known) and secrets.compare_digest(known, (key or "").encode("utf-8", "replace"))
    return type_.visibility in (_SEEN_BY_STUDENTS if viewer else _SEEN_BY_VISITORS)


def _unknown() -> NotFound:
    return NotFound(_("There is no such appointment type at this school."))


async def type_views(
    session: AsyncSession, statement: Select[Any], *, only_current: bool = False
) -> list[AppointmentTypeView]:
    """Make views of the rows of :func:`queries.types`, in three reads however many; for this room."""
    rows = (await session.execute(statement)).mappings().all()
    if not rows:
        return []
    organization = await tenants.get_organization(session)
    everybody = {uuid.UUID(id_) for row in rows for id_ in row["qualified"] or ()}
    # By name, as the school lists its people; whoever left or teaches no more is not among them.
    teaching = list(await tenants.instructors_by_id(session, everybody)) if everybody else []
    today = local(clock.now(), organization.time_zone).date() if only_current else None
    return [_view(row, organization.currency, teaching, today) for row in rows]


def _view(row: Any, currency: str, teaching: list[uuid.UUID], today: date | None) -> AppointmentTypeView:
    last_days = {
        uuid.UUID(id_): date.fromisoformat(day) if day else None
        for id_, day in (row["qualified"] or {}).items()
    }
    shown = [
        id_
        for id_ in teaching
        if id_ in last_days and not (today and (last_day := last_days[id_]) and last_day < today)
    ]
    return AppointmentTypeView(
        **{name: row[name] for name in queries.TYPE_COLUMNS if name != "link_key"},
        # A type that is public now keeps its key asleep, for the day it is shared by link again.
        link_key=row["link_key"] if row["visibility"] == "link" else None,
        currency=currency,
        # A place means nothing to an online lesson; the link is kept for the day it is in person again.
        location_ids=list(row["location_ids"]) if row["location_mode"] == "in_person" else [],
        instructor_ids=shown,
        qualified_until={id_: last_day for id_ in shown if (last_day := last_days[id_]) is not None},
        questions=msgspec.convert(row["questions"] or [], list[QuestionView]),
    )


async def _one(
    session: AsyncSession, statement: Select[Any], *, only_current: bool = False
) -> AppointmentTypeView:
    found = await type_views(session, statement, only_current=only_current)
    if not found:
        raise _unknown()
    return found[0]
