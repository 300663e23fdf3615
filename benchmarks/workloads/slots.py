"""The slot engine alone: pure computation, on the workload the peer was measured with."""

from __future__ import annotations

import random
import time
import uuid
from datetime import UTC, date, datetime, timedelta

from benchmarks.report import Claim, Report, median, spread
from benchmarks.world import ZONE
from coursecove.scheduling import slots
from coursecove.scheduling.rules import Booked, Closure, Hours, Place, Places, Room, Rules, Schedule, Window
from coursecove.scheduling.zones import to_instant

NOW = datetime(2026, 1, 5, 5, tzinfo=UTC)
# Published figures of Cal.com's slot engine (Node 20, pure computation, same week and same zone), measured on a
# machine of the same kind, two cores; not run again here.  Milliseconds by hosts, days, bookings per host.
PEER = {
    (1, 28, 0): 6.7, (1, 28, 100): 6.8, (1, 28, 1000): 10.1,
    (1, 365, 0): 96, (1, 365, 100): 98, (1, 365, 1000): 130,
    (20, 28, 0): 73, (20, 28, 100): 89, (20, 28, 1000): 185,
    (20, 365, 0): 1235, (20, 365, 100): 1140, (20, 365, 1000): 1859,
}  # fmt: skip
TARGETS = {(1, 28, 100): 0.1, (20, 365, 1000): 20.0}
_WEEK = tuple(
    Window(day, start, end) for day in range(1, 6) for start, end in ((540, 720), (780, 900), (915, 1020))
)


def question(
    hosts: int, days: int, bookings: int, *, every_rule: bool
) -> tuple[Rules, list[Schedule], Booked, Places | None]:
    """Return the peer's workload; with ``every_rule`` all that the product knows is switched on as well.

    Half-hour lessons with quarter-hour buffers and two hours' notice, New York.
    Every rule: limits per day and week, of the student too, a term, lapsing
    qualifications, overridden dates, time off, closures, opening hours, rooms,
    the student's own lessons.
    """
    dice = random.Random(hosts * 1_000_000 + days * 1_000 + bookings)
    first = to_instant(NOW)
    ids = [uuid.UUID(int=number + 1) for number in range(hosts)]

    def taken(count: int) -> list[tuple[int, int]]:
        starts = sorted(first + dice.randrange(days * 48) * 1800 for _ in range(count))
        return [(start - 900, start + 2700) for start in starts]

    busy = {id_: taken(bookings) for id_ in ids}
    if not every_rule:
        rules = Rules(30, 15, 15, minimum_notice_minutes=120, horizon_days=400)
        return rules, [Schedule(id_, ZONE, _WEEK) for id_ in ids], Booked(instructors=busy), None
    rules = Rules(
        30, 15, 15, minimum_notice_minutes=120, horizon_days=400, day_limit=12, week_limit=50, student_day_limit=3,
        student_week_limit=10, bookable_from=date(2026, 1, 1), bookable_until=date(2027, 3, 1),
    )  # fmt: skip
    place, rooms = uuid.UUID(int=9_000), [uuid.UUID(int=9_100 + number) for number in range(hosts + 1)]
    today = NOW.date()
    schedules = [
        Schedule(
            id_,
            ZONE,
            tuple(Window(w.weekday, w.starts_minute, w.ends_minute, place) for w in _WEEK),
            overrides={
                today + timedelta(days=offset): (Hours(600, 720, place),) if offset % 2 else ()
                for offset in range(9, days, 31)
            },
            time_off=[(first + day * 86400, first + day * 86400 + 7200) for day in range(6, days, 20)],
            qualified_until=to_instant(NOW) + 380 * 86400,
            day_limit=14,
            week_limit=60,
        )
        for id_ in ids
    ]
    booked = Booked(
        instructors=busy,
        rooms={rooms[number]: busy[id_] for number, id_ in enumerate(ids)},
        student=[(first + week * 604_800, first + week * 604_800 + 1800) for week in range(days // 7)],
        starts_of_type={id_: [begin + 900 for begin, _ in busy[id_]] for id_ in ids},
        starts_of_all_types={id_: [begin + 900 for begin, _ in busy[id_]] for id_ in ids},
        starts_of_student=[first + week * 604_800 for week in range(days // 7)],
    )
    places: Places = {
        place: Place(
            ZONE,
            opens=tuple(Window(day, 480, 1260) for day in range(1, 7)),
            closures=tuple(
                Closure(today + timedelta(days=offset), today + timedelta(days=offset + 1))
                for offset in range(20, days, 60)
            ),
            rooms=tuple(Room(room) for room in rooms),
        )
    }
    return rules, schedules, booked, places


def milliseconds(hosts: int, days: int, bookings: int, *, every_rule: bool, seconds: float) -> list[float]:
    """Return what the starts of a whole window take, in five batches; CPU time, as nothing here waits."""
    rules, schedules, booked, places = question(hosts, days, bookings, every_rule=every_rule)
    until = NOW + timedelta(days=days)

    def once() -> None:
        slots.offer_starts(rules, schedules, booked, places=places, from_=NOW, until=until, now=NOW)

    once()
    began = time.process_time()
    once()
    times = max(1, int(seconds / 5 / max(time.process_time() - began, 1e-6)))
    batches = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(times):
            once()
        batches.append((time.process_time() - began) * 1000 / times)
    return batches


def measure(report: Report, *, seconds: float, quick: bool) -> None:
    """Measure every size with every rule, and the peer's own rules beside it."""
    sizes = list(TARGETS) if quick else list(PEER)
    for size in sizes:
        hosts, days, bookings = size
        every = milliseconds(*size, every_rule=True, seconds=seconds / 2)
        plain = milliseconds(*size, every_rule=False, seconds=seconds / 4)
        ours, limit = median(every), TARGETS.get(size)
        people = "1 instructor" if hosts == 1 else f"{hosts} instructors"
        each = " each" if hosts > 1 and bookings else ""
        report.add(
            Claim(
                "slots",
                f"Slot engine, every rule: {people}, {days} days, {bookings:,} bookings{each}",
                PEER[size],
                ours,
                "ms",
                ratio=ours / PEER[size],
                target=f"≤ {limit:g} ms" if limit else "",
                reached=ours <= limit if limit else None,
                spread=spread(every),
                note=f"floor: Cal.com's published figure, not re-run; the peer's rules alone {median(plain):.3f} ms",
                details={"peer_rules_ms": median(plain), "times_faster": PEER[size] / ours},
            )
        )
