"""The slot engine: one set of rules that offers a time and accepts it.

Everything `offers` lists, `accepts` accepts; everything `accepts` refuses, `offers` does not list. Both ask the
same functions. Source of the rules: "Scheduling semantics" of the product description.

- Intervals are half-open. Instants outside are aware datetimes, answers are UTC; inside they are whole seconds.
- Hours are wall-clock minutes in the schedule's zone. The *taught* time lies within one window. Windows of one
  day and one location that touch or overlap count as one window; windows never join across midnight or
  between locations. An override replaces the windows of its date; a closure closes it whatever they say.
- Starts are anchored to the start of that joined window (12:00-13:00 with 13:00-14:00 and 45 minutes: 12:00 and
  12:45) and follow one another in elapsed time. Opening hours, time off and closures only take starts away.
- Daylight saving: an edge in a gap moves to the change; a window that meets a repeated hour spans both passes.
- Buffers, and the way to a student, keep lessons apart (gap at least the one's after plus the other's before).
  They may reach past the edges of a window, into time off, into a closed day: nobody needs a break from a
  closed door. A room is taken for as long as its instructor.
- The taught time meets no closed day of the place, no closed hour of the place, no time off.
- Minimum notice is elapsed time; horizon and term count whole local days of the schedule's zone, the last one
  included. A qualification is asked at the start of the lesson. For limits, a lesson counts in the local day
  and the ISO week of its start.
"""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from heapq import nsmallest
from uuid import UUID

from msgspec import UNSET, UnsetType

from coursecove.scheduling import zones
from coursecove.scheduling.candidates import (
    LocalHours,
    candidates,
    closures,
    grids,
    hours_of,
    location_order,
    shut,
    shut_hours,
)
from coursecove.scheduling.intervals import Interval, common, meets, union, without
from coursecove.scheduling.limits import Reach, full_periods, reasons_of_reach, students_full_periods
from coursecove.scheduling.rules import (
    Booked,
    Openings,
    Place,
    Places,
    Reason,
    Refusal,
    Room,
    Rules,
    Schedule,
    Seats,
    Slot,
)
from coursecove.scheduling.zones import DAY, MINUTE

_MIDNIGHT = 1440
_ALWAYS, _NEVER = -(1 << 62), 1 << 62
_ORDER = {reason: position for position, reason in enumerate(Reason)}
_NOWHERE = LocalHours(None, ((),) * 7, {})


def offers(
    rules: Rules,
    schedules: Iterable[Schedule],
    booked: Booked,
    *,
    places: Places | None = None,
    from_: datetime,
    until: datetime,
    now: datetime,
) -> list[Slot]:
    """Every bookable time that starts in [from_, until), by start, then instructor, then location.

    With `places`, hours at other locations do not count. ValueError for a datetime without a zone.
    """
    return slots(
        rules, offer_starts(rules, schedules, booked, places=places, from_=from_, until=until, now=now)
    )


def offer_starts(
    rules: Rules,
    schedules: Iterable[Schedule],
    booked: Booked,
    *,
    places: Places | None = None,
    from_: datetime,
    until: datetime,
    now: datetime,
) -> list[Openings]:
    """The answer of `offers` before an object is made per time: for long ranges and for `free_days`."""
    first, stop, now_at = zones.to_instant(from_), zones.to_instant(until), zones.to_instant(now)
    taught, before, after = rules.duration, rules.before, rules.duration + rules.after
    student = sorted(booked.student)
    farthest = now_at + (rules.horizon_days + 2) * DAY  # a whole local day more than any zone needs
    of_places = _PlacesOfOneQuestion(rules, booked, max(first, now_at), min(stop, farthest))
    found: list[Openings] = []
    for schedule in schedules:
        reach = Reach(rules, schedule.time_zone, now_at)
        earliest = max(first, now_at, reach.soonest, reach.term_from)
        latest = min(stop, reach.farthest, reach.term_until)
        if schedule.qualified_until is not None:
            latest = min(latest, schedule.qualified_until)
        if earliest >= latest:
            continue
        blocked = sorted(booked.instructors.get(schedule.instructor_id, ()))
        away = sorted([*student, *schedule.time_off]) if schedule.time_off else student
        full = full_periods(rules, schedule, booked)
        days = {
            "first": zones.utc_day(earliest) - 1,
            "last": zones.utc_day(latest) + 1,
        }  # differ by one at most
        for hours in hours_of(schedule):
            place = _place(places, hours.location_id)
            if place is UNSET:
                continue
            starts = candidates(rules, hours, schedule.time_zone, place, **days)
            starts = starts[bisect_left(starts, earliest) : bisect_left(starts, latest)]
            if place is not None:
                closed, roomless = of_places.ask(hours.location_id, place, schedule.time_zone)
                if closed and starts:
                    starts = without(starts, closed, before=0, after=taught)
                if roomless and starts:
                    starts = without(starts, roomless, before=0, after=1)
            for busy, kept_before, kept_after in ((full, 0, 1), (away, 0, taught), (blocked, before, after)):
                if busy and starts:
                    starts = without(starts, busy, before=kept_before, after=kept_after)
            if starts:
                found.append(Openings(schedule.instructor_id, hours.location_id, starts))
    return found


def accepts(
    rules: Rules,
    schedule: Schedule,
    booked: Booked,
    starts_at: datetime,
    *,
    places: Places | None = None,
    now: datetime,
    location_id: UUID | UnsetType | None = UNSET,
    passing: frozenset[Reason] = frozenset(),
) -> Slot | Refusal:
    """The slot that starts then, or every rule against it. ValueError for a datetime without a zone.

    `passing` names the rules that are not to stop it (`EXEMPT`, `OVERRIDABLE`); those that would have are
    named on the slot. Left unset, the location is the one with the fewest of them, and the lowest among those.
    Nothing lets a lesson start within a minute.
    """
    start = zones.to_instant(starts_at)
    whole = not starts_at.microsecond and start % MINUTE == 0
    if not whole:
        passing = passing - {Reason.NOT_ON_GRID}
    hours_at = {hours.location_id: hours for hours in hours_of(schedule)}
    locations = {location_id} if location_id is not UNSET else {None} if places is None else set(places)
    if location_id is UNSET and places is None and hours_at:
        locations = set(hours_at)
    broken = {
        at: _broken(
            rules,
            schedule,
            booked,
            hours_at.get(at, _NOWHERE),
            _place(places, at),
            start,
            zones.to_instant(now),
            whole,
        )
        for at in sorted(locations, key=location_order)
    }
    passable = [at for at, reasons in broken.items() if passing.issuperset(reasons)]
    if not passable:
        # Of several places, the one that came closest.
        return Refusal(
            max(broken.values(), key=lambda reasons: _ORDER[reasons[0]], default=(Reason.OUTSIDE_HOURS,))
        )
    at = min(passable, key=lambda at: len(broken[at]))
    [slot] = slots(rules, [Openings(schedule.instructor_id, at, (start,))])
    place = _place(places, at)
    return Slot(
        slot.starts_at,
        slot.ends_at,
        slot.blocked_from,
        slot.blocked_until,
        slot.instructor_id,
        slot.location_id,
        tuple(_free_rooms(rules, place, booked, start)) if isinstance(place, Place) else (),
        broken[at],
    )


def offer_seats(
    rules: Rules, classes: Iterable[Seats], booked: Booked, *, from_: datetime, until: datetime, now: datetime
) -> list[Seats]:
    """The classes on the calendar that start in [from_, until) and have a seat to book, by start.

    Notice, horizon, term, the student's other lessons and limits count as for any lesson; hours do not, because
    staff put the class there.
    """
    first, stop = zones.to_instant(from_), zones.to_instant(until)
    free = (
        seats
        for seats in classes
        if first <= seats.starts_at < stop
        and not isinstance(accepts_seat(rules, seats, booked, now=now), Refusal)
    )
    return sorted(free, key=lambda seats: (seats.starts_at, seats.instructor_id, seats.session_id))


def accepts_seat(
    rules: Rules, seats: Seats, booked: Booked, *, now: datetime, passing: frozenset[Reason] = frozenset()
) -> tuple[Reason, ...] | Refusal:
    """The rules that were passed for a seat of this class (mostly none), or every rule against it."""
    start, now_at = seats.starts_at, zones.to_instant(now)
    checks = [
        *reasons_of_reach(Reach(rules, seats.time_zone, now_at), start, now_at),
        (Reason.LIMIT_REACHED, meets(students_full_periods(rules, seats.time_zone, booked), start, start + 1)),
        (Reason.STUDENT_BUSY, meets(booked.student, start, seats.ends_at)),
        (Reason.FULL, seats.left <= 0),
    ]
    reasons = tuple(reason for reason, is_broken in checks if is_broken)
    return reasons if passing.issuperset(reasons) else Refusal(reasons)


def slots(rules: Rules, openings: Iterable[Openings]) -> list[Slot]:
    """Openings as slots, sorted like `offers` (no location comes first); `rules` are those that found them."""
    groups = sorted(openings, key=lambda group: (group.instructor_id, *location_order(group.location_id)))
    before, taught = timedelta(seconds=rules.before), timedelta(seconds=rules.duration)
    blocked = taught + timedelta(seconds=rules.after)
    made = []
    for start, index in sorted((start, index) for index, group in enumerate(groups) for start in group.starts):
        at, group = zones.to_datetime(start), groups[index]
        made.append(Slot(at, at + taught, at - before, at + blocked, group.instructor_id, group.location_id))
    return made


def free_days(openings: Iterable[Openings], time_zone: str) -> set[date]:
    """The local days of the viewer's zone on which something starts."""
    days: set[int] = set()
    for group in openings:
        position = 0
        while position < len(group.starts):
            day = zones.local_day(time_zone, group.starts[position])
            days.add(day)
            position = bisect_left(group.starts, zones.closing(time_zone, day, _MIDNIGHT), position + 1)
    return {date.fromordinal(day) for day in days}


def nearest(found: Iterable[Slot], wanted: datetime, count: int, *, now: datetime) -> list[Slot]:
    """At most `count` slots still ahead, closest to the wanted start first; of two as close, the earlier.

    The same time with two instructors is two slots.
    """
    ahead = (slot for slot in found if slot.starts_at >= now)
    return nsmallest(count, ahead, key=lambda slot: (abs(slot.starts_at - wanted), slot.starts_at))


class _PlacesOfOneQuestion:
    """What the places take away, found once for all instructors."""

    def __init__(self, rules: Rules, booked: Booked, first: int, stop: int) -> None:
        self._rules, self._booked = rules, booked
        self._bounds = (first, stop + rules.duration)
        self._closed: dict[tuple[UUID | None, str | None], list[Interval]] = {}
        self._roomless: dict[UUID | None, list[Interval]] = {}

    def ask(
        self, location_id: UUID | None, place: Place, time_zone: str
    ) -> tuple[list[Interval], list[Interval]]:
        """When nothing may be taught at the place, and the starts for which no room would be free."""
        key = (location_id, time_zone if place.time_zone == time_zone else None)
        if key not in self._closed:
            self._closed[key] = shut(place, time_zone, *self._bounds) if place.closures or place.opens else []
        if location_id not in self._roomless:
            self._roomless[location_id] = _roomless(self._rules, place, self._booked) if place.rooms else []
        return self._closed[key], self._roomless[location_id]


def _place(places: Places | None, location_id: UUID | None) -> Place | UnsetType | None:
    """The place; None when places do not matter, UNSET when this one is not among those that do."""
    return None if places is None else places.get(location_id, UNSET)


def _broken(
    rules: Rules,
    schedule: Schedule,
    booked: Booked,
    hours: LocalHours,
    place: Place | UnsetType | None,
    start: int,
    now: int,
    whole: bool,
) -> tuple[Reason, ...]:
    """Every rule that a lesson from `start` on would break, in the order of `Reason`."""
    end, around = start + rules.duration, range(zones.utc_day(start) - 1, zones.utc_day(start) + 2)
    held = [
        grid
        for day in around
        for grid in grids(rules, hours, schedule.time_zone, day)
        if grid and grid.start <= start < grid.stop
    ]
    elsewhere = shut_by_day = hours_shut = roomless = False
    if isinstance(place, Place):
        near = (around[0], around[-1] + 1)
        shut_by_day = meets(closures(place, *near), start, end)
        hours_shut = meets(shut_hours(place, *near), start, end)
        roomless = bool(place.rooms) and not _free_rooms(rules, place, booked, start)
    elif place is UNSET:
        elsewhere = True
    until = schedule.qualified_until
    checks = [
        *reasons_of_reach(Reach(rules, schedule.time_zone, now), start, now),
        (Reason.NOT_QUALIFIED, until is not None and start >= until),
        (Reason.CLOSED, shut_by_day),
        (Reason.OUTSIDE_HOURS, elsewhere or not held),
        (Reason.LOCATION_CLOSED, hours_shut),
        (Reason.TIME_OFF, meets(schedule.time_off, start, end)),
        (Reason.NOT_ON_GRID, not whole or (bool(held) and not any(start in grid for grid in held))),
        (Reason.LIMIT_REACHED, meets(full_periods(rules, schedule, booked), start, start + 1)),
        # Buffers are the instructor's: a student may walk from one lesson straight into the next.
        (Reason.STUDENT_BUSY, meets(booked.student, start, end)),
        (
            Reason.TAKEN,
            meets(booked.instructors.get(schedule.instructor_id, ()), start - rules.before, end + rules.after),
        ),
        (Reason.NO_ROOM, roomless),
    ]
    return tuple(reason for reason, is_broken in checks if is_broken)


def _rooms_that_hold(rules: Rules, place: Place) -> list[Room]:
    """The rooms that are large enough, the best first: a small one, so that the large ones stay for classes."""
    return sorted(
        (room for room in place.rooms if room.capacity >= rules.people), key=lambda room: room.capacity
    )


def _free_rooms(rules: Rules, place: Place, booked: Booked, start: int) -> list[UUID]:
    begin, end = start - rules.before, start + rules.duration + rules.after
    return [
        room.id
        for room in _rooms_that_hold(rules, place)
        if not meets(booked.rooms.get(room.id, ()), begin, end)
    ]


def _roomless(rules: Rules, place: Place, booked: Booked) -> list[Interval]:
    """The starts for which every room that is large enough is taken."""
    taken: list[Interval] | None = None
    held = [booked.rooms.get(room.id, ()) for room in _rooms_that_hold(rules, place)]
    before, after = rules.before, rules.duration + rules.after - 1
    # The emptiest room first: often it ends the search.
    for busy in sorted(held, key=len):
        of_room = union([(begin - after, end + before) for begin, end in busy if begin < end])
        taken = of_room if taken is None else common(taken, of_room)
        if not taken:
            return []
    return [(_ALWAYS, _NEVER)] if taken is None else taken
