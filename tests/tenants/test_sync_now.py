"""A school's admin asks for a comparison with Clerk, and sees how the school stands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from coursecove.config import Settings
from coursecove.db.session import SYSTEM
from coursecove.dev.clerk.world import CLARA, LEO, MIA, MUSIC_SCHOOL, NOOR, YOGA
from coursecove.events import Event
from coursecove.resources import Resources
from coursecove.tenants import service
from coursecove.tenants.models import Member
from coursecove.tenants.reconciliation import SyncState, SyncTooSoon, pacing, request_sync, sync_state, tasks
from coursecove.tenants.schemas import OrganizationView
from tests.tenants.clerk_side import (
    Answer,
    ClerkSide,
    a_worker,
    change,
    clerk_side,
    go_on,
    members,
    reconcile,
    rows,
)
from tests.webhooks.support import deliver, membership, note, organization

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def clerk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClerkSide]:
    with clerk_side(tmp_path_factory.mktemp("clerk")) as side:
        yield side


@pytest.fixture
async def house(
    clerk: ClerkSide, empty_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Resources]:
    """Everybody as Clerk has them, and no run on record."""
    monkeypatch.setattr(pacing, "PER_SECOND", 5_000.0)
    clerk.front.rule = lambda _: None
    with psycopg.connect(empty_settings.database_owner_url, autocommit=True) as connection:
        connection.execute(
            "truncate reconciliations, webhook_events, identity_tombstones, users, organizations, subdomains "
            "cascade"
        )
    async with a_worker(clerk.settings(empty_settings)) as resources:
        await reconcile(resources)
        await change(resources, "delete from reconciliations")
        yield resources


async def school_of(house: Resources, clerk_id: str, admin: str) -> tuple[OrganizationView, Member]:
    found = await rows(house, "select id from organizations where clerk_id = :id", id=clerk_id)
    async with house.database.organization(found[0]["id"], acting=SYSTEM) as session:
        by = (await session.scalars(select(Member).where(Member.clerk_user_id == admin))).one()
        return await service.get_organization(session), by


async def state(house: Resources, school: OrganizationView) -> SyncState:
    return await sync_state(house.database, school.id)


async def queued(house: Resources) -> list[dict[str, Any]]:
    """What waits in the queue for a worker."""
    found = await house.redis.hgetall("coursecove:coursecove.msgs")
    return [json.loads(message) for message in found.values()]


async def asked_for(house: Resources, school: OrganizationView) -> list[tuple[str, Any, Any]]:
    """What the school's audit trail says about who asked."""
    async with house.database.organization(school.id, acting=SYSTEM) as session:
        found = await session.scalars(select(Event).where(Event.action == "organization.sync_requested"))
        return [(event.subject_type, event.subject_id, event.actor_id) for event in found]


async def test_sync_now_repairs_the_school_and_says_what_it_did(house: Resources, clerk: ClerkSide) -> None:
    school, clara = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    assert await state(house, school) == SyncState(None, 0, 0, None, None, running=False)
    clerk.stand_in.directory.change_role(MUSIC_SCHOOL.clerk_id, LEO.clerk_id, "org:instructor")
    clerk.stand_in.directory.change_role(YOGA.clerk_id, NOOR.clerk_id, "org:member")
    try:
        await request_sync(house, school, by=clara)
        assert (await state(house, school)).running
        await tasks.reconcile_organization.run(house, organization_id=str(school.id))
    finally:
        clerk.stand_in.directory.change_role(YOGA.clerk_id, NOOR.clerk_id, "org:admin")
        clerk.stand_in.directory.change_role(MUSIC_SCHOOL.clerk_id, LEO.clerk_id, "org:member")
    assert (await members(house, "musicschool"))[LEO.email] == "instructor"
    # The other school did not ask.
    assert (await members(house, "yoga"))[NOOR.email] == "admin"
    done = await state(house, school)
    # Six memberships and six people.
    assert (done.last_result, done.running, done.trouble) == ("12 compared, 1 updated.", False, None)
    assert done.last_reconciled_at is not None
    run = (await rows(house, "select organization_id, requested_by, updated from reconciliations"))[0]
    assert run == {"organization_id": school.id, "requested_by": clara.id, "updated": 1}


async def test_who_asked_is_recorded_and_a_worker_is_woken(house: Resources) -> None:
    school, clara = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    await house.redis.flushall()
    await request_sync(house, school, by=clara)
    assert await asked_for(house, school) == [("organization", school.id, clara.id)]
    for _ in range(100):
        names = {message["actor_name"]: message["kwargs"] for message in await queued(house)}
        if "tenants.reconcile_organization" in names:
            break
        await asyncio.sleep(0.02)
    assert names["tenants.reconcile_organization"] == {"organization_id": str(school.id)}


async def test_sync_now_is_refused_within_a_minute_and_while_one_is_under_way(house: Resources) -> None:
    school, clara = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    await request_sync(house, school, by=clara)
    with pytest.raises(SyncTooSoon) as refused:
        await request_sync(house, school, by=clara)
    assert refused.value.status == 409
    left = refused.value.extra["retry_after_seconds"]
    assert 50 <= left <= 60
    assert refused.value.detail == f"Please try again in {left} seconds."
    await change(house, "update reconciliations set requested_at = now() - interval '61 seconds'")
    with pytest.raises(SyncTooSoon, match="still under way"):
        await request_sync(house, school, by=clara)
    await go_on(house)
    await request_sync(house, school, by=clara)
    # A refusal leaves no event behind, and another school's minute is its own.
    assert len(await asked_for(house, school)) == 2
    other, noor = await school_of(house, YOGA.clerk_id, NOOR.clerk_id)
    await request_sync(house, other, by=noor)
    assert len(await asked_for(house, other)) == 1


async def test_of_two_admins_at_once_one_is_refused(house: Resources) -> None:
    school, clara = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    answers = await asyncio.gather(
        *(request_sync(house, school, by=clara) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["SyncTooSoon"] * 3


async def test_a_school_sees_what_of_its_own_waits_and_failed(house: Resources) -> None:
    school, _ = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    other, _ = await school_of(house, YOGA.clerk_id, NOOR.clerk_id)
    await deliver(house, "organization.updated", organization(MUSIC_SCHOOL.clerk_id))
    await deliver(
        house,
        "organizationMembership.created",
        membership("orgmem_2Waits", MUSIC_SCHOOL.clerk_id, "user_2NotYet"),
    )
    lease = await note(
        house, "organizationMembership.created", membership("orgmem_2Bad", MUSIC_SCHOOL.clerk_id, MIA.clerk_id)
    )
    await change(
        house,
        "update webhook_events set status = 'failed', error = 'x', lease_token = null, lease_expires_at = null "
        "where message_id = :id",
        id=lease.message_id,
    )
    seen = await state(house, school)
    assert (seen.waiting, seen.failed) == (1, 1)
    heard = await rows(
        house,
        "select max(received_at) as at from webhook_events where entity_id = :id",
        id=MUSIC_SCHOOL.clerk_id,
    )
    assert seen.last_event_at == heard[0]["at"]
    theirs = await state(house, other)
    assert (theirs.waiting, theirs.failed, theirs.last_event_at) == (0, 0, None)


async def test_a_comparison_of_all_schools_tells_a_school_nothing_about_the_others(house: Resources) -> None:
    school, _ = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    await reconcile(house)
    seen = await state(house, school)
    assert seen.last_result == "Compared with Clerk, as all schools are every hour."
    assert (seen.running, seen.last_reconciled_at is not None) == (False, True)


async def test_trouble_with_clerk_is_told_in_words(house: Resources, clerk: ClerkSide) -> None:
    school, clara = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    clerk.front.rule = lambda _: Answer(503, {"errors": [{"code": "x", "message": "Clerk is being repaired."}]})
    await request_sync(house, school, by=clara)
    await go_on(house)
    assert await state(house, school) == SyncState(
        None, 0, 0, None, None, running=True, trouble="Clerk is being repaired."
    )


async def test_a_school_that_clerk_does_not_know_is_not_closed_by_its_own_sync(
    house: Resources, clerk: ClerkSide
) -> None:
    school, clara = await school_of(house, MUSIC_SCHOOL.clerk_id, CLARA.clerk_id)
    gone = {"errors": [{"code": "resource_not_found", "message": "not found"}]}
    clerk.front.rule = lambda asked: Answer(404, gone) if "organizations" in asked.path else None
    await request_sync(house, school, by=clara)
    await go_on(house)
    assert (await state(house, school)).last_result == "Clerk does not know this school. Nothing was removed."
    assert len(await members(house, "musicschool")) == 6
