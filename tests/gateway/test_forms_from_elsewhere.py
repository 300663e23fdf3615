"""A browser cannot be tricked into a change, neither by another site nor by a sibling school."""

from __future__ import annotations

import httpx
import pytest

from coursecove.app import CourseCove
from coursecove.config import Settings
from tests.conftest import ClientFor

ELSEWHERE = {
    "another site": "https://evil.example",
    "a sibling school": "http://musicschool.{base}",
    "the bare domain": "http://{base}",
    "another port": "http://yoga.coursecove.localhost:1",
    "another scheme": "https://yoga.{base}",
    "a sandboxed frame": "null",
    "a lookalike": "http://yoga.{base}.evil.example",
}


@pytest.fixture
def student(client: ClientFor) -> httpx.Client:
    return client("yoga", "sofia@example.com", cookie=True)


def _origin(settings: Settings, text: str) -> str:
    return text.format(base=settings.origin().partition("://")[2])


@pytest.mark.parametrize("sender", list(ELSEWHERE))
@pytest.mark.parametrize("path", ["/sign-out", "/teach/profile", "/book/private-yoga-session"])
def test_a_form_from_elsewhere_is_refused(
    student: httpx.Client, settings: Settings, sender: str, path: str
) -> None:
    answer = student.post(path, data={"a": "b"}, headers={"Origin": _origin(settings, ELSEWHERE[sender])})
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_api_refuses_cookies_from_elsewhere_too(
    student: httpx.Client, settings: Settings, method: str
) -> None:
    answer = student.request(method, "/api/v1/bookings", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


def test_without_an_origin_the_referrer_decides(student: httpx.Client, settings: Settings) -> None:
    del student.headers["Origin"]
    own = settings.origin("yoga")
    assert student.post("/sign-out", headers={"Referer": f"{own}/lessons"}).status_code == 303
    for referrer in ("https://evil.example/", f"{own}.evil.example/", settings.origin("musicschool") + "/", ""):
        answer = student.post("/sign-out", headers={"Referer": referrer} if referrer else {})
        assert answer.status_code == 403, referrer


def test_a_form_of_our_own_is_taken(student: httpx.Client) -> None:
    """The control for everything above."""
    assert student.post("/sign-out").status_code == 303


def test_a_token_in_a_header_needs_no_origin(client: ClientFor) -> None:
    """No browser adds an Authorization header to a form of somebody else."""
    http = client("yoga", "noor@stillwater.example")
    answer = http.patch("/api/v1/organization", json={"name": "Stillwater Yoga"})
    assert answer.status_code == 200


def test_an_authorization_header_that_is_not_the_identity_does_not_switch_the_check_off(
    student: httpx.Client,
) -> None:
    """Cookies are what a tricked browser brings along; `Basic …` beside them changes nothing about that."""
    headers = {"Origin": "https://evil.example", "Authorization": "Basic bm9ib2R5Og=="}
    assert student.post("/sign-out", headers=headers).status_code == 403


def test_reading_changes_nothing(app: CourseCove, student: httpx.Client) -> None:
    """What changes something is never a GET: the unsafe routes answer GET with a page, or not at all."""
    for path in ("/sign-out", "/join"):
        assert student.get(path).status_code in (200, 303)
    assert student.get("/lessons").status_code == 200
    for path in ("/api/v1/appointment-types/00000000-0000-0000-0000-000000000000/archival",):
        assert student.get(path).status_code == 405
