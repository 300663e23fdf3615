"""The teaching portal's navigation, and whose pages these are."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.i18n import N_
from coursecove.portals.pages import AnyRequest, NavLink, page_context
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

# The first four stand at the bottom of a phone; the rest opens from there.
NAV = (
    NavLink(N_("Today"), "/teach", "sun"),
    NavLink(N_("Week"), "/teach/week", "calendar-days"),
    NavLink(N_("My classes"), "/teach/classes", "users", N_("Classes")),
    NavLink(N_("My hours"), "/teach/hours", "clock", N_("Hours")),
    NavLink(N_("My types"), "/teach/types", "shapes"),
    NavLink(N_("Profile"), "/teach/profile", "user-round"),
)


def teach_page(request: AnyRequest, title: str, *trail: tuple[str, str]) -> dict[str, Any]:
    """Return the context of a page of this portal; ``trail`` are the pages above it, (label, address)."""
    return page_context(
        request,
        title,
        portal="teach",
        nav=NAV,
        breadcrumb=[{"label": label, "href": href} for label, href in trail],
    )


async def own_profile(session: AsyncSession, by: Member) -> InstructorView | None:
    """Return what students see of ``by``; None for an admin who has not begun to teach."""
    return (await tenants.instructors_by_id(session, [by.id])).get(by.id)


async def own_zone(session: AsyncSession, organization: OrganizationView, by: Member) -> str:
    """Return the zone of an instructor's days: their own, or the school's while they have none."""
    profile = await own_profile(session, by)
    return profile.time_zone if profile else organization.time_zone
