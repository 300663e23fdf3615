"""The weekly hours of those who teach: local times of day in the instructor's own zone."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby, pairwise

import msgspec
from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.db.session import organization_of
from coursecove.errors import Forbidden, Invalid
from coursecove.events import track
from coursecove.scheduling import queries
from coursecove.scheduling.models import WeeklyHours
from coursecove.scheduling.schemas import WindowInput, WindowView
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST_WINDOWS_A_DAY = 12

_MIDNIGHT = 1440


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
    if by.id != member_id and by.role != "admin":
        raise Forbidden("Hours are changed by the instructor, or by an admin.")
    member = await appointments.get_teacher(session, member_id)
    await _one_at_a_time(session, member_id)
    before = await hours_of(session, member_id)
    # Hours at a place that was archived since sleep there: they may stay, nothing new may join them.
    kept = {window.location_id for window in before if window.location_id}
    added = {window.location_id for window in windows if window.location_id} - kept
    _check(windows, kept | set(await appointments.open_locations(session, added)))
    wanted = [WindowView(w.weekday, w.starts_minute, w.ends_minute, w.location_id) for w in _in_order(windows)]
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


def clock_time(minute: int) -> str:
    """Return a minute of the day as people write it, ``09:00``; 1440 is ``24:00``."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _in_order(windows: Iterable[WindowInput]) -> list[WindowInput]:
    return sorted(windows, key=lambda w: (w.weekday, w.starts_minute, w.ends_minute))


def _check(windows: Sequence[WindowInput], locations: Collection[uuid.UUID]) -> None:
    if any(not 1 <= w.weekday <= 7 for w in windows):
        raise Invalid(fields={"windows": "A weekday is a number from 1 (Monday) to 7 (Sunday)."})
    problems: dict[str, str] = {}
    for weekday, group in groupby(_in_order(windows), key=lambda w: w.weekday):
        day = WEEKDAYS[weekday - 1]
        problem = _problem_of_a_day(list(group), locations)
        if problem:
            problems[day.lower()] = f"{day}: {problem}"
    if problems:
        raise Invalid(fields=problems)


def _problem_of_a_day(windows: Sequence[WindowInput], locations: Collection[uuid.UUID]) -> str | None:
    for window in windows:
        if not (0 <= window.starts_minute < _MIDNIGHT and 0 < window.ends_minute <= _MIDNIGHT):
            return "times run from 00:00 to 24:00."
        if window.ends_minute <= window.starts_minute:
            return f"{_span(window)} ends before it starts."
        if window.location_id and window.location_id not in locations:
            return f"choose one of the school's locations for {_span(window)}."
    if len(windows) > MOST_WINDOWS_A_DAY:
        return f"enter at most {MOST_WINDOWS_A_DAY} windows, not {len(windows)}."
    for one, next_ in pairwise(windows):
        if next_.starts_minute < one.ends_minute:
            return f"{_span(one)} and {_span(next_)} overlap."
    return None


def _span(window: WindowInput) -> str:
    return f"{clock_time(window.starts_minute)}–{clock_time(window.ends_minute)}"


async def _one_at_a_time(session: AsyncSession, member_id: uuid.UUID) -> None:
    # Two saves of one week at once would each insert their windows and meet in
    # the exclusion constraint; the later save shall simply win.
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"scheduling.hours:{organization_of(session)}:{member_id}"},
    )
