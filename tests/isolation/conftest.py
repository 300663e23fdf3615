"""Both schools with one of each thing, and everybody's clients at Stillwater Yoga."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import httpx
import pytest

from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.isolation.catalogue_rules import tenant_tables
from tests.isolation.databases import as_superuser
from tests.isolation.people import PEOPLE, is_page, things_of
from tests.isolation.routes import Things

Asking = Callable[[str, str], httpx.Client]


@pytest.fixture(scope="module")
def theirs(settings: Settings, musicschool: School) -> Things:
    """Things of Harmony Music School: the other school, from where the tests stand."""
    return things_of(settings, musicschool, teacher="ida@harmony.example", student="mia@example.com")


@pytest.fixture(scope="module")
def ours(settings: Settings, yoga: School) -> Things:
    """Things of Stillwater Yoga."""
    return things_of(settings, yoga, teacher="jun@stillwater.example", student="sofia@example.com")


@pytest.fixture(scope="module")
def asking(client: ClientFor) -> Asking:
    """`asking(role, route)`: that person's client, by token for the API and by cookie for pages."""
    clients: dict[tuple[str, bool], httpx.Client] = {}

    def of(role: str, route: str) -> httpx.Client:
        key = (role, is_page(route))
        if key not in clients:
            clients[key] = client("yoga", PEOPLE[role], cookie=is_page(route))
        return clients[key]

    return of


@pytest.fixture
def fingerprint(postgres: EmbeddedPostgres, settings: Settings) -> Callable[[School], str]:
    """`fingerprint(school)`: a digest of every row the school has."""

    def taken(school: School) -> str:
        digest = hashlib.sha256()
        with as_superuser(postgres, settings) as connection:
            for table in tenant_tables(connection):
                rows = connection.execute(
                    f"select t::text from {table} t where organization_id = %s order by 1",
                    [school.organization_id],
                ).fetchall()
                digest.update(repr((table, rows)).encode())
            organization = connection.execute(
                "select o::text from organizations o where id = %s", [school.organization_id]
            ).fetchall()
        digest.update(repr(organization).encode())
        return digest.hexdigest()

    return taken
