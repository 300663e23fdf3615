"""What every answer carries, and what failures look like to programs and to people."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from coursecove.appointments import service as appointments_service
from coursecove.config import Settings
from coursecove.db.session import Database
from coursecove.tenants import directory as directory_module
from coursecove.tenants import service as tenants_service
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.gateway.sockets import send

ADMIN = "noor@stillwater.example"
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin-allow-popups",
}


def _assert_closed(response: httpx.Response) -> None:
    for name, value in HEADERS.items():
        assert response.headers.get_list(name) == [value], name
    assert "camera=()" in response.headers["permissions-policy"]
    assert len(response.headers.get_list("content-security-policy")) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])
    assert len(response.headers.get_list("content-type")) <= 1
    assert response.headers.get("content-type", "").count("charset") <= 1
    assert "server" not in response.headers


ANSWERS = [
    ("yoga", None, "/", 200),
    ("yoga", None, "/sign-in", 200),
    ("yoga", None, "/lessons", 303),
    ("yoga", ADMIN, "/lessons", 200),
    ("yoga", None, "/nothing", 404),
    ("yoga", None, "/api/v1/organization", 200),
    ("yoga", None, "/api/v1/me", 401),
    ("yoga", None, "/api/v1/nothing", 404),
    ("yoga", None, "/api/v1/docs", 200),
    ("yoga", None, "/branding.css", 200),
    ("nobody", None, "/", 404),
    ("nobody", None, "/api/v1/organization", 404),
    (None, None, "/", 200),
    (None, None, "/nothing", 404),
    (None, None, "/health/live", 200),
    (None, None, "/health/ready", 200),
    (None, None, "/static/css/app.css", 200),
    (None, None, "/static/nothing.css", 404),
]


@pytest.mark.parametrize(("slug", "email", "path", "status"), ANSWERS)
def test_every_answer_closes_the_same_doors(
    client: ClientFor, slug: str | None, email: str | None, path: str, status: int
) -> None:
    response = client(slug, email, cookie=True).get(path)
    assert response.status_code == status
    _assert_closed(response)


def test_head_answers_what_get_would_without_the_body(client: ClientFor) -> None:
    for slug, email, path, status in ANSWERS:
        http = client(slug, email, cookie=True)
        # What is packed on the way has its length only with its body: HEAD says the plain answer's.
        http.headers["Accept-Encoding"] = "identity"
        head, get = http.head(path), http.get(path)
        assert (head.status_code, head.content) == (status, b""), path
        for name in ("content-type", "content-length", "cache-control", "location"):
            assert head.headers.get(name) == get.headers.get(name), path
    # Nothing that changes something is reached this way.
    assert client("yoga", ADMIN).head("/api/v1/bookings").status_code == 200
    assert client("yoga", ADMIN, cookie=True).head("/sign-out").status_code == 200


def test_nothing_about_a_person_is_kept_by_caches(client: ClientFor) -> None:
    for slug, email, path, _ in ANSWERS:
        response = client(slug, email, cookie=True).get(path)
        kept = response.headers["cache-control"]
        if path.startswith("/static/") and response.status_code == 200:
            assert "max-age" in kept
        elif path == "/branding.css":
            # The school's colour, for everybody; kept by host.
            assert (kept, response.headers["vary"]) == ("public, max-age=60", "Host")
        else:
            assert kept == "no-store", path


def test_pages_run_no_script_but_our_own(client: ClientFor, settings: Settings) -> None:
    policy = client("yoga").get("/").headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'self' {settings.clerk_frontend_api}"
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert rules["form-action"].startswith("'self'")
    assert "unsafe" not in policy


def test_only_pages_that_mount_somebody_elses_components_allow_inline_styles(client: ClientFor) -> None:
    """Never inline scripts; the pages are the sign-in and the sign-up."""
    http = client("yoga")
    for path in ("/", "/sign-in", "/sign-up", "/api/v1/docs"):
        policy = http.get(path).headers["content-security-policy"]
        assert ("'unsafe-inline'" in policy) is (path in ("/sign-in", "/sign-up"))
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert "unsafe-eval" not in policy


def test_https_is_remembered_where_it_is_used(client: ClientFor) -> None:
    """The test serves plain http; with PUBLIC_SCHEME=https the header is there (see test_config)."""
    assert "strict-transport-security" not in client("yoga").get("/").headers


def test_a_request_id_of_a_proxy_is_kept_and_nonsense_is_not(client: ClientFor) -> None:
    http = client("yoga")
    kept = http.get("/api/v1/organization", headers={"X-Request-ID": "proxy-0123456789"})
    assert kept.headers["x-request-id"] == "proxy-0123456789"
    for nonsense in ("short", "a" * 65, "with space 123", "new;line=1234567"):
        fresh = http.get("/api/v1/organization", headers={"X-Request-ID": nonsense})
        assert fresh.headers["x-request-id"] != nonsense


def _assert_problem(response: httpx.Response, status: int, code: str) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"urn:coursecove:problem:{code}"
    assert problem["title"]
    return problem


NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/api/v1/nothing", {}, 404, "not_found"),
        ("POST", "/api/v1/nothing", {}, 404, "not_found"),
        ("GET", "/api/v1/nothing/deeper", {}, 404, "not_found"),
        ("GET", "/api/nothing", {}, 404, "not_found"),
        ("GET", f"/api/v1/members/{NOWHERE}", {}, 404, "not_found"),
        ("GET", "/api/v1/members/not-an-id", {}, 404, "not_found"),
        ("DELETE", "/api/v1/organization", {}, 405, "method_not_allowed"),
        ("PATCH", "/api/v1/organization", {"content": "{"}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"content": ""}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"json": []}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"json": {"unknown": 1}}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"json": {"name": 1}}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"json": {"name": "a\0b"}}, 422, "invalid"),
        ("PATCH", "/api/v1/organization", {"content": b'{"name": "\\ud800"}'}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"content": b'{"name": "\xff"}'}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"content": "[" * 100_000}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"content": b'{"a":' * 90_000}, 400, "malformed"),
        ("PATCH", "/api/v1/organization", {"json": {"time_zone": "Mars/Base"}}, 422, "invalid"),
        ("GET", "/api/v1/members?page=0", {}, 400, "malformed"),
        ("GET", "/api/v1/members?page=99999999999999999999", {}, 400, "malformed"),
        ("GET", "/api/v1/members?search=%00", {}, 400, "malformed"),
        ("GET", "/api/v1/members?search=%ff%fe", {}, 200, ""),
        ("GET", "/api/v1/members?role=owner", {}, 400, "malformed"),
        ("GET", "/api/v1/bookings?from=yesterday", {}, 400, "malformed"),
        ("GET", "/api/v1/availability", {}, 400, "malformed"),
        ("POST", "/api/v1/locations", {"json": {"name": "x" * 500}}, 400, "malformed"),
        ("POST", "/api/v1/locations", {"json": {"name": "n", "address": "\0"}}, 422, "invalid"),
    ],
)
def test_a_program_is_told_what_is_wrong(
    client: ClientFor, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    response = client("yoga", ADMIN).request(method, path, **options)
    if status < 400:
        assert response.status_code == status
        return
    problem = _assert_problem(response, status, code)
    assert "Traceback" not in response.text
    if status == 405:
        assert set(response.headers["allow"].split(", ")) >= {"GET", "PATCH"}
    if code == "invalid":
        assert set(problem["fields"]) <= {"time_zone", "address", "name"}


def test_who_is_asking_decides_between_401_and_403(client: ClientFor) -> None:
    path = "/api/v1/members"
    _assert_problem(client("yoga").get(path), 401, "unauthenticated")
    _assert_problem(client("yoga", "mia@example.com").get(path), 403, "not_a_member")
    _assert_problem(client("yoga", "sofia@example.com").get(path), 403, "forbidden")
    assert client("yoga", ADMIN).get(path).status_code == 200


def test_a_body_of_ten_megabytes_is_refused(client: ClientFor, address: str, settings: Settings) -> None:
    body = json.dumps({"name": "x" * 10_000_000})
    response = client("yoga", ADMIN).patch("/api/v1/organization", content=body)
    _assert_problem(response, 413, "too_large")
    page = client("yoga", ADMIN, cookie=True).post("/teach/profile", data={"bio": "x" * 10_000_000})
    assert page.status_code == 413
    # Without a length, in one chunk that never says how much is still to come.
    host = settings.origin("yoga").partition("://")[2]
    chunk = b"30d40\r\n" + b"x" * 200_000 + b"\r\n"
    lines = (f"Host: {host}", "Transfer-Encoding: chunked", "Content-Type: application/json")
    answer = send(address, "POST /api/webhooks/clerk HTTP/1.1", *lines, body=chunk * 2 + b"0\r\n\r\n")
    assert answer.status == 413


def test_strange_forms_are_no_defects(client: ClientFor) -> None:
    http = client("yoga", ADMIN, cookie=True)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/teach/profile", "/teach/hours", "/book/private-yoga-session"):
        for body in ("bio=%00", "bio=%ff%fe", "bio=%ed%a0%80", "&&&==&", "a" * 5000, "add=99&remove=9-9-9"):
            assert http.post(path, content=body, headers=kind).status_code < 500, (path, body)
        for other in ("multipart/form-data", "multipart/form-data; boundary=x", "application/json", "x"):
            response = http.post(path, content=b"--x\r\nbroken", headers={"Content-Type": other})
            assert response.status_code < 500, (path, other)


def test_strange_addresses_are_no_defects(client: ClientFor) -> None:
    http = client("yoga", ADMIN, cookie=True)
    for path in (
        "/lessons/%00",
        "/lessons/%ff",
        "/lessons/%ed%a0%80",
        "/lessons/" + "a" * 3000,
        "/book/%00",
        "/book/private-yoga-session?with=%00&time=%00&month=%00",
        "/book/private-yoga-session?with=anyone&month=0000-99&day=9999-99-99",
        "/book/private-yoga-session?with=anyone&month=9999-12",
        "/book/private-yoga-session?with=anyone&time=9999-12-31T23:59:59Z",
        "/book/private-yoga-session?with=anyone&time=0001-01-01T00:00:00%2B14:00",
        "/lessons?page=%D9%A3&show=past",
        "/lessons?page=99999",
        "/teach?week=0001-01-01",
        "/teach?week=9999-12-31",
        "/teach?week=%00",
        "/join?return_to=%00",
        "/sign-in?return_to=%ff",
        "/static/../../../etc/passwd",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/%00",
    ):
        response = http.get(path)
        assert response.status_code < 500, path
        assert "root:" not in response.text


def test_cookies_of_somebody_elses_making_are_no_defects(client: ClientFor) -> None:
    http = client("yoga")
    for cookie in (
        "flash=%%%",
        "flash=" + "A" * 3000,
        "flash=eyJraW5kIjo1fQ",
        "tz=../../etc/passwd",
        "tz=%00",
        "__session=a.b.c; __client_uat=99999999999999999999",
        "__session=" + "a" * 5000 + "; __client_uat=1",
        "=; ;;; a",
        "__clerk_handshake=x.y.z",
    ):
        response = http.get("/", headers={"Cookie": cookie, "Accept": "application/json"})
        assert response.status_code == 200, cookie


def test_a_defect_says_nothing_about_itself(client: ClientFor, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("hunter2 in table members")

    monkeypatch.setattr(tenants_service, "get_organization", broken)
    api = client("yoga", ADMIN).get("/api/v1/organization")
    _assert_problem(api, 500, "internal")
    monkeypatch.setattr(appointments_service, "list_locations", broken)
    page = client("yoga", ADMIN, cookie=True).get("/")
    assert page.status_code == 500
    for response in (api, page):
        _assert_closed(response)
        for secret in ("hunter2", "RuntimeError", "Traceback", "coursecove/"):
            assert secret not in response.text
    # A person can name the request to whoever reads the log.
    assert page.headers["x-request-id"] in page.text


def test_a_database_that_is_away_is_503_and_not_a_defect(
    client: ClientFor, monkeypatch: pytest.MonkeyPatch, yoga: School
) -> None:
    """Asked for the school itself, before any route is reached, and for what a route needs."""
    http = client("tutoring"), client("tutoring", cookie=True)

    def away(*_: object, **__: object) -> None:
        raise ConnectionRefusedError("connection to server at 10.0.0.1 refused")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "platform_scope", away)
        patch.setattr(directory_module, "FRESH_SECONDS", 0)
        before = [each.get(path) for each, path in zip(http, ("/api/v1/organization", "/"), strict=True)]
    assert [each.get("/api/v1/organization").status_code for each in http] == [200, 200]
    with monkeypatch.context() as patch:
        patch.setattr(Database, "organization", away)
        inside = [each.get(path) for each, path in zip(http, ("/api/v1/organization", "/"), strict=True)]
    for api, page in (before, inside):
        _assert_problem(api, 503, "unavailable")
        assert page.status_code == 503
        for response in (api, page):
            _assert_closed(response)
            assert response.headers["retry-after"] == "5"
            assert "10.0.0.1" not in response.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%2f/evil.example",
        "/\tevil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        " //evil.example",
        "/ok\r\nSet-Cookie: a=b",
        "///evil.example",
        "yoga.coursecove.localhost.evil.example",
        "",
    ],
)
def test_signing_in_leads_nowhere_but_to_a_page_of_this_school(
    client: ClientFor, settings: Settings, target: str
) -> None:
    signed_in = client("yoga", ADMIN, cookie=True)
    for path in ("/sign-in", "/sign-up", "/join"):
        response = signed_in.get(path, params={"return_to": target})
        assert response.status_code == 303
        location = httpx.URL(settings.origin("yoga")).join(response.headers["location"])
        assert str(location).startswith(settings.origin("yoga") + "/"), (path, response.headers["location"])
        assert "set-cookie" not in response.headers
    visitor = client("yoga", cookie=True).get("/sign-in", params={"return_to": target})
    assert visitor.status_code == 200
    assert 'href="https://evil' not in visitor.text
    assert 'href="//evil' not in visitor.text


def test_signing_in_leads_back_to_where_somebody_was(client: ClientFor) -> None:
    """The control: a path of this host is kept."""
    response = client("yoga", ADMIN, cookie=True).get("/sign-in", params={"return_to": "/lessons?show=past"})
    assert response.headers["location"] == "/lessons?show=past"
    away = client("yoga", cookie=True).get("/lessons?show=past")
    assert away.headers["location"].startswith("/sign-in?return_to=/lessons")


def test_a_visitor_of_join_keeps_a_return_address_with_a_query(client: ClientFor) -> None:
    """What is handed on inside an address is quoted, so that `&` in it does not end it."""
    response = client("yoga", cookie=True).get("/join", params={"return_to": "/book/x?with=a&time=b"})
    location = httpx.URL(response.headers["location"])
    assert location.params["return_to"] == "/book/x?with=a&time=b"
