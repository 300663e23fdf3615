"""Who teaches: profiles that students see, and what instructors keep about themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from msgspec import UNSET
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import organization_of
from coursecove.db.together import read
from coursecove.errors import Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.tenants import queries
from coursecove.tenants.languages import is_language
from coursecove.tenants.models import InstructorProfile, Member
from coursecove.tenants.organizations import check_time_zone, get_organization
from coursecove.tenants.pictures import forget_unused_pictures, save_picture
from coursecove.tenants.reading import instructor_view, teacher_views, teachers
from coursecove.tenants.schemas import InstructorProfileUpdate, InstructorView
from coursecove.text import is_storable, slugify


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


async def _views(session: AsyncSession, statement: Any) -> list[InstructorView]:
    found = (await session.execute(statement)).all()
    return [
        instructor_view(member, profile or await ensure_instructor_profile(session, member))
        for member, profile in found
    ]


async def list_instructors(session: AsyncSession, *, include_deactivated: bool = False) -> list[InstructorView]:
    """Return everybody who teaches, by name; profiles that are missing are made on the way.

    Whoever is shut out teaches nobody new, so they are left out unless asked for.
    """
    return await _views(session, queries.instructors(include_deactivated=include_deactivated))


async def instructors_by_id(
    session: AsyncSession, member_ids: Iterable[uuid.UUID], *, include_deactivated: bool = False
) -> dict[uuid.UUID, InstructorView]:
    """Return those of ``member_ids`` who teach here now, by name."""
    if not include_deactivated:
        [found] = await read(session, teachers(set(member_ids)))
        known = teacher_views(found)
        if known is not None:
            return {view.id: view for view in known}
    statement = queries.instructors(include_deactivated=include_deactivated)
    views = await _views(session, statement.where(Member.id.in_(set(member_ids))))
    return {view.id: view for view in views}


async def get_instructor(
    session: AsyncSession, member_id: uuid.UUID, *, include_deactivated: bool = False
) -> InstructorView:
    """Return one instructor; raises :class:`NotFound` when the member does not teach."""
    found = await instructors_by_id(session, [member_id], include_deactivated=include_deactivated)
    if member_id not in found:
        raise NotFound(_("There is no such instructor at this school."))
    return found[member_id]


async def find_instructor_by_slug(session: AsyncSession, slug: str) -> InstructorView | None:
    """Return the instructor whose page has this address, unless they are shut out."""
    views = await _views(session, queries.instructors().where(InstructorProfile.slug == slug))
    return views[0] if views else None


async def update_instructor_profile(
    session: AsyncSession, member_id: uuid.UUID, changes: InstructorProfileUpdate, *, by: Member
) -> InstructorView:
    """Change what students see of an instructor, the zone of their hours, their link or their limits.

    Raises :class:`Invalid` at each field, :class:`NotFound` for students.
    """
    _check(changes)
    member, profile = await _teacher(session, member_id)
    changed = {}
    for name in changes.__struct_fields__:
        value = getattr(changes, name)
        if name == "meeting_url" and value == "":
            value = None
        if value is not UNSET and value != getattr(profile, name):
            changed[name] = {"from": getattr(profile, name), "to": value}
            setattr(profile, name, value)
    await _note(session, member_id, changed, by=by)
    return instructor_view(member, profile)


async def set_photo(
    session: AsyncSession, member_id: uuid.UUID, content: bytes, *, by: Member, field: str = "picture"
) -> InstructorView:
    """Show an uploaded picture as the instructor's photo; raises :class:`Invalid` at ``field``."""
    member, profile = await _teacher(session, member_id)
    picture_id = await save_picture(session, content, by=by, field=field)
    if profile.picture_id != picture_id:
        before, profile.picture_id = profile.picture_id, picture_id
        photo = {"from": before and before.hex, "to": picture_id.hex}
        await _note(session, member_id, {"photo": photo}, by=by)
        await forget_unused_pictures(session)
    return instructor_view(member, profile)


async def remove_photo(session: AsyncSession, member_id: uuid.UUID, *, by: Member) -> InstructorView:
    """Take the uploaded photo away; the person's own picture at Clerk shows again, or their initials."""
    member, profile = await _teacher(session, member_id)
    if profile.picture_id is not None:
        photo = {"from": profile.picture_id.hex, "to": None}
        profile.picture_id = None
        await _note(session, member_id, {"photo": photo}, by=by)
        await forget_unused_pictures(session)
    return instructor_view(member, profile)


async def _teacher(session: AsyncSession, member_id: uuid.UUID) -> tuple[Member, InstructorProfile]:
    member = await session.scalar(queries.current_members().where(Member.id == member_id))
    if member is None or member.role == "student":
        raise NotFound(_("There is no such instructor at this school."))
    return member, await ensure_instructor_profile(session, member)


def _check(changes: InstructorProfileUpdate) -> None:
    problems: dict[str, str] = {}
    if changes.time_zone is not UNSET:
        try:
            check_time_zone(changes.time_zone)
        except Invalid as error:
            problems |= error.fields
    if changes.meeting_url is not UNSET and changes.meeting_url and not _is_link(changes.meeting_url):
        problems["meeting_url"] = _("A meeting link starts with https://.")
    if changes.bio is not UNSET and not is_storable(changes.bio):
        problems["bio"] = _("Remove the characters that cannot be shown.")
    if changes.languages is not UNSET:
        if not all(is_language(code) for code in changes.languages):
            problems["languages"] = _("Choose languages from the list.")
        elif len(set(changes.languages)) != len(changes.languages):
            problems["languages"] = _("One language is chosen twice.")
    if problems:
        raise Invalid(fields=problems)


def _is_link(text: str) -> bool:
    """Say whether ``text`` is an address a lesson can be held at: https, a host, nobody's password."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme == "https"
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and text.isprintable()
            and " " not in text
        )
    except ValueError:
        return False


async def _note(session: AsyncSession, member_id: uuid.UUID, changed: dict[str, Any], *, by: Member) -> None:
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
