import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime

import msgspec
import pytest
from sqlalchemy import select

from coursecove.appointments import service
from coursecove.appointments.errors import NotAnInstructor, NotQualified
from coursecove.appointments.schemas import AppointmentTypeCreate, AppointmentTypeUpdate
from coursecove.errors import Invalid, NotFound
from coursecove.events import Event
from coursecove.tenants import service as tenants
from tests.appointments.schools import NewSchool
from tests.counting import statements

pytestmark = pytest.mark.anyio


def online(name: str) -> AppointmentTypeCreate:
    return AppointmentTypeCreate(name=name, duration_minutes=30, location_mode="online")


async def test_qualifications_are_the_same_seen_from_the_instructor_and_from_the_type(
    harmony: NewSchool,
) -> None:
    async with harmony.open() as session:
        piano, violin = [
            await service.create_type(session, online(name), by=harmony["Clara"])
            for name in ("Piano", "Violin")
        ]
        held = await service.set_qualifications(
            session, harmony["Ida"].id, [violin.id, piano.id, piano.id], by=harmony["Clara"]
        )
        # In the school's order, each once.
        assert held == [piano.id, violin.id]
        assert (await service.get_type(session, piano.id)).instructor_ids == [harmony["Ida"].id]
        await service.update_type(
            session, piano.id, AppointmentTypeUpdate(instructor_ids=[]), by=harmony["Clara"]
        )
        assert await service.qualifications_of(session, harmony["Ida"].id) == [violin.id]
        await session.flush()
        fact = await session.scalar(select(Event).where(Event.action == "instructor.qualifications_changed"))
    assert fact is not None
    assert (fact.subject_id, fact.actor_id) == (harmony["Ida"].id, harmony["Clara"].id)
    assert fact.data == {"appointment_type_ids": {"from": [], "to": [str(piano.id), str(violin.id)]}}


async def test_a_qualification_for_another_schools_type_is_refused_at_its_field(
    harmony: NewSchool, stillwater: NewSchool
) -> None:
    async with stillwater.open() as session:
        foreign = await service.create_type(session, online("Yoga"), by=stillwater["Noor"])
    async with harmony.open() as session:
        own = await service.create_type(session, online("Piano"), by=harmony["Clara"])
        said = []
        for type_id in (foreign.id, uuid.uuid4()):
            with pytest.raises(Invalid) as refusal:
                await service.set_qualifications(
                    session, harmony["Ida"].id, [own.id, type_id], by=harmony["Clara"]
                )
            said.append(refusal.value.fields)
        assert said[0] == said[1]
        assert list(said[0]) == ["appointment_type_ids"]
        assert await service.qualifications_of(session, harmony["Ida"].id) == []
        assert await service.set_qualifications(session, harmony["Ida"].id, [own.id], by=harmony["Clara"]) == [
            own.id
        ]


async def test_students_and_strangers_cannot_be_qualified(harmony: NewSchool, stillwater: NewSchool) -> None:
    async with harmony.open() as session:
        piano = await service.create_type(session, online("Piano"), by=harmony["Clara"])
        with pytest.raises(NotAnInstructor):
            await service.set_qualifications(session, harmony["Mia"].id, [piano.id], by=harmony["Clara"])
        with pytest.raises(NotFound):
            await service.set_qualifications(session, stillwater["Jun"].id, [piano.id], by=harmony["Clara"])
        assert (await service.get_type(session, piano.id)).instructor_ids == []


async def test_an_admin_who_is_qualified_becomes_one_of_the_instructors(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        piano = await service.create_type(session, online("Piano"), by=harmony["Clara"])
        assert harmony["Clara"].id not in {i.id for i in await tenants.list_instructors(session)}
        await service.set_qualifications(session, harmony["Clara"].id, [piano.id], by=harmony["Clara"])
        assert harmony["Clara"].id in {i.id for i in await tenants.list_instructors(session)}
        assert (await service.get_type(session, piano.id)).instructor_ids == [harmony["Clara"].id]


async def test_a_qualification_for_an_archived_type_sleeps_and_comes_back(harmony: NewSchool) -> None:
    async with harmony.open() as session:
        piano, violin = [
            await service.create_type(session, online(name), by=harmony["Clara"])
            for name in ("Piano", "Violin")
        ]
        await service.set_qualifications(session, harmony["Ida"].id, [piano.id, violin.id], by=harmony["Clara"])
        await service.archive_type(session, piano.id, by=harmony["Clara"])
        assert await service.qualifications_of(session, harmony["Ida"].id) == [violin.id]
        assert await service.set_qualifications(session, harmony["Ida"].id, [], by=harmony["Clara"]) == []
        await service.restore_type(session, piano.id, by=harmony["Clara"])
        assert await service.qualifications_of(session, harmony["Ida"].id) == [piano.id]


async def test_a_qualification_holds_up_to_and_including_its_last_day_in_the_schools_zone(
    harmony: NewSchool, travel: Callable[[datetime], None]
) -> None:
    ida, tomas = harmony["Ida"], harmony["Tomás"]
    async with harmony.open() as session:
        piano = await service.create_type(
            session,
            msgspec.structs.replace(online("Piano"), instructor_ids=[ida.id, tomas.id]),
            by=harmony["Clara"],
        )
        set_to = await service.set_qualification_expiry(
            session, ida.id, piano.id, date(2026, 12, 31), by=harmony["Clara"]
        )
        assert set_to.expires_on == date(2026, 12, 31)
        found = await service.get_type(session, piano.id)
        assert found.qualified_until == {ida.id: date(2026, 12, 31)}
        assert found.qualified_on(date(2026, 12, 31)) == [ida.id, tomas.id]
        assert found.qualified_on(date(2027, 1, 1)) == [tomas.id]
    # 23:30 on the last day in Berlin, then 00:30 of the next.
    for instant, offered in (
        (datetime(2026, 12, 31, 22, 30, tzinfo=UTC), [ida.id, tomas.id]),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), [tomas.id]),
    ):
        travel(instant)
        async with harmony.open() as session:
            (shown,) = await service.offered_types(session, viewer=None)
            one = await service.get_offered_type(session, piano.id, viewer=None)
            # Whoever runs the school sees who has lapsed.
            whole = await service.get_type(session, piano.id)
        assert shown.instructor_ids == one.instructor_ids == offered
        assert whole.instructor_ids == [ida.id, tomas.id]


async def test_an_expiry_stays_when_qualifications_are_set_again_and_ends_with_the_qualification(
    harmony: NewSchool,
) -> None:
    ida, clara = harmony["Ida"], harmony["Clara"]
    async with harmony.open() as session:
        piano, violin = [
            await service.create_type(session, online(name), by=clara) for name in ("Piano", "Violin")
        ]
        await service.set_qualifications(session, ida.id, [piano.id], by=clara)
        await service.set_qualification_expiry(session, ida.id, piano.id, date(2027, 1, 1), by=clara)
        await service.set_qualifications(session, ida.id, [piano.id, violin.id], by=clara)
        held = await service.qualifications_with_expiry(session, ida.id)
        assert [(q.appointment_type_id, q.expires_on) for q in held] == [
            (piano.id, date(2027, 1, 1)),
            (violin.id, None),
        ]
        await service.set_qualifications(session, ida.id, [violin.id], by=clara)
        await service.set_qualifications(session, ida.id, [piano.id], by=clara)
        assert [q.expires_on for q in await service.qualifications_with_expiry(session, ida.id)] == [None]
        await session.flush()
        facts = await session.scalars(
            select(Event).where(Event.action == "instructor.qualification_expiry_changed")
        )
        assert [fact.data["expires_on"] for fact in facts] == [{"from": None, "to": "2027-01-01"}]


async def test_an_expiry_needs_somebody_who_teaches_the_type(harmony: NewSchool, stillwater: NewSchool) -> None:
    clara = harmony["Clara"]
    async with harmony.open() as session:
        piano = await service.create_type(session, online("Piano"), by=clara)
        for member, refusal in (
            (harmony["Ida"], NotQualified),
            (harmony["Mia"], NotAnInstructor),
            (stillwater["Jun"], NotFound),
        ):
            with pytest.raises(refusal):
                await service.set_qualification_expiry(session, member.id, piano.id, date(2027, 1, 1), by=clara)
        await service.set_qualifications(session, harmony["Ida"].id, [piano.id], by=clara)
        with pytest.raises(Invalid) as invalid:
            await service.set_qualification_expiry(
                session, harmony["Ida"].id, piano.id, date(9999, 12, 31), by=clara
            )
        assert list(invalid.value.fields) == ["expires_on"]


async def test_what_lapses_soon_is_listed_with_what_has_lapsed_the_earliest_first(
    harmony: NewSchool, travel: Callable[[datetime], None]
) -> None:
    travel(datetime(2026, 11, 20, 12, tzinfo=UTC))
    ida, tomas, clara = harmony["Ida"], harmony["Tomás"], harmony["Clara"]
    async with harmony.open() as session:
        piano, violin, gone = [
            await service.create_type(session, online(name), by=clara) for name in ("Piano", "Violin", "Gone")
        ]
        for member in (ida, tomas):
            await service.set_qualifications(session, member.id, [piano.id, violin.id, gone.id], by=clara)
        for member, type_, day in (
            (ida, piano, date(2026, 11, 19)),
            (ida, violin, date(2026, 12, 21)),
            (tomas, piano, date(2026, 12, 20)),
            (tomas, gone, date(2026, 11, 21)),
        ):
            await service.set_qualification_expiry(session, member.id, type_.id, day, by=clara)
        await service.archive_type(session, gone.id, by=clara)
        with statements() as sent:
            soon = await service.lapsing_qualifications(session)
        assert len(sent) == 3
        assert [(q.member_id, q.appointment_type_name, q.lapsed) for q in soon] == [
            (ida.id, "Piano", True),
            (tomas.id, "Piano", False),
        ]
        assert len(await service.lapsing_qualifications(session, within_days=31)) == 3
