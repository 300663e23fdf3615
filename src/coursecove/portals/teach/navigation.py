"""The teaching portal's navigation, and whose pages these are."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.portals.pages import NavLink
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

NAV = (
    NavLink("Lessons", "/teach", "calendar-days"),
    NavLink("Weekly hours", "/teach/hours", "clock", "Hours"),
    NavLink("Profile", "/teach/profile", "user-round"),
)


async def own_profile(session: AsyncSession, by: Member) -> InstructorView | None:
    """Return what students see of ``by``; None for an admin who has not begun to teach."""
    return (await tenants.instructors_by_id(session, [by.id])).get(by.id)


async def own_zone(session: AsyncSession, organization: OrganizationView, by: Member) -> str:
    """Return the zone of an instructor's days: their own, or the school's while they have none."""
    profile = await own_profile(session, by)
    return profile.time_zone if profile else organization.time_zone
