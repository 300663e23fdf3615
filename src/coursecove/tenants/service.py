"""The verbs of a school and its people, for other rooms and for portals.

Every function works inside one organization's unit of work; row-level security
keeps the others out of sight.
"""

from __future__ import annotations

from coursecove.tenants.instructors import (
    ensure_instructor_profile,
    find_instructor_by_slug,
    get_instructor,
    instructors_by_id,
    list_instructors,
    remove_photo,
    set_photo,
    update_instructor_profile,
)
from coursecove.tenants.members import (
    MemberOrder,
    MemberPage,
    MemberStatus,
    change_role,
    deactivate_member,
    get_member,
    is_deactivated,
    list_members,
    member_view,
    members_by_id,
    reactivate_member,
    recognise,
)
from coursecove.tenants.organizations import (
    check_time_zone,
    get_organization,
    organization_view,
    remove_logo,
    set_logo,
    update_organization,
)
from coursecove.tenants.pictures import PictureView, find_picture, picture_url, save_picture

__all__ = [
    "MemberOrder",
    "MemberPage",
    "MemberStatus",
    "PictureView",
    "change_role",
    "check_time_zone",
    "deactivate_member",
    "ensure_instructor_profile",
    "find_instructor_by_slug",
    "find_picture",
    "get_instructor",
    "get_member",
    "get_organization",
    "instructors_by_id",
    "is_deactivated",
    "list_instructors",
    "list_members",
    "member_view",
    "members_by_id",
    "organization_view",
    "picture_url",
    "reactivate_member",
    "recognise",
    "remove_logo",
    "remove_photo",
    "save_picture",
    "set_logo",
    "set_photo",
    "update_instructor_profile",
    "update_organization",
]
