"""Windows of a local day: what makes them wrong, in words that name them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby, pairwise
from typing import Protocol, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import i18n
from coursecove.db.session import organization_of
from coursecove.errors import Invalid
from coursecove.i18n import _

MOST_WINDOWS_A_DAY = 12
MIDNIGHT = 1440
#: The names of weekdays in problems' ``fields``, Monday first; the same in every language.
WEEKDAY_KEYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Timed(Protocol):
    """Anything from one minute of a day to another."""

    starts_minute: int
    ends_minute: int


AnyWindow = TypeVar("AnyWindow", bound=Timed)


def clock_time(minute: int) -> str:
    """Return a minute of the day as people write it, ``09:00``; 1440 is ``24:00``."""
    return f"{minute // 60:02}:{minute % 60:02}"


def weekday_name(weekday: int) -> str:
    """Return the name of an ISO weekday in the language spoken right now: "Monday"."""
    return str(i18n.locale().days["format"]["wide"][weekday - 1])


def in_order(windows: Iterable[AnyWindow]) -> list[AnyWindow]:
    """Return the windows of a day by their start."""
    return sorted(windows, key=lambda w: (w.starts_minute, w.ends_minute))


def problem_of_a_day(windows: Sequence[Timed], locations: Collection[uuid.UUID] | None = None) -> str | None:
    """Return what is wrong with the windows of one day, given in order; None when nothing is.

    ``locations`` are those a window may name; None where windows have no location.
    """
    for window in windows:
        if not (0 <= window.starts_minute < MIDNIGHT and 0 < window.ends_minute <= MIDNIGHT):
            return _("times run from 00:00 to 24:00.")
        if window.ends_minute <= window.starts_minute:
            return _("{window} ends before it starts.").format(window=_span(window))
        location_id = getattr(window, "location_id", None)
        if locations is not None and location_id and location_id not in locations:
            return _("choose one of the school's locations for {window}.").format(window=_span(window))
    if len(windows) > MOST_WINDOWS_A_DAY:
        return _("enter at most {most} windows, not {number}.").format(
            most=MOST_WINDOWS_A_DAY, number=len(windows)
        )
    for one, next_ in pairwise(windows):
        if next_.starts_minute < one.ends_minute:
            return _("{one} and {other} overlap.").format(one=_span(one), other=_span(next_))
    return None


def _span(window: Timed) -> str:
    return f"{clock_time(window.starts_minute)}–{clock_time(window.ends_minute)}"


async def one_at_a_time(session: AsyncSession, key: object) -> None:
    """Let saves of the same hours wait for one another.

    Each inserts windows, and two at once would meet in the exclusion
    constraint; the later save shall simply win.
    """
    await session.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"),
        {"key": f"scheduling.hours:{organization_of(session)}:{key}"},
    )


class _OfAWeek(Timed, Protocol):
    weekday: int


WeekWindow = TypeVar("WeekWindow", bound=_OfAWeek)


def check_week(
    windows: Sequence[WeekWindow], locations: Collection[uuid.UUID] | None = None
) -> list[WeekWindow]:
    """Return the windows of a week in order; raises ``Invalid`` with a sentence for every day that is wrong."""
    if any(not 1 <= w.weekday <= 7 for w in windows):
        raise Invalid(fields={"windows": _("A weekday is a number from 1 (Monday) to 7 (Sunday).")})
    ordered = sorted(windows, key=lambda w: (w.weekday, w.starts_minute, w.ends_minute))
    problems: dict[str, str] = {}
    for weekday, group in groupby(ordered, key=lambda w: w.weekday):
        problem = problem_of_a_day(list(group), locations)
        if problem:
            problems[WEEKDAY_KEYS[weekday - 1]] = f"{weekday_name(weekday)}: {problem}"
    if problems:
        raise Invalid(fields=problems)
    return ordered
