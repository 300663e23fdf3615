"""``make races``: a thousand people want the same hour, a hundred times, and the tables' verdict.

Starts a Postgres and a Valkey on loopback in a temporary home.  First the
product's last words alone, on real connections of several processes: one
booking per round, no deadlock, nobody waits long.  Then the same over HTTP
against several web processes.  Then random walks through everything that can
be done to lessons, a hundred thousand steps, after which nobody may be in two
places at once.  And the control: without the constraint the same race books
twice.  Exits with 1 when anything was violated.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import secrets
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from coursecove.config import Settings, load_settings
from coursecove.db.migrate import upgrade
from coursecove.db.roles import bootstrap
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.dev.daemons import DaemonError
from coursecove.dev.processes import NotReady, wait_for
from faults.crowd import CLERK_ORGANIZATION, SLUG, clerk_user, gather
from faults.house import Process, Servers, environment_of, quiet_port, running_servers
from faults.promises import BROKEN
from faults.racers import QUARTERS, Arena, next_day, race, walk
from faults.verdict import Verdict, percentile

WORST_SECONDS = 5
CLASSES = 12


@dataclass(frozen=True, slots=True)
class Options:
    """The size of a run."""

    bookers: int = 1_000
    rounds: int = 100
    processes: int = 2
    connections: int = 25
    http_bookers: int = 60
    http_rounds: int = 50
    operations: int = 100_000
    #: At once, per process: as many as a web process has connections.
    walkers: int = 10
    control_rounds: int = 10
    seed: int = 1


SHORT = Options(
    bookers=60, rounds=3, connections=10, http_bookers=10, http_rounds=2, operations=600, control_rounds=2
)


class Stadium:
    """A database with a crowd in it."""

    def __init__(self, servers: Servers, home: Path, options: Options) -> None:
        self.servers, self.options = servers, options
        self.name = f"races_{secrets.token_hex(4)}"
        self.home = home / self.name
        self.home.mkdir()
        self.environment = environment_of(servers, self.name)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.environment["CLERK_JWT_KEY"] = public.decode()
        self.settings: Settings = load_settings(self.environment)
        bootstrap(servers.postgres.superuser_url, self.settings)
        upgrade(self.settings.database_owner_url)
        with self.connect() as connection:
            people = max(options.bookers, options.http_bookers, 60)
            self.crowd = gather(connection, students=people, instructors=6, rooms=3)

    def connect(self) -> psycopg.Connection:
        """Return a connection that sees everything; every statement is a transaction of its own."""
        return psycopg.connect(self.servers.administrator_url(self.name), autocommit=True, connect_timeout=5)

    def count(self, query: str) -> int:
        """Return one number."""
        with self.connect() as connection:
            row = connection.execute(query).fetchone()
            assert row is not None
            return int(row[0])

    def deadlocks(self) -> int:
        """How many there were since the database was made."""
        # What a connection saw is added up when it ends, and asked for afresh.
        query = "select deadlocks from pg_stat_database where datname = current_database()"
        return self.count(query)

    def broken(self) -> list[str]:
        """Return every promise of the tables that does not hold."""
        with self.connect() as connection:
            return [f"{what} ({times} times)" for what, times in connection.execute(BROKEN)]

    def arena(self, connections: int) -> Arena:
        """Return what a process of racers needs."""
        return Arena(self.settings, self.crowd, connections)

    def open_classes(self, start: datetime) -> None:
        """Put classes on the calendar, in the middle of where everybody walks."""
        rows = [
            (
                self.crowd.organization_id,
                self.crowd.class_id,
                self.crowd.instructor_ids[number % len(self.crowd.instructor_ids)],
                start + timedelta(minutes=15 * (number * QUARTERS // CLASSES)),
                self.crowd.admin_id,
            )
            for number in range(CLASSES)
        ]
        with self.connect() as connection:
            connection.cursor().executemany(
                "insert into sessions (organization_id, appointment_type_id, instructor_id, starts_at, "
                "ends_at, blocked_from, blocked_until, capacity, seats_taken, scheduled_by_id) "
                "select %s, %s, %s, at, at + interval '45 min', at, at + interval '60 min', 3, 0, %s "
                "from (select %s::timestamptz as at) as start",
                [(school, type_, teacher, admin, at) for school, type_, teacher, at, admin in rows],
            )


def _together(
    target: Callable[..., None], arguments: Sequence[tuple[Any, ...]], results: Any, expected: int
) -> list[Any]:
    """Run one process per arguments and return what they reported; raises when one of them failed."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=each, daemon=True) for each in arguments]
    for process in processes:
        process.start()
    found: list[Any] = []
    while len(found) < expected:
        with contextlib.suppress(Exception):
            found.append(results.get(timeout=1))
            continue
        if any(process.exitcode not in (None, 0) for process in processes):
            for process in processes:
                process.terminate()
            message = "a process of racers ended by itself"
            raise RuntimeError(message)
    for process in processes:
        process.join(30)
    return found


def race_for_one_slot(
    stadium: Stadium, *, bookers: int, rounds: int, days: int
) -> list[tuple[float, Counter[str]]]:
    """Return every round's seconds (of the slowest process) and answers."""
    options = stadium.options
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(options.processes), context.Queue()
    students = stadium.crowd.student_ids[:bookers]
    shares = [students[number :: options.processes] for number in range(options.processes)]
    arena = stadium.arena(options.connections)
    arguments = [(arena, share, rounds, next_day(days), ready, results) for share in shares]
    reports = _together(race, arguments, results, rounds * options.processes)
    found: list[tuple[float, Counter[str]]] = []
    for number in range(rounds):
        of_round = [report for report in reports if report[0] == number]
        found.append(
            (max(seconds for _, seconds, _ in of_round), sum((answers for *_, answers in of_round), Counter()))
        )
    return found


def judge_race(verdict: Verdict, stadium: Stadium) -> None:
    """A thousand bookers, a hundred rounds, the product's own statements on real connections."""
    options = stadium.options
    rounds = race_for_one_slot(stadium, bookers=options.bookers, rounds=options.rounds, days=30)
    answers = sum((answers for _, answers in rounds), Counter[str]())
    booked = stadium.count("select count(*) from bookings where cancelled_at is null")
    wrong = [f"round {n} had {a['booked']} bookings" for n, (_, a) in enumerate(rounds) if a["booked"] != 1]
    if booked != options.rounds:
        wrong.append(f"{booked} bookings are in the table")
    wrong += [f"{times} × {name}" for name, times in answers.items() if name not in ("booked", "taken")]
    size = f"{options.bookers:,} bookers × {options.rounds} rounds"
    connections = options.processes * options.connections
    verdict.judge("one slot", f"{size} on {connections} connections: {answers['booked']} bookings", wrong)
    seconds = [seconds for seconds, _ in rounds]
    worst = max(seconds)
    slow = [f"it may take {WORST_SECONDS} s"] if worst > WORST_SECONDS else []
    text = f"worst {worst:.2f} s, median {percentile(seconds, 50):.2f} s"
    verdict.judge("a round takes", text, slow)
    deadlocks = stadium.deadlocks()
    verdict.judge("deadlocks", str(deadlocks), [f"{deadlocks} there were"] if deadlocks else [])
    verdict.judge("after the race", "every promise holds", stadium.broken())


@contextmanager
def web_processes(stadium: Stadium) -> Iterator[list[str]]:
    """Run ``coursecove serve`` so many times, each on a port of its own."""
    processes: list[Process] = []
    addresses: list[str] = []
    try:
        for number in range(stadium.options.processes):
            environment = {**stadium.environment, "PORT": str(quiet_port())}
            command = [sys.executable, "-m", "coursecove", "serve"]
            processes.append(Process(command, environment, stadium.home / f"serve-{number}.log"))
            addresses.append(f"http://127.0.0.1:{environment['PORT']}")

        def watch() -> None:
            for process in processes:
                if process.poll() is not None:
                    raise NotReady(f"{process.name} ended by itself:\n{process.last_lines()}")

        for address in addresses:
            wait_for(f"{address}/health/ready", timeout_seconds=90, watch=watch)
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.end()


def judge_http(verdict: Verdict, stadium: Stadium) -> None:
    """The same race through everything: HTTP, tokens, the engine, alternatives for whoever loses."""
    options = stadium.options
    with web_processes(stadium) as addresses:
        rounds = asyncio.run(_race_over_http(stadium, addresses))
    statuses = sum((Counter(status for status, _ in answers) for answers in rounds), Counter[int]())
    wrong = [
        f"round {number} had {sum(status == 201 for status, _ in answers)} bookings"
        for number, answers in enumerate(rounds)
        if sum(status == 201 for status, _ in answers) != 1
    ]
    wrong += [
        f"{times} answers were {status}" for status, times in statuses.items() if status not in (201, 409)
    ]
    empty = sum(status == 409 and not told for answers in rounds for status, told in answers)
    wrong += [f"{empty} refusals named no other time"] if empty else []
    size = f"{options.http_bookers} people × {options.http_rounds} rounds, {options.processes} web processes"
    text = f"{size}: {statuses[201]} × 201, {statuses[409]:,} × 409 with other times"
    verdict.judge("over HTTP", text, wrong)
    verdict.judge("after HTTP", "every promise holds", stadium.broken())


async def _race_over_http(stadium: Stadium, addresses: list[str]) -> list[list[tuple[int, bool]]]:
    options, crowd = stadium.options, stadium.crowd
    origin = stadium.settings.origin(SLUG)
    students = crowd.student_ids[: options.http_bookers]
    # A connection that was idle for seconds may be closed by the server in the moment it is used again.
    limits = httpx.Limits(max_connections=options.http_bookers, keepalive_expiry=1)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as client:

        async def one(number: int, student: uuid.UUID, starts_at: datetime) -> tuple[int, bool]:
            response = await client.post(
                f"{addresses[number % len(addresses)]}/api/v1/bookings",
                headers={
                    "Host": origin.partition("://")[2],
                    "Authorization": f"Bearer {_token(stadium, student)}",
                    "Idempotency-Key": uuid.uuid4().hex,
                },
                json={
                    "appointment_type_id": str(crowd.private_id),
                    "instructor_id": str(crowd.instructor_ids[1]),
                    "starts_at": starts_at.isoformat(),
                },
            )
            return response.status_code, bool(response.status_code == 409 and response.json()["alternatives"])

        rounds = []
        for number in range(options.http_rounds):
            starts_at = next_day(20) + timedelta(hours=2 * number)
            asked = (one(index, student, starts_at) for index, student in enumerate(students))
            rounds.append(list(await asyncio.gather(*asked)))
        return rounds


def _token(stadium: Stadium, student: uuid.UUID) -> str:
    return mint_session_token(
        stadium.key,
        key_id="races",
        issuer=stadium.settings.clerk_frontend_api,
        user_id=clerk_user(student),
        session_id=f"sess_{student.hex}",
        authorized_party=stadium.settings.origin(SLUG),
        organization_id=CLERK_ORGANIZATION,
        organization_slug=SLUG,
        lifetime_seconds=3600,
    )


def judge_walks(verdict: Verdict, stadium: Stadium) -> None:
    """Random walks of all processes through the same few days."""
    options = stadium.options
    start = next_day(60)
    stadium.open_classes(start)
    before = stadium.deadlocks()
    results = multiprocessing.get_context("spawn").Queue()
    share = options.operations // options.processes
    arguments = [
        (stadium.arena(options.walkers), options.seed * 1000 + number, share, start, results)
        for number in range(options.processes)
    ]
    started = time.monotonic()
    done: Counter[str] = sum(_together(walk, arguments, results, options.processes), Counter())
    minutes = (time.monotonic() - started) / 60
    outcomes: Counter[str] = Counter()
    for name, times in done.items():
        outcomes[name.partition(" ")[2]] += times
    known = ("done", "lost", "refused", "nothing")
    wrong = [f"{times} × {name}" for name, times in outcomes.items() if name not in known]
    deadlocks = stadium.deadlocks() - before
    wrong += [f"{deadlocks} deadlocks"] if deadlocks else []
    said = ", ".join(f"{outcomes[name]:,} {name}" for name in known)
    size = f"{sum(done.values()):,} steps of {options.processes * options.walkers} people in {minutes:.1f} min"
    verdict.judge("random walks", f"{size}: {said}", wrong)
    verdict.judge("after the walks", "every promise holds", stadium.broken())


def judge_control(verdict: Verdict, stadium: Stadium) -> None:
    """Without the constraint the same race has to book twice, or all of the above would prove nothing."""
    options = stadium.options
    with stadium.connect() as connection:
        connection.execute("alter table sessions drop constraint sessions_instructor_free")
    bookers = min(options.bookers, 100)
    rounds = race_for_one_slot(stadium, bookers=bookers, rounds=options.control_rounds, days=90)
    booked = sum(answers["booked"] for _, answers in rounds)
    caught = any("instructor" in sentence for sentence in stadium.broken())
    wrong = []
    if booked <= options.control_rounds or not caught:
        wrong.append("the race does not show without the constraint")
    size = f"{bookers} bookers × {options.control_rounds} rounds"
    text = f"without the constraint {size}: {booked} bookings, and it was noticed"
    verdict.judge("control", text, wrong)


def run(options: Options) -> Verdict:
    """Run everything; the verdict says what was violated."""
    verdict = Verdict()
    with running_servers() as (servers, home):
        stadium = Stadium(servers, home, options)
        judge_race(verdict, stadium)
        judge_http(verdict, stadium)
        judge_walks(verdict, stadium)
        judge_control(verdict, Stadium(servers, home, options))
    return verdict


def main() -> None:
    """Parse, run, print, exit."""
    parser = argparse.ArgumentParser(prog="make races", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few seconds of everything")
    for name in Options.__dataclass_fields__:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=None)
    arguments = parser.parse_args()
    options = SHORT if arguments.short else Options()
    given = {name: value for name, value in vars(arguments).items() if name != "short" and value is not None}
    options = replace(options, **given)
    started = time.monotonic()
    try:
        verdict = run(options)
    except (DaemonError, NotReady, RuntimeError) as problem:
        sys.exit(f"The races could not be run: {problem}")
    print("\n".join(verdict.lines))
    print(f"{'':<18} {time.monotonic() - started:.0f} s on {os.cpu_count()} processors, seed {options.seed}")
    if verdict.violations:
        sys.exit(f"VIOLATED: {', '.join(verdict.violations)}")
    print("Nobody was booked twice.")


if __name__ == "__main__":
    main()
