import uuid

import pytest
from sqlalchemy import select

from coursecove.appointments import service
from coursecove.appointments.errors import NotAnInstructor
from coursecove.appointments.schemas import AppointmentTypeCreate, AppointmentTypeUpdate
from coursecove.errors import Invalid, NotFound
from coursecove.events import Event
from coursecove.tenants import service as tenants
from tests.appointments.schools import NewSchool

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
