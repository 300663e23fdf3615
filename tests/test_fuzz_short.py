"""A few hundred generated requests per role; ``make fuzz`` makes tens of thousands."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.dev.clerk.stand_in import ClerkStandIn
from tests.factories.world import token_for
from tests.fuzzing.engine import Report, lines_of
from tests.fuzzing.school import ROLES, fuzzer_for
from tests.serving import free_port, serving

SEED = 53
CASES = 200

#: Seconds on a quiet machine; one that does something else as well may take its time.
pytestmark = pytest.mark.timeout(400)

Token = Callable[[str, str], str]


@pytest.fixture(autouse=True, scope="module")
def _no_line_per_request() -> Iterator[None]:
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def reports(settings: Settings, address: str, token: Token) -> dict[str, Report]:
    return fuzzer_for(settings=settings, address=address, token=token, seed=SEED).run(CASES)


@pytest.mark.parametrize("role", list(ROLES))
def test_every_answer_is_documented_and_none_is_a_defect(reports: dict[str, Report], role: str) -> None:
    report = reports[role]
    assert not report.findings, "\n".join(lines_of(report))
    assert report.cases >= CASES
    assert report.breaking > CASES // 4
    assert report.classes()["2xx"] > 0


def test_requests_get_further_than_the_first_look_up(reports: dict[str, Report]) -> None:
    """Random ids alone would be answered 404 throughout, and prove little."""
    assert len(reports["admin"].succeeded) > 15
    assert "POST /api/v1/locations" in reports["admin"].succeeded
    # Addresses with an id in them, of things that are there.
    assert sum("{" in operation for operation in reports["admin"].succeeded) > 5


class Broken:
    """The application, except that one address answers wrongly."""

    def __init__(self, app: Any, *, verb: str, status: int, content_type: str, body: Any) -> None:
        self._app = app
        self._verb = verb
        self._status = status
        self._content_type = content_type.encode()
        self._body = json.dumps(body).encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if (scope.get("path"), scope.get("method")) != ("/api/v1/locations", self._verb):
            await self._app(scope, receive, send)
            return
        headers = [
            (b"content-type", self._content_type),
            (b"content-length", str(len(self._body)).encode()),
        ]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


PROBLEM = {"type": "urn:x", "title": "Broken", "status": 500, "code": "broken"}
NOWHERE = {"id": "00000000-0000-4000-8000-000000000000", "slug": "x", "name": "x", "address": "x"}


@pytest.mark.parametrize(
    ("complaint", "verb", "status", "content_type", "body"),
    [
        ("ServerError", "GET", 500, "application/problem+json", PROBLEM),
        ("UndefinedStatusCode", "GET", 418, "application/problem+json", PROBLEM),
        ("UndefinedContentType", "GET", 200, "text/html", {"items": []}),
        ("JsonSchemaError", "GET", 200, "application/json", {"items": [NOWHERE]}),
        (
            "AcceptedNegativeData",
            "POST",
            201,
            "application/json",
            NOWHERE | {"directions": "x", "time_zone": "UTC", "archived_at": None},
        ),
        ("rough body", "POST", 500, "application/problem+json", PROBLEM),
    ],
)
def test_a_route_that_is_broken_is_found(
    settings: Settings,
    stand_in: ClerkStandIn,
    complaint: str,
    verb: str,
    status: int,
    content_type: str,
    body: Any,
) -> None:
    """The controls: the same application with one wrong answer in it."""
    port = free_port()
    elsewhere = replace(settings, port=port, public_port=port)
    app = Broken(create_app(elsewhere), verb=verb, status=status, content_type=content_type, body=body)

    def token(email: str, slug: str) -> str:
        return token_for(stand_in, elsewhere, email, slug)

    with serving(app, port) as address:
        fuzzer = fuzzer_for(
            settings=elsewhere, address=address, token=token, seed=SEED, only=" /api/v1/locations"
        )
        reports = fuzzer.run(60)
    for report in reports.values():
        found = [one for one in report.findings.values() if one.complaint.startswith(complaint)]
        assert found, "\n".join(lines_of(report))
        assert {one.operation for one in report.findings.values()} == {f"{verb} /api/v1/locations"}
        assert "/api/v1/locations" in found[0].reproduction
