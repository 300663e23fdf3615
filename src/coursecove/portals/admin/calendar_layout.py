"""Where things stand in a calendar's column: minutes of a local day, side by side where they overlap.

Pure geometry.  A span is ``(from, until)`` in minutes of a day's wall clock,
half-open; the page writes them into the markup and the stylesheet turns them
into places, because nothing here may carry a style of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from coursecove.formatting import local

Span = tuple[int, int]
MIDNIGHT = 1440
# A calendar shows at least these hours, and more where something is earlier or later.
_EARLIEST, _LATEST = 9, 18


@dataclass(frozen=True, slots=True)
class Lane:
    """One of several columns that overlapping things share."""

    number: int
    of: int


def span_on(day: date, starts_at: datetime, ends_at: datetime, zone: str) -> Span | None:
    """Return which minutes of ``day`` in ``zone`` something takes; None when it is on other days.

    What goes on past midnight ends with the day.  In an hour that the clocks
    repeat both passes stand in the same place; what would have no length there
    gets a minute.
    """
    start, end = local(starts_at, zone), local(ends_at, zone)
    if start.date() > day or end.date() < day or starts_at >= ends_at:
        return None
    first = 0 if start.date() < day else start.hour * 60 + start.minute
    last = MIDNIGHT if end.date() > day else end.hour * 60 + end.minute + bool(end.second)
    if end.date() == day and last == 0:
        return None
    return (first, last) if last > first else (min(first, MIDNIGHT - 1), min(first, MIDNIGHT - 1) + 1)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as spans that neither overlap nor touch, in order."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return joined


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """Return what is left of ``spans`` outside ``holes``."""
    taken = merged(holes)
    left: list[Span] = []
    for start, end in merged(spans):
        for hole_start, hole_end in taken:
            if hole_end <= start or hole_start >= end:
                continue
            if hole_start > start:
                left.append((start, hole_start))
            start = max(start, hole_end)
        if start < end:
            left.append((start, end))
    return left


def minutes_in(spans: Iterable[Span]) -> int:
    """Return how long spans are together."""
    return sum(end - start for start, end in spans)


def side_by_side(spans: Sequence[Span]) -> list[Lane]:
    """Return a lane for each span, in their order: overlapping ones never share one.

    Things that hang together by overlaps get lanes of the same width.
    """
    order = sorted(range(len(spans)), key=lambda index: (spans[index][0], -spans[index][1], index))
    numbers = [0] * len(spans)
    widths = [1] * len(spans)
    group: list[int] = []
    ends: list[int] = []
    for index in order:
        start, end = spans[index]
        if group and start >= max(ends):
            _widen(group, widths, len(ends))
            group, ends = [], []
        free = next((lane for lane, taken_until in enumerate(ends) if taken_until <= start), len(ends))
        ends[free:] = [end, *ends[free + 1 :]]
        numbers[index] = free
        group.append(index)
    _widen(group, widths, len(ends))
    return [Lane(number, of) for number, of in zip(numbers, widths, strict=True)]


def _widen(group: Sequence[int], widths: list[int], lanes: int) -> None:
    for index in group:
        widths[index] = lanes


def hours_shown(spans: Iterable[Span]) -> tuple[int, int]:
    """Return the first and the last full hour a calendar needs to show all of ``spans``."""
    first, last = _EARLIEST, _LATEST
    for start, end in spans:
        first, last = min(first, start // 60), max(last, -(-end // 60))
    return first, last
