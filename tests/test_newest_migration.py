"""Which migration is the newest, found without Alembic, as Alembic sees it."""

from __future__ import annotations

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from coursecove.config import Settings, project_data
from coursecove.db import migrate
from coursecove.dev.postgres import EmbeddedPostgres


def test_the_last_file_is_the_head_of_the_only_line_of_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(project_data("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.newest()]


def test_a_database_that_is_behind_or_away_is_not_at_the_newest(
    settings: Settings, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrate.is_newest(settings.database_owner_url)
    with monkeypatch.context() as behind:
        behind.setattr(migrate, "newest", lambda: "9999")
        assert not migrate.is_newest(settings.database_owner_url)
    empty = settings.database_owner_url.rpartition("/")[0] + "/postgres"
    with psycopg.connect(empty) as connection:
        assert connection.execute("select to_regclass('alembic_version')").fetchone() == (None,)
    assert not migrate.is_newest(empty)
    assert not migrate.is_newest(f"{settings.database_owner_url}_of_nobody")
