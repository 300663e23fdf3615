"""Real services for every test: Postgres and Valkey of our own, the stand-in for Clerk, real sockets.

A module gets a database of its own, copied from a template in which the demo
world was opened once: the people through signed webhooks, what the schools
offer through the API.  Tests connect as the real roles.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import jwt
import psycopg
import pytest
import redis
from psycopg import sql

from coursecove import clock
from coursecove.app import CourseCove, create_app
from coursecove.config import Settings, load_settings
from coursecove.db.migrate import upgrade
from coursecove.db.roles import bootstrap
from coursecove.db.session import Database
from coursecove.dev.clerk.app import create_clerk_app
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.dev.valkey import EmbeddedValkey
from coursecove.portals import csrf
from coursecove.resources import Resources, open_resources
from tests.factories.world import School, open_schools, read_school, token_for
from tests.operations.bouncer import PROGRAM, bouncing
from tests.serving import Loop, free_port, serving

BASE_DOMAIN = "coursecove.localhost"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let any test run as in a large installation: ``pytest tests/isolation --pgbouncer``."""
    parser.addoption(
        "--pgbouncer", action="store_true", help="The serving roles reach Postgres through pgbouncer."
    )


@pytest.fixture(scope="session", autouse=True)
def _no_proxies_and_no_demo_settings() -> None:
    for name in list(os.environ):
        if name.startswith(("CLERK_", "DATABASE_", "REDIS_", "COURSECOVE_")) or name.lower().endswith("_proxy"):
            del os.environ[name]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A Postgres for this run, without durability: nothing of it is to survive."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.remove()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A Valkey for this run."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClerkStandIn]:
    """The stand-in for Clerk, served on a real port, with the demo world in it; it sends no webhooks itself."""
    port = free_port()
    clerk = ClerkStandIn(folder=tmp_path_factory.mktemp("clerk"), base_domain=BASE_DOMAIN, port=port)
    clerk.seed_world()
    with serving(create_clerk_app(clerk), port):
        yield clerk


@pytest.fixture(scope="session")
def base_settings(postgres: EmbeddedPostgres, valkey: EmbeddedValkey, stand_in: ClerkStandIn) -> Settings:
    """Settings of this run; ``settings`` and ``empty_settings`` name a database each."""
    port = free_port()
    host = f"127.0.0.1:{postgres.port}"
    return load_settings(
        {
            "APP_ENV": "test",
            "DATABASE_URL": f"postgresql://coursecove_app:app@{host}/template_empty",
            "DATABASE_PLATFORM_URL": f"postgresql://coursecove_platform:platform@{host}/template_empty",
            "DATABASE_OWNER_URL": f"postgresql://coursecove_owner:owner@{host}/template_empty",
            "REDIS_URL": valkey.url,
            "BASE_DOMAIN": BASE_DOMAIN,
            "PORT": str(port),
            "PUBLIC_PORT": str(port),
            "PUBLIC_SCHEME": "http",
            "SMTP_URL": "smtp://127.0.0.1:9",
            "LOG_FORMAT": "text",
            **stand_in.environment(),
        }
    )


def on_database(settings: Settings, name: str) -> Settings:
    """Return the settings for another database of the same server."""

    def renamed(url: str) -> str:
        return url.rpartition("/")[0] + "/" + name

    return replace(
        settings,
        database_url=renamed(settings.database_url),
        database_platform_url=renamed(settings.database_platform_url),
        database_owner_url=renamed(settings.database_owner_url),
    )


def copy_database(postgres: EmbeddedPostgres, template: str, name: str) -> None:
    """Make a database by copying a template nobody is connected to."""
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {} strategy wal_log owner coursecove_owner").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        for statement in (
            "revoke all on database {} from public",
            "grant connect on database {} to coursecove_app, coursecove_platform",
        ):
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def drop_database(postgres: EmbeddedPostgres, name: str) -> None:
    """Drop a test's database, whoever is still connected."""
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def empty_template(postgres: EmbeddedPostgres, base_settings: Settings) -> str:
    """A migrated database with nothing in it."""
    bootstrap(postgres.superuser_url, base_settings)
    upgrade(base_settings.database_owner_url)
    return "template_empty"


@pytest.fixture(scope="session")
def world_template(
    postgres: EmbeddedPostgres, base_settings: Settings, empty_template: str, stand_in: ClerkStandIn
) -> str:
    """A database in which the demo's schools are open."""
    copy_database(postgres, empty_template, "template_world")
    open_schools(on_database(base_settings, "template_world"), stand_in)
    return "template_world"


def database_of_its_own(
    postgres: EmbeddedPostgres,
    valkey: EmbeddedValkey,
    base_settings: Settings,
    template: str,
    *,
    through_pgbouncer: bool = False,
) -> Iterator[Settings]:
    """Yield settings for a copy of the template, which is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    copy_database(postgres, template, name)
    redis.Redis.from_url(valkey.url).flushall()
    own = on_database(base_settings, name)
    if through_pgbouncer:
        if PROGRAM is None:
            pytest.fail("pgbouncer is not installed: apt-get install pgbouncer")
        # Not pytest's folder, which nobody else may enter: pgbouncer refuses to run as root.
        with (
            TemporaryDirectory(prefix="coursecove-pgbouncer-") as folder,
            bouncing(own, Path(folder), server_connections=10) as behind,
        ):
            yield behind
    else:
        yield own
    drop_database(postgres, name)


@pytest.fixture(scope="module")
def empty_settings(
    pytestconfig: pytest.Config,
    postgres: EmbeddedPostgres,
    valkey: EmbeddedValkey,
    base_settings: Settings,
    empty_template: str,
) -> Iterator[Settings]:
    """Settings with a migrated, empty database for this module."""
    through = pytestconfig.getoption("--pgbouncer")
    yield from database_of_its_own(postgres, valkey, base_settings, empty_template, through_pgbouncer=through)


@pytest.fixture(scope="module")
def settings(
    pytestconfig: pytest.Config,
    postgres: EmbeddedPostgres,
    valkey: EmbeddedValkey,
    base_settings: Settings,
    world_template: str,
) -> Iterator[Settings]:
    """Settings with the demo world in a database for this module."""
    through = pytestconfig.getoption("--pgbouncer")
    yield from database_of_its_own(postgres, valkey, base_settings, world_template, through_pgbouncer=through)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    """An event loop for this module; ``loop.run(coroutine)``."""
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def resources(settings: Settings, loop: Loop) -> Iterator[Resources]:
    """Open resources on ``loop``, in the demo world."""
    opened = open_resources(settings)
    yield loop.run(opened.__aenter__())
    loop.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def database(resources: Resources) -> Database:
    """Both database doors, on ``loop``."""
    return resources.database


@pytest.fixture(scope="module")
def musicschool(settings: Settings) -> School:
    """Harmony Music School: ids of its people, types and places."""
    return read_school(settings, "musicschool")


@pytest.fixture(scope="module")
def yoga(settings: Settings) -> School:
    """Stillwater Yoga."""
    return read_school(settings, "yoga")


@pytest.fixture(scope="module")
def app(settings: Settings) -> CourseCove:
    """The web application of this module (served by ``address``)."""
    return create_app(settings)


@pytest.fixture(scope="module")
def address(app: CourseCove, settings: Settings) -> Iterator[str]:
    """Where the application listens, by number."""
    with serving(app, settings.port) as address:
        yield address


ClientFor = Callable[..., httpx.Client]


def form_token(settings: Settings, session_token: str, slug: str) -> str:
    """Return what a page of this school would put into its forms for this session."""
    session_id = jwt.decode(session_token, options={"verify_signature": False})["sid"]
    return csrf.issue(settings, session_id, read_school(settings, slug).organization_id)


@pytest.fixture(scope="module")
def token(settings: Settings, stand_in: ClerkStandIn) -> Callable[[str, str], str]:
    """``token(email, slug)``: a session token of that person for that school."""
    return lambda email, slug: token_for(stand_in, settings, email, slug)


@pytest.fixture(scope="module")
def client(address: str, settings: Settings, token: Callable[[str, str], str]) -> Iterator[ClientFor]:
    """``client(slug, email=None, cookie=False)``: an HTTP client of one person at one school.

    With ``cookie=True`` the token travels as the browser's cookies do, for
    pages, and with it what our forms carry (as a header, so that tests post
    what people type); otherwise as a Bearer token.  Redirects are not followed.
    """
    with ExitStack() as stack:

        def make(
            slug: str | None, email: str | None = None, *, cookie: bool = False, **options: Any
        ) -> httpx.Client:
            origin = settings.origin(slug)
            headers = {"Host": origin.partition("://")[2]}
            if email and slug:
                bearer = token(email, slug)
                if cookie:
                    headers |= {
                        "Cookie": f"__session={bearer}; __client_uat=1",
                        "Origin": origin,
                        "Accept": "text/html",
                        "Sec-Fetch-Dest": "document",
                        csrf.HEADER: form_token(settings, bearer, slug),
                    }
                else:
                    headers["Authorization"] = f"Bearer {bearer}"
            elif cookie:
                headers |= {"Origin": origin, "Accept": "text/html"}
            made = httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False, **options)
            return stack.enter_context(made)

        yield make


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """``travel(instant)``: the application's clock stands at that instant (the database's does not)."""
    return lambda instant: monkeypatch.setattr(clock, "_read", lambda: instant)


@pytest.fixture(scope="session")
def project() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
