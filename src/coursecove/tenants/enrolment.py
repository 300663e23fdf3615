"""Joining a school by oneself.

Clerk owns memberships, so the membership is made there first.  What Clerk
answers is applied here at once, by the same function its webhook goes through:
nobody waits for a delivery to book their first lesson, and the delivery, when
it comes, finds everything done.
"""

from __future__ import annotations

import structlog

from coursecove.errors import Conflict
from coursecove.identity.api import ClerkApi, ClerkMembership
from coursecove.identity.errors import ClerkApiError
from coursecove.resources import Resources
from coursecove.tenants.errors import EnrolmentClosed
from coursecove.tenants.inbound.entities import lock
from coursecove.tenants.inbound.memberships import apply_membership
from coursecove.tenants.inbound.shapes import MembershipData, UserData, as_shape
from coursecove.tenants.inbound.users import apply_user
from coursecove.tenants.schemas import OrganizationView
from coursecove.webhooks.inbox import WaitFor

log = structlog.get_logger("coursecove.enrolment")

STUDENT_ROLE = "org:member"


class NotYetKnown(Conflict):
    """Clerk has the membership, but what it told us is not complete yet."""

    code = "membership_on_its_way"
    title = "Your membership is on its way. Please try again in a moment"


async def join(resources: Resources, organization: OrganizationView, clerk_user_id: str) -> None:
    """Make the person behind a verified token a student of the school.

    Raises :class:`EnrolmentClosed` when the school invites people itself,
    :class:`ClerkApiError` when Clerk cannot be asked.  Joining twice is fine.
    """
    if not organization.self_enrolment:
        raise EnrolmentClosed("Ask the school to invite you.")
    clerk = ClerkApi(resources.settings, resources.http)
    membership = await _membership(clerk, organization.clerk_id, clerk_user_id)
    user = await clerk.get_user(clerk_user_id)
    async with resources.database.platform_scope() as session:
        await lock(session, f"user:{clerk_user_id}", f"organization:{organization.clerk_id}")
        # The account may be seconds old and its own webhook still on the way.
        await apply_user(session, as_shape(user, UserData), created=True)
        outcome = await apply_membership(session, as_shape(membership, MembershipData), created=True)
    if isinstance(outcome, WaitFor):
        raise NotYetKnown
    log.info("joined", organization_id=str(organization.id))


async def _membership(clerk: ClerkApi, organization_id: str, user_id: str) -> ClerkMembership:
    try:
        return await clerk.create_membership(organization_id, user_id, STUDENT_ROLE)
    except ClerkApiError as error:
        if error.clerk_code not in ("already_a_member_in_organization", "duplicate_record"):
            raise
    async for membership in clerk.memberships(organization_id):
        if membership.public_user_data.user_id == user_id:
            return membership
    raise NotYetKnown
