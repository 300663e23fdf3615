"""A pgbouncer of our own in transaction mode, in front of the tests' Postgres."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from coursecove.config import Settings
from coursecove.dev.daemons import die_with_parent
from tests.serving import free_port

#: Debian puts it into /usr/sbin, where not everybody looks.
PROGRAM = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@contextmanager
def bouncing(settings: Settings, folder: Path, *, server_connections: int = 4) -> Iterator[Settings]:
    """Run pgbouncer for the length of the block; yields the settings with both serving roles behind it.

    ``server_connections`` is how many it opens per role, so that units of work have to share them.
    """
    assert PROGRAM is not None
    port = free_port()
    upstream = urlsplit(settings.database_url)
    urls = [urlsplit(url) for url in (settings.database_url, settings.database_platform_url)]
    folder.chmod(0o755)
    (folder / "users.txt").write_text("".join(f'"{url.username}" "{url.password}"\n' for url in urls))
    (folder / "pgbouncer.ini").write_text(
        f"""
[databases]
* = host={upstream.hostname} port={upstream.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {server_connections}
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""
    )
    # It refuses to run as root.
    account = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    if account:
        (folder / "pgbouncer.log").touch()
        shutil.chown(folder, "nobody", "nogroup")
        shutil.chown(folder / "pgbouncer.log", "nobody", "nogroup")
    process = subprocess.Popen(
        [PROGRAM, str(folder / "pgbouncer.ini")],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),
        **account,  # type: ignore[call-overload] # user and group as names
    )
    behind = replace(
        settings,
        database_url=_through(settings.database_url, port),
        database_platform_url=_through(settings.database_platform_url, port),
    )
    try:
        _wait(behind.database_url, process)
        yield behind
    finally:
        process.terminate()
        process.wait(10)


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
