"""``make demo``: the whole house on one machine, with people in it.

Embedded Postgres and Valkey, the stand-in for Clerk, the mailbox, web and
worker; each only where the environment does not name a real one.  The people
come in through signed webhooks, what the schools offer through the API.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import math
import os
import secrets
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from coursecove import startup
from coursecove.config import ConfigurationError, Settings, load_settings, read_env_file, state_folder
from coursecove.db.migrate import is_newest, upgrade
from coursecove.db.roles import bootstrap
from coursecove.dev import catalogue
from coursecove.dev.clerk import world
from coursecove.dev.clerk.errors import StandInRefused
from coursecove.dev.clerk.session_tokens import NoSuchPerson, fetch_session_token
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.daemons import DaemonError, free_port, port_is_free
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.dev.processes import NotReady, Supervisor, wait_for
from coursecove.dev.valkey import EmbeddedValkey
from coursecove.logs import configure_logging

_HELD = "COURSECOVE_DEMO_PORTS"


def run_demo(*, environment: Mapping[str, str]) -> int:
    """Run until Ctrl-C, SIGTERM or the parent's death; return the exit code."""
    own = {**read_env_file(Path(".env")), **environment}
    if own.get("APP_ENV", "").lower() == "production":
        print("The demo does not run with APP_ENV=production.", file=sys.stderr)
        return 1
    port = own.get("PORT") or "8000"
    if not port.isdigit() or not 0 < int(port) < 65536:
        print(f"PORT={port} is not a port number.", file=sys.stderr)
        return 1
    if not port_is_free(int(port)):
        print(
            f"Port {port} is taken by another program. Choose another one: make demo PORT={int(port) + 100}",
            file=sys.stderr,
        )
        return 1
    home = state_folder(own)
    home.mkdir(parents=True, exist_ok=True)
    try:
        with Supervisor() as supervisor:
            _run(supervisor, own, home, int(port))
    except (DaemonError, NotReady, StandInRefused, ConfigurationError, RuntimeError) as error:
        print(str(error), file=sys.stderr)
        return 1
    return supervisor.exit_code


def _run(supervisor: Supervisor, own: dict[str, str], home: Path, port: int) -> None:
    """Start everything in order, say where it is, and stay."""
    remembered = read_env_file(home / "env")
    # A proxy for the internet must not be asked for what runs on this machine.
    for name in ("NO_PROXY", "no_proxy"):
        here = [own.get(name, ""), "127.0.0.1", "localhost", ".localhost"]
        os.environ[name] = own[name] = ",".join(filter(None, here))
    environ = {
        "APP_ENV": "development",
        "BASE_DOMAIN": "coursecove.localhost",
        "PUBLIC_SCHEME": "http",
        "PUBLIC_PORT": str(port),
        "LOG_FORMAT": "text",
        **{name: value for name, value in own.items() if value},
        "PORT": str(port),
    }
    admin_url = None
    if not environ.get("DATABASE_URL"):
        supervisor.say("Starting Postgres …")
        postgres = supervisor.keep(EmbeddedPostgres(home / "postgres"))
        admin_url = postgres.superuser_url
        environ |= _database_urls(remembered, postgres.port)
    if not environ.get("REDIS_URL"):
        environ["REDIS_URL"] = supervisor.keep(EmbeddedValkey(home / "valkey")).url
    ports = _service_ports(remembered, port)
    environ[_HELD] = ",".join(str(p) for p in ports)
    clerk_port, smtp_port, mailbox_port = ports
    stand_in = None
    if not environ.get("CLERK_PUBLISHABLE_KEY"):
        stand_in = _stand_in(environ, home, clerk_port, port)
        environ = {"PLATFORM_OPERATORS": world.OLIVIA.email, **stand_in.environment(), **environ}
    if not environ.get("SMTP_URL"):
        environ["SMTP_URL"] = f"smtp://127.0.0.1:{smtp_port}"
        environ["MAILBOX_URL"] = f"http://mail.{environ['BASE_DOMAIN']}:{mailbox_port}"
    settings = load_settings(environ)
    _remember(home / "env", environ, own)

    command = [sys.executable, "-m", "coursecove"]
    supervisor.start("web", [*command, "serve"], env=environ)
    supervisor.start("services", [*command, "dev", "services"], env=environ)
    # While these two start, which are not ready before the database is.
    if not is_newest(settings.database_owner_url):
        supervisor.say("Preparing the database …")
        if admin_url is not None:
            bootstrap(admin_url, settings)
        upgrade(settings.database_owner_url)
    if stand_in is not None and not all(_marker(home, each).exists() for each in catalogue.CATALOGUES):
        # All of the product, needed in a moment: read while the web process does the same.
        threading.Thread(target=importlib.import_module, args=("coursecove.dev.showcase",), daemon=True).start()
    address = f"http://127.0.0.1:{port}"
    supervisor.wait_for(f"{address}/health/ready", timeout_seconds=60)

    def start_worker() -> None:
        # Not sooner: nobody waits for it yet, and it would take the processor from those everybody waits for.
        supervisor.start("worker", [*command, "worker"], env=environ)

    if stand_in is not None:
        supervisor.wait_for(f"http://127.0.0.1:{clerk_port}/.well-known/jwks.json", timeout_seconds=30)
        _load_world(supervisor, settings, home, address, start_worker=start_worker)
    else:
        start_worker()
    supervisor.say(_table(settings, environ, clerk_port if stand_in else None))
    supervisor.say(f"ready {settings.origin('musicschool')}")
    startup.finish()
    supervisor.wait()


def _database_urls(remembered: Mapping[str, str], port: int) -> dict[str, str]:
    """Return the three roles' connections, with the passwords of the last start."""
    urls = {}
    for name, role in (
        ("DATABASE_URL", "coursecove_app"),
        ("DATABASE_PLATFORM_URL", "coursecove_platform"),
        ("DATABASE_OWNER_URL", "coursecove_owner"),
    ):
        before = urlsplit(remembered.get(name, ""))
        password = before.password if before.username == role else None
        urls[name] = f"postgresql://{role}:{password or secrets.token_hex(16)}@127.0.0.1:{port}/coursecove"
    return urls


def _service_ports(remembered: Mapping[str, str], web_port: int) -> tuple[int, int, int]:
    """Return ports for Clerk's stand-in, SMTP and the mailbox: the last ones, neighbours, or any free ones."""
    before = [int(text) for text in remembered.get(_HELD, "").split(",") if text.isdigit()]
    same = remembered.get("PORT") == str(web_port) and len(before) == 3
    wanted = before if same else [web_port + 1, web_port + 3, web_port + 2]
    chosen: list[int] = []
    for candidate in wanted:
        usable = candidate < 65536 and candidate not in chosen and port_is_free(candidate)
        chosen.append(candidate if usable else free_port())
    return chosen[0], chosen[1], chosen[2]


def _stand_in(environ: Mapping[str, str], home: Path, clerk_port: int, web_port: int) -> ClerkStandIn:
    return ClerkStandIn(
        folder=home / "clerk",
        base_domain=environ["BASE_DOMAIN"],
        port=clerk_port,
        webhook_url=f"http://127.0.0.1:{web_port}/api/webhooks/clerk",
        webhook_secret=environ.get("CLERK_WEBHOOK_SIGNING_SECRET") or environ.get("CLERK_WEBHOOK_SECRET"),
        secret_key=environ.get("CLERK_SECRET_KEY"),
    )


def _remember(path: Path, environ: Mapping[str, str], own: Mapping[str, str]) -> None:
    """Write the settings of this start, for the other commands; readable by its owner only.

    What merely happens to stand in the caller's environment is left out.
    """
    names = set(environ) - (set(own) - _setting_names())
    lines = [f"{name}={environ[name]}" for name in sorted(names) if "\n" not in environ[name]]
    descriptor = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    path.with_suffix(".new").replace(path)


def _setting_names() -> set[str]:
    return {
        *("APP_ENV", "DATABASE_URL", "DATABASE_PLATFORM_URL", "DATABASE_OWNER_URL", "REDIS_URL"),
        *("BASE_DOMAIN", "PUBLIC_SCHEME", "PUBLIC_PORT", "HOST", "PORT", "TRUSTED_PROXIES", "METRICS_TOKEN"),
        "PLATFORM_OPERATORS",
        *("CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY", "CLERK_WEBHOOK_SIGNING_SECRET"),
        *("CLERK_WEBHOOK_SECRET", "CLERK_JWT_KEY", "CLERK_API_URL"),
        *("SMTP_URL", "MAIL_FROM", "MAILBOX_URL", "LOG_FORMAT"),
    }


def _load_world(
    supervisor: Supervisor, settings: Settings, home: Path, address: str, *, start_worker: Callable[[], None]
) -> None:
    """Wait until the webhooks have brought the people in, then let them set their schools up, once each.

    All schools at once: what the web process does for one, the admin of another does not wait for. The worker
    starts when they are open, or as soon as something seems to wait for it: an event that was too slow to be
    processed at once is the worker's.
    """
    missing = [school for school in catalogue.CATALOGUES if not _marker(home, school).exists()]
    stopped = threading.Event()
    openers, dresser = ThreadPoolExecutor(max_workers=len(missing) or 1), ThreadPoolExecutor(max_workers=1)

    def open_and_dress(school: catalogue.Catalogue) -> Future[None]:
        organization_id = _open(school, settings, address, stopped)
        return dresser.submit(_dress, settings, school.school.slug, organization_id, _marker(home, school))

    worker_after = time.monotonic() + 5

    def all_open() -> bool:
        nonlocal worker_after
        if time.monotonic() > worker_after:
            worker_after = math.inf
            start_worker()
        return all(one.done() for one in opened)

    try:
        for school in missing:
            supervisor.say(f"Opening {school.school.name} …")
        opened = [openers.submit(open_and_dress, school) for school in missing]
        supervisor.wait_for(all_open, timeout_seconds=180)
        if worker_after < math.inf:
            start_worker()
        dressed = [one.result() for one in opened]
        supervisor.wait_for(lambda: all(one.done() for one in dressed), timeout_seconds=180)
        for one in dressed:
            one.result()
    finally:
        stopped.set()
        openers.shutdown(wait=False, cancel_futures=True)
        dresser.shutdown(wait=False, cancel_futures=True)


def _open(school: catalogue.Catalogue, settings: Settings, address: str, stopped: threading.Event) -> uuid.UUID:
    """Wait for a school's people and let its admin and instructors set it up; return its id."""
    base_host = settings.origin().partition("://")[2]
    host, slug = f"{school.school.slug}.{base_host}", school.school.slug
    admin = school.school.people[0][0]
    expected = {person.email for person, _ in school.school.people}
    tokens: dict[tuple[str, str], tuple[float, str]] = {}

    def token(email: str, slug: str) -> str:
        made_at, text = tokens.get((email, slug), (0.0, ""))
        if time.monotonic() - made_at > 30:
            text = _fetch_token(settings, organization=slug, email=email)
            tokens[email, slug] = (time.monotonic(), text)
        return text

    def everybody_is_here() -> bool:
        # The web process remembers for a moment that a school is unknown.
        time.sleep(0.15)
        try:
            bearer = token(admin.email, slug)
        except (NoSuchPerson, httpx.HTTPError):
            return False
        answer = httpx.get(
            f"{address}/api/v1/members?page_size=200",
            headers={"Host": host, "Authorization": f"Bearer {bearer}"},
            timeout=10,
            trust_env=False,
        )
        return answer.is_success and expected <= {m["email"] for m in answer.json()["items"]}

    def still_wanted() -> None:
        if stopped.is_set():
            raise NotReady(f"{school.school.name} is not needed any more.")

    wait_for(everybody_is_here, timeout_seconds=60, watch=still_wanted)
    catalogue.load(school, address=address, base_host=base_host, token_for=token)
    answer = httpx.get(f"{address}/api/v1/organization", headers={"Host": host}, timeout=10, trust_env=False)
    return uuid.UUID(answer.json()["id"])


def _dress(settings: Settings, slug: str, organization_id: uuid.UUID, marker: Path) -> None:
    # All of the product: only a first start needs it.
    from coursecove.dev import showcase

    showcase.dress(settings, slug, organization_id)
    marker.touch()


def _marker(home: Path, school: catalogue.Catalogue) -> Path:
    """Return the file that says that a school was opened and dressed."""
    return home / f"loaded-{school.school.slug}"


def token_for(settings: Settings, *, organization: str, email: str) -> str:
    """Return a session token from the running stand-in; exits with one line when it cannot be had."""
    if settings.app_env == "production" or settings.clerk_secret_key.startswith("sk_live_"):
        raise SystemExit("Tokens of the stand-in are for development; this is production.")
    try:
        return _fetch_token(settings, organization=organization, email=email)
    except NoSuchPerson as error:
        raise SystemExit(str(error)) from None
    except httpx.HTTPError as error:
        raise SystemExit(f"The stand-in for Clerk does not answer: {error}. Is the demo running?") from None


def _fetch_token(settings: Settings, *, organization: str, email: str) -> str:
    return fetch_session_token(
        api_url=settings.clerk_api_url,
        secret_key=settings.clerk_secret_key,
        email=email,
        organization=organization,
        origin=settings.origin(organization),
    )


def run_services(environ: Mapping[str, str]) -> None:
    """Serve the stand-in, SMTP and the mailbox until SIGTERM; the ports are those the demo chose."""
    from coursecove.dev.services import serve

    settings = load_settings(environ)
    if settings.app_env == "production":
        raise SystemExit("The stand-in for Clerk and the mailbox are for development; this is production.")
    ports = [int(text) for text in environ.get(_HELD, "").split(",") if text.isdigit()]
    if len(ports) != 3:
        raise SystemExit("Start the demo first (make demo): it chooses the addresses of these services.")
    clerk_port, smtp_port, mailbox_port = ports
    home = state_folder(environ)
    stands_in = settings.clerk_api_url == f"http://127.0.0.1:{clerk_port}/v1"
    stand_in = _stand_in(environ, home, clerk_port, settings.port) if stands_in else None

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for wanted in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(wanted, stop.set)
        await serve(
            stand_in,
            folder=home,
            smtp_port=smtp_port,
            mailbox_port=mailbox_port,
            web_address=f"http://127.0.0.1:{settings.port}",
            stop=stop,
        )

    configure_logging(settings.log_format, level=logging.WARNING)
    startup.finish()
    asyncio.run(main())


def _table(settings: Settings, environ: Mapping[str, str], clerk_port: int | None) -> str:
    """Return what a person needs to look around."""
    school = settings.origin("musicschool")
    rows = [
        ("Students", school),
        ("Instructors", f"{school}/teach"),
        ("Admins", f"{school}/admin"),
        ("More schools", f"{settings.origin('yoga')}  {settings.origin('tutoring')}"),
        ("CourseCove", settings.origin()),
        ("Platform operator", f"{settings.origin()}/platform"),
        ("API", f"{school}/api/v1/docs"),
    ]
    if environ.get("MAILBOX_URL"):
        rows.append(("Sent mail", environ["MAILBOX_URL"]))
    if clerk_port is not None:
        rows.append(("Clerk's stand-in", f"http://clerk.{settings.base_domain}:{clerk_port}"))
    lines = ["", *(f"  {name:<17} {address}" for name, address in rows), ""]
    if clerk_port is not None:
        people = world.MUSIC_SCHOOL.people
        words = [
            f"{person.given_name} {person.family_name} ({world.ROLE_WORDS[role].lower()})"
            for person, role in people
        ]
        lines += [
            "  To sign in, press “Sign in” and choose a person; there are no passwords here.",
            f"  At Harmony Music School: {', '.join(words)}.",
            f"  Platform operator: {world.OLIVIA.given_name} {world.OLIVIA.family_name}.",
            "",
        ]
    return "\n".join(lines)
