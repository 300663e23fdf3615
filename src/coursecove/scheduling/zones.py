"""Local wall-clock time and instants.

Inside the slot engine an instant is a whole number of seconds since 1970 in UTC, and a local day is a proleptic
ordinal (`date.toordinal`). Zones are IANA names; an unknown one raises `zoneinfo.ZoneInfoNotFoundError`.
"""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY = 86_400
MINUTE = 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_SECOND = timedelta(seconds=1)
_BLOCK_BITS = 7
_BLOCK_DAYS = 1 << _BLOCK_BITS


def to_instant(moment: datetime) -> int:
    """The first whole second at or after an aware datetime; raises ValueError for one without a zone."""
    if moment.tzinfo is None:
        msg = f"a moment needs a time zone, got {moment!r}"
        raise ValueError(msg)
    return -((_EPOCH - moment) // _SECOND)


def to_datetime(instant: int) -> datetime:
    """The instant as an aware UTC datetime."""
    return datetime.fromtimestamp(instant, UTC)


def utc_day(instant: int) -> int:
    """The ordinal of the UTC day; the local day of any zone is at most one away from it."""
    return instant // DAY + _EPOCH_ORDINAL


def local_day(time_zone: str, instant: int) -> int:
    """The ordinal of the day the zone's calendar shows at the instant."""
    return datetime.fromtimestamp(instant, ZoneInfo(time_zone)).toordinal()


@lru_cache(maxsize=4096)
def plain_week(time_zone: str, monday: int) -> int | None:
    """The instant of Monday's local midnight, or None when the clocks change before the next Monday.

    In a plain week every wall-clock minute is this instant plus elapsed minutes, which is what makes the engine
    fast: one look-up instead of one per edge of a window.
    """
    offsets = {_plain_offset(time_zone, day) for day in range(monday, monday + 7)}
    offset = offsets.pop()
    return None if offsets or offset is None else _wall(monday, 0) - offset


def opening(time_zone: str, day: int, minute: int) -> int:
    """The first instant at which the day's wall clock shows the minute (0..1440) or a later one.

    A minute skipped by the clocks opens at the change; a minute shown twice opens the first time.
    """
    offset = _plain_offset(time_zone, day)
    if offset is not None:
        return _wall(day, minute) - offset
    return _occurrence(ZoneInfo(time_zone), _wall(day, minute), fold=0)


def closing(time_zone: str, day: int, minute: int) -> int:
    """The instant after the last one at which the day's wall clock shows less than the minute (0..1440).

    A minute skipped by the clocks closes at the change; a minute shown twice closes the second time, except
    when the clocks go back exactly *to* it: nothing before it is shown again, so it closes the first time.
    """
    offset = _plain_offset(time_zone, day)
    if offset is not None:
        return _wall(day, minute) - offset
    # Asking for the second before gives that exception without naming it.
    return _occurrence(ZoneInfo(time_zone), _wall(day, minute) - 1, fold=1, skipped=-1) + 1


def _wall(day: int, minute: int) -> int:
    return (day - _EPOCH_ORDINAL) * DAY + minute * MINUTE


def _occurrence(zone: ZoneInfo, wall: int, *, fold: int, skipped: int = 0) -> int:
    """The instant of a wall-clock second; for one the clocks skip, the change itself plus `skipped` seconds."""
    shown = _EPOCH + timedelta(seconds=wall)
    offset = _seconds(shown.replace(tzinfo=zone, fold=fold))
    instant = wall - offset
    if _offset_at(zone, instant) == offset:
        return instant
    # PEP 495: in a gap fold 0 answers with the offset before the change and fold 1 with the one after it, so
    # that the change lies between the two instants they lead to.
    before = _seconds(shown.replace(tzinfo=zone, fold=0))
    after = _seconds(shown.replace(tzinfo=zone, fold=1))
    around = range(wall - after, wall - before + 1)
    return around[bisect_left(around, True, key=lambda at: _offset_at(zone, at) != before)] + skipped


def _offset_at(zone: ZoneInfo, instant: int) -> int:
    return _seconds(datetime.fromtimestamp(instant, zone))


def _seconds(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None, "every ZoneInfo knows its offset at every moment"
    return offset // _SECOND


def _plain_offset(time_zone: str, day: int) -> int | None:
    """The UTC offset in seconds from one midnight to the next, both included, or None when it changes."""
    return _plain_offsets(time_zone, day >> _BLOCK_BITS)[day & _BLOCK_DAYS - 1]


@lru_cache(maxsize=1024)
def _plain_offsets(time_zone: str, block: int) -> tuple[int | None, ...]:
    zone = ZoneInfo(time_zone)
    first = _EPOCH + timedelta(days=(block << _BLOCK_BITS) - _EPOCH_ORDINAL)
    midnights = [first + timedelta(days=index) for index in range(_BLOCK_DAYS + 1)]
    shown = [{_seconds(at.replace(tzinfo=zone, fold=fold)) for fold in (0, 1)} for at in midnights]
    both = [start | end for start, end in pairwise(shown)]
    return tuple(offsets.pop() if len(offsets) == 1 else None for offsets in both)
