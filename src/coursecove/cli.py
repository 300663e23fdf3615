"""The command ``coursecove``: run it, move the schema, look after it.

Settings come from the environment, then from ``.env`` in the working folder,
and when those name no database, from the demo's state folder
(``COURSECOVE_HOME``), so that every command works beside a running demo.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import click

from coursecove import startup
from coursecove.config import ConfigurationError, Settings, load_settings, read_env_file, state_folder


def environment() -> dict[str, str]:
    """Return the variables the commands go by."""
    environ = {**read_env_file(Path(".env")), **os.environ}
    if not environ.get("DATABASE_URL"):
        environ = {**read_env_file(state_folder(environ) / "env"), **environ}
    return environ


def settings_or_exit() -> Settings:
    """Return the settings, or stop with the one message that names all that is wrong with them."""
    try:
        return load_settings(environment())
    except ConfigurationError as error:
        raise SystemExit(str(error)) from None


class _Commands(click.Group):
    """Ours, and those that live in their room, imported when they are called for: the others start faster."""

    rooms: ClassVar[dict[str, tuple[str, str]]] = {
        "webhooks": ("coursecove.webhooks.commands", "webhooks_group")
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *self.rooms])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its room if need be."""
        if cmd_name in self.rooms:
            module, name = self.rooms[cmd_name]
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a database that cannot be reached ends it with one line."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            import psycopg
            from sqlalchemy.exc import OperationalError

            if not isinstance(error, psycopg.OperationalError | OperationalError):
                raise
            reason = str(getattr(error, "orig", error)).splitlines()[0]
            raise SystemExit(f"The database does not answer: {reason}") from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="coursecove")
@click.pass_context
def main(context: click.Context) -> None:
    """CourseCove: lesson booking for many schools, each on its own subdomain."""
    context.ensure_object(dict)
    context.obj["settings"] = settings_or_exit


@main.command()
def demo() -> None:
    """Start everything on this machine, with a demo world of three schools."""
    startup.begin()
    from coursecove.dev.demo import run_demo

    sys.exit(run_demo(environment=os.environ))


@main.command()
@click.option("--workers", default=1, show_default=True, help="Number of web processes.")
def serve(workers: int) -> None:
    """Serve the web application on HOST and PORT."""
    startup.begin()
    import uvicorn

    settings = settings_or_exit()
    # Child processes of uvicorn read the environment again.
    os.environ.update(environment())
    uvicorn.run(
        "coursecove.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        # Who is in front of us is decided by TRUSTED_PROXIES, in one place.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )


@main.command()
def worker() -> None:
    """Process queued and periodic jobs."""
    startup.begin()
    from coursecove.logs import configure_logging
    from coursecove.worker import run_worker

    settings = settings_or_exit()
    configure_logging(settings.log_format)
    run_worker(settings)


@main.command()
def migrate() -> None:
    """Bring the database to this release, as the owner of the schema."""
    from coursecove.db.migrate import newest, upgrade

    upgrade(settings_or_exit().database_owner_url)
    click.echo(f"The database is at {newest()}.")


@main.command()
def doctor() -> None:
    """Check configuration, database roles, migrations, Redis, Clerk and mail, one line each."""
    from coursecove.doctor import examine

    try:
        settings = load_settings(environment())
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"FAIL  configuration      {problem}")
        sys.exit(1)
    click.echo(f"ok    configuration      {settings.app_env}, {settings.origin()}")
    checks = asyncio.run(examine(settings))
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<17}  {check.detail}")
    sys.exit(0 if all(check.ok for check in checks) else 1)


@main.group()
def db() -> None:
    """Look into the database, and prepare one."""


_ROLES = click.Choice(["owner", "app", "platform"])


def _url(settings: Settings, role: str) -> str:
    return {
        "owner": settings.database_owner_url,
        "app": settings.database_url,
        "platform": settings.database_platform_url,
    }[role]


@db.command("url")
@click.option("--role", type=_ROLES, default="app", show_default=True)
def db_url(role: str) -> None:
    """Print the connection string of a role (it holds a password)."""
    click.echo(_url(settings_or_exit(), role))


@db.command("shell", context_settings={"ignore_unknown_options": True})
@click.option("--role", type=_ROLES, default="app", show_default=True)
@click.option("--organization", help="Enter this school: its rows become visible to the app role.")
@click.argument("arguments", nargs=-1)
def db_shell(role: str, organization: str | None, arguments: tuple[str, ...]) -> None:
    """Open psql on the database in use; further ARGUMENTS go to psql, as in -c 'select now()'."""
    import shutil

    settings = settings_or_exit()
    program = shutil.which("psql")
    if program is None:
        try:
            from coursecove.dev.postgres import EmbeddedPostgres

            program = str(EmbeddedPostgres(state_folder(environment()) / "postgres").binary("psql"))
        except ImportError:
            raise SystemExit("psql was not found. Install the PostgreSQL client.") from None
    parts = urlsplit(_url(settings, role))
    environ = {**os.environ, "PGPASSWORD": unquote(parts.password or "")}
    if organization:
        organization_id = asyncio.run(_organization_id(settings, organization))
        environ["PGOPTIONS"] = f"-c app.organization_id={organization_id} -c app.member_role=system"
    # The password would be seen in the list of processes; everything else of the address stays.
    host = parts.netloc.rpartition("@")[2]
    without_password = parts._replace(netloc=f"{parts.username}@{host}").geturl()
    sys.exit(subprocess.call([program, without_password, *arguments], env=environ))  # noqa: S603


async def _organization_id(settings: Settings, slug: str) -> str:
    from coursecove.db.session import Database
    from coursecove.tenants.directory import Directory

    database = Database(settings)
    try:
        found = await Directory(database).find(slug)
    finally:
        await database.close()
    if found is None:
        raise SystemExit(f"There is no school at {slug}.")
    return str(found.id)


@db.command("init")
@click.option(
    "--admin-url",
    envvar="DATABASE_ADMIN_URL",
    required=True,
    help="Connection of a role that may create roles and databases.",
)
def db_init(admin_url: str) -> None:
    """Create the three roles and the database of the settings, then migrate."""
    from coursecove.db.migrate import newest, upgrade
    from coursecove.db.roles import bootstrap

    settings = settings_or_exit()
    try:
        name = bootstrap(admin_url, settings)
    except ValueError as error:
        raise SystemExit(f"DATABASE_URL and its siblings do not fit: {error}.") from None
    upgrade(settings.database_owner_url)
    click.echo(f"Database {name} is ready at {newest()}.")


@main.group()
def tenants() -> None:
    """Look at the schools."""


@tenants.command("list")
def tenants_list() -> None:
    """List schools by name, with their addresses."""

    async def listed(settings: Settings) -> list[Any]:
        from coursecove.db.session import Database
        from coursecove.tenants.directory import Directory

        database = Database(settings)
        try:
            return await Directory(database).listed(limit=1000)
        finally:
            await database.close()

    settings = settings_or_exit()
    for school in asyncio.run(listed(settings)):
        click.echo(f"{school.name:<40} {settings.origin(school.slug)}")


@main.group()
def dev() -> None:
    """Things for a developer's machine; refused in production."""


@dev.command("services")
def dev_services() -> None:
    """Run the stand-in for Clerk, the SMTP server and the mailbox page (the demo starts this)."""
    startup.begin()
    from coursecove.dev.demo import run_services

    run_services(environment())


@dev.command("token")
@click.option("--organization", required=True, help="The school's subdomain, for example musicschool.")
@click.option("--email", required=True, help="Whose token, for example mia@example.com.")
def dev_token(organization: str, email: str) -> None:
    """Print a session token for API calls, made by the running stand-in; it lives for a minute."""
    from coursecove.dev.demo import token_for

    click.echo(token_for(settings_or_exit(), organization=organization, email=email))
