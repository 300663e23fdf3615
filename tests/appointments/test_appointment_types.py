import asyncio
import uuid

import msgspec
import pytest
from sqlalchemy import select, text

from coursecove.appointments import service
from coursecove.appointments.schemas import (
    AppointmentTypeCreate,
    AppointmentTypeUpdate,
    AppointmentTypeView,
    LocationCreate,
)
from coursecove.errors import Invalid, NotFound
from coursecove.events import Event
from tests.appointments.schools import NewSchool
from tests.counting import statements

pytestmark = pytest.mark.anyio


def piano(**changes: object) -> AppointmentTypeCreate:
    values = {"name": "Piano lesson", "duration_minutes": 45, "location_mode": "online", **changes}
    return msgspec.convert(values, AppointmentTypeCreate)


async def test_a_new_type_says_what_was_asked_for_and_in_the_schools_currency(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        studio = await service.create_location(session, LocationCreate("Studio 1"), by=harmony["Clara"])
        made = await service.create_type(
            session,
            piano(
                name="  Piano   for  Beginners ",
                description="First steps.\r\n\r\nBring nothing.",
                location_mode="in_person",
                price_cents=4500,
                location_ids=[str(studio.id)],
                instructor_ids=[str(harmony["Ida"].id), str(harmony["Tomás"].id)],
            ),
            by=harmony["Clara"],
        )
    assert (made.slug, made.name) == ("piano-for-beginners", "Piano for Beginners")
    assert made.description == "First steps.\n\nBring nothing."
    assert (made.price_cents, made.currency) == (4500, "EUR")
    assert made.location_ids == [studio.id]
    # By name, as the school lists its people.
    assert made.instructor_ids == [harmony["Ida"].id, harmony["Tomás"].id]
    assert made.published_at is not None
    async with harmony.open() as session:
        assert await service.get_type_by_slug(session, "piano-for-beginners") == made


async def test_new_types_go_last_and_the_catalogue_keeps_that_order(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        for name in ("Violin", "Accordion", "Piano"):
            await service.create_type(session, piano(name=name), by=harmony["Clara"])
        assert [t.name for t in await service.list_types(session)] == ["Violin", "Accordion", "Piano"]


async def test_an_archived_type_is_not_in_the_public_catalogue(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        kept = await service.create_type(session, piano(name="Kept"), by=harmony["Clara"])
        gone = await service.create_type(session, piano(name="Gone"), by=harmony["Clara"])
        assert [t.id for t in await service.list_types(session)] == [kept.id, gone.id]
        archived = await service.archive_type(session, gone.id, by=harmony["Clara"])
        assert archived.archived_at is not None
        assert [t.id for t in await service.list_types(session)] == [kept.id]
        everything = await service.list_types(session, include_archived=True)
        assert [t.id for t in everything] == [kept.id, gone.id]
        restored = await service.restore_type(session, gone.id, by=harmony["Clara"])
        assert (restored.archived_at, restored.published_at) == (None, gone.published_at)
        assert [t.id for t in await service.list_types(session)] == [kept.id, gone.id]


async def test_a_draft_is_listed_only_when_drafts_are_asked_for(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        draft = await service.create_type(session, piano(published=False), by=harmony["Clara"])
        assert await service.list_types(session) == []
        assert await service.list_types(session, include_archived=True) == []
        assert [t.id for t in await service.list_types(session, include_unpublished=True)] == [draft.id]
        published = await service.update_type(
            session, draft.id, AppointmentTypeUpdate(published=True), by=harmony["Clara"]
        )
        assert published.published_at is not None
        assert [t.id for t in await service.list_types(session)] == [draft.id]


async def test_a_taken_address_gets_the_next_number_and_stays_when_the_type_is_renamed(
    harmony: NewSchool,
) -> None:
    async with harmony.open() as session:
        made = [await service.create_type(session, piano(), by=harmony["Clara"]) for _ in range(3)]
        assert [t.slug for t in made] == ["piano-lesson", "piano-lesson-2", "piano-lesson-3"]
        renamed = await service.update_type(
            session, made[1].id, AppointmentTypeUpdate(name="Organ"), by=harmony["Clara"]
        )
        assert (renamed.name, renamed.slug) == ("Organ", "piano-lesson-2")
        other_script = await service.create_type(session, piano(name="ピアノ"), by=harmony["Clara"])
        assert (other_script.name, other_script.slug) == ("ピアノ", "lesson")


async def test_two_admins_who_add_the_same_name_at_once_both_succeed(harmony: NewSchool) -> None:
    async def create() -> str:
        async with harmony.open() as session:
            return (await service.create_type(session, piano(), by=harmony["Clara"])).slug

    slugs = await asyncio.gather(*(create() for _ in range(5)))
    assert sorted(slugs) == ["piano-lesson", *(f"piano-lesson-{n}" for n in range(2, 6))]


async def test_an_address_taken_by_an_unlocked_insert_is_waited_for_not_failed_on(harmony: NewSchool) -> None:
    # The lock above would hide a race; this insert does not take it, as a second release might not.
    async with harmony.open() as rival:
        await rival.execute(
            text(
                "insert into locations (organization_id, slug, name, time_zone) "
                "values (:organization, 'studio', 'Studio', 'UTC')"
            ),
            {"organization": harmony.organization_id},
        )

        async def create() -> str:
            async with harmony.open() as session:
                return (
                    await service.create_location(session, LocationCreate("Studio"), by=harmony["Clara"])
                ).slug

        waiting = asyncio.create_task(create())
        await asyncio.sleep(0.1)
        assert not waiting.done()
    assert await waiting == "studio-2"


async def test_a_published_lesson_in_person_needs_a_place(harmony: NewSchool) -> None:
    in_person = piano(location_mode="in_person")
    async with harmony.open() as session:
        with pytest.raises(Invalid) as refusal:
            await service.create_type(session, in_person, by=harmony["Clara"])
        assert list(refusal.value.fields) == ["location_ids"]
        assert await service.list_types(session, include_unpublished=True) == []
        # Controls: a draft needs none, an online lesson needs none.
        draft = await service.create_type(
            session, piano(location_mode="in_person", published=False), by=harmony["Clara"]
        )
        online = await service.create_type(session, piano(), by=harmony["Clara"])
        for type_id, changes in (
            (draft.id, AppointmentTypeUpdate(name="Renamed", published=True)),
            (online.id, AppointmentTypeUpdate(name="Renamed", location_mode="in_person")),
        ):
            with pytest.raises(Invalid) as refusal:
                await service.update_type(session, type_id, changes, by=harmony["Clara"])
            assert list(refusal.value.fields) == ["location_ids"]
    # A page that shows the refusal ends its unit of work well: nothing of the change may be in it.
    async with harmony.open() as session:
        assert await service.get_type(session, draft.id) == draft
        assert await service.get_type(session, online.id) == online


async def test_a_location_of_another_school_is_refused_at_its_field(
    harmony: NewSchool, stillwater: NewSchool
) -> None:
    async with stillwater.open() as session:
        foreign = await service.create_location(session, LocationCreate("Loft"), by=stillwater["Noor"])
    async with harmony.open() as session:
        own = await service.create_location(session, LocationCreate("Studio"), by=harmony["Clara"])
        said = []
        for ids in ([foreign.id], [own.id, foreign.id], [uuid.uuid4()]):
            with pytest.raises(Invalid) as refusal:
                await service.create_type(
                    session,
                    piano(location_mode="in_person", location_ids=[str(i) for i in ids]),
                    by=harmony["Clara"],
                )
            said.append(refusal.value.fields)
        # The other school's id and an id of nothing get the same words.
        assert said[0] == said[1] == said[2]
        assert list(said[0]) == ["location_ids"]
        control = await service.create_type(
            session, piano(location_mode="in_person", location_ids=[str(own.id)]), by=harmony["Clara"]
        )
        assert control.location_ids == [own.id]


async def test_only_people_who_teach_here_now_can_be_named_as_instructors(
    harmony: NewSchool, stillwater: NewSchool
) -> None:
    async with harmony.open() as session:
        for member in (harmony["Mia"], stillwater["Jun"]):
            with pytest.raises(Invalid) as refusal:
                await service.create_type(
                    session, piano(instructor_ids=[str(harmony["Ida"].id), str(member.id)]), by=harmony["Clara"]
                )
            assert list(refusal.value.fields) == ["instructor_ids"]
        # Controls: an instructor may, and so may an admin who has not taught before.
        made = await service.create_type(
            session,
            piano(instructor_ids=[str(harmony["Ida"].id), str(harmony["Clara"].id)]),
            by=harmony["Clara"],
        )
        assert set(made.instructor_ids) == {harmony["Ida"].id, harmony["Clara"].id}


async def test_an_instructor_who_leaves_is_no_longer_shown(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        made = await service.create_type(
            session,
            piano(instructor_ids=[str(harmony["Ida"].id), str(harmony["Tomás"].id)]),
            by=harmony["Clara"],
        )
    async with harmony.database.platform_scope() as session:
        await session.execute(
            text("update members set removed_at = now() where id = :id"), {"id": harmony["Ida"].id}
        )
    async with harmony.open() as session:
        assert (await service.get_type(session, made.id)).instructor_ids == [harmony["Tomás"].id]


async def test_an_archived_location_sleeps_in_the_type_and_comes_back(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        first, second, third = [
            await service.create_location(session, LocationCreate(name), by=harmony["Clara"])
            for name in ("A", "B", "C")
        ]
        made = await service.create_type(
            session,
            piano(location_mode="in_person", location_ids=[str(first.id), str(second.id)]),
            by=harmony["Clara"],
        )
        await service.archive_location(session, first.id, by=harmony["Clara"])
        assert (await service.get_type(session, made.id)).location_ids == [second.id]
        # Saving the form that shows only open places does not forget the sleeping one.
        changes = AppointmentTypeUpdate(location_ids=[third.id])
        assert (await service.update_type(session, made.id, changes, by=harmony["Clara"])).location_ids == [
            third.id
        ]
        await service.restore_location(session, first.id, by=harmony["Clara"])
        assert (await service.get_type(session, made.id)).location_ids == [first.id, third.id]


async def test_a_type_restored_after_its_last_place_was_archived_comes_back_as_a_draft(
    harmony: NewSchool,
) -> None:
    async with harmony.open() as session:
        studio = await service.create_location(session, LocationCreate("Studio"), by=harmony["Clara"])
        made = await service.create_type(
            session, piano(location_mode="in_person", location_ids=[str(studio.id)]), by=harmony["Clara"]
        )
        await service.archive_type(session, made.id, by=harmony["Clara"])
        await service.archive_location(session, studio.id, by=harmony["Clara"])
        restored = await service.restore_type(session, made.id, by=harmony["Clara"])
        assert (restored.archived_at, restored.published_at) == (None, None)
        assert await service.list_types(session) == []


async def test_numbers_out_of_bounds_are_all_named_at_once(harmony: NewSchool) -> None:
    wrong = AppointmentTypeCreate(
        name=" ",
        description="x" * 2001,
        color="#4f46e5\n#",
        duration_minutes=4,
        buffer_before_minutes=-1,
        buffer_after_minutes=241,
        start_interval_minutes=0,
        minimum_notice_minutes=86401,
        horizon_days=0,
        cancellation_notice_minutes=-1,
        reschedule_notice_minutes=86401,
        most_reschedules=101,
        approve_within_minutes=14,
        capacity=1001,
        further_durations_minutes=[30, 721],
        day_limit=0,
        week_limit=501,
        student_day_limit=101,
        student_week_limit=0,
        location_mode="online",
        price_cents=-1,
    )
    async with harmony.open() as session:
        with pytest.raises(Invalid) as refusal:
            await service.create_type(session, wrong, by=harmony["Clara"])
    unbounded = {"location_mode", "location_ids", "instructor_ids", "published", "kind", "visibility"}
    unbounded |= {"bookable_from", "bookable_until", "requires_approval"}
    assert set(refusal.value.fields) == set(wrong.__struct_fields__) - unbounded
    assert refusal.value.fields["duration_minutes"] == "Enter a whole number from 5 to 720 minutes."
    assert refusal.value.fields["name"] == "Fill this in."


async def test_text_a_database_cannot_keep_is_refused_at_its_field(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        for name in ("Pia\x00no", "Pia\ud800no"):
            with pytest.raises(Invalid) as refusal:
                await service.create_type(
                    session,
                    AppointmentTypeCreate(name=name, duration_minutes=45, location_mode="online"),
                    by=harmony["Clara"],
                )
            assert list(refusal.value.fields) == ["name"]


async def test_a_change_is_recorded_with_both_values_and_no_change_is_not(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        made = await service.create_type(session, piano(), by=harmony["Clara"])
        changes = AppointmentTypeUpdate(
            name="Piano lesson", duration_minutes=60, instructor_ids=[harmony["Ida"].id]
        )
        await service.update_type(session, made.id, changes, by=harmony["Clara"])
        await service.update_type(session, made.id, changes, by=harmony["Clara"])
        await session.flush()
        facts = (
            await session.scalars(select(Event).where(Event.subject_id == made.id).order_by(Event.created_at))
        ).all()
    assert sorted(fact.action for fact in facts) == ["appointment_type.changed", "appointment_type.created"]
    changed = next(fact for fact in facts if fact.action == "appointment_type.changed")
    assert changed.actor_id == harmony["Clara"].id
    assert changed.data == {
        "duration_minutes": {"from": 45, "to": 60},
        "instructor_ids": {"from": [], "to": [str(harmony["Ida"].id)]},
    }


async def test_another_schools_type_is_not_found(harmony: NewSchool, stillwater: NewSchool) -> None:
    async with stillwater.open() as session:
        foreign = await service.create_type(session, piano(), by=stillwater["Noor"])
    async with harmony.open() as session:
        for verb in (service.archive_type, service.restore_type):
            with pytest.raises(NotFound):
                await verb(session, foreign.id, by=harmony["Clara"])
        with pytest.raises(NotFound):
            await service.get_type(session, foreign.id)
        with pytest.raises(NotFound):
            await service.get_type_by_slug(session, foreign.slug)
        with pytest.raises(NotFound):
            await service.update_type(
                session, foreign.id, AppointmentTypeUpdate(name="Mine"), by=harmony["Clara"]
            )
        assert await service.list_types(session, include_unpublished=True, include_archived=True) == []
    async with stillwater.open() as session:
        assert await service.get_type(session, foreign.id) == foreign


async def test_the_catalogue_takes_as_many_reads_for_twenty_types_as_for_one(harmony: NewSchool) -> None:
    async def reads() -> tuple[int, list[AppointmentTypeView]]:
        with statements() as sent:
            async with harmony.open() as session:
                found = await service.list_types(session)
        return len(sent), found

    async def add(number: int) -> None:
        async with harmony.open() as session:
            place = await service.create_location(
                session, LocationCreate(f"Room {number}"), by=harmony["Clara"]
            )
            await service.create_type(
                session,
                piano(
                    location_mode="in_person",
                    location_ids=[str(place.id)],
                    instructor_ids=[str(harmony["Ida"].id), str(harmony["Tomás"].id)],
                ),
                by=harmony["Clara"],
            )

    await add(0)
    with_one, found = await reads()
    assert len(found) == 1
    for number in range(1, 20):
        await add(number)
    with_twenty, found = await reads()
    assert len(found) == 20
    assert all(len(t.location_ids) == 1 and len(t.instructor_ids) == 2 for t in found)
    # One message: the organization is set, and types with their links, the school and its people are read.
    assert with_one == with_twenty == 1
