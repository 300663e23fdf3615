"""The verbs of a school and its people.

Every function works inside one organization's unit of work; row-level security
keeps the others out of sight.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from zoneinfo import available_timezones

from msgspec import UNSET, Struct
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import acting_as_member, organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.events import track
from coursecove.tenants import queries
from coursecove.tenants.errors import LastAdmin
from coursecove.tenants.models import InstructorProfile, Member, Organization
from coursecove.tenants.schemas import (
    InstructorProfileUpdate,
    InstructorView,
    MemberView,
    OrganizationUpdate,
    OrganizationView,
    Role,
)
from coursecove.text import slugify

# Some systems add names that mean nothing elsewhere ("localtime", "Factory").
_ZONES = frozenset(zone for zone in available_timezones() if "/" in zone or zone == "UTC")


class MemberPage(Struct, frozen=True):
    """A page of people; ``total`` counts all that match."""

    items: list[MemberView]
    total: int
    page: int
    page_size: int


def check_time_zone(name: str, *, field: str = "time_zone") -> None:
    """Raise :class:`Invalid` at ``field`` unless ``name`` is a zone of the IANA database."""
    if name not in _ZONES:
        raise Invalid(fields={field: "Choose a time zone such as Europe/Berlin."})


def organization_view(organization: Organization) -> OrganizationView:
    """Return what everybody may see of a school."""
    return OrganizationView(
        id=organization.id,
        clerk_id=organization.clerk_id,
        slug=organization.slug,
        name=organization.name,
        time_zone=organization.time_zone,
        locale=organization.locale,
        currency=organization.currency,
        accent_color=organization.accent_color,
        logo_url=organization.logo_url,
        self_enrolment=organization.self_enrolment,
    )


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
    )


def _instructor_view(member: Member, profile: InstructorProfile) -> InstructorView:
    return InstructorView(
        id=member.id,
        slug=profile.slug,
        name=member.name,
        bio=profile.bio,
        time_zone=profile.time_zone,
        image_url=member.image_url,
        meeting_url=profile.meeting_url,
    )


async def get_organization(session: AsyncSession, *, locked: bool = False) -> OrganizationView:
    """Return the school of this unit of work; ``locked``, nobody else changes it until this one ends."""
    statement = select(Organization).where(Organization.deleted_at.is_(None))
    if locked:
        statement = statement.with_for_update()
    organization = await session.scalar(statement.execution_options(populate_existing=True))
    if organization is None:
        raise NotFound("This school no longer exists.")
    return organization_view(organization)


async def update_organization(
    session: AsyncSession, changes: OrganizationUpdate, *, by: Member
) -> OrganizationView:
    """Change the school's name, zone, currency, colour or enrolment."""
    if changes.time_zone is not UNSET:
        check_time_zone(changes.time_zone)
    organization = (await session.scalars(select(Organization).with_for_update())).one()
    changed = {}
    for name in changes.__struct_fields__:
        value = getattr(changes, name)
        if value is not UNSET and value != getattr(organization, name):
            changed[name] = {"from": getattr(organization, name), "to": value}
            setattr(organization, name, value)
    if changed:
        organization.updated_at = func.now()
        track(
            session,
            "organization.changed",
            subject_type="organization",
            subject_id=organization.id,
            actor_id=by.id,
            data=changed,
        )
        await session.flush()
    return await get_organization(session)


# The policies of personal tables learn who is asking from the same query, and
# let it see its own row by the token's subject.
_RECOGNISE = text("""
select members.*, set_config('app.member_id', id::text, true), set_config('app.member_role', role, true)
from members where clerk_user_id = :clerk_user_id and removed_at is null
""")


async def recognise(session: AsyncSession, clerk_user_id: str) -> Member | None:
    """Return the current member behind a verified Clerk user, and act for them from here on.

    None when they do not belong here (any more); the unit of work stays nobody's then.
    """
    member: Member | None = await session.scalar(
        select(Member).from_statement(_RECOGNISE), {"clerk_user_id": clerk_user_id}
    )
    if member is not None:
        acting_as_member(session, member.id, member.role)
    return member


async def get_member(session: AsyncSession, member_id: uuid.UUID) -> Member:
    """Return a current member; raises :class:`NotFound`."""
    member = await session.scalar(queries.current_members().where(Member.id == member_id))
    if member is None:
        raise NotFound("There is no such person at this school.")
    return member


async def list_members(
    session: AsyncSession,
    *,
    role: Role | None = None,
    search: str | None = None,
    page: int = 1,
    page_size: int = 50,
) -> MemberPage:
    """Return one page of the school's people by name, in two queries."""
    statement = queries.current_members()
    if role:
        statement = statement.where(Member.role == role)
    if search:
        statement = queries.searched(statement, search)
    total = await session.scalar(select(func.count()).select_from(statement.subquery())) or 0
    members = await session.scalars(
        statement.order_by(Member.given_name, Member.family_name, Member.id)
        .limit(page_size)
        .offset((page - 1) * page_size)
    )
    return MemberPage([member_view(m) for m in members], total, page, page_size)


async def change_role(session: AsyncSession, member_id: uuid.UUID, role: Role, *, by: Member) -> MemberView:
    """Give a member another role in this school, until Clerk's own role for them changes.

    Raises :class:`LastAdmin` when nobody would be left who can let people in.
    """
    # One at a time per school, so that two admins cannot demote each other at once.
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"members.roles:{organization_of(session)}"},
    )
    member = await get_member(session, member_id)
    await session.refresh(member)
    if member.role == role:
        return member_view(member)
    if member.role == "admin":
        admins = await session.scalar(
            select(func.count()).select_from(queries.current_members().where(Member.role == "admin").subquery())
        )
        if admins == 1:
            raise LastAdmin(f"{member.name} is the only admin. Make somebody else an admin first.")
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


async def ensure_instructor_profile(session: AsyncSession, member: Member) -> InstructorProfile:
    """Return the member's instructor profile, making it from their name and the school's zone if needed."""
    organization_id = organization_of(session)
    base = slugify(member.name if "@" not in member.name else "", fallback="instructor")
    zone = (await get_organization(session)).time_zone
    for attempt in range(1, 1000):
        # Another request may be making the same profile, and another person may
        # have the same name: either conflict leaves the row that won.
        await session.execute(
            insert(InstructorProfile)
            .values(
                organization_id=organization_id,
                member_id=member.id,
                slug=base if attempt == 1 else f"{base}-{attempt}",
                time_zone=zone,
            )
            .on_conflict_do_nothing()
        )
        profile = await session.get(InstructorProfile, (organization_id, member.id), populate_existing=True)
        if profile is not None:
            return profile
    raise RuntimeError("a thousand instructors share one name")


async def list_instructors(session: AsyncSession) -> list[InstructorView]:
    """Return everybody who teaches, by name; profiles that are missing are made on the way."""
    found = (await session.execute(queries.instructors())).all()
    return [
        _instructor_view(
            member,
            profile or await ensure_instructor_profile(session, member),
        )
        for member, profile in found
    ]


async def instructors_by_id(
    session: AsyncSession, member_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, InstructorView]:
    """Return those of ``member_ids`` who teach here now."""
    wanted = set(member_ids)
    return {view.id: view for view in await list_instructors(session) if view.id in wanted}


async def get_instructor(session: AsyncSession, member_id: uuid.UUID) -> InstructorView:
    """Return one instructor; raises :class:`NotFound` when the member does not teach."""
    found = await instructors_by_id(session, [member_id])
    if member_id not in found:
        raise NotFound("There is no such instructor at this school.")
    return found[member_id]


async def find_instructor_by_slug(session: AsyncSession, slug: str) -> InstructorView | None:
    """Return the instructor whose page has this address."""
    return next((view for view in await list_instructors(session) if view.slug == slug), None)


async def update_instructor_profile(
    session: AsyncSession, member_id: uuid.UUID, changes: InstructorProfileUpdate, *, by: Member
) -> InstructorView:
    """Change what students see of an instructor, or the zone their hours are in."""
    if changes.time_zone is not UNSET:
        check_time_zone(changes.time_zone)
    if (
        changes.meeting_url is not UNSET
        and changes.meeting_url
        and not changes.meeting_url.startswith("https://")
    ):
        raise Invalid(fields={"meeting_url": "A meeting link starts with https://."})
    member = await get_member(session, member_id)
    profile = await ensure_instructor_profile(session, member)
    changed = {}
    for name in changes.__struct_fields__:
        value = getattr(changes, name)
        if name == "meeting_url" and value == "":
            value = None
        if value is not UNSET and value != getattr(profile, name):
            changed[name] = {"from": getattr(profile, name), "to": value}
            setattr(profile, name, value)
    if changed:
        track(
            session,
            "instructor.changed",
            subject_type="member",
            subject_id=member_id,
            actor_id=by.id,
            data=changed,
        )
        await session.flush()
    return _instructor_view(member, profile)
