"""When clocks change somewhere and somebody's weekly lesson moves on theirs: found ahead, said once.

A lesson keeps its place on the clock it is planned on, the venue's or the one of
the instructor's hours.  Whoever reads another clock finds it at another time
from the day on which one of the two changes, and back again when the other
follows: Berlin and New York are an hour closer for some weeks each spring.

Pure computation; planning and telling are in :mod:`coursecove.notifications.clock_mail`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from coursecove.bookings.zoned_lessons import ZonedLesson

#: People are told so long before.
WARNED_AHEAD = timedelta(days=7)
#: A lesson moves for those who are used to another time: who had it at its place so recently.
HABIT = timedelta(days=35)
#: So far after the change lessons are named.
NAMED = timedelta(days=35)

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_NONE = timedelta(0)


class Shift(Struct, frozen=True):
    """A lesson that is at another time on a reader's clock than the ones before it."""

    lesson: ZonedLesson
    # How much later it is on that clock; earlier when negative.
    by: timedelta


def changes_between(zone: str, from_: datetime, until: datetime) -> list[datetime]:
    """Return the instants in ``(from_, until]`` at which the clocks of a zone change, in UTC."""
    found = []
    first = from_.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range((until - first) // _DAY + 1):
        day = first + number * _DAY
        change = _change_on(zone, day)
        if change is not None and from_ < change <= until:
            found.append(change)
    return found


@lru_cache(maxsize=50_000)
def _change_on(zone: str, day: datetime) -> datetime | None:
    """Return the first instant of a UTC day that shows another offset than the one before it."""
    before, after = day - _SECOND, day + _DAY - _SECOND
    if _offset(zone, before) == _offset(zone, after):
        return None
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after


def apart(reader: str, schedule: str, at: datetime) -> timedelta:
    """Return how far a reader's clock is ahead of the one a lesson is planned on."""
    return _offset(reader, at) - _offset(schedule, at)


def moved_by(reader: str, schedule: str, change_at: datetime) -> timedelta:
    """Return how much later everything planned on ``schedule`` is for a reader from the change on."""
    return apart(reader, schedule, change_at) - apart(reader, schedule, change_at - _SECOND)


def shifts(lessons: Sequence[ZonedLesson], reader: str, change_at: datetime) -> list[Shift]:
    """Return which of somebody's lessons move on their clock at a change, by start.

    A lesson does when the same one was at the same time of its own clock, on the
    same weekday, within the weeks before: otherwise nobody is used to anything.
    Those that another change brings back are not named.
    """
    used_to = {_place(lesson) for lesson in lessons if change_at - HABIT <= lesson.starts_at < change_at}
    found = []
    for lesson in lessons:
        if not change_at <= lesson.starts_at < change_at + NAMED or _place(lesson) not in used_to:
            continue
        by = moved_by(reader, lesson.time_zone, change_at)
        held = apart(reader, lesson.time_zone, lesson.starts_at) == apart(reader, lesson.time_zone, change_at)
        if by != _NONE and held:
            found.append(Shift(lesson, by))
    return found


def back_at(reader: str, schedule: str, change_at: datetime) -> datetime | None:
    """Return when lessons are at their old time again, if another change brings them back within weeks."""
    until = change_at + NAMED
    changes = {
        *changes_between(reader, change_at, until),
        *changes_between(schedule, change_at, until),
    }
    usual = apart(reader, schedule, change_at - _SECOND)
    return next((at for at in sorted(changes) if apart(reader, schedule, at) == usual), None)


def changes_for(
    lessons: Iterable[ZonedLesson], reader: str, *, from_: datetime, until: datetime
) -> list[datetime]:
    """Return when any of the clocks somebody's lessons depend on change."""
    zones = {reader, *(lesson.time_zone for lesson in lessons)}
    return sorted({change for zone in zones for change in changes_between(zone, from_, until)})


def last_move_before(reader: str, schedule: str, *, now: datetime, starts_at: datetime) -> datetime | None:
    """Return the last change before a lesson that moves it on a reader's clock, as seen from now; None: none.

    What two changes on the way undo again is none.
    """
    if apart(reader, schedule, now) == apart(reader, schedule, starts_at):
        return None
    changes = {
        *changes_between(reader, now, starts_at),
        *changes_between(schedule, now, starts_at),
    }
    return max((at for at in changes if moved_by(reader, schedule, at) != _NONE), default=None)


def changed_zones(zones: Iterable[str], change_at: datetime) -> list[str]:
    """Return those of several zones whose clocks change at an instant, by name."""
    return sorted({zone for zone in zones if _offset(zone, change_at) != _offset(zone, change_at - _SECOND)})


def _place(lesson: ZonedLesson) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID, int, int]:
    here = lesson.starts_at.astimezone(ZoneInfo(lesson.time_zone))
    minute = here.hour * 60 + here.minute
    return lesson.student_id, lesson.instructor_id, lesson.appointment_type_id, here.isoweekday(), minute


def _offset(zone: str, at: datetime) -> timedelta:
    return at.astimezone(ZoneInfo(zone)).utcoffset() or _NONE
