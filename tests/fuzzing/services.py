"""Postgres, Valkey and the stand-in for Clerk, outside of pytest, with the demo's schools in a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from coursecove.config import Settings, load_settings
from coursecove.db.migrate import upgrade
from coursecove.db.roles import bootstrap
from coursecove.dev.clerk.app import create_clerk_app
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.dev.valkey import EmbeddedValkey
from tests.conftest import BASE_DOMAIN, copy_database, on_database
from tests.factories.world import open_schools, token_for
from tests.serving import free_port, serving

_TOKEN_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Place:
    """An application's settings, with a database and a port of its own, and session tokens for it."""

    settings: Settings
    tokens: dict[tuple[str, str], str]

    def token(self, email: str, slug: str) -> str:
        """Return the session token of a person at a school."""
        return self.tokens[email, slug]


class Services:
    """Running services; ``place`` makes as many applications' settings as are asked for."""

    def __init__(self, postgres: EmbeddedPostgres, stand_in: ClerkStandIn, settings: Settings) -> None:
        self._postgres = postgres
        self._stand_in = stand_in
        self._settings = settings

    def place(self, name: str, people: list[tuple[str, str]]) -> Place:
        """Copy the demo's schools into a database of that name; ``people`` are e-mail and school."""
        copy_database(self._postgres, "world", name)
        port = free_port()
        settings = replace(on_database(self._settings, name), port=port, public_port=port)
        tokens = {
            (email, slug): token_for(self._stand_in, settings, email, slug, lifetime_seconds=_TOKEN_SECONDS)
            for email, slug in people
        }
        return Place(settings, tokens)


@contextmanager
def running_services(folder: Path) -> Iterator[Services]:
    """Start everything in ``folder`` and open the schools; ends and removes it all afterwards."""
    with ExitStack() as stack:
        postgres = EmbeddedPostgres(folder / "postgres", durable=False)
        postgres.start()
        stack.callback(postgres.remove)
        stack.callback(postgres.stop)
        valkey = stack.enter_context(EmbeddedValkey(folder / "valkey"))
        port = free_port()
        stand_in = ClerkStandIn(folder=folder / "clerk", base_domain=BASE_DOMAIN, port=port)
        stand_in.seed_world()
        stack.enter_context(serving(create_clerk_app(stand_in), port))
        host = f"127.0.0.1:{postgres.port}"
        app_port = free_port()
        settings = load_settings(
            {
                "APP_ENV": "test",
                "DATABASE_URL": f"postgresql://coursecove_app:app@{host}/world",
                "DATABASE_PLATFORM_URL": f"postgresql://coursecove_platform:platform@{host}/world",
                "DATABASE_OWNER_URL": f"postgresql://coursecove_owner:owner@{host}/world",
                "REDIS_URL": valkey.url,
                "BASE_DOMAIN": BASE_DOMAIN,
                "PORT": str(app_port),
                "PUBLIC_PORT": str(app_port),
                "PUBLIC_SCHEME": "http",
                "SMTP_URL": "smtp://127.0.0.1:9",
                "LOG_FORMAT": "text",
                # Thousands of requests of one person are meant here.
                **{f"RATE_LIMIT_{what}": "0" for what in ("PERSON", "ANONYMOUS", "WRITES", "ORGANIZATION")},
                **stand_in.environment(),
            }
        )
        bootstrap(postgres.superuser_url, settings)
        upgrade(settings.database_owner_url)
        open_schools(settings, stand_in)
        yield Services(postgres, stand_in, settings)
