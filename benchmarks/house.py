"""What is measured, started the way it runs in production: Postgres with fsync, Valkey, ``coursecove serve``.

Everything ends with the process that started it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from coursecove.config import Settings, load_settings
from coursecove.db.migrate import upgrade
from coursecove.db.roles import bootstrap
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.dev.daemons import die_with_parent
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.dev.processes import wait_for
from coursecove.dev.valkey import EmbeddedValkey
from faults.house import CHECKOUT_PATH, Process, quiet_port

KEY_ID = "ins_benchmark"
BASE_DOMAIN = "coursecove.localhost"
# Counted like everybody's, and never used up: what counting costs belongs to the measurement.
_BUDGET = "900000000"


@dataclass
class House:
    """Running servers, the settings of the product on them, and keys to sign with."""

    home: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    environment: dict[str, str]
    settings: Settings
    key: rsa.RSAPrivateKey
    _stack: ExitStack = field(default_factory=ExitStack)
    _number: int = 0

    def administrator_url(self, database: str | None = None) -> str:
        """Return the superuser's connection to a database, the measured one unless another is named."""
        name = database or self.settings.database_url.rpartition("/")[2]
        return self.postgres.superuser_url.rpartition("/")[0] + "/" + name

    def connect(self) -> psycopg.Connection:
        """Return the superuser's autocommit connection to the measured database."""
        return psycopg.connect(self.administrator_url(), autocommit=True)

    def start(self, *command: str, **environment: str) -> Process:
        """Start a Python module's command in the product's environment; it ends with the house."""
        self._number += 1
        name = f"{command[1] if len(command) > 1 else command[0]}-{self._number}"
        process = Process(
            [sys.executable, "-m", *command], {**self.environment, **environment}, self.home / f"{name}.log"
        )
        self._stack.callback(process.kill)
        return process

    @contextmanager
    def running(self, *command: str, **environment: str) -> Iterator[Process]:
        """Run a command for the length of the block."""
        process = self.start(*command, **environment)
        try:
            yield process
        finally:
            process.terminate()
            process.end()

    @contextmanager
    def serving(self, **environment: str) -> Iterator[int]:
        """Serve the product; yields its port once it is ready."""
        port = quiet_port()
        with self.running("coursecove", "serve", PORT=str(port), **environment) as process:
            self.wait_until_ready(process, port)
            yield port

    def wait_until_ready(self, process: Process, port: int, path: str = "/health/ready") -> None:
        """Return when the process answers; raise with what it said when it ended."""

        def watch() -> None:
            if process.poll() is not None:
                raise RuntimeError(f"{process.name} ended:\n{process.last_lines()}")

        wait_for(f"http://127.0.0.1:{port}{path}", timeout_seconds=60, watch=watch)

    def token(self, clerk_user_id: str, slug: str) -> str:
        """Return a session token of somebody at a school that outlives the run."""
        return self.token_for(clerk_user_id, self.settings.origin(slug))

    def token_for(self, clerk_user_id: str, origin: str) -> str:
        """Return the same for the pages of an origin."""
        return mint_session_token(
            self.key,
            key_id=KEY_ID,
            issuer=self.settings.clerk_frontend_api,
            user_id=clerk_user_id,
            session_id=f"sess_{clerk_user_id[5:]}",
            authorized_party=origin,
            lifetime_seconds=24 * 3600,
        )

    def close(self) -> None:
        """End everything that was started."""
        self._stack.close()


class Load:
    """The other end: a process that asks."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": CHECKOUT_PATH},
            cwd=home,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )

    def ask(
        self,
        port: int,
        requests: list[bytes],
        *,
        connections: int,
        seconds: float,
        warm_up: float = 0.0,
        again: bool = True,
    ) -> dict[str, Any]:
        """Ask for ``seconds`` after ``warm_up``; ``again`` starts over when all requests were sent."""
        return self._send(
            {
                "connections": connections,
                "seconds": seconds,
                "warm_up": warm_up,
                "again": again,
                "port": port,
            },
            requests,
        )

    def begin(self, port: int, requests: list[bytes], *, connections: int, seconds: float) -> None:
        """Begin to ask and return at once; :meth:`finish` waits for the end."""
        self._write(
            {"connections": connections, "seconds": seconds, "warm_up": 0.0, "again": True, "port": port},
            requests,
        )

    def finish(self) -> dict[str, Any]:
        """Return what came of what was begun."""
        return self._read()

    def race(self, port: int, requests: list[bytes]) -> dict[str, Any]:
        """Send all requests at once, each over a connection of its own that is open already."""
        return self._send({"race": True, "port": port}, requests)

    def _send(self, run: dict[str, Any], requests: list[bytes]) -> dict[str, Any]:
        self._write(run, requests)
        return self._read()

    def _write(self, run: dict[str, Any], requests: list[bytes]) -> None:
        assert self._process.stdin is not None
        encoded = [base64.b64encode(request).decode() for request in requests]
        line = json.dumps({**run, "host": "127.0.0.1", "requests": encoded})
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the load generator ended")
        result: dict[str, Any] = json.loads(answer)
        return result

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def request(
    method: str,
    path: str,
    host: str,
    *,
    token: str | None = None,
    cookie: str | None = None,
    body: bytes = b"",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole HTTP/1.1 request as a browser or a program would send it, as far as it matters."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if cookie:
        lines += [f"Cookie: {cookie}", "Accept: text/html"]
    if body or method == "POST":
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _environment(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, pem: str, name: str) -> dict[str, str]:
    password = secrets.token_hex(16)

    def url(role: str) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{postgres.port}/{name}"

    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": CHECKOUT_PATH,
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        # As in production: limits are counted, static files are cached, lines are JSON.
        "APP_ENV": "production",
        "DATABASE_URL": url("coursecove_app"),
        "DATABASE_PLATFORM_URL": url("coursecove_platform"),
        "DATABASE_OWNER_URL": url("coursecove_owner"),
        # Straight to Postgres: plans may be kept.
        "DATABASE_PREPARE": "on",
        "REDIS_URL": valkey.url,
        "BASE_DOMAIN": BASE_DOMAIN,
        "PUBLIC_SCHEME": "http",
        "HOST": "127.0.0.1",
        "PORT": "8000",
        "CLERK_PUBLISHABLE_KEY": "pk_test_" + base64.b64encode(b"clerk.coursecove.localhost:9$").decode(),
        "CLERK_SECRET_KEY": "sk_test_benchmarks",
        "CLERK_API_URL": "http://127.0.0.1:9/v1",
        "CLERK_JWT_KEY": pem.replace("\n", "\\n"),
        "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        "SECRET_KEY": secrets.token_hex(32),
        # Nobody listens at the discard port: mail has no part in this.
        "SMTP_URL": "smtp://127.0.0.1:9",
        "LOG_FORMAT": "json",
        **{f"RATE_LIMIT_{what}": _BUDGET for what in ("PERSON", "ANONYMOUS", "WRITES", "ORGANIZATION")},
    }


@contextmanager
def running_house(name: str = "benchmarks") -> Iterator[House]:
    """Start the servers in a temporary home and migrate an empty database; afterwards all of it is gone."""
    with tempfile.TemporaryDirectory(prefix="coursecove-bench-") as folder, ExitStack() as stack:
        home = Path(folder)
        # Postgres runs as nobody when this runs as root, and has to pass through.
        home.chmod(0o711)
        postgres = EmbeddedPostgres(home / "postgres", port=quiet_port(), durable=True)
        valkey = EmbeddedValkey(home / "valkey", port=quiet_port())
        stack.callback(postgres.remove)
        stack.callback(postgres.stop)
        postgres.start()
        valkey.start()
        stack.callback(valkey.stop)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        environment = _environment(postgres, valkey, pem.decode().strip(), name)
        settings = load_settings(environment)
        bootstrap(postgres.superuser_url, settings)
        upgrade(settings.database_owner_url)
        house = House(home, postgres, valkey, environment, settings, key)
        stack.callback(house.close)
        yield house
