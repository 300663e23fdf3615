"""Moving a series: this lesson, this and the following, or all that are ahead.

Every lesson shifts by as many days, to the same time on the wall clock; all of
them go or none.  Lessons that have begun stay as they are.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import moving
from coursecove.bookings.acceptance import told
from coursecove.bookings.errors import SeriesConflict, StudentBusy, TooLateToMove, in_words
from coursecove.bookings.expiry import around, let_go
from coursecove.bookings.locks import lock_resources
from coursecove.bookings.occupancy import taken_of
from coursecove.bookings.requests import Request, check_place, checked_instant
from coursecove.bookings.rows import lock_bookings, lock_sessions
from coursecove.bookings.schemas import BookingView
from coursecove.bookings.series import get_series
from coursecove.bookings.series_planning import Judge, at_wall_clock, wall_clock
from coursecove.bookings.series_schemas import (
    Scope,
    SeriesChange,
    SeriesChanged,
    SeriesChangeList,
    SeriesMove,
    SeriesView,
)
from coursecove.bookings.series_scope import TOGETHER, Changed, lessons_meant, track_change
from coursecove.bookings.timetable import Question, timetable_of
from coursecove.bookings.views import is_staff_of
from coursecove.errors import Conflict, CourseCoveError, Forbidden, Invalid
from coursecove.i18n import _
from coursecove.scheduling.rules import EXEMPT, OVERRIDABLE, Reason, Refusal, Slot
from coursecove.tenants.models import Member

_RETIME = text("""
update series set weekday = :weekday, starts_minute = :minute, last_on = greatest(first_on, :last_on),
                  location_id = coalesce(cast(:location_id as uuid), location_id)
where id = :series_id
""")
_SHORTEN = text("""
update series set last_on = greatest(first_on, :last_on) where id = :series_id
""")
_SPLIT = text("""
insert into series (organization_id, id, appointment_type_id, student_id, instructor_id, location_id, time_zone,
                    weekday, starts_minute, duration_minutes, every_weeks, first_on, last_on, created_by_id)
select organization_id, :new_id, appointment_type_id, student_id, instructor_id,
       coalesce(cast(:location_id as uuid), location_id), time_zone,
       :weekday, :minute, duration_minutes, every_weeks, :first_on, :last_on, :by_id
from series where id = :series_id
""")
_JOIN = text("""
update bookings set series_id = :series_id, series_on = wanted.series_on
from unnest(cast(:booking_ids as uuid[]), cast(:dates as date[])) as wanted (booking_id, series_on)
where bookings.id = wanted.booking_id
""")


async def preview_series_move(
    session: AsyncSession, series_id: uuid.UUID, data: SeriesMove, *, by: Member
) -> SeriesChangeList:
    """Say of every lesson where it would go, or why it cannot; write nothing.  Refuses like moving."""
    return SeriesChangeList([_change(one) for one in (await _planned(session, series_id, data, by=by)).going])


async def move_series(
    session: AsyncSession, series_id: uuid.UUID, data: SeriesMove, *, by: Member
) -> SeriesChanged:
    """Move lessons of a series, all that are meant or none; ids and references stay.

    Every rule is judged per lesson, cut-offs and the number of moves too; their
    own old times are no conflict.  What is to stay is named in ``skip``.  After
    ``following`` the lessons moved are a series of their own.  Raises
    :class:`SeriesConflict` with every lesson that cannot go, Conflict when
    somebody changed one meanwhile, Forbidden, Invalid at the field, and NotFound.
    """
    plan = await _planned(session, series_id, data, by=by, locked=True)
    changes = [_change(one) for one in plan.going]
    if any(not change.ok and not change.skipped for change in changes):
        raise SeriesConflict(SeriesChangeList(changes))
    wanted = [one for one in plan.going if one.slot is not None]
    if not wanted:
        raise Invalid(fields={"skip": _("Nothing would move.")})
    await _lock(session, plan, wanted)
    lost: dict[uuid.UUID, str] = {}
    trail = {"series_id": str(series_id), **(TOGETHER if len(wanted) > 1 else {})}
    # Without a savepoint, whoever catches the refusal and commits would keep half of them.
    async with session.begin_nested() as attempt:
        # Away from where they go: the farthest first.
        for one in sorted(wanted, key=lambda one: one.view.starts_at, reverse=plan.later):
            reason = await _move_one(session, one, plan, trail=trail)
            if reason is not None:
                lost[one.view.id] = reason
        if lost:
            await attempt.rollback()
        else:
            series_id = await _write_series(session, plan, wanted, data.scope, by=by)
    if lost:
        raise SeriesConflict(SeriesChangeList([_change(one, lost.get(one.view.id)) for one in plan.going]))
    moved = [Changed(one.view.id, one.view.revision + 1, one.instructor_id) for one in wanted]
    await track_change(
        session,
        "series.moved",
        plan.series.id,
        moved,
        starts_at=wanted[0].view.starts_at,
        by_id=by.id,
        in_class=plan.type.kind == "class",
        scope=data.scope,
    )
    return SeriesChanged(
        series=await get_series(session, series_id, viewer=by),
        changed=[one.view.id for one in wanted],
        kept=[change for change in changes if change.skipped],
    )


@dataclass(frozen=True, slots=True)
class _Going:
    """A lesson on its way: the slot it goes to, or why it stays."""

    view: BookingView
    on: date
    to_on: date
    to: datetime
    slot: Slot | None = None
    reason: str | None = None
    message: str | None = None
    skipped: bool = False

    @property
    def instructor_id(self) -> uuid.UUID:
        """Who gives it: in a class, whoever gives the one it goes to."""
        return self.slot.instructor_id if self.slot else self.view.instructor.id


@dataclass(frozen=True, slots=True)
class _Plan:
    """A series that moves."""

    series: SeriesView
    type: AppointmentTypeView
    minute: int
    later: bool
    going: list[_Going]
    by: Member
    override: bool
    # Where all of them go; None: each stays at its place.
    location_id: uuid.UUID | None = None

    def place_of(self, one: _Going) -> uuid.UUID | None:
        """Where a lesson goes; a seat goes where the class is."""
        here = one.view.location.id if one.view.location else None
        return here if self.type.kind == "class" else self.location_id or here


async def _planned(
    session: AsyncSession, series_id: uuid.UUID, data: SeriesMove, *, by: Member, locked: bool = False
) -> _Plan:
    starts_at = checked_instant(data.starts_at)
    series = await get_series(session, series_id, viewer=by)
    meant = lessons_meant(series, data, by=by)
    if not meant:
        raise TooLateToMove(_("There is no lesson ahead that could be moved."))
    anchor = next(view for view in series.lessons if view.id == data.booking_id)
    assert anchor.series_on is not None
    staff = is_staff_of(by, anchor.instructor.id)
    if data.override_rules and not staff:
        raise Forbidden(_("Rules, rooms and lengths are for the school's staff."))
    new_on, minute = wall_clock(starts_at, series.time_zone)
    shift = (new_on - anchor.series_on).days
    if abs(shift) >= 7 * series.every_weeks and data.scope != "this":
        message = _("Stay between the lesson before and the one after, or move single lessons.")
        raise Invalid(fields={"starts_at": message})
    type_ = await appointments.get_type(session, series.appointment_type.id)
    going = []
    for view in meant:
        assert view.series_on is not None
        to_on = view.series_on + timedelta(days=shift)
        to = starts_at if view.id == anchor.id else at_wall_clock(to_on, minute, series.time_zone)
        going.append(_Going(view, view.series_on, to_on, to, skipped=view.series_on in data.skip))
    if not set(data.skip) <= {one.on for one in going}:
        raise Invalid(fields={"skip": _("Name dates of this series.")})
    await check_place(session, type_, location_id=data.location_id, room_id=None)
    later = starts_at > anchor.starts_at
    plan = _Plan(series, type_, minute, later, going, by, data.override_rules, data.location_id)
    if locked:
        await _lock_people(session, plan)
    return replace(plan, going=await _judged(session, plan, staff=staff))


async def _judged(session: AsyncSession, plan: _Plan, *, staff: bool) -> list[_Going]:
    """Ask the engine about every lesson, with one read per table for each instructor."""
    passing = OVERRIDABLE if plan.override else EXEMPT if staff else frozenset[Reason]()
    moved = [one for one in plan.going if not one.skipped]
    judges: dict[uuid.UUID, Judge] = {}
    for one in moved:
        instructor_id = one.view.instructor.id
        if instructor_id not in judges:
            judges[instructor_id] = await _judge(session, plan, one.view, moved, passing=passing, staff=staff)
    now = clock.now()
    judged: list[_Going] = []
    for one in plan.going:
        if one.skipped:
            judged.append(one)
            continue
        try:
            here = one.view.location.id if one.view.location else None
            if one.to == one.view.starts_at and plan.place_of(one) == here:
                raise TooLateToMove(_("The lesson is at this time already."))
            moving.check_may_move(one.view, now, staff=staff)
        except CourseCoveError as refused:
            judged.append(_refused(one, refused.code, refused.detail or _(refused.title)))
            continue
        place = plan.place_of(one)
        answer = judges[one.view.instructor.id].at(one.to, one.view.instructor.id, place)
        if isinstance(answer, Refusal):
            reason = told(answer, exempt=staff)
            judged.append(_refused(one, reason, in_words(reason)))
        else:
            for judge in judges.values():
                judge.keep(answer)
            judged.append(_Going(one.view, one.on, one.to_on, one.to, slot=answer))
    return judged


async def _judge(
    session: AsyncSession,
    plan: _Plan,
    view: BookingView,
    moved: Sequence[_Going],
    *,
    passing: frozenset[Reason],
    staff: bool,
) -> Judge:
    question = Question(
        type=plan.type,
        instructor_id=view.instructor.id,
        duration_minutes=plan.series.duration_minutes,
        student_id=plan.series.student.id,
        travel_minutes=view.travel_minutes,
        ignoring_session_ids=frozenset(one.view.session_id for one in moved),
    )
    first, last = min(one.to for one in moved), max(one.to for one in moved) + timedelta(days=1)
    timetable = await timetable_of(session, question, from_=first, until=last)
    taken = await taken_of(session, timetable, from_=first, until=last)
    return Judge(timetable, taken, passing=passing, exempt=staff)


def _refused(one: _Going, reason: str, message: str) -> _Going:
    return _Going(one.view, one.on, one.to_on, one.to, reason=reason, message=message)


async def _lock_people(session: AsyncSession, plan: _Plan) -> None:
    """Wait for everybody and every room these lessons could meet, before anything is counted."""
    members = {plan.series.student.id, *(one.view.instructor.id for one in plan.going)}
    rooms = {one.view.room.id for one in plan.going if one.view.room}
    if plan.type.kind == "class":
        members |= set(plan.type.instructor_ids)
    elif plan.type.location_mode == "in_person":
        places = {place for one in plan.going if (place := plan.place_of(one)) is not None}
        rooms |= {room.id for room in await appointments.list_rooms(session, location_ids=places)}
    await lock_resources(session, members=members, rooms=rooms)


async def _lock(session: AsyncSession, plan: _Plan, wanted: Sequence[_Going]) -> None:
    """Lock the rows as everybody does, sessions before bookings; raises Conflict when one has changed."""
    minutes = plan.series.duration_minutes
    await let_go(session, [window for one in wanted for window in around(one.to, minutes)])
    sessions = {one.view.session_id for one in wanted}
    sessions |= {one.slot.session_id for one in wanted if one.slot and one.slot.session_id}
    await lock_sessions(session, sessions)
    rows = {row.id: row for row in await lock_bookings(session, [one.view.id for one in wanted])}
    for one in wanted:
        row = rows.get(one.view.id)
        if row is None or row.cancelled_at is not None or row.revision != one.view.revision:
            raise Conflict(_("Somebody has changed this lesson in this moment. Look at it again."))


async def _move_one(session: AsyncSession, one: _Going, plan: _Plan, *, trail: Mapping[str, Any]) -> str | None:
    """Move one lesson; return what its time was lost to."""
    assert one.slot is not None
    view = one.view
    staff = is_staff_of(plan.by, view.instructor.id)
    request = Request(
        type=plan.type,
        student_id=view.student.id,
        by=plan.by,
        starts_at=one.to,
        duration_minutes=view.duration_minutes,
        session_id=one.slot.session_id,
        instructor_id=view.instructor.id,
        location_id=plan.place_of(one),
        room_id=None,
        exempt=staff,
        override=plan.override,
        note=view.note,
        answers=[],
        address=view.address,
        postcode=view.postcode,
        travel_minutes=view.travel_minutes,
        trail={**trail, "series_on": one.to_on.isoformat()},
    )
    try:
        done = await moving.go_to(session, view, request, one.slot)
    except StudentBusy:
        return Reason.STUDENT_BUSY.value
    return None if done else (Reason.FULL if one.slot.session_id else Reason.TAKEN).value


async def _write_series(
    session: AsyncSession, plan: _Plan, wanted: Sequence[_Going], scope: Scope, *, by: Member
) -> uuid.UUID:
    """Write what the lessons that moved are now: a single one stays in its series, others keep a new clock."""
    series = plan.series
    if scope == "this":
        return series.id
    dates = [one.to_on for one in wanted]
    ids = {one.view.id for one in wanted}
    left = [
        view.series_on
        for view in series.lessons
        if view.cancelled_at is None and view.id not in ids and view.series_on is not None
    ]
    values: dict[str, Any] = {
        "series_id": series.id,
        "weekday": dates[0].isoweekday(),
        "minute": plan.minute,
        "last_on": max(dates),
        "location_id": plan.location_id,
    }
    joined = series.id
    if scope == "following" and left:
        joined = uuid.uuid4()
        more = {"new_id": joined, "first_on": min(dates), "by_id": by.id}
        await session.execute(_SPLIT, {**values, **more})
        await session.execute(_SHORTEN, {"series_id": series.id, "last_on": max(left)})
    else:
        await session.execute(_RETIME, values)
    joining = {"series_id": joined, "booking_ids": [one.view.id for one in wanted], "dates": dates}
    await session.execute(_JOIN, joining)
    return joined


def _change(one: _Going, lost: str | None = None) -> SeriesChange:
    ok = one.slot is not None and lost is None
    return SeriesChange(
        booking_id=one.view.id,
        reference=one.view.reference,
        on=one.on,
        starts_at=one.view.starts_at,
        to_starts_at=one.view.starts_at if one.skipped else one.to,
        ok=ok,
        skipped=one.skipped,
        reason=lost or one.reason,
        message=in_words(lost) if lost else one.message,
        overridden_rules=[str(rule) for rule in one.slot.overridden] if ok and one.slot else [],
    )
