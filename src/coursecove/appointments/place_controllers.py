"""Locations, their rooms, and travel zones, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Literal

from litestar import Controller, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service
from coursecove.appointments.schemas import (
    LocationCreate,
    LocationUpdate,
    LocationView,
    RoomCreate,
    RoomUpdate,
    RoomView,
    TravelZoneCreate,
    TravelZoneUpdate,
    TravelZoneView,
)
from coursecove.appointments.viewing import GUARDS, Viewer, check_may_include, is_admin
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.tenants import guards
from coursecove.tenants.models import Member

_BY_ADMINS = {"by": Provide(guards.as_admin)}
_BY_STAFF = {"by": Provide(guards.as_staff)}


class LocationList(Struct, frozen=True):
    """Locations by name."""

    items: list[LocationView]


class RoomList(Struct, frozen=True):
    """The rooms of a location in its order."""

    items: list[RoomView]


class RoomOrder(Struct, forbid_unknown_fields=True):
    """Rooms in the order they are to have."""

    room_ids: list[uuid.UUID]


class TravelZoneList(Struct, frozen=True):
    """Travel zones in the school's order."""

    items: list[TravelZoneView]


class TravelZoneOrder(Struct, forbid_unknown_fields=True):
    """Travel zones in the order they are to have."""

    zone_ids: list[uuid.UUID]


class LocationController(Controller):
    """The places of the school."""

    path = "/locations"
    tags = ["Catalogue"]
    dependencies = GUARDS

    @get(
        operation_id="list_locations",
        summary="Where lessons take place",
        response_description="The locations by name.",
    )
    async def list_locations(
        self,
        session: NamedDependency[AsyncSession],
        viewer: Viewer,
        include: FromQuery[list[Literal["archived"]] | None] = None,
    ) -> LocationList:
        """Return the open locations; anybody may ask.  Admins may add archived ones: `?include=archived`."""
        wanted = include or []
        check_may_include(viewer, wanted)
        return LocationList(await service.list_locations(session, include_archived="archived" in wanted))

    @post(
        operation_id="create_location",
        summary="Add a location",
        response_description="The new location.",
    )
    async def create_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[LocationCreate],
    ) -> LocationView:
        """Add a location, in the school's time zone unless another is sent; for admins."""
        return await service.create_location(session, data, by=by)

    @get(
        "/{location_id:uuid}",
        operation_id="get_location",
        summary="One location",
        response_description="The location.",
    )
    async def get_location(
        self, session: NamedDependency[AsyncSession], viewer: Viewer, location_id: FromPath[uuid.UUID]
    ) -> LocationView:
        """Return one location: to anybody an open one, to admins archived ones too."""
        found = await service.get_location(session, location_id)
        if found.archived_at is not None and not is_admin(viewer):
            raise NotFound(_("There is no such location at this school."))
        return found

    @patch(
        "/{location_id:uuid}",
        operation_id="update_location",
        summary="Change a location",
        response_description="The location as it is now.",
    )
    async def update_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
        data: JSONBody[LocationUpdate],
    ) -> LocationView:
        """Change what is sent, keep the rest; for admins."""
        return await service.update_location(session, location_id, data, by=by)

    @post(
        "/{location_id:uuid}/archival",
        operation_id="archive_location",
        summary="Archive a location",
        response_description="The archived location.",
        status_code=200,
    )
    async def archive_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
    ) -> LocationView:
        """Offer a location no longer; booked lessons stay.  For admins.

        Refused with `location_in_use` while it is the only place of a published lesson.
        """
        return await service.archive_location(session, location_id, by=by)

    @delete(
        "/{location_id:uuid}/archival",
        operation_id="restore_location",
        summary="Restore a location",
        response_description="The restored location.",
        status_code=200,
    )
    async def restore_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
    ) -> LocationView:
        """Offer an archived location again, for the same lessons as before; for admins."""
        return await service.restore_location(session, location_id, by=by)

    @get(
        "/{location_id:uuid}/rooms",
        operation_id="list_rooms",
        summary="The rooms of a location",
        response_description="The rooms in the location's order.",
        dependencies=_BY_STAFF,
    )
    async def list_rooms(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for staff
        location_id: FromPath[uuid.UUID],
        include: FromQuery[list[Literal["archived"]] | None] = None,
    ) -> RoomList:
        """Return the rooms in use, and with `?include=archived` those that were; for instructors and admins."""
        await service.get_location(session, location_id)
        return RoomList(
            await service.list_rooms(
                session, location_ids=[location_id], include_archived="archived" in (include or ())
            )
        )

    @post(
        "/{location_id:uuid}/rooms",
        operation_id="create_room",
        summary="Add a room",
        response_description="The new room.",
    )
    async def create_room(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
        data: JSONBody[RoomCreate],
    ) -> RoomView:
        """Add a room as the last of its location; for admins."""
        return await service.create_room(session, location_id, data, by=by)

    @put(
        "/{location_id:uuid}/rooms/order",
        operation_id="reorder_rooms",
        summary="Put rooms in order",
        response_description="The rooms in their order now.",
    )
    async def reorder_rooms(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
        data: JSONBody[RoomOrder],
    ) -> RoomList:
        """Put the given rooms in this order, in the places they have together.  For admins."""
        return RoomList(await service.reorder_rooms(session, location_id, data.room_ids, by=by))


class RoomController(Controller):
    """One room of a location."""

    path = "/rooms/{room_id:uuid}"
    tags = ["Catalogue"]
    dependencies = _BY_ADMINS

    @get(
        operation_id="get_room",
        summary="One room",
        response_description="The room.",
        dependencies=_BY_STAFF,
    )
    async def get_room(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for staff
        room_id: FromPath[uuid.UUID],
    ) -> RoomView:
        """Return one room, in use or not; for instructors and admins."""
        return await service.get_room(session, room_id)

    @patch(
        operation_id="update_room",
        summary="Change a room",
        response_description="The room as it is now.",
    )
    async def update_room(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        room_id: FromPath[uuid.UUID],
        data: JSONBody[RoomUpdate],
    ) -> RoomView:
        """Rename it, or say how many it holds; for admins."""
        return await service.update_room(session, room_id, data, by=by)

    @post(
        "/archival",
        operation_id="archive_room",
        summary="Archive a room",
        response_description="The archived room.",
        status_code=200,
    )
    async def archive_room(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        room_id: FromPath[uuid.UUID],
    ) -> RoomView:
        """Use it for no new lesson; booked ones stay in it.  For admins."""
        return await service.archive_room(session, room_id, by=by)

    @delete(
        "/archival",
        operation_id="restore_room",
        summary="Restore a room",
        response_description="The restored room.",
        status_code=200,
    )
    async def restore_room(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        room_id: FromPath[uuid.UUID],
    ) -> RoomView:
        """Use it again; for admins."""
        return await service.restore_room(session, room_id, by=by)


class TravelZoneController(Controller):
    """How long the way to a student's place takes."""

    path = "/travel-zones"
    tags = ["Catalogue"]
    dependencies = _BY_ADMINS

    @get(
        operation_id="list_travel_zones",
        summary="Travel zones",
        response_description="The zones in the school's order.",
        dependencies=_BY_STAFF,
    )
    async def list_travel_zones(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for staff
    ) -> TravelZoneList:
        """Return the zones; the longest prefix of all holds for a postcode.  For instructors and admins."""
        return TravelZoneList(await service.list_travel_zones(session))

    @post(
        operation_id="create_travel_zone",
        summary="Add a travel zone",
        response_description="The new zone.",
    )
    async def create_travel_zone(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[TravelZoneCreate],
    ) -> TravelZoneView:
        """Add a zone as the last one; for admins."""
        return await service.create_travel_zone(session, data, by=by)

    @put(
        "/order",
        operation_id="reorder_travel_zones",
        summary="Put travel zones in order",
        response_description="The zones in their order now.",
    )
    async def reorder_travel_zones(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[TravelZoneOrder],
    ) -> TravelZoneList:
        """Show the given zones in this order; which zone holds is not decided by it.  For admins."""
        return TravelZoneList(await service.reorder_travel_zones(session, data.zone_ids, by=by))

    @patch(
        "/{zone_id:uuid}",
        operation_id="update_travel_zone",
        summary="Change a travel zone",
        response_description="The zone as it is now.",
    )
    async def update_travel_zone(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        zone_id: FromPath[uuid.UUID],
        data: JSONBody[TravelZoneUpdate],
    ) -> TravelZoneView:
        """Change what is sent, keep the rest; booked lessons keep their way.  For admins."""
        return await service.update_travel_zone(session, zone_id, data, by=by)

    @delete(
        "/{zone_id:uuid}",
        operation_id="delete_travel_zone",
        summary="Delete a travel zone",
        response_description="It is gone.",
    )
    async def delete_travel_zone(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        zone_id: FromPath[uuid.UUID],
    ) -> None:
        """Take it away: its postcodes have the school's default from now on.  For admins."""
        await service.delete_travel_zone(session, zone_id, by=by)
