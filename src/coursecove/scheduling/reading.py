"""Hours and what differs from them, as parts of a larger read (:mod:`coursecove.db.together`)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime

from msgspec import Struct

from coursecove.db.together import Part, rows
from coursecove.scheduling.closures import occurrences
from coursecove.scheduling.exceptions import local_dates
from coursecove.scheduling.schemas import (
    ClosedDays,
    DayWindowView,
    Exceptions,
    OpeningWindowView,
    TimeOffView,
    WindowView,
)


class WindowRow(Struct, frozen=True):
    """A window of somebody's week."""

    member_id: uuid.UUID
    weekday: int
    starts_minute: int
    ends_minute: int
    location_id: uuid.UUID | None


class OverrideRow(Struct, frozen=True):
    """A window of an overridden date; a day off has one row without a window."""

    member_id: uuid.UUID
    on_date: date
    starts_minute: int | None
    ends_minute: int | None
    location_id: uuid.UUID | None


class TimeOffRow(Struct, frozen=True):
    """Somebody's time off."""

    member_id: uuid.UUID
    id: uuid.UUID
    starts_at: datetime
    ends_at: datetime
    reason: str


class ClosureRow(Struct, frozen=True):
    """A closure as it is stored."""

    id: uuid.UUID
    name: str
    location_id: uuid.UUID | None
    starts_on: date
    ends_on: date
    yearly: bool


class OpeningRow(Struct, frozen=True):
    """A window in which a place is open."""

    location_id: uuid.UUID
    weekday: int
    starts_minute: int
    ends_minute: int


_Ids = list[uuid.UUID] | None
"""Of whom or what: None is everybody, or all of them."""


def _of(column: str, name: str, ids: _Ids) -> str:
    return "true" if ids is None else f"{column} = any(%({name})s)"


def windows(member_ids: _Ids) -> Part[list[WindowRow]]:
    """The weekly hours of these members; see :func:`weeks`."""
    return rows(
        "select member_id, weekday, starts_minute, ends_minute, location_id from weekly_hours "  # noqa: S608 - names of columns
        f"where {_of('member_id', 'hours_of', member_ids)} order by member_id, weekday, starts_minute",
        WindowRow,
        hours_of=member_ids,
    )


def weeks(found: Iterable[WindowRow]) -> dict[uuid.UUID, list[WindowView]]:
    """Return each member's week in order."""
    of_members: dict[uuid.UUID, list[WindowView]] = {}
    for row in found:
        of_members.setdefault(row.member_id, []).append(
            WindowView(row.weekday, row.starts_minute, row.ends_minute, row.location_id)
        )
    return of_members


def overrides(member_ids: _Ids, *, from_: datetime, until: datetime) -> Part[list[OverrideRow]]:
    """The overridden dates of these members around ``[from_, until)``; see :func:`exceptions`."""
    first, last = local_dates(from_, until)
    return rows(
        "select date_overrides.member_id, date_overrides.on_date, starts_minute, ends_minute, location_id "  # noqa: S608 - names of columns
        "from date_overrides left join date_override_windows differing "
        "on differing.organization_id = date_overrides.organization_id "
        "and differing.member_id = date_overrides.member_id and differing.on_date = date_overrides.on_date "
        f"where {_of('date_overrides.member_id', 'hours_of', member_ids)} "
        "and date_overrides.on_date between %(first_date)s and %(last_date)s "
        "order by date_overrides.member_id, date_overrides.on_date, starts_minute",
        OverrideRow,
        hours_of=member_ids,
        first_date=first,
        last_date=last,
    )


def time_off(member_ids: _Ids, *, from_: datetime, until: datetime) -> Part[list[TimeOffRow]]:
    """The time off of these members that meets ``[from_, until)``; see :func:`exceptions`."""
    return rows(
        "select member_id, id, starts_at, ends_at, reason from time_off "  # noqa: S608 - names of columns
        f"where {_of('member_id', 'hours_of', member_ids)} "
        "and ends_at > %(reading_from)s and starts_at < %(reading_until)s "
        "order by member_id, starts_at, id",
        TimeOffRow,
        hours_of=member_ids,
        reading_from=from_,
        reading_until=until,
    )


def exceptions(overridden: Iterable[OverrideRow], away: Iterable[TimeOffRow]) -> dict[uuid.UUID, Exceptions]:
    """Return what differs from the week, for each member for whom something does."""
    found: dict[uuid.UUID, Exceptions] = {}
    for row in overridden:
        dates = found.setdefault(row.member_id, Exceptions({}, [])).overrides
        on_date = dates.setdefault(row.on_date, [])
        if row.starts_minute is not None and row.ends_minute is not None:
            on_date.append(DayWindowView(row.starts_minute, row.ends_minute, row.location_id))
    for off in away:
        found.setdefault(off.member_id, Exceptions({}, [])).time_off.append(
            TimeOffView(off.id, off.starts_at, off.ends_at, off.reason)
        )
    return found


def closures(*, from_: datetime, until: datetime) -> Part[list[ClosureRow]]:
    """The closures that may have a day in ``[from_, until)``; see :func:`closed_days`."""
    first, last = local_dates(from_, until)
    return rows(
        "select id, name, location_id, starts_on, ends_on, yearly from closures "
        "where (yearly or ends_on >= %(first_date)s) and starts_on <= %(last_date)s",
        ClosureRow,
        first_date=first,
        last_date=last,
    )


def closed_days(found: Iterable[ClosureRow], *, from_: datetime, until: datetime) -> list[ClosedDays]:
    """Return every occurrence of a closure that can touch ``[from_, until)``, by its first day."""
    first, last = local_dates(from_, until)
    return sorted(
        (
            ClosedDays(row.id, row.name, row.location_id, starts_on, ends_on)
            for row in found
            for starts_on, ends_on in occurrences(
                row.starts_on, row.ends_on, yearly=row.yearly, first=first, last=last
            )
        ),
        key=lambda days: (days.starts_on, days.ends_on, days.closure_id),
    )


def opening_hours(location_ids: _Ids) -> Part[list[OpeningRow]]:
    """When these places are open; see :func:`open_weeks`."""
    return rows(
        "select location_id, weekday, starts_minute, ends_minute from location_hours "  # noqa: S608 - names of columns
        f"where {_of('location_id', 'opening_hours_of', location_ids)} "
        "order by location_id, weekday, starts_minute",
        OpeningRow,
        opening_hours_of=location_ids,
    )


def open_weeks(found: Iterable[OpeningRow]) -> dict[uuid.UUID, list[OpeningWindowView]]:
    """Return each place's week in order; a place without an entry is always open."""
    of_places: dict[uuid.UUID, list[OpeningWindowView]] = {}
    for row in found:
        of_places.setdefault(row.location_id, []).append(
            OpeningWindowView(row.weekday, row.starts_minute, row.ends_minute)
        )
    return of_places
