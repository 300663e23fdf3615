"""Running the migrations, and asking how far they are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import psycopg

from coursecove.config import project_data

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


def upgrade(owner_url: str) -> None:
    """Bring the schema to the newest migration, as the owner, in one transaction."""
    # Alembic takes a third of a second to import, and serving needs only the revision's name.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(project_data("migrations")))
    config.attributes["database_owner_url"] = owner_url
    command.upgrade(config, "head")


@lru_cache(maxsize=1)
def newest() -> str:
    """Return the revision this release needs: the number the last file's name begins with."""
    return max(path.name for path in (project_data("migrations") / "versions").glob("[0-9]*.py")).partition(
        "_"
    )[0]


def is_newest(owner_url: str) -> bool:
    """Say whether the database is at the newest migration; False also when it cannot be asked."""
    try:
        with psycopg.connect(owner_url, connect_timeout=5) as connection:
            row = connection.execute("select version_num from alembic_version").fetchone()
    except psycopg.Error:
        return False
    return row == (newest(),)


async def current(session: AsyncSession) -> str | None:
    """Return the revision the database is at; None when it was never migrated."""
    from sqlalchemy import text

    if not await session.scalar(text("select to_regclass('public.alembic_version')")):
        return None
    revision: str | None = await session.scalar(text("select version_num from alembic_version"))
    return revision
