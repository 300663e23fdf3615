"""Reading the catalogue: all of it for those who run the school, and what is offered to whoever looks."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import queries, reading
from coursecove.appointments.reading import TypeRow
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.db.together import Part, read
from coursecove.errors import NotFound
from coursecove.formatting import local
from coursecove.i18n import _
from coursecove.tenants import reading as people_reading
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

# Who a type's visibility lets in without a key; staff see everything.
_SEEN_BY_VISITORS = ("public",)
_SEEN_BY_STUDENTS = ("public", "members")
_BY_ID, _BY_SLUG = "id = %(type_id)s", "slug = %(type_slug)s"
_OFFERED = "archived_at is null and published_at is not null"


async def list_types(
    session: AsyncSession, *, include_unpublished: bool = False, include_archived: bool = False
) -> list[AppointmentTypeView]:
    """Return what the school has, whoever may see it, in its order, then by name; one read however many.

    For the school's own pages; what visitors and students are shown comes from
    :func:`offered_types`.  ``include_archived`` adds every archived type,
    published or not.
    """
    offered = "archived_at is null" if include_unpublished else _OFFERED
    return await _views(
        session, reading.types(f"({offered}) or archived_at is not null" if include_archived else offered)
    )


async def get_type(session: AsyncSession, type_id: uuid.UUID) -> AppointmentTypeView:
    """Return one type, whoever may see it, offered now or not; raises :class:`NotFound`."""
    return await _one(session, reading.types(_BY_ID, type_id=type_id))


async def get_type_by_slug(session: AsyncSession, slug: str) -> AppointmentTypeView:
    """Return the type with this address, whoever may see it, offered now or not; raises :class:`NotFound`."""
    return await _one(session, reading.types(_BY_SLUG, type_slug=slug))


async def offered_types(session: AsyncSession, *, viewer: Member | None) -> list[AppointmentTypeView]:
    """Return what ``viewer`` (None: a visitor) is offered without being given a link.

    Published types only: public ones for everybody, those for members to whoever
    is signed in as one, all of them to staff.  Instructors whose qualification
    has lapsed are left out.
    """
    part = reading.types(_OFFERED)
    if not is_staff(viewer):
        seen = _SEEN_BY_STUDENTS if viewer else _SEEN_BY_VISITORS
        part = reading.types(f"{_OFFERED} and visibility = any(%(seen)s)", seen=list(seen))
    return await _views(session, part, only_current=True)


async def get_offered_type(
    session: AsyncSession, type_id: uuid.UUID, *, viewer: Member | None, key: str | None = None
) -> AppointmentTypeView:
    """Return a type that ``viewer`` may look at and book; ``key`` is the one of a type seen by link.

    Staff may look at drafts too.  Raises :class:`NotFound` in the same words for
    what does not exist, is archived or a draft, and is not for this viewer:
    nothing is to be guessed at.
    """
    part = reading.types(_BY_ID, type_id=type_id)
    return check_offered(await _one(session, part, only_current=True), viewer, key)


async def get_offered_type_by_slug(
    session: AsyncSession, slug: str, *, viewer: Member | None, key: str | None = None
) -> AppointmentTypeView:
    """Return the type with this address as :func:`get_offered_type` does."""
    part = reading.types(_BY_SLUG, type_slug=slug)
    return check_offered(await _one(session, part, only_current=True), viewer, key)


def is_staff(viewer: Member | None) -> bool:
    """Say whether somebody works at the school."""
    return viewer is not None and viewer.role in ("instructor", "admin")


def check_offered(type_: AppointmentTypeView, viewer: Member | None, key: str | None) -> AppointmentTypeView:
    """Return a type that ``viewer`` may look at and book; raises NotFound like :func:`get_offered_type`."""
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
    """Make views of the rows of :func:`queries.types`, in two reads however many; for this room."""
    found = (await session.execute(statement)).mappings().all()
    if not found:
        return []
    schools, people = await read(session, people_reading.school(), people_reading.teachers())
    rows = [reading.type_row(row) for row in found]
    return await _complete(session, rows, schools, people, only_current=only_current)


async def _views(
    session: AsyncSession, part: Part[list[TypeRow]], *, only_current: bool = False
) -> list[AppointmentTypeView]:
    """Make views of types, with one read for them, their school and its people."""
    rows, schools, people = await read(session, part, people_reading.school(), people_reading.teachers())
    return await _complete(session, rows, schools, people, only_current=only_current) if rows else []


async def _complete(
    session: AsyncSession, rows: list[TypeRow], schools: Any, people: Any, *, only_current: bool
) -> list[AppointmentTypeView]:
    organization = people_reading.school_view(schools)
    # By name, as the school lists its people; whoever left or teaches no more is not among them.
    teachers = people_reading.teacher_views(people) or await tenants.list_instructors(session)
    today = local(clock.now(), organization.time_zone).date() if only_current else None
    return views_of(rows, organization, [teacher.id for teacher in teachers], today=today)


def everything_offered() -> Part[list[TypeRow]]:
    """Return the part that reads what is published, whoever may see it; see :func:`views_of`."""
    return reading.types(_OFFERED)


def views_of(
    rows: Iterable[TypeRow], organization: OrganizationView, teaching: list[uuid.UUID], *, today: date | None
) -> list[AppointmentTypeView]:
    """Make views of types; with ``today`` whoever's qualification has lapsed by then is left out."""
    return [_view(row, organization.currency, teaching, today) for row in rows]


def is_public(type_: AppointmentTypeView) -> bool:
    """Say whether a published type is listed for visitors."""
    return type_.visibility in _SEEN_BY_VISITORS


def _view(row: Any, currency: str, teaching: list[uuid.UUID], today: date | None) -> AppointmentTypeView:
    shown = [
        id_
        for id_ in teaching
        if id_ in row.qualified and not (today and (last_day := row.qualified[id_]) and last_day < today)
    ]
    return AppointmentTypeView(
        **{name: getattr(row, name) for name in queries.TYPE_COLUMNS if name != "link_key"},
        # A type that is public now keeps its key asleep, for the day it is shared by link again.
        link_key=row.link_key if row.visibility == "link" else None,
        currency=currency,
        # A place means nothing to an online lesson; the link is kept for the day it is in person again.
        location_ids=row.location_ids if row.location_mode == "in_person" else [],
        instructor_ids=shown,
        qualified_until={id_: last_day for id_ in shown if (last_day := row.qualified[id_]) is not None},
        questions=row.questions,
    )


async def _one(
    session: AsyncSession, part: Part[list[TypeRow]], *, only_current: bool = False
) -> AppointmentTypeView:
    found = await _views(session, part, only_current=only_current)
    if not found:
        raise _unknown()
    return found[0]
