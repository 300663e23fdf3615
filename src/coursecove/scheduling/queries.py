"""Selects over hours and what differs from them, for use inside one organization."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import Select, and_, or_, select

from coursecove.scheduling.models import (
    Closure,
    DateOverride,
    DateOverrideWindow,
    LocationHours,
    TimeOff,
    WeeklyHours,
)


def windows_of(
    member_ids: Collection[uuid.UUID],
) -> Select[uuid.UUID, int, int, int, uuid.UUID | None]:
    """The windows of these members, each member's week in order."""
    return (
        select(
            WeeklyHours.member_id,
            WeeklyHours.weekday,
            WeeklyHours.starts_minute,
            WeeklyHours.ends_minute,
            WeeklyHours.location_id,
        )
        .where(WeeklyHours.member_id.in_(member_ids))
        .order_by(WeeklyHours.member_id, WeeklyHours.weekday, WeeklyHours.starts_minute)
    )


def overrides_of(
    member_ids: Collection[uuid.UUID], *, first: date, last: date
) -> Select[uuid.UUID, date, int | None, int | None, uuid.UUID | None]:
    """The overridden dates of these members from ``first`` to ``last``; a row per window, one for a day off."""
    return (
        select(
            DateOverride.member_id,
            DateOverride.on_date,
            DateOverrideWindow.starts_minute,
            DateOverrideWindow.ends_minute,
            DateOverrideWindow.location_id,
        )
        .outerjoin(
            DateOverrideWindow,
            and_(
                DateOverrideWindow.organization_id == DateOverride.organization_id,
                DateOverrideWindow.member_id == DateOverride.member_id,
                DateOverrideWindow.on_date == DateOverride.on_date,
            ),
        )
        .where(DateOverride.member_id.in_(member_ids), DateOverride.on_date.between(first, last))
        .order_by(DateOverride.member_id, DateOverride.on_date, DateOverrideWindow.starts_minute)
    )


def time_off_of(
    member_ids: Collection[uuid.UUID], *, from_: datetime, until: datetime
) -> Select[uuid.UUID, uuid.UUID, datetime, datetime, str]:
    """The time off of these members that meets ``[from_, until)``, each member's by its start."""
    return (
        select(TimeOff.member_id, TimeOff.id, TimeOff.starts_at, TimeOff.ends_at, TimeOff.reason)
        .where(TimeOff.member_id.in_(member_ids), TimeOff.ends_at > from_, TimeOff.starts_at < until)
        .order_by(TimeOff.member_id, TimeOff.starts_at, TimeOff.id)
    )


def closures(*, first: date | None = None, last: date | None = None) -> Select[Closure]:
    """The closures that may have a day between ``first`` and ``last``; yearly ones return after their dates."""
    statement = select(Closure).order_by(Closure.starts_on, Closure.id)
    if first is not None:
        statement = statement.where(or_(Closure.yearly, Closure.ends_on >= first))
    if last is not None:
        statement = statement.where(Closure.starts_on <= last)
    return statement


def opening_hours_of(location_ids: Collection[uuid.UUID]) -> Select[uuid.UUID, int, int, int]:
    """The opening hours of these locations, each location's week in order."""
    return (
        select(
            LocationHours.location_id,
            LocationHours.weekday,
            LocationHours.starts_minute,
            LocationHours.ends_minute,
        )
        .where(LocationHours.location_id.in_(location_ids))
        .order_by(LocationHours.location_id, LocationHours.weekday, LocationHours.starts_minute)
    )
