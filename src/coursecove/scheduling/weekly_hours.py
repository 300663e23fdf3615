"""The weekly hours of those who teach: local times of day in the instructor's own zone."""

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
from coursecove.scheduling.models import WeeklyHours
from coursecove.scheduling.schemas import WindowInput, WindowView
from coursecove.scheduling.windows import check_week, one_at_a_time
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member


async def hours_of(session: AsyncSession, member_id: uuid.UUID) -> list[WindowView]:
    """Return a member's week from Monday on; empty for whoever has set none."""
    return (await hours_of_many(session, [member_id]))[member_id]


async def hours_of_many(
    session: AsyncSession, member_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, list[WindowView]]:
    """Return the week of each of ``member_ids``, in one read; those without hours have an empty list."""
    weeks: dict[uuid.UUID, list[WindowView]] = {member_id: [] for member_id in member_ids}
    if weeks:
        for member_id, weekday, starts, ends, location_id in await session.execute(queries.windows_of(weeks)):
            weeks[member_id].append(WindowView(weekday, starts, ends, location_id))
    return weeks


async def replace_hours(
    session: AsyncSession, member_id: uuid.UUID, windows: Sequence[WindowInput], *, by: Member
) -> list[WindowView]:
    """Set an instructor's whole week; lessons already booked stay.

    For the instructor themselves and for admins: raises ``Forbidden`` for
    others, ``NotFound`` or ``NotAnInstructor`` for a member who cannot teach,
    and ``Invalid`` keyed by the English weekday in lower case (``monday`` …)
    when windows end before they start or overlap, when there are more than
    twelve on a day, or when a location is not one of the school's (an archived
    one may stay where it is used already).
    """
    check_may_set(by, member_id)
    member = await appointments.get_teacher(session, member_id)
    await one_at_a_time(session, member_id)
    before = await hours_of(session, member_id)
    # Hours at a place that was archived since sleep there: they may stay, nothing new may join them.
    kept = {window.location_id for window in before if window.location_id}
    added = {window.location_id for window in windows if window.location_id} - kept
    ordered = check_week(windows, kept | set(await appointments.open_locations(session, added)))
    wanted = [WindowView(w.weekday, w.starts_minute, w.ends_minute, w.location_id) for w in ordered]
    if wanted == before:
        return before
    # Hours mean something in a zone only, and the zone is in the profile.
    await tenants.ensure_instructor_profile(session, member)
    await session.execute(
        delete(WeeklyHours)
        .where(WeeklyHours.member_id == member_id)
        .execution_options(synchronize_session=False)
    )
    if wanted:
        key = {"organization_id": organization_of(session), "member_id": member_id}
        rows = [{**key, "id": uuid.uuid4(), **msgspec.structs.asdict(window)} for window in wanted]
        await session.execute(insert(WeeklyHours).values(rows))
    track(
        session,
        "instructor.hours_changed",
        subject_type="member",
        subject_id=member_id,
        actor_id=by.id,
        data={"weekly_hours": {"from": msgspec.to_builtins(before), "to": msgspec.to_builtins(wanted)}},
    )
    return wanted


def check_may_set(by: Member, member_id: uuid.UUID) -> None:
    """Raise ``Forbidden`` unless ``by`` is the instructor whose hours these are, or an admin."""
    if by.id != member_id and by.role != "admin":
        raise Forbidden(_("Hours are changed by the instructor, or by an admin."))
