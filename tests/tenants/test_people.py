"""The school and its people: reading, changing roles, profiles."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import UNSET
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.errors import Invalid, NotFound
from coursecove.tenants import members, service
from coursecove.tenants.errors import LastAdmin
from coursecove.tenants.schemas import InstructorProfileUpdate, OrganizationUpdate
from tests.factories.world import School
from tests.isolation.databases import as_superuser
from tests.serving import Loop

Do = Callable[[Callable[[AsyncSession], Awaitable[Any]]], Any]


class Undo(Exception):
    """Ends a unit of work so that the next test finds the school as it was."""


@pytest.fixture
def at_yoga(loop: Loop, database: Database, yoga: School) -> Do:
    """`at_yoga(work)`: run it in a unit of work at the yoga studio, and keep nothing of it."""

    def do(work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
        found: list[Any] = []

        async def whole() -> None:
            async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
                found.append(await work(session))
                raise Undo

        with pytest.raises(Undo):
            loop.run(whole())
        return found[0]

    return do


async def _events(session: AsyncSession, action: str) -> list[Any]:
    await session.flush()
    found = await session.execute(
        text("select actor_id, subject_id, data from events where action = :action order by created_at desc"),
        {"action": action},
    )
    return list(found.all())


NOOR, JUN, SOFIA = "noor@stillwater.example", "jun@stillwater.example", "sofia@example.com"


def test_people_are_listed_by_name_page_by_page(at_yoga: Do) -> None:
    async def work(session: AsyncSession) -> Any:
        return (
            await service.list_members(session),
            await service.list_members(session, page=2, page_size=3),
            await service.list_members(session, page=9, page_size=3),
        )

    everybody, second, beyond = at_yoga(work)
    assert [m.given_name for m in everybody.items] == ["Jun", "Noor", "Priya", "Sofia"]
    assert (everybody.total, second.total, beyond.total) == (4, 4, 4)
    assert [m.given_name for m in second.items] == ["Sofia"]
    assert beyond.items == []


@pytest.mark.parametrize(
    ("search", "role", "names"),
    [
        ("jun", None, ["Jun"]),
        ("SOFIA marino", None, ["Sofia"]),
        ("marino sofia", None, ["Sofia"]),
        ("example.com", None, ["Priya", "Sofia"]),
        ("%", None, []),
        ("_", None, []),
        ("\\", None, []),
        ("' or true --", None, []),
        ("", "student", ["Priya", "Sofia"]),
        ("priya", "admin", []),
        ("clara", None, []),
        ("a b c d e f g h", None, []),
    ],
)
def test_a_search_finds_every_word_in_name_or_address(
    at_yoga: Do, search: str, role: Any, names: list[str]
) -> None:
    async def work(session: AsyncSession) -> Any:
        return await service.list_members(session, search=search, role=role)

    page = at_yoga(work)
    assert [m.given_name for m in page.items] == names
    assert page.total == len(names)


def test_somebody_of_another_school_is_not_there(at_yoga: Do, musicschool: School) -> None:
    async def work(session: AsyncSession) -> None:
        with pytest.raises(NotFound):
            await service.get_member(session, musicschool.members["ida@harmony.example"])
        with pytest.raises(NotFound):
            await service.get_instructor(session, musicschool.members["ida@harmony.example"])
        assert await service.recognise(session, "user_2HarmonyIdaBerg") is None
        assert await service.find_instructor_by_slug(session, "ida-berg") is None

    at_yoga(work)


def test_a_new_role_holds_and_is_remembered(at_yoga: Do, yoga: School) -> None:
    async def work(session: AsyncSession) -> None:
        noor = await service.get_member(session, yoga.members[NOOR])
        sofia = yoga.members[SOFIA]
        assert (await service.change_role(session, sofia, "instructor", by=noor)).role == "instructor"
        # Whoever teaches has a page, in the school's own zone.
        view = await service.get_instructor(session, sofia)
        assert (view.slug, view.time_zone) == ("sofia-marino", "America/New_York")
        (event,) = await _events(session, "member.role_changed")
        assert (event.actor_id, event.subject_id) == (noor.id, sofia)
        assert event.data == {"role": {"from": "student", "to": "instructor"}}
        await service.change_role(session, sofia, "instructor", by=noor)
        assert len(await _events(session, "member.role_changed")) == 1

    at_yoga(work)


def test_somebody_stays_who_can_let_people_in(at_yoga: Do, yoga: School) -> None:
    async def work(session: AsyncSession) -> None:
        noor = await service.get_member(session, yoga.members[NOOR])
        with pytest.raises(LastAdmin) as refused:
            await service.change_role(session, noor.id, "student", by=noor)
        assert "Noor Haddad" in str(refused.value)
        await service.change_role(session, yoga.members[JUN], "admin", by=noor)
        assert (await service.change_role(session, noor.id, "student", by=noor)).role == "student"

    at_yoga(work)


Race = Callable[[], list[str]]


@pytest.fixture
def race(
    loop: Loop, database: Database, musicschool: School, settings: Settings, postgres: EmbeddedPostgres
) -> Race:
    """`race()`: two admins make each other students at the same moment; what came of each."""
    clara, ida = (musicschool.members[f"{name}@harmony.example"] for name in ("clara", "ida"))

    async def demote(who: uuid.UUID, by: uuid.UUID, start: asyncio.Event) -> None:
        async with database.organization(musicschool.organization_id, acting=SYSTEM) as session:
            admin = await service.get_member(session, by)
            await start.wait()
            await service.change_role(session, who, "student", by=admin)

    async def both() -> list[Any]:
        start = asyncio.Event()
        tasks = [asyncio.create_task(demote(*pair, start)) for pair in ((clara, ida), (ida, clara))]
        await asyncio.sleep(0.05)
        start.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    def run() -> list[str]:
        with as_superuser(postgres, settings) as connection:
            connection.execute("update members set role_override = 'admin' where id = any(%s)", [[clara, ida]])
        return sorted(type(outcome).__name__ for outcome in loop.run(both()))

    return run


def test_two_admins_cannot_demote_each_other_at_once(race: Race) -> None:
    for _ in range(10):
        assert race() == ["LastAdmin", "NoneType"]


def test_without_the_lock_a_school_would_lose_both(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with a lock of one's own each, both see two admins."""
    monkeypatch.setattr(members, "organization_of", lambda _: uuid.uuid4())
    assert ["NoneType", "NoneType"] in [race() for _ in range(10)]


def test_two_instructors_of_one_name_have_two_addresses(at_yoga: Do, yoga: School) -> None:
    async def work(session: AsyncSession) -> None:
        noor = await service.get_member(session, yoga.members[NOOR])
        taken = (
            "insert into instructor_profiles (organization_id, member_id, slug, time_zone) "
            "values (:o, :m, :s, 'UTC')"
        )
        values = {"o": yoga.organization_id, "m": yoga.members["priya@example.com"], "s": "sofia-marino"}
        await session.execute(text(taken), values)
        await service.change_role(session, yoga.members[SOFIA], "instructor", by=noor)
        assert (await service.get_instructor(session, yoga.members[SOFIA])).slug == "sofia-marino-2"

    at_yoga(work)


def test_a_profile_is_changed_field_by_field(at_yoga: Do, yoga: School) -> None:
    async def work(session: AsyncSession) -> None:
        jun = await service.get_member(session, yoga.members[JUN])
        before = await service.get_instructor(session, jun.id)
        after = await service.update_instructor_profile(
            session, jun.id, InstructorProfileUpdate(bio="Slow."), by=jun
        )
        assert (after.bio, after.meeting_url, after.time_zone) == (
            "Slow.",
            before.meeting_url,
            before.time_zone,
        )
        cleared = await service.update_instructor_profile(
            session, jun.id, InstructorProfileUpdate(meeting_url=""), by=jun
        )
        assert cleared.meeting_url is None
        for changes, field in (
            (InstructorProfileUpdate(time_zone="Mars/Base"), "time_zone"),
            (InstructorProfileUpdate(meeting_url="http://meet.example.com"), "meeting_url"),
            (InstructorProfileUpdate(meeting_url="javascript:alert(1)"), "meeting_url"),
        ):
            with pytest.raises(Invalid) as refused:
                await service.update_instructor_profile(session, jun.id, changes, by=jun)
            assert set(refused.value.fields) == {field}

    at_yoga(work)


def test_the_school_is_changed_and_what_changed_is_kept(at_yoga: Do, yoga: School) -> None:
    async def work(session: AsyncSession) -> None:
        noor = await service.get_member(session, yoga.members[NOOR])
        changes = OrganizationUpdate(name="Stillwater", currency="EUR", time_zone=UNSET)
        after = await service.update_organization(session, changes, by=noor)
        assert (after.name, after.currency, after.time_zone) == ("Stillwater", "EUR", "America/New_York")
        event = (await _events(session, "organization.changed"))[0]
        assert event.data == {
            "name": {"from": "Stillwater Yoga", "to": "Stillwater"},
            "currency": {"from": "USD", "to": "EUR"},
        }
        count = len(await _events(session, "organization.changed"))
        await service.update_organization(session, OrganizationUpdate(name="Stillwater"), by=noor)
        assert len(await _events(session, "organization.changed")) == count
        with pytest.raises(Invalid):
            await service.update_organization(session, OrganizationUpdate(time_zone="localtime"), by=noor)

    at_yoga(work)
