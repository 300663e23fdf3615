"""What differs from the week, read for many at once: one query per table, however many people there are."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.scheduling import queries
from coursecove.scheduling.schemas import DayWindowView, Exceptions, OverrideView, TimeOffView

_DAY = timedelta(days=1)


async def exceptions_of_many(
    session: AsyncSession, member_ids: Collection[uuid.UUID], *, from_: datetime, until: datetime
) -> dict[uuid.UUID, Exceptions]:
    """Return the overridden dates and the time off of each of ``member_ids`` around ``[from_, until)``.

    Two queries.  Dates are local to an instructor whose zone is not asked for
    here, so those a day to either side are included; whoever differs in nothing
    has empty exceptions.
    """
    found = {member_id: Exceptions({}, []) for member_id in member_ids}
    if not found:
        return found
    first, last = local_dates(from_, until)
    for member_id, overrides in (await overrides_of_many(session, found, first=first, last=last)).items():
        found[member_id].overrides.update({override.on_date: override.windows for override in overrides})
    rows = await session.execute(queries.time_off_of(found, from_=from_, until=until))
    for member_id, id_, starts_at, ends_at, reason in rows:
        found[member_id].time_off.append(TimeOffView(id_, starts_at, ends_at, reason))
    return found


async def overrides_of_many(
    session: AsyncSession, member_ids: Collection[uuid.UUID], *, first: date, last: date
) -> dict[uuid.UUID, list[OverrideView]]:
    """Return the overridden dates from ``first`` to ``last``, both included, in order; one query."""
    found: dict[uuid.UUID, dict[date, OverrideView]] = {member_id: {} for member_id in member_ids}
    rows = await session.execute(queries.overrides_of(found, first=first, last=last))
    for member_id, on_date, starts, ends, location_id in rows:
        override = found[member_id].setdefault(on_date, OverrideView(on_date, []))
        # A day off has one row without a window.
        if starts is not None and ends is not None:
            override.windows.append(DayWindowView(starts, ends, location_id))
    return {member_id: list(dates.values()) for member_id, dates in found.items()}


def local_dates(from_: datetime, until: datetime) -> tuple[date, date]:
    """Return the first and the last date that some zone's calendar shows during ``[from_, until)``."""
    return _moved(from_, -1), _moved(until, 1)


def _moved(instant: datetime, days: int) -> date:
    # A local date is at most one away from that of UTC; at the ends of the calendar there is no next.
    day = instant.astimezone(UTC).date()
    return day + days * _DAY if date.min < day < date.max else day
