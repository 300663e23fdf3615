"""The verbs of a school and its people, for other rooms and for portals.

Every function works inside one organization's unit of work; row-level security
keeps the others out of sight.
"""

from __future__ import annotations

from coursecove.tenants.family import (
    add_child,
    change_child,
    find_child,
    get_child,
    list_children,
    list_families,
    remove_child,
)
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
    recognise_with_zone,
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
from coursecove.tenants.preferences import (
    AS_THE_SCHOOL,
    get_preferences,
    note_time_zone,
    preferences_of,
    reading_zone,
    stop_mail,
    update_preferences,
)

__all__ = [
    "AS_THE_SCHOOL",
    "MemberOrder",
    "MemberPage",
    "MemberStatus",
    "PictureView",
    "add_child",
    "change_child",
    "change_role",
    "check_time_zone",
    "deactivate_member",
    "ensure_instructor_profile",
    "find_child",
    "find_instructor_by_slug",
    "find_picture",
    "get_child",
    "get_instructor",
    "get_member",
    "get_organization",
    "get_preferences",
    "instructors_by_id",
    "is_deactivated",
    "list_children",
    "list_families",
    "list_instructors",
    "list_members",
    "member_view",
    "members_by_id",
    "note_time_zone",
    "organization_view",
    "picture_url",
    "preferences_of",
    "reactivate_member",
    "reading_zone",
    "recognise",
    "recognise_with_zone",
    "remove_child",
    "remove_logo",
    "remove_photo",
    "save_picture",
    "set_logo",
    "set_photo",
    "stop_mail",
    "update_instructor_profile",
    "update_organization",
    "update_preferences",
]
