"""Running the migrations, and asking how far they are."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import project_data


def _config(owner_url: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(project_data("migrations")))
    config.attributes["database_owner_url"] = owner_url
    return config


def upgrade(owner_url: str) -> None:
    """Bring the schema to the newest migration, as the owner, in one transaction."""
    command.upgrade(_config(owner_url), "head")


def newest() -> str:
    """Return the revision this release needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


async def current(session: AsyncSession) -> str | None:
    """Return the revision the database is at; None when it was never migrated."""
    if not await session.scalar(text("select to_regclass('public.alembic_version')")):
        return None
    revision: str | None = await session.scalar(text("select version_num from alembic_version"))
    return revision
