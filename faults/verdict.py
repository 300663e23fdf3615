"""What a run showed: the figures, and whether they are good enough."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from faults import audit, oracle
from faults.story import Event

HEALTHY_MS = 500
DEGRADED_MS = 1_000
RECOVERY_SECONDS = 10
SHOWN = 5

Window = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Answer:
    """One request of the sender: when, how long (milliseconds), and the status, None without an answer."""

    started: float
    ended: float
    status: int | None

    @property
    def milliseconds(self) -> float:
        """How long the sender waited."""
        return (self.ended - self.started) * 1000


@dataclass(slots=True)
class Deliveries:
    """What the sender saw."""

    answers: list[Answer]
    accepted: set[str]
    given_up: set[str]
    count: int


@dataclass(slots=True)
class Verdict:
    """The lines to print and the violations among them; no violation means that the run passed."""

    lines: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def say(self, name: str, text: str) -> None:
        """Add a line."""
        self.lines.append(f"{name:<18} {text}")

    def judge(self, name: str, text: str, wrong: Sequence[str]) -> None:
        """Add a line and what is wrong about it, if anything."""
        self.say(name, f"{text}{'' if not wrong else '  VIOLATION'}")
        self.lines += [f"{'':<18}   {sentence}" for sentence in wrong[:SHOWN]]
        if len(wrong) > SHOWN:
            self.lines.append(f"{'':<18}   … and {len(wrong) - SHOWN} more")
        if wrong:
            self.violations.append(name)


def read_report(path: Path) -> Deliveries:
    """Read what the sender wrote down."""
    seen = Deliveries([], set(), set(), 0)
    for line in path.read_text().splitlines():
        delivery = json.loads(line)
        answers = [Answer(*attempt) for attempt in delivery["attempts"]]
        seen.answers += answers
        seen.count += 1
        accepted = answers[-1].status is not None and 200 <= answers[-1].status < 300
        (seen.accepted if accepted else seen.given_up).add(delivery["id"])
    return seen


def judge_events(
    verdict: Verdict, story: list[Event], seen: Deliveries, connection: psycopg.Connection
) -> None:
    """Compare what was accepted, what was done and what there is with what should be."""
    rows = audit.rows(connection)
    expected = {event.message_id: event for event in story}
    lost = sorted(f"{key} was accepted and is not in the ledger" for key in seen.accepted - rows.keys())
    lost += sorted(f"{key} was never accepted" for key in expected.keys() - seen.accepted)
    for key, row in sorted(rows.items()):
        event = expected.get(key)
        if event is None:
            lost.append(f"{key} is in the ledger and was never sent")
        elif row.status != ("completed" if event.readable else "failed"):
            waits = f", waits for {row.waiting_for}" if row.waiting_for else ""
            lost.append(f"{key} ({event.event_type}) is {row.status}{waits}: {row.error or 'no error'}")
    verdict.judge("lost", f"{len(lost)} of {len(expected):,} events", lost)

    twice = [f"{key} was completed more than once" for key in audit.completed_twice(connection)]
    allowed = oracle.applications(story)
    twice += [
        f"{' '.join(map(str, key))} was written {times} times, and there were {allowed[key]} events"
        for key, times in sorted(audit.applied(connection).items())
        if times > allowed[key]
    ]
    verdict.judge("applied twice", str(len(twice)), twice)

    world = oracle.expect(story)
    wrong = oracle.differences(world, oracle.look(connection))
    size = f"{len(world.schools)} schools, {len(world.people)} people, {len(world.members)} members"
    verdict.judge(
        "final state", f"equal to the oracle's ({size})" if not wrong else f"{len(wrong)} differences", wrong
    )
    outcomes = Counter(row.outcome or row.status for row in rows.values())
    paths = Counter(row.path for row in rows.values() if row.status == "completed")
    verdict.say("outcomes", ", ".join(f"{count:,} {name}" for name, count in outcomes.most_common()))
    verdict.say("fast path", f"{paths['fast']:,} in the request, {paths['queue']:,} by workers")


def judge_answers(verdict: Verdict, seen: Deliveries, degraded: list[Window], *, limits: bool) -> None:
    """Say how long acknowledgements took, apart for undisturbed times and for those with a fault in them."""
    calm: list[Answer] = []
    disturbed: list[Answer] = []
    for answer in seen.answers:
        touched = any(answer.started < end and answer.ended > start for start, end in degraded)
        (disturbed if touched else calm).append(answer)
    for name, answers, limit in (
        ("acks, healthy", calm, HEALTHY_MS),
        ("acks, degraded", disturbed, DEGRADED_MS),
    ):
        times = [answer.milliseconds for answer in answers if answer.status == 200]
        p99 = percentile(times, 99)
        too_slow = [f"the 99th percentile may be {limit} ms"] if limits and p99 > limit else []
        verdict.judge(name, f"{_spread(times)} ({len(times):,} answers, limit {limit} ms)", too_slow)
    refused = [answer for answer in seen.answers if answer.status != 200]
    kinds = Counter("no answer" if answer.status is None else str(answer.status) for answer in refused)
    said = ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common()) or "none"
    verdict.say("sent again after", f"{said} ({_spread([answer.milliseconds for answer in refused])})")
    # The sender gets 503 while Postgres is away, and nothing else but 200.
    unknown = [
        f"{count} answers were {kind}" for kind, count in kinds.items() if kind not in ("503", "no answer")
    ]
    if unknown:
        verdict.judge("answers", "neither 200 nor 503", unknown)


def judge_recovery(verdict: Verdict, seen: Deliveries, back: list[float]) -> None:
    """Say how long after each return of Postgres the first event was accepted that was sent after it."""
    accepted = [answer for answer in seen.answers if answer.status == 200]
    waits = [
        min((answer.ended - at for answer in accepted if answer.started > at), default=math.inf) for at in back
    ]
    if waits:
        too_long = [f"it may take {RECOVERY_SECONDS} s"] if max(waits) > RECOVERY_SECONDS else []
        text = f"accepting again {max(waits):.1f} s after Postgres was back, at the latest"
        verdict.judge("recovered", text, too_long)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that ``share`` percent of all do not exceed; 0 for none at all."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * share / 100) - 1)] if ranked else 0.0


def _spread(milliseconds: list[float]) -> str:
    if not milliseconds:
        return "none"
    p50, p99 = percentile(milliseconds, 50), percentile(milliseconds, 99)
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {max(milliseconds):.0f} ms"
