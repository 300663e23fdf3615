"""How soon it is there, and how much it keeps."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.house import BASE_DOMAIN, House, Load, request
from benchmarks.report import Claim, Report
from benchmarks.world import School, begins_at, load
from coursecove.dev.daemons import die_with_parent
from coursecove.dev.processes import wait_for
from faults.house import CHECKOUT_PATH, Process, quiet_port

COLD_SECONDS, WARM_SECONDS = 5.0, 3.0
WEB_MB, WORKER_MB = 180.0, 150.0
_READY = 90.0


def measure(house: House, report: Report) -> None:
    """Start the demo cold and warm, then weigh one web process and one worker that have worked."""
    with tempfile.TemporaryDirectory(prefix="coursecove-demo-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        for what, limit in (("cold, everything made anew", COLD_SECONDS), ("warm", WARM_SECONDS)):
            seconds = _demo(home)
            report.add(
                Claim(
                    "startup",
                    f"Demo from the command to ready, {what}",
                    None,
                    seconds,
                    "s",
                    target=f"≤ {limit:g} s",
                    reached=seconds <= limit,
                )
            )
    _memory(house, report)


def _demo(home: Path) -> float:
    port = quiet_port()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": CHECKOUT_PATH,
        "COURSECOVE_HOME": str(home / "state"),
        "PORT": str(port),
        "NO_PROXY": "127.0.0.1,localhost",
    }
    began = time.monotonic()
    with (home / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "coursecove", "demo"],
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
    try:
        while b"ready http" not in (home / "demo.log").read_bytes():
            if process.poll() is not None or time.monotonic() - began > _READY:
                raise RuntimeError(f"the demo did not start:\n{(home / 'demo.log').read_text()[-2000:]}")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _memory(house: House, report: Report) -> None:
    school = School("bench-memory", instructors=20, students=40, bookings=100)
    with house.connect() as connection:
        if connection.execute("select 1 from organizations where id = %s", [school.id]).fetchone() is None:
            load(connection, [school], begins_at())
    asks = Load(house.home)
    port = quiet_port()
    host = f"{school.slug}.{BASE_DOMAIN}"
    token = house.token(school.clerk_id("student"), school.slug)
    pages = [
        request("GET", "/", host, headers={"Accept": "text/html"}),
        request("GET", f"/api/v1/availability?appointment_type_id={school.type_id}", host),
        request("GET", "/lessons", host, cookie=f"__session={token}; __client_uat=1"),
    ]
    try:
        with house.running("coursecove", "serve", PORT=str(port)) as web:
            house.wait_until_ready(web, port)
            asks.ask(port, pages, connections=8, seconds=4.0)
            _weigh(report, "one web process", web, WEB_MB)
        with house.running("coursecove", "worker") as worker:
            wait_for(worker.says("worker_started"), timeout_seconds=60, watch=lambda: None)
            time.sleep(4)
            _weigh(report, "one worker", worker, WORKER_MB)
    finally:
        asks.close()


def _weigh(report: Report, what: str, process: Process, limit: float) -> None:
    megabytes = resident_mb(process)
    report.add(
        Claim(
            "startup",
            f"Resident memory, {what} after work",
            None,
            megabytes,
            "MB",
            target=f"≤ {limit:g} MB",
            reached=megabytes <= limit,
        )
    )


def resident_mb(process: Process) -> float:
    """Return the resident set of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
