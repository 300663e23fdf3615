"""What Clerk's events mean: any order, any repetition, the same people and schools in the end."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import text

from coursecove.resources import Resources
from coursecove.tenants.inbound import MembershipData, UserData, apply_membership, apply_user
from coursecove.tenants.inbound.entities import lock
from coursecove.tenants.slugs import derive, is_reserved, usable
from coursecove.webhooks import ledger, tasks
from coursecove.webhooks.inbox import WaitFor
from tests.webhooks.support import (
    T0,
    Json,
    deleted,
    deliver,
    event_row,
    membership,
    new_id,
    note,
    organization,
    row,
    rows,
    user,
)

pytestmark = pytest.mark.anyio


async def world(house: Resources, people: list[str], schools: list[str]) -> Json:
    """Everything a person could notice about these people and schools, as a comparable value."""
    return {
        "users": await rows(
            house,
            "select clerk_id, given_name, email from users where clerk_id = any(:ids) and deleted_at is null "
            "order by 1",
            ids=people,
        ),
        "schools": await rows(
            house,
            "select clerk_id, slug, name from organizations where clerk_id = any(:ids) and deleted_at is null "
            "order by 1",
            ids=schools,
        ),
        "members": await rows(
            house,
            "select o.clerk_id, m.clerk_user_id, m.role, m.given_name, m.email, m.version "
            "from members m join organizations o on o.id = m.organization_id "
            "where m.clerk_user_id = any(:ids) and m.removed_at is null order by 1, 2",
            ids=people,
        ),
        "buried": await rows(
            house,
            "select kind, clerk_id from identity_tombstones where clerk_id = any(:ids) order by 1, 2",
            ids=people + schools,
        ),
    }


async def change(house: Resources, statement: str, **values: Any) -> None:
    async with house.database.platform_scope() as session:
        await session.execute(text(statement), values)


async def drain(house: Resources) -> None:
    """Process what is due until nothing is, as worker and sweep do."""
    for _ in range(20):
        due = await rows(
            house,
            "select source, message_id from webhook_events "
            "where status = 'pending' and next_attempt_at <= now()",
        )
        if not due:
            return
        await tasks._drain(house, [(found["source"], found["message_id"]) for found in due])
    raise AssertionError("it never comes to rest")


async def converge(house: Resources, story: list[tuple[str, Any]], *, first: int = 0) -> None:
    """Tell ``story`` in every order, each time about other people; it has to end as in the order it happened.

    The ``first`` events keep their place.
    """
    orders = [(*range(first), *order) for order in itertools.permutations(range(first, len(story)))]
    casts = [(new_id("user"), new_id("org"), new_id("orgmem")) for _ in orders]
    lanes = asyncio.Semaphore(4)

    async def tell(order: tuple[int, ...], cast: tuple[str, str, str]) -> None:
        async with lanes:
            for index in order:
                event_type, data = story[index]
                await deliver(house, event_type, data(*cast))

    await asyncio.gather(*(tell(order, cast) for order, cast in zip(orders, casts, strict=True)))
    await drain(house)
    endings = [await ending(house, person, school) for person, school, _ in casts]
    for order, found in zip(orders, endings, strict=True):
        assert found == endings[0], [story[index][0] for index in order]
    unfinished = await rows(house, "select message_id, status from webhook_events where status <> 'completed'")
    assert unfinished == []


async def ending(house: Resources, person: str, school: str) -> Json:
    """How the world ended for one person and one school, with their names taken out."""
    names = {person: "PERSON", school: "SCHOOL"}
    told = {
        table: [{key: names.get(value, value) for key, value in line.items()} for line in lines]
        for table, lines in (await world(house, [person], [school])).items()
    }
    for line in told["schools"]:
        # Schools of one name live at musicschool, musicschool-2, …
        line["slug"] = line["slug"].rstrip("0123456789-")
    return told


async def test_every_order_of_joining_and_leaving_ends_the_same(house: Resources) -> None:
    await converge(
        house,
        [
            ("user.created", lambda u, o, m: user(u)),
            ("organization.created", lambda u, o, m: organization(o)),
            ("organizationMembership.created", lambda u, o, m: membership(m, o, u, at=10)),
            ("organizationMembership.updated", lambda u, o, m: membership(m, o, u, at=20, role="org:admin")),
            ("user.deleted", lambda u, o, m: deleted("user", u)),
        ],
    )
    assert await rows(house, "select 1 from members where removed_at is null") == []


async def test_every_order_of_becoming_an_instructor_under_a_new_name_ends_the_same(house: Resources) -> None:
    await converge(
        house,
        [
            ("user.created", lambda u, o, m: user(u)),
            ("user.updated", lambda u, o, m: user(u, at=5, given_name="Maria", email="maria@example.com")),
            ("organization.created", lambda u, o, m: organization(o)),
            (
                "organizationMembership.updated",
                lambda u, o, m: membership(m, o, u, at=20, role="org:instructor"),
            ),
        ],
    )
    members = await rows(house, "select distinct given_name, email, role, removed_at from members")
    assert members == [
        {"given_name": "Maria", "email": "maria@example.com", "role": "instructor", "removed_at": None}
    ]


async def test_every_order_of_founding_and_renaming_a_school_in_one_millisecond_ends_the_same(
    house: Resources,
) -> None:
    there = {"time_zone": "Asia/Kolkata"}
    await converge(
        house,
        [
            ("organization.created", lambda u, o, m: organization(o, name="Old", slug="old")),
            ("organization.updated", lambda u, o, m: organization(o, name="New", slug="new", metadata=there)),
        ],
    )
    assert await rows(house, "select distinct name, time_zone from organizations") == [
        {"name": "New", "time_zone": "Asia/Kolkata"}
    ]


async def test_every_order_of_leaving_and_coming_back_ends_with_the_person_in(house: Resources) -> None:
    await converge(
        house,
        [
            ("organization.created", lambda u, o, m: organization(o)),
            ("user.created", lambda u, o, m: user(u)),
            ("organizationMembership.created", lambda u, o, m: membership(m, o, u, at=10, role="org:admin")),
            ("organizationMembership.deleted", lambda u, o, m: membership(m, o, u, at=10, role="org:admin")),
            ("organizationMembership.created", lambda u, o, m: membership(m + "again", o, u, at=30)),
        ],
        first=1,
    )
    assert await rows(house, "select distinct role, removed_at from members") == [
        {"role": "student", "removed_at": None}
    ]


async def test_every_order_of_closing_a_school_ends_with_nobody_in_it(house: Resources) -> None:
    await converge(
        house,
        [
            ("organization.created", lambda u, o, m: organization(o)),
            ("user.created", lambda u, o, m: user(u)),
            ("organizationMembership.created", lambda u, o, m: membership(m, o, u, at=10)),
            ("organization.deleted", lambda u, o, m: deleted("organization", o)),
        ],
    )
    assert await rows(house, "select 1 from members where removed_at is null") == []
    assert await rows(house, "select 1 from subdomains where retired_at is null") == []


async def test_a_membership_waits_for_its_person_and_is_applied_when_they_arrive(house: Resources) -> None:
    person, school = new_id("user"), new_id("org")
    await deliver(house, "organization.created", organization(school))
    result = await deliver(
        house, "organizationMembership.created", membership("orgmem_w", school, person), message_id="msg_waits"
    )
    assert (result.status, result.waiting_for) == ("pending", f"user:{person}")
    waiting = await event_row(house, "msg_waits")
    assert (waiting["waiting_for"], waiting["attempts"]) == (f"user:{person}", 0)
    assert waiting["next_attempt_at"] > waiting["updated_at"]
    await deliver(house, "user.created", user(person))
    assert (await event_row(house, "msg_waits"))["next_attempt_at"] < waiting["next_attempt_at"]
    await drain(house)
    done = await event_row(house, "msg_waits")
    assert (done["status"], done["outcome"], done["path"]) == ("completed", "applied", "queue")
    assert done["waiting_for"] is None
    assert (await row(house, "select given_name from members"))["given_name"] == "Mia"


async def test_a_person_cannot_arrive_between_being_missed_and_being_waited_for(house: Resources) -> None:
    person, school = new_id("user"), new_id("org")
    await deliver(house, "organization.created", organization(school))
    data = membership("orgmem_gap", school, person)
    lease = await note(house, "organizationMembership.created", data, message_id="msg_gap")
    async with house.database.platform_scope() as session:
        answer = await apply_membership(session, msgspec.convert(data, MembershipData))
        assert answer == WaitFor(f"user:{person}")
        arriving = asyncio.create_task(deliver(house, "user.created", user(person)))
        done, _ = await asyncio.wait({arriving}, timeout=0.5)
        assert not done
        await ledger.wait(session, lease, answer.key, milliseconds=1)
    assert (await arriving).status == "completed"
    await drain(house)
    assert (await event_row(house, "msg_gap"))["outcome"] == "applied"


async def test_a_person_never_arriving_within_a_day_fails_the_membership_with_a_reason(
    house: Resources,
) -> None:
    school = new_id("org")
    await deliver(house, "organization.created", organization(school))
    await deliver(
        house,
        "organizationMembership.created",
        membership("orgmem_x", school, "user_never"),
        message_id="msg_x",
    )
    await change(
        house,
        "update webhook_events set waiting_since = now() - interval '25 hours', next_attempt_at = now() "
        "where message_id = 'msg_x'",
    )
    await drain(house)
    failed = await event_row(house, "msg_x")
    assert failed["status"] == "failed"
    assert "user_never" in failed["error"]
    assert "24 hours" in failed["error"]


async def test_a_deletion_before_the_creation_wins(house: Resources) -> None:
    person = new_id("user")
    await deliver(house, "user.deleted", deleted("user", person))
    late = await deliver(house, "user.created", user(person))
    later = await deliver(house, "user.updated", user(person, at=99_999))
    assert (late.outcome, later.outcome) == ("superseded", "superseded")
    assert await rows(house, "select 1 from users where email is not null") == []


async def test_an_older_update_after_a_newer_one_changes_nothing(house: Resources) -> None:
    person = new_id("user")
    await deliver(house, "user.updated", user(person, at=50, given_name="Maria"))
    assert (await deliver(house, "user.updated", user(person, at=49, given_name="Mia"))).outcome == "superseded"
    assert (await deliver(house, "user.created", user(person, at=50))).outcome == "superseded"
    again = await deliver(house, "user.updated", user(person, at=50, given_name="Maria"))
    assert again.outcome == "applied"
    assert (await row(house, "select given_name from users"))["given_name"] == "Maria"


async def test_a_new_name_reaches_every_school_of_the_person(house: Resources) -> None:
    person, schools = new_id("user"), [new_id("org"), new_id("org")]
    await deliver(house, "user.created", user(person))
    for number, school in enumerate(schools):
        await deliver(house, "organization.created", organization(school))
        await deliver(house, "organizationMembership.created", membership(f"orgmem_{number}", school, person))
    await deliver(house, "user.updated", user(person, at=1, given_name="Maria", email="maria@example.com"))
    found = await rows(house, "select given_name, email from members")
    assert found == [{"given_name": "Maria", "email": "maria@example.com"}] * 2


async def test_deleting_a_person_clears_their_record_and_removes_them_everywhere(house: Resources) -> None:
    person, school = new_id("user"), new_id("org")
    await deliver(house, "user.created", user(person))
    await deliver(house, "organization.created", organization(school))
    await deliver(house, "organizationMembership.created", membership("orgmem_d", school, person))
    await deliver(house, "user.deleted", deleted("user", person))
    gone = await row(house, "select * from users")
    assert (gone["email"], gone["given_name"], gone["family_name"], gone["image_url"]) == (None, "", "", None)
    assert gone["deleted_at"] is not None
    assert (await row(house, "select removed_at from members"))["removed_at"] is not None


async def test_the_address_is_the_primary_one_wherever_it_stands(house: Resources) -> None:
    person = new_id("user")
    await deliver(house, "user.created", user(person, email="primary@example.com"))
    assert (await row(house, "select email from users"))["email"] == "primary@example.com"
    without = user(person, at=1) | {"email_addresses": [], "primary_email_address_id": None}
    await deliver(house, "user.updated", without)
    assert (await row(house, "select email from users"))["email"] is None


async def test_an_admins_choice_of_role_lasts_until_clerk_says_something_else(house: Resources) -> None:
    person, school = new_id("user"), new_id("org")
    await deliver(house, "user.created", user(person))
    await deliver(house, "organization.created", organization(school))
    await deliver(house, "organizationMembership.created", membership("orgmem_r", school, person))
    with psycopg.connect(house.settings.database_platform_url, autocommit=True) as connection:
        connection.execute("update members set role_override = 'instructor'")
    await deliver(house, "organizationMembership.updated", membership("orgmem_r", school, person, at=1))
    assert (await row(house, "select role from members"))["role"] == "instructor"
    await deliver(
        house, "organizationMembership.updated", membership("orgmem_r", school, person, at=2, role="org:admin")
    )
    assert (await row(house, "select role, role_override from members")) == {
        "role": "admin",
        "role_override": None,
    }


async def test_who_was_removed_and_comes_back_is_the_same_member_without_the_old_powers(
    house: Resources,
) -> None:
    person, school = new_id("user"), new_id("org")
    await deliver(house, "user.created", user(person))
    await deliver(house, "organization.created", organization(school))
    await deliver(house, "organizationMembership.created", membership("orgmem_1", school, person))
    before = await row(house, "select id from members")
    with psycopg.connect(house.settings.database_platform_url, autocommit=True) as connection:
        connection.execute("update members set role_override = 'admin'")
    await deliver(house, "organizationMembership.deleted", membership("orgmem_1", school, person))
    assert (await row(house, "select removed_at from members"))["removed_at"] is not None
    await deliver(house, "organizationMembership.created", membership("orgmem_2", school, person, at=9))
    # The first membership's end, told again, ends nothing now.
    await deliver(house, "organizationMembership.deleted", membership("orgmem_1", school, person, at=1))
    after = await row(house, "select id, role, removed_at, clerk_membership_id from members")
    assert after == {
        "id": before["id"],
        "role": "student",
        "removed_at": None,
        "clerk_membership_id": "orgmem_2",
    }


async def subdomains(house: Resources) -> dict[str, bool]:
    found = await rows(house, "select slug, retired_at is null as current from subdomains")
    return {line["slug"]: line["current"] for line in found}


async def test_a_school_that_moves_retires_its_subdomain_and_may_come_back_to_it(house: Resources) -> None:
    school, other = new_id("org"), new_id("org")
    await deliver(house, "organization.created", organization(school, slug="old"))
    await deliver(house, "organization.updated", organization(school, at=1, slug="new"))
    assert await subdomains(house) == {"old": False, "new": True}
    await deliver(house, "organization.created", organization(other, slug="old"))
    assert await subdomains(house) == {"old": False, "new": True, "old-2": True}
    await deliver(house, "organization.updated", organization(school, at=2, slug="old"))
    assert await subdomains(house) == {"old": True, "new": False, "old-2": True}
    slugs = await rows(house, "select clerk_id, slug from organizations")
    assert {line["clerk_id"]: line["slug"] for line in slugs} == {school: "old", other: "old-2"}


async def test_a_closed_schools_subdomain_is_never_handed_out_again(house: Resources) -> None:
    school = new_id("org")
    await deliver(house, "organization.created", organization(school, slug="tango"))
    await deliver(house, "organization.deleted", deleted("organization", school))
    assert await subdomains(house) == {"tango": False}
    await deliver(house, "organization.created", organization(new_id("org"), slug="tango"))
    assert await subdomains(house) == {"tango": False, "tango-2": True}


async def test_reserved_missing_and_unusable_slugs_get_a_good_subdomain(house: Resources) -> None:
    for slug, name in [("admin", "A"), (None, "École de Tomás"), ("under_score", "Chess & Co"), (None, "音楽")]:
        await deliver(house, "organization.created", organization(new_id("org"), slug=slug, name=name))
    assert set(await subdomains(house)) == {"admin-2", "ecole-de-tomas", "chess-co", "school-2"}


async def test_a_renamed_school_without_a_slug_stays_where_its_students_find_it(house: Resources) -> None:
    school = new_id("org")
    await deliver(house, "organization.created", organization(school, name="Harmony"))
    await deliver(house, "organization.updated", organization(school, at=1, name="Dissonance"))
    assert await subdomains(house) == {"harmony": True}
    assert (await row(house, "select name from organizations"))["name"] == "Dissonance"


async def test_schools_founded_at_once_under_one_name_get_a_subdomain_each(house: Resources) -> None:
    results = await asyncio.gather(
        *(deliver(house, "organization.created", organization(new_id("org"), slug="jazz")) for _ in range(8))
    )
    assert {result.status for result in results} == {"completed"}
    assert await subdomains(house) == {"jazz": True} | {f"jazz-{number}": True for number in range(2, 9)}


async def test_what_a_school_chose_here_outlives_unrelated_news_from_clerk(house: Resources) -> None:
    school = new_id("org")
    founded = organization(school, name="Harmony", metadata={"time_zone": "Europe/Berlin", "currency": "EUR"})
    await deliver(house, "organization.created", founded)
    async with house.database.platform_scope() as session:
        await session.execute(text("update organizations set time_zone = 'Asia/Kolkata', name = 'Ours'"))
    await deliver(house, "organization.updated", founded | {"updated_at": founded["updated_at"] + 1})
    assert (await row(house, "select name, time_zone from organizations")) == {
        "name": "Ours",
        "time_zone": "Asia/Kolkata",
    }
    metadata = {"time_zone": "America/New_York", "currency": "not a currency", "accent_color": "red"}
    await deliver(house, "organization.updated", organization(school, at=2, name="Theirs", metadata=metadata))
    assert (await row(house, "select name, time_zone, currency, accent_color from organizations")) == {
        "name": "Theirs",
        "time_zone": "America/New_York",
        "currency": "EUR",
        "accent_color": "#4f46e5",
    }


async def test_events_about_the_same_people_and_schools_at_once_never_deadlock(house: Resources) -> None:
    people, schools = [new_id("user") for _ in range(4)], [new_id("org") for _ in range(4)]
    story: list[tuple[str, Json]] = [("user.created", user(person)) for person in people]
    story += [("organization.created", organization(school)) for school in schools]
    for person, school in itertools.product(people, schools):
        member = f"orgmem_{person}{school}"
        story.append(("organizationMembership.created", membership(member, school, person, at=1)))
        story.append(("organizationMembership.updated", membership(member, school, person, at=2)))
    story += [("user.updated", user(person, at=at)) for person in people for at in (1, 2, 3)]
    story += [
        ("user.deleted", deleted("user", people[0])),
        ("organization.deleted", deleted("organization", schools[0])),
    ]
    lanes = asyncio.Semaphore(5)

    async def one(event_type: str, data: Json) -> str | None:
        async with lanes:
            return (await deliver(house, event_type, data)).reason

    # Backwards, so that memberships meet their people and schools while these arrive.
    reasons = await asyncio.gather(*(one(*event) for event in reversed(story)))
    assert set(reasons) == {None}
    await drain(house)
    found = await row(house, "select count(*) filter (where removed_at is null) as there from members")
    assert found == {"there": 9}
    assert await rows(house, "select 1 from webhook_events where status <> 'completed'") == []


def test_slugs_are_labels_that_nobody_confuses_with_ours() -> None:
    assert usable("Harmony") == "harmony"
    assert usable("-x") is usable("a.b") is usable("") is usable(None) is None
    assert usable("a" * 63) == "a" * 60
    assert derive(None, "Chess & Co") == "chess-co"
    assert is_reserved("www")
    assert is_reserved("xn--bcher-kva")
    assert not is_reserved("musicschool")


async def test_joining_oneself_while_clerk_tells_of_it_and_the_school_closes_never_deadlocks(
    house: Resources,
) -> None:
    person, school, other = new_id("user"), new_id("org"), new_id("org")
    await deliver(house, "user.created", user(person))
    for number, place in enumerate((school, other)):
        await deliver(house, "organization.created", organization(place))
        await deliver(house, "organizationMembership.created", membership(f"orgmem_{number}", place, person))

    async def join(at: int) -> None:
        async with house.database.platform_scope() as session:
            await lock(session, f"organization:{school}", f"user:{person}")
            await apply_user(session, msgspec.convert(user(person, at=at), UserData))
            await apply_membership(
                session, msgspec.convert(membership("orgmem_0", school, person, at=at), MembershipData)
            )

    joins = [join(at) for at in range(1, 9)]
    told = [
        deliver(house, "organizationMembership.updated", membership("orgmem_0", school, person, at=at))
        for at in range(1, 9)
    ]
    closed = [deliver(house, "organization.deleted", deleted("organization", other))]
    results = await asyncio.gather(*itertools.chain.from_iterable(zip(joins, told, strict=True)), *closed)
    assert {result.reason for result in results if result is not None} == {None}
    version = T0 + 8
    assert (await row(house, "select version from members where removed_at is null"))["version"] == version
