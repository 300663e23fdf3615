"""Many schools in one database: what one request costs among a thousand and among a hundred thousand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.parse import quote

import psycopg
from psycopg import sql

from benchmarks import world
from benchmarks.house import BASE_DOMAIN, House, Load, request
from benchmarks.report import Claim, Report, against, median, spread
from benchmarks.workloads.startup import resident_mb
from coursecove.config import load_settings
from coursecove.db.migrate import upgrade
from coursecove.db.roles import bootstrap
from faults.house import Process, quiet_port

#: How many schools are asked in turn; more than a process would know by heart after a few requests.
ASKED = 400
STUDENTS = 3
# What is built anew after loading: row by row an exclusion constraint takes hours for ten million.
_CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
where contype = 'x' and conrelid in ('sessions'::regclass, 'bookings'::regclass, 'weekly_hours'::regclass)
"""
_INDEXES = """
select indexname, indexdef from pg_indexes
where schemaname = 'public' and tablename in ('sessions', 'bookings')
  and indexname not in (select conname from pg_constraint)
"""


def slug(number: int) -> str:
    """Return the subdomain of a school."""
    return f"school-{number:06d}"


def _id(school: int, kind: int, number: int = 0) -> str:
    return f"{school:08x}-{kind:04x}-4000-8000-{number:012x}"


def _lines(table: str, schools: range, bookings: int, begins: datetime) -> Iterator[str]:
    """Yield the lines of COPY's text format for one table."""
    zone, published = world.ZONE, begins.isoformat()
    # Lessons are on whole hours from the first day on, in the past and ahead alike.
    times = [
        begins + timedelta(hours=24 * (number // 8) + 13 + number % 8)
        for number in range(-bookings // 2, bookings)
    ]
    spans = [
        (at.isoformat(), (at + timedelta(minutes=30)).isoformat(), (at + timedelta(minutes=45)).isoformat())
        for at in times[:bookings]
    ]
    for school in schools:
        org = _id(school, 1)
        if table == "organizations":
            yield f"{org}\torg_{school:024x}\t{slug(school)}\tSchool {school}\t{zone}\t1\n"
        elif table == "subdomains":
            yield f"{slug(school)}\t{org}\n"
        elif table == "members":
            yield f"{org}\t{_id(school, 2)}\tuser_a{school:023x}\torgmem_a{school:x}\tIda\tBerg\ti@x.example\torg:instructor\t1\n"
            for number in range(STUDENTS):
                yield (
                    f"{org}\t{_id(school, 3, number)}\tuser_{number}{school:023x}\torgmem_{number}_{school:x}"
                    f"\tMia\tOkafor\tm@x.example\torg:member\t1\n"
                )
        elif table == "instructor_profiles":
            yield f"{org}\t{_id(school, 2)}\tida\tTeaches.\t{zone}\t\\N\n"
        elif table == "locations":
            yield f"{org}\t{_id(school, 4)}\tmain\tMain hall\t1 Main Street\t{zone}\n"
        elif table == "appointment_types":
            yield (
                f"{org}\t{_id(school, 5)}\tlesson\tLesson\tOne to one.\t30\t0\t15\t120\t60\tin_person\t4500"
                f"\t{published}\n"
            )
        elif table == "appointment_type_locations":
            yield f"{org}\t{_id(school, 5)}\t{_id(school, 4)}\n"
        elif table == "qualifications":
            yield f"{org}\t{_id(school, 2)}\t{_id(school, 5)}\n"
        elif table == "weekly_hours":
            for day in range(1, 6):
                yield f"{org}\t{_id(school, 6, day)}\t{_id(school, 2)}\t{day}\t540\t1020\n"
        elif table == "sessions":
            for number, (starts, ends, until) in enumerate(spans):
                yield (
                    f"{org}\t{_id(school, 7, number)}\t{_id(school, 5)}\t{_id(school, 2)}\t{_id(school, 4)}\t\\N"
                    f"\t{starts}\t{ends}\t{starts}\t{until}\n"
                )
        elif table == "bookings":
            for number, (starts, ends, _until) in enumerate(spans):
                student = _id(school, 3, number % STUDENTS)
                yield (
                    f"{org}\t{_id(school, 8, number)}\t{world.reference(number)}\t{_id(school, 7, number)}\t{_id(school, 2)}\t{student}"
                    f"\t{student}\t{starts}\t{ends}\t{published}\t1440\t4500\tEUR\n"
                )


def fill(connection: psycopg.Connection, schools: int, bookings: int, begins: datetime) -> float:
    """Write so many schools with so many bookings each; return the seconds it took."""
    began = time.monotonic()
    constraints = connection.execute(_CONSTRAINTS).fetchall()
    for table, name, _definition in constraints:
        connection.execute(
            sql.SQL("alter table {} drop constraint {}").format(sql.Identifier(table), sql.Identifier(name))
        )
    indexes = connection.execute(_INDEXES).fetchall()
    for name, _definition in indexes:
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    # No foreign key is checked row by row either: what is written is made of one piece.
    connection.execute("set session_replication_role = replica; set maintenance_work_mem = '512MB'")
    for table in (name for name in world.TABLES if name not in ("rooms", "location_hours", "closures")):
        statement = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, world.TABLES[table]))
        )
        with connection.cursor() as cursor, cursor.copy(statement) as stream:
            for first in range(0, schools, 1000):
                batch = range(first, min(first + 1000, schools))
                stream.write("".join(_lines(table, batch, bookings, begins)))
    connection.execute("insert into school_editions (organization_id) select id from organizations")
    for _name, definition in indexes:
        connection.execute(definition)
    for table, name, definition in constraints:
        connection.execute(
            sql.SQL("alter table {} add constraint {} {}").format(
                sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)
            )
        )
    connection.execute("set session_replication_role = origin")
    connection.execute("vacuum (analyze)")
    connection.execute("checkpoint")
    return time.monotonic() - began


@contextmanager
def database(
    house: House, name: str, schools: int, bookings: int, begins: datetime
) -> Iterator[dict[str, str]]:
    """Make a database with many schools; yields what the product needs to run on it, and drops it afterwards."""
    urls = {
        variable: house.environment[variable].rpartition("/")[0] + "/" + name
        for variable in ("DATABASE_URL", "DATABASE_PLATFORM_URL", "DATABASE_OWNER_URL")
    }
    settings = load_settings({**house.environment, **urls})
    bootstrap(house.postgres.superuser_url, settings)
    upgrade(settings.database_owner_url)
    with psycopg.connect(house.administrator_url(name), autocommit=True) as connection:
        took = fill(connection, schools, bookings, begins)
        row = connection.execute("select pg_size_pretty(pg_database_size(current_database()))").fetchone()
    assert row is not None
    print(
        f"  · {schools:,} schools with {schools * bookings:,} bookings, {row[0]}, written in {took:.0f} s",
        flush=True,
    )
    try:
        yield urls
    finally:
        with psycopg.connect(house.postgres.superuser_url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _asked(house: House, schools: int, begins: datetime) -> dict[str, list[bytes]]:
    """Return the requests of each kind, spread over the whole database."""
    numbers = [number * schools // min(ASKED, schools) for number in range(min(ASKED, schools))]
    window = f"from={quote(begins.isoformat())}&until={quote((begins + timedelta(days=7)).isoformat())}"
    return {
        "free times of a week": [
            request(
                "GET",
                f"/api/v1/availability?appointment_type_id={_id(number, 5)}&{window}",
                f"{slug(number)}.{BASE_DOMAIN}",
            )
            for number in numbers
        ],
        "my lessons": [
            request(
                "GET",
                "/api/v1/bookings?status=confirmed",
                f"{slug(number)}.{BASE_DOMAIN}",
                token=house.token(f"user_0{number:023x}", slug(number)),
            )
            for number in numbers
        ],
    }


def measure(
    house: House, report: Report, *, sizes: list[int], bookings: int, seconds: float, rounds: int
) -> None:
    """Compare the largest database with the smallest, request by request, and the memory of a web process."""
    begins = world.begins_at()
    small, large = min(sizes), max(sizes)
    asks = Load(house.home)
    ports = quiet_port(), quiet_port()
    try:
        with (
            database(house, "few", small, bookings, begins) as few,
            database(house, "many", large, bookings, begins) as many,
            house.running("coursecove", "serve", **few, PORT=str(ports[0])) as on_few,
            house.running("coursecove", "serve", **many, PORT=str(ports[1])) as on_many,
        ):
            house.wait_until_ready(on_few, ports[0])
            house.wait_until_ready(on_many, ports[1])
            of_few, of_many = _asked(house, small, begins), _asked(house, large, begins)
            for what in of_few:
                _compare(
                    report,
                    asks,
                    what,
                    (ports[0], of_few[what]),
                    (ports[1], of_many[what]),
                    (small, large),
                    seconds,
                    rounds,
                )
            _remember(report, on_few, on_many, small, large)
    finally:
        asks.close()


def _compare(
    report: Report,
    asks: Load,
    what: str,
    few: tuple[int, list[bytes]],
    many: tuple[int, list[bytes]],
    sizes: tuple[int, int],
    seconds: float,
    rounds: int,
) -> None:
    each: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for side, (port, requests) in enumerate((few, many)):
            # Until every school has been asked once: what a process keeps of one is read with the first question.
            warm_up = max(0.5, len(requests) / 250)
            run = asks.ask(port, requests, connections=8, seconds=seconds, warm_up=warm_up)
            if set(run["statuses"]) != {"200"}:
                raise RuntimeError(f"{what}: {run['statuses']}")
            # Milliseconds of this one process per request, since eight connections keep it busy.
            each[side].append(1000 / run["per_second"])
    report.add(
        against(
            "schools",
            f"One request among {sizes[1]:,} schools against {sizes[0]:,}: {what}",
            each[0],
            each[1],
            unit="ms",
            target="≤ 1.2×",
            holds=lambda ratio: ratio <= 1.2,
        )
    )


def _remember(report: Report, on_few: Process, on_many: Process, small: int, large: int) -> None:
    few, many = resident_mb(on_few), resident_mb(on_many)
    report.add(
        Claim(
            "schools",
            f"Memory of a web process that has answered {min(ASKED, large)} of {large:,} schools against {small:,}",
            few,
            many,
            "MB",
            ratio=many / few,
            target="≤ 1.2×",
            reached=many / few <= 1.2,
        )
    )


def measure_neighbour(house: House, report: Report, *, seconds: float, rounds: int) -> None:
    """Let one school be flooded, with the limits of production, and watch another school's slowest answers."""
    calm, noisy = world.School("bench-calm", bookings=50), world.School("bench-noisy", bookings=50)
    begins = world.begins_at()
    with house.connect() as connection:
        if connection.execute("select 1 from organizations where id = %s", [calm.id]).fetchone() is None:
            world.load(connection, [calm, noisy], begins)
    window = f"from={quote(begins.isoformat())}&until={quote((begins + timedelta(days=7)).isoformat())}"

    def asked(school: world.School) -> bytes:
        token = house.token(school.clerk_id("student"), school.slug)
        path = f"/api/v1/availability?appointment_type_id={school.type_id}&{window}"
        return request("GET", path, f"{school.slug}.{BASE_DOMAIN}", token=token if school is calm else None)

    # Whoever floods comes from one address and is not signed in: production's budgets, but for the calm student.
    limits = {"RATE_LIMIT_ANONYMOUS": "120", "RATE_LIMIT_ORGANIZATION": "6000"}
    asks, floods = Load(house.home), Load(house.home)
    alone: list[float] = []
    beside: list[float] = []
    try:
        with house.serving(**limits) as port:
            for _ in range(rounds):
                alone.append(
                    asks.ask(port, [asked(calm)], connections=1, seconds=seconds, warm_up=0.4)["p99_ms"]
                )
                floods.begin(port, [asked(noisy)], connections=8, seconds=seconds + 1.0)
                beside.append(
                    asks.ask(port, [asked(calm)], connections=1, seconds=seconds, warm_up=0.4)["p99_ms"]
                )
                floods.finish()
    finally:
        asks.close()
        floods.close()
    ratio = median(beside) / median(alone)
    report.add(
        Claim(
            "neighbour",
            "A school's p99 while another is flooded over 8 connections, one web process",
            median(alone),
            median(beside),
            "ms",
            ratio=ratio,
            target="≤ 1.5×",
            reached=ratio <= 1.5,
            spread=max(spread(alone), spread(beside)),
            note="floor: the same school alone",
        )
    )
