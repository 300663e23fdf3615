"""One repair at a time: the change, its count and the proof of the lease in one transaction.

The changes are those the webhooks make, under the same locks.  A removal looks
at the row once more under those locks: whoever changed since the walk saw them
is left alone until the next one.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import Row, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.session import Database
from coursecove.identity.api import ClerkMembership, ClerkOrganization, ClerkUser
from coursecove.tenants.inbound import (
    MembershipData,
    OrganizationData,
    UserData,
    apply_membership,
    apply_organization,
    apply_user,
    remove_membership,
    remove_organization,
    remove_user,
)
from coursecove.tenants.inbound.entities import lock
from coursecove.tenants.inbound.shapes import OrganizationReference, PublicUserData, as_shape
from coursecove.tenants.reconciliation import runs
from coursecove.tenants.reconciliation.runs import Change, Run
from coursecove.tenants.slugs import NoSubdomainLeft
from coursecove.webhooks.inbox import Outcome, WaitFor
from coursecove.webhooks.processing import explain

log = structlog.get_logger("coursecove.reconciliation")

# Kept by the server as well: a repair waits for nobody longer than its lease.
_SET_LIMITS = text(
    "select set_config('statement_timeout', '10s', true), set_config('lock_timeout', '5s', true)"
)
_USER_AS_SEEN = text("""
select exists (select 1 from users where clerk_id = :clerk_id and version = :version and deleted_at is null)
""")
_ORGANIZATION_AS_SEEN = text("""
select exists (select 1 from organizations where id = :id and version = :version and deleted_at is null)
""")
_MEMBER_AS_SEEN = text("""
select exists (
  select 1 from members where organization_id = :organization_id and id = :id and version = :version
    and clerk_membership_id = :membership_id and removed_at is null
)
""")


@dataclass(frozen=True, slots=True)
class School:
    """A school of ours whose people are being compared."""

    id: uuid.UUID
    clerk_id: str
    version: int
    # Known here since before the run began.
    settled: bool


class Repairs:
    """Changes what differs, for one run.

    What cannot be taken over because of what it is (a shape we do not know,
    values the database refuses) is logged and counted as skipped: one strange
    entity must not stop the others.  Raises everything else, an absent database
    for one, and :class:`~coursecove.tenants.reconciliation.runs.LeaseLost`.
    """

    def __init__(self, database: Database, run: Run) -> None:
        self._database = database
        self._run = run

    async def write_organization(self, answer: ClerkOrganization, *, change: Change) -> None:
        """Take over a school as Clerk has it."""

        async def apply(session: AsyncSession) -> Outcome:
            return await apply_organization(session, as_shape(answer, OrganizationData))

        await self._repair("organization", answer.id, change, apply)

    async def write_user(self, answer: ClerkUser, *, change: Change) -> None:
        """Take over a person as Clerk has them."""

        async def apply(session: AsyncSession) -> Outcome:
            return await apply_user(session, as_shape(answer, UserData))

        await self._repair("user", answer.id, change, apply)

    async def write_membership(self, answer: ClerkMembership, *, change: Change) -> None:
        """Take over who belongs to a school, in which role."""

        async def apply(session: AsyncSession) -> Outcome | WaitFor:
            return await apply_membership(session, as_shape(answer, MembershipData))

        await self._repair("membership", answer.id, change, apply)

    async def remove_organization(self, school: School) -> None:
        """Close a school that Clerk does not know any more."""

        async def remove(session: AsyncSession) -> Outcome:
            await lock(session, f"organization:{school.clerk_id}")
            if not await session.scalar(_ORGANIZATION_AS_SEEN, {"id": school.id, "version": school.version}):
                return Outcome.SUPERSEDED
            return await remove_organization(session, school.clerk_id)

        await self._repair("organization", school.clerk_id, "removed", remove)

    async def remove_user(self, clerk_id: str, version: int) -> None:
        """Forget a person whom Clerk does not know any more."""

        async def remove(session: AsyncSession) -> Outcome:
            await lock(session, f"user:{clerk_id}")
            if not await session.scalar(_USER_AS_SEEN, {"clerk_id": clerk_id, "version": version}):
                return Outcome.SUPERSEDED
            return await remove_user(session, clerk_id)

        await self._repair("user", clerk_id, "removed", remove)

    async def remove_member(self, school: School, member: Row[Any]) -> None:
        """Take somebody out of a school that Clerk says they do not belong to."""
        gone = MembershipData(
            id=member.clerk_membership_id,
            updated_at=member.version,
            role=member.clerk_role,
            organization=OrganizationReference(id=school.clerk_id),
            public_user_data=PublicUserData(user_id=member.clerk_user_id),
        )
        as_seen = {
            "organization_id": school.id,
            "id": member.id,
            "version": member.version,
            "membership_id": gone.id,
        }

        async def remove(session: AsyncSession) -> Outcome:
            await lock(session, f"user:{member.clerk_user_id}", f"organization:{school.clerk_id}")
            if not await session.scalar(_MEMBER_AS_SEEN, as_seen):
                return Outcome.SUPERSEDED
            return await remove_membership(session, gone)

        await self._repair("membership", gone.id, "removed", remove)

    async def _repair(
        self,
        kind: str,
        clerk_id: str,
        change: Change,
        apply: Callable[[AsyncSession], Awaitable[Outcome | WaitFor]],
    ) -> None:
        try:
            async with self._database.platform_scope() as session:
                await session.execute(_SET_LIMITS)
                outcome = await apply(session)
                if outcome is Outcome.APPLIED:
                    await runs.go_on(session, self._run, change=change)
        except (msgspec.ValidationError, NoSubdomainLeft, DataError, IntegrityError) as error:
            reason = str(error) if isinstance(error, msgspec.ValidationError) else explain(error)
            await self.skip(kind, clerk_id, reason)
            return
        if isinstance(outcome, WaitFor):
            await self.skip(kind, clerk_id, f"{outcome.key} is not there")
        elif outcome is Outcome.APPLIED:
            log.info("reconciliation_repair", kind=kind, clerk_id=clerk_id, change=change, **self._names())

    async def skip(self, kind: str, clerk_id: str, reason: str) -> None:
        """Count something that could not be repaired, and say why in the log."""
        async with self._database.platform_scope() as session:
            await runs.go_on(session, self._run, change="skipped")
        log.error("reconciliation_skipped", kind=kind, clerk_id=clerk_id, reason=reason, **self._names())

    def _names(self) -> dict[str, str]:
        school = self._run.organization_id
        return {"run": str(self._run.id), "scope": str(school) if school else "instance"}
