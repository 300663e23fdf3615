"""Six related events, in every order there is: the same people and schools in the end.

All 720 orders are told as a tree in one transaction that is never committed:
what two orders have in common at the beginning is done once, and each branch
goes back to the savepoint where it began.  The ledger around the handlers is
tested with orders of five in test_meaning.py; here waiting events are tried
again whenever something was applied, as the inbox does.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.resources import Resources
from coursecove.tenants.inbound import memberships, users
from coursecove.webhooks.inbox import ClerkEvent, Outcome, WaitFor, find_handler
from tests.webhooks.support import Json, membership, organization, user

pytestmark = pytest.mark.anyio

MIA, SCHOOL, STUDENT = "user_2sixMia", "org_2sixSchool", "orgmem_2sixStudent"

STORY: list[tuple[str, Json]] = [
    ("user.created", user(MIA)),
    ("user.updated", user(MIA, at=5, given_name="Maria", email="maria@example.com")),
    ("organization.created", organization(SCHOOL, name="Six Strings", slug="six-strings")),
    ("organizationMembership.created", membership(STUDENT, SCHOOL, MIA, at=10)),
    ("organizationMembership.updated", membership(STUDENT, SCHOOL, MIA, at=20, role="org:admin")),
    ("organizationMembership.deleted", membership(STUDENT, SCHOOL, MIA, at=20, role="org:admin")),
]
#: The same without the end, so that there is a member to look at.
STAYING = [*STORY[:5], ("organization.updated", organization(SCHOOL, at=7, name="Seven Strings", slug="seven"))]

_ENDING = text("""
select json_build_object(
  'users', (select json_agg(json_build_array(email, given_name, version)) from users where clerk_id = :user),
  'schools', (select json_agg(json_build_array(slug, name, version)) from organizations
    where clerk_id = :school),
  'subdomains', (select json_agg(slug order by slug) from subdomains
    where retired_at is null and slug in ('six-strings', 'seven')),
  'members', (select json_agg(json_build_array(email, given_name, role, version)) from members
    where clerk_user_id = :user and removed_at is null),
  'buried', (select json_agg(json_build_array(kind, clerk_id)) from identity_tombstones
    where clerk_id in (:user, :school, :membership))
)
""")


class Tree:
    """Tells a story in every order and collects the ways it ends."""

    def __init__(self, session: AsyncSession, story: list[tuple[str, Json]]) -> None:
        self._session = session
        self._story = story
        self.orders = 0
        #: The first order of each different ending, in the order they were found.
        self.endings: dict[str, tuple[int, ...]] = {}

    async def grow(self, told: tuple[int, ...] = (), waiting: tuple[int, ...] = ()) -> None:
        """Tell what is left in every order, and undo it."""
        if len(told) == len(self._story):
            assert waiting == (), "somebody waits for ever"
            found = await self._session.scalar(_ENDING, {"user": MIA, "school": SCHOOL, "membership": STUDENT})
            self.endings.setdefault(msgspec.json.encode(found).decode(), told)
            self.orders += 1
            return
        for index in range(len(self._story)):
            if index in told:
                continue
            branch = await self._session.begin_nested()
            await self.grow((*told, index), await self._tell(index, waiting))
            await branch.rollback()

    async def _tell(self, index: int, waiting: tuple[int, ...]) -> tuple[int, ...]:
        answer = await self._process(index)
        if isinstance(answer, WaitFor):
            return (*waiting, index)
        if answer is not Outcome.APPLIED or not waiting:
            return waiting
        return tuple([other for other in waiting if isinstance(await self._process(other), WaitFor)])

    async def _process(self, index: int) -> Outcome | WaitFor:
        event_type, data = self._story[index]
        handler = find_handler(event_type)
        assert handler is not None
        raw = msgspec.Raw(msgspec.json.encode(data))
        return await handler(self._session, ClerkEvent(f"msg_{index}", event_type, raw))


async def every_order(house: Resources, story: list[tuple[str, Json]]) -> Tree:
    async with house.database.platform_scope() as session:
        tree = Tree(session, story)
        await tree.grow()
    return tree


async def test_every_permutation_of_six_related_events_converges(house: Resources) -> None:
    tree = await every_order(house, STORY)
    assert tree.orders == 720
    assert {ending: tree.endings[ending] for ending in list(tree.endings)[1:]} == {}
    assert msgspec.json.decode(next(iter(tree.endings))) == {
        "users": [["maria@example.com", "Maria", STORY[1][1]["updated_at"]]],
        "schools": [["six-strings", "Six Strings", STORY[2][1]["updated_at"]]],
        "subdomains": ["six-strings"],
        "members": None,
        "buried": [["membership", STUDENT]],
    }


async def test_every_permutation_in_which_nobody_leaves_converges(house: Resources) -> None:
    tree = await every_order(house, STAYING)
    assert tree.orders == 720
    assert {ending: tree.endings[ending] for ending in list(tree.endings)[1:]} == {}
    ending = msgspec.json.decode(next(iter(tree.endings)))
    assert ending["members"] == [["maria@example.com", "Maria", "admin", STAYING[4][1]["updated_at"]]]
    assert ending["subdomains"] == ["seven"]


@pytest.mark.parametrize("guard", ["versions", "tombstones"])
async def test_without_the_guard_the_orders_end_differently(
    house: Resources, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    if guard == "versions":
        unguarded = users._CHANGES.replace("where users.version < excluded.version\n", "where true\n")
        assert unguarded != users._CHANGES
        monkeypatch.setattr(users, "_CHANGES", unguarded)
        story = STORY[:2]
    else:

        async def never(*_: Any, **__: Any) -> bool:
            return False

        monkeypatch.setattr(memberships, "is_buried", never)
        story = [STORY[0], *STORY[2:4], STORY[5]]
    assert len((await every_order(house, story)).endings) > 1
