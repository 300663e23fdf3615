"""The supervisor from outside: a real process, real commands, and nothing left of them afterwards."""

import http.server
import io
import os
import pty
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from coursecove.dev.processes import ChildEnded, NotReady, Supervisor, wait_for
from tests.patience import patience

# Commands to be started: each says that it is there, so that the test does not act too early.
SLEEPER = "echo here; exec sleep 60"
STUBBORN = "trap '' TERM; echo here; while :; do sleep 1; done"
# A worker that outlives its command, ignores SIGTERM and has a session of its own.
RUNAWAY = "setsid sh -c \"trap '' TERM; echo here; while :; do sleep 1; done\" & wait"
WORKER = "sh -c \"trap '' TERM; echo here; while :; do sleep 1; done\" & wait"


class Run:
    """A supervisor in a process of its own, every process of which carries a mark."""

    def __init__(
        self,
        body: str,
        *,
        wrap: tuple[str, ...] = (),
        stdout: int = subprocess.PIPE,
        hangups: str = "SIG_DFL",
        path: str | None = None,
    ) -> None:
        self.mark = f"COURSECOVE_TEST_MARK={secrets.token_hex(8)}"
        name, _, value = self.mark.partition("=")
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        script = (
            "import signal, sys, time\nfrom coursecove.dev.processes import Supervisor\n"
            # Not what the tests themselves were started with: nohup would decide the outcome.
            f"signal.signal(signal.SIGHUP, signal.{hangups})\n"
            f"with Supervisor() as supervisor:\n{lines}\nsys.exit(supervisor.exit_code)\n"
        )
        self.process = subprocess.Popen(
            [*wrap, sys.executable, "-c", script],
            stdout=stdout,
            stderr=subprocess.STDOUT,
            env={**os.environ, name: value, "PATH": path or os.environ["PATH"]},
            start_new_session=True,
        )

    def read_until(self, wanted: str, *, times: int = 1) -> str:
        assert self.process.stdout is not None
        seen = ""
        while seen.count(wanted) < times:
            line = self.process.stdout.readline().decode()
            assert line, f"{wanted!r} never came: {seen}"
            seen += line
        return seen

    def living(self) -> list[str]:
        """Give the command lines of what still runs, zombies left out."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((folder / "cmdline").read_text().replace("\0", " ") or folder.name)
            except OSError:
                continue
        return found

    def rest(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read().decode()


def shell(name: str, command: str) -> str:
    return f"supervisor.start({name!r}, ['/bin/sh', '-c', {command!r}])"


def gone(run: Run, *, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while run.living():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Whatever a failing test leaves behind is ended here, by process id."""
    started: list[Run] = []
    yield started
    for run in started:
        run.process.kill()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if run.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue
        if run.process.stdout is not None:
            run.process.stdout.close()
        run.process.wait()


@pytest.mark.parametrize("wanted", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_wished_stop_ends_everything_quickly_with_exit_code_0(
    runs: list[Run], wanted: signal.Signals
) -> None:
    run = Run(f"{shell('web', SLEEPER)}\n{shell('worker', SLEEPER)}\nsupervisor.wait()")
    runs.append(run)
    run.read_until("here", times=2)
    began = time.monotonic()
    run.process.send_signal(wanted)
    assert run.process.wait(patience(5)) == 0
    assert time.monotonic() - began < patience(5)
    assert run.living() == []
    assert "Traceback" not in run.rest()


def test_whoever_asked_to_outlive_the_terminal_does(runs: list[Run]) -> None:
    """Under nohup the hangup is ignored when we start, and stays so."""
    run = Run(f"{shell('web', SLEEPER)}\nsupervisor.wait()", hangups="SIG_IGN")
    runs.append(run)
    run.read_until("here")
    run.process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        run.process.wait(0.5)
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(patience(5)) == 0


def test_commands_that_ignore_the_wish_are_killed_within_five_seconds(runs: list[Run]) -> None:
    run = Run(f"{shell('stubborn', STUBBORN)}\n{shell('runaway', RUNAWAY)}\nsupervisor.wait()")
    runs.append(run)
    run.read_until("here", times=2)
    began = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(patience(6)) == 0
    assert 2.5 < time.monotonic() - began < patience(5)
    assert run.living() == []


def test_a_second_signal_does_not_wait(runs: list[Run]) -> None:
    run = Run(f"{shell('stubborn', STUBBORN)}\nsupervisor.wait()")
    runs.append(run)
    run.read_until("here")
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(patience(1.5)) == 0
    assert run.living() == []


@pytest.mark.parametrize(
    ("end", "how"), [("exit 3", "exit code 3"), ("exit 0", "exit code 0"), ("kill -9 $$", "SIGKILL")]
)
def test_a_command_that_dies_unasked_is_named_and_ends_the_rest(runs: list[Run], end: str, how: str) -> None:
    run = Run(f"{shell('web', SLEEPER)}\n{shell('worker', f'echo last words; {end}')}\nsupervisor.wait()")
    runs.append(run)
    said = run.rest()
    assert run.process.wait(patience(5)) == 1
    assert "worker   | last words\n" in said
    assert said.splitlines()[-1] == f"worker has ended unexpectedly ({how})."
    assert run.living() == []


def test_nothing_survives_when_the_supervisor_itself_is_killed(runs: list[Run]) -> None:
    run = Run(f"{shell('web', SLEEPER)}\n{shell('worker', WORKER)}\nsupervisor.wait()")
    runs.append(run)
    run.read_until("here", times=2)
    assert len(run.living()) >= 5
    run.process.kill()
    assert gone(run, within_seconds=patience(6)), run.living()


def test_a_worker_with_a_session_of_its_own_does_not_survive_either(runs: list[Run]) -> None:
    """Seen to fail while the watchdog knew nothing but process groups: the worker had left its own."""
    run = Run(f"{shell('runaway', RUNAWAY)}\nsupervisor.wait()")
    runs.append(run)
    run.read_until("here")
    run.process.kill()
    assert gone(run, within_seconds=patience(6)), run.living()


def test_the_clock_and_not_the_naps_says_when_asking_is_over(runs: list[Run], tmp_path: Path) -> None:
    """Naps take long on a busy machine; here each takes four seconds.  Fifteen of them were waited for once."""
    (tmp_path / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 4\n")
    (tmp_path / "sleep").chmod(0o755)
    run = Run(
        f"{shell('worker', WORKER)}\nsupervisor.wait()", path=f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    )
    runs.append(run)
    run.read_until("here")
    began = time.monotonic()
    run.process.kill()
    assert gone(run, within_seconds=patience(9)), run.living()
    # The control: it was asked first, and had the time to follow.
    assert time.monotonic() - began > 2


def test_a_watchdog_that_is_ended_is_replaced(runs: list[Run]) -> None:
    body = (
        "import os, signal\n"
        f"{shell('worker', WORKER)}\n"
        "os.kill(supervisor._watchdog.pid, signal.SIGKILL)\n"
        "supervisor._watchdog.wait()\n"
        f"{shell('web', SLEEPER)}\nsupervisor.wait()"
    )
    run = Run(body)
    runs.append(run)
    run.read_until("here", times=2)
    run.process.kill()
    assert gone(run, within_seconds=patience(6)), run.living()


def test_nothing_survives_a_supervisor_that_is_killed_right_after_a_start(
    runs: list[Run],
) -> None:
    """The last moment in which only the command itself can have told the watchdog that it is there.

    With the naming moved behind the start, as it once was, the command lives on.
    """
    body = (
        "import os, signal\nfrom coursecove.dev import processes\n"
        "def killed(name, process, output):\n"
        "    process.stdout.readline()\n"
        "    print('here', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        f"processes.Child = killed\n{shell('stubborn', STUBBORN)}"
    )
    run = Run(body)
    runs.append(run)
    run.read_until("here")
    assert run.process.wait(patience(5)) == -signal.SIGKILL
    assert gone(run, within_seconds=patience(6)), run.living()


def test_everything_ends_when_the_parent_of_the_supervisor_dies(runs: list[Run]) -> None:
    run = Run(f"{shell('web', SLEEPER)}\nsupervisor.wait()", wrap=("/bin/sh", "-c", '"$@" & wait', "sh"))
    runs.append(run)
    run.read_until("here")
    run.process.kill()
    assert gone(run, within_seconds=patience(3)), run.living()


def test_a_stop_reaches_the_block_wherever_it_is(runs: list[Run]) -> None:
    run = Run(f"{shell('web', SLEEPER)}\nsupervisor.say('busy')\ntime.sleep(60)")
    runs.append(run)
    run.read_until("here")
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(patience(3)) == 0
    assert run.living() == []


def test_a_stop_ends_a_sleep_that_it_did_not_interrupt(runs: list[Run]) -> None:
    # The kernel may give the signal to the thread that reads a command's output, or to a main thread that is
    # about to fall asleep. Both leave the sleep as it is; without the waker this takes the whole minute.
    to_another_thread = "lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)"
    body = f"import threading\n{shell('web', SLEEPER)}\nthreading.Timer(0.5, {to_another_thread}).start()"
    run = Run(f"{body}\ntime.sleep(60)")
    runs.append(run)
    run.read_until("here")
    assert run.process.wait(patience(5)) == 0
    assert run.living() == []


def test_an_error_in_the_block_ends_everything_and_is_shown(runs: list[Run]) -> None:
    run = Run(f"{shell('web', SLEEPER)}\nsupervisor.wait_for(lambda: False, timeout_seconds=0.2)")
    runs.append(run)
    assert "NotReady: It was not ready within 0.2 seconds" in run.rest()
    assert run.process.wait(patience(5)) == 1
    assert run.living() == []


def test_colours_are_for_terminals_only(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    body = f"{shell('web', SLEEPER)}\nsupervisor.wait()"
    runs.append(Run(body))
    assert "web      | here\n" in runs[-1].read_until("here")
    for no_colour, expected in ((None, b"\x1b[36mweb      |\x1b[0m here"), ("1", b"web      | here")):
        if no_colour:
            monkeypatch.setenv("NO_COLOR", no_colour)
        terminal, inside = pty.openpty()
        runs.append(Run(body, stdout=inside))
        os.close(inside)
        seen = b""
        while b"here" not in seen:
            seen += os.read(terminal, 1000)
        assert seen.startswith(expected)
        runs[-1].process.terminate()
        runs[-1].process.wait(patience(5))
        os.close(terminal)


class Recorder:
    """A service that notes what happens to it."""

    name: ClassVar[str] = "database"
    pid: int | None = None

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes
        self.code: int | None = None

    def start(self) -> None:
        self.notes.append("start")

    def stop(self) -> None:
        self.notes.append("stop")

    def poll(self) -> int | None:
        return self.code


def test_services_stop_after_the_commands_that_use_them(tmp_path: Path) -> None:
    notes: list[str] = []

    class Database(Recorder):
        def stop(self) -> None:
            self.notes.append("stop after web" if (tmp_path / "ended").exists() else "stop before web")

    with Supervisor(stream=io.StringIO()) as supervisor:
        supervisor.keep(Database(notes))
        command = "trap 'sleep 0.2; touch ended; exit' TERM; touch ready; while :; do sleep 0.05; done"
        supervisor.start("web", ["/bin/sh", "-c", command], cwd=tmp_path)
        supervisor.wait_for((tmp_path / "ready").exists, timeout_seconds=5)
    assert notes == ["start", "stop after web"]
    assert supervisor.exit_code == 0


def test_a_service_that_dies_is_named() -> None:
    notes: list[str] = []
    output = io.StringIO()
    with Supervisor(stream=output) as supervisor:
        supervisor.keep(Recorder(notes)).code = -9
        supervisor.wait()
    assert output.getvalue() == "database has ended unexpectedly (SIGKILL).\n"
    assert supervisor.exit_code == 1
    assert notes == ["start", "stop"]


def test_a_command_is_run_to_its_end_and_its_failure_ends_the_block() -> None:
    output = io.StringIO()
    reached = []
    with Supervisor(stream=output) as supervisor:
        supervisor.run("migrate", ["/bin/sh", "-c", "echo $GREETING"], env={"GREETING": "done"})
        reached.append("after success")
        supervisor.run("seed", ["/bin/sh", "-c", "echo no; exit 2"])
        reached.append("after failure")
    assert reached == ["after success"]
    assert output.getvalue() == "migrate  | done\nseed     | no\nseed failed (exit code 2).\n"
    assert supervisor.exit_code == 1


def test_a_command_that_does_not_exist_is_named() -> None:
    output = io.StringIO()
    with Supervisor(stream=output) as supervisor:
        supervisor.start("web", ["/no/such/program"])
    assert output.getvalue().startswith("web could not be started: ")
    assert supervisor.exit_code == 1


def test_waiting_for_readiness_ends_when_a_command_dies() -> None:
    output = io.StringIO()
    began = time.monotonic()
    with Supervisor(stream=output) as supervisor:
        supervisor.start("web", ["/bin/sh", "-c", "sleep 0.1; exit 4"])
        supervisor.wait_for(lambda: False, timeout_seconds=30)
    assert time.monotonic() - began < patience(5)
    assert output.getvalue() == "web has ended unexpectedly (exit code 4).\n"


def test_processes_that_were_there_before_are_left_alone() -> None:
    with subprocess.Popen(["/bin/sleep", "30"]) as earlier:
        handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
        with Supervisor(stream=io.StringIO()) as supervisor:
            supervisor.start("web", ["/bin/sleep", "30"])
        assert earlier.poll() is None
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
        earlier.kill()


def test_commands_start_in_the_main_thread_only() -> None:
    raised: list[BaseException] = []

    def start() -> None:
        try:
            supervisor.start("web", ["/bin/sleep", "30"])
        except RuntimeError as error:
            raised.append(error)

    with Supervisor(stream=io.StringIO()) as supervisor:
        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
    assert "main thread" in str(raised[0])


def test_an_address_is_ready_when_it_answers_without_an_error() -> None:
    answers = iter([503, 404, 302])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(next(answers))
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Keep quiet."""

    asked: list[str] = []
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/health?deep=1"
        wait_for(url, timeout_seconds=5)
        server.shutdown()
        thread.join()
    assert asked == ["/health?deep=1"] * 3
    with pytest.raises(NotReady, match="refused"):
        wait_for(url, timeout_seconds=0.1)


def test_what_is_watched_may_end_the_waiting() -> None:
    def watch() -> None:
        raise ChildEnded("web has ended")

    with pytest.raises(ChildEnded, match="web"):
        wait_for(lambda: False, timeout_seconds=5, watch=watch)
