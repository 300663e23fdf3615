"""When somebody cannot teach: who else could, and giving the lessons away or cancelling them together."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.calendar import calendar
from coursecove.bookings.calendar_schemas import CalendarEntry, HandOver, HandOverResult, SubstituteLesson
from coursecove.bookings.cancellation import give_back
from coursecove.bookings.classes import end_class
from coursecove.bookings.errors import CannotHandOver
from coursecove.bookings.expiry import let_go
from coursecove.bookings.facts import track_booking
from coursecove.bookings.locks import lock_resources
from coursecove.bookings.moving import refusing_constraint
from coursecove.bookings.rows import lock_seats, lock_sessions
from coursecove.bookings.schemas import PersonSummary
from coursecove.bookings.texts import checked_text
from coursecove.bookings.timetable import LONGEST_BUFFER, LONGEST_LESSON
from coursecove.bookings.views import is_staff_of
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.events import track
from coursecove.formatting import local
from coursecove.i18n import _
from coursecove.scheduling import service as scheduling
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView

_BUSY = text("""
select instructor_id, id, blocked_from, blocked_until from sessions
where instructor_id = any(:instructor_ids) and starts_at >= :earliest and starts_at < :latest
  and blocked_until > :from_ and cancelled_at is null
""")
_INSTRUCTORS = text("select distinct instructor_id from sessions where id = any(:session_ids)")
_SPANS = text("select blocked_from, blocked_until from sessions where id = any(:session_ids)")
_GIVE_AWAY = text("update sessions set instructor_id = :instructor_id where id = :session_id")
_TELL = text("update bookings set revision = revision + 1 where id = any(:booking_ids)")


async def substitutes(
    session: AsyncSession, member_id: uuid.UUID, *, from_: datetime, until: datetime, by: Member
) -> list[SubstituteLesson]:
    """Return somebody's lessons that start in ``[from_, until)`` and have not begun, with who could give them.

    Colleagues are qualified on that day, have no lesson in the way (buffers
    included) and no time off, and are not the lesson's own student; by name.
    Constant queries however many lessons and colleagues.  For the instructor
    and for admins; raises Forbidden.
    """
    _check_may(by, member_id)
    now = clock.now()
    entries = [
        entry
        for entry in await calendar(session, viewer=by, from_=from_, until=until, instructor_id=member_id)
        if entry.starts_at >= max(from_, now)
    ]
    if not entries:
        return []
    types = {type_.id: type_ for type_ in await _all_types(session)}
    candidates = {id_ for entry in entries for id_ in types[entry.appointment_type.id].instructor_ids}
    candidates.discard(member_id)
    people = await tenants.instructors_by_id(session, candidates)
    blocked = await _blocked(session, people, entries)
    return [
        SubstituteLesson(
            entry,
            [
                PersonSummary(person.id, person.name, person.image_url)
                for person in sorted(people.values(), key=lambda person: (person.name, person.id))
                if person.id in _qualified(types[entry.appointment_type.id], entry.starts_at, person.time_zone)
                and person.id not in {seat.student.id for seat in entry.seats}
                and not any(
                    start < entry.blocked_until and end > entry.blocked_from
                    for start, end in blocked.get(person.id, ())
                )
            ],
        )
        for entry in entries
    ]


async def hand_over(session: AsyncSession, data: HandOver, *, by: Member) -> HandOverResult:
    """Give lessons to colleagues, or cancel those without one: all of it, or nothing of it.

    Each student is told once, with ``message``; whoever takes a lesson over is
    told too.  Instructors give away their own lessons, admins anybody's.

    Raises :class:`CannotHandOver` at ``lessons.<number>`` for every lesson whose
    colleague is not qualified or not free any more, Forbidden, NotFound for a
    lesson that is not for ``by`` to see, and Invalid at the field.
    """
    message = checked_text(data.message, field="message", longest=500) or None
    wanted = {choice.session_id: choice.instructor_id for choice in data.lessons}
    if len(wanted) < len(data.lessons):
        raise Invalid(fields={"lessons": _("Decide about each lesson once.")})
    chosen = {id_ for id_ in wanted.values() if id_}
    people = await tenants.instructors_by_id(session, chosen)
    if len(people) < len(chosen):
        raise Invalid(fields={"lessons": _("Choose colleagues who teach at this school.")})
    types = {type_.id: type_ for type_ in await _all_types(session)}
    # Givers and takers together, so that two who give each other lessons do not wait in a circle.
    await lock_resources(session, members={*chosen, *await _instructors(session, wanted)})
    spans = (await session.execute(_SPANS, {"session_ids": list(wanted)})).all()
    await let_go(session, [(start, end) for start, end in spans])
    taught = await lock_sessions(session, list(wanted))
    _check_theirs(taught, wanted, by=by)
    seats: dict[uuid.UUID, list[Row[Any]]] = {}
    for seat in await lock_seats(session, list(wanted)):
        seats.setdefault(seat.session_id, []).append(seat)
    problems: dict[uuid.UUID, str] = {}
    cancelled = 0
    async with session.begin_nested() as attempt:
        for session_id, row in sorted(taught.items()):
            instructor_id = wanted[session_id]
            theirs = seats.get(session_id, [])
            if instructor_id is None:
                await _cancel(session, row, theirs, message=message, by=by)
                cancelled += 1
                continue
            problem = _problem(types[row.appointment_type_id], row, people[instructor_id], theirs)
            if problem is None:
                problem = await _give(session, row, theirs, instructor_id, message=message, by=by)
            if problem is not None:
                problems[session_id] = problem
        if problems:
            await attempt.rollback()
    if problems:
        raise CannotHandOver(
            _("Nothing was changed. Look at the marked lessons and decide again."),
            fields={
                f"lessons.{number}": problems[choice.session_id]
                for number, choice in enumerate(data.lessons)
                if choice.session_id in problems
            },
        )
    return HandOverResult(handed_over=len(wanted) - cancelled, cancelled=cancelled)


def _problem(
    type_: AppointmentTypeView, row: Row[Any], person: InstructorView, seats: Sequence[Row[Any]]
) -> str | None:
    """Return why somebody cannot give a lesson, whatever else they have to do then; None when they can."""
    if person.id == row.instructor_id:
        return _("{name} gives this lesson already.").format(name=person.name)
    if person.id not in _qualified(type_, row.starts_at, person.time_zone):
        return _("{name} does not teach {type}.").format(name=person.name, type=type_.name)
    if any(seat.student_id == person.id for seat in seats):
        return _("{name} is the student of this lesson.").format(name=person.name)
    return None


async def _give(
    session: AsyncSession,
    row: Row[Any],
    seats: Sequence[Row[Any]],
    instructor_id: uuid.UUID,
    *,
    message: str | None,
    by: Member,
) -> str | None:
    """Write the new instructor; return why not when they have been booked in the meantime."""
    try:
        async with session.begin_nested():
            # The bookings first: an instructor may write them while the session is still theirs.
            await session.execute(_TELL, {"booking_ids": [seat.id for seat in seats]})
            await session.execute(_GIVE_AWAY, {"session_id": row.id, "instructor_id": instructor_id})
    except IntegrityError as error:
        refusing_constraint(error)
        return _("This colleague has another lesson then.")
    # Of a time that is only kept for a moment nobody has heard yet.
    for number, seat in enumerate(seat for seat in seats if seat.status != "held"):
        track_booking(
            session,
            "booking.reassigned",
            seat,
            instructor_id=instructor_id,
            revision=seat.revision + 1,
            by_id=by.id,
            former_instructor_id=str(row.instructor_id),
            instructor={"from": str(row.instructor_id), "to": str(instructor_id)},
            reason=message,
            in_class=row.scheduled_by_id is not None,
            pending=seat.confirmed_at is None,
            # Whoever takes over a class hears of it once.
            tell_instructor=number == 0,
        )
    track(
        session,
        "session.reassigned",
        subject_type="session",
        subject_id=row.id,
        actor_id=by.id,
        data={
            "appointment_type_id": str(row.appointment_type_id),
            "starts_at": row.starts_at.isoformat(),
            "ends_at": row.ends_at.isoformat(),
            "instructor_id": {"from": str(row.instructor_id), "to": str(instructor_id)},
            "seats": len(seats),
            "reason": message,
        },
    )
    return None


async def _cancel(
    session: AsyncSession, row: Row[Any], seats: Sequence[Row[Any]], *, message: str | None, by: Member
) -> None:
    if row.scheduled_by_id is not None:
        await end_class(session, row, reason=message, by=by)
        return
    for seat in seats:
        await give_back(session, row, seat, by_id=by.id, reason=message, rules_overridden=False)


def _check_may(by: Member, member_id: uuid.UUID) -> None:
    if not is_staff_of(by, member_id):
        raise Forbidden(_("This is for the instructor and for the school's admins."))


async def _all_types(session: AsyncSession) -> list[AppointmentTypeView]:
    return await appointments.list_types(session, include_unpublished=True, include_archived=True)


async def _instructors(session: AsyncSession, session_ids: Collection[uuid.UUID]) -> list[uuid.UUID]:
    return list(await session.scalars(_INSTRUCTORS, {"session_ids": list(session_ids)}))


def _check_theirs(taught: Mapping[uuid.UUID, Row[Any]], wanted: Collection[uuid.UUID], *, by: Member) -> None:
    now = clock.now()
    for session_id in wanted:
        row = taught.get(session_id)
        # Other people's lessons are answered like those that do not exist.
        if row is None or not is_staff_of(by, row.instructor_id):
            raise NotFound(_("There is no such lesson."))
        if row.cancelled_at is not None or now >= row.ends_at:
            raise Invalid(fields={"lessons": _("A lesson is over or was cancelled. Load the list again.")})


def _qualified(type_: AppointmentTypeView, starts_at: datetime, time_zone: str) -> list[uuid.UUID]:
    return type_.qualified_on(local(starts_at, time_zone).date())


async def _blocked(
    session: AsyncSession, people: Iterable[uuid.UUID], entries: list[CalendarEntry]
) -> dict[uuid.UUID, list[tuple[datetime, datetime]]]:
    """Read what is in each person's way: lessons with their buffers, and time off."""
    ids = list(people)
    from_ = min(entry.blocked_from for entry in entries)
    until = max(entry.blocked_until for entry in entries)
    values = {
        "instructor_ids": ids,
        "from_": from_,
        "earliest": from_ - LONGEST_LESSON - LONGEST_BUFFER,
        "latest": until + LONGEST_BUFFER,
    }
    found: dict[uuid.UUID, list[tuple[datetime, datetime]]] = {}
    for instructor_id, _id, start, end in await session.execute(_BUSY, values):
        found.setdefault(instructor_id, []).append((start, end))
    away = await scheduling.exceptions_of_many(
        session, ids, from_=from_ - timedelta(days=1), until=until + timedelta(days=1)
    )
    for member_id, exceptions in away.items():
        found.setdefault(member_id, []).extend((off.starts_at, off.ends_at) for off in exceptions.time_off)
    return found
