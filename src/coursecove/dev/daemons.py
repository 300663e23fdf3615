"""Servers of other makers that run as our children: ready when started, gone when we are, found again.

`Daemon` holds what the embedded Postgres and the embedded Valkey have in common. Its folder keeps the password,
the last port, the log and a lock, so that a second start gives the same address and two starts at once cannot
happen.
"""

import atexit
import contextlib
import ctypes
import fcntl
import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

LOOPBACK = "127.0.0.1"
PR_SET_PDEATHSIG = 1
_LOG_BYTES = 8 * 1024 * 1024
_START_ATTEMPTS = 5
# Below what systems give to outgoing connections: one of those often took a port before we listened on it.
_FIRST_PORT, _LAST_PORT = 20_000, 32_000


class DaemonError(RuntimeError):
    """A server could not be started; the message says why, followed by the last lines of its log."""


class AlreadyRunning(DaemonError):
    """Another process is using this folder right now."""


def linux_prctl() -> Callable[[int, int], int] | None:
    """Give Linux' prctl(2), or None where the system has none (macOS)."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda option, value: int(prctl(option, value, 0, 0, 0))


def die_with_parent(wanted: signal.Signals) -> Callable[[], None] | None:
    """Give a `preexec_fn` which has the kernel send `wanted` to the new process as soon as this one is gone.

    The kernel watches the *thread* that started the process, so only the main thread may use it (RuntimeError
    otherwise). None where the system has no such thing.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "Start servers and commands from the main thread; they would end with any other one."
        )
    prctl = linux_prctl()
    if prctl is None:
        return None
    parent = os.getpid()

    def ask_the_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, wanted)
        # The parent may have died before the call above; then nobody will ever send the signal.
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of the loopback address right now."""
    with socket.socket() as probe:
        # What the servers do as well: a connection that has just been closed does not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except (OSError, OverflowError):
            return False
    return True


def free_port() -> int:
    """Find a port nobody listens on. Somebody else may take it at once: be ready to ask again."""
    for _ in range(100):
        chosen = _FIRST_PORT + secrets.randbelow(_LAST_PORT - _FIRST_PORT)
        if port_is_free(chosen):
            return chosen
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


class StateFolder:
    """A folder of ours: made when missing, refused when it belongs to somebody else or is no folder."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()
        self._lock: int | None = None

    def open(self, *, mode: int) -> None:
        """Make the folder with these permissions, or check the one that is there. Raises DaemonError."""
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(mode)
            self.path = self.path.resolve()
            found = self.path.lstat()
        except OSError as error:
            raise DaemonError(f"Cannot make the folder {self.path}: {error.strerror}.") from error
        if not stat.S_ISDIR(found.st_mode):
            raise DaemonError(f"{self.path} is not a folder.")
        if found.st_uid != os.geteuid():
            raise DaemonError(
                f"{self.path} belongs to user {found.st_uid}, but this is user {os.geteuid()}: "
                "run the command as its owner, or choose another folder."
            )
        if found.st_mode & stat.S_IWOTH:
            raise DaemonError(
                f"Everybody on this machine may write to {self.path}: take that right away first."
            )

    def lock(self) -> bool:
        """Take the folder for this process; False when another start has it."""
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def unlock(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            # Closing is not enough: a forked process shares the lock through its copy of the descriptor.
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)
            self._lock = None

    def find_text(self, name: str) -> str | None:
        """Give what is remembered under a name."""
        try:
            return (self.path / name).read_text().strip() or None
        except FileNotFoundError:
            return None

    def remember(self, name: str, text: str) -> None:
        """Keep a short text that only the owner can read; never half of it, even when the machine stops."""
        part = self.path / f"{name}.{secrets.token_hex(4)}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{text}\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / name)

    def secret(self, name: str) -> str:
        """Give the secret of this name, made up at the first call."""
        kept = self.find_text(name)
        if kept is None:
            kept = secrets.token_urlsafe(24)
            self.remember(name, kept)
        return kept


class Daemon(ABC):
    """A server in a child process that ends with this one, even when this one is killed.

    `start` returns once the server answers and raises DaemonError otherwise; `stop` returns once it is gone,
    within five seconds, and may be called at any time. Both belong to the main thread.
    """

    name: ClassVar[str]
    _ready_seconds: ClassVar[float]
    _stop_steps: ClassVar[Sequence[tuple[signal.Signals, float]]]
    # What the log says when a start failed for a reason that another try (on another port) can cure.
    _passing_troubles: ClassVar[Sequence[str]] = ("Address already in use",)

    def __init__(self, directory: Path, *, port: int | None) -> None:
        self._folder = StateFolder(directory)
        self._wanted_port = port
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._started_by: int | None = None

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; known once started."""
        if self._port is None:
            raise DaemonError(f"{self.name} has not been started.")
        return self._port

    @property
    def log_path(self) -> Path:
        """Where the server's own messages go; one older file, `….1`, is kept."""
        return self._folder.path / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The server's process id while we hold one."""
        return self._process.pid if self._process else None

    def poll(self) -> int | None:
        """Give the exit code once the server has ended by itself; None while it runs or was never started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start and wait until the server answers. Starting a running one does nothing."""
        if self._process is not None:
            if self._process.poll() is None:
                return
            self.stop()
        self._open_folder()
        if not self._folder.lock():
            raise AlreadyRunning(
                f"{self.name} is already running on {self._folder.path}: stop the other one first."
            )
        self._started_by = os.getpid()
        try:
            self._prepare()
            self._start_on_some_port()
        except BaseException:
            self.stop()
            raise
        # Where the kernel cannot tie the two together, at least an orderly end of this process takes it along.
        atexit.register(self.stop)

    def stop(self) -> None:
        """End the server: politely, then firmly. Does nothing when it is not running or in a forked process."""
        if self._started_by != os.getpid():
            return
        atexit.unregister(self.stop)
        self._end_process()
        self._folder.unlock()
        self._started_by = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _open_folder(self) -> None:
        self._folder.open(mode=0o700)

    @abstractmethod
    def _prepare(self) -> None:
        """Do what must be done once before the server can start; the folder is locked."""

    @abstractmethod
    def _launch(self, port: int, log: int) -> "subprocess.Popen[bytes]":
        """Start the process, its messages going to the descriptor `log`."""

    @abstractmethod
    def _is_ready(self, process: "subprocess.Popen[bytes]", port: int) -> bool:
        """Tell whether *this* process (not one that had the port or the folder before) answers."""

    def _start_on_some_port(self) -> None:
        self._rotate_log()
        for attempt, port in enumerate(self._ports(), start=1):
            log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            try:
                self._log_start = os.fstat(log).st_size
                self._process = self._launch(port, log)
            finally:
                os.close(log)
            if self._wait_until_ready(port):
                self._port = port
                self._folder.remember("port", str(port))
                return
            said = self._said()
            self._end_process()
            if attempt == _START_ATTEMPTS or not any(trouble in said for trouble in self._passing_troubles):
                raise DaemonError(self._failure(f"{self.name} did not start"))
            time.sleep(0.2)

    def _ports(self) -> Iterator[int]:
        if self._wanted_port is not None:
            if not port_is_free(self._wanted_port):
                raise DaemonError(
                    f"{self.name} cannot use port {self._wanted_port}: another program listens there."
                )
            for _ in range(_START_ATTEMPTS):
                yield self._wanted_port
            return
        last = self._folder.find_text("port") or ""
        for attempt in range(_START_ATTEMPTS):
            known = int(last) if last.isascii() and last.isdigit() else 0
            yield known if attempt == 0 and 1024 <= known <= 65535 and port_is_free(known) else free_port()

    def _wait_until_ready(self, port: int) -> bool:
        process = self._process
        deadline = time.monotonic() + self._ready_seconds
        while process is not None and process.poll() is None:
            if self._is_ready(process, port):
                return True
            if time.monotonic() > deadline:
                raise DaemonError(
                    self._failure(f"{self.name} was not ready within {self._ready_seconds:.0f} seconds")
                )
            time.sleep(0.01)
        return False

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for wanted, seconds in self._stop_steps:
            if process.poll() is not None:
                return
            process.send_signal(wanted)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
        if process.poll() is None:
            process.kill()
            process.wait()

    def _rotate_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.log_path.lstat().st_size > _LOG_BYTES:
                self.log_path.replace(self.log_path.with_suffix(".log.1"))

    def _said(self) -> str:
        """Give what this start has written to the log so far."""
        with self.log_path.open("rb") as file:
            file.seek(self._log_start)
            return file.read(_LOG_BYTES).decode(errors="replace")

    def _failure(self, sentence: str) -> str:
        lines = "\n".join(f"  {line}" for line in self._said().splitlines()[-15:])
        return f"{sentence}. The last lines of {self.log_path}:\n{lines}"
