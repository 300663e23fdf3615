"""What was claimed, what was measured, and the table that says so."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import psycopg

MARKERS = ("<!-- benchmarks: begin -->", "<!-- benchmarks: end -->")
#: The same thing measured several times in one run may differ so much, (largest - smallest) / median.
QUIET = 0.2


class Claim(msgspec.Struct):
    """One line of the table.

    ``ratio`` is ours / floor for rates, and for times the other way round is
    never taken: it is what the target speaks of.  ``reached`` None: measured, no target.
    """

    part: str
    what: str
    floor: float | None
    ours: float
    unit: str
    ratio: float | None = None
    target: str = ""
    reached: bool | None = None
    spread: float = 0.0
    note: str = ""
    details: dict[str, Any] = {}


@dataclass
class Report:
    """Collects claims while they are measured, and says each as it comes."""

    claims: list[Claim] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, claim: Claim) -> None:
        """Take a claim in."""
        self.claims.append(claim)
        print(_line(claim), flush=True)

    def remark(self, text: str) -> None:
        """Take in a sentence that belongs beside the table."""
        self.remarks.append(text)
        print(f"  · {text}", flush=True)


def median(values: Iterable[float]) -> float:
    """Return the middle of the values."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> float:
    """Return how far values of one thing lie apart, in parts of their median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def against(
    part: str,
    what: str,
    floors: Sequence[float],
    ours: Sequence[float],
    *,
    unit: str,
    target: str = "",
    holds: Callable[[float], bool] | None = None,
    **more: Any,
) -> Claim:
    """Return a claim from several measurements of the floor and of ours, taken in turn."""
    floor, mine = median(floors), median(ours)
    ratio = mine / floor if floor else 0.0
    return Claim(
        part,
        what,
        floor,
        mine,
        unit,
        ratio=ratio,
        target=target,
        reached=None if holds is None else holds(ratio),
        spread=max(spread(floors), spread(ours)),
        **more,
    )


def facts(connection: psycopg.Connection) -> dict[str, Any]:
    """Return when and on what this was measured."""
    row = connection.execute("show server_version").fetchone()
    assert row is not None
    memory = int(next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines()))
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**20),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "postgres": str(row[0]).split(" ")[0],
        "packages": {
            name: version(name)
            for name in ("litestar", "uvicorn", "sqlalchemy", "psycopg", "msgspec", "dramatiq")
        },
        "load_before": round(os.getloadavg()[0], 2),
    }


def table(claims: Sequence[Claim]) -> str:
    """Return the claims as one Markdown table."""
    lines = ["| what | floor | ours | ratio | target | |", "|---|--:|--:|--:|---|---|"]
    for claim in claims:
        noisy = " ≈" if claim.spread > QUIET else ""
        lines.append(
            f"| {claim.what} | {_figure(claim.floor, claim.unit)} | {_figure(claim.ours, claim.unit)}{noisy} "
            f"| {_ratio(claim)} | {claim.target} | {_verdict(claim)} |"
        )
    return "\n".join(lines)


def readme_table(result: dict[str, Any]) -> str:
    """Return what stands between the markers of the README: lines with a target, and where the rest is."""
    claims = msgspec.convert(result["claims"], list[Claim])
    run = result["run"]
    noise = "" if result["quiet"] else " The machine was not quiet: lines with ≈ moved by more than a fifth."
    return (
        f"Measured on {run['measured_at'][:10]}, {run['cores']} cores, {run['memory_gib']} GiB, "
        f"Python {run['python']}, Postgres {run['postgres']}, everything on one machine.{noise}\n\n"
        + table([claim for claim in claims if claim.target])
    )


def write_readme(readme: Path, text: str) -> None:
    """Put ``text`` between the markers."""
    whole = readme.read_text(encoding="utf-8")
    before, begin, rest = whole.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    if not begin or not end:
        raise SystemExit(f"{readme} has no line {MARKERS[0]} followed by {MARKERS[1]}")
    readme.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _line(claim: Claim) -> str:
    floor = f"floor {_figure(claim.floor, claim.unit)}, " if claim.floor is not None else ""
    aim = f", target {claim.target} {_verdict(claim)}" if claim.target else ""
    noise = f", spread {claim.spread:.0%}" if claim.spread > QUIET else ""
    note = f" ({claim.note})" if claim.note else ""
    return f"  {claim.what}: {floor}ours {_figure(claim.ours, claim.unit)}, ratio {_ratio(claim)}{aim}{noise}{note}"


def _ratio(claim: Claim) -> str:
    if claim.ratio is None:
        return "–"
    return f"{claim.ratio:.0%}" if claim.unit == "/s" else f"{claim.ratio:.2f}×"


def _verdict(claim: Claim) -> str:
    return "" if claim.reached is None else "✓" if claim.reached else "✗"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "/s":
        return f"{value:,.0f}/s"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}"
