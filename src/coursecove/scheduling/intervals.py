"""Arithmetic on half-open intervals of whole seconds since 1970 UTC."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

Interval = tuple[int, int]
"""A half-open interval in whole seconds since 1970 UTC; an empty one blocks nothing."""


def without(starts: Sequence[int], busy: Iterable[Interval], *, before: int, after: int) -> Sequence[int]:
    """The starts whose [start - before, start + after) meets nothing busy; both sequences ascend."""
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


def meets(busy: Iterable[Interval], begin: int, end: int) -> bool:
    """Whether [begin, end) shares an instant with anything busy."""
    return any(max(begin, one) < min(end, other) for one, other in busy)


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants as ascending intervals that neither touch nor are empty."""
    joined: list[Interval] = []
    last_begin = last_end = 0
    for begin, end in sorted(intervals):
        if end <= begin:
            continue
        if joined and begin <= last_end:
            if end > last_end:
                last_end = end
                joined[-1] = (last_begin, end)
        else:
            last_begin, last_end = begin, end
            joined.append((begin, end))
    return joined


def common(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """The instants in both; each is a `union`."""
    shared: list[Interval] = []
    left = right = 0
    while left < len(one) and right < len(other):
        (begin, end), (begins, ends) = one[left], other[right]
        if begins > begin:
            begin = begins
        if ends < end:
            if begin < ends:
                shared.append((begin, ends))
            right += 1
        else:
            if begin < end:
                shared.append((begin, end))
            left += 1
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
