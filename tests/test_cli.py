"""The command line, as an operator and a developer use it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result

from coursecove.cli import main
from coursecove.config import Settings
from coursecove.db.migrate import newest
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.postgres import EmbeddedPostgres
from tests.conftest import drop_database
from tests.serving import free_port

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def variables(settings: Settings, stand_in: ClerkStandIn) -> dict[str, str]:
    """The settings of this run as an environment."""
    return {
        "APP_ENV": "test",
        "DATABASE_URL": settings.database_url,
        "DATABASE_PLATFORM_URL": settings.database_platform_url,
        "DATABASE_OWNER_URL": settings.database_owner_url,
        "REDIS_URL": settings.redis_url,
        "BASE_DOMAIN": settings.base_domain,
        "PORT": str(settings.port),
        "PUBLIC_PORT": str(settings.port),
        "PUBLIC_SCHEME": "http",
        "SMTP_URL": settings.smtp_url,
        "LOG_FORMAT": "text",
        **stand_in.environment(),
    }


@pytest.fixture
def run(variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("doctor", SMTP_URL="…")`: the command in an empty folder, with these settings and changes."""
    monkeypatch.chdir(tmp_path)

    def ran(*arguments: str, **changes: str | None) -> Result:
        return CliRunner().invoke(main, arguments, env={**variables, **changes})

    return ran


def in_a_process(*arguments: str, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as people do."""
    return subprocess.run(
        [sys.executable, "-m", "coursecove", *arguments],
        env={"PATH": os.environ["PATH"], **env},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_names_every_command(run: Run) -> None:
    answer = run("--help")
    assert answer.exit_code == 0
    listed = {line.split()[0] for line in answer.output.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed == {"db", "demo", "dev", "doctor", "migrate", "serve", "tenants", "webhooks", "worker"}
    assert {line for line in run("db", "--help").output.split() if line in ("init", "shell", "url")} == {
        "init",
        "shell",
        "url",
    }


def test_a_connection_string_of_each_role(run: Run, settings: Settings) -> None:
    assert run("db", "url").output.strip() == settings.database_url
    assert run("db", "url", "--role", "app").output.strip() == settings.database_url
    assert run("db", "url", "--role", "owner").output.strip() == settings.database_owner_url
    assert run("db", "url", "--role", "platform").output.strip() == settings.database_platform_url
    assert run("db", "url", "--role", "superuser").exit_code == 2


def test_psql_opens_as_the_role_and_in_the_school_asked_for(variables: dict[str, str], tmp_path: Path) -> None:
    question = "select current_user, (select count(*) > 0 from members), inet_server_port()"

    def asked(*options: str) -> list[str]:
        answer = in_a_process("db", "shell", *options, "-At", "-c", question, env=variables, cwd=tmp_path)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout.strip().split("|")

    port = variables["DATABASE_URL"].rpartition(":")[2].partition("/")[0]
    assert asked() == ["coursecove_app", "f", port]
    assert asked("--organization", "yoga") == ["coursecove_app", "t", port]
    assert asked("--role", "platform") == ["coursecove_platform", "t", port]
    assert asked("--role", "owner") == ["coursecove_owner", "f", port]


def test_psql_is_not_opened_in_a_school_that_is_not_there(run: Run) -> None:
    answer = run("db", "shell", "--organization", "nobody")
    assert (answer.exit_code, answer.output) == (1, "There is no school at nobody.\n")


def test_a_new_database_is_made_and_migrated(run: Run, settings: Settings, postgres: EmbeddedPostgres) -> None:
    name = f"test_{uuid.uuid4().hex[:12]}"
    urls = {
        variable: url.rpartition("/")[0] + "/" + name
        for variable, url in (
            ("DATABASE_URL", settings.database_url),
            ("DATABASE_PLATFORM_URL", settings.database_platform_url),
            ("DATABASE_OWNER_URL", settings.database_owner_url),
        )
    }
    try:
        for _ in range(2):  # doing it again is fine
            made = run("db", "init", "--admin-url", postgres.superuser_url, **urls)
            assert (made.exit_code, made.output) == (0, f"Database {name} is ready at {newest()}.\n")
        migrated = run("migrate", **urls)
        assert (migrated.exit_code, migrated.output) == (0, f"The database is at {newest()}.\n")
        with psycopg.connect(urls["DATABASE_URL"]) as connection:
            assert connection.execute("select count(*) from bookings").fetchone() == (0,)
        mixed_up = run(
            "db",
            "init",
            DATABASE_ADMIN_URL=postgres.superuser_url,
            **urls
            | {
                "DATABASE_URL": urls["DATABASE_OWNER_URL"],
            },
        )
        assert mixed_up.exit_code == 1
        assert "coursecove_app names user 'coursecove_owner'" in mixed_up.output
    finally:
        drop_database(postgres, name)


@pytest.fixture
def mail_port() -> Iterator[int]:
    """Something that answers where mail would be taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=server.accept, daemon=True).start()
        yield server.getsockname()[1]


def test_the_doctor_finds_nothing(run: Run, mail_port: int) -> None:
    answer = run("doctor", SMTP_URL=f"smtp://127.0.0.1:{mail_port}")
    assert answer.exit_code == 0, answer.output
    lines = [line.split(maxsplit=2) for line in answer.output.splitlines()]
    assert {name: verdict for verdict, name, _ in lines} == dict.fromkeys(
        ("configuration", "database", "database_platform", "migrations", "redis", "clerk", "mail"), "ok"
    )


def test_the_doctor_says_what_to_do_one_line_each(
    run: Run, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    database = settings.database_url.rpartition("/")[2]
    answer = run(
        "doctor",
        DATABASE_URL=f"{postgres.superuser_url.rpartition('/')[0]}/{database}",
        REDIS_URL=f"redis://127.0.0.1:{free_port()}",
        SMTP_URL=f"smtp://127.0.0.1:{free_port()}",
        CLERK_SECRET_KEY="sk_test_somebody_elses",
    )
    assert answer.exit_code == 1
    found = {line.split()[1]: line for line in answer.output.splitlines()}
    assert found["database"].startswith("FAIL")
    assert "superuser" in found["database"]
    assert found["database_platform"].startswith("ok")
    assert found["redis"].startswith("FAIL")
    assert "CLERK_SECRET_KEY is not accepted" in found["clerk"]
    assert "SMTP_URL does not answer" in found["mail"]
    assert len(answer.output.splitlines()) == 7
    away = run("doctor", DATABASE_URL=f"postgresql://coursecove_app:app@127.0.0.1:{free_port()}/coursecove")
    assert away.exit_code == 1
    assert "FAIL  database " in away.output
    assert "Traceback" not in away.output
    unset = run("doctor", BASE_DOMAIN="", REDIS_URL="nonsense")
    assert unset.exit_code == 1
    assert [line.split()[2] for line in unset.output.splitlines()] == ["REDIS_URL", "BASE_DOMAIN"]


def test_nothing_is_served_with_settings_that_are_wrong(variables: dict[str, str], tmp_path: Path) -> None:
    answer = in_a_process(
        "serve", env=variables | {"BASE_DOMAIN": "", "SMTP_URL": "nowhere", "APP_ENV": "later"}, cwd=tmp_path
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    for name in ("BASE_DOMAIN", "SMTP_URL", "APP_ENV"):
        assert f"- {name} " in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_database_that_is_away_is_one_line(run: Run) -> None:
    nowhere = f"postgresql://coursecove_owner:owner@127.0.0.1:{free_port()}/coursecove"
    for arguments, changes in (
        (("migrate",), {"DATABASE_OWNER_URL": nowhere}),
        (("tenants", "list"), {"DATABASE_PLATFORM_URL": nowhere}),
        (("db", "init", "--admin-url", nowhere), {}),
    ):
        answer = run(*arguments, **changes)
        assert answer.exit_code == 1
        assert answer.output.startswith("The database does not answer: ")
        assert len(answer.output.splitlines()) == 1
        assert "owner@" not in answer.output


def test_schools_are_listed_with_their_addresses(run: Run, settings: Settings) -> None:
    lines = run("tenants", "list").output.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "Brightside Tutoring",
        "Harmony Music School",
        "Stillwater Yoga",
    ]
    assert lines[1].endswith(settings.origin("musicschool"))


def test_a_token_of_the_stand_in_opens_the_api(run: Run, address: str, settings: Settings) -> None:
    answer = run("dev", "token", "--organization", "musicschool", "--email", "mia@example.com")
    assert answer.exit_code == 0
    me = httpx.get(
        f"{address}/api/v1/me",
        headers={
            "Host": settings.origin("musicschool").partition("://")[2],
            "Authorization": f"Bearer {answer.output.strip()}",
        },
        trust_env=False,
    )
    assert (me.status_code, me.json()["email"]) == (200, "mia@example.com")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"email": "nobody@example.com"}, "Nobody has the address nobody@example.com."),
        ({"email": "sofia@example.com"}, "sofia@example.com is not in the school musicschool."),
        ({"APP_ENV": "production"}, "this is production"),
        ({"CLERK_SECRET_KEY": "sk_live_real"}, "this is production"),
        ({"CLERK_API_URL": "http://127.0.0.1:1/v1"}, "Is the demo running?"),
    ],
)
def test_a_token_that_cannot_be_had_is_one_line(run: Run, changes: dict[str, str], said: str) -> None:
    changes = dict(changes)
    email = changes.pop("email", "mia@example.com")
    answer = run("dev", "token", "--organization", "musicschool", "--email", email, **changes)
    assert answer.exit_code == 1
    assert said in answer.output
    assert len(answer.output.splitlines()) == 1


def test_the_stand_in_is_not_served_in_production(run: Run) -> None:
    answer = run("dev", "services", APP_ENV="production")
    assert answer.exit_code == 1
    assert "production" in answer.output


def test_settings_of_the_demo_are_used_where_the_environment_names_no_database(
    run: Run, variables: dict[str, str], tmp_path: Path
) -> None:
    """The environment wins over .env, .env over the demo's; with DATABASE_URL set the demo's are left alone."""
    home = tmp_path / "state"
    home.mkdir()
    lines = "\n".join(f"{name}={value}" for name, value in variables.items())
    (home / "env").write_text(lines + "\nBASE_DOMAIN=demo.localhost\n", encoding="utf-8")
    nothing: dict[str, str | None] = dict.fromkeys(variables)
    listed = run("tenants", "list", **nothing | {"COURSECOVE_HOME": str(home)})
    assert "http://yoga.demo.localhost" in listed.output
    (tmp_path / ".env").write_text("BASE_DOMAIN=written.localhost\n", encoding="utf-8")
    listed = run("tenants", "list", **nothing | {"COURSECOVE_HOME": str(home)})
    assert "http://yoga.written.localhost" in listed.output
    own = run("tenants", "list", COURSECOVE_HOME=str(home))
    assert "http://yoga.coursecove.localhost" in own.output
    nowhere = run("tenants", "list", **nothing | {"COURSECOVE_HOME": str(tmp_path / "nothing")})
    assert nowhere.exit_code == 1
    assert "DATABASE_URL is missing" in nowhere.output
