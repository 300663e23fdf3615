"""Everything over HTTP: each floor and our endpoint asked in turn, one process each, on loopback."""

from __future__ import annotations

import itertools
import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from svix.webhooks import Webhook

from benchmarks import world
from benchmarks.floors import FUNCTIONS
from benchmarks.house import BASE_DOMAIN, House, Load, request
from benchmarks.report import Claim, Report, against, median, spread
from benchmarks.world import School
from faults.house import quiet_port

CONNECTIONS = (1, 8, 32)
INSTRUCTORS, BOOKED = (1, 20), (0, 100, 1000)
AVAILABLE = {
    (people, booked): School(
        f"bench-{people}-{booked}", instructors=people, students=2 * people, bookings=booked
    )
    for people in INSTRUCTORS
    for booked in BOOKED
}
SOLO = AVAILABLE[1, 100]
# Where lessons are booked: everybody is free, and each instructor has students of their own.
STUDENTS_EACH = 20
OPEN = School("bench-open", instructors=20, students=20 * STUDENTS_EACH, buffer=0, rooms=0)
FLOOR = School("bench-floor", instructors=20, students=20 * STUDENTS_EACH, buffer=0, rooms=0)
RACES = 20
_RACERS = 50


@dataclass
class Sides:
    """Both servers and what asks them."""

    house: House
    load: Load
    port: int
    floor_port: int
    begins: datetime
    seconds: float
    rounds: int
    warm_up: float = 0.4
    _slots: dict[str, Iterator[tuple[int, datetime]]] = field(default_factory=dict)

    def ask(self, port: int, requests: list[bytes], connections: int, **more: Any) -> dict[str, Any]:
        """Ask one side once; raises when what comes back is not what was asked for."""
        expected = more.pop("expected", "200")
        found = self.load.ask(
            port, requests, connections=connections, seconds=self.seconds, warm_up=self.warm_up, **more
        )
        strange = {status for status in found["statuses"] if status != expected}
        if found["broken"] or strange:
            raise RuntimeError(f"expected {expected}, got {found['statuses']}, {found['broken']} broken")
        return found

    def take(self, school: School, count: int) -> list[tuple[int, datetime]]:
        """Return so many (instructor, start) of a school that nobody has been given yet."""
        if school.slug not in self._slots:
            self._slots[school.slug] = starts(school, self.begins)
        return list(itertools.islice(self._slots[school.slug], count))


@contextmanager
def sides(house: House, *, seconds: float, rounds: int) -> Iterator[Sides]:
    """Load the schools, serve the product and the floors, and start what asks."""
    begins = world.begins_at()
    with house.connect() as connection:
        world.load(connection, [*AVAILABLE.values(), OPEN, FLOOR], begins)
        connection.execute(FUNCTIONS)
    load, floor_port = Load(house.home), quiet_port()
    try:
        with house.serving() as port, house.running("benchmarks.floors", PORT=str(floor_port)) as floors:
            house.wait_until_ready(floors, floor_port, "/nothing")
            yield Sides(house, load, port, floor_port, begins, seconds, rounds)
    finally:
        load.close()


def host(school: School) -> str:
    """Return the host name of a school."""
    return f"{school.slug}.{BASE_DOMAIN}"


def starts(school: School, begins: datetime) -> Iterator[tuple[int, datetime]]:
    """Yield every start of a school where nothing is booked: each instructor in turn, day after day."""
    closed = (begins + timedelta(days=40)).date()
    for day in range(world.HORIZON - 10):
        on = (begins + timedelta(days=day)).date()
        if on.isoweekday() > 5 or on == closed:
            continue
        for start, end in world.WINDOWS:
            for minute in range(start, end - world.DURATION + 1, world.DURATION):
                local = datetime(
                    on.year, on.month, on.day, minute // 60, minute % 60, tzinfo=ZoneInfo(world.ZONE)
                )
                for instructor in range(school.instructors):
                    yield instructor, local.astimezone(UTC)


def availability(school: School, begins: datetime, days: int) -> bytes:
    """Return what asks for the free times of some days."""
    window = f"from={quote(begins.isoformat())}&until={quote((begins + timedelta(days=days)).isoformat())}"
    return request("GET", f"/api/v1/availability?appointment_type_id={school.type_id}&{window}", host(school))


def floor_availability(school: School, begins: datetime, days: int) -> bytes:
    """Return the same for the floor."""
    window = f"first={quote(begins.isoformat())}&last={quote((begins + timedelta(days=days)).isoformat())}"
    return request("GET", f"/availability/{school.id}/{school.instructor(0)}?{window}", "127.0.0.1")


def signed_in(side: Sides, school: School, role: str, number: int, path: str) -> bytes:
    """Return what a browser sends for a page of somebody who is signed in."""
    token = side.house.token(school.clerk_id(role, number), school.slug)
    return request("GET", path, host(school), cookie=f"__session={token}; __client_uat=1")


def in_turn(
    side: Sides,
    report: Report,
    part: str,
    what: str,
    *,
    floor: Callable[[], list[bytes]],
    ours: Callable[[], list[bytes]],
    connections: int,
    target: str,
    holds: Callable[[float], bool] | None,
    slowest_ms: float | None = None,
    even: float | None = None,
    **more: Any,
) -> None:
    """Ask floor, ours, floor, ours …, and report the medians; ``even`` is how many p50 the p99 may be."""
    of_floor, of_ours = [], []
    for _ in range(side.rounds):
        of_floor.append(side.ask(side.floor_port, floor(), connections, **more))
        of_ours.append(side.ask(side.port, ours(), connections, **more))
    p50, p99 = (median([run[name] for run in of_ours]) for name in ("p50_ms", "p99_ms"))
    floor_p99 = median([run["p99_ms"] for run in of_floor])
    claim = against(
        part,
        f"{what}, {connections} connection{'s' if connections > 1 else ''}",
        [run["per_second"] for run in of_floor],
        [run["per_second"] for run in of_ours],
        unit="/s",
        target=target,
        holds=holds,
        note=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; floor's p99 {floor_p99:.1f} ms",
        details={"ours": of_ours, "floor": of_floor},
    )
    if (slowest_ms is not None and p99 > slowest_ms) or (even is not None and p99 > even * p50):
        claim.reached = False
    report.add(claim)


def alone(
    side: Sides,
    report: Report,
    part: str,
    what: str,
    requests: list[bytes],
    connections: int,
    *,
    runs_each: int = 2,
) -> None:
    """Report a rate that has no floor."""
    runs = [side.ask(side.port, requests, connections) for _ in range(min(runs_each, side.rounds))]
    p50, p99 = (median([run[name] for run in runs]) for name in ("p50_ms", "p99_ms"))
    rates = [run["per_second"] for run in runs]
    report.add(
        Claim(
            part,
            f"{what}, {connections} connection{'s' if connections > 1 else ''}",
            None,
            median(rates),
            "/s",
            spread=spread(rates),
            note=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
            details={"ours": runs},
        )
    )


def _one(asked: bytes) -> list[bytes]:
    return [asked]


def measure_availability(side: Sides, report: Report, *, quick: bool) -> None:
    """Free times, against the bare reference for one instructor, then the whole grid."""
    _check_same_answer(side)
    for days, connections in itertools.product((1, 28), CONNECTIONS):
        in_turn(
            side,
            report,
            "availability",
            f"Free times over HTTP: 1 instructor, {days} day{'s' if days > 1 else ''}, 100 bookings",
            floor=partial(_one, floor_availability(SOLO, side.begins, days)),
            ours=partial(_one, availability(SOLO, side.begins, days)),
            connections=connections,
            target="≥ 50 %; p99 ≤ 3 × p50",
            holds=lambda ratio: ratio >= 0.5,
            even=3,
        )
    if quick:
        return
    for (people, booked), days in itertools.product(AVAILABLE, (1, 28, 62)):
        who = "1 instructor" if people == 1 else f"{people} instructors"
        what = f"Free times: {who}, {days} day{'s' if days > 1 else ''}, {booked:,} bookings each"
        asked = [availability(AVAILABLE[people, booked], side.begins, days)]
        alone(side, report, "availability", what, asked, 8, runs_each=1)


def _check_same_answer(side: Sides) -> None:
    """Raise unless floor and ours offer the same times: a floor that does another job is none."""

    def answered(port: int, asked: bytes) -> list[str]:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(asked.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\n", 1))
            stream = connection.makefile("rb")
            body = stream.read().partition(b"\r\n\r\n")[2]
        return [slot["starts_at"] for slot in json.loads(body)["items"]]

    floor = answered(side.floor_port, floor_availability(SOLO, side.begins, 28))
    ours = answered(side.port, availability(SOLO, side.begins, 28))
    if floor != ours or not ours:
        raise RuntimeError(f"the floor offers {len(floor)} times, ours {len(ours)}, or not the same ones")


def _bookings(side: Sides, school: School, count: int, *, floor: bool) -> list[bytes]:
    tokens: dict[int, str] = {}
    requests = []
    for instructor, at in side.take(school, count):
        # The same student every twentieth time only: nobody is in two places, nobody's limits matter.
        number = instructor * STUDENTS_EACH + int(at.timestamp()) // 1800 % STUDENTS_EACH
        body = json.dumps(
            {
                "appointment_type_id": str(school.type_id),
                "instructor_id": str(school.instructor(instructor)),
                "location_id": str(school.location_id),
                "starts_at": at.isoformat(),
            }
        ).encode()
        if floor:
            path = f"/bookings/{school.id}/{school.student(number)}"
            requests.append(request("POST", path, "127.0.0.1", body=body))
            continue
        if number not in tokens:
            tokens[number] = side.house.token(school.clerk_id("student", number), school.slug)
        requests.append(request("POST", "/api/v1/bookings", host(school), token=tokens[number], body=body))
    return requests


def measure_booking(side: Sides, report: Report, *, quick: bool) -> None:
    """Booking against the bare reference, then the race for one slot, then taking it back."""
    # Each request books another slot; nobody books more than this in a run.
    most = int((side.seconds + side.warm_up) * 1500)
    for connections in (8,) if quick else CONNECTIONS:
        in_turn(
            side,
            report,
            "booking",
            "Booking over HTTP, all rules, event written",
            floor=lambda: _bookings(side, FLOOR, most * 2, floor=True),
            ours=lambda: _bookings(side, OPEN, most, floor=False),
            connections=connections,
            target="≥ 25 %",
            holds=lambda ratio: ratio >= 0.25,
            again=False,
            expected="201",
        )
    _race(side, report, races=5 if quick else RACES)
    _cancel(side, report, quick=quick)


def _race(side: Sides, report: Report, *, races: int) -> None:
    tokens = [side.house.token(OPEN.clerk_id("student", number), OPEN.slug) for number in range(_RACERS)]
    worst, fair = 0.0, True
    for instructor, at in side.take(OPEN, races):
        body = json.dumps(
            {
                "appointment_type_id": str(OPEN.type_id),
                "instructor_id": str(OPEN.instructor(instructor)),
                "location_id": str(OPEN.location_id),
                # An hour nobody else was given, so that every racer is free.
                "starts_at": at.isoformat(),
            }
        ).encode()
        requests = [request("POST", "/api/v1/bookings", host(OPEN), token=token, body=body) for token in tokens]
        run = side.load.race(side.port, requests)
        worst = max(worst, run["milliseconds"])
        fair &= sorted(run["statuses"]) == [201, *[409] * (_RACERS - 1)]
    report.add(
        Claim(
            "booking",
            f"{_RACERS} students race for one slot, {races} times: the slowest whole race",
            None,
            worst,
            "ms",
            target="one winner, no 5xx, < 250 ms",
            reached=fair and worst < 250,
            note="exactly one winner every time" if fair else "NOT exactly one winner",
        )
    )


def _cancel(side: Sides, report: Report, *, quick: bool) -> None:
    with side.house.connect() as connection:
        rows = connection.execute(
            "select bookings.id, members.clerk_user_id from bookings join members on members.id = student_id "
            "where bookings.organization_id = %s and cancelled_at is null and starts_at > now() + interval '3 days'",
            [OPEN.id],
        ).fetchall()
    tokens: dict[str, str] = {}
    booked = iter(rows)
    for connections in (8,) if quick else CONNECTIONS:
        most = min(len(rows) // 4, int(side.seconds * 600) + 200)
        requests = []
        for booking_id, clerk_user_id in itertools.islice(booked, most):
            token = tokens.setdefault(clerk_user_id, side.house.token(clerk_user_id, OPEN.slug))
            path = f"/api/v1/bookings/{booking_id}/cancellation"
            requests.append(request("POST", path, host(OPEN), token=token, body=b"{}"))
        # What is used up before the time is over ends the run early; the rate counts the time it took.
        run = side.load.ask(
            side.port, requests, connections=connections, seconds=side.seconds, warm_up=0.0, again=False
        )
        report.add(
            Claim(
                "booking",
                f"Cancelling over HTTP, {connections} connection{'s' if connections > 1 else ''}",
                None,
                run["per_second"],
                "/s",
                note=f"p50 {run['p50_ms']:.1f} ms, p99 {run['p99_ms']:.1f} ms, {run['statuses']}",
                details={"ours": [run]},
            )
        )


def measure_pages(side: Sides, report: Report, *, quick: bool) -> None:
    """The pages that are asked for most."""
    for connections in CONNECTIONS:
        in_turn(
            side,
            report,
            "pages",
            "Front page of a school, signed out",
            floor=lambda: [request("GET", f"/page/{SOLO.id}", "127.0.0.1")],
            ours=lambda: [request("GET", "/", host(SOLO), headers={"Accept": "text/html"})],
            connections=connections,
            target="≥ 50 %",
            holds=lambda ratio: ratio >= 0.5,
        )
    pages = {
        "My lessons": signed_in(side, SOLO, "student", 0, "/lessons"),
        "Calendar of a week, admin, 20 instructors": signed_in(
            side, AVAILABLE[20, 100], "admin", 0, f"/admin/calendar?date={side.begins.date()}"
        ),
    }
    for (what, asked), connections in itertools.product(pages.items(), (8,) if quick else CONNECTIONS):
        alone(side, report, "pages", what, [asked], connections)


def measure_webhooks(side: Sides, report: Report, *, quick: bool) -> None:
    """The acknowledgement of an event on the fast path, against one statement that does it all."""
    most = int((side.seconds + side.warm_up) * 5000)
    for connections in (8,) if quick else CONNECTIONS:
        in_turn(
            side,
            report,
            "webhooks",
            "Webhook acknowledged, processed on the fast path",
            floor=lambda: sign_ups(side.house, most, path="/webhook"),
            ours=lambda: sign_ups(side.house, most // 2, path="/api/webhooks/clerk"),
            connections=connections,
            target="≥ 40 %" + ("; p99 ≤ 50 ms" if connections == 32 else ""),
            holds=lambda ratio: ratio >= 0.4,
            slowest_ms=50.0 if connections == 32 else None,
            again=False,
        )


def sign_ups(house: House, count: int, *, path: str) -> list[bytes]:
    """Return signed events about people nobody knows yet."""
    signer = Webhook(house.settings.clerk_webhook_secrets[0])
    now = datetime.now(UTC)
    requests = []
    for _ in range(count):
        person, message = f"user_{uuid.uuid4().hex[:24]}", f"msg_{uuid.uuid4().hex}"
        body = event_of(person)
        headers = {
            "svix-id": message,
            "svix-timestamp": str(int(now.timestamp())),
            "svix-signature": signer.sign(message, now, body.decode()),
        }
        requests.append(request("POST", path, "127.0.0.1", body=body, headers=headers))
    return requests


def event_of(person: str, at: int = 0) -> bytes:
    """Return the body of a ``user.created``, with the fields Clerk sends."""
    data = {
        "id": person,
        "object": "user",
        "first_name": "Mia",
        "last_name": "Okafor",
        "primary_email_address_id": "idn_1",
        "email_addresses": [
            {"id": "idn_1", "object": "email_address", "email_address": f"{person}@example.com"}
        ],
        "created_at": 1_767_225_600_000,
        "updated_at": 1_767_225_600_000 + at,
    }
    return json.dumps({"object": "event", "type": "user.created", "data": data, "timestamp": 1}).encode()


def settle(seconds: float = 0.5) -> None:
    """Let what the last part left behind (checkpoints, autovacuum) come to rest."""
    time.sleep(seconds)
