"""The OpenAPI document: valid, complete, and true to what the API answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from coursecove.app import CourseCove
from tests.conftest import ClientFor

VERBS = {"get", "post", "put", "patch", "delete"}
PROBLEM = "application/problem+json"
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def document(client: ClientFor) -> Any:
    response = client("yoga").get("/api/v1/openapi.json")
    assert response.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    return response.json()


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, item in document["paths"].items():
        for verb in VERBS & set(item):
            yield f"{verb.upper()} {path}", item[verb]


def every(node: Any, name: str) -> Iterator[Any]:
    """Yield every value of that name anywhere below a node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == name:
                yield value
            yield from every(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from every(value, name)


def test_it_is_an_openapi_3_1_document(document: Any) -> None:
    assert re.fullmatch(r"3\.1\.\d", document["openapi"])
    assert document["info"]["title"] == "CourseCove API"
    assert document["info"]["version"]
    assert document["servers"] == [{"url": "/", "description": "The school's own subdomain"}]
    for reference in every(document, "$ref"):
        node = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in node, reference
            node = node[step]
    for item in document["paths"].values():
        assert set(item) <= VERBS | {"parameters", "summary", "description"}
    for route, operation in operations(document):
        assert operation["responses"], route
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", status), route
            assert response["description"], f"{route} {status}"
        for parameter in operation.get("parameters", []):
            assert parameter["in"] in ("path", "query", "header"), route
            assert parameter.get("required") is True or parameter["in"] != "path", route
            assert "schema" in parameter, route
    kinds = {kind for kind in every(document, "type") if isinstance(kind, str)}
    assert kinds <= {"object", "array", "string", "integer", "number", "boolean", "null", "http"}
    # 3.0's way of saying it.
    assert not list(every(document, "nullable"))


def test_paths_declare_exactly_their_parameters(document: Any) -> None:
    for route, operation in operations(document):
        named = set(re.findall(r"\{(\w+)\}", route))
        declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == declared, route


def test_every_route_of_the_api_is_in_it_and_no_page(document: Any, app: CourseCove) -> None:
    listed = {route for route, _ in operations(document)}
    served = {
        f"{method} {route.path_format}"
        for route in app.school.routes
        for method in route.methods
        if route.path_format.startswith("/api/v1/")
        and method != "OPTIONS"
        and route.path_format not in ("/api/v1/docs", "/api/v1/openapi.json")
    }
    assert listed == served
    assert len(listed) > 20


def test_operations_have_names_of_their_own_summaries_and_tags(document: Any) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    declared = {tag["name"] for tag in document["tags"]}
    for route, operation in operations(document):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"]), route
        assert operation["summary"], route
        assert not operation["summary"].endswith("."), route
        assert operation["description"], route
        (tag,) = operation["tags"]
        assert tag in declared, route


def test_refusals_are_documented_as_problems(document: Any) -> None:
    for route, operation in operations(document):
        refusals = {s: r for s, r in operation["responses"].items() if s >= "400"}
        assert {"400", "401", "403", "404", "503"} <= set(refusals), route
        if not route.startswith("GET"):
            assert {"409", "422"} <= set(refusals), route
        for status, response in refusals.items():
            assert set(response["content"]) == {PROBLEM}, f"{route} {status}"
            assert response["content"][PROBLEM]["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert any(status < "300" for status in operation["responses"]), route
    assert {"type", "title", "status", "code"} == set(document["components"]["schemas"]["Problem"]["required"])


def test_it_says_how_to_sign_in(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {name for option in document["security"] for name in option} == set(schemes)
    assert schemes["session"]["scheme"] == "bearer"


def test_it_speaks_of_organizations_and_never_of_tenants(document: Any) -> None:
    """One word per thing; and an organization is chosen by the host, never by a parameter."""
    names = {
        name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})
    }
    names |= {p["name"] for _, operation in operations(document) for p in operation.get("parameters", [])}
    assert not names & {"tenant_id", "tenant", "organization_id", "org_id", "school_id"}
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*|Idempotency-Key", name), name


@pytest.mark.parametrize(
    ("email", "method", "path", "body"),
    [
        (None, "GET", "/me", None),
        ("sofia@example.com", "GET", "/members", None),
        ("mia@example.com", "GET", "/me", None),
        ("noor@stillwater.example", "GET", "/members?page=0", None),
        ("noor@stillwater.example", "GET", f"/members/{NOWHERE}", None),
        ("noor@stillwater.example", "PATCH", "/organization", {"time_zone": "Nowhere"}),
        ("noor@stillwater.example", "PATCH", "/organization", {"x": 1}),
        ("noor@stillwater.example", "PATCH", f"/members/{NOWHERE}", {"role": "admin"}),
        ("noor@stillwater.example", "POST", "/locations", {}),
        (
            "sofia@example.com",
            "POST",
            "/bookings",
            {"appointment_type_id": NOWHERE, "starts_at": "2030-01-01T10:00Z"},
        ),
        ("sofia@example.com", "GET", f"/availability?appointment_type_id={NOWHERE}", None),
    ],
)
def test_what_is_answered_is_documented(
    client: ClientFor, document: Any, email: str | None, method: str, path: str, body: Any
) -> None:
    response: httpx.Response = client("yoga", email).request(method, f"/api/v1{path}", json=body)
    assert response.status_code >= 400
    template = re.sub(NOWHERE, "{id}", path.partition("?")[0])
    (operation,) = (
        operation
        for route, operation in operations(document)
        if re.sub(r"\{\w+\}", "{id}", route) == f"{method} /api/v1{template}"
    )
    documented = operation["responses"][str(response.status_code)]
    assert response.headers["content-type"] in documented["content"]
    properties = set(document["components"]["schemas"]["Problem"]["properties"])
    assert set(response.json()) - {"reason"} <= properties


@pytest.mark.parametrize(
    ("path", "method", "body", "field"),
    [
        ("/organization", "PATCH", {"self_enrolment": 0}, "self_enrolment"),
        ("/organization", "PATCH", {"self_enrolment": "true"}, "self_enrolment"),
        ("/appointment-types", "POST", {"name": "Harp", "duration_minutes": "30"}, "duration_minutes"),
        ("/appointment-types", "POST", {"name": "Harp", "duration_minutes": 30, "published": 1}, "published"),
    ],
)
def test_a_body_has_to_have_the_documented_types(
    client: ClientFor, path: str, method: str, body: Any, field: str
) -> None:
    """Litestar alone converts them, which the fuzzer found; with its own request class these are accepted."""
    response = client("yoga", "noor@stillwater.example").request(method, f"/api/v1{path}", json=body)
    assert response.status_code == 400
    assert list(response.json()["fields"]) == [field]


def test_the_page_that_shows_it_needs_no_other_host(client: ClientFor) -> None:
    page = client("yoga").get("/api/v1/docs")
    assert page.status_code == 200
    assert "/api/v1/openapi.json" in page.text
    for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert not re.match(r"(https?:)?//(?!(\w+\.)?coursecove\.localhost)", address), address
