"""What the policies cost: each hot question under them against the same with a hand-written WHERE, in the database.

Both run in a loop inside Postgres, so that neither the wire nor Python is part
of it.  The hand-written side is the superuser, whom no policy holds.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import psycopg

from benchmarks import hot
from benchmarks.house import House
from benchmarks.report import Claim, Report, median, spread
from benchmarks.workloads.web import AVAILABLE
from benchmarks.world import begins_at
from coursecove.db.session import Database

PLANS = Path(__file__).resolve().parents[1] / "plans"
SCHOOL = AVAILABLE[20, 1000]
TIMES, BATCHES = 2000, 7
_LOOP = """
create or replace function probe_microseconds(times integer) returns double precision language plpgsql as $$
declare began timestamptz := clock_timestamp();
begin
  for number in 1..times loop {question}; end loop;
  return extract(epoch from clock_timestamp() - began) * 1e6 / times;
end $$
"""
# (what, the question, the person's role); {org} is empty under the policies and a condition by hand.
QUESTIONS = {
    "an instructor's day": (
        "",
        "perform count(*) from sessions where {org} instructor_id = '{instructor}' "
        "and starts_at >= '{day}' and starts_at < '{next}' and blocked_until > '{day}' and cancelled_at is null",
    ),
    "a student's lessons": (
        "student",
        "perform count(*) from bookings where {org} student_id = '{student}' "
        "and starts_at >= '{day}' and starts_at < '{month}' and cancelled_at is null",
    ),
    "one booking by its id": (
        "admin",
        "perform id from bookings where {org} id = '{booking}'",
    ),
    "an instructor's week of hours": (
        "",
        "perform count(*) from weekly_hours where {org} member_id = '{instructor}'",
    ),
}


def measure(house: House, report: Report, *, seconds: float) -> None:
    """Compare, keep the plans, and count the whole-table reads in them."""
    begins = begins_at()
    with house.connect() as administrator:
        row = administrator.execute(
            "select id, student_id from bookings where organization_id = %s order by starts_at limit 1",
            [SCHOOL.id],
        ).fetchone()
    assert row is not None
    names = {
        "instructor": SCHOOL.instructor(0),
        "student": row[1],
        "booking": row[0],
        "day": begins.isoformat(),
        "next": begins.replace(hour=23).isoformat(),
        "month": begins.replace(year=begins.year + 1).isoformat(),
    }
    for what, (role, question) in QUESTIONS.items():
        by_hand, under = [], []
        for _ in range(BATCHES):
            by_hand.append(
                _by_hand(house, question.format(org=f"organization_id = '{SCHOOL.id}' and", **names))
            )
            under.append(_under(house, question.format(org="", **names), role, str(row[1])))
        ratio, more = median(under) / median(by_hand), median(under) - median(by_hand)
        report.add(
            Claim(
                "security",
                f"Under the policies, in the database: {what}",
                median(by_hand),
                median(under),
                "µs",
                ratio=ratio,
                target="≤ 1.3× and ≤ 3 µs more",
                reached=ratio <= 1.3 and more <= 3.0,
                spread=max(spread(by_hand), spread(under)),
                note=f"{more:+.1f} µs",
            )
        )
    _keep_plans(house, report)


def _by_hand(house: House, question: str) -> float:
    with house.connect() as connection:
        connection.execute(_LOOP.replace("{question}", question))
        return _microseconds(connection)


def _under(house: House, question: str, role: str, member_id: str) -> float:
    with house.connect() as administrator:
        # Its invoker's rights hold inside: the application's role with its policies.
        administrator.execute(_LOOP.replace("{question}", question))
    with psycopg.connect(house.settings.database_url) as connection:
        hot.enter(connection, SCHOOL, role)
        if role == "student":
            connection.execute("select set_config('app.member_id', %s, true)", [member_id])
        return _microseconds(connection)


def _microseconds(connection: psycopg.Connection) -> float:
    connection.execute("select probe_microseconds(50)")
    row = connection.execute("select probe_microseconds(%s)", [TIMES]).fetchone()
    assert row is not None
    return float(row[0])


def _keep_plans(house: House, report: Report) -> None:

    PLANS.mkdir(exist_ok=True)
    begins, bad = begins_at(), []

    async def all_sent() -> dict[str, tuple[str, list[hot.Sent]]]:
        database = Database(house.settings)
        try:
            return {
                verb.name: (verb.role, await hot.sent_by(database, SCHOOL, verb))
                for verb in hot.hot_verbs(SCHOOL, begins)
            }
        finally:
            await database.close()

    with psycopg.connect(house.settings.database_url, autocommit=True) as connection:
        for name, (role, sent) in asyncio.run(all_sent()).items():
            lines = []
            for question in sent:
                plan = hot.plan(connection, SCHOOL, role, question, analyze=True)
                bad += [f"{name}: {table}" for table in hot.whole_table_reads(plan)]
                lines.append(
                    f"-- as coursecove_app, {role or 'a visitor'}\n{_tidy(question.statement)}\n\n{_drawn(plan)}\n"
                )
            (PLANS / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    report.add(
        Claim(
            "security",
            "Whole-table reads of sessions or bookings in the plans of hot questions",
            None,
            len(bad),
            "",
            target="0",
            reached=not bad,
            note="; ".join(bad) or "plans are kept in benchmarks/plans/",
        )
    )


def _tidy(statement: str) -> str:
    return re.sub(r"\n\s*\n", "\n", statement.strip())


def _drawn(plan: list[dict[str, object]]) -> str:
    """Return a plan without what differs from run to run: nodes, tables, indexes, conditions, rows."""
    lines: list[str] = []

    def draw(node: dict[str, object], depth: int) -> None:
        index = f" using {node['Index Name']}" if "Index Name" in node else ""
        table = f" on {node['Relation Name']}" if "Relation Name" in node else ""
        role = f" ({node['Subplan Name']})" if "Subplan Name" in node else ""
        lines.append(f"{'  ' * depth}{node['Node Type']}{index}{table}{role}: {node.get('Actual Rows')} rows")
        lines.extend(
            f"{'  ' * (depth + 2)}{name.lower()}: {node[name]}"
            for name in ("Index Cond", "Recheck Cond", "Filter")
            if name in node
        )
        inner = node.get("Plans", [])
        assert isinstance(inner, list)
        for child in inner:
            draw(child, depth + 1)

    whole = plan[0]["Plan"]
    assert isinstance(whole, dict)
    draw(whole, 0)
    return "\n".join(lines)
