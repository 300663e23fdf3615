"""Which school a request is for: the Host header over raw sockets, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.tenants import slugs
from tests.factories.world import School
from tests.gateway.sockets import RawAnswer, send
from tests.isolation.databases import as_superuser
from tests.serving import free_port, serving

ORGANIZATION = "GET /api/v1/organization HTTP/1.1"


def _ask(address: str, *headers: bytes | str, path: str = "/api/v1/organization") -> RawAnswer:
    return send(address, f"GET {path} HTTP/1.1", *headers)


@pytest.mark.parametrize(
    "host",
    [
        "yoga.coursecove.localhost",
        "yoga.coursecove.localhost:8000",
        "YOGA.CourseCove.LocalHost",
        "yoga.coursecove.localhost.",
        "yoga.coursecove.localhost.:8000",
    ],
)
def test_a_school_is_found_by_its_name_however_it_is_written(address: str, host: str) -> None:
    answer = _ask(address, f"Host: {host}")
    assert answer.status == 200
    assert b'"slug":"yoga"' in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="absent"),
        pytest.param(["Host:"], id="empty"),
        pytest.param(["Host: yoga.coursecove.localhost", "Host: yoga.coursecove.localhost"], id="twice"),
        pytest.param(["Host: yoga.coursecove.localhost", "Host: musicschool.coursecove.localhost"], id="two"),
        pytest.param(["Host: yoga.coursecove.localhost, musicschool.coursecove.localhost"], id="list"),
        pytest.param(["Host: http://yoga.coursecove.localhost"], id="url"),
        pytest.param(["Host: yoga.coursecove.localhost/"], id="slash"),
        pytest.param(["Host: evil@yoga.coursecove.localhost"], id="userinfo"),
        pytest.param(["Host: yoga.coursecove.localhost:80a"], id="port"),
        pytest.param(["Host: yoga .coursecove.localhost"], id="space"),
        pytest.param(["Host: yoga%2ecoursecove.localhost"], id="percent"),
        pytest.param([b"Host: y\xf6ga.coursecove.localhost"], id="latin-1"),
        pytest.param(["Host: " + "a" * 300 + ".coursecove.localhost"], id="oversized"),
        pytest.param(["Host: ."], id="dot"),
    ],
)
def test_a_host_that_cannot_be_read_is_400(address: str, headers: list[bytes | str]) -> None:
    assert _ask(address, *headers).status == 400


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]:8000",
        "localhost",
        "example.com",
        "yoga.example.com",
        "a.yoga.coursecove.localhost",
        "yogacoursecove.localhost",
        "yoga..coursecove.localhost",
        "-yoga.coursecove.localhost",
        "yoga_.coursecove.localhost",
        "coursecove.localhost.evil.example",
        "a" * 64 + ".coursecove.localhost",
        "xn--yga-jua.coursecove.localhost",
    ],
)
def test_every_other_name_gets_the_answer_of_a_school_that_does_not_exist(address: str, host: str) -> None:
    nobody = f"Host: nobody-{uuid.uuid4().hex[:8]}.coursecove.localhost"
    for path in ("/", "/api/v1/organization"):
        answer = _ask(address, f"Host: {host}", path=path)
        assert answer.status == 404
        assert answer.comparable == _ask(address, nobody, path=path).comparable


def test_unknown_reserved_retired_and_deleted_names_get_the_same_bytes(
    address: str, postgres: EmbeddedPostgres, settings: Settings, musicschool: School, yoga: School
) -> None:
    with as_superuser(postgres, settings) as connection:
        connection.execute(
            "insert into subdomains (slug, organization_id, retired_at) values ('harmony-before', %s, now())",
            [musicschool.organization_id],
        )
        # Even if one of them were in the table.
        connection.execute(
            "insert into organizations (id, clerk_id, slug, name, version, deleted_at) "
            "values (%s, 'org_gone', 'gone', 'Gone School', 1, now())",
            [gone := uuid.uuid4()],
        )
        connection.execute("insert into subdomains (slug, organization_id) values ('gone', %s)", [gone])
    for path in ("/", "/lessons", "/sign-in", "/api/v1/organization", "/api/v1/nothing", "/nothing"):
        answers = {
            name: _ask(address, f"Host: {name}.coursecove.localhost", path=path)
            for name in ("unknown-name", "admin", "harmony-before", "gone")
        }
        assert {answer.comparable for answer in answers.values()} == {answers["unknown-name"].comparable}, path
        assert answers["admin"].status == 404
        assert b"Harmony" not in answers["harmony-before"].body
    assert slugs.is_reserved("admin")
    # The control: the same request to a name that is in use.
    assert _ask(address, "Host: musicschool.coursecove.localhost").status == 200


def test_a_retired_name_is_never_handed_out_again(
    settings: Settings, musicschool: School, yoga: School
) -> None:
    """The name is the table's key, and nobody who serves may delete from it."""
    insert = "insert into subdomains (slug, organization_id, retired_at) values ('before', %s, now())"
    with psycopg.connect(settings.database_platform_url) as connection:
        connection.execute(insert, [yoga.organization_id])
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute(insert, [musicschool.organization_id])
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("delete from subdomains where slug = 'before'")
        connection.rollback()


@pytest.mark.parametrize(
    "forwarded",
    [
        "X-Forwarded-Host: musicschool.coursecove.localhost",
        "Forwarded: host=musicschool.coursecove.localhost",
        "X-Original-Host: musicschool.coursecove.localhost",
        "X-Host: musicschool.coursecove.localhost",
    ],
)
def test_nobody_but_a_configured_proxy_says_another_host(address: str, forwarded: str) -> None:
    answer = _ask(address, "Host: yoga.coursecove.localhost", forwarded, "X-Forwarded-For: 10.0.0.1")
    assert b'"slug":"yoga"' in answer.body


def test_an_absolute_target_does_not_choose_the_school(address: str) -> None:
    """RFC 9112 lets a proxy write the whole URL; the Host header stays the one that counts."""
    target = "GET http://musicschool.coursecove.localhost/api/v1/organization HTTP/1.1"
    answer = send(address, target, "Host: yoga.coursecove.localhost")
    assert b'"slug":"musicschool"' not in answer.body


@contextmanager
def _behind_a_proxy(settings: Settings) -> Iterator[str]:
    port = free_port()
    behind = replace(settings, trusted_proxies=("127.0.0.0/8",), port=port)
    with serving(create_app(behind), port) as address:
        yield address


def test_a_configured_proxy_says_the_host_exactly_once(settings: Settings) -> None:
    with _behind_a_proxy(settings) as address:
        inner = "Host: app.internal"
        forwarded = "X-Forwarded-Host: yoga.coursecove.localhost"
        assert b'"slug":"yoga"' in _ask(address, inner, forwarded).body
        assert (
            _ask(address, inner, forwarded, "X-Forwarded-Host: musicschool.coursecove.localhost").status == 400
        )
        assert _ask(address, inner, forwarded + ", musicschool.coursecove.localhost").status == 400
        # A proxy that keeps the Host header need not say it twice.
        assert b'"slug":"yoga"' in _ask(address, "Host: yoga.coursecove.localhost").body
        assert _ask(address, inner).status == 404


@pytest.mark.parametrize("host", ["yoga.coursecove.localhost", "10.1.2.3", "unknown.example"])
def test_what_belongs_to_no_school_is_answered_on_any_host(address: str, host: str) -> None:
    assert _ask(address, f"Host: {host}", path="/health/live").status == 200
    assert _ask(address, f"Host: {host}", path="/health/ready").status == 200
    assert _ask(address, f"Host: {host}", path="/static/css/app.css").status == 200
    unsigned = send(
        address, "POST /api/webhooks/clerk HTTP/1.1", f"Host: {host}", "Content-Length: 2", body=b"{}"
    )
    assert unsigned.status == 400
    assert unsigned.header("content-type") == "application/problem+json"


def test_the_bare_domain_has_no_pages_of_a_school(address: str) -> None:
    bare = "Host: coursecove.localhost"
    assert _ask(address, bare, path="/").status == 200
    for path in ("/api/v1/organization", "/lessons", "/admin", "/teach", "/join"):
        assert _ask(address, bare, path=path).status == 404
    # Schools are listed on a developer's machine only; this is a test.
    assert b"Harmony" not in _ask(address, bare, path="/").body
