"""The walk over Clerk and over what is here, a page at a time.

Additions and changes are found in Clerk's lists.  Removals are found the other
way round, after all of a school's list was read: what is here is asked for by
name, a hundred at a time, and whoever is missing from that answer once more by
themselves.  So a removal needs three answers that agree, and an answer that
did not come, or a walk that did not get so far, removes nobody.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, TextClause, text

from coursecove.db.session import Database
from coursecove.identity.api import (
    MAX_IDS,
    ClerkApi,
    ClerkMembership,
    ClerkUser,
    MembershipPage,
    OrganizationPage,
)
from coursecove.identity.errors import ClerkApiError
from coursecove.tenants.reconciliation import runs
from coursecove.tenants.reconciliation.repairs import Repairs, School
from coursecove.tenants.reconciliation.runs import Place, Run
from coursecove.webhooks.processing import explain

#: How many of our schools Clerk may not know before that is taken for another instance's key.
MISSING_SCHOOLS = 5
MISSING_SHARE = 0.2

_OURS = text("""
select clerk_id, version, deleted_at, created_at < :started_at as settled
from organizations where clerk_id = any(:ids)
""")
_SETTLED_SCHOOLS = text("""
select count(*) from organizations where deleted_at is null and created_at < :started_at
""")
_NEXT_SCHOOL = text("""
select id from organizations where deleted_at is null and (cast(:after as uuid) is null or id > :after)
order by id limit 1
""")
_SCHOOL = text("""
select id, clerk_id, version, created_at < :started_at as settled
from organizations where id = :id and deleted_at is null
""")
# What Clerk lists and is missing, older or over here.  What was deleted is no difference.
_DIFFERING_MEMBERSHIPS = text("""
select listed.id, members.id is null as missing, users.clerk_id is null as stranger
from unnest(cast(:ids as text[]), cast(:user_ids as text[]), cast(:versions as bigint[]))
  as listed (id, user_id, version)
left join members on members.organization_id = :organization_id and members.clerk_user_id = listed.user_id
left join users on users.clerk_id = listed.user_id
where (members.id is null or members.version < listed.version or members.removed_at is not null)
  and not exists (
    select 1 from identity_tombstones as gone
    where (gone.kind = 'membership' and gone.clerk_id = listed.id)
       or (gone.kind = 'user' and gone.clerk_id = listed.user_id)
  )
""")
_OUR_MEMBERS = text("""
select id, clerk_user_id, clerk_membership_id, clerk_role, version,
       joined_at < :started_at and to_timestamp(version / 1000.0) < :started_at as settled
from members
where organization_id = :organization_id and removed_at is null
  and (cast(:after as uuid) is null or id > cast(:after as uuid))
order by id limit :limit
""")
_OUR_USERS = text("""
select clerk_id, version, created_at < :started_at and to_timestamp(version / 1000.0) < :started_at as settled
from users
where deleted_at is null and clerk_id > :after
  and (cast(:organization_id as uuid) is null or exists (
    select 1 from members where members.clerk_user_id = users.clerk_id
      and members.organization_id = :organization_id and members.removed_at is null))
order by clerk_id limit :limit
""")


class RunFailed(Exception):
    """The run cannot be right, and going on would do harm; the text is for people."""


class Walk:
    """Walks one run from its place on.

    :meth:`go` raises :class:`RunFailed`, what :class:`Repairs` raises, and
    :class:`~coursecove.identity.errors.ClerkApiError` when Clerk does not answer.
    Whatever was done until then is kept.
    """

    def __init__(self, database: Database, clerk: ClerkApi, run: Run, *, secret_key: str) -> None:
        self._database = database
        self._clerk = clerk
        self._run = run
        self._repairs = Repairs(database, run)
        # Enough to notice another key by, not enough to say anything about it.
        self._key = hashlib.blake2b(secret_key.encode(), digest_size=8).hexdigest()

    async def go(self, *, until: float) -> bool:
        """Walk until the end, or until ``time.monotonic()`` passes ``until``; True at the end.

        At least one page is done, so that a run comes on however little time there is.
        """
        place = self._run.place
        if place.key != self._key:
            place = Place(key=self._key)
        if self._run.organization_id is not None and place.stage == "organizations":
            place = Place("memberships", school=self._run.organization_id, key=self._key)
        following = await self._step(place)
        while following is not None and time.monotonic() < until:
            following = await self._step(following)
        return following is None

    async def _step(self, place: Place) -> Place | None:
        following: Place | None
        match place.stage:
            case "organizations":
                following, checked = await self._organizations(place)
            case "schools":
                following, checked = await self._next_school(place), 0
            case "users":
                following, checked = await self._users(place)
            case "memberships" | "members":
                following, checked = await self._people_of_school(place)
        async with self._database.platform_scope() as session:
            await runs.go_on(session, self._run, place=following, checked=checked)
        return following

    # Schools

    async def _organizations(self, place: Place) -> tuple[Place, int]:
        page = await self._clerk.organizations_page(offset=place.offset)
        _complain_if_cut_short(page, place.offset)
        known = {row.clerk_id: row for row in await self._read(_OURS, ids=[found.id for found in page.data])}
        met = place.met
        for found in page.data:
            ours = known.get(found.id)
            if ours is None:
                await self._repairs.write_organization(found, change="created")
            elif ours.deleted_at is None:
                met += ours.settled
                if ours.version < found.updated_at:
                    await self._repairs.write_organization(found, change="updated")
        offset = place.offset + len(page.data)
        if offset < page.total_count:
            return msgspec.structs.replace(place, offset=offset, met=met), len(page.data)
        await self._refuse_another_instance(met)
        return Place("schools", key=self._key), len(page.data)

    async def _refuse_another_instance(self, met: int) -> None:
        """Raise when Clerk misses so many of our schools that it is hardly the one they came from."""
        ours = (await self._read(_SETTLED_SCHOOLS))[0][0]
        missing = ours - met
        if ours and (met == 0 or missing > max(MISSING_SCHOOLS, ours * MISSING_SHARE)):
            raise RunFailed(
                f"Clerk does not know {missing} of the {ours} schools here. Nothing was removed. "
                "Does CLERK_SECRET_KEY belong to the same instance as before?"
            )

    async def _next_school(self, place: Place) -> Place:
        found = await self._read(_NEXT_SCHOOL, after=place.school)
        if not found:
            return Place("users", key=self._key)
        return Place("memberships", school=found[0].id, key=self._key)

    def _after_school(self, place: Place) -> Place:
        """Go on to the next school; a school on its own goes on to its people."""
        stage = "schools" if self._run.organization_id is None else "users"
        return msgspec.structs.replace(place, stage=stage, offset=0, after="")

    async def _close_if_gone(self, school: School, refusal: str) -> None:
        """Close a school whose people Clerk would not list, if it does not know the school either."""
        try:
            await self._clerk.get_organization(school.clerk_id)
        except ClerkApiError as error:
            if not _is_gone(error):
                raise
        else:
            await self._repairs.skip("organization", school.clerk_id, refusal)
            return
        if self._run.organization_id is not None:
            # Whether this is the right instance of Clerk is seen by the whole walk only.
            raise RunFailed("Clerk does not know this school. Nothing was removed.")
        if school.settled:
            await self._repairs.remove_organization(school)

    # Their people

    async def _people_of_school(self, place: Place) -> tuple[Place, int]:
        assert place.school is not None
        found = await self._read(_SCHOOL, id=place.school)
        if not found:
            return self._after_school(place), 0
        row = found[0]
        school = School(row.id, row.clerk_id, row.version, row.settled)
        try:
            if place.stage == "memberships":
                return await self._memberships(place, school)
            return await self._members(place, school)
        except ClerkApiError as error:
            if not 400 <= error.clerk_status < 500 or error.clerk_status in (401, 429):
                raise
            refusal = explain(error)
        await self._close_if_gone(school, refusal)
        return self._after_school(place), 1

    async def _memberships(self, place: Place, school: School) -> tuple[Place, int]:
        page = await self._clerk.memberships_page(school.clerk_id, offset=place.offset)
        _complain_if_cut_short(page, place.offset)
        await self._compare(school, page.data)
        offset = place.offset + len(page.data)
        if offset < page.total_count:
            return msgspec.structs.replace(place, offset=offset), len(page.data)
        return msgspec.structs.replace(place, stage="members", offset=0), len(page.data)

    async def _members(self, place: Place, school: School) -> tuple[Place, int]:
        ours = await self._read(
            _OUR_MEMBERS, organization_id=school.id, after=place.after or None, limit=MAX_IDS
        )
        if not ours:
            return self._after_school(place), 0
        listed = await self._listed(school, [member.clerk_user_id for member in ours])
        for member in ours:
            if member.settled and member.clerk_user_id not in listed:
                again = await self._listed(school, [member.clerk_user_id])
                if member.clerk_user_id not in again:
                    await self._repairs.remove_member(school, member)
        return msgspec.structs.replace(place, after=str(ours[-1].id)), 0

    async def _listed(self, school: School, user_ids: list[str]) -> set[str]:
        """Return which of these people Clerk lists in the school, and take over what it says of them."""
        page = await self._clerk.memberships_page(school.clerk_id, user_ids=user_ids)
        _complain_if_cut_short(page, 0, whole=True)
        await self._compare(school, page.data)
        return {membership.public_user_data.user_id for membership in page.data}

    async def _compare(self, school: School, listed: Sequence[ClerkMembership]) -> None:
        by_id = {membership.id: membership for membership in listed}
        differing = await self._read(
            _DIFFERING_MEMBERSHIPS,
            organization_id=school.id,
            ids=list(by_id),
            user_ids=[membership.public_user_data.user_id for membership in by_id.values()],
            versions=[membership.updated_at for membership in by_id.values()],
        )
        strangers = [by_id[row.id].public_user_data.user_id for row in differing if row.stranger]
        for start in range(0, len(strangers), MAX_IDS):
            for user in await self._clerk.find_users(strangers[start : start + MAX_IDS]):
                await self._repairs.write_user(user, change="created")
        for row in differing:
            await self._repairs.write_membership(by_id[row.id], change="created" if row.missing else "updated")

    async def _users(self, place: Place) -> tuple[Place | None, int]:
        ours = await self._read(
            _OUR_USERS, after=place.after, organization_id=self._run.organization_id, limit=MAX_IDS
        )
        if not ours:
            return None, 0
        found = {user.id: user for user in await self._clerk.find_users([user.clerk_id for user in ours])}
        for user in ours:
            there = found.get(user.clerk_id)
            if there is None and user.settled:
                there = await self._ask_again(user)
            if there is not None and there.updated_at > user.version:
                await self._repairs.write_user(there, change="updated")
        return msgspec.structs.replace(place, after=ours[-1].clerk_id), len(ours)

    async def _ask_again(self, user: Row[Any]) -> ClerkUser | None:
        """Ask for one person by id; they are removed when Clerk says that there is no such person."""
        try:
            return await self._clerk.get_user(user.clerk_id)
        except ClerkApiError as error:
            if not _is_gone(error):
                raise
        await self._repairs.remove_user(user.clerk_id, user.version)
        return None

    async def _read(self, question: TextClause, **values: Any) -> Sequence[Row[Any]]:
        values["started_at"] = self._run.started_at
        async with self._database.platform_scope() as session:
            return (await session.execute(question, values)).all()


def _is_gone(error: ClerkApiError) -> bool:
    return error.clerk_status == 404 and error.clerk_code == "resource_not_found"


def _complain_if_cut_short(
    page: MembershipPage | OrganizationPage, offset: int, *, whole: bool = False
) -> None:
    """Raise when Clerk announces more than it gives: what is missing there says nothing."""
    given = offset + len(page.data)
    if given < page.total_count and (whole or not page.data):
        raise ClerkApiError("unreadable", 200, "Clerk announced more than it listed.")
