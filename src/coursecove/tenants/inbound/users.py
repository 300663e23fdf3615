"""People, as Clerk knows them, and their names in every school they belong to."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.db.together import send
from coursecove.tenants.inbound.entities import LOCK, bury, lock, lock_keys
from coursecove.tenants.inbound.shapes import UserData, plain
from coursecove.webhooks.inbox import AtOnce, Outcome, given
from coursecove.webhooks.wakeups import arrived

# One message: the lock, then, as everybody before has left it, the tombstone, the
# person and their name in every school.  One person's rows lie in many schools, one
# school's rows belong to many people: whoever changes several locks them in the order
# of the primary key first.
_CHANGES = """
written as (
  insert into users (clerk_id, email, given_name, family_name, image_url, version)
  select clerk_id, email, given_name, family_name, image_url, version from given
  where not exists (select from identity_tombstones where kind = 'user' and clerk_id = given.clerk_id)
  on conflict (clerk_id) do update
  set email = excluded.email, given_name = excluded.given_name, family_name = excluded.family_name,
      image_url = excluded.image_url, version = excluded.version, updated_at = now()
  where users.version < excluded.version
    or (users.version = excluded.version and not (select created from given where clerk_id = excluded.clerk_id))
  returning clerk_id as key
), theirs as materialized (
  select organization_id, id, clerk_user_id from members
  where clerk_user_id in (select key from written)
  order by organization_id, id for no key update
), renamed as (
  update members
  set email = given.email, given_name = given.given_name, family_name = given.family_name,
      image_url = given.image_url
  from theirs join given on given.clerk_id = theirs.clerk_user_id
  where members.organization_id = theirs.organization_id and members.id = theirs.id
)
"""
_COLUMNS = {
    "clerk_id": "text", "email": "text", "given_name": "text", "family_name": "text", "image_url": "text",
    "version": "bigint", "created": "boolean",
}  # fmt: skip
_FORGET = text("""
update users
set email = null, given_name = '', family_name = '', image_url = null,
    deleted_at = coalesce(deleted_at, now()), updated_at = now()
where clerk_id = :clerk_id
""")
_REMOVE_MEMBERS = text("""
with theirs as materialized (
  select organization_id, id from members where clerk_user_id = :clerk_id and removed_at is null
  order by organization_id, id for no key update
)
update members set removed_at = now()
from theirs where members.organization_id = theirs.organization_id and members.id = theirs.id
""")


async def apply_user(session: AsyncSession, user: UserData, *, created: bool = False) -> Outcome:
    """Write a person down unless a newer version is known; their name follows in every school.

    ``created`` says that this is how the person began: of two states with the
    same version the other one is the later.
    """
    change = user_at_once(user, created=created)
    table, values = given([change])
    statement = f"with {table}, {change.changes} select key from written"  # noqa: S608 - no values
    _, written = await send(session, [change.lock, statement], values)
    if not written:
        return Outcome.SUPERSEDED
    await arrived(session, change.entity)
    return Outcome.APPLIED


def user_at_once(user: UserData, *, created: bool = False) -> AtOnce:
    """Return the same as one statement, for an event that nothing stands in the way of."""
    entity = f"user:{user.id}"
    person = {
        "clerk_id": user.id,
        "email": user.email,
        "given_name": plain(user.first_name, 100),
        "family_name": plain(user.last_name, 100),
        "image_url": user.picture,
        "version": user.updated_at,
        "created": created,
    }
    return AtOnce(
        entity=entity,
        key=user.id,
        lock=LOCK,
        locks=lock_keys(entity),
        changes=_CHANGES,
        columns=_COLUMNS,
        row=person,
    )


async def remove_user(session: AsyncSession, clerk_id: str) -> Outcome:
    """Forget a person's data and take them out of every school; a school keeps whom it taught."""
    key = f"user:{clerk_id}"
    await lock(session, key)
    await bury(session, "user", clerk_id)
    await session.execute(_FORGET, {"clerk_id": clerk_id})
    await session.execute(_REMOVE_MEMBERS, {"clerk_id": clerk_id})
    # What still waits for this person need not wait any longer.
    await arrived(session, key)
    return Outcome.APPLIED
