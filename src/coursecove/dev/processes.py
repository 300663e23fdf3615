"""Several commands as one: started in order, watched, their output joined, ended together.

Whatever ends a `Supervisor` (Ctrl-C, a signal, the death of its own parent, even `kill -9`), nothing it started
stays behind, grandchildren included.
"""

import contextlib
import http.client
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import ClassVar, NoReturn, Protocol, Self, TextIO, TypeVar
from urllib.parse import urlsplit

from coursecove.dev.daemons import PR_SET_PDEATHSIG, die_with_parent, linux_prctl
from coursecove.dev.output import Child, Output

_PR_SET_CHILD_SUBREAPER = 36
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Ends what a killed supervisor could not. It learns the process groups from its input ("+ 12", "- 12");
# when that closes without the word "done", nobody is left to end them. What left its group (setsid) is known
# by the name of a variable in its environment, $1, where there is a /proc to look it up. A shell starts in a
# millisecond; not every one's `kill` takes a group in another spelling than this. The clock says when asking
# is over: on a busy machine fifteen naps of 0.2 seconds have taken more than twice as long.
_WATCHDOG = """
mark="$1"
groups=""
while read -r verb group; do
  case "$verb" in
    +) groups="$groups $group" ;;
    -) kept=""; for each in $groups; do [ "$each" = "$group" ] || kept="$kept $each"; done; groups="$kept" ;;
    done) exit 0 ;;
  esac
done
marked() { grep -slzxF -- "$mark=1" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3; }
alive() {
  for each in $groups; do kill -s 0 -- "-$each" 2>/dev/null && return 0; done
  [ -n "$(marked)" ]
}
send() {
  for each in $groups; do kill -s "$1" -- "-$each" 2>/dev/null; done
  for each in $(marked); do kill -s "$1" "$each" 2>/dev/null; done
}
send TERM
ends=$(($(date +%s) + 3))
while alive && [ "$(date +%s)" -lt "$ends" ]; do sleep 0.2; done
# Whatever was just being started when it was looked for is found the second time.
send KILL
send KILL
"""


class Service(Protocol):
    """What `Supervisor.keep` can look after; the embedded servers are."""

    name: ClassVar[str]

    def start(self) -> None:
        """Return when it is ready; raise when it cannot be."""

    def stop(self) -> None:
        """Return when it is gone."""

    def poll(self) -> int | None:
        """Give the exit code once it has ended by itself."""

    @property
    def pid(self) -> int | None:
        """The process to leave alone while the commands are ended."""


_S = TypeVar("_S", bound=Service)


class StopRequested(BaseException):
    """Everything is to end. Raised wherever the main thread stands; the end of the `with` block takes it."""


class ChildEnded(Exception):
    """A command or service ended although nobody had asked it to; the message names it."""


class NotReady(Exception):
    """Something did not become ready in its time; the message says what and how it answered last."""


def wait_for(
    target: str | Callable[[], bool], *, timeout_seconds: float, watch: Callable[[], None] | None = None
) -> None:
    """Return as soon as `target` is ready; raises NotReady after the timeout.

    An http address of this machine is ready when it answers with a status below 400, a callable when it gives
    True (an OSError means "not yet"). `watch` is called between two tries and may raise.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        if watch is not None:
            watch()
        try:
            if callable(target):
                ready, answer = target(), "not ready"
            else:
                status = _status_of(target)
                ready, answer = status < 400, f"status {status}"
        except (OSError, http.client.HTTPException) as error:
            ready, answer = False, str(error) or type(error).__name__
        if ready:
            return
        if time.monotonic() > deadline:
            what = "It" if callable(target) else target
            raise NotReady(f"{what} was not ready within {timeout_seconds:g} seconds ({answer}).")
        time.sleep(0.03)


def _status_of(url: str) -> int:
    # Not urllib: proxies in the environment have no business here, and a redirect is an answer.
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=2)
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}")
        return connection.getresponse().status
    finally:
        connection.close()


class Supervisor:
    """Runs commands until somebody wants it to end or one of them ends by itself.

        with Supervisor() as supervisor:
            database = supervisor.keep(EmbeddedPostgres(home / "postgres"))
            supervisor.run("migrate", [...], env=...)
            supervisor.start("web", [...], env=...)
            supervisor.wait_for("http://127.0.0.1:8000/health", timeout_seconds=10)
            supervisor.say("Ready.")
            supervisor.wait()
        sys.exit(supervisor.exit_code)

    SIGINT, SIGTERM, SIGHUP and our parent's death end the block wherever it is: every command gets SIGTERM,
    three seconds later SIGKILL, then the services stop in reverse order; a second signal does not wait. The
    `exit_code` is 0 then. A command or service that ends unasked is named on the output, the rest is ended
    and the `exit_code` is 1.
    Other exceptions (NotReady among them) end everything as well and pass on. On Linux every process that was
    started inside the block ends with it, elsewhere every one in a command's process group. Belongs to the main
    thread.
    """

    def __init__(self, *, stream: TextIO | None = None, grace_seconds: float = 3.0) -> None:
        self.exit_code = 0
        self._parent = os.getppid()
        self._output = Output(stream if stream is not None else sys.stdout)
        self._grace_seconds = grace_seconds
        self._children: list[Child] = []
        self._services: list[Service] = []
        self._watchdog: subprocess.Popen[bytes] | None = None
        # A name of its own: a supervisor may be among the commands of another.
        self._mark = f"COURSECOVE_SUPERVISED_{secrets.token_hex(8)}"
        self._strangers: frozenset[int] = frozenset()
        self._previous: dict[signal.Signals, signal.Handlers | int | Callable[..., object] | None] = {}
        # A signal raises StopRequested only while armed; otherwise it is noted and `_check` raises later.
        self._armed = False
        self._wanted = False
        self._ending = False
        self._waker = _Waker(lambda: self._wanted or self._ending)

    def __enter__(self) -> Self:
        self._waker.start()
        for each in _STOP_SIGNALS:
            if each is signal.SIGHUP and signal.getsignal(each) is signal.SIG_IGN:
                # nohup: somebody wants us to outlive the terminal.
                continue
            self._previous[each] = signal.signal(each, self._on_signal)
        self._strangers = frozenset(pid for pid, parent in _living_processes().items() if parent == os.getpid())
        prctl = linux_prctl()
        if prctl is not None:
            prctl(_PR_SET_CHILD_SUBREAPER, 1)
            # The race with a parent that is already gone is decided by `_check`, which compares.
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        self._watch()
        return self

    def _watch(self) -> None:
        """Have a watchdog that knows of every command."""
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            # A Ctrl-C at the terminal must not reach it.
            start_new_session=True,
        )
        for child in self._children:
            self._tell_watchdog(f"+ {child.process.pid}")
        if linux_prctl() is None:
            # No kernel there ends the services with us.
            for service in self._services:
                if service.pid is not None:
                    self._tell_watchdog(f"+ {service.pid}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._ending = True
        try:
            if isinstance(error, ChildEnded):
                self.exit_code = 1
                self.say(str(error))
            self._end_children()
            for service in reversed(self._services):
                service.stop()
            if isinstance(error, ChildEnded) and self._output.last_line != str(error):
                # The others' last words must not hide the reason.
                self.say(str(error))
        finally:
            self._let_go()
        return isinstance(error, StopRequested | ChildEnded)

    def say(self, text: str) -> None:
        """Write a line of our own between those of the commands."""
        self._output.line(text)

    def keep(self, service: _S) -> _S:
        """Start a service and look after it; it stops after all commands have. Raises what its start raises."""
        self._check()
        self._services.append(service)
        service.start()
        if linux_prctl() is None and service.pid is not None:
            # No kernel there ends it with us.
            self._tell_watchdog(f"+ {service.pid}")
        return service

    def start(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Child:
        """Start a command and leave it running. `env` is its whole environment (default: ours)."""
        self._check()
        self._armed = False
        try:
            process = subprocess.Popen(
                argv,
                # A command that holds its lines back would leave the reader in the dark.
                env={"PYTHONUNBUFFERED": "1", **(os.environ if env is None else env), self._mark: "1"},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=self._enrol(die_with_parent(signal.SIGTERM)),
            )
            child = Child(name, process, self._output)
            self._children.append(child)
        except OSError as error:
            raise ChildEnded(f"{name} could not be started: {error}.") from error
        finally:
            self._armed = True
        if self._wanted:
            # The signal came while it could not be acted upon.
            raise StopRequested
        return child

    def run(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Run a command to its end; raises ChildEnded when it fails."""
        child = self.start(name, argv, env=env, cwd=cwd)
        while child.process.poll() is None:
            self._check(besides=child)
            time.sleep(0.02)
        child.finish_output()
        self._children.remove(child)
        self._tell_watchdog(f"- {child.process.pid}")
        if child.process.returncode != 0:
            raise ChildEnded(f"{name} failed ({_how(child.process.returncode)}).")

    def wait_for(self, target: str | Callable[[], bool], *, timeout_seconds: float) -> None:
        """Like `wait_for` of this module, but ends at once when a command dies meanwhile."""
        wait_for(target, timeout_seconds=timeout_seconds, watch=self._check)

    def wait(self) -> NoReturn:
        """Stay until everything is to end. The `with` block takes the exception by which this leaves."""
        while True:
            self._check()
            time.sleep(0.1)

    def _check(self, *, besides: Child | None = None) -> None:
        """Raise when there is a reason to end."""
        self._armed = True
        if self._wanted or os.getppid() != self._parent:
            raise StopRequested
        if self._watchdog is not None and self._watchdog.poll() is not None:
            # Somebody, or a machine short of memory, has ended it.
            self._watch()
        for child in self._children:
            code = child.process.poll()
            if code is not None and child is not besides:
                child.finish_output()
                raise ChildEnded(f"{child.name} has ended unexpectedly ({_how(code)}).")
        for service in self._services:
            code = service.poll()
            if code is not None:
                raise ChildEnded(f"{service.name} has ended unexpectedly ({_how(code)}).")

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._ending:
            self._grace_seconds = 0
        elif not self._wanted:
            self._wanted = True
            if self._armed:
                raise StopRequested

    def _end_children(self) -> None:
        """SIGTERM to each command, then to what outlives it; SIGKILL to what is left after the grace."""
        for child in self._children:
            if child.process.poll() is None:
                # Only to the command itself: it may want to end its own workers in order.
                child.process.send_signal(signal.SIGTERM)
        asked: set[int] = set()
        began = time.monotonic()
        while (left := self._left_over()) and time.monotonic() - began < self._grace_seconds:
            if all(child.process.poll() is not None for child in self._children):
                for target in left - asked:
                    _send(target, signal.SIGTERM)
                asked |= left
            time.sleep(0.02)
        deadline = time.monotonic() + 1
        while left and time.monotonic() < deadline:
            for target in left:
                _send(target, signal.SIGKILL)
            time.sleep(0.01)
            left = self._left_over()
        for child in self._children:
            child.finish_output()

    def _left_over(self) -> set[int]:
        """Give what still lives of all that was started here, as targets for `kill`."""
        polled = {child.process.pid: child.process.poll() for child in self._children}
        if linux_prctl() is None:
            return {-pid for pid in polled if _send(-pid, None)}
        spared = self._strangers | {service.pid for service in self._services if service.pid is not None}
        if self._watchdog is not None:
            spared |= {self._watchdog.pid}
        living = _living_processes()
        below, level = set[int](), {os.getpid()}
        while level := {pid for pid, parent in living.items() if parent in level and pid not in spared}:
            below |= level
        return below

    def _let_go(self) -> None:
        """Be an ordinary process again."""
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._tell_watchdog("done")
            with contextlib.suppress(OSError):
                self._watchdog.stdin.close()
            self._watchdog.wait()
        prctl = linux_prctl()
        if prctl is not None:
            prctl(_PR_SET_CHILD_SUBREAPER, 0)
            prctl(PR_SET_PDEATHSIG, 0)
        for each, handler in self._previous.items():
            signal.signal(each, handler)
        self._waker.stop()

    def _enrol(self, ask_the_kernel: Callable[[], None] | None) -> Callable[[], None]:
        """Give a `preexec_fn` by which a command's process names itself to the watchdog in time.

        If we named it after the start instead, whoever killed us in between would leave it behind.
        """
        pipe = self._watchdog.stdin if self._watchdog is not None else None

        def name_oneself() -> None:
            if pipe is not None:
                os.write(pipe.fileno(), f"+ {os.getpid()}\n".encode())
            if ask_the_kernel is not None:
                ask_the_kernel()

        return name_oneself

    def _tell_watchdog(self, line: str) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            with contextlib.suppress(OSError):
                self._watchdog.stdin.write(f"{line}\n".encode())
                self._watchdog.stdin.flush()


class _Waker:
    """Lets no signal wait behind a long call of the main thread.

    Python runs a handler only when the main thread next executes bytecode. A signal that the kernel gave to
    another thread, or that came just before the main thread went to sleep, would wait until that sleep is over.
    A thread reads which signals came and disturbs the main thread until their handler has run.
    """

    _POKE = signal.SIGURG

    def __init__(self, handled: Callable[[], bool]) -> None:
        self._handled = handled
        self._main = threading.get_ident()
        self._pipe: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None
        self._previous_fd = -1
        self._previous: signal.Handlers | int | Callable[..., object] | None = None

    def start(self) -> None:
        read, write = self._pipe = os.pipe()
        os.set_blocking(write, False)
        self._previous = signal.signal(self._POKE, lambda _number, _frame: None)
        self._previous_fd = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, args=(read,), name="signals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        signal.set_wakeup_fd(self._previous_fd)
        signal.signal(self._POKE, self._previous)
        if self._pipe is not None and self._thread is not None:
            os.close(self._pipe[1])
            self._thread.join()
            os.close(self._pipe[0])

    def _listen(self, read: int) -> None:
        while numbers := os.read(read, 64):
            while set(numbers) - {self._POKE} and not self._handled():
                signal.pthread_kill(self._main, self._POKE)
                time.sleep(0.02)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _send(target: int, wanted: signal.Signals | None) -> bool:
    """Signal a process, or a process group when negative; False when there is none. None only asks."""
    try:
        os.kill(target, wanted or 0)
    except OSError:
        return False
    return True


def _living_processes() -> dict[int, int]:
    """Give the parent of every process that has not ended; empty where there is no /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The second field is the program's name in brackets and may contain anything.
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(entry.parent.name)] = int(parent)
    return parents
