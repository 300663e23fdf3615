"""When a place is open: local times of day in the location's own zone."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.db.session import organization_of
from coursecove.errors import Forbidden
from coursecove.events import track
from coursecove.i18n import _
from coursecove.scheduling import queries
from coursecove.scheduling.models import LocationHours
from coursecove.scheduling.schemas import OpeningWindowInput, OpeningWindowView
from coursecove.scheduling.windows import check_week, one_at_a_time
from coursecove.tenants.models import Member


async def opening_hours_of(session: AsyncSession, location_id: uuid.UUID) -> list[OpeningWindowView]:
    """Return when a location is open, from Monday on; empty means always."""
    return (await opening_hours_of_many(session, [location_id]))[location_id]


async def opening_hours_of_many(
    session: AsyncSession, location_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, list[OpeningWindowView]]:
    """Return the opening hours of each of ``location_ids``, in one read; an empty list means always open."""
    found: dict[uuid.UUID, list[OpeningWindowView]] = {location_id: [] for location_id in location_ids}
    if found:
        for location_id, weekday, starts, ends in await session.execute(queries.opening_hours_of(found)):
            found[location_id].append(OpeningWindowView(weekday, starts, ends))
    return found


async def replace_opening_hours(
    session: AsyncSession, location_id: uuid.UUID, windows: Sequence[OpeningWindowInput], *, by: Member
) -> list[OpeningWindowView]:
    """Set when a location is open, all week; none means always.  Lessons already booked stay.

    For admins.  Raises ``NotFound``, and ``Invalid`` keyed by the English
    weekday in lower case like :func:`~coursecove.scheduling.service.replace_hours`.
    """
    if by.role != "admin":
        raise Forbidden(_("Opening hours are changed by the school's admins."))
    await appointments.get_location(session, location_id)
    ordered = check_week(windows)
    await one_at_a_time(session, location_id)
    before = await opening_hours_of(session, location_id)
    wanted = [OpeningWindowView(w.weekday, w.starts_minute, w.ends_minute) for w in ordered]
    if wanted == before:
        return before
    await session.execute(
        delete(LocationHours)
        .where(LocationHours.location_id == location_id)
        .execution_options(synchronize_session=False)
    )
    if wanted:
        key = {"organization_id": organization_of(session), "location_id": location_id}
        rows = [{**key, "id": uuid.uuid4(), **msgspec.structs.asdict(window)} for window in wanted]
        await session.execute(insert(LocationHours).values(rows))
    track(
        session,
        "location.hours_changed",
        subject_type="location",
        subject_id=location_id,
        actor_id=by.id,
        data={"opening_hours": {"from": msgspec.to_builtins(before), "to": msgspec.to_builtins(wanted)}},
    )
    return wanted
