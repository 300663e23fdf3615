"""The chaos of ``make chaos`` in short: the real processes, killed and restarted, and the controls."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Starting takes most of it; the last killed worker's lease runs for 20 seconds.
SECONDS = 150

Runs = tuple[subprocess.Popen[str], subprocess.Popen[str]]

pytestmark = pytest.mark.timeout(SECONDS + 30)


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "faults.chaos", "--minutes", "2", *options]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        said, _ = process.communicate(timeout=SECONDS)
    finally:
        # It ends what it started when it is asked to.
        if process.poll() is None:
            process.terminate()
            process.wait()
    return process.returncode, said


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """Both runs at once: one waits for leases to run out most of the time."""
    chaos = start(
        *("--events", "300", "--kills", "3", "--valkey-restarts", "2", "--flushes", "1"),
        # With this seed the kills come first, so that there is less left to wait for at the end.
        *("--postgres-restarts", "1", "--no-latency", "--seed", "11"),
    )
    controls = start("--break", "dedupe", "--break", "version-guard", "--break", "tombstones")
    try:
        yield chaos, controls
    finally:
        for process in (chaos, controls):
            if process.poll() is None:
                process.terminate()
                process.wait()


def test_nothing_is_lost_or_done_twice_while_workers_valkey_and_postgres_go_away(runs: Runs) -> None:
    code, said = end(runs[0])

    assert code == 0, said
    assert line("worker kills", said).startswith("3 with SIGKILL"), said
    assert line("restarts", said) == "2 of Valkey (1 with FLUSHALL), 1 of Postgres", said
    assert line("lost", said) == "0 of 300 events", said
    assert line("applied twice", said) == "0", said
    assert line("final state", said).startswith("equal to the oracle's"), said
    assert line("verdict", said) == "passed", said


def test_the_verdict_notices_when_a_guard_is_gone(runs: Runs) -> None:
    code, said = end(runs[1])

    assert code == 1, said
    verdicts = re.findall(r"^without (\S+)$.*?^  verdict +(.*?)$", said, re.MULTILINE | re.DOTALL)
    assert dict(verdicts) == {
        "dedupe": "VIOLATED: applied twice",
        "version-guard": "VIOLATED: final state",
        "tombstones": "VIOLATED: final state",
    }, said


def line(name: str, said: str) -> str:
    found = re.search(rf"^  {re.escape(name)} +(.*?)$", said, re.MULTILINE)
    assert found is not None, said
    return found[1]
