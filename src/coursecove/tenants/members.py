"""People of a school: who is asking, who there is, their roles, and who is shut out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Text, case, column, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.db.session import acting_as_member, organization_of
from coursecove.errors import NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.tenants import queries
from coursecove.tenants.errors import LastAdmin, OwnMembership
from coursecove.tenants.instructors import ensure_instructor_profile
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import MemberView, Role

MemberStatus = Literal["active", "deactivated"]
MemberOrder = Literal["name", "-name", "role", "-role", "joined_at", "-joined_at"]


class MemberPage(Struct, frozen=True):
    """A page of people; ``total`` counts all that match."""

    items: list[MemberView]
    total: int
    page: int
    page_size: int


def member_view(member: Member) -> MemberView:
    """Return a member as colleagues see them."""
    return MemberView(
        id=member.id,
        name=member.name,
        given_name=member.given_name,
        family_name=member.family_name,
        email=member.email,
        image_url=member.image_url,
        role=member.role,  # type: ignore[arg-type] # the column's generated expression knows three
        joined_at=member.joined_at,
        deactivated_at=member.deactivated_at,
        guardian_id=member.guardian_id,
    )


# The policies of personal tables learn who is asking from the same query, and
# let it see its own row by the token's subject.  The zone somebody chose comes
# along; it is looked for once it is set who is asking, hence the two steps.
_CHOSEN_ZONE = column("chosen_zone", Text)
_RECOGNISED = text("""
with me as materialized (
  select members.*, set_config('app.member_id', id::text, true) as set_id,
    set_config('app.member_role', role, true) as set_role
  from members where clerk_user_id = :clerk_user_id and removed_at is null and deactivated_at is null
)
select me.*, (select time_zone from preferences where member_id = me.id) as chosen_zone from me
""").columns(_CHOSEN_ZONE, **{named.key: named.type for named in Member.__table__.columns})
_RECOGNISE = select(Member, _CHOSEN_ZONE).from_statement(_RECOGNISED)


async def recognise(session: AsyncSession, clerk_user_id: str) -> Member | None:
    """Return the current member behind a verified Clerk user, and act for them from here on.

    None when they do not belong here (any more) or are shut out; the unit of
    work stays nobody's then.
    """
    return (await recognise_with_zone(session, clerk_user_id))[0]


async def recognise_with_zone(session: AsyncSession, clerk_user_id: str) -> tuple[Member | None, str | None]:
    """Return the same as :func:`recognise`, and the zone they chose to read times in, if they did."""
    row = (await session.execute(_RECOGNISE, {"clerk_user_id": clerk_user_id})).one_or_none()
    if row is None:
        return None, None
    member: Member = row[0]
    acting_as_member(session, member.id, member.role)
    return member, row[1]


async def is_deactivated(session: AsyncSession, clerk_user_id: str) -> bool:
    """Say whether a verified Clerk user belongs here and is shut out."""
    return (
        await session.scalar(
            queries.current_members()
            .with_only_columns(Member.id)
            .where(Member.clerk_user_id == clerk_user_id, Member.deactivated_at.is_not(None))
        )
        is not None
    )


async def get_member(session: AsyncSession, member_id: uuid.UUID) -> Member:
    """Return a current member, shut out or not; raises :class:`NotFound`."""
    member = await session.scalar(queries.current_members().where(Member.id == member_id))
    if member is None:
        raise NotFound(_("There is no such person at this school."))
    return member


async def members_by_id(session: AsyncSession, member_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, MemberView]:
    """Return those of ``member_ids`` who belong to the school now, shut out or not."""
    found = await session.scalars(queries.current_members().where(Member.id.in_(set(member_ids))))
    return {member.id: member_view(member) for member in found}


async def list_members(
    session: AsyncSession,
    *,
    role: Role | None = None,
    search: str | None = None,
    status: MemberStatus | None = "active",
    order: MemberOrder = "name",
    page: int = 1,
    page_size: int = 50,
) -> MemberPage:
    """Return one page of the school's people, in two queries; ``status=None`` means those shut out as well."""
    statement = queries.current_members()
    if status == "active":
        statement = queries.active_members()
    elif status == "deactivated":
        statement = statement.where(Member.deactivated_at.is_not(None))
    if role:
        statement = statement.where(Member.role == role)
    if search:
        statement = queries.searched(statement, search)
    total = await session.scalar(select(func.count()).select_from(statement.subquery())) or 0
    members = await session.scalars(_ordered(statement, order).limit(page_size).offset((page - 1) * page_size))
    return MemberPage([member_view(m) for m in members], total, page, page_size)


_RANKS = case({"admin": 0, "instructor": 1}, value=Member.role, else_=2)


def _ordered(statement: Select[Member], order: MemberOrder) -> Select[Member]:
    by_name: list[ColumnElement[object]] = [Member.given_name, Member.family_name, Member.id]  # type: ignore[list-item]
    descending = order.startswith("-")
    match order.removeprefix("-"):
        case "role":
            first: list[ColumnElement[object]] = [_RANKS]
        case "joined_at":
            first = [Member.joined_at]  # type: ignore[list-item]
        case _:
            return statement.order_by(*(column.desc() if descending else column for column in by_name))
    return statement.order_by(*(column.desc() if descending else column for column in first), *by_name)


async def _lock_roles(session: AsyncSession) -> None:
    """Let one at a time change who is an admin, so that two admins cannot take each other out at once."""
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"members.roles:{organization_of(session)}"},
    )


async def _current(session: AsyncSession, member_id: uuid.UUID) -> Member:
    """Return a member as they are stored now, the lock taken."""
    await _lock_roles(session)
    member = await get_member(session, member_id)
    await session.refresh(member)
    return member


async def _check_admin_is_left(session: AsyncSession, member: Member) -> None:
    """Raise :class:`LastAdmin` when nobody else who may come in is an admin."""
    if member.role != "admin" or member.deactivated_at is not None:
        return
    others = queries.active_members().where(Member.role == "admin", Member.id != member.id)
    if await session.scalar(select(others.exists())):
        return
    message = _("{name} is the only admin. Make somebody else an admin first.")
    raise LastAdmin(message.format(name=member.name))


async def change_role(session: AsyncSession, member_id: uuid.UUID, role: Role, *, by: Member) -> MemberView:
    """Give a member another role in this school, until Clerk's own role for them changes.

    Raises :class:`LastAdmin` when nobody would be left who can let people in.
    """
    member = await _current(session, member_id)
    if member.role == role:
        return member_view(member)
    await _check_admin_is_left(session, member)
    before = member.role
    member.role_override = role
    await session.flush()
    await session.refresh(member)
    track(
        session,
        "member.role_changed",
        subject_type="member",
        subject_id=member.id,
        actor_id=by.id,
        data={"role": {"from": before, "to": role}},
    )
    if role == "instructor":
        await ensure_instructor_profile(session, member)
    return member_view(member)


async def deactivate_member(session: AsyncSession, member_id: uuid.UUID, *, by: Member) -> MemberView:
    """Shut a member out from their next request on; their lessons and everything else of theirs stay.

    An instructor is not offered to students any more.  Raises
    :class:`LastAdmin`, and :class:`OwnMembership` for oneself.  Doing it twice is fine.
    """
    member = await _current(session, member_id)
    if member.id == by.id:
        raise OwnMembership(_("You cannot deactivate yourself. Ask another admin."))
    if member.deactivated_at is None:
        await _check_admin_is_left(session, member)
        member.deactivated_at = clock.now()
        await _note_access(session, member, "member.deactivated", by=by)
    return member_view(member)


async def reactivate_member(session: AsyncSession, member_id: uuid.UUID, *, by: Member) -> MemberView:
    """Let a member in again, in the role they had.  Doing it twice is fine."""
    member = await _current(session, member_id)
    if member.deactivated_at is not None:
        member.deactivated_at = None
        await _note_access(session, member, "member.reactivated", by=by)
    return member_view(member)


async def _note_access(session: AsyncSession, member: Member, action: str, *, by: Member) -> None:
    track(session, action, subject_type="member", subject_id=member.id, actor_id=by.id)
    await session.flush()
    # The database computes the role anew with every change of the row.
    await session.refresh(member)
