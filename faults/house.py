"""The product as it runs in production, on loopback, in a temporary home.

Postgres, Valkey, one web process and two workers.  Everything it starts ends with it, also when it
is killed itself.
"""

from __future__ import annotations

import base64
import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import redis
from psycopg import sql

from coursecove.config import Settings, load_settings
from coursecove.db.migrate import upgrade
from coursecove.db.roles import bootstrap
from coursecove.dev.daemons import die_with_parent, port_is_free
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.dev.processes import NotReady, wait_for
from coursecove.dev.valkey import EmbeddedValkey
from faults import audit

WORKERS = 2
_CHECKOUT = Path(__file__).resolve().parents[1]
# What is tested is the checkout that this file lies in, whatever is installed.
CHECKOUT_PATH = os.pathsep.join((str(_CHECKOUT / "src"), str(_CHECKOUT)))


def quiet_port() -> int:
    """Return a free port that is still free after a restart: the kernel gives it to no outgoing connection."""
    while True:
        port = random.randint(15_000, 31_000)
        if port_is_free(port):
            return port


class Servers:
    """A durable Postgres (fsync on, as in production) and a Valkey that keeps its queue over a restart."""

    def __init__(self, home: Path) -> None:
        self.postgres = EmbeddedPostgres(home / "postgres", port=quiet_port(), durable=True)
        self.valkey = EmbeddedValkey(home / "valkey", port=quiet_port(), persist=True)

    def restart_postgres(self, *, how: signal.Signals, away_seconds: float) -> None:
        """Stop Postgres with SIGINT (fast) or SIGQUIT (as a crash: it recovers from its log), then start it."""
        pid = self.postgres.pid
        assert pid is not None
        os.kill(pid, how)
        wait_for(lambda: self.postgres.poll() is not None, timeout_seconds=20)
        time.sleep(away_seconds)
        self.postgres.start()

    def restart_valkey(self, *, away_seconds: float, flush: bool) -> None:
        """Stop Valkey and start it; ``flush`` also throws away everything it had kept."""
        self.valkey.stop()
        time.sleep(away_seconds)
        self.valkey.start()
        if flush:
            with contextlib.closing(redis.Redis.from_url(self.valkey.url)) as client:
                client.flushall()

    def administrator_url(self, database: str) -> str:
        """Return the superuser's connection to a database."""
        return self.postgres.superuser_url.rpartition("/")[0] + "/" + database


@contextmanager
def running_servers() -> Iterator[tuple[Servers, Path]]:
    """Start the servers in a temporary home; afterwards they and their data are gone."""
    with tempfile.TemporaryDirectory(prefix="coursecove-chaos-") as name:
        home = Path(name)
        # Postgres runs as nobody when this runs as root, and has to pass through.
        home.chmod(0o711)
        servers = Servers(home)
        try:
            servers.valkey.start()
            servers.postgres.start()
            yield servers, home
        finally:
            servers.valkey.stop()
            servers.postgres.stop()
            servers.postgres.remove()


class House:
    """A fresh database, ``coursecove serve`` and two ``coursecove worker``; ``sabotage`` breaks a guard."""

    def __init__(self, servers: Servers, home: Path, *, sabotage: str | None = None) -> None:
        self.servers = servers
        self.name = f"chaos_{secrets.token_hex(4)}"
        self.home = home / self.name
        self.home.mkdir()
        self._environment = environment_of(servers, self.name)
        self.settings: Settings = load_settings(self._environment)
        self._command = [sys.executable, "-m", "coursecove"]
        if sabotage is not None:
            self._command = [sys.executable, "-m", "faults.sabotage", sabotage]
        self._started = 0
        self.web: Process | None = None
        self.workers: list[Process] = []

    @property
    def address(self) -> str:
        """Where the web process answers."""
        return f"http://127.0.0.1:{self.settings.port}"

    def __enter__(self) -> Self:
        try:
            bootstrap(self.servers.postgres.superuser_url, self.settings)
            upgrade(self.settings.database_owner_url)
            with self.connect() as connection:
                audit.install(connection)
            self.web = self.start("serve")
            self.workers = [self.start("worker") for _ in range(WORKERS)]
            wait_for(f"{self.address}/health/ready", timeout_seconds=60, watch=self.watch)
            for worker in self.workers:
                wait_for(worker.says("worker_started"), timeout_seconds=60, watch=self.watch)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def connect(self) -> psycopg.Connection:
        """Return a connection that sees everything; every statement is a transaction of its own."""
        url = self.servers.administrator_url(self.name)
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def start(self, command: str) -> Process:
        """Start ``coursecove <command>``."""
        self._started += 1
        name = f"{command}-{self._started}"
        environment = dict(self._environment)
        # Seen by the witnesses in the database: who claimed what.
        environment["DATABASE_PLATFORM_URL"] += f"?options=-cchaos.process%3D{name}"
        return Process([*self._command, command], environment, self.home / f"{name}.log")

    def kill_worker(self, number: int) -> None:
        """End a worker with SIGKILL and start another in its place."""
        self.workers[number].kill()
        self.workers[number] = self.start("worker")

    def watch(self) -> None:
        """Raise NotReady when a process that nobody killed has ended."""
        for process in [self.web, *self.workers]:
            if process is not None and process.poll() is not None:
                raise NotReady(f"{process.name} ended by itself:\n{process.last_lines()}")

    @contextmanager
    def stalled(self, table: str) -> Iterator[None]:
        """Hold a table against writers, as a migration or a long transaction would."""
        with psycopg.connect(self.servers.administrator_url(self.name), connect_timeout=5) as connection:
            statement = sql.SQL("lock table {} in share row exclusive mode").format(sql.Identifier(table))
            connection.execute(statement)
            yield

    def _end(self) -> None:
        everybody = [process for process in [self.web, *self.workers] if process is not None]
        for process in everybody:
            process.terminate()
        for process in everybody:
            process.end()


class Process:
    """One process of the product, its output in a file."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = log.stem
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                # A .env in the caller's folder is about something else.
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll()

    def says(self, word: str) -> Callable[[], bool]:
        """Return a question: has it written this word?"""
        return lambda: word.encode() in self._log.read_bytes()

    def last_lines(self) -> str:
        """Return the end of what it wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])

    def kill(self) -> None:
        """End it at once; it cannot notice."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self) -> None:
        """Return when it is gone, within six seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(6)
        if self._process.poll() is None:
            self.kill()


def environment_of(servers: Servers, database: str) -> dict[str, str]:
    """Return what the processes of a house are started with."""
    password = secrets.token_hex(16)

    def url(role: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{servers.postgres.port}/{database}"

    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": CHECKOUT_PATH,
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "APP_ENV": "test",
        "DATABASE_URL": url("coursecove_app"),
        "DATABASE_PLATFORM_URL": url("coursecove_platform"),
        "DATABASE_OWNER_URL": url("coursecove_owner"),
        "REDIS_URL": servers.valkey.url,
        "BASE_DOMAIN": "coursecove.localhost",
        "HOST": "127.0.0.1",
        "PORT": str(quiet_port()),
        # Nobody listens at the discard port: neither Clerk nor mail has a part in this.
        "CLERK_PUBLISHABLE_KEY": "pk_test_" + base64.b64encode(b"clerk.coursecove.localhost:9$").decode(),
        "CLERK_SECRET_KEY": "sk_test_chaos",
        "CLERK_API_URL": "http://127.0.0.1:9/v1",
        "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        "SMTP_URL": "smtp://127.0.0.1:9",
        "LOG_FORMAT": "json",
    }
