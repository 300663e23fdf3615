"""``make bench``: measure, print one table, keep the result.

python -m benchmarks
python -m benchmarks --only slots,availability --seconds 3 --json out.json
python -m benchmarks --quick
python -m benchmarks --write-readme          # from the last kept result, measures nothing
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks import report as reports
from benchmarks.house import House, running_house
from benchmarks.report import Report
from benchmarks.workloads import schools, security, slots, startup, web, weight, worker

RESULTS = Path(__file__).parent / "results"
PROJECT = Path(__file__).resolve().parents[1]
#: In the order in which they run: what needs a quiet machine most comes first.
PARTS = (
    "slots", "availability", "booking", "pages", "webhooks", "worker", "security", "schools", "neighbour",
    "weight", "startup",
)  # fmt: skip
OVER_HTTP: dict[str, Callable[..., None]] = {
    "availability": web.measure_availability,
    "pages": web.measure_pages,
    "booking": web.measure_booking,
    "webhooks": web.measure_webhooks,
}


def main() -> int:
    """Measure what was asked for; exit code 1 when a target was missed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="What CourseCove claims about speed.")
    parser.add_argument("--only", default="", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run (default 2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    parser.add_argument(
        "--quick", action="store_true", help="one number of connections, few sizes, a second each"
    )
    parser.add_argument(
        "--schools", default="", help="how many, as in 1000,100000 (default; --quick: 200,2000)"
    )
    parser.add_argument(
        "--bookings", type=int, default=10, help="per school of the largest database (default 10)"
    )
    parser.add_argument("--json", type=Path, help="write the result there as well")
    parser.add_argument("--keep", action="store_true", help="keep the result in benchmarks/results/")
    parser.add_argument("--write-readme", action="store_true", help="put the last kept result into README.md")
    options = parser.parse_args()
    if options.write_readme:
        return _write_readme()
    wanted = [name.strip() for name in options.only.split(",") if name.strip()] or list(PARTS)
    if unknown := sorted(set(wanted) - set(PARTS)):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    for name in list(os.environ):
        if name.startswith(("CLERK_", "DATABASE_", "REDIS_", "COURSECOVE_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    seconds, rounds = (
        (min(options.seconds, 1.0), min(options.rounds, 2))
        if options.quick
        else (
            options.seconds,
            options.rounds,
        )
    )
    began = time.monotonic()
    found = Report()
    with running_house() as house:
        with house.connect() as connection:
            run = reports.facts(connection)
        print(
            f"{run['cores']} cores, Postgres {run['postgres']}, load {run['load_before']} before anything began"
        )
        _measure(house, found, wanted, options, seconds=seconds, rounds=rounds)
    noisy = [claim.what for claim in found.claims if claim.spread > reports.QUIET]
    result = {
        "run": {**run, "took_seconds": round(time.monotonic() - began), "parts": wanted, "seconds": seconds},
        "quiet": run["load_before"] < 0.5 and len(noisy) <= len(found.claims) // 10,
        "claims": msgspec.to_builtins(found.claims),
        "remarks": found.remarks,
    }
    print("\n" + reports.table(found.claims) + "\n")
    if noisy:
        print(f"Noisy (≈): {len(noisy)} of {len(found.claims)} moved by more than a fifth within this run.")
    missed = [claim.what for claim in found.claims if claim.reached is False]
    print(f"{len(missed)} targets missed{': ' if missed else '.'}{'; '.join(missed)}")
    print(f"Took {result['run']['took_seconds']} s.")
    text = msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n"
    targets = [options.json] if options.json else []
    if options.keep:
        RESULTS.mkdir(exist_ok=True)
        targets.append(RESULTS / f"{run['measured_at'][:10]}.json")
    for path in targets:
        path.write_bytes(text)
    return 1 if missed else 0


def _measure(
    house: House, found: Report, wanted: list[str], options: argparse.Namespace, *, seconds: float, rounds: int
) -> None:
    with _announced("slots", wanted) as on:
        if on:
            slots.measure(found, seconds=seconds, quick=options.quick)
    if set(wanted) & {*OVER_HTTP, "security"}:
        with web.sides(house, seconds=seconds, rounds=rounds) as side:
            for name, measure in OVER_HTTP.items():
                with _announced(name, wanted) as on:
                    if on:
                        measure(side, found, quick=options.quick)
                        web.settle()
    with _announced("security", wanted) as on:
        if on:
            security.measure(house, found, seconds=seconds)
    with _announced("worker", wanted) as on:
        if on:
            worker.measure(house, found, quick=options.quick)
    with _announced("schools", wanted) as on:
        if on:
            sizes = options.schools or ("200,2000" if options.quick else "1000,100000")
            schools.measure(
                house, found, sizes=[int(size) for size in sizes.split(",")], bookings=options.bookings,
                seconds=seconds, rounds=rounds,
            )  # fmt: skip
    with _announced("neighbour", wanted) as on:
        if on:
            schools.measure_neighbour(house, found, seconds=seconds, rounds=rounds)
    with _announced("weight", wanted) as on:
        if on:
            weight.measure(house, found)
    with _announced("startup", wanted) as on:
        if on:
            startup.measure(house, found)


@contextmanager
def _announced(name: str, wanted: list[str]) -> Iterator[bool]:
    if name not in wanted:
        yield False
        return
    began = time.monotonic()
    print(f"\n{name}", flush=True)
    yield True
    print(f"  ({time.monotonic() - began:.0f} s)", flush=True)


def _write_readme() -> int:
    kept = sorted(RESULTS.glob("*.json"))
    if not kept:
        raise SystemExit("There is no result yet: run it with --keep first.")
    result = msgspec.json.decode(kept[-1].read_bytes())
    reports.write_readme(PROJECT / "README.md", reports.readme_table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
