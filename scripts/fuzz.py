"""Hold the API against its own document, with tens of thousands of generated requests per role.

Starts its own Postgres, Valkey and stand-in for Clerk, opens the demo's
schools, serves the application and asks as a visitor, a student, an instructor
and an admin.  Refused: any 5xx, an undocumented status or content type, an
answer that does not fit its schema, and a broken request that is accepted.

    make fuzz
    .venv/bin/python scripts/fuzz.py --cases 2000 --seconds 120 --seed 7

Exit codes: 0 nothing found and all cases made, 1 something found, 3 out of time
before all cases were made.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from coursecove.app import create_app
from tests.fuzzing.engine import Report, lines_of
from tests.fuzzing.processes import end_with_parent
from tests.fuzzing.school import ROLES, SLUG, fuzzer_for
from tests.fuzzing.services import Place, running_services
from tests.serving import serving

EVERY_SECONDS = 30.0


def fuzz_one(place: Place, cases: int, seconds: float, seed: int) -> dict[str, Report]:
    """Serve the application in this process and fuzz it as everybody."""
    end_with_parent()
    logging.disable(logging.INFO)
    with serving(create_app(place.settings), place.settings.port) as address:
        fuzzer = fuzzer_for(settings=place.settings, address=address, token=place.token, seed=seed)
        return fuzzer.run(cases, seconds=seconds, after_each=_Progress(seed))


class _Progress:
    """Says every now and then how far a process is, and at once what it found."""

    def __init__(self, seed: int) -> None:
        self._name = f"seed {seed}"
        self._said = time.monotonic()
        self._known: set[tuple[str, str, str]] = set()

    def __call__(self, reports: dict[str, Report]) -> None:
        for role, report in reports.items():
            for key, finding in report.findings.items():
                if (role, *key) not in self._known:
                    self._known.add((role, *key))
                    text = f"  ✗ {role}: {finding.operation}: {finding.complaint}\n{finding.reproduction}"
                    print(text, file=sys.stderr, flush=True)
        if time.monotonic() - self._said < EVERY_SECONDS:
            return
        self._said = time.monotonic()
        cases = min(report.cases for report in reports.values())
        found = sum(len(report.findings) for report in reports.values())
        print(
            f"  {self._name}: {cases:,} cases per role, {found} kinds of failures", file=sys.stderr, flush=True
        )


def main() -> int:
    arguments = _arguments()
    for name in list(os.environ):
        if name.startswith(("CLERK_", "DATABASE_", "REDIS_", "COURSECOVE_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    logging.disable(logging.INFO)
    began = time.monotonic()
    print(
        f"Fuzzing /api/v1 as {', '.join(ROLES)}: {arguments.cases:,} cases each, seed {arguments.seed}, "
        f"{arguments.processes} processes, {arguments.seconds:,.0f} s at most",
        flush=True,
    )
    people = [(email, SLUG) for email in ROLES.values() if email]
    reports = {role: Report(role) for role in ROLES}
    share = -(-arguments.cases // arguments.processes)
    with (
        tempfile.TemporaryDirectory(prefix="coursecove-fuzz-") as folder,
        running_services(Path(folder)) as run,
    ):
        places = [run.place(f"fuzz_{number}", people) for number in range(arguments.processes)]
        # Not forked: the servers' threads of this process are not to be copied.
        with ProcessPoolExecutor(arguments.processes, multiprocessing.get_context("spawn")) as pool:
            running = [
                pool.submit(fuzz_one, place, share, arguments.seconds, arguments.seed * 1000 + number)
                for number, place in enumerate(places)
            ]
            for future in running:
                for role, report in future.result().items():
                    reports[role].add(report)
    for report in reports.values():
        print("\n".join(lines_of(report)))
    return _verdict(reports, arguments.cases, time.monotonic() - began)


def _verdict(reports: dict[str, Report], wanted: int, seconds: float) -> int:
    found = sum(len(report.findings) for report in reports.values())
    fewest = min(report.cases for report in reports.values())
    total = sum(report.cases + report.rough for report in reports.values())
    print(f"{total:,} requests in {seconds:,.0f} s, at least {fewest:,} cases per role: ", end="")
    if found:
        print(f"{found} kinds of failures")
        return 1
    if fewest < wanted:
        print(f"no failures, but out of time before {wanted:,}")
        return 3
    print("no 5xx, nothing undocumented, nothing broken accepted")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz the API against its OpenAPI document.")
    parser.add_argument("--cases", type=int, default=50_000, help="cases per role (default 50000)")
    parser.add_argument("--seconds", type=float, default=5400, help="stop after that long (default 5400)")
    parser.add_argument(
        "--seed", type=int, default=53, help="the same seed makes the same requests (default 53)"
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=min(4, os.cpu_count() or 1),
        help="processes, each with an application and a database of its own (default: one per core, 4 at most)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
