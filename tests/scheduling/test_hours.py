import asyncio
import uuid

import pytest
from sqlalchemy import select

from coursecove.appointments import service as appointments
from coursecove.appointments.errors import NotAnInstructor
from coursecove.appointments.schemas import LocationCreate
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.events import Event
from coursecove.scheduling import service
from coursecove.scheduling.schemas import WindowInput, WindowView
from tests.appointments.schools import (
    NewSchool,
    anyio_backend,
    harmony,
    house,
    stillwater,
)
from tests.counting import statements

__all__ = ["anyio_backend", "harmony", "house", "stillwater"]

pytestmark = pytest.mark.anyio

MONDAY, TUESDAY, SUNDAY = 1, 2, 7
NINE, TEN, NOON, TWO, FIVE = 9 * 60, 10 * 60, 12 * 60, 14 * 60, 17 * 60


async def test_an_instructor_sets_a_week_and_reads_it_back_in_order(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        saved = await service.replace_hours(
            session,
            harmony["Ida"].id,
            [
                WindowInput(SUNDAY, 0, 1440),
                WindowInput(MONDAY, TWO, FIVE),
                # Touches the next window: no overlap.
                WindowInput(MONDAY, NINE, NOON),
                WindowInput(MONDAY, NOON, TWO),
            ],
            by=harmony["Ida"],
        )
    expected = [
        WindowView(MONDAY, NINE, NOON, None),
        WindowView(MONDAY, NOON, TWO, None),
        WindowView(MONDAY, TWO, FIVE, None),
        WindowView(SUNDAY, 0, 1440, None),
    ]
    assert saved == expected
    async with harmony.open() as session:
        assert await service.hours_of(session, harmony["Ida"].id) == expected
        assert await service.hours_of(session, harmony["Tomás"].id) == []


async def test_overlapping_hours_are_refused_and_name_the_day(harmony: NewSchool) -> None:
    kept = [WindowInput(MONDAY, NINE, NOON)]
    async with harmony.open() as session:
        await service.replace_hours(session, harmony["Ida"].id, kept, by=harmony["Ida"])
        with pytest.raises(Invalid) as refusal:
            await service.replace_hours(
                session,
                harmony["Ida"].id,
                [
                    WindowInput(MONDAY, NINE, NOON),
                    WindowInput(TUESDAY, TEN, TWO),
                    WindowInput(TUESDAY, NINE, TEN + 1),
                    WindowInput(SUNDAY, TEN, NINE),
                ],
                by=harmony["Ida"],
            )
    assert refusal.value.fields == {
        "tuesday": "Tuesday: 09:00–10:01 and 10:00–14:00 overlap.",
        "sunday": "Sunday: 10:00–09:00 ends before it starts.",
    }
    # A page that shows the refusal ends its unit of work well: the old week is still there.
    async with harmony.open() as session:
        assert await service.hours_of(session, harmony["Ida"].id) == [WindowView(MONDAY, NINE, NOON, None)]


async def test_a_person_is_in_one_place_at_a_time(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        a, b = [
            await appointments.create_location(session, LocationCreate(name), by=harmony["Clara"])
            for name in "AB"
        ]
        with pytest.raises(Invalid) as refusal:
            await service.replace_hours(
                session,
                harmony["Ida"].id,
                [WindowInput(MONDAY, NINE, NOON, a.id), WindowInput(MONDAY, TEN, TWO, b.id)],
                by=harmony["Ida"],
            )
        assert list(refusal.value.fields) == ["monday"]
        await service.replace_hours(
            session,
            harmony["Ida"].id,
            [WindowInput(MONDAY, NINE, NOON, a.id), WindowInput(MONDAY, NOON, TWO, b.id)],
            by=harmony["Ida"],
        )


async def test_hours_at_another_schools_location_are_refused_and_name_the_day(
    harmony: NewSchool, stillwater: NewSchool
) -> None:
    async with stillwater.open() as session:
        foreign = await appointments.create_location(session, LocationCreate("Loft"), by=stillwater["Noor"])
    async with harmony.open() as session:
        own = await appointments.create_location(session, LocationCreate("Studio"), by=harmony["Clara"])
        said = []
        for location_id in (foreign.id, uuid.uuid4()):
            with pytest.raises(Invalid) as refusal:
                await service.replace_hours(
                    session,
                    harmony["Ida"].id,
                    [WindowInput(MONDAY, NINE, NOON, location_id)],
                    by=harmony["Ida"],
                )
            said.append(refusal.value.fields)
        assert said[0] == said[1]
        assert list(said[0]) == ["monday"]
        control = [WindowInput(MONDAY, NINE, NOON, own.id)]
        saved = await service.replace_hours(session, harmony["Ida"].id, control, by=harmony["Ida"])
        assert saved[0].location_id == own.id


async def test_hours_at_a_place_archived_since_may_stay_but_nobody_may_join_them(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        studio = await appointments.create_location(session, LocationCreate("Studio"), by=harmony["Clara"])
        sleeping = WindowInput(MONDAY, NINE, NOON, studio.id)
        await service.replace_hours(session, harmony["Ida"].id, [sleeping], by=harmony["Ida"])
        await appointments.archive_location(session, studio.id, by=harmony["Clara"])
        more = [sleeping, WindowInput(TUESDAY, NINE, NOON)]
        assert len(await service.replace_hours(session, harmony["Ida"].id, more, by=harmony["Ida"])) == 2
        with pytest.raises(Invalid) as refusal:
            await service.replace_hours(session, harmony["Tomás"].id, [sleeping], by=harmony["Tomás"])
        assert refusal.value.fields == {
            "monday": "Monday: choose one of the school's locations for 09:00–12:00."
        }


async def test_times_outside_the_day_are_refused(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        for window in (
            WindowInput(MONDAY, -1, NOON),
            WindowInput(MONDAY, NINE, 1441),
            WindowInput(MONDAY, NINE, NINE),
        ):
            with pytest.raises(Invalid) as refusal:
                await service.replace_hours(session, harmony["Ida"].id, [window], by=harmony["Ida"])
            assert list(refusal.value.fields) == ["monday"]
        for weekday in (0, 8):
            with pytest.raises(Invalid):
                await service.replace_hours(
                    session, harmony["Ida"].id, [WindowInput(weekday, NINE, NOON)], by=harmony["Ida"]
                )
        crumbs = [WindowInput(MONDAY, minute, minute + 1) for minute in range(0, 26, 2)]
        with pytest.raises(Invalid):
            await service.replace_hours(session, harmony["Ida"].id, crumbs, by=harmony["Ida"])
        await service.replace_hours(session, harmony["Ida"].id, crumbs[:12], by=harmony["Ida"])


async def test_hours_are_set_by_the_instructor_or_an_admin_and_nobody_else(harmony: NewSchool) -> None:
    week = [WindowInput(MONDAY, NINE, NOON)]
    async with harmony.open() as session:
        for stranger in (harmony["Tomás"], harmony["Mia"]):
            with pytest.raises(Forbidden):
                await service.replace_hours(session, harmony["Ida"].id, week, by=stranger)
        assert await service.hours_of(session, harmony["Ida"].id) == []
        await service.replace_hours(session, harmony["Ida"].id, week, by=harmony["Clara"])
        assert len(await service.hours_of(session, harmony["Ida"].id)) == 1


async def test_students_and_strangers_have_no_hours(harmony: NewSchool, stillwater: NewSchool) -> None:
    week = [WindowInput(MONDAY, NINE, NOON)]
    async with harmony.open() as session:
        with pytest.raises(NotAnInstructor):
            await service.replace_hours(session, harmony["Mia"].id, week, by=harmony["Mia"])
        for member_id in (stillwater["Jun"].id, uuid.uuid4()):
            with pytest.raises(NotFound):
                await service.replace_hours(session, member_id, week, by=harmony["Clara"])


async def test_hours_of_another_school_stay_out_of_sight(harmony: NewSchool, stillwater: NewSchool) -> None:
    async with stillwater.open() as session:
        await service.replace_hours(
            session, stillwater["Jun"].id, [WindowInput(MONDAY, NINE, NOON)], by=stillwater["Noor"]
        )
        assert len(await service.hours_of(session, stillwater["Jun"].id)) == 1
    async with harmony.open() as session:
        assert await service.hours_of(session, stillwater["Jun"].id) == []


async def test_a_changed_week_is_recorded_once_with_both_weeks(harmony: NewSchool) -> None:
    week = [WindowInput(MONDAY, NINE, NOON)]
    async with harmony.open() as session:
        for _ in range(2):
            await service.replace_hours(session, harmony["Ida"].id, week, by=harmony["Clara"])
        await service.replace_hours(session, harmony["Ida"].id, [], by=harmony["Ida"])
        await session.flush()
        facts = (await session.scalars(select(Event).where(Event.action == "instructor.hours_changed"))).all()
    window = {"weekday": MONDAY, "starts_minute": NINE, "ends_minute": NOON, "location_id": None}
    assert {(fact.actor_id, fact.subject_id) for fact in facts} == {
        (harmony["Clara"].id, harmony["Ida"].id),
        (harmony["Ida"].id, harmony["Ida"].id),
    }
    assert sorted((len(f.data["weekly_hours"]["from"]), len(f.data["weekly_hours"]["to"])) for f in facts) == [
        (0, 1),
        (1, 0),
    ]
    assert window in [w for f in facts for w in f.data["weekly_hours"]["to"]]


async def test_two_saves_at_once_leave_one_of_the_weeks_whole(harmony: NewSchool) -> None:
    # Seen to fail (exclusion constraint) with _one_at_a_time() taken out.
    weeks = [
        [WindowInput(MONDAY, NINE, NOON), WindowInput(TUESDAY, NINE, NOON)],
        [WindowInput(MONDAY, TEN, TWO), WindowInput(TUESDAY, TEN, TWO)],
    ]

    async with harmony.open() as session:
        await service.replace_hours(session, harmony["Ida"].id, [WindowInput(MONDAY, 0, 60)], by=harmony["Ida"])

    async def save(week: list[WindowInput]) -> list[WindowView]:
        async with harmony.open() as session:
            saved = await service.replace_hours(session, harmony["Ida"].id, week, by=harmony["Ida"])
            await asyncio.sleep(0.05)
            return saved

    saved = await asyncio.gather(*(save(week) for week in weeks))
    async with harmony.open() as session:
        assert await service.hours_of(session, harmony["Ida"].id) in saved


async def test_the_weeks_of_many_take_one_read(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        for member in (harmony["Ida"], harmony["Tomás"]):
            await service.replace_hours(session, member.id, [WindowInput(MONDAY, NINE, NOON)], by=member)
    everybody = [member.id for member in harmony.people.values()]
    with statements() as sent:
        async with harmony.open() as session:
            weeks = await service.hours_of_many(session, everybody)
            assert await service.hours_of_many(session, []) == {}
    # One statement sets the organization, one reads.
    assert len(sent) == 2
    assert {member_id for member_id, week in weeks.items() if week} == {harmony["Ida"].id, harmony["Tomás"].id}
    assert set(weeks) == set(everybody)
