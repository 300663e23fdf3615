"""Run the isolation matrices and print what they compared, and what leaked.

    make isolation
    make isolation ISOLATION_ARGS="--pgbouncer"
    .venv/bin/python scripts/isolation_report.py --units 20000

Exit code: that of the tests; 1 as well when a figure stays below what it has to be.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.isolation.tally import VARIABLE, counted  # noqa: E402

Counts = list[dict[str, Any]]
Line = tuple[str, str, bool]
#: Fewer than this would be another promise than the one made in docs/operations/reliability.md.
FEWEST_MUTANTS = 20
FEWEST_UNITS = 10_000


def lines_of(counts: Counts) -> Iterator[Line]:
    """Yield what was compared, in how many cells and with what result, and whether that is as it has to be."""

    def of(what: str) -> Counts:
        return [one for one in counts if one["what"] == what]

    for one in of("catalogue"):
        tables = len(one["tables"])
        yield (
            "catalogue",
            f"{tables} tenant tables from the catalogue, {len(one['complaints'])} complaints",
            tables > 0 and not one["complaints"],
        )
    rows = of("rows")
    for one in rows:
        size = f"{one['tables']} tables × {len(one['verbs'])} verbs × own, foreign, unset"
        yield (
            f"rows, {one['role']}",
            f"{size} = {one['cells']} cells, {len(one['leaks'])} leaks",
            not one["leaks"],
        )
    leaks = sum(len(one["leaks"]) for one in rows)
    cells = sum(one["cells"] for one in rows)
    yield "rows, all roles", f"{cells} cells, {leaks} leaks", len(rows) == 3 and not leaks
    keys = of("foreign key")
    yield _all("foreign keys × a foreign id", "refused", keys, "refused")
    for one in of("persons"):
        size = f"{one['tables']} tables × {one['people']} people, reading and changing"
        yield "persons of one school", f"{size}: {len(one['leaks'])} leaks", not one["leaks"]
    yield from _mutants(of("policy mutant"), of("schema mutant"))
    yield from _routes(of("router"), of("audience"), of("route"), of("inside"))
    yield _all("page forms × a field that is not theirs", "refused", of("unknown field"), "refused")
    for one in of("units"):
        ends = ", ".join(f"{times:,} {end}" for end, times in sorted(one["ends"].items()))
        left = f"“{one['residue']}” left" if one["residue"] else "nothing left"
        yield (
            "one pooled connection",
            f"{one['units']:,} interleaved units ({ends}), {left}",
            not one["residue"] and one["units"] >= FEWEST_UNITS,
        )


def _all(title: str, verb: str, found: Counts, key: str) -> Line:
    good = sum(one[key] for one in found)
    return title, f"{len(found)} tried, {good} {verb}", bool(found) and good == len(found)


def _mutants(policies: Counts, schemas: Counts) -> Iterator[Line]:
    harmful = [one for one in policies if not one["harmless"]]
    harmless = len(policies) - len(harmful)
    note = f" ({harmless} more that open nothing, and look it)" if harmless else ""
    title, text, good = _all("policy mutants, by the matrices", "caught", harmful, "caught")
    yield title, text + note, good and len(harmful) >= FEWEST_MUTANTS
    title, text, good = _all("schema mutants, by the catalogue", "caught", schemas, "caught")
    yield title, text, good and len(schemas) >= FEWEST_MUTANTS


def _routes(router: Counts, audience: Counts, compared: Counts, inside: Counts) -> Iterator[Line]:
    for one in router:
        yield (
            "routes",
            f"{one['routes']} from the router, {one['described']} described",
            one["routes"] == one["described"],
        )
    people = len({one["role"] for one in audience})
    yield _all(f"routes × {people} people: let in or not", "as written", audience, "as_written")
    different = sum(not one["same"] for one in compared)
    statuses = Counter(one["status"] for one in compared)
    answers = ", ".join(f"{status} × {times}" for status, times in sorted(statuses.items()))
    routes, people = len({one["route"] for one in compared}), len({one["role"] for one in compared})
    yield (
        "foreign id against random id",
        f"{routes} routes with ids × {people} people = {len(compared)} comparisons, "
        f"{different} with another byte ({answers})",
        bool(compared) and not different,
    )
    yield _all("ids inside bodies and queries", "the same", inside, "same")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the isolation matrices and print their figures.")
    parser.add_argument(
        "--units", type=int, default=FEWEST_UNITS, help="units of work over the pool of one (default 10000)"
    )
    parser.add_argument(
        "--pgbouncer", action="store_true", help="reach Postgres through pgbouncer in transaction mode"
    )
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coursecove-isolation-") as folder:
        environment = os.environ | {VARIABLE: folder, "ISOLATION_UNITS": str(arguments.units)}
        tests = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pytest",
                    "tests/isolation",
                    "-q",
                    "--no-header",
                    "-p",
                    "no:cacheprovider",
                ),
                *("--show-capture=no", "--timeout=1800"),
                *(["--pgbouncer"] if arguments.pgbouncer else []),
            ],
            cwd=ROOT,
            env=environment,
            check=False,
        ).returncode
        found = list(lines_of(counted(Path(folder))))
    through = " through pgbouncer" if arguments.pgbouncer else ""
    print(f"\nIsolation{through}, measured in {time.monotonic() - began:,.0f} s:")
    width = max(len(title) for title, _, _ in found)
    for title, text, good in found:
        print(f"  {'✓' if good else '✗'} {title.ljust(width)}  {text}")
    return tests or int(not all(good for _, _, good in found))


if __name__ == "__main__":
    sys.exit(main())
