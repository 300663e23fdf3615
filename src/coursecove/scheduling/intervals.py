"""Arithmetic on half-open intervals of whole seconds since 1970 UTC."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

Interval = tuple[int, int]
"""A half-open interval in whole seconds since 1970 UTC; an empty one blocks nothing."""

_NEVER: Interval = (1 << 62, 1 << 62)


def without(starts: Sequence[int], busy: Sequence[Interval], *, before: int, after: int) -> Sequence[int]:
    """The starts whose [start - before, start + after) meets nothing busy; both sequences ascend."""
    # Few intervals are found among many starts by bisection; many are walked along.
    if len(busy) * 4 > len(starts):
        return _walked(starts, busy, before=before, after=after)
    free: list[int] = []
    position, count = 0, len(starts)
    for begin, end in busy:
        if end <= begin:
            continue
        hit = bisect_right(starts, begin - after, position)
        if hit > position:
            free += starts[position:hit]
        if hit == count:
            return free
        position = bisect_left(starts, end + before, hit)
    free += starts[position:]
    return free


def _walked(starts: Sequence[int], busy: Sequence[Interval], *, before: int, after: int) -> list[int]:
    free: list[int] = []
    ahead = iter([(begin - after, end + before) for begin, end in busy if begin < end])
    begin, end = next(ahead, _NEVER)
    for start in starts:
        while end <= start:
            begin, end = next(ahead, _NEVER)
        # Whatever comes later begins later, and whatever came before has ended.
        if start <= begin:
            free.append(start)
    return free


def meets(busy: Iterable[Interval], begin: int, end: int) -> bool:
    """Whether [begin, end) shares an instant with anything busy."""
    return any(max(begin, one) < min(end, other) for one, other in busy)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants as ascending intervals that neither touch nor are empty."""
    joined: list[Interval] = []
    first = last = -_NEVER[0]
    for begin, end in sorted(intervals):
        if begin > last:
            if first < last:
                joined.append((first, last))
            first, last = begin, end
        elif end > last:
            last = end
    if first < last:
        joined.append((first, last))
    return joined


def common(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """The instants in both; each is a `union`."""
    if len(one) > len(other):
        one, other = other, one
    ends = [end for _, end in other]
    count, position = len(other), 0
    shared: list[Interval] = []
    for begin, end in one:
        position = bisect_right(ends, begin, position)
        reached = position
        while reached < count:
            begins, ends_at = other[reached]
            if begins >= end:
                break
            shared.append((begin if begin > begins else begins, end if end < ends_at else ends_at))
            reached += 1
    return shared


def between(intervals: Sequence[Interval], first: int, stop: int) -> list[Interval]:
    """What lies between the intervals of a `union`, from `first` to `stop`."""
    gaps: list[Interval] = []
    for begin, end in intervals:
        if first < begin:
            gaps.append((first, min(begin, stop)))
        first = max(first, end)
    if first < stop:
        gaps.append((first, stop))
    return gaps
