"""Cancelling lessons of a series: this one, this and the following, or all that are ahead."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.cancellation import check_in_time, give_back, is_past_cut_off
from coursecove.bookings.errors import AlreadyCancelled, TooLateToCancel
from coursecove.bookings.rows import lock_bookings, lock_sessions
from coursecove.bookings.schemas import BookingView
from coursecove.bookings.series import end_if_over, get_series
from coursecove.bookings.series_schemas import SeriesCancel, SeriesChange, SeriesChanged, SeriesChangeList
from coursecove.bookings.series_scope import TOGETHER, Changed, lessons_meant, track_change
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import cancel_until, is_staff_of
from coursecove.errors import Conflict
from coursecove.i18n import _
from coursecove.tenants.models import Member


async def preview_series_cancellation(
    session: AsyncSession, series_id: uuid.UUID, data: SeriesCancel, *, by: Member
) -> SeriesChangeList:
    """Say of every lesson whether it would be cancelled, or why it stays; write nothing."""
    series = await get_series(session, series_id, viewer=by)
    return SeriesChangeList([_cancellation(view, by=by) for view in lessons_meant(series, data, by=by)])


async def cancel_series(
    session: AsyncSession, series_id: uuid.UUID, data: SeriesCancel, *, by: Member
) -> SeriesChanged:
    """Cancel lessons of a series; those past the student's cut-off stay, and are named with the reason.

    Staff are exempt from the cut-off, and that is recorded.  Raises
    :class:`TooLateToCancel` when nothing can be cancelled, Forbidden, Invalid
    at the field, and NotFound.
    """
    reason = checked_text(data.reason, field="reason", longest=500) or None
    series = await get_series(session, series_id, viewer=by)
    changes = [_cancellation(view, by=by) for view in lessons_meant(series, data, by=by)]
    wanted = [change.booking_id for change in changes if change.ok]
    if not wanted:
        raise TooLateToCancel(changes[0].message if changes else None)
    views = {view.id: view for view in series.lessons}
    taught = await lock_sessions(session, [views[booking_id].session_id for booking_id in wanted])
    rows = [row for row in await lock_bookings(session, wanted) if row.cancelled_at is None]
    if not rows:
        raise AlreadyCancelled()
    together = TOGETHER if len(rows) > 1 else {}
    cancelled = []
    for row in sorted(rows, key=lambda row: row.starts_at):
        session_row = taught.get(row.session_id)
        if session_row is None:
            raise Conflict(_("Somebody has changed this lesson in this moment. Look at it again."))
        staff = is_staff_of(by, session_row.instructor_id)
        cut_off = cancel_until(row.starts_at, row.cancellation_notice_minutes)
        passed = staff and is_past_cut_off(row, cut_off, clock.now())
        await give_back(
            session,
            session_row,
            row,
            by_id=by.id,
            reason=reason,
            rules_overridden=passed,
            series_id=str(series_id),
            **together,
        )
        cancelled.append(Changed(row.id, row.revision + 1, session_row.instructor_id))
    await end_if_over(session, series_id)
    await track_change(
        session,
        "series.cancelled",
        series_id,
        cancelled,
        starts_at=min(row.starts_at for row in rows),
        by_id=by.id,
        in_class=series.appointment_type.kind == "class",
        scope=data.scope,
    )
    return SeriesChanged(
        series=await get_series(session, series_id, viewer=by),
        changed=[one.booking_id for one in cancelled],
        kept=[change for change in changes if not change.ok],
    )


def _cancellation(view: BookingView, *, by: Member) -> SeriesChange:
    assert view.series_on is not None
    refused: TooLateToCancel | None = None
    now = clock.now()
    notice = int((view.starts_at - view.cancel_until).total_seconds()) // 60
    try:
        check_in_time(
            view,
            now,
            staff=is_staff_of(by, view.instructor.id),
            past_cut_off=is_past_cut_off(view, view.cancel_until, now),
            notice_minutes=notice,
        )
    except TooLateToCancel as error:
        refused = error
    return SeriesChange(
        booking_id=view.id,
        reference=view.reference,
        on=view.series_on,
        starts_at=view.starts_at,
        to_starts_at=None,
        ok=refused is None,
        reason=refused.code if refused else None,
        message=refused.detail if refused else None,
    )
