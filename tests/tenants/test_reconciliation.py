"""What was never delivered is repaired: everything appears, changes and goes as Clerk has it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from coursecove import periodic
from coursecove.config import Settings
from coursecove.dev.clerk.world import CLARA, IDA, LEO, MIA, MUSIC_SCHOOL, OLIVIA, PRIYA, TOMAS, YOGA
from coursecove.identity.api import ClerkApi
from coursecove.resources import Resources
from coursecove.tenants.reconciliation import runs, tasks
from coursecove.tenants.reconciliation.pacing import TokenBucket
from coursecove.tenants.reconciliation.repairs import Repairs
from coursecove.tenants.reconciliation.runs import LeaseLost
from tests.tenants.clerk_side import (
    Answer,
    Asked,
    ClerkSide,
    a_worker,
    change,
    go_on,
    members,
    reconcile,
    rows,
)
from tests.webhooks.support import deleted, deliver, membership, organization, user

pytestmark = pytest.mark.anyio

MUSICIANS = {
    CLARA.email: "admin",
    IDA.email: "instructor",
    TOMAS.email: "instructor",
    MIA.email: "student",
    LEO.email: "student",
    PRIYA.email: "student",
}


async def test_everything_appears_when_no_webhook_was_ever_delivered(house: Resources) -> None:
    run = await reconcile(house)
    assert await members(house, "musicschool") == MUSICIANS
    assert len(await members(house, "yoga")) == 4
    assert len(await members(house, "tutoring")) == 3
    names = await rows(house, "select name from organizations order by 1")
    assert [row["name"] for row in names] == [
        "Brightside Tutoring",
        "Harmony Music School",
        "Stillwater Yoga",
    ]
    assert (run["error"], run["removed"], run["skipped"]) == (None, 0, 0)
    # Three schools, thirteen memberships of twelve people.
    assert run["created"] == 3 + 13 + 12
    assert run["finished_at"] is not None


async def test_who_belongs_to_no_school_is_not_fetched(house: Resources) -> None:
    await reconcile(house)
    assert await rows(house, "select 1 from users where clerk_id = :id", id=OLIVIA.clerk_id) == []


async def test_a_second_comparison_finds_nothing_to_do(house: Resources) -> None:
    await reconcile(house)
    before = await rows(house, "select id, version, xmin::text from members order by id")
    run = await reconcile(house)
    assert (run["created"], run["updated"], run["removed"], run["error"]) == (0, 0, 0, None)
    assert run["checked"] == 3 + 13 + 12
    assert await rows(house, "select id, version, xmin::text from members order by id") == before


async def test_changes_that_were_never_announced_arrive(house: Resources, clerk: ClerkSide) -> None:
    await reconcile(house)
    directory = clerk.stand_in.directory
    directory.change_role(MUSIC_SCHOOL.clerk_id, LEO.clerk_id, "org:instructor")
    directory.update_user(MIA.clerk_id, first_name="Maria")
    directory.update_organization(YOGA.clerk_id, name="Moving Water Yoga")
    run = await reconcile(house)
    assert (await members(house, "musicschool"))[LEO.email] == "instructor"
    assert await rows(house, "select given_name from members where email = :email", email=MIA.email) == [
        {"given_name": "Maria"}
    ]
    assert await rows(house, "select name from organizations where slug = 'yoga'") == [
        {"name": "Moving Water Yoga"}
    ]
    assert (run["created"], run["updated"], run["removed"]) == (0, 3, 0)


async def test_who_left_was_deleted_or_closed_without_a_word_is_gone(
    house: Resources, clerk: ClerkSide
) -> None:
    await reconcile(house)
    directory = clerk.stand_in.directory
    directory.delete_membership(MUSIC_SCHOOL.clerk_id, LEO.clerk_id)
    directory.delete_user(PRIYA.clerk_id)
    directory.delete_organization(YOGA.clerk_id)
    run = await reconcile(house)
    left = dict(MUSICIANS)
    del left[LEO.email], left[PRIYA.email]
    assert await members(house, "musicschool") == left
    assert await members(house, "yoga") == {}
    assert await rows(house, "select slug from subdomains where retired_at is null order by 1") == [
        {"slug": "musicschool"},
        {"slug": "tutoring"},
    ]
    assert await rows(
        house, "select email, deleted_at is null as here from users where clerk_id = :id", id=PRIYA.clerk_id
    ) == [{"email": None, "here": False}]
    # Leo's membership, Priya's, the studio, and Priya herself.
    assert (run["removed"], run["error"]) == (4, None)
    buried = await rows(house, "select kind, count(*) from identity_tombstones group by 1 order by 1")
    assert {row["kind"]: row["count"] for row in buried} == {"membership": 2, "organization": 1, "user": 1}


async def test_somebody_who_came_back_without_a_word_is_the_same_member(
    house: Resources, clerk: ClerkSide
) -> None:
    await reconcile(house)
    before = await rows(house, "select id from members where email = :email", email=LEO.email)
    clerk.stand_in.directory.delete_membership(MUSIC_SCHOOL.clerk_id, LEO.clerk_id)
    await reconcile(house)
    assert LEO.email not in await members(house, "musicschool")
    clerk.stand_in.directory.create_membership(MUSIC_SCHOOL.clerk_id, LEO.clerk_id, "org:instructor")
    await reconcile(house)
    assert (await members(house, "musicschool"))[LEO.email] == "instructor"
    assert await rows(house, "select id from members where email = :email", email=LEO.email) == before


async def test_whom_a_tombstone_names_is_not_resurrected(house: Resources) -> None:
    await reconcile(house)
    # Clerk's lists may lag behind its events: here they still have Mia and the studio.
    await deliver(house, "user.deleted", deleted("user", MIA.clerk_id))
    await deliver(house, "organization.deleted", deleted("organization", YOGA.clerk_id))
    run = await reconcile(house)
    assert MIA.email not in await members(house, "musicschool")
    assert await members(house, "yoga") == {}
    assert (run["created"], run["updated"], run["error"]) == (0, 0, None)
    assert (
        await rows(house, "select 1 from users where clerk_id = :id and email is not null", id=MIA.clerk_id)
        == []
    )


async def test_memberships_that_waited_for_a_person_are_woken_when_the_person_is_fetched(
    house: Resources, clerk: ClerkSide
) -> None:
    found = clerk.stand_in.directory.get_membership(MUSIC_SCHOOL.clerk_id, MIA.clerk_id)
    data = clerk.stand_in.payloads.membership(found)
    result = await deliver(house, "organizationMembership.created", data, message_id="msg_waits")
    assert result.waiting_for == f"user:{MIA.clerk_id}"
    await reconcile(house)
    event = await rows(house, "select next_attempt_at <= now() as due from webhook_events")
    assert event == [{"due": True}]


def _breaking(kind: str) -> Answer:
    if kind == "cut short":
        return Answer(200, {"data": [], "total_count": 6})
    return Answer(503, {"errors": [{"code": "internal_error", "message": "try later"}]})


@pytest.mark.parametrize("how", ["outage", "cut short"])
@pytest.mark.parametrize("where", ["organizations", "memberships", "members", "users", "user", "organization"])
async def test_trouble_in_the_middle_of_a_walk_removes_nobody(
    house: Resources, clerk: ClerkSide, where: str, how: str
) -> None:
    await reconcile(house)
    directory, answer = clerk.stand_in.directory, _breaking(how)
    # Who went at Clerk, chosen so that the question that breaks is the one that would tell.
    if where in ("users", "user"):
        directory.delete_user(PRIYA.clerk_id)
        gone = "users where deleted_at is not null"
    elif where == "organization":
        directory.delete_organization(YOGA.clerk_id)
        gone = "organizations where deleted_at is not null"
    else:
        directory.delete_membership(MUSIC_SCHOOL.clerk_id, LEO.clerk_id)
        gone = "members where removed_at is not null"
    clerk.front.rule = lambda asked: answer if asked.kind == where else None
    run = await reconcile(house)
    assert await rows(house, f"select 1 from {gone}") == []
    assert (run["finished_at"], run["failures"]) == (None, 1)
    assert run["error"]
    # The control: the same walk removes once the answers are complete.
    clerk.front.rule = lambda _: None
    await change(house, "update reconciliations set resume_at = now()")
    run = await go_on(house)
    assert len(await rows(house, f"select 1 from {gone}")) == 1
    assert (run["error"], run["failures"]) == (None, 0)
    assert run["finished_at"] is not None


async def test_one_list_that_misses_somebody_is_not_believed(house: Resources, clerk: ClerkSide) -> None:
    await reconcile(house)

    def forgetful(asked: Asked) -> Answer | None:
        if asked.kind == "memberships" or (asked.kind == "members" and len(asked.query["user_id"]) > 1):
            return Answer(200, {"data": [], "total_count": 0})
        return Answer(200, []) if asked.kind == "users" else None  # type: ignore[arg-type]

    clerk.front.rule = forgetful
    run = await reconcile(house)
    assert await members(house, "musicschool") == MUSICIANS
    assert (run["removed"], run["error"]) == (0, None)
    # Each was asked for once more, alone: thirteen memberships and twelve people.
    assert (clerk.front.count("user"), run["updated"]) == (12, 0)


async def test_another_instances_key_removes_nobody(house: Resources, clerk: ClerkSide) -> None:
    await reconcile(house)
    state = clerk.stand_in.store.state
    state.organizations, state.memberships, state.users = {}, {}, {}
    clerk.stand_in.directory.create_organization("Somebody else's school")
    run = await reconcile(house)
    assert await members(house, "musicschool") == MUSICIANS
    assert run["error"].startswith("Clerk does not know 3 of the 3 schools here. Nothing was removed.")
    assert run["removed"] == 0


async def test_another_key_in_the_middle_of_a_walk_begins_it_again(
    house: Resources, at_clerk: Settings, clerk: ClerkSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reconcile(house)
    monkeypatch.setattr(tasks, "PIECE_SECONDS", 0.0)
    await tasks.start(house)
    await tasks.reconcile.run(house)
    assert (
        await rows(house, "select place ->> 'stage' as stage from reconciliations where finished_at is null")
    )[0] == {"stage": "schools"}
    state = clerk.stand_in.store.state
    state.secret_key = "sk_test_of_another_instance"
    state.organizations, state.memberships, state.users = {}, {}, {}
    async with a_worker(clerk.settings(at_clerk)) as other:
        run = await go_on(other)
    assert "Nothing was removed" in run["error"]
    assert await members(house, "musicschool") == MUSICIANS


async def test_who_arrives_during_the_walk_is_left_alone(
    house: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reconcile(house)
    monkeypatch.setattr(tasks, "PIECE_SECONDS", 0.0)
    await tasks.start(house)
    await tasks.reconcile.run(house)
    # Clerk's lists do not have them yet.
    await deliver(house, "organization.created", organization("org_2Young", slug="young"))
    await deliver(house, "user.created", user("user_2Young", email="young@example.com"))
    for school, number in [("org_2Young", 1), (MUSIC_SCHOOL.clerk_id, 2)]:
        data = membership(f"orgmem_2Young{number}", school, "user_2Young")
        await deliver(house, "organizationMembership.created", data)
    run = await go_on(house)
    assert (run["removed"], run["error"]) == (0, None)
    assert "young@example.com" in await members(house, "musicschool")
    assert "young@example.com" in await members(house, "young")
    # The control: the next walk is younger than they are, and Clerk still does not know them.
    run = await reconcile(house)
    assert (run["removed"], run["error"]) == (3, None)
    assert await members(house, "musicschool") == MUSICIANS


async def test_a_long_wait_is_not_waited_for_but_taken_up_again_at_the_same_place(
    house: Resources, clerk: ClerkSide
) -> None:
    clerk.front.rule = lambda asked: (
        Answer(429, {"errors": [{"code": "too_many_requests"}]}, {"Retry-After": "300"})
        if asked.kind == "memberships"
        else None
    )
    run = await reconcile(house)
    assert run["finished_at"] is None
    assert (run["created"], run["place"]["stage"]) == (3, "memberships")
    wait = await rows(
        house, "select extract(epoch from resume_at - now())::integer as seconds from reconciliations"
    )
    assert 290 <= wait[0]["seconds"] <= 300
    assert clerk.front.count("memberships") == 1
    clerk.front.rule = lambda _: None
    clerk.front.asked.clear()
    await change(house, "update reconciliations set resume_at = now()")
    run = await go_on(house)
    assert (run["error"], run["created"]) == (None, 3 + 13 + 12)
    assert clerk.front.count("organizations") == 0


async def test_a_short_wait_is_waited_out_as_told(house: Resources, clerk: ClerkSide) -> None:
    refusals = iter([Answer(429, {}, {"Retry-After": "1"})] * 2)
    clerk.front.rule = lambda asked: next(refusals, None) if asked.kind == "memberships" else None
    started = asyncio.get_running_loop().time()
    run = await reconcile(house)
    assert asyncio.get_running_loop().time() - started >= 2
    assert (run["error"], run["created"]) == (None, 3 + 13 + 12)


async def test_a_clerk_that_stays_away_ends_the_run_with_the_reason(house: Resources, clerk: ClerkSide) -> None:
    clerk.front.rule = lambda _: _breaking("outage")
    await tasks.start(house)
    for attempt in range(1, runs.MAX_FAILURES + 1):
        await tasks.reconcile.run(house)
        open_runs = await rows(house, "select failures from reconciliations where finished_at is null")
        assert open_runs == ([{"failures": attempt}] if attempt < runs.MAX_FAILURES else [])
        await change(house, "update reconciliations set resume_at = now()")
    ended = await rows(house, "select error from reconciliations where finished_at is not null")
    assert ended == [{"error": "try later"}]


async def test_a_large_school_comes_over_in_pages_and_pieces(
    house: Resources, clerk: ClerkSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk.enrol_many(YOGA.clerk_id, 1_200)
    monkeypatch.setattr(tasks, "PIECE_SECONDS", 0.5)
    run = await reconcile(house)
    assert len(await members(house, "yoga")) == 1_204
    assert (run["error"], run["created"]) == (None, 3 + 13 + 12 + 2 * 1_200)
    offsets = [
        asked.query["offset"][0]
        for asked in clerk.front.asked
        if asked.kind == "memberships" and YOGA.clerk_id in asked.path
    ]
    assert sorted(set(offsets), key=int) == ["0", "500", "1000"]
    assert all(
        asked.query["order_by"] == ["+created_at"] for asked in clerk.front.asked if "offset" in asked.query
    )
    asked_for = [asked.query["user_id"] for asked in clerk.front.asked if asked.kind == "users"]
    assert max(map(len, asked_for)) == 100
    for number in range(7):
        clerk.stand_in.directory.delete_membership(YOGA.clerk_id, f"user_2Many{number * 171:05}")
    run = await reconcile(house)
    assert (run["removed"], run["created"], run["updated"], run["error"]) == (7, 0, 0, None)
    assert len(await members(house, "yoga")) == 1_197


async def test_a_piece_that_is_cut_off_keeps_what_it_did(
    house: Resources, clerk: ClerkSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk.enrol_many(YOGA.clerk_id, 300)
    monkeypatch.setattr(tasks, "LONGEST_PIECE_SECONDS", 0.4)
    await tasks.start(house)
    await tasks.reconcile.run(house)
    first = (await rows(house, "select created, finished_at, error, lease_token from reconciliations"))[0]
    assert 0 < first["created"] < 600
    assert (first["finished_at"], first["lease_token"]) == (None, None)
    assert first["error"] == "It took longer than it may."
    monkeypatch.setattr(tasks, "LONGEST_PIECE_SECONDS", 45.0)
    await change(house, "update reconciliations set resume_at = now()")
    run = await go_on(house)
    assert (run["error"], run["created"]) == (None, 3 + 13 + 12 + 600)


async def test_two_workers_at_once_do_the_work_once(
    house: Resources, at_clerk: Settings, clerk: ClerkSide
) -> None:
    await tasks.start(house)
    async with a_worker(at_clerk) as second:
        await asyncio.gather(*(tasks.reconcile.run(worker) for worker in (house, second) * 3))
    assert clerk.front.count("organizations") == 1
    finished = await rows(house, "select created from reconciliations where finished_at is not null")
    assert finished == [{"created": 3 + 13 + 12}]


async def test_a_worker_that_slept_through_its_lease_changes_nothing(
    house: Resources, clerk: ClerkSide
) -> None:
    await reconcile(house)
    await tasks.start(house)
    async with house.database.platform_scope() as session:
        sleeper = await runs.claim(session)
    async with house.database.platform_scope() as session:
        assert await runs.claim(session) is None
    assert sleeper is not None
    await change(house, "update reconciliations set lease_expires_at = now() where lease_token is not null")
    async with house.database.platform_scope() as session:
        successor = await runs.claim(session)
    assert successor is not None
    assert (successor.id, successor.started_at) == (sleeper.id, sleeper.started_at)
    for run, name in [(sleeper, MIA.given_name), (successor, "Maria")]:
        changed = clerk.stand_in.directory.update_user(MIA.clerk_id, first_name="Maria")
        there = await ClerkApi(house.settings, house.http).get_user(changed.id)
        repair = Repairs(house.database, run).write_user(there, change="updated")
        if run is sleeper:
            with pytest.raises(LeaseLost):
                await repair
        else:
            await repair
        found = await rows(house, "select given_name from users where clerk_id = :id", id=MIA.clerk_id)
        assert found == [{"given_name": name}]


async def test_one_strange_entity_does_not_stop_the_others(house: Resources, clerk: ClerkSide) -> None:
    directory, payloads = clerk.stand_in.directory, clerk.stand_in.payloads
    listed = [payloads.membership(m) for m in directory.memberships_of(organization_id=MUSIC_SCHOOL.clerk_id)]
    for strange in listed:
        if strange["public_user_data"]["user_id"] == LEO.clerk_id:
            strange["role"] = "org:männer chor"
    clerk.front.rule = lambda asked: (
        Answer(200, {"data": listed, "total_count": len(listed)})
        if asked.kind == "memberships" and MUSIC_SCHOOL.clerk_id in asked.path
        else None
    )
    run = await reconcile(house)
    assert run["skipped"] == 1
    assert run["error"].startswith("1 of what Clerk has could not be taken over")
    expected = dict(MUSICIANS)
    del expected[LEO.email]
    assert await members(house, "musicschool") == expected
    assert len(await members(house, "yoga")) == 4


async def test_the_schedule_begins_one_run_at_a_time_and_a_new_house_waits_an_hour(house: Resources) -> None:
    await periodic.register_all(house)
    first = await rows(
        house,
        "select every_seconds, extract(epoch from next_run_at - now())::integer as first "
        "from periodic_jobs where name = 'tenants.reconcile'",
    )
    assert first[0]["every_seconds"] == 3600
    assert 3590 <= first[0]["first"] <= 3600
    await tasks.start(house)
    await tasks.start(house)
    assert len(await rows(house, "select 1 from reconciliations")) == 1


async def test_every_query_of_the_page_runs(house: Resources, project: Path) -> None:
    page = (project / "docs/operations/reconciliation.md").read_text(encoding="utf-8")
    at_once, latest, hours, under_way = re.findall(r"```sql\n(.*?);\n```", page, re.DOTALL)
    await periodic.register_all(house)
    await change(house, at_once)
    due = "select name from periodic_jobs where next_run_at <= now() and name = 'tenants.reconcile'"
    assert await rows(house, due) == [{"name": "tenants.reconcile"}]
    await reconcile(house)
    await tasks.start(house)
    assert len(await rows(house, latest)) == 2
    assert 0 <= (await rows(house, hours))[0]["hours"] < 1
    assert [run["place"] for run in await rows(house, under_way)] == [{}]


async def test_the_pace_lets_a_burst_through_and_then_so_many_a_second() -> None:
    now, waits = [0.0], []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    bucket = TokenBucket(5.0, burst=3, clock=lambda: now[0], sleep=sleep)
    for _ in range(8):
        await bucket.take()
    assert waits == pytest.approx([0.2] * 5)
    now[0] += 60
    for _ in range(3):
        await bucket.take()
    assert len(waits) == 5


async def test_every_question_to_clerk_is_paced(
    house: Resources, clerk: ClerkSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0

    class Counting(TokenBucket):
        async def take(self) -> None:
            nonlocal taken
            taken += 1

    monkeypatch.setattr(tasks, "bucket_for", lambda _: Counting(1.0))
    await reconcile(house)
    assert taken == len(clerk.front.asked) > 10
