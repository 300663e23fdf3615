"""Connections of the isolation tests: as a real role in a school, or as the superuser who seeds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from tests.factories.world import ENTER

Connection = psycopg.Connection[Any]


@contextmanager
def as_superuser(postgres: EmbeddedPostgres, settings: Settings) -> Iterator[Connection]:
    """Connect to the database of `settings` above all policies; what is written is kept on leaving."""
    server = postgres.superuser_url.rpartition("/")[0]
    with psycopg.connect(f"{server}/{settings.database_url.rpartition('/')[2]}") as connection:
        yield connection


@contextmanager
def within(url: str, organization_id: uuid.UUID | None) -> Iterator[Connection]:
    """Connect as the role of `url` inside an organization (None: in none); everything is rolled back."""
    with psycopg.connect(url) as connection:
        enter(connection, organization_id)
        yield connection
        connection.rollback()


def enter(connection: Connection, organization_id: uuid.UUID | None) -> None:
    """Set the organization of this transaction, as the unit of work of a job does."""
    connection.execute(ENTER, [str(organization_id) if organization_id else ""])
