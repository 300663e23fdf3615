"""Answering a series that was asked for: all of its requests as one.

A school that gives a student a weekly time gives all of it, so one answer is
for every lesson that waits; each can still be answered by itself.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.approval import confirm_request, is_waiting, refuse_request
from coursecove.bookings.errors import NotWaiting
from coursecove.bookings.rows import lock_bookings, lock_sessions
from coursecove.bookings.schemas import BookingDecline
from coursecove.bookings.series import end_if_over, get_series
from coursecove.bookings.series_schemas import SeriesChanged, SeriesView
from coursecove.bookings.series_scope import TOGETHER, Changed, track_change
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import is_staff_of
from coursecove.errors import Forbidden
from coursecove.i18n import _
from coursecove.tenants.models import Member


async def approve_series(session: AsyncSession, series_id: uuid.UUID, *, by: Member) -> SeriesChanged:
    """Confirm every request of a series that waits; an instructor answers for the lessons they give.

    Raises NotWaiting when none does, Forbidden for everybody else who may see
    the series, and NotFound for the others.
    """
    series, waiting = await _waiting(session, series_id, by=by)
    trail = _trail(series_id, waiting)
    for taught, booking in waiting:
        await confirm_request(session, taught, booking, by=by, **trail)
    return await _answered(session, "series.confirmed", series, waiting, by=by)


async def decline_series(
    session: AsyncSession, series_id: uuid.UUID, data: BookingDecline, *, by: Member
) -> SeriesChanged:
    """Say no to every request of a series that waits, and free the times; refuses like approving."""
    reason = checked_text(data.reason, field="reason", longest=500) or None
    series, waiting = await _waiting(session, series_id, by=by)
    trail = _trail(series_id, waiting)
    for taught, booking in waiting:
        await refuse_request(session, taught, booking, by=by, reason=reason, **trail)
    await end_if_over(session, series_id)
    return await _answered(session, "series.declined", series, waiting, by=by)


_Waiting = list[tuple[Row[Any], Row[Any]]]


async def _waiting(session: AsyncSession, series_id: uuid.UUID, *, by: Member) -> tuple[SeriesView, _Waiting]:
    """Lock what waits for an answer of ``by``, by start."""
    series = await get_series(session, series_id, viewer=by)
    wanted = [view for view in series.lessons if view.can_decide]
    if not wanted:
        if not is_staff_of(by, series.instructor.id):
            raise Forbidden(_("Only the instructor and admins answer requests."))
        raise NotWaiting()
    taught = await lock_sessions(session, [view.session_id for view in wanted])
    rows = [
        (taught[row.session_id], row)
        for row in await lock_bookings(session, [view.id for view in wanted])
        if is_waiting(row)
        and row.session_id in taught
        and is_staff_of(by, taught[row.session_id].instructor_id)
    ]
    if not rows:
        raise NotWaiting()
    return series, sorted(rows, key=lambda pair: pair[1].starts_at)


def _trail(series_id: uuid.UUID, waiting: _Waiting) -> dict[str, Any]:
    return {"series_id": str(series_id), **(TOGETHER if len(waiting) > 1 else {})}


async def _answered(
    session: AsyncSession, action: str, series: SeriesView, waiting: _Waiting, *, by: Member
) -> SeriesChanged:
    await track_change(
        session,
        action,
        series.id,
        [Changed(booking.id, booking.revision + 1, taught.instructor_id) for taught, booking in waiting],
        starts_at=waiting[0][1].starts_at,
        by_id=by.id,
        in_class=series.appointment_type.kind == "class",
    )
    return SeriesChanged(
        series=await get_series(session, series.id, viewer=by),
        changed=[booking.id for _taught, booking in waiting],
        kept=[],
    )
