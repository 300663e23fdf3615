"""Membership is read on every request: what changed a moment ago counts now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.factories.world import School

JUN, SOFIA, NOOR = "jun@stillwater.example", "sofia@example.com", "noor@stillwater.example"
Member = Callable[..., object]


@pytest.fixture
def as_clerk_says(settings: Settings, yoga: School) -> Callable[..., object]:
    """`with as_clerk_says(email, column, value)`: what identity sync would write, for the length of a block."""

    @contextmanager
    def changed(email: str, column: str, value: str | None) -> Iterator[None]:
        update = (
            f"update members set {column} = %s where organization_id = %s and email = %s returning {column}"
        )
        with psycopg.connect(settings.database_platform_url, autocommit=True) as connection:
            found = connection.execute(
                f"select {column} from members where organization_id = %s and email = %s",
                [yoga.organization_id, email],
            ).fetchone()
            assert found is not None
            connection.execute(update, [value, yoga.organization_id, email])
            try:
                yield
            finally:
                connection.execute(update, [found[0], yoga.organization_id, email])

    return changed


def _both(client: ClientFor, email: str) -> tuple[httpx.Client, httpx.Client]:
    return client("yoga", email), client("yoga", email, cookie=True)


def test_a_removed_member_is_out_with_the_very_next_request(client: ClientFor, as_clerk_says: Member) -> None:
    api, pages = _both(client, SOFIA)
    assert (api.get("/api/v1/me").status_code, pages.get("/lessons").status_code) == (200, 200)
    with as_clerk_says(SOFIA, "removed_at", "2026-01-01T00:00:00Z"):  # type: ignore[attr-defined]
        refused = api.get("/api/v1/me")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_a_member")
        led = pages.get("/lessons")
        assert (led.status_code, led.headers["location"]) == (303, "/join?return_to=/lessons")
        assert pages.post("/book/private-yoga-session", data={"time": "x"}).status_code == 403
    assert api.get("/api/v1/me").status_code == 200


def test_a_lower_role_counts_with_the_very_next_request(client: ClientFor, as_clerk_says: Member) -> None:
    api, pages = _both(client, JUN)
    path = "/teach"
    assert pages.get(path).status_code == 200
    with as_clerk_says(JUN, "clerk_role", "org:member"):  # type: ignore[attr-defined]
        assert pages.get(path).status_code == 403
        assert api.get("/api/v1/me").json()["role"] == "student"
    assert pages.get(path).status_code == 200


def test_the_token_does_not_give_a_role(client: ClientFor, as_clerk_says: Member) -> None:
    """Noor's token says org:admin all along; what counts is the membership as it is known here."""
    api, _ = _both(client, NOOR)
    with as_clerk_says(NOOR, "clerk_role", "org:member"):  # type: ignore[attr-defined]
        assert api.get("/api/v1/members").status_code == 403
    assert api.get("/api/v1/members").status_code == 200


def test_a_role_given_here_counts_and_one_never_heard_of_is_a_students(
    client: ClientFor, as_clerk_says: Member
) -> None:
    api, _ = _both(client, SOFIA)
    with as_clerk_says(SOFIA, "role_override", "admin"):  # type: ignore[attr-defined]
        assert api.get("/api/v1/members").status_code == 200
    with as_clerk_says(SOFIA, "clerk_role", "org:emperor"):  # type: ignore[attr-defined]
        assert api.get("/api/v1/me").json()["role"] == "student"


def test_instructors_change_their_own_profile_and_nobody_elses(client: ClientFor, yoga: School) -> None:
    jun, noor = yoga.members[JUN], yoga.members[NOOR]
    own, _ = _both(client, JUN)
    admin, _ = _both(client, NOOR)
    student, _ = _both(client, SOFIA)
    change = {"bio": "Jun teaches slow yoga."}
    assert own.patch(f"/api/v1/instructors/{jun}", json=change).status_code == 200
    assert admin.patch(f"/api/v1/instructors/{jun}", json=change).status_code == 200
    assert own.patch(f"/api/v1/instructors/{noor}", json=change).status_code == 403
    assert student.patch(f"/api/v1/instructors/{jun}", json=change).status_code == 403
    assert own.put(f"/api/v1/instructors/{noor}/weekly-hours", json={"windows": []}).status_code == 403


def test_a_form_of_somebody_whose_session_ended_is_kept_for_them(client: ClientFor) -> None:
    """What was typed comes back with the page that asks to sign in, escaped."""
    visitor = client("yoga", cookie=True)
    note = 'my left knee "><script>alert(1)</script>'
    answer = visitor.post("/book/private-yoga-session", data={"time": "2030-01-07T10:00:00Z", "note": note})
    assert answer.status_code == 401
    assert "2030-01-07T10:00:00Z" in answer.text
    assert "my left knee" in answer.text
    assert "<script>alert" not in answer.text
