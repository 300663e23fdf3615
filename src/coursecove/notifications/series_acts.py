"""Which lessons one mail about a series speaks for.

What was done to several lessons at once is one fact about their series, and one
mail to each person.  The mail is kept with the first lesson it speaks for; which
the others are stands in the trail, because lessons may have left the series, or
their time, since.
"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.notifications.kinds import SERIES_ACTS, SERIES_ENDED, Kind
from coursecove.tenants.models import Member

#: The revision of a lesson to which nothing has happened since it was booked.
BOOKED_REVISION = 0


class Act(NamedTuple):
    """What was done to lessons of a series at once: the revision it made of each, and who gave it then."""

    kind: Kind
    revisions: dict[uuid.UUID, int]
    instructors: dict[uuid.UUID, uuid.UUID]


# A lesson's own facts name the series it was in at the time.
_ACTS = text("""
select distinct act.id, act.action, act.data, act.created_at
from events one
join events act
  on act.organization_id = one.organization_id and act.subject_type = 'series'
  and act.subject_id = cast(one.data ->> 'series_id' as uuid) and act.action = any(:actions)
where one.subject_type = 'booking' and one.subject_id = any(:booking_ids)
  and one.data ->> 'series_id' is not null
order by act.created_at, act.id
""")


async def acts_on(session: AsyncSession, *booking_ids: uuid.UUID) -> list[Act]:
    """Return what was done to any of these lessons together with others, oldest first."""
    values = {"booking_ids": list(booking_ids), "actions": list(SERIES_ACTS)}
    acts = [act_in(row.action, row.data) for row in await session.execute(_ACTS, values)]
    return [act for act in acts if act and not act.revisions.keys().isdisjoint(booking_ids)]


def act_in(action: str, data: dict[str, Any]) -> Act | None:
    """Return what a fact about a series says; None for one that was about a single lesson."""
    kind = SERIES_ACTS[action]
    if kind == "series_booked":
        return Act(kind, {uuid.UUID(one): BOOKED_REVISION for one in data["booking_ids"]}, {})
    lessons = data.get("lessons", [])
    if len(lessons) < 2:
        return None
    ids = [uuid.UUID(one["booking_id"]) for one in lessons]
    return Act(
        kind,
        {id_: int(one["revision"]) for id_, one in zip(ids, lessons, strict=True)},
        {id_: uuid.UUID(one["instructor_id"]) for id_, one in zip(ids, lessons, strict=True)},
    )


async def lessons_to_tell(session: AsyncSession, delivery: Row[Any], *, viewer: Member) -> list[BookingView]:
    """Return the lessons that are still as the act left them, by start.

    Left out is what was changed since: of that there is, or will be, a mail of
    its own; also what is over, of lessons to come, and what the reader neither
    takes nor gives as they do the lesson that the mail is kept with.
    """
    act = next(
        (
            one
            for one in await acts_on(session, delivery.booking_id)
            if one.kind == delivery.kind and one.revisions[delivery.booking_id] == delivery.booking_revision
        ),
        None,
    )
    if act is None:
        return []
    now = clock.now()
    found = await bookings.bookings_by_id(session, list(act.revisions), viewer=viewer)
    gives = act.instructors.get(delivery.booking_id) == viewer.id
    return [
        one
        for one in found
        if one.revision == act.revisions[one.id]
        and (one.cancelled_at is not None) == (act.kind in SERIES_ENDED)
        and (act.kind not in ("series_booked", "series_approved") or one.ends_at > now)
        and (not act.instructors or (one.instructor.id == viewer.id) == gives)
    ]
