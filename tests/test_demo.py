"""`coursecove demo`: an empty folder becomes three schools, and no process stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from coursecove.config import read_env_file
from coursecove.dev.clerk.world import PEOPLE, SCHOOLS
from coursecove.dev.daemons import port_is_free
from tests.patience import patience
from tests.serving import free_port

#: Generous: the machine may be busy with something else.
PATIENCE_SECONDS = 90
MARKER = "COURSECOVE_TEST_MARKER"
COMMAND = [sys.executable, "-m", "coursecove", "demo"]


@dataclass
class Demo:
    """A running demo: its process, what it has said so far, and what tells its children from others."""

    process: subprocess.Popen[str]
    output: list[str]
    home: Path
    port: int
    marker: str
    started_in_seconds: float

    @property
    def text(self) -> str:
        """Everything it has said."""
        return "".join(self.output)


def _environment(home: Path, port: int, marker: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PORT": str(port),
        "COURSECOVE_HOME": str(home),
        "CLERK_WEBHOOK_SECRET": "whsec_Y2hvc2VuLWJ5LXRoZS1jYWxsZXItb2YtdGhpcy1kZW1v",
        MARKER: marker,
    }


def _start(home: Path, port: int) -> Demo:
    marker = uuid.uuid4().hex
    began = time.monotonic()
    process = subprocess.Popen(
        COMMAND,
        env=_environment(home, port, marker),
        cwd=home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    output = []
    watchdog = _deadline(process)
    try:
        for line in process.stdout:
            output.append(line)
            if line.startswith("ready "):
                break
        else:
            pytest.fail(f"The demo ended ({process.wait()}):\n{''.join(output)}")
    finally:
        watchdog.cancel()
    return Demo(process, output, home, port, marker, time.monotonic() - began)


def _deadline(process: subprocess.Popen[str]) -> threading.Timer:
    timer = threading.Timer(PATIENCE_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    return timer


Process = tuple[int, str]
"""A pid, and when it started: a pid alone is handed out again."""


def _processes() -> dict[Process, tuple[int, str, bytes]]:
    """Return everything that lives: its parent, its command line and its environment where it may be read."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] in "ZX":
                continue
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = b""
            with contextlib.suppress(OSError):
                environment = (folder / "environ").read_bytes()
            found[int(folder.name), fields[19]] = (int(fields[1]), command, environment)
    return found


def _family(demo: Demo) -> dict[Process, str]:
    """Return the demo's process and what it started, or what carries its marker, wherever it hangs now."""
    processes = _processes()
    wanted = f"{MARKER}={demo.marker}".encode()
    family = {key for key, (_, _, env) in processes.items() if wanted in env.split(b"\0")}
    family |= {key for key in processes if key[0] == demo.process.pid}
    grown = True
    while grown:
        pids = {pid for pid, _ in family}
        more = {key for key, (parent, _, _) in processes.items() if parent in pids} - family
        family |= more
        grown = bool(more)
    return {key: processes[key][1] for key in family}


def _left_after(demo: Demo, family: dict[Process, str], seconds: float) -> dict[Process, str]:
    """Return what of the family, or of its marker, still lives then; early when nothing does."""
    deadline = time.monotonic() + seconds
    while True:
        left = {key: family[key] for key in family.keys() & _processes().keys()} | _family(demo)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


PARTS = (" serve", " worker", " services", "postgres", "valkey")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "state"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def demo(home: Path, port: int) -> Iterator[Demo]:
    """The first start. What ends it is a test; this only makes sure."""
    running = _start(home, port)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(patience(20))


def test_the_last_line_before_serving_says_where_it_is(demo: Demo) -> None:
    assert demo.output[-1] == f"ready http://musicschool.coursecove.localhost:{demo.port}\n"


def test_the_table_says_where_everything_is_and_how_to_sign_in(demo: Demo) -> None:
    school = f"http://musicschool.coursecove.localhost:{demo.port}"
    for said in (
        f"{school}\n",
        f"{school}/teach\n",
        f"{school}/admin\n",
        f"{school}/api/v1/docs\n",
        f"http://yoga.coursecove.localhost:{demo.port}",
        f"http://tutoring.coursecove.localhost:{demo.port}",
        "http://clerk.coursecove.localhost:",
        "http://mail.coursecove.localhost:",
        "Clara Weiss (admin)",
        "Mia Okafor (student)",
        "Sign in",
    ):
        assert said in demo.text, said


def test_people_came_in_through_signed_webhooks(demo: Demo) -> None:
    """As many events as there are people, schools and memberships; done, and nothing left over."""
    people = {person.clerk_id for person in PEOPLE}
    expected = {
        ("user.created", "completed", len(people)),
        ("organization.created", "completed", len(SCHOOLS)),
        ("organizationMembership.created", "completed", sum(len(s.people) for s in SCHOOLS)),
    }
    with psycopg.connect(_env(demo)["DATABASE_PLATFORM_URL"]) as connection:
        found = connection.execute(
            "select event_type, status, count(*) from webhook_events "
            # Signing in to set the schools up makes events, too.
            "where event_type like '%.created' and event_type <> 'session.created' group by 1, 2"
        ).fetchall()
    assert set(found) == expected


def test_a_secret_of_ones_own_is_honoured(demo: Demo) -> None:
    """The events above were signed with it: an event signed otherwise is refused."""
    assert _env(demo)["CLERK_WEBHOOK_SECRET"] == _environment(demo.home, 1, "")["CLERK_WEBHOOK_SECRET"]
    headers = {"svix-id": "msg_x", "svix-timestamp": str(int(time.time())), "svix-signature": "v1,AAAA"}
    refused = httpx.post(
        f"http://127.0.0.1:{demo.port}/api/webhooks/clerk", headers=headers, content="{}", trust_env=False
    )
    assert refused.status_code == 400


def test_pages_api_and_mailbox_answer(demo: Demo) -> None:
    address = f"http://127.0.0.1:{demo.port}"

    def get(host: str, path: str, at: str = address) -> httpx.Response:
        return httpx.get(at + path, headers={"Host": host}, trust_env=False, timeout=20)

    school = f"musicschool.coursecove.localhost:{demo.port}"
    assert "Piano lesson" in get(school, "/").text
    assert get(school, "/api/v1/organization").json()["name"] == "Harmony Music School"
    assert "Stillwater Yoga" in get(f"coursecove.localhost:{demo.port}", "/").text
    assert get("localhost", "/health/ready").json()["status"] == "ready"
    mailbox = _env(demo)["MAILBOX_URL"].rpartition(":")[2]
    assert get("mail.coursecove.localhost", "/", f"http://127.0.0.1:{mailbox}").status_code == 200


def test_the_first_lessons_are_booked(demo: Demo) -> None:
    with psycopg.connect(_env(demo)["DATABASE_PLATFORM_URL"]) as connection:
        (events,) = connection.execute("select count(*) from events").fetchone() or (0,)
    assert events > 20


def test_the_settings_of_the_demo_are_kept_for_the_other_commands_and_for_nobody_else(demo: Demo) -> None:
    assert (demo.home / "env").stat().st_mode & 0o777 == 0o600
    assert MARKER not in _env(demo)
    answer = subprocess.run(
        [sys.executable, "-m", "coursecove", "tenants", "list"],
        env={"PATH": os.environ["PATH"], "COURSECOVE_HOME": str(demo.home)},
        cwd=demo.home,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Harmony Music School" in answer.stdout


def test_a_taken_port_is_one_line(demo: Demo, tmp_path: Path) -> None:
    answer = subprocess.run(
        COMMAND,
        env=_environment(tmp_path / "state", demo.port, "another"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 1
    (line,) = (answer.stdout + answer.stderr).splitlines()
    assert f"Port {demo.port} is taken" in line
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PORT": "http"}, "PORT=http is not a port number."),
        ({"APP_ENV": "production"}, "The demo does not run with APP_ENV=production."),
    ],
)
def test_what_cannot_be_started_is_one_line(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    answer = subprocess.run(
        COMMAND,
        env=_environment(tmp_path / "state", free_port(), "refused") | changes,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (answer.returncode, (answer.stdout + answer.stderr).strip()) == (1, said)


def test_sigterm_ends_every_child_within_five_seconds(demo: Demo) -> None:
    family = _family(demo)
    # The control: the scan finds all of them.
    for part in PARTS:
        assert any(part in command for command in family.values()), (part, family)
    began = time.monotonic()
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(patience(20)) == 0
    assert _left_after(demo, family, patience(5) - (time.monotonic() - began)) == {}
    assert time.monotonic() - began < patience(5)
    assert port_is_free(demo.port)


def test_a_second_start_keeps_the_data_and_dies_with_its_parent(demo: Demo) -> None:
    """Started by a shell that is then killed in a way nobody can react to."""
    before = _env(demo)
    marker = uuid.uuid4().hex
    began = time.monotonic()
    parent = subprocess.Popen(
        ["/bin/sh", "-c", '"$@" & wait', "sh", *COMMAND],
        env=_environment(demo.home, demo.port, marker),
        cwd=demo.home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    again = Demo(parent, [], demo.home, demo.port, marker, 0)
    watchdog = _deadline(parent)
    family: dict[Process, str] = {}
    try:
        assert parent.stdout is not None
        for line in parent.stdout:
            again.output.append(line)
            if line.startswith("ready "):
                break
        again.started_in_seconds = time.monotonic() - began
        assert again.output[-1].startswith("ready "), again.text
        assert "Opening" not in again.text
        after = _env(again)
        assert after["DATABASE_URL"].partition("@")[0] == before["DATABASE_URL"].partition("@")[0]
        assert after["CLERK_PUBLISHABLE_KEY"] == before["CLERK_PUBLISHABLE_KEY"]
        with psycopg.connect(after["DATABASE_PLATFORM_URL"]) as connection:
            (people,) = connection.execute("select count(*) from users").fetchone() or (0,)
        assert people == len(PEOPLE)
        assert again.started_in_seconds < 20
        family = _family(again)
        for part in PARTS:
            assert any(part in command for command in family.values()), (part, family)
    finally:
        watchdog.cancel()
        parent.kill()
        parent.wait()
        left = _left_after(again, family, 15)
        for pid, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert left == {}


def _env(demo: Demo) -> dict[str, str]:
    return read_env_file(demo.home / "env")
