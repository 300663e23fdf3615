"""Selects over weekly hours, for use inside one organization."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import Select, select

from coursecove.scheduling.models import WeeklyHours


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
