"""The school and who teaches there, as parts of a larger read (:mod:`coursecove.db.together`)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from typing import Any

from msgspec import Struct

from coursecove.db.together import Part, row_of, rows
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.tenants.models import InstructorProfile, Member, Organization
from coursecove.tenants.organizations import organization_view
from coursecove.tenants.pictures import picture_url
from coursecove.tenants.schemas import InstructorView, OrganizationView

_SCHOOL = "select * from organizations where deleted_at is null"
# As queries.instructors() has it: instructors, and admins who have a profile.
_TEACHERS = """
select row_to_json(members) as member, row_to_json(profile) as profile
from members
left join instructor_profiles profile
  on profile.organization_id = members.organization_id and profile.member_id = members.id
where members.removed_at is null and members.deactivated_at is null
  and (members.role = 'instructor' or (members.role = 'admin' and profile.member_id is not null))
"""
_BY_NAME = " order by members.given_name, members.family_name, members.id"


class _Named(Struct):
    @property
    def name(self) -> str:
        member: Any = self
        return Member.name_of(member.given_name, member.family_name, member.email)


_School, _Member, _Profile = row_of(Organization), row_of(Member, base=_Named), row_of(InstructorProfile)


class TeacherRow(Struct, frozen=True):
    """A member and their profile; None when that has still to be made."""

    member: _Member  # type: ignore[valid-type] # made from the model
    profile: _Profile | None  # type: ignore[valid-type] # made from the model


def school() -> Part[list[Any]]:
    """The school of the unit of work; see :func:`school_view`."""
    return rows(_SCHOOL, _School)


def school_view(found: list[Any]) -> OrganizationView:
    """Return what everybody may see of the school; raises :class:`NotFound` when it is gone."""
    if not found:
        raise NotFound(_("This school no longer exists."))
    return organization_view(found[0])


def edition() -> Part[str | None]:
    """The value that is another one after every change of what the school offers; None: not counted (yet)."""
    return Part("select to_json(edition) from school_editions", str | None)


def teachers(member_ids: Collection[uuid.UUID] | None = None) -> Part[list[TeacherRow]]:
    """Everybody who teaches, or those of ``member_ids``, by name; see :func:`teacher_views`."""
    if member_ids is None:
        return rows(_TEACHERS + _BY_NAME, TeacherRow)
    return rows(
        _TEACHERS + " and members.id = any(%(teacher_ids)s)" + _BY_NAME,
        TeacherRow,
        teacher_ids=list(member_ids),
    )


def teacher_views(found: Iterable[TeacherRow]) -> list[InstructorView] | None:
    """Return what students see of each; None when somebody's profile has still to be made."""
    views: list[InstructorView] = []
    for row in found:
        if row.profile is None:
            return None
        views.append(instructor_view(row.member, row.profile))
    return views


def instructor_view(member: Member, profile: InstructorProfile) -> InstructorView:
    """Return what a student sees of an instructor, from the columns of both rows."""
    return InstructorView(
        id=member.id,
        slug=profile.slug,
        name=member.name,
        bio=profile.bio,
        time_zone=profile.time_zone,
        image_url=picture_url(profile.picture_id) or member.image_url,
        meeting_url=profile.meeting_url,
        languages=list(profile.languages),
        day_limit=profile.day_limit,
        week_limit=profile.week_limit,
    )
