"""Which lessons of a series a change is about, and the trail it leaves."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
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


def track_change(
    session: AsyncSession,
    action: str,
    series: SeriesView,
    lessons: Sequence[BookingView],
    scope: Scope,
    *,
    by: Member,
) -> None:
    """Record what was done to several lessons of a series; each has a fact of its own as well."""
    track(
        session,
        action,
        subject_type="series",
        subject_id=series.id,
        actor_id=by.id,
        data={
            "appointment_type_id": str(series.appointment_type.id),
            "instructor_id": str(series.instructor.id),
            "student_id": str(series.student.id),
            "starts_at": lessons[0].starts_at.isoformat(),
            "scope": scope,
            "booking_ids": [str(view.id) for view in lessons],
        },
    )
