"""Two schools cannot see each other through any page or API route.

Stillwater Yoga's people ask on their own host for things of Harmony Music
School, by id, slug and reference, and get byte for byte what they get for
something that does not exist anywhere.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from coursecove.app import CourseCove
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.isolation.conftest import Asking
from tests.isolation.people import PEOPLE, Answer, answer_of, call, is_page
from tests.isolation.routes import ROLES, ROUTES, Things, like_nothing, names_a_thing, routes_of
from tests.isolation.tally import count

WITH_PARAMETERS = sorted(route for route in ROUTES if names_a_thing(route))
Fingerprint = Callable[[School], str]


def _eligible(route: str) -> str:
    """Return somebody the route lets in, who therefore gets as far as the look-up."""
    return "admin" if "admin" in ROLES[ROUTES[route].audience] else "visitor"


@pytest.mark.parametrize("route", WITH_PARAMETERS)
def test_another_schools_thing_is_like_no_thing_at_all(
    asking: Asking, theirs: Things, musicschool: School, fingerprint: Fingerprint, route: str
) -> None:
    before = fingerprint(musicschool)
    for role in PEOPLE:
        http = asking(role, route)
        foreign = answer_of(*call(http, route, theirs))
        random = answer_of(*call(http, route, like_nothing(theirs)))
        count("route", route=route, role=role, same=foreign == random, status=foreign.status)
        assert foreign == random, f"{role}: {route}"
        if role == _eligible(route):
            assert foreign.status == 404, f"{role}: {route} answered {foreign.status}"
        else:
            assert foreign.status in (303, 401, 403, 404), f"{role}: {route} answered {foreign.status}"
    assert fingerprint(musicschool) == before


def _order(route: str) -> tuple[bool, bool, bool, str]:
    """Reading first, then changing, then what ends things, then what brings them back."""
    back = route.startswith("DELETE") or route.endswith(("/restore", "/reactivation"))
    ends = any(word in route for word in ("cancel", "archiv", "deactiv"))
    return (not route.startswith("GET"), back, ends, route)


_CONTROLS = sorted(WITH_PARAMETERS, key=_order)


def test_the_same_requests_reach_ones_own_things(
    asking: Asking, ours: Things, whole: Callable[[Things], Things]
) -> None:
    """The control: were the requests wrong in another way, all of the 404 above would mean nothing."""
    for route in _CONTROLS:
        # A student's own page, and their children, are the student's.
        of_staff = any(part in route for part in (" /admin", " /teach", "/api/"))
        role = "student" if "/me/" in route or not of_staff else "admin"
        response, _ = call(asking(role, route), route, whole(ours))
        assert response.status_code != 404, f"{route}: {response.text[:300]}"
        assert response.status_code < 500, route


def _uuid_places(schema: Any, document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where ids stand in a body: ("location_ids", 0), ("windows", 0, "location_id") …"""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for option in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from _uuid_places(option, document, path)
    if schema.get("format") == "uuid":
        yield path
    if "items" in schema:
        yield from _uuid_places(schema["items"], document, (*path, 0))
    for name, inner in schema.get("properties", {}).items():
        yield from _uuid_places(inner, document, (*path, name))


def _put(body: dict[str, Any], place: tuple[Any, ...], value: str) -> dict[str, Any]:
    changed: Any = copy.deepcopy(body)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return changed  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def document(client: ClientFor) -> Any:
    return client("yoga").get("/api/v1/openapi.json").json()


def _thing_for(name: str, things: Things) -> str:
    fitting = {
        "appointment_type_id": "type_id",
        "appointment_type_ids": "type_id",
        "instructor_id": "member_id",
        "instructor_ids": "member_id",
        "location_id": "location_id",
        "location_ids": "location_id",
        "student_id": "student_id",
        "booking_id": "booking_id",
        "session_id": "class_id",
        "person_id": "student_id",
        "question_ids": "question_id",
        "room_id": "room_id",
        "room_ids": "room_id",
        "zone_ids": "zone_id",
    }[name]
    return str(getattr(things, fitting))


def _operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield f"{verb.upper()} {path}", operation


def test_ids_of_another_school_inside_a_request_are_like_no_ids(
    asking: Asking,
    ours: Things,
    theirs: Things,
    document: Any,
    musicschool: School,
    yoga: School,
    fingerprint: Fingerprint,
) -> None:
    """Every id a body or a query of the documentation takes; everything else in the request is right."""
    before = fingerprint(musicschool)
    nothing = like_nothing(theirs)
    tried = []
    for route, operation in _operations(document):
        http = asking("admin", route)

        def both(
            parts: Callable[[Things], dict[str, Any]], http: httpx.Client = http, route: str = route
        ) -> tuple[Answer, Answer]:
            foreign, random = (
                answer_of(call(http, route, ours, **parts(things))[0], _values(things))
                for things in (theirs, nothing)
            )
            return foreign, random

        content = operation.get("requestBody", {}).get("content", {})
        for schema in (kind["schema"] for kind in content.values()):
            body = ROUTES[route].json
            assert body is not None, f"{route} takes a body: give it one in tests/isolation/routes.py"
            for place in _uuid_places(schema, document):
                name = next(step for step in reversed(place) if isinstance(step, str))
                foreign, random = both(
                    lambda things, place=place, name=name, body=body: {  # type: ignore[misc]
                        "json": _put(body(ours), place, _thing_for(name, things))
                    }
                )
                count("inside", route=route, place=name, same=foreign == random)
                assert foreign == random, f"{route} {place}"
                # A class that is nowhere is a time that is not offered.
                refused = (404, 422, 409) if name == "session_id" else (404, 422)
                assert foreign.status in refused, f"{route} {place}: {foreign.status} {foreign.body[:200]}"
                tried.append((route, place))
        for parameter in operation.get("parameters", []):
            if parameter["in"] != "query" or not list(_uuid_places(parameter["schema"], document)):
                continue
            query = ROUTES[route].query
            base = query(ours) if query else {}
            name = parameter["name"]
            foreign, random = both(
                lambda things, name=name, base=base: {  # type: ignore[misc]
                    "params": base | {name: _thing_for(name, things)}
                }
            )
            count("inside", route=route, place=name, same=foreign == random)
            assert foreign == random, f"{route} ?{name}"
            tried.append((route, (name,)))
    assert len(tried) >= 14
    assert fingerprint(musicschool) == before


def _values(things: Things) -> list[str]:
    named = ("member_id", "student_id", "type_id", "location_id", "class_id", "room_id")
    return [str(getattr(things, name)) for name in named]


def test_a_body_that_names_an_organization_is_refused(
    asking: Asking,
    ours: Things,
    document: Any,
    musicschool: School,
    yoga: School,
    fingerprint: Fingerprint,
) -> None:
    """Mass assignment too: nothing but what the documentation lists is taken."""
    before = fingerprint(musicschool), fingerprint(yoga)
    refused = 0
    for route, operation in _operations(document):
        body = ROUTES[route].json
        if "requestBody" not in operation or body is None:
            continue
        for name, value in {
            "organization_id": str(musicschool.organization_id),
            "id": str(ours.type_id),
            "status": "confirmed",
            "created_at": "2026-01-01T00:00:00Z",
            "clerk_role": "org:admin",
        }.items():
            response, _ = call(asking("admin", route), route, ours, json=body(ours) | {name: value})
            assert response.status_code == 400, f"{route} took {name}"
            refused += 1
    assert refused >= 50
    assert (fingerprint(musicschool), fingerprint(yoga)) == before


def test_lists_hold_ones_own_things_only(asking: Asking, ours: Things, theirs: Things, document: Any) -> None:
    seen = ""
    for route in (route for route in ROUTES if route.startswith("GET") and "{" not in route):
        response, _ = call(asking("admin", route), route, ours)
        for value in (*_values(theirs), theirs.reference, "Harmony", "Ida Berg", "Studio Linden"):
            assert value not in response.text, f"{route} shows {value}"
        seen += response.text
    # The control: the lists do show things.
    assert str(ours.type_id) in seen
    assert "Jun Tanaka" in seen
    assert "Sofia Marino" in seen


def test_the_table_covers_the_router(app: CourseCove) -> None:
    assert {route for route in routes_of(app) if names_a_thing(route)} <= set(WITH_PARAMETERS)
    assert any(is_page(route) for route in WITH_PARAMETERS)
