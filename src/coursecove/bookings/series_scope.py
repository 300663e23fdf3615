"""Which lessons of a series a change is about, and the trail it leaves."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.models import Series
from coursecove.bookings.schemas import BookingView
from coursecove.bookings.series_schemas import Scope, SeriesCancel, SeriesMove, SeriesView
from coursecove.bookings.views import is_staff_of
from coursecove.errors import Forbidden, Invalid
from coursecove.events import track
from coursecove.i18n import _
from coursecove.tenants.models import Member


def lessons_meant(series: SeriesView, data: SeriesMove | SeriesCancel, *, by: Member) -> list[BookingView]:
    """Return the lessons a change is about: live ones that have not begun, by date."""
    anchor = next((view for view in series.lessons if view.id == data.booking_id), None)
    if anchor is None or anchor.series_on is None:
        raise Invalid(fields={"booking_id": _("Choose a lesson of this series.")})
    if not series.is_own and not is_staff_of(by, anchor.instructor.id):
        raise Forbidden(_("Only the student, the instructor and admins can change this series."))
    now = clock.now()
    return [
        view
        for view in series.lessons
        if view.cancelled_at is None
        and view.starts_at > now
        and view.series_on is not None
        and _is_in(data.scope, view, anchor)
    ]


def _is_in(scope: Scope, view: BookingView, anchor: BookingView) -> bool:
    if scope == "this":
        return view.id == anchor.id
    assert view.series_on is not None
    assert anchor.series_on is not None
    return scope == "all" or view.series_on >= anchor.series_on


class Changed(NamedTuple):
    """A lesson of a series after a change: the revision that made, and who gives the lesson."""

    booking_id: uuid.UUID
    revision: int
    instructor_id: uuid.UUID


#: What a lesson's own fact says when the fact about the series speaks for it.
TOGETHER = {"with_series": True}


async def track_change(
    session: AsyncSession,
    action: str,
    series_id: uuid.UUID,
    lessons: Sequence[Changed],
    *,
    starts_at: datetime,
    by_id: uuid.UUID | None,
    in_class: bool = False,
    scope: Scope | None = None,
) -> None:
    """Record what was done to lessons of a series, by date; each has a fact of its own as well.

    Where it is several, those say so (:data:`TOGETHER`), and one mail is made
    from this fact.  ``starts_at`` is the first one's; ``by_id`` None: nobody did it.
    """
    series = (await session.execute(select(Series).where(Series.id == series_id))).scalar_one()
    track(
        session,
        action,
        subject_type="series",
        subject_id=series_id,
        actor_id=by_id,
        data={
            "appointment_type_id": str(series.appointment_type_id),
            "instructor_id": str(series.instructor_id),
            "student_id": str(series.student_id),
            "starts_at": starts_at.isoformat(),
            **({"scope": scope} if scope else {}),
            "in_class": in_class,
            "booking_ids": [str(one.booking_id) for one in lessons],
            "lessons": [
                {
                    "booking_id": str(one.booking_id),
                    "revision": one.revision,
                    "instructor_id": str(one.instructor_id),
                }
                for one in lessons
            ],
        },
    )
