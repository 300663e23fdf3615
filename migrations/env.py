"""Alembic's entry: runs every migration in one transaction, as the owner of the schema."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text

from coursecove.db.session import sqlalchemy_url

url = context.config.attributes["database_owner_url"]
engine = create_engine(
    sqlalchemy_url(url), connect_args={"application_name": "coursecove migrate", "prepare_threshold": None}
)

with engine.connect() as connection:
    # Two deployments that start at once must not migrate at once.
    connection.execute(text("select pg_advisory_lock(hashtext('coursecove.migrate'))"))
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()
    connection.execute(text("select pg_advisory_unlock(hashtext('coursecove.migrate'))"))
    connection.commit()
engine.dispose()
