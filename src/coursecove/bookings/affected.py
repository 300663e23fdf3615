"""Lessons that a change of hours would leave outside: reads, for the question that comes before saving.

Nothing here changes anything, and a change of hours cancels nothing by itself:
what is booked stays until somebody cancels it.  Each function is asked before
the change is written, and names what fits now and would not fit then.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from coursecove import clock
from coursecove.appointments.models import AppointmentType, Location
from coursecove.bookings.models import Booking, TeachingSession
from coursecove.scheduling import service as scheduling
from coursecove.scheduling import zones
from coursecove.scheduling.schemas import (
    ClosureCreate,
    DayWindowInput,
    DayWindowView,
    OpeningWindowInput,
    OpeningWindowView,
    WindowInput,
    WindowView,
)
from coursecove.tenants import service as tenants
from coursecove.tenants.models import InstructorProfile, Member

#: How many lessons are described; ``total`` and the ids are of all of them.
MOST_DESCRIBED = 20

_DAY = timedelta(days=1)
_Instructor = aliased(Member, name="instructor")
_Student = aliased(Member, name="student")


class AffectedLesson(Struct, frozen=True):
    """A lesson that would be outside.

    ``time_zone`` is the one it is shown in: the venue's or the instructor's.
    """

    session_id: uuid.UUID
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    appointment_type: str
    instructor: str
    location: str | None
    #: Names, as far as whoever asks may know them; empty for a class nobody has booked yet.
    students: list[str]


@dataclass(frozen=True, slots=True)
class Affected:
    """The lessons a change would leave outside, by their start."""

    lessons: list[AffectedLesson]
    session_ids: list[uuid.UUID]

    @property
    def total(self) -> int:
        """How many lessons there are; a class counts once."""
        return len(self.session_ids)

    @property
    def fingerprint(self) -> str:
        """What a person confirms: these very lessons.  Others that came meanwhile are asked about again."""
        ids = b"".join(sorted(session_id.bytes for session_id in self.session_ids))
        return hashlib.sha256(ids).hexdigest()[:16]

    def __bool__(self) -> bool:
        """Say whether anything would be left outside."""
        return bool(self.session_ids)


class _DayWindow(Struct, frozen=True):
    starts_minute: int
    ends_minute: int
    location_id: uuid.UUID | None = None


_AnyDayWindow = DayWindowInput | DayWindowView | _DayWindow
_Windows = Callable[[date], Iterable[_AnyDayWindow]]


@dataclass(frozen=True, slots=True)
class _Taught:
    """A session ahead, as far as it matters here."""

    id: uuid.UUID
    starts_at: datetime
    ends_at: datetime
    location_id: uuid.UUID | None
    place: str | None
    venue_zone: str | None
    instructor_zone: str
    appointment_type: str
    instructor: str

    @property
    def time_zone(self) -> str:
        return self.venue_zone or self.instructor_zone


async def affected_by_hours(
    session: AsyncSession, member_id: uuid.UUID, windows: Sequence[WindowInput]
) -> Affected:
    """Return the lessons of an instructor that fit their hours now and would not with this week."""
    ahead = await _ahead(session, TeachingSession.instructor_id == member_id)
    if not ahead:
        return await _described(session, [])
    overrides = await _overrides(session, member_id, ahead)
    before = _week_with(await scheduling.hours_of(session, member_id), overrides)
    return await _described(session, _left_out(ahead, before, _week_with(windows, overrides)))


async def affected_by_override(
    session: AsyncSession, member_id: uuid.UUID, on_date: date, windows: Sequence[DayWindowInput] | None
) -> Affected:
    """Return the lessons of an instructor that would not fit this date then; None gives it its week back."""
    ahead = await _ahead(session, TeachingSession.instructor_id == member_id, *_around(on_date, on_date))
    if not ahead:
        return await _described(session, [])
    week = await scheduling.hours_of(session, member_id)
    overrides = await _overrides(session, member_id, ahead)
    changed = {day: there for day, there in overrides.items() if day != on_date}
    if windows is not None:
        changed[on_date] = windows
    return await _described(session, _left_out(ahead, _week_with(week, overrides), _week_with(week, changed)))


async def affected_by_time_off(
    session: AsyncSession, member_id: uuid.UUID, starts_at: datetime, ends_at: datetime
) -> Affected:
    """Return the lessons of an instructor that meet ``[starts_at, ends_at)``."""
    ahead = await _ahead(
        session,
        TeachingSession.instructor_id == member_id,
        TeachingSession.starts_at < ends_at,
        TeachingSession.ends_at > starts_at,
    )
    return await _described(session, ahead)


async def affected_by_closure(
    session: AsyncSession, closure: ClosureCreate, *, instead_of: ClosureCreate | None = None
) -> Affected:
    """Return the lessons on the days of a closure, but not those on the days of the one it takes the place of.

    Days are those of the venue's zone and, online, of the instructor's.
    """
    conditions = [] if closure.yearly else _around(closure.starts_on, closure.ends_on)
    if closure.location_id is not None:
        conditions.append(TeachingSession.location_id == closure.location_id)
    ahead = await _ahead(session, *conditions)
    found = [
        lesson
        for lesson in ahead
        if _closed(lesson, closure) and not (instead_of and _closed(lesson, instead_of))
    ]
    return await _described(session, found)


async def affected_by_opening_hours(
    session: AsyncSession, location_id: uuid.UUID, windows: Sequence[OpeningWindowInput]
) -> Affected:
    """Return the lessons at a location that fit its opening hours now and would not with this week."""
    ahead = await _ahead(session, TeachingSession.location_id == location_id)
    if not ahead:
        return await _described(session, [])
    before = _open(await scheduling.opening_hours_of(session, location_id))
    return await _described(session, _left_out(ahead, before, _open(windows), at_venue=True))


async def affected_by_archiving(session: AsyncSession, location_id: uuid.UUID) -> Affected:
    """Return the lessons ahead at a location."""
    return await _described(session, await _ahead(session, TeachingSession.location_id == location_id))


async def affected_by_expiry(
    session: AsyncSession, member_id: uuid.UUID, appointment_type_id: uuid.UUID, last_day: date | None
) -> Affected:
    """Return the lessons of a type an instructor would give after ``last_day`` of their qualification.

    The day is one of the school's zone; None: they are not qualified any more.
    """
    ahead = await _ahead(
        session,
        TeachingSession.instructor_id == member_id,
        TeachingSession.appointment_type_id == appointment_type_id,
    )
    if last_day is not None:
        zone = (await tenants.get_organization(session)).time_zone
        ahead = [lesson for lesson in ahead if _local_days(lesson, zone)[0] > last_day]
    return await _described(session, ahead)


async def beyond_qualifications(
    session: AsyncSession, member_id: uuid.UUID, until: Mapping[uuid.UUID, date | None]
) -> Affected:
    """Return the lessons an instructor would give without being qualified for them, in three queries at most.

    ``until`` holds what they are qualified for with the last days (None: no end), in the school's zone.
    """
    zone = (await tenants.get_organization(session)).time_zone
    lapsing = [
        and_(
            TeachingSession.appointment_type_id == type_id,
            TeachingSession.starts_at >= zones.to_datetime(zones.opening(zone, last_day.toordinal() + 1, 0)),
        )
        for type_id, last_day in until.items()
        if last_day is not None
    ]
    beyond = or_(TeachingSession.appointment_type_id.not_in(list(until)), *lapsing)
    return await _described(session, await _ahead(session, TeachingSession.instructor_id == member_id, beyond))


async def _ahead(session: AsyncSession, *conditions: Any) -> list[_Taught]:
    """Read the live sessions that are not over and match, by their start; one query."""
    statement = (
        select(
            TeachingSession.id,
            TeachingSession.starts_at,
            TeachingSession.ends_at,
            TeachingSession.location_id,
            Location.name,
            Location.time_zone,
            InstructorProfile.time_zone,
            AppointmentType.name,
            func.trim(_Instructor.given_name + " " + _Instructor.family_name),
        )
        .join(AppointmentType, _same(AppointmentType, TeachingSession.appointment_type_id))
        .join(_Instructor, _same(_Instructor, TeachingSession.instructor_id))
        .outerjoin(Location, _same(Location, TeachingSession.location_id))
        .outerjoin(
            InstructorProfile,
            and_(
                InstructorProfile.organization_id == TeachingSession.organization_id,
                InstructorProfile.member_id == TeachingSession.instructor_id,
            ),
        )
        .where(TeachingSession.cancelled_at.is_(None), TeachingSession.ends_at > clock.now(), *conditions)
        # A private lesson stands while its booking does; a class also while nobody has booked it.
        .where(
            or_(
                TeachingSession.scheduled_by_id.is_not(None),
                select(Booking.id).where(_of_session(), _standing()).exists(),
            )
        )
        .order_by(TeachingSession.starts_at, TeachingSession.id)
    )
    rows = (await session.execute(statement)).all()
    # Somebody without a profile has no zone of their own; the school's stands in.
    needed = any(venue is None and own is None for *_rest, venue, own, _type, _name in rows)
    school = (await tenants.get_organization(session)).time_zone if needed else "UTC"
    return [
        _Taught(id_, starts_at, ends_at, location_id, place, venue, own or school, type_, name)
        for id_, starts_at, ends_at, location_id, place, venue, own, type_, name in rows
    ]


def _same(entity: Any, column: Any) -> Any:
    return and_(entity.organization_id == TeachingSession.organization_id, entity.id == column)


def _of_session() -> Any:
    return and_(
        Booking.organization_id == TeachingSession.organization_id, Booking.session_id == TeachingSession.id
    )


def _standing() -> Any:
    # A hold lapses by itself within minutes.
    return and_(
        Booking.cancelled_at.is_(None), or_(Booking.held_until.is_(None), Booking.confirmed_at.is_not(None))
    )


async def _described(session: AsyncSession, taught: Sequence[_Taught]) -> Affected:
    """Describe the first of them, with their students' names: one query more, if there are any."""
    first = taught[:MOST_DESCRIBED]
    students: dict[uuid.UUID, list[str]] = {lesson.id: [] for lesson in first}
    if first:
        rows = await session.execute(
            select(Booking.session_id, func.trim(_Student.given_name + " " + _Student.family_name))
            .join(
                _Student,
                and_(_Student.organization_id == Booking.organization_id, _Student.id == Booking.student_id),
            )
            .where(Booking.session_id.in_(students), _standing())
            .order_by(_Student.given_name, _Student.family_name)
        )
        for session_id, name in rows:
            students[session_id].append(name or "—")
    return Affected(
        lessons=[
            AffectedLesson(
                session_id=lesson.id,
                starts_at=lesson.starts_at,
                ends_at=lesson.ends_at,
                time_zone=lesson.time_zone,
                appointment_type=lesson.appointment_type,
                instructor=lesson.instructor,
                location=lesson.place,
                students=students[lesson.id],
            )
            for lesson in first
        ],
        session_ids=[lesson.id for lesson in taught],
    )


def _around(first: date, last: date) -> list[Any]:
    """Return conditions that hold for whatever happens on these days in any zone of the world."""
    if not (date.min + _DAY < first <= last < date.max - _DAY):
        return []
    return [
        TeachingSession.ends_at > datetime.combine(first - _DAY, time.min, UTC),
        TeachingSession.starts_at < datetime.combine(last + 2 * _DAY, time.min, UTC),
    ]


def _local_days(lesson: _Taught, zone: str) -> tuple[date, date]:
    """Return the first and the last local date a lesson touches."""
    last_moment = max(zones.to_instant(lesson.ends_at) - 1, zones.to_instant(lesson.starts_at))
    return (
        date.fromordinal(zones.local_day(zone, zones.to_instant(lesson.starts_at))),
        date.fromordinal(zones.local_day(zone, last_moment)),
    )


def _closed(lesson: _Taught, closure: ClosureCreate) -> bool:
    if closure.location_id not in (None, lesson.location_id):
        return False
    first, last = _local_days(lesson, lesson.time_zone)
    found = scheduling.occurrences(
        closure.starts_on, closure.ends_on, yearly=closure.yearly, first=first, last=last
    )
    return next(iter(found), None) is not None


async def _overrides(
    session: AsyncSession, member_id: uuid.UUID, ahead: Sequence[_Taught]
) -> dict[date, Sequence[_AnyDayWindow]]:
    last = max(lesson.ends_at for lesson in ahead)
    found = await scheduling.exceptions_of_many(session, [member_id], from_=ahead[0].starts_at, until=last)
    return dict(found[member_id].overrides)


def _week_with(
    week: Iterable[WindowInput | WindowView], overrides: Mapping[date, Sequence[_AnyDayWindow]]
) -> _Windows:
    """Return the windows of any date: an override's, else those of its weekday."""
    by_weekday: dict[int, list[_AnyDayWindow]] = {}
    for window in week:
        there = _DayWindow(window.starts_minute, window.ends_minute, window.location_id)
        by_weekday.setdefault(window.weekday, []).append(there)

    def windows(day: date) -> Iterable[_AnyDayWindow]:
        return overrides[day] if day in overrides else by_weekday.get(day.isoweekday(), ())

    return windows


def _open(week: Collection[OpeningWindowInput | OpeningWindowView]) -> _Windows:
    if not week:
        return lambda _day: (_DayWindow(0, 1440),)
    return _week_with((WindowView(w.weekday, w.starts_minute, w.ends_minute, None) for w in week), {})


def _left_out(
    ahead: Iterable[_Taught], before: _Windows, after: _Windows, *, at_venue: bool = False
) -> list[_Taught]:
    """Return what fits ``before`` and not ``after``, in the venue's zone or the instructor's."""

    def zone_of(lesson: _Taught) -> str:
        return lesson.time_zone if at_venue else lesson.instructor_zone

    return [
        lesson
        for lesson in ahead
        if _fits(lesson, zone_of(lesson), before) and not _fits(lesson, zone_of(lesson), after)
    ]


def _fits(lesson: _Taught, zone: str, windows: _Windows) -> bool:
    """Say whether a lesson lies within windows of its local days, touching ones counted as one."""
    first, last = _local_days(lesson, zone)
    spans = sorted(
        (zones.opening(zone, day, window.starts_minute), zones.closing(zone, day, window.ends_minute))
        for day in range(first.toordinal(), last.toordinal() + 1)
        for window in windows(date.fromordinal(day))
        if window.location_id in (None, lesson.location_id)
    )
    reached = zones.to_instant(lesson.starts_at)
    for start, end in spans:
        if start > reached:
            break
        reached = max(reached, end)
    return reached >= zones.to_instant(lesson.ends_at)
