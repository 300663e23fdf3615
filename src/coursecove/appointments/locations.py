"""The places of a school."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, update
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import queries, reading
from coursecove.appointments.errors import LocationInUse
from coursecove.appointments.models import Location
from coursecove.appointments.schemas import LocationCreate, LocationUpdate, LocationView
from coursecove.appointments.validation import checked
from coursecove.appointments.writing import changes_of, insert_with_free_slug, one_at_a_time, record
from coursecove.db.together import read
from coursecove.errors import NotFound
from coursecove.i18n import _, ngettext
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member


async def list_locations(session: AsyncSession, *, include_archived: bool = False) -> list[LocationView]:
    """Return the school's places by name, the archived ones only if asked for."""
    [found] = await read(session, reading.locations())
    return [view for view in found if include_archived or view.archived_at is None]


async def get_location(session: AsyncSession, location_id: uuid.UUID) -> LocationView:
    """Return one place, archived or not; raises :class:`NotFound`."""
    return await _one(session, queries.locations().where(Location.id == location_id))


async def get_location_by_slug(session: AsyncSession, slug: str) -> LocationView:
    """Return the place with this address, archived or not; raises :class:`NotFound`."""
    return await _one(session, queries.locations().where(Location.slug == slug))


async def open_locations(
    session: AsyncSession, location_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, LocationView]:
    """Return those of ``location_ids`` that are places of this school and not archived."""
    wanted = set(location_ids)
    if not wanted:
        return {}
    statement = queries.locations().where(Location.id.in_(wanted), Location.archived_at.is_(None))
    return {view.id: view for view in await _views(session, statement)}


async def create_location(session: AsyncSession, data: LocationCreate, *, by: Member) -> LocationView:
    """Open a place; its zone is the school's unless given.  Raises :class:`~coursecove.errors.Invalid`."""
    data = checked(data)
    if data.time_zone is None:
        time_zone = (await tenants.get_organization(session)).time_zone
    else:
        tenants.check_time_zone(data.time_zone)
        time_zone = data.time_zone
    location_id = await insert_with_free_slug(
        session,
        Location,
        fallback="location",
        values={
            "name": data.name,
            "address": data.address,
            "directions": data.directions,
            "time_zone": time_zone,
        },
    )
    made = await get_location(session, location_id)
    record(
        session,
        "location.created",
        subject_type="location",
        subject_id=made.id,
        by=by,
        data={"name": made.name, "address": made.address, "time_zone": made.time_zone},
    )
    return made


async def update_location(
    session: AsyncSession, location_id: uuid.UUID, data: LocationUpdate, *, by: Member
) -> LocationView:
    """Change a place; its address on the web stays when it is renamed.

    Hours are in the instructor's zone and lessons are instants, so another zone
    moves nothing that is booked: it changes the clock people are shown.
    """
    data = checked(data)
    if isinstance(data.time_zone, str):
        tenants.check_time_zone(data.time_zone)
    await one_at_a_time(session)
    before = await get_location(session, location_id)
    changes = changes_of(data, before, among=data.__struct_fields__)
    if not changes:
        return before
    await _set(session, location_id, {name: change["to"] for name, change in changes.items()})
    record(
        session,
        "location.changed",
        subject_type="location",
        subject_id=location_id,
        by=by,
        data=changes,
    )
    return await get_location(session, location_id)


async def archive_location(session: AsyncSession, location_id: uuid.UUID, *, by: Member) -> LocationView:
    """Offer a place no longer; booked lessons stay where they are.  Twice is the same as once.

    Raises :class:`LocationInUse` when a published lesson would be left without a place.
    """
    await one_at_a_time(session)
    before = await get_location(session, location_id)
    if before.archived_at is not None:
        return before
    stranded = (await session.execute(queries.types_taught_only_at(location_id))).all()
    if stranded:
        names = [f"“{name}”" for _id, name in stranded]
        more = len(names) - 3
        shown = ", ".join(names[:3])
        if more > 0:
            shown = ngettext("{names} and one more", "{names} and {n} more", more).format(names=shown, n=more)
        raise LocationInUse(
            _(
                "{lessons} can be booked at {place} only. "
                "Choose another location there, or unpublish or archive it, then archive this location."
            ).format(lessons=shown, place=before.name),
            extra={"appointment_types": [{"id": str(id_), "name": name} for id_, name in stranded]},
        )
    await _set(session, location_id, {"archived_at": clock.now()})
    record(session, "location.archived", subject_type="location", subject_id=location_id, by=by)
    return await get_location(session, location_id)


async def restore_location(session: AsyncSession, location_id: uuid.UUID, *, by: Member) -> LocationView:
    """Offer an archived place again, for the same lessons as before."""
    await one_at_a_time(session)
    before = await get_location(session, location_id)
    if before.archived_at is None:
        return before
    await _set(session, location_id, {"archived_at": None})
    record(session, "location.restored", subject_type="location", subject_id=location_id, by=by)
    return await get_location(session, location_id)


async def _set(session: AsyncSession, location_id: uuid.UUID, values: dict[str, Any]) -> None:
    await session.execute(
        update(Location)
        .where(Location.id == location_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def _views(session: AsyncSession, statement: Select[Any]) -> list[LocationView]:
    return [LocationView(**row) for row in (await session.execute(statement)).mappings()]


async def _one(session: AsyncSession, statement: Select[Any]) -> LocationView:
    found = await _views(session, statement)
    if not found:
        raise NotFound(_("There is no such location at this school."))
    return found[0]
