"""What operators see: health, readiness and its refusals, metrics, logs."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql

from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.health import Check, run_checks
from coursecove.logs import configure_logging
from coursecove.resources import open_resources
from tests.conftest import ClientFor, drop_database
from tests.serving import Loop, free_port, serving

Checks = dict[str, Check]


@pytest.fixture(scope="module")
def checks(loop: Loop) -> Callable[[Settings], Checks]:
    """`checks(settings)`: what readiness says of a process with those settings, by name."""

    async def asked(settings: Settings) -> Checks:
        async with open_resources(settings) as resources:
            return {check.name: check for check in await run_checks(resources)}

    return lambda settings: loop.run(asked(settings))


@contextmanager
def _role(postgres: EmbeddedPostgres, name: str, options: str) -> Iterator[None]:
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        role = sql.Identifier(name)
        statement = "create role {} login password 'secret' in role coursecove_app " + options
        connection.execute(sql.SQL(statement).format(role))
        yield
        connection.execute(sql.SQL("drop role {}").format(role))


def _as(url: str, user: str, password: str = "secret") -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{password}@{host}").geturl()


def test_a_process_with_the_right_roles_is_ready(
    client: ClientFor, checks: Callable[[Settings], Checks], settings: Settings
) -> None:
    assert all(check.ok for check in checks(settings).values())
    response = client(None).get("/health/ready")
    assert (response.status_code, response.json()["status"]) == (200, "ready")
    assert {check["name"] for check in response.json()["checks"]} == {
        "database",
        "database_platform",
        "migrations",
        "redis",
    }


def test_no_process_is_ready_as_somebody_who_passes_the_policies(
    postgres: EmbeddedPostgres, settings: Settings, checks: Callable[[Settings], Checks]
) -> None:
    database = settings.database_url.rpartition("/")[2]
    superuser = f"{postgres.superuser_url.rpartition('/')[0]}/{database}"
    mighty, member = f"mighty_{uuid.uuid4().hex[:8]}", f"member_{uuid.uuid4().hex[:8]}"
    with _role(postgres, mighty, "bypassrls"), _role(postgres, member, "nobypassrls"):
        refused = {
            "superuser": superuser,
            "BYPASSRLS": _as(settings.database_url, mighty),
            "owns tables": settings.database_owner_url,
            f"connected as {member}": _as(settings.database_url, member),
            "connected as coursecove_platform": settings.database_platform_url,
        }
        for reason, url in refused.items():
            check = checks(replace(settings, database_url=url))["database"]
            assert not check.ok, reason
            assert reason in check.detail
            assert "coursecove_app" in check.detail
            assert "secret" not in check.detail
        platform = checks(replace(settings, database_platform_url=superuser))["database_platform"]
        assert not platform.ok
        assert "superuser" in platform.detail


def test_what_is_missing_is_said_and_503(
    postgres: EmbeddedPostgres, settings: Settings, empty_template: str
) -> None:
    """Over HTTP: an unmigrated database, and a Redis that is not there."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} owner coursecove_owner").format(sql.Identifier(name)))
    port = free_port()
    broken = replace(
        settings,
        database_url=settings.database_url.rpartition("/")[0] + "/" + name,
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        port=port,
    )
    try:
        with serving(create_app(broken), port) as address:
            response = httpx.get(f"{address}/health/ready", trust_env=False, timeout=20)
            alive = httpx.get(f"{address}/health/live", trust_env=False)
    finally:
        drop_database(postgres, name)
    assert alive.status_code == 200
    assert response.status_code == 503
    found = {check["name"]: check for check in response.json()["checks"]}
    assert found["migrations"]["detail"].startswith("database is at nothing")
    assert "coursecove migrate" in found["migrations"]["detail"]
    assert not found["redis"]["ok"]
    assert found["database"]["ok"]
    assert "Traceback" not in response.text
    assert f":{urlsplit(settings.database_url).password}@" not in response.text


def test_an_older_schema_is_not_ready(
    postgres: EmbeddedPostgres, settings: Settings, checks: Callable[[Settings], Checks]
) -> None:
    with psycopg.connect(settings.database_owner_url) as connection:
        (at,) = connection.execute("select version_num from alembic_version").fetchone() or ("",)
        connection.execute("update alembic_version set version_num = '0000'")
        connection.commit()
        try:
            check = checks(settings)["migrations"]
        finally:
            connection.execute("update alembic_version set version_num = %s", [at])
            connection.commit()
    assert not check.ok
    assert "database is at 0000" in check.detail


def test_metrics_are_for_this_machine_unless_there_is_a_token(client: ClientFor, settings: Settings) -> None:
    http = client(None)
    http.get("/")
    open_ = http.get("/metrics")
    assert open_.status_code == 200
    assert "coursecove_requests_total" in open_.text
    # Behind a proxy on the same machine, everybody comes from this machine.
    for header in ("X-Forwarded-For", "Forwarded"):
        assert http.get("/metrics", headers={header: "203.0.113.9"}).status_code == 404
    port = free_port()
    guarded = replace(settings, metrics_token="scrape-me", port=port)
    with serving(create_app(guarded), port) as address:
        for sent, status in (
            ("Bearer scrape-me", 200),
            ("Bearer scrape", 404),
            ("Bearer scrape-me2", 404),
            ("scrape-me", 404),
            ("", 404),
        ):
            response = httpx.get(
                f"{address}/metrics", headers={"Authorization": sent} if sent else {}, trust_env=False
            )
            assert response.status_code == status, sent
        assert httpx.get(f"{address}/metrics?token=scrape-me", trust_env=False).status_code == 404


def test_labels_of_metrics_are_few_whatever_is_asked(client: ClientFor) -> None:
    http = client("yoga")
    for number in range(20):
        http.get(f"/made-up-{number}/{uuid.uuid4()}")
    http.request("PROPFIND", "/")
    text = client(None).get("/metrics").text
    assert "made-up" not in text
    assert 'method="OTHER"' in text
    assert "PROPFIND" not in text


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """`lines()`: what has been logged, line by line."""
    stream = io.StringIO()
    configure_logging("json", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    configure_logging("text")


def test_a_request_is_one_line_without_what_is_secret(
    client: ClientFor, token: Callable[[str, str], str], lines: Callable[[], list[dict[str, Any]]]
) -> None:
    session = token("sofia@example.com", "yoga")
    http = client("yoga", "sofia@example.com", cookie=True)
    answer = http.get(
        "/lessons",
        params={"__clerk_handshake": "hand.shake.secret", "search": "knee pain"},
        headers={
            "Cookie": f"__session={session}; __client_uat=1",
            "Accept": "application/json",
            "Sec-Fetch-Dest": "",
        },
    )
    client("yoga").get("/api/v1/me", headers={"Authorization": f"Bearer {session[:-4]}AAAA"})
    client("yoga", "sofia@example.com").post(
        "/api/v1/bookings", json={"note": "my left knee", "starts_at": "soon"}
    )
    requests = [line for line in lines() if line["event"] == "request"]
    assert [line["path"] for line in requests] == ["/lessons", "/api/v1/me", "/api/v1/bookings"]
    assert requests[0]["request_id"] == answer.headers["x-request-id"]
    assert set(requests[0]) <= {
        "event",
        "level",
        "logger",
        "timestamp",
        "method",
        "path",
        "status",
        "duration_ms",
        "request_id",
        "organization",
        "organization_id",
        "member_id",
    }
    written = json.dumps(lines())
    for secret in (session, session[:-4], "hand.shake.secret", "knee", "sofia@example.com", "__session"):
        assert secret not in written


def test_a_defect_is_logged_with_its_place_and_without_values(
    client: ClientFor, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("token=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl")

    monkeypatch.setattr("coursecove.tenants.service.get_organization", broken)
    answer = client("yoga").get("/api/v1/organization")
    (line,) = (line for line in lines() if line["event"] == "unexpected_failure")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert "RuntimeError" in line["exception"]
    assert "test_operators.py" in line["exception"]
    assert "eyJ" not in line["exception"]


def test_a_line_cannot_be_forged_through_an_address(
    client: ClientFor, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    client("yoga").get("/x%0a%7b%22event%22:%22forged%22%7d%1b[31m")
    assert "forged" not in {line["event"] for line in lines()}
