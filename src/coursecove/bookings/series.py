"""Series: lessons every week or every other one, at the same time on the wall clock.

Each lesson is a booking like any other, with the rules judged on its own date.
A preview says what would come of it before anything is written, and what is
booked is all of it or nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import and_, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.models import AppointmentType, Location
from coursecove.bookings import queries
from coursecove.bookings.errors import SeriesConflict, StudentBusy, in_words
from coursecove.bookings.expiry import around, let_go
from coursecove.bookings.locks import lock_resources
from coursecove.bookings.models import Booking, Series
from coursecove.bookings.requests import Request, checked, checked_instant
from coursecove.bookings.schemas import BookingCreate, BookingView, PersonSummary, PlaceSummary, TypeSummary
from coursecove.bookings.series_planning import Judged, Plan, plan_series, wall_clock
from coursecove.bookings.series_schemas import (
    Occurrence,
    SeriesCreate,
    SeriesPreview,
    SeriesView,
)
from coursecove.bookings.taking import take
from coursecove.bookings.views import booking_views, is_staff_of
from coursecove.db.session import organization_of
from coursecove.errors import Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.scheduling.rules import Reason
from coursecove.tenants.models import Member

MOST_SERIES = 200

_Student = aliased(Member, name="student")
_Instructor = aliased(Member, name="instructor")

_INSERT = text("""
insert into series (organization_id, id, appointment_type_id, student_id, instructor_id, location_id, time_zone,
                    weekday, starts_minute, duration_minutes, every_weeks, first_on, last_on, created_by_id)
values (:organization_id, :id, :appointment_type_id, :student_id, :instructor_id, :location_id, :time_zone,
        :weekday, :starts_minute, :duration_minutes, :every_weeks, :first_on, :last_on, :created_by_id)
""")
_JOIN = text("""
update bookings set series_id = :series_id, series_on = wanted.series_on
from unnest(cast(:booking_ids as uuid[]), cast(:dates as date[])) as wanted (booking_id, series_on)
where bookings.id = wanted.booking_id
""")
_END = text("""
update series set ended_at = now()
where id = :series_id and ended_at is null
  and not exists (select from bookings where bookings.series_id = :series_id and cancelled_at is null
                  and ends_at > :now)
""")


async def preview_series(
    session: AsyncSession, data: SeriesCreate, *, by: Member, complete: bool = False
) -> SeriesPreview:
    """Say of every date whether the lesson can be then, or why not and what is free near it; write nothing.

    Without an instructor it is whoever can give most of the lessons, and of
    several whoever has taught least; all lessons are with the same one.
    Students are bound by notice and horizon on every date, staff who book for a
    student are not.  What the school wants to know may be said later, unless it
    is to be ``complete``.  Raises what :func:`~.booking.book` raises for everything
    but time.
    """
    request, plan = await _planned(session, data, by=by, complete=complete)
    return _preview(plan, exempt=request.exempt)


async def book_series(session: AsyncSession, data: SeriesCreate, *, by: Member) -> SeriesView:
    """Book every date of a series, or none of them; return it as ``by`` sees it.

    What is not to be booked is named in ``skip`` or has another time in
    ``instead``.  Raises :class:`SeriesConflict` with the preview when a date
    cannot be had, and what :func:`preview_series` raises.
    """
    request, plan = await _planned(session, data, by=by, locked=True, complete=True)
    if plan.conflicts or plan.instructor_id is None:
        raise SeriesConflict(_preview(plan, exempt=request.exempt))
    if len(plan.wanted) < 2:
        raise Invalid(fields={"skip": _("A series has two lessons at least. Book a single one by itself.")})
    series_id = uuid.uuid4()
    lost: dict[Judged, str] = {}
    # Without a savepoint, whoever catches the refusal and commits would keep half of them.
    async with session.begin_nested() as attempt:
        await session.execute(_INSERT, _values(session, series_id, request, plan, data))
        booked: dict[uuid.UUID, Judged] = {}
        for judged in plan.wanted:
            reason = await _book_one(session, request, judged, series_id, booked)
            if reason is not None:
                lost[judged] = reason
        if lost:
            await attempt.rollback()
        else:
            dates = [judged.on for judged in booked.values()]
            values = {"series_id": series_id, "booking_ids": list(booked), "dates": dates}
            await session.execute(_JOIN, values)
    if lost:
        raise SeriesConflict(_preview(plan, exempt=request.exempt, lost=lost))
    _track(session, series_id, request, plan, list(booked), data)
    return await get_series(session, series_id, viewer=by)


async def get_series(session: AsyncSession, series_id: uuid.UUID, *, viewer: Member) -> SeriesView:
    """Return a series; raises NotFound alike when there is none and when it is not for ``viewer``."""
    found = await _series(session, Series.id == series_id, viewer=viewer)
    if not found:
        raise NotFound(_("There is no such series."))
    return found[0]


async def list_series(
    session: AsyncSession,
    *,
    viewer: Member,
    student_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    with_ended: bool = False,
    page: int = 1,
) -> list[SeriesView]:
    """Return series by their first date, in a fixed number of queries; at most 200 to a page.

    Everybody sees their own and their children's, instructors also those they
    give, admins all of them.  Those without a lesson ahead come only ``with_ended``.
    """
    conditions: list[Any] = []
    if student_id is not None:
        conditions.append(Series.student_id == student_id)
    if instructor_id is not None:
        conditions.append(Series.instructor_id == instructor_id)
    if not with_ended:
        ahead = select(Booking.id).where(
            Booking.organization_id == Series.organization_id,
            Booking.series_id == Series.id,
            Booking.cancelled_at.is_(None),
            Booking.ends_at > clock.now(),
        )
        conditions += [Series.ended_at.is_(None), ahead.exists()]
    return await _series(session, *conditions, viewer=viewer, page=page)


async def end_if_over(session: AsyncSession, series_id: uuid.UUID) -> None:
    """Note that a series has ended when none of its lessons is ahead."""
    await session.execute(_END, {"series_id": series_id, "now": clock.now()})


async def _planned(
    session: AsyncSession, data: SeriesCreate, *, by: Member, complete: bool, locked: bool = False
) -> tuple[Request, Plan]:
    wanted = BookingCreate(
        appointment_type_id=data.appointment_type_id,
        starts_at=data.starts_at,
        duration_minutes=data.duration_minutes,
        instructor_id=data.instructor_id,
        location_id=data.location_id,
        student_id=data.student_id,
        note=data.note,
        answers=data.answers,
        address=data.address,
        postcode=data.postcode,
        override_rules=data.override_rules,
        link_key=data.link_key,
    )
    request = await checked(session, wanted, by=by, complete=complete)
    instead = {one.on: checked_instant(one.starts_at) for one in data.instead}
    if len(instead) < len(data.instead) or set(data.skip) & set(instead):
        raise Invalid(fields={"instead": _("Decide about each date once.")})
    if locked:
        await _lock(session, request)
    options: dict[str, Any] = {
        "every_weeks": data.every_weeks,
        "times": data.times,
        "skip": set(data.skip),
        "instead": instead,
    }
    plan = await plan_series(session, request, **options)
    if locked:
        minutes = request.duration_minutes
        await let_go(session, [window for one in plan.wanted for window in around(one.starts_at, minutes)])
    return request, plan


async def _lock(session: AsyncSession, request: Request) -> None:
    """Wait for whoever writes several lessons of these people and rooms, so that no two wait for each other."""
    teachers = [request.instructor_id] if request.instructor_id else request.type.instructor_ids
    rooms: list[uuid.UUID | None] = []
    if request.type.location_mode == "in_person" and request.type.kind != "class":
        places = [request.location_id] if request.location_id else request.type.location_ids
        rooms = [room.id for room in await appointments.list_rooms(session, location_ids=places)]
    await lock_resources(session, members=[request.student_id, *teachers], rooms=rooms)


async def _book_one(
    session: AsyncSession,
    request: Request,
    judged: Judged,
    series_id: uuid.UUID,
    booked: dict[uuid.UUID, Judged],
) -> str | None:
    """Take one date; return what it was lost to."""
    assert judged.slot is not None
    trail = {"series_id": str(series_id), "series_on": judged.on.isoformat()}
    of_series = msgspec.structs.replace(request, starts_at=judged.starts_at, trail=trail)
    try:
        booking_id = await take(session, of_series, judged.slot)
    except StudentBusy:
        return Reason.STUDENT_BUSY.value
    if booking_id is None:
        return (Reason.FULL if judged.slot.session_id else Reason.TAKEN).value
    booked[booking_id] = judged
    return None


def _preview(plan: Plan, *, exempt: bool, lost: dict[Judged, str] | None = None) -> SeriesPreview:
    found = plan.occurrences(exempt=exempt)
    reasons = {judged.on: reason for judged, reason in (lost or {}).items()}
    occurrences = [_lost(one, reasons[one.on]) if one.on in reasons else one for one in found]
    return SeriesPreview(
        instructor=plan.timetable.person(plan.instructor_id) if plan.instructor_id else None,
        location=plan.timetable.place(plan.location_id),
        time_zone=plan.time_zone,
        occurrences=occurrences,
        bookable=sum(one.ok for one in occurrences),
        conflicts=sum(not one.ok and not one.skipped for one in occurrences),
    )


def _lost(occurrence: Occurrence, reason: str) -> Occurrence:
    return msgspec.structs.replace(
        occurrence, ok=False, reason=reason, message=in_words(reason), overridden_rules=[]
    )


def _values(
    session: AsyncSession, series_id: uuid.UUID, request: Request, plan: Plan, data: SeriesCreate
) -> dict[str, Any]:
    first, minute = wall_clock(request.starts_at, plan.time_zone)
    return {
        "organization_id": organization_of(session),
        "id": series_id,
        "appointment_type_id": request.type.id,
        "student_id": request.student_id,
        "instructor_id": plan.instructor_id,
        "location_id": plan.location_id,
        "time_zone": plan.time_zone,
        "weekday": first.isoweekday(),
        "starts_minute": minute,
        "duration_minutes": request.duration_minutes,
        "every_weeks": data.every_weeks,
        # Dates that were left out at an end are none of the series.
        "first_on": plan.wanted[0].on,
        "last_on": plan.wanted[-1].on,
        "created_by_id": request.by.id,
    }


def _track(
    session: AsyncSession,
    series_id: uuid.UUID,
    request: Request,
    plan: Plan,
    booking_ids: list[uuid.UUID],
    data: SeriesCreate,
) -> None:
    first = plan.wanted[0]
    assert first.slot is not None
    track(
        session,
        "series.booked",
        subject_type="series",
        subject_id=series_id,
        actor_id=request.by.id,
        data={
            "appointment_type_id": str(request.type.id),
            "instructor_id": str(plan.instructor_id),
            "student_id": str(request.student_id),
            "starts_at": first.slot.starts_at.isoformat(),
            "ends_at": first.slot.ends_at.isoformat(),
            "time_zone": plan.time_zone,
            "every_weeks": data.every_weeks,
            "booking_ids": [str(booking_id) for booking_id in booking_ids],
            "pending": request.type.requires_approval and not request.exempt,
            "in_class": request.type.kind == "class",
        },
    )


def visible_to(viewer: Member) -> Any:
    """Say which series somebody may know of, over rows with their students."""
    if viewer.role == "admin":
        return true()
    own = or_(Series.student_id == viewer.id, _Student.guardian_id == viewer.id)
    return or_(own, Series.instructor_id == viewer.id) if viewer.role == "instructor" else own


async def _series(session: AsyncSession, *conditions: Any, viewer: Member, page: int = 1) -> list[SeriesView]:
    def of(entity: Any, column: Any) -> Any:
        return and_(entity.organization_id == Series.organization_id, entity.id == column)

    statement = (
        select(Series, AppointmentType, Location, _Student, _Instructor)
        .join(AppointmentType, of(AppointmentType, Series.appointment_type_id))
        .join(_Student, of(_Student, Series.student_id))
        .join(_Instructor, of(_Instructor, Series.instructor_id))
        .outerjoin(Location, of(Location, Series.location_id))
        .where(visible_to(viewer), *conditions)
        .order_by(Series.first_on, Series.id)
        .limit(MOST_SERIES)
        .offset((page - 1) * MOST_SERIES)
        .execution_options(populate_existing=True)
    )
    rows = (await session.execute(statement)).all()
    lessons = await _lessons(session, [row[0].id for row in rows], viewer)
    return [_view(row, lessons.get(row[0].id, []), viewer) for row in rows]


async def _lessons(
    session: AsyncSession, series_ids: Sequence[uuid.UUID], viewer: Member
) -> dict[uuid.UUID, list[BookingView]]:
    if not series_ids:
        return {}
    statement = (
        queries.booked()
        .where(queries.visible_to(viewer), Booking.series_id.in_(series_ids))
        .order_by(Booking.series_on, Booking.id)
    )
    found: dict[uuid.UUID, list[BookingView]] = {}
    for view in await booking_views(session, (await session.execute(statement)).all(), viewer):
        assert view.series_id is not None
        found.setdefault(view.series_id, []).append(view)
    return found


def _view(row: Any, lessons: list[BookingView], viewer: Member) -> SeriesView:
    series, type_, place, student, instructor = row
    staff = is_staff_of(viewer, series.instructor_id)
    own = viewer.id in (student.id, student.guardian_id)
    now: datetime = clock.now()
    return SeriesView(
        id=series.id,
        appointment_type=TypeSummary(
            type_.id,
            type_.slug,
            type_.name,
            type_.color,
            type_.location_mode,
            type_.kind,
            bool(type_.published_at and not type_.archived_at and type_.visibility != "link"),
        ),
        student=PersonSummary(
            student.id,
            student.name,
            student.image_url,
            student.email if staff or student.id == viewer.id else None,
        ),
        instructor=PersonSummary(instructor.id, instructor.name, instructor.image_url),
        location=PlaceSummary(
            place.id, place.slug, place.name, place.address, place.directions, place.time_zone
        )
        if place
        else None,
        time_zone=series.time_zone,
        weekday=series.weekday,
        starts_minute=series.starts_minute,
        duration_minutes=series.duration_minutes,
        every_weeks=series.every_weeks,
        first_on=series.first_on,
        last_on=series.last_on,
        ended_at=series.ended_at,
        is_own=own,
        can_change=(staff or own)
        and any(lesson.cancelled_at is None and lesson.starts_at > now for lesson in lessons),
        lessons=lessons,
    )
