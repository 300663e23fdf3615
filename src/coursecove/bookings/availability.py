"""The times a student may choose.

The same engine and the same reads as `acceptance` uses to accept a time, so that
everything offered is bookable.  What changes in between is another person's
booking, and that is answered with alternatives.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.acceptance import Acceptance
from coursecove.bookings.offering import first_of_each, horizon_days, offered, offered_by, question_of
from coursecove.bookings.prospectus import Prospectus, Stale, is_current, prospectus_of
from coursecove.bookings.schemas import Alternative, SlotView
from coursecove.bookings.timetable import Question
from coursecove.errors import Invalid
from coursecove.i18n import _
from coursecove.scheduling import slots, zones

ALTERNATIVES = 5

# How far around a lost time to look for others: near first, then the month ahead.
_NEARBY = ((timedelta(days=3), timedelta(days=7)), (timedelta(days=7), timedelta(days=35)))


async def available_slots(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    travel_minutes: int | None = None,
    from_: datetime,
    until: datetime,
    student_id: uuid.UUID | None = None,
    exempt: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
) -> list[SlotView]:
    """Return every bookable time that starts in ``[from_, until)``, by start and place.

    Both bounds are aware.  With ``student_id`` the times of that student's own
    lessons are left out.  An instructor who is not qualified, or a location the
    type is not taught at, simply has no times.  ``exempt`` leaves out notice and
    horizon, as staff may; ``ignoring_session_id`` is the lesson to be moved.
    ``travel_minutes`` is the way to the student (None: the school's default).
    Raises Invalid for a duration the type does not have, except to staff and for
    a lesson that has it already.
    """
    question = question_of(
        type,
        instructor_id=instructor_id,
        location_id=location_id,
        duration_minutes=duration_minutes,
        travel_minutes=travel_minutes,
        student_id=student_id,
        exempt=exempt,
        ignoring_session_id=ignoring_session_id,
    )
    [found] = await offered(session, [question], from_, until)
    return found.views()


async def visitors_slots(
    session: AsyncSession,
    type_id: uuid.UUID,
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    from_: datetime,
    until: datetime,
) -> list[SlotView] | None:
    """Return what :func:`available_slots` offers visitors of a published type, from the school's prospectus.

    None where nothing can be said without reading everything, as of a type that is not offered.
    """
    for _attempt in range(2):
        prospectus = await prospectus_of(session)
        if prospectus is None:
            return None
        if type_id not in prospectus.types:
            if await is_current(session, prospectus):
                return None
            continue
        try:
            question = question_of(
                prospectus.types[type_id],
                instructor_id=instructor_id,
                location_id=location_id,
                duration_minutes=duration_minutes,
            )
            found = await offered_by(session, prospectus, [question], from_, until)
            return found[0].views() if found else None
        except Invalid:
            return None
        except Stale:
            continue
    return None


async def next_free_for_visitors(
    session: AsyncSession,
    prospectus: Prospectus,
    types: Sequence[AppointmentTypeView],
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
) -> dict[uuid.UUID, SlotView | None]:
    """Return what :func:`next_free_many` says of these types of a prospectus, from now on.

    Raises :class:`~coursecove.bookings.prospectus.Stale` when the school has changed since.
    """
    questions = [
        Question(type=type, instructor_id=instructor_id, location_id=location_id)
        for type in types  # noqa: A001
    ]
    found = await first_of_each(session, questions, clock.now(), prospectus=prospectus)
    return {question.type.id: view for question, view in zip(questions, found, strict=True)}


async def free_days(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    travel_minutes: int | None = None,
    month: date,
    zone: str,
    student_id: uuid.UUID | None = None,
    exempt: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
) -> set[date]:
    """Return the days of ``month`` (any day of it), as ``zone`` counts days, on which something is free.

    The rest is as for :func:`available_slots`; raises Invalid for a zone that does not exist.
    """
    question = question_of(
        type,
        instructor_id=instructor_id,
        location_id=location_id,
        duration_minutes=duration_minutes,
        travel_minutes=travel_minutes,
        student_id=student_id,
        exempt=exempt,
        ignoring_session_id=ignoring_session_id,
    )
    try:
        first = zones.to_datetime(zones.opening(zone, month.replace(day=1).toordinal(), 0))
        next_month = (month.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = zones.to_datetime(zones.opening(zone, next_month.toordinal(), 0))
    except ZoneInfoNotFoundError as error:
        raise Invalid(fields={"zone": _("Choose a time zone such as Europe/Berlin.")}) from error
    except (OverflowError, ValueError):
        return set()  # the first and the last month a calendar of ours can name
    [found] = await offered(session, [question], first, end)
    return found.days(zone)


async def next_free(
    session: AsyncSession,
    type: AppointmentTypeView,  # noqa: A002 - the word for it
    *,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    duration_minutes: int | None = None,
    travel_minutes: int | None = None,
    after: datetime,
    student_id: uuid.UUID | None = None,
    exempt: bool = False,
    ignoring_session_id: uuid.UUID | None = None,
) -> SlotView | None:
    """Return the first bookable time that starts at ``after`` or later; None within the whole horizon.

    The rest is as for :func:`available_slots`.
    """
    question = question_of(
        type,
        instructor_id=instructor_id,
        location_id=location_id,
        duration_minutes=duration_minutes,
        travel_minutes=travel_minutes,
        student_id=student_id,
        exempt=exempt,
        ignoring_session_id=ignoring_session_id,
    )
    return (await first_of_each(session, [question], after))[0]


async def next_free_many(
    session: AsyncSession,
    types: Sequence[AppointmentTypeView],
    *,
    after: datetime,
    student_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    ignoring_session_ids: frozenset[uuid.UUID] = frozenset(),
) -> dict[uuid.UUID, SlotView | None]:
    """Return the first bookable time of each type, by the type's id.

    The number of queries depends neither on the types nor on who teaches them.
    ``ignoring_session_ids`` are in nobody's way: what is kept for the reader.
    """
    questions = [
        Question(
            type=type,
            student_id=student_id,
            instructor_id=instructor_id,
            location_id=location_id,
            ignoring_session_ids=ignoring_session_ids,
        )
        for type in types  # noqa: A001
    ]
    found = await first_of_each(session, questions, after)
    return {question.type.id: view for question, view in zip(questions, found, strict=True)}


async def alternatives(
    session: AsyncSession, acceptance: Acceptance, *, prospectus: Prospectus | None = None
) -> list[Alternative]:
    """Return up to five free times nearest to the one that was refused, each with one instructor.

    Read afresh, with the same wishes: instructor, place, length, and for whom.  With the
    ``prospectus`` that the refusal came from only what is booked; raises Stale when it
    is not current any more.
    """
    question, now = acceptance.question, clock.now()
    latest = now + timedelta(days=horizon_days(question))
    wanted = min(max(acceptance.starts_at, now), latest)
    for before, after in _NEARBY:
        from_, until = wanted - before, wanted + after
        answers = await offered_by(session, prospectus, [question], from_, until) if prospectus else None
        [found] = answers or await offered(session, [question], from_, until)
        # The same time with another instructor is no other time, so one slot per start is kept.
        distinct = {slot.starts_at: slot for slot in reversed(found.slots())}
        near = slots.nearest(distinct.values(), wanted, ALTERNATIVES, now=now)
        if near:
            return [
                Alternative(
                    starts_at=slot.starts_at,
                    ends_at=slot.ends_at,
                    instructor=found.timetable.person(slot.instructor_id),
                    location=found.timetable.place(slot.location_id),
                )
                for slot in sorted(near, key=lambda slot: slot.starts_at)
            ]
    return []
