"""Who and what lists and calendars of lessons can be narrowed to, and how they stand in an address."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, LocationView, RoomView
from coursecove.i18n import _
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import InstructorView
from coursecove.text import slugify

Options = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Choices:
    """Everybody who teaches, and what and where is, or once was, taught."""

    instructors: Sequence[InstructorView]
    types: Sequence[AppointmentTypeView]
    locations: Sequence[LocationView]
    rooms: Sequence[RoomView]

    def instructor_id(self, slug: str) -> uuid.UUID | None:
        """Return whose slug this is."""
        return next((person.id for person in self.instructors if person.slug == slug), None)

    def type_id(self, slug: str) -> uuid.UUID | None:
        """Return the type with this slug."""
        return next((type_.id for type_ in self.types if type_.slug == slug), None)

    def location_id(self, slug: str) -> uuid.UUID | None:
        """Return the place with this slug."""
        return next((place.id for place in self.locations if place.slug == slug), None)

    def room_id(self, key: str) -> uuid.UUID | None:
        """Return the room with this key."""
        return next((room.id for room in self.rooms if self.room_key(room) == key), None)

    def room_key(self, room: RoomView) -> str:
        """Return how a room stands in an address: its place and its name."""
        place = next((p.slug for p in self.locations if p.id == room.location_id), "")
        return f"{place}.{slugify(room.name, fallback='room')}"

    def options(self) -> dict[str, Options]:
        """Return what the fields of a filter offer."""
        places = {place.id: place.name for place in self.locations}
        return {
            "instructors": [{"value": person.slug, "label": person.name} for person in self.instructors],
            "types": [
                {"value": type_.slug, "label": _archived(type_.name, archived=bool(type_.archived_at))}
                for type_ in self.types
            ],
            "locations": [
                {"value": place.slug, "label": _archived(place.name, archived=bool(place.archived_at))}
                for place in self.locations
            ],
            "rooms": [
                {"value": self.room_key(room), "label": f"{places.get(room.location_id, '')}, {room.name}"}
                for room in self.rooms
            ],
        }


async def read_choices(session: AsyncSession) -> Choices:
    """Read everything lessons can be narrowed to, in one query each; the archived had lessons, too."""
    return Choices(
        instructors=await tenants.list_instructors(session),
        types=await appointments.list_types(session, include_unpublished=True, include_archived=True),
        locations=await appointments.list_locations(session, include_archived=True),
        rooms=await appointments.list_rooms(session),
    )


def _archived(name: str, *, archived: bool) -> str:
    return _("{name} (archived)").format(name=name) if archived else name
