"""Rooms of a place, and how long the way to a student takes."""

import uuid

import pytest
from sqlalchemy import select

from coursecove.appointments import service
from coursecove.appointments.schemas import (
    LocationCreate,
    LocationView,
    RoomCreate,
    RoomUpdate,
    TravelZoneCreate,
    TravelZoneUpdate,
)
from coursecove.errors import Invalid, NotFound
from coursecove.events import Event
from tests.appointments.schools import NewSchool
from tests.counting import statements

pytestmark = pytest.mark.anyio


async def place(school: NewSchool, name: str = "Studio", *, by: str = "Clara") -> LocationView:
    async with school.open() as session:
        return await service.create_location(session, LocationCreate(name), by=school[by])


async def test_rooms_are_added_renamed_ordered_archived_and_restored(harmony: NewSchool) -> None:
    studio, hall = await place(harmony), await place(harmony, "Hall")
    clara = harmony["Clara"]
    async with harmony.open() as session:
        blue, red = [
            await service.create_room(session, studio.id, RoomCreate(name, capacity), by=clara)
            for name, capacity in (("Blue  room", 1), ("Red room", 8))
        ]
        elsewhere = await service.create_room(session, hall.id, RoomCreate("Blue room"), by=clara)
        assert (blue.name, blue.capacity, red.capacity) == ("Blue room", 1, 8)
        assert [r.id for r in await service.list_rooms(session, location_ids=[studio.id])] == [blue.id, red.id]
        assert {r.id for r in await service.list_rooms(session)} == {blue.id, red.id, elsewhere.id}
        ordered = await service.reorder_rooms(session, studio.id, [red.id, blue.id], by=clara)
        assert [r.id for r in ordered] == [red.id, blue.id]
        renamed = await service.update_room(session, blue.id, RoomUpdate(name="Sky", capacity=2), by=clara)
        assert (renamed.name, renamed.capacity) == ("Sky", 2)
        await service.archive_room(session, red.id, by=clara)
        assert [r.id for r in await service.list_rooms(session, location_ids=[studio.id])] == [blue.id]
        both = await service.list_rooms(session, location_ids=[studio.id], include_archived=True)
        assert [r.id for r in both] == [red.id, blue.id]
        assert (await service.restore_room(session, red.id, by=clara)).archived_at is None
        await session.flush()
        actions = set(await session.scalars(select(Event.action).where(Event.subject_type == "room")))
    assert actions == {"room.created", "room.changed", "room.archived", "room.restored"}


async def test_two_rooms_of_a_place_do_not_share_a_name(harmony: NewSchool) -> None:
    studio = await place(harmony)
    clara = harmony["Clara"]
    async with harmony.open() as session:
        blue = await service.create_room(session, studio.id, RoomCreate("Blue"), by=clara)
        red = await service.create_room(session, studio.id, RoomCreate("Red"), by=clara)
        for attempt in (
            service.create_room(session, studio.id, RoomCreate("bLUE"), by=clara),
            service.update_room(session, red.id, RoomUpdate(name="Blue "), by=clara),
        ):
            with pytest.raises(Invalid) as refusal:
                await attempt
            assert list(refusal.value.fields) == ["name"]
        # Controls: its own name in capitals is fine, and so is that of a room no longer in use.
        await service.update_room(session, blue.id, RoomUpdate(name="BLUE"), by=clara)
        await service.archive_room(session, blue.id, by=clara)
        again = await service.create_room(session, studio.id, RoomCreate("Blue"), by=clara)
        with pytest.raises(Invalid):
            await service.restore_room(session, blue.id, by=clara)
        await service.archive_room(session, again.id, by=clara)
        await service.restore_room(session, blue.id, by=clara)


@pytest.mark.parametrize(("data", "field"), [(RoomCreate(" "), "name"), (RoomCreate("A", 0), "capacity")])
async def test_a_room_without_name_or_seat_is_refused(harmony: NewSchool, data: RoomCreate, field: str) -> None:
    studio = await place(harmony)
    async with harmony.open() as session:
        with pytest.raises(Invalid) as refusal:
            await service.create_room(session, studio.id, data, by=harmony["Clara"])
        assert list(refusal.value.fields) == [field]


async def test_rooms_of_another_school_or_place_are_not_reached(
    harmony: NewSchool, stillwater: NewSchool
) -> None:
    loft = await place(stillwater, "Loft", by="Noor")
    async with stillwater.open() as session:
        foreign = await service.create_room(session, loft.id, RoomCreate("Mat"), by=stillwater["Noor"])
    studio, hall = await place(harmony), await place(harmony, "Hall")
    clara = harmony["Clara"]
    async with harmony.open() as session:
        own = await service.create_room(session, hall.id, RoomCreate("Stage"), by=clara)
        for attempt in (
            service.get_room(session, foreign.id),
            service.create_room(session, loft.id, RoomCreate("Mine"), by=clara),
            service.update_room(session, foreign.id, RoomUpdate(name="Mine"), by=clara),
            service.archive_room(session, foreign.id, by=clara),
            service.restore_room(session, foreign.id, by=clara),
            service.reorder_rooms(session, loft.id, [foreign.id], by=clara),
        ):
            with pytest.raises(NotFound):
                await attempt
        for stranger in (foreign.id, own.id):
            with pytest.raises(Invalid) as refusal:
                await service.reorder_rooms(session, studio.id, [stranger], by=clara)
            assert list(refusal.value.fields) == ["room_ids"]
        assert await service.list_rooms(session, location_ids=[loft.id]) == []


async def test_the_longest_prefix_of_a_postcode_decides_however_it_is_spaced(harmony: NewSchool) -> None:
    clara = harmony["Clara"]
    async with harmony.open() as session:
        for name, prefixes, minutes in (
            ("Town", ["10", "1 2"], 10),
            ("Old town", ["101-1"], 5),
            ("Westminster", ["sw1a 2"], 25),
        ):
            await service.create_travel_zone(session, TravelZoneCreate(name, prefixes, minutes), by=clara)
        zones = await service.list_travel_zones(session)
        assert [zone.postcode_prefixes for zone in zones] == [["10", "12"], ["1011"], ["SW1A2"]]
        for postcode, minutes in (
            ("10245", 10),
            ("10115", 5),
            ("10 1 17", 5),
            ("12045", 10),
            ("SW1A 2AA", 25),
            ("sw1a2aa", 25),
            # Nowhere in particular: as far as the school says.
            ("80331", 30),
            ("1", 30),
            ("", 30),
        ):
            assert await service.travel_minutes_for(session, postcode) == minutes, postcode


async def test_a_zone_is_changed_ordered_and_deleted_and_every_change_is_recorded(harmony: NewSchool) -> None:
    clara = harmony["Clara"]
    async with harmony.open() as session:
        near, far = [
            await service.create_travel_zone(session, TravelZoneCreate(name, [prefix], minutes), by=clara)
            for name, prefix, minutes in (("Near", "10", 10), ("Far", "20", 45))
        ]
        changed = await service.update_travel_zone(
            session, near.id, TravelZoneUpdate(postcode_prefixes=["11", "10"], travel_minutes=0), by=clara
        )
        assert (changed.postcode_prefixes, changed.travel_minutes) == (["10", "11"], 0)
        await service.reorder_travel_zones(session, [far.id, near.id], by=clara)
        assert [zone.id for zone in await service.list_travel_zones(session)] == [far.id, near.id]
        await service.delete_travel_zone(session, far.id, by=clara)
        assert [zone.id for zone in await service.list_travel_zones(session)] == [near.id]
        with pytest.raises(NotFound):
            await service.delete_travel_zone(session, far.id, by=clara)
        await session.flush()
        facts = {
            fact.action: fact.data
            for fact in await session.scalars(select(Event).where(Event.action.like("travel_zone.%")))
        }
    assert facts["travel_zone.changed"] == {
        "postcode_prefixes": {"from": ["10"], "to": ["10", "11"]},
        "travel_minutes": {"from": 10, "to": 0},
    }
    assert {"travel_zone.created", "travel_zone.reordered", "travel_zone.deleted"} < set(facts)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (TravelZoneCreate("near", ["99"], 10), "name"),
        (TravelZoneCreate("Other", ["99", "1 0"], 10), "postcode_prefixes"),
        (TravelZoneCreate("Other", [], 10), "postcode_prefixes"),
        (TravelZoneCreate("Other", ["(9)"], 10), "postcode_prefixes"),
        (TravelZoneCreate("Other", ["9" * 13], 10), "postcode_prefixes"),
        (TravelZoneCreate("Other", ["99"], 121), "travel_minutes"),
        (TravelZoneCreate(" ", ["99"], 10), "name"),
    ],
)
async def test_a_zone_that_would_be_unclear_is_refused_at_its_field(
    harmony: NewSchool, data: TravelZoneCreate, field: str
) -> None:
    async with harmony.open() as session:
        near = await service.create_travel_zone(
            session, TravelZoneCreate("Near", ["10"], 10), by=harmony["Clara"]
        )
        with pytest.raises(Invalid) as refusal:
            await service.create_travel_zone(session, data, by=harmony["Clara"])
        assert list(refusal.value.fields) == [field]
        # Control: a zone may keep what is its own.
        await service.update_travel_zone(
            session, near.id, TravelZoneUpdate(name="Near", postcode_prefixes=["10"]), by=harmony["Clara"]
        )
        assert await service.list_travel_zones(session) == [near]


async def test_another_schools_zone_is_not_found_and_does_not_count(
    harmony: NewSchool, stillwater: NewSchool
) -> None:
    async with stillwater.open() as session:
        foreign = await service.create_travel_zone(
            session, TravelZoneCreate("Near", ["10"], 1), by=stillwater["Noor"]
        )
    async with harmony.open() as session:
        assert await service.travel_minutes_for(session, "10115") == 30
        for attempt in (
            service.update_travel_zone(
                session, foreign.id, TravelZoneUpdate(travel_minutes=2), by=harmony["Clara"]
            ),
            service.delete_travel_zone(session, foreign.id, by=harmony["Clara"]),
            service.get_travel_zone(session, uuid.uuid4()),
        ):
            with pytest.raises(NotFound):
                await attempt
        # The same name and prefix are free here.
        await service.create_travel_zone(session, TravelZoneCreate("Near", ["10"], 2), by=harmony["Clara"])


async def test_rooms_of_many_places_are_read_at_once(harmony: NewSchool) -> None:
    places = [await place(harmony, f"Place {number}") for number in range(8)]
    async with harmony.open() as session:
        for one in places:
            await service.create_room(session, one.id, RoomCreate("Only"), by=harmony["Clara"])
    with statements() as sent:
        async with harmony.open() as session:
            found = await service.list_rooms(session, location_ids=[one.id for one in places])
    assert len(found) == 8
    # The organization is set, then the rooms.
    assert len(sent) == 2
