"""Schools, as Clerk knows them, and the subdomains they live at."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.tenants import slugs
from coursecove.tenants.inbound.entities import bury, is_buried, lock
from coursecove.tenants.inbound.shapes import OrganizationData
from coursecove.webhooks.inbox import Outcome
from coursecove.webhooks.wakeups import arrived

_FIND = text("""
select id, slug, version, clerk_values from organizations where clerk_id = :clerk_id for no key update
""")
_INSERT = text("""
insert into organizations (clerk_id, slug, name, version) values (:clerk_id, :slug, :name, :version)
returning id
""")
_SETTLE = text("update organizations set slug = :slug, version = :version, updated_at = now() where id = :id")
# The columns are those of OrganizationData.said(); what was not said stays.
_TAKE_OVER = text("""
update organizations
set name = coalesce(cast(:values as jsonb) ->> 'name', name),
    time_zone = coalesce(cast(:values as jsonb) ->> 'time_zone', time_zone),
    locale = coalesce(cast(:values as jsonb) ->> 'locale', locale),
    currency = coalesce(cast(:values as jsonb) ->> 'currency', currency),
    accent_color = coalesce(cast(:values as jsonb) ->> 'accent_color', accent_color),
    logo_url = case when cast(:values as jsonb) ? 'logo_url'
      then cast(:values as jsonb) ->> 'logo_url' else logo_url end,
    clerk_values = clerk_values || cast(:values as jsonb)
where id = :id
""")
_CLOSE = text("""
update organizations set deleted_at = coalesce(deleted_at, now()), updated_at = now()
where clerk_id = :clerk_id returning id
""")
# Locked in the order of the primary key, see users.py.
_REMOVE_MEMBERS = text("""
with theirs as materialized (
  select organization_id, id from members where organization_id = :id and removed_at is null
  order by organization_id, id for no key update
)
update members set removed_at = now()
from theirs where members.organization_id = theirs.organization_id and members.id = theirs.id
""")


async def apply_organization(
    session: AsyncSession, organization: OrganizationData, *, created: bool = False
) -> Outcome:
    """Write a school down unless a newer version is known, and move it when its slug changed.

    Name, logo and the settings in Clerk's public metadata (``time_zone``,
    ``currency``, ``accent_color``, ``locale``) are taken over when they changed
    at Clerk; what the school chose here meanwhile is kept otherwise.
    """
    key = f"organization:{organization.id}"
    await lock(session, key)
    if await is_buried(session, organization=organization.id):
        return Outcome.SUPERSEDED
    said = organization.said()
    known = (await session.execute(_FIND, {"clerk_id": organization.id})).one_or_none()
    if known is None:
        wish = slugs.derive(organization.slug, said["name"] or "")
        organization_id = await session.scalar(
            _INSERT,
            {
                "clerk_id": organization.id,
                "slug": wish,
                "name": said["name"],
                "version": organization.updated_at,
            },
        )
        heard: dict[str, Any] = {}
    else:
        if known.version > organization.updated_at or (known.version == organization.updated_at and created):
            return Outcome.SUPERSEDED
        # Clerk may stop telling slugs (they are a setting there); a renamed
        # school stays at the address its students know.
        wish = slugs.usable(organization.slug) or known.slug
        organization_id, heard = known.id, known.clerk_values
    slug = await slugs.settle(session, organization_id, wish)
    await session.execute(_SETTLE, {"id": organization_id, "slug": slug, "version": organization.updated_at})
    news = {name: value for name, value in said.items() if name not in heard or heard[name] != value}
    if news:
        values = msgspec.json.encode(news).decode()
        await session.execute(_TAKE_OVER, {"id": organization_id, "values": values})
    await arrived(session, key)
    return Outcome.APPLIED


async def remove_organization(session: AsyncSession, clerk_id: str) -> Outcome:
    """Close a school: no subdomain, no members.  Its rows stay, out of everybody's reach."""
    key = f"organization:{clerk_id}"
    await lock(session, key)
    await bury(session, "organization", clerk_id)
    organization_id = await session.scalar(_CLOSE, {"clerk_id": clerk_id})
    if organization_id is not None:
        await slugs.retire(session, organization_id)
        await session.execute(_REMOVE_MEMBERS, {"id": organization_id})
    await arrived(session, key)
    return Outcome.APPLIED
