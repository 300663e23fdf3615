"""Who finds a type: everybody, members, or whoever has its link; asked of the API as attackers would."""

import uuid
from datetime import date
from typing import Any

import httpx
import pytest

from coursecove.appointments import service
from coursecove.appointments.schemas import AppointmentTypeCreate, AppointmentTypeUpdate, AppointmentTypeView
from coursecove.errors import NotFound
from coursecove.tenants.models import Member
from tests.appointments.schools import NewSchool
from tests.appointments.test_catalogue_api import Asking

pytestmark = pytest.mark.anyio

PEOPLE = (None, "Mia", "Ida", "Clara")
# Who is offered what: by kind of person, without a key.
LISTED = {
    None: ["public"],
    "Mia": ["public", "members"],
    "Ida": ["public", "members", "link"],
    "Clara": ["public", "members", "link"],
}


@pytest.fixture
async def types(harmony: NewSchool) -> dict[str, AppointmentTypeView]:
    async with harmony.open() as session:
        made = {}
        for visibility in ("public", "members", "link"):
            data: Any = AppointmentTypeCreate(
                name=visibility, duration_minutes=45, location_mode="online", visibility=visibility
            )
            made[visibility] = await service.create_type(session, data, by=harmony["Clara"])
        return made


def person(school: NewSchool, name: str | None) -> Member | None:
    return school[name] if name else None


async def test_each_person_is_listed_what_is_for_them(
    harmony: NewSchool, types: dict[str, AppointmentTypeView]
) -> None:
    assert len(types) == 3
    for name, expected in LISTED.items():
        async with harmony.open() as session:
            offered = await service.offered_types(session, viewer=person(harmony, name))
            assert [type_.name for type_ in offered] == expected
        async with Asking(harmony).as_(person(harmony, name)) as client:
            answer = await client.get("/appointment-types")
            assert [type_["name"] for type_ in answer.json()["items"]] == expected


@pytest.mark.parametrize("name", PEOPLE)
async def test_without_its_key_a_linked_type_is_as_unknown_as_one_that_never_was(
    harmony: NewSchool, types: dict[str, AppointmentTypeView], name: str | None
) -> None:
    linked = types["link"]
    assert linked.link_key is not None
    wrong = (
        "",
        linked.link_key[:-1],
        linked.link_key + "A",
        linked.link_key.swapcase(),
        "%",
        "*",
        "null",
        "ü" * 24,
        str(linked.id),
        "x" * 5000,
    )
    staff = name in ("Ida", "Clara")
    async with Asking(harmony).as_(person(harmony, name)) as client:
        nothing = await client.get(f"/appointment-types/{uuid.uuid4()}")
        assert nothing.status_code == 404
        path = f"/appointment-types/{linked.id}"
        answers: list[httpx.Response] = [await client.get(path)]
        answers += [await client.get(path, params={"key": key}) for key in wrong]
        for answer in answers:
            if staff:
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.content) == (404, nothing.content)
        # Control: with the key anybody finds it.
        assert (await client.get(path, params={"key": linked.link_key})).status_code == 200


async def test_a_type_for_members_is_unknown_to_visitors_with_or_without_a_key(
    harmony: NewSchool, types: dict[str, AppointmentTypeView]
) -> None:
    path = f"/appointment-types/{types['members'].id}"
    async with Asking(harmony).as_(None) as client:
        for params in ({}, {"key": ""}, {"key": types["link"].link_key or ""}):
            assert (await client.get(path, params=params)).status_code == 404
    for name in ("Mia", "Ida", "Clara"):
        async with Asking(harmony).as_(harmony[name]) as client:
            assert (await client.get(path)).status_code == 200


async def test_the_key_of_one_type_opens_no_other_and_a_renewed_one_only_the_new_door(
    harmony: NewSchool, types: dict[str, AppointmentTypeView]
) -> None:
    async with harmony.open() as session:
        other = await service.create_type(
            session,
            AppointmentTypeCreate(name="Other", duration_minutes=45, location_mode="online", visibility="link"),
            by=harmony["Clara"],
        )
    old = types["link"].link_key

    async def finds(type_id: uuid.UUID, key: str | None) -> bool:
        async with harmony.open() as session:
            try:
                await service.get_offered_type(session, type_id, viewer=harmony["Mia"], key=key)
            except NotFound:
                return False
            return True

    assert not await finds(types["link"].id, other.link_key)
    assert await finds(types["link"].id, old)
    async with harmony.open() as session:
        renewed = await service.renew_link(session, types["link"].id, by=harmony["Clara"])
    assert not await finds(types["link"].id, old)
    assert await finds(types["link"].id, renewed.link_key)


async def test_a_key_opens_neither_a_draft_nor_an_archived_type(
    harmony: NewSchool, types: dict[str, AppointmentTypeView]
) -> None:
    linked = types["link"]

    async def finds(viewer: Member | None) -> bool:
        async with harmony.open() as session:
            try:
                await service.get_offered_type_by_slug(session, linked.slug, viewer=viewer, key=linked.link_key)
            except NotFound:
                return False
            return True

    assert await finds(None)
    async with harmony.open() as session:
        await service.update_type(
            session, linked.id, AppointmentTypeUpdate(published=False), by=harmony["Clara"]
        )
    assert not await finds(None)
    assert not await finds(harmony["Mia"])
    assert await finds(harmony["Ida"])
    async with harmony.open() as session:
        await service.archive_type(session, linked.id, by=harmony["Clara"])
    for viewer in (None, harmony["Mia"], harmony["Ida"], harmony["Clara"]):
        assert not await finds(viewer)


async def test_how_long_somebody_stays_qualified_is_for_their_colleagues(
    harmony: NewSchool, types: dict[str, AppointmentTypeView]
) -> None:
    async with harmony.open() as session:
        await service.set_qualifications(session, harmony["Ida"].id, [types["public"].id], by=harmony["Clara"])
        await service.set_qualification_expiry(
            session, harmony["Ida"].id, types["public"].id, date(2190, 1, 1), by=harmony["Clara"]
        )
    for name in PEOPLE:
        async with Asking(harmony).as_(person(harmony, name)) as client:
            one = (await client.get(f"/appointment-types/{types['public'].id}")).json()
            listed = (await client.get("/appointment-types")).json()["items"][0]
        shown = {str(harmony["Ida"].id): "2190-01-01"} if name in ("Ida", "Clara") else {}
        assert one["qualified_until"] == listed["qualified_until"] == shown
        assert one["instructor_ids"] == [str(harmony["Ida"].id)]
