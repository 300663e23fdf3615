"""Single dates of an instructor that differ from the week: other windows, or none."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.scheduling.exceptions import overrides_of_many
from coursecove.scheduling.models import DateOverride, DateOverrideWindow
from coursecove.scheduling.schemas import DayWindowInput, DayWindowView, OverrideView
from coursecove.scheduling.weekly_hours import check_may_set
from coursecove.scheduling.windows import in_order, one_at_a_time, problem_of_a_day
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member


async def overrides_of(
    session: AsyncSession, member_id: uuid.UUID, *, from_: date, until: date
) -> list[OverrideView]:
    """Return a member's overridden dates from ``from_`` to ``until``, both included, in order."""
    return (await overrides_of_many(session, [member_id], first=from_, last=until))[member_id]


async def set_override(
    session: AsyncSession,
    member_id: uuid.UUID,
    on_date: date,
    windows: Sequence[DayWindowInput],
    *,
    by: Member,
) -> OverrideView:
    """Replace the hours of one local date of an instructor; without windows it is a day off.

    Lessons already booked stay.  For the instructor themselves and for admins:
    raises ``Forbidden`` for others, ``NotFound`` or ``NotAnInstructor`` for a
    member who cannot teach, and ``Invalid`` at ``on_date`` or ``windows``.
    """
    check_may_set(by, member_id)
    member = await appointments.get_teacher(session, member_id)
    check_date(on_date, "on_date")
    await one_at_a_time(session, member_id)
    before = await find_override(session, member_id, on_date)
    kept = {window.location_id for window in before.windows if window.location_id} if before else set()
    added = {window.location_id for window in windows if window.location_id} - kept
    ordered = in_order(windows)
    problem = problem_of_a_day(ordered, kept | set(await appointments.open_locations(session, added)))
    if problem:
        raise Invalid(fields={"windows": problem[:1].upper() + problem[1:]})
    wanted = OverrideView(
        on_date, [DayWindowView(w.starts_minute, w.ends_minute, w.location_id) for w in ordered]
    )
    if wanted == before:
        return before
    # Hours mean something in a zone only, and the zone is in the profile.
    await tenants.ensure_instructor_profile(session, member)
    await _delete(session, member_id, on_date)
    key = {"organization_id": organization_of(session), "member_id": member_id, "on_date": on_date}
    await session.execute(insert(DateOverride).values(key))
    if wanted.windows:
        rows = [{**key, "id": uuid.uuid4(), **msgspec.structs.asdict(window)} for window in wanted.windows]
        await session.execute(insert(DateOverrideWindow).values(rows))
    _track(session, "instructor.date_changed", member_id, on_date, before, wanted, by=by)
    return wanted


async def remove_override(
    session: AsyncSession, member_id: uuid.UUID, on_date: date, *, by: Member
) -> OverrideView:
    """Let a date follow the week again; return what it was.  Raises ``NotFound`` when it does already."""
    check_may_set(by, member_id)
    await appointments.get_teacher(session, member_id)
    await one_at_a_time(session, member_id)
    before = await find_override(session, member_id, on_date)
    if before is None:
        raise NotFound(_("This date follows the weekly hours."))
    await _delete(session, member_id, on_date)
    _track(session, "instructor.date_removed", member_id, on_date, before, None, by=by)
    return before


async def find_override(session: AsyncSession, member_id: uuid.UUID, on_date: date) -> OverrideView | None:
    """Return what differs on a date; None when it follows the week."""
    return next(iter(await overrides_of(session, member_id, from_=on_date, until=on_date)), None)


def check_date(value: date, field: str) -> None:
    """Raise ``Invalid`` at ``field`` for a date no school plans for."""
    if not 2000 <= value.year <= 2200:
        raise Invalid(fields={field: _("Choose a date within the calendar.")})


async def _delete(session: AsyncSession, member_id: uuid.UUID, on_date: date) -> None:
    # Its windows go with it, by the foreign key.
    await session.execute(
        delete(DateOverride)
        .where(DateOverride.member_id == member_id, DateOverride.on_date == on_date)
        .execution_options(synchronize_session=False)
    )


def _track(
    session: AsyncSession,
    action: str,
    member_id: uuid.UUID,
    on_date: date,
    before: OverrideView | None,
    after: OverrideView | None,
    *,
    by: Member,
) -> None:
    data: dict[str, Any] = {
        "on_date": on_date.isoformat(),
        "windows": {
            "from": msgspec.to_builtins(before.windows) if before else None,
            "to": msgspec.to_builtins(after.windows) if after else None,
        },
    }
    track(session, action, subject_type="member", subject_id=member_id, actor_id=by.id, data=data)
