"""Families: a guardian and the children whose lessons they book.

A child is a member without an account: no address, no sign-in, a name the
guardian wrote down.  Whoever is nobody's child of the person asking is not
found, whether they exist or not.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy import Select, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from coursecove import clock
from coursecove.db.session import organization_of
from coursecove.errors import Conflict, Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import N_, _
from coursecove.tenants.models import Member
from coursecove.text import is_storable, one_line

MOST_CHILDREN = 20
OLDEST = 120

GivenName = Annotated[str, Meta(min_length=1, max_length=80)]
FamilyName = Annotated[str, Meta(max_length=80)]
BirthYear = Annotated[int, Meta(ge=1900, le=2200)]


class ChildView(Struct, frozen=True):
    """A child, as its guardian sees it."""

    id: uuid.UUID
    name: str
    given_name: str
    family_name: str
    birth_year: int | None


class ChildList(Struct, frozen=True):
    """The children of one guardian, by name."""

    items: list[ChildView]


class FamilyView(Struct, frozen=True):
    """A child beside its guardian, as admins see them; also those who have left."""

    guardian_name: str
    guardian_email: str | None
    child: ChildView
    since: datetime
    left_at: datetime | None


class ChildCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """A child to book lessons for; without a family name it has the guardian's."""

    given_name: GivenName
    family_name: FamilyName = ""
    birth_year: BirthYear | None = None


class ChildUpdate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Changes to a child; what is left out stays."""

    given_name: GivenName | UnsetType = UNSET
    family_name: FamilyName | UnsetType = UNSET
    birth_year: BirthYear | UnsetType | None = UNSET


class TooManyChildren(Conflict):
    """A family has its limits, and a script that runs wild meets them."""

    code = "too_many_children"
    title = N_("There are many children in this family already")


_INSERT = text("""
insert into members (organization_id, id, given_name, family_name, clerk_role, guardian_id, birth_year, version)
values (:organization_id, :id, :given_name, :family_name, 'none', :guardian_id, :birth_year, 0)
""")
_LOCK = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")


def child_view(child: Member) -> ChildView:
    """Return a child as its guardian sees it."""
    return ChildView(child.id, child.name, child.given_name, child.family_name, child.birth_year)


async def list_children(session: AsyncSession, *, guardian: Member) -> list[ChildView]:
    """Return the children of a guardian, by name."""
    found = await session.scalars(
        _children(guardian).order_by(Member.given_name, Member.family_name, Member.id)
    )
    return [child_view(child) for child in found]


async def list_families(session: AsyncSession, *, page: int = 1, page_size: int = 200) -> list[FamilyView]:
    """Return a page of the school's children with their guardians, by guardian; for admins."""
    guardian = aliased(Member, name="guardian")
    rows = await session.execute(
        select(Member, guardian)
        .join(
            guardian,
            and_(guardian.organization_id == Member.organization_id, guardian.id == Member.guardian_id),
        )
        .order_by(guardian.family_name, guardian.given_name, guardian.id, Member.given_name, Member.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return [
        FamilyView(
            parent.name,
            parent.email,
            child_view(child),
            child.created_at,
            child.removed_at or child.deactivated_at,
        )
        for child, parent in rows
    ]


async def find_child(session: AsyncSession, child_id: uuid.UUID, *, guardian: Member) -> ChildView | None:
    """Return a child of this guardian; None for everybody else, and for nobody."""
    child = await session.scalar(_children(guardian).where(Member.id == child_id))
    return child_view(child) if child else None


async def get_child(session: AsyncSession, child_id: uuid.UUID, *, guardian: Member) -> ChildView:
    """Return a child of this guardian; raises NotFound for everybody else's, and for nobody."""
    return child_view(await _get(session, child_id, guardian))


async def add_child(session: AsyncSession, data: ChildCreate, *, by: Member) -> ChildView:
    """Take a child into the school whose lessons ``by`` books, and whose mail ``by`` gets.

    Raises :class:`TooManyChildren` beyond twenty, and Invalid at the field.
    """
    values = _checked(data.given_name, data.family_name or by.family_name, data.birth_year)
    await session.execute(_LOCK, {"key": f"family:{organization_of(session)}:{by.id}"})
    present = await session.scalar(select(func.count()).select_from(_children(by).subquery()))
    if (present or 0) >= MOST_CHILDREN:
        raise TooManyChildren(
            _("{most} are as many as one person can look after here.").format(most=MOST_CHILDREN)
        )
    child_id = uuid.uuid4()
    await session.execute(
        _INSERT,
        {"organization_id": organization_of(session), "id": child_id, "guardian_id": by.id, **values},
    )
    _note(session, "child.added", child_id, by=by)
    return await get_child(session, child_id, guardian=by)


async def change_child(
    session: AsyncSession, child_id: uuid.UUID, data: ChildUpdate, *, by: Member
) -> ChildView:
    """Change a child's name or year of birth; raises NotFound, and Invalid at the field."""
    child = await _get(session, child_id, by)
    values = _checked(
        child.given_name if data.given_name is UNSET else data.given_name,
        child.family_name if data.family_name is UNSET else data.family_name,
        child.birth_year if data.birth_year is UNSET else data.birth_year,
    )
    changed = [name for name, value in values.items() if getattr(child, name) != value]
    for name in changed:
        setattr(child, name, values[name])
    if changed:
        await session.flush()
        _note(session, "child.changed", child_id, by=by, changed=changed)
    return child_view(child)


async def remove_child(session: AsyncSession, child_id: uuid.UUID, *, by: Member) -> None:
    """Take a child out of the school; what it was taught stays on record.

    Whether lessons are still ahead is not known here: see ``bookings.service.remove_child``.
    """
    child = await _get(session, child_id, by)
    child.removed_at = clock.now()
    await session.flush()
    _note(session, "child.removed", child_id, by=by)


def _children(guardian: Member) -> Select[Member]:
    return select(Member).where(
        Member.guardian_id == guardian.id, Member.removed_at.is_(None), Member.deactivated_at.is_(None)
    )


async def _get(session: AsyncSession, child_id: uuid.UUID, guardian: Member) -> Member:
    child = await session.scalar(_children(guardian).where(Member.id == child_id))
    if child is None:
        raise NotFound(_("There is no such child in your family."))
    return child


def _checked(given_name: str, family_name: str, birth_year: int | None) -> dict[str, str | int | None]:
    names = {"given_name": one_line(given_name), "family_name": one_line(family_name)}
    problems = {
        field: _("Remove the characters that cannot be shown.")
        for field, value in names.items()
        if not is_storable(value)
    }
    if not names["given_name"]:
        problems["given_name"] = _("Say what the child is called.")
    this_year = clock.now().year
    if birth_year is not None and not this_year - OLDEST <= birth_year <= this_year:
        problems["birth_year"] = _("Give the year of birth, such as {year}.").format(year=this_year - 9)
    if problems:
        raise Invalid(fields=problems)
    return {**names, "birth_year": birth_year}


def _note(
    session: AsyncSession, action: str, child_id: uuid.UUID, *, by: Member, changed: list[str] | None = None
) -> None:
    # Which fields, not what they say: a child's data is in one place only.
    data = {"changed": changed} if changed else {}
    track(session, action, subject_type="member", subject_id=child_id, actor_id=by.id, data=data)
