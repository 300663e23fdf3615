"""What Clerk's events mean: the people and schools of Clerk, written into our tables.

Order comes from each entity's own ``updated_at``, never from the delivery.
What was deleted leaves a tombstone, so that nothing that arrives late brings it
back.  A membership waits for its person and its school.

The verbs (``apply_…``, ``remove_…``) take what Clerk's API answers as well as
what its events carry, so that a change made here is seen at once and the event
that follows finds nothing left to do.  They need the platform's unit of work.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.tenants.inbound.memberships import apply_membership, remove_membership
from coursecove.tenants.inbound.organizations import apply_organization, remove_organization
from coursecove.tenants.inbound.shapes import Deleted, MembershipData, OrganizationData, UserData
from coursecove.tenants.inbound.users import apply_user, remove_user, user_at_once
from coursecove.webhooks.inbox import AtOnce, ClerkEvent, Outcome, WaitFor, changes_at_once, handles

__all__ = [
    "MembershipData",
    "OrganizationData",
    "UserData",
    "apply_membership",
    "apply_organization",
    "apply_user",
    "remove_membership",
    "remove_organization",
    "remove_user",
]


@handles("user.created", "user.updated")
async def user_changed(session: AsyncSession, event: ClerkEvent) -> Outcome:
    """A person signed up, or changed name or address."""
    return await apply_user(session, event.read(UserData), created=event.event_type == "user.created")


@changes_at_once("user.created", "user.updated")
def user_changes(event: ClerkEvent) -> AtOnce:
    """The same, when nothing stands in the way."""
    return user_at_once(event.read(UserData), created=event.event_type == "user.created")


@handles("user.deleted")
async def user_deleted(session: AsyncSession, event: ClerkEvent) -> Outcome:
    """A person closed their account; Clerk promises no event for each of their memberships."""
    return await remove_user(session, event.read(Deleted).id)


@handles("organization.created", "organization.updated")
async def organization_changed(session: AsyncSession, event: ClerkEvent) -> Outcome:
    """A school was founded, renamed or moved."""
    created = event.event_type == "organization.created"
    return await apply_organization(session, event.read(OrganizationData), created=created)


@handles("organization.deleted")
async def organization_deleted(session: AsyncSession, event: ClerkEvent) -> Outcome:
    """A school closed; Clerk promises no event for each of its memberships."""
    return await remove_organization(session, event.read(Deleted).id)


@handles("organizationMembership.created", "organizationMembership.updated")
async def membership_changed(session: AsyncSession, event: ClerkEvent) -> Outcome | WaitFor:
    """A person joined a school, or has another role there."""
    created = event.event_type == "organizationMembership.created"
    return await apply_membership(session, event.read(MembershipData), created=created)


@handles("organizationMembership.deleted")
async def membership_deleted(session: AsyncSession, event: ClerkEvent) -> Outcome:
    """A person left a school.  The event carries the whole membership, unlike the other deletions."""
    return await remove_membership(session, event.read(MembershipData))
