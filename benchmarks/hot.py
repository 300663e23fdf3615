"""The queries that are asked for all the time, as the product sends them, and their plans under the policies.

The verbs are run, what they send is noted, and Postgres explains it as the
role and with the settings it was sent with.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.world import School, id_of
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.bookings.availability import available_slots, next_free_many
from coursecove.db.session import NOBODY, Acting, Database
from coursecove.tenants import service as tenants

#: Tables that grow without end; nothing asked for all the time may read one from end to end.
GROWING = frozenset({"sessions", "bookings", "events", "deliveries"})


@dataclass(frozen=True)
class Sent:
    """One statement with its values, as it went to Postgres."""

    statement: str
    values: Mapping[str, Any]

    @property
    def is_a_question(self) -> bool:
        """Whether it can be explained without consequences."""
        return self.statement.lstrip().lower().startswith("select") and "set_config" not in self.statement


@dataclass(frozen=True)
class Hot:
    """A verb that is used all the time, and who uses it."""

    name: str
    role: str
    ask: Callable[[AsyncSession], Awaitable[Any]]


def hot_verbs(school: School, begins: datetime) -> list[Hot]:
    """Return what a school's people ask for most."""
    week = begins + timedelta(days=7)

    async def availability(session: AsyncSession) -> None:
        type_ = await appointments.get_type(session, school.type_id)
        await available_slots(session, type_, from_=begins, until=begins + timedelta(days=28))

    async def availability_of_one(session: AsyncSession) -> None:
        type_ = await appointments.get_type(session, school.type_id)
        await available_slots(
            session, type_, instructor_id=school.instructor(0), from_=begins, until=begins + timedelta(days=1)
        )

    async def front(session: AsyncSession) -> None:
        types = await appointments.offered_types(session, viewer=None)
        await next_free_many(session, types, after=begins)

    def lessons(role: str) -> Callable[[AsyncSession], Awaitable[None]]:
        async def ask(session: AsyncSession) -> None:
            viewer = await tenants.recognise(session, school.clerk_id(role))
            assert viewer is not None
            student_id = viewer.id if role == "student" else None
            await bookings.list_bookings(session, viewer=viewer, student_id=student_id, from_=begins)

        return ask

    async def week_of_admin(session: AsyncSession) -> None:
        viewer = await tenants.recognise(session, school.clerk_id("admin"))
        assert viewer is not None
        await bookings.list_bookings(session, viewer=viewer, from_=begins, until=week, page_size=50)

    return [
        Hot("availability-28-days", "", availability),
        Hot("availability-one-instructor-one-day", "", availability_of_one),
        Hot("front-page", "", front),
        Hot("lessons-of-a-student", "student", lessons("student")),
        Hot("lessons-of-an-instructor", "instructor", lessons("instructor")),
        Hot("lessons-of-a-week", "admin", week_of_admin),
    ]


@contextmanager
def listening() -> Iterator[list[Sent]]:
    """Note every statement this process sends."""
    sent: list[Sent] = []

    def note(_sender: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        sent.append(Sent(statement, values if isinstance(values, Mapping) else {}))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def sent_by(database: Database, school: School, hot: Hot) -> list[Sent]:
    """Run a verb in its school and return the questions it sent."""
    acting = Acting(clerk_user_id=school.clerk_id(hot.role)) if hot.role else NOBODY
    with listening() as sent:
        async with database.organization(school.id, acting=acting) as session:
            await hot.ask(session)
    return [question for question in sent if question.is_a_question]


def kept_plan(connection: psycopg.Connection, school: School, role: str, sent: Sent) -> list[dict[str, Any]]:
    """Return the plan for whatever values: the one that is kept where statements are prepared."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", sent.statement)))
    statement = sent.statement.replace("%%", "%")
    for number, name in enumerate(names, start=1):
        statement = statement.replace(f"%({name})s", f"${number}")
    with connection.transaction(force_rollback=True):
        enter(connection, school, role)
        connection.execute("set local plan_cache_mode = force_generic_plan")
        connection.execute(f"prepare hot as {statement}")
        cursor = psycopg.ClientCursor(connection)
        values = ", ".join(f"%({name})s" for name in names)
        cursor.execute(f"explain (format json) execute hot{f'({values})' if names else ''}", sent.values)
        row = cursor.fetchone()
        connection.execute("deallocate hot")
    assert row is not None
    explained: list[dict[str, Any]] = row[0] if isinstance(row[0], list) else msgspec.json.decode(row[0])
    return explained


def plan(
    connection: psycopg.Connection, school: School, role: str, sent: Sent, *, analyze: bool = False
) -> list[dict[str, Any]]:
    """Return the plan of a statement for somebody of a school; ``connection`` is the application role's."""
    with connection.transaction(force_rollback=True):
        enter(connection, school, role)
        cursor = psycopg.ClientCursor(connection)
        options = "analyze, buffers, timing off, format json" if analyze else "format json"
        cursor.execute(f"explain ({options}) {sent.statement}", sent.values)
        row = cursor.fetchone()
    assert row is not None
    found = row[0] if isinstance(row[0], list) else msgspec.json.decode(row[0])
    explained: list[dict[str, Any]] = found
    return explained


def enter(connection: psycopg.Connection, school: School, role: str) -> None:
    """Set what the unit of work of this person sets, for the running transaction."""
    member: uuid.UUID | str = (
        {"student": school.student(0), "instructor": school.instructor(0)}.get(role, _admin(school))
        if role
        else ""
    )
    connection.execute(
        "select set_config('app.organization_id', %s, true), set_config('app.clerk_user_id', %s, true), "
        "set_config('app.member_id', %s, true), set_config('app.member_role', %s, true)",
        [str(school.id), school.clerk_id(role) if role else "", str(member), role],
    )


def scans(node: Any) -> Iterator[tuple[str, str]]:
    """Yield (kind of node, table) of every scan in a plan."""
    if isinstance(node, list):
        for inner in node:
            yield from scans(inner)
    elif isinstance(node, dict):
        if "Relation Name" in node:
            yield node["Node Type"], node["Relation Name"]
        for inner in node.values():
            yield from scans(inner)


def whole_table_reads(node: Any) -> set[str]:
    """Return the growing tables that a plan reads from end to end."""
    return {table for kind, table in scans(node) if kind == "Seq Scan" and table in GROWING}


def _admin(school: School) -> uuid.UUID:
    return id_of(school.slug, "admin", 0)
