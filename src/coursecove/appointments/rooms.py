"""The rooms of a place.  Two lessons never share one: the database refuses."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import queries
from coursecove.appointments.locations import get_location
from coursecove.appointments.models import Room
from coursecove.appointments.schemas import RoomCreate, RoomUpdate, RoomView
from coursecove.appointments.validation import checked
from coursecove.appointments.writing import changes_of, in_new_order, one_at_a_time, record
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.i18n import _
from coursecove.tenants.models import Member


async def list_rooms(
    session: AsyncSession,
    *,
    location_ids: Iterable[uuid.UUID] | None = None,
    include_archived: bool = False,
) -> list[RoomView]:
    """Return the rooms of these places (None: of all), place by place, each in its own order."""
    statement = queries.rooms()
    if location_ids is not None:
        statement = statement.where(Room.location_id.in_(set(location_ids)))
    if not include_archived:
        statement = statement.where(Room.archived_at.is_(None))
    return await _views(session, statement)


async def get_room(session: AsyncSession, room_id: uuid.UUID) -> RoomView:
    """Return one room, archived or not; raises :class:`NotFound`."""
    found = await _views(session, queries.rooms().where(Room.id == room_id))
    if not found:
        raise NotFound(_("There is no such room at this school."))
    return found[0]


async def create_room(
    session: AsyncSession, location_id: uuid.UUID, data: RoomCreate, *, by: Member
) -> RoomView:
    """Add a room as the last of its place.

    Raises ``NotFound`` for the place, ``Invalid`` for a name another room there has.
    """
    data = checked(data)
    await one_at_a_time(session)
    place = await get_location(session, location_id)
    await _check_name(session, location_id, data.name)
    last = await session.scalar(select(func.max(Room.position)).where(Room.location_id == location_id))
    room_id = uuid.uuid4()
    await session.execute(
        insert(Room).values(
            organization_id=organization_of(session),
            id=room_id,
            location_id=location_id,
            name=data.name,
            capacity=data.capacity,
            position=0 if last is None else last + 1,
        )
    )
    made = await get_room(session, room_id)
    _record(
        session,
        "room.created",
        room_id,
        by=by,
        data={"name": made.name, "capacity": made.capacity, "location": place.name},
    )
    return made


async def update_room(session: AsyncSession, room_id: uuid.UUID, data: RoomUpdate, *, by: Member) -> RoomView:
    """Rename a room, or say how many it holds; lessons that are booked stay in it.

    Raises ``NotFound``, and ``Invalid`` for a name another room of the place has.
    """
    data = checked(data)
    await one_at_a_time(session)
    before = await get_room(session, room_id)
    changes = changes_of(data, before, among=data.__struct_fields__)
    if not changes:
        return before
    if isinstance(data.name, str) and before.archived_at is None:
        await _check_name(session, before.location_id, data.name, but=room_id)
    await _set(session, room_id, {name: change["to"] for name, change in changes.items()})
    _record(session, "room.changed", room_id, by=by, data=changes)
    return await get_room(session, room_id)


async def archive_room(session: AsyncSession, room_id: uuid.UUID, *, by: Member) -> RoomView:
    """Use a room for no new lesson; those that are booked stay in it.  Twice is the same as once."""
    await one_at_a_time(session)
    before = await get_room(session, room_id)
    if before.archived_at is not None:
        return before
    await _set(session, room_id, {"archived_at": clock.now()})
    _record(session, "room.archived", room_id, by=by, data={"name": before.name})
    return await get_room(session, room_id)


async def restore_room(session: AsyncSession, room_id: uuid.UUID, *, by: Member) -> RoomView:
    """Use an archived room again; raises ``Invalid`` when another took its name in the meantime."""
    await one_at_a_time(session)
    before = await get_room(session, room_id)
    if before.archived_at is None:
        return before
    await _check_name(session, before.location_id, before.name)
    await _set(session, room_id, {"archived_at": None})
    _record(session, "room.restored", room_id, by=by, data={"name": before.name})
    return await get_room(session, room_id)


async def reorder_rooms(
    session: AsyncSession, location_id: uuid.UUID, room_ids: list[uuid.UUID], *, by: Member
) -> list[RoomView]:
    """Put these rooms of a place in this order, in the places they have together; others stay where they are.

    Raises ``NotFound`` for the place, ``Invalid`` at ``room_ids`` for a room that is not there.
    """
    await one_at_a_time(session)
    await get_location(session, location_id)
    before = [room.id for room in await list_rooms(session, location_ids=[location_id], include_archived=True)]
    order = in_new_order(before, room_ids, field="room_ids")
    if order != before:
        await session.execute(
            update(Room)
            .where(Room.location_id == location_id)
            .values(position=func.array_position(order, Room.id))
            .execution_options(synchronize_session=False)
        )
        record(
            session,
            "location.rooms_reordered",
            subject_type="location",
            subject_id=location_id,
            by=by,
            data={"room_ids": {"from": before, "to": order}},
        )
    return await list_rooms(session, location_ids=[location_id])


async def _check_name(
    session: AsyncSession, location_id: uuid.UUID, name: str, *, but: uuid.UUID | None = None
) -> None:
    others = await list_rooms(session, location_ids=[location_id])
    if any(room.id != but and room.name.lower() == name.lower() for room in others):
        raise Invalid(fields={"name": _("There is a room of this name here already.")})


def _record(session: AsyncSession, action: str, room_id: uuid.UUID, *, by: Member, data: Any) -> None:
    record(session, action, subject_type="room", subject_id=room_id, by=by, data=data)


async def _set(session: AsyncSession, room_id: uuid.UUID, values: dict[str, Any]) -> None:
    await session.execute(
        update(Room).where(Room.id == room_id).values(**values).execution_options(synchronize_session=False)
    )


async def _views(session: AsyncSession, statement: Select[Any]) -> list[RoomView]:
    return [RoomView(**row) for row in (await session.execute(statement)).mappings()]
