"""``make races`` in short: real processes, real connections, HTTP, random walks, and the control."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240


@pytest.mark.timeout(SECONDS + 30)
def test_nobody_is_booked_twice_and_without_the_constraint_everybody_is() -> None:
    """What a line says is judged in `faults/races.py`; here, that every one of them was there and passed."""
    done = subprocess.run(
        [sys.executable, "-m", "faults.races", "--short"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, f"{said}\n{done.stderr[-3000:]}"
    assert "VIOLATION" not in said
    for line in (
        r"one slot +\d+ bookers × 3 rounds on 20 connections: 3 bookings",
        r"deadlocks +0",
        r"over HTTP .*: 2 × 201, \d+ × 409 with other times",
        r"random walks +600 steps .* done",
        r"after the walks +every promise holds",
    ):
        assert re.search(line, said), f"{line}\n{said}"
    control = re.search(r"without the constraint .*: (\d+) bookings, and it was noticed", said)
    assert control, said
    assert int(control[1]) > 3
