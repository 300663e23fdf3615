"""Who runs the platform, and what they see of schools: names, addresses and numbers, nobody's lessons.

Works in the platform's unit of work, above any school.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings


class Operator(Struct, frozen=True):
    """Somebody who runs the platform."""

    clerk_id: str
    name: str
    email: str | None
    image_url: str | None


class SchoolRow(Struct, frozen=True):
    """A school as the platform lists it; ``clerk_id`` finds the events about it."""

    clerk_id: str
    slug: str | None
    name: str
    members: int
    created_at: datetime
    deleted_at: datetime | None


class SchoolPage(Struct, frozen=True):
    """A page of schools; ``total`` counts all that match."""

    items: list[SchoolRow]
    total: int
    page: int
    page_size: int


_PERSON = text(
    "select email, given_name, family_name, image_url, deleted_at from users where clerk_id = :clerk_id"
)
_COUNT = text("""
select count(*) from organizations
left join subdomains on subdomains.organization_id = organizations.id and subdomains.retired_at is null
where :search = '' or position(lower(:search) in lower(organizations.name)) > 0
   or position(lower(:search) in subdomains.slug) > 0 or organizations.clerk_id = :search
""")
_SCHOOLS = text("""
select organizations.clerk_id, subdomains.slug, organizations.name, organizations.created_at,
  organizations.deleted_at,
  (select count(*) from members
   where members.organization_id = organizations.id and members.removed_at is null) as members
from organizations
left join subdomains on subdomains.organization_id = organizations.id and subdomains.retired_at is null
where :search = '' or position(lower(:search) in lower(organizations.name)) > 0
   or position(lower(:search) in subdomains.slug) > 0 or organizations.clerk_id = :search
order by organizations.created_at desc, organizations.clerk_id
limit :limit offset :offset
""")


async def find_operator(session: AsyncSession, settings: Settings, clerk_user_id: str) -> Operator | None:
    """Return the operator with this verified Clerk id, None for everybody else.

    ``PLATFORM_OPERATORS`` names ids or addresses.  An address counts as Clerk
    last told it; an id counts before Clerk's events have brought the person
    in, because looking into why they have not is an operator's work.
    """
    if not settings.platform_operators:
        return None
    person = (await session.execute(_PERSON, {"clerk_id": clerk_user_id})).one_or_none()
    by_id = clerk_user_id in settings.platform_operators
    if person is None:
        return Operator(clerk_user_id, clerk_user_id, None, None) if by_id else None
    addresses = {name.lower() for name in settings.platform_operators if "@" in name}
    if person.deleted_at is not None or not (by_id or (person.email or "").lower() in addresses):
        return None
    name = f"{person.given_name} {person.family_name}".strip() or person.email or clerk_user_id
    return Operator(clerk_user_id, name, person.email, person.image_url)


async def list_schools(
    session: AsyncSession, *, search: str = "", page: int = 1, page_size: int = 50
) -> SchoolPage:
    """Return schools, the newest first, also those that were deleted; two queries whatever their number."""
    total = await session.scalar(_COUNT, {"search": search})
    rows = await session.execute(
        _SCHOOLS, {"search": search, "limit": page_size, "offset": (page - 1) * page_size}
    )
    return SchoolPage([SchoolRow(**row._asdict()) for row in rows], total or 0, page, page_size)


async def count_schools(session: AsyncSession) -> int:
    """Return how many schools there are now."""
    return await session.scalar(text("select count(*) from organizations where deleted_at is null")) or 0
