"""Who belongs to which school, and in which role."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.tenants.inbound.entities import bury, is_buried, lock
from coursecove.tenants.inbound.shapes import MembershipData
from coursecove.webhooks.inbox import Outcome, WaitFor

_KNOWN = text("""
select (select id from users where clerk_id = :user_id) as user_id,
       (select id from organizations where clerk_id = :organization_id) as organization_id
""")
# The name comes from the person's own record, which has a version, not from the
# membership's copy of it, which has none.  An admin's choice of role is about
# what Clerk said then: it ends when Clerk says something else, and with the membership.
_UPSERT = text("""
insert into members
  (organization_id, clerk_user_id, clerk_membership_id, given_name, family_name, email, image_url,
   clerk_role, version)
select :organization_id, users.clerk_id, :membership_id, users.given_name, users.family_name, users.email,
       users.image_url, :role, :version
from users where users.id = :user_id
on conflict (organization_id, clerk_user_id) do update
set clerk_membership_id = excluded.clerk_membership_id, given_name = excluded.given_name,
    family_name = excluded.family_name, email = excluded.email, image_url = excluded.image_url,
    role_override = case
      when members.clerk_membership_id = excluded.clerk_membership_id
        and members.clerk_role = excluded.clerk_role then members.role_override end,
    clerk_role = excluded.clerk_role, version = excluded.version, removed_at = null
where members.version < excluded.version or (members.version = excluded.version and not :created)
returning id
""")
_REMOVE = text("""
update members set removed_at = now()
where clerk_user_id = :user_id and clerk_membership_id = :membership_id and removed_at is null
""")


async def apply_membership(
    session: AsyncSession, membership: MembershipData, *, created: bool = False
) -> Outcome | WaitFor:
    """Let a person into a school, or change their role there, unless a newer version is known.

    Answers with what to wait for when the person or the school has not arrived
    yet.  Somebody who comes back, with a new membership, is the same member
    again: their lessons are theirs.
    """
    user, organization = membership.public_user_data.user_id, membership.organization.id
    await lock(session, f"user:{user}", f"organization:{organization}")
    if await is_buried(session, user=user, organization=organization, membership=membership.id):
        return Outcome.SUPERSEDED
    known = (await session.execute(_KNOWN, {"user_id": user, "organization_id": organization})).one()
    if known.user_id is None:
        return WaitFor(f"user:{user}")
    if known.organization_id is None:
        return WaitFor(f"organization:{organization}")
    written = await session.scalar(
        _UPSERT,
        {
            "organization_id": known.organization_id,
            "user_id": known.user_id,
            "membership_id": membership.id,
            "role": membership.role,
            "version": membership.updated_at,
            "created": created,
        },
    )
    return Outcome.SUPERSEDED if written is None else Outcome.APPLIED


async def remove_membership(session: AsyncSession, membership: MembershipData) -> Outcome:
    """Take a person out of a school, unless they have come back with another membership since."""
    user = membership.public_user_data.user_id
    await lock(session, f"user:{user}", f"organization:{membership.organization.id}")
    await bury(session, "membership", membership.id)
    await session.execute(_REMOVE, {"user_id": user, "membership_id": membership.id})
    return Outcome.APPLIED
