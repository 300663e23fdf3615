"""Becoming a student by oneself: at Clerk first, here at once, and a booking right after."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from coursecove.dev.clerk.world import LEO, YOGA
from tests.conftest import ClientFor
from tests.factories.world import School


@pytest.fixture(autouse=True)
def _leave_the_stand_in_as_it_was(settings: Settings) -> Iterator[None]:
    yield
    httpx.delete(
        f"{settings.clerk_api_url}/organizations/{YOGA.clerk_id}/memberships/{LEO.clerk_id}",
        headers={"Authorization": f"Bearer {settings.clerk_secret_key}"},
        trust_env=False,
    )
    with psycopg.connect(settings.database_platform_url, autocommit=True) as connection:
        connection.execute("update organizations set self_enrolment = true where slug = 'yoga'")


@pytest.fixture
def leo(client: ClientFor) -> httpx.Client:
    """Leo is a student of the music school, signed in at the yoga studio."""
    return client("yoga", LEO.email, cookie=True)


def _memberships_at_clerk(settings: Settings) -> list[str]:
    answer = httpx.get(
        f"{settings.clerk_api_url}/organizations/{YOGA.clerk_id}/memberships?limit=100",
        headers={"Authorization": f"Bearer {settings.clerk_secret_key}"},
        trust_env=False,
    )
    return [membership["public_user_data"]["user_id"] for membership in answer.json()["data"]]


def _state(settings: Settings) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.database_platform_url) as connection:
        return connection.execute(
            "select role, removed_at, email from members m join organizations o on o.id = m.organization_id "
            "where o.slug = 'yoga' and clerk_user_id = %s",
            [LEO.clerk_id],
        ).fetchall()


def _set_self_enrolment(client: ClientFor, *, open_to_all: bool) -> None:
    admin = client("yoga", "noor@stillwater.example")
    assert admin.patch("/api/v1/organization", json={"self_enrolment": open_to_all}).status_code == 200


def test_a_school_by_invitation_lets_nobody_in(
    client: ClientFor, leo: httpx.Client, settings: Settings
) -> None:
    _set_self_enrolment(client, open_to_all=False)
    try:
        # The gateway may know the school as it was for a few seconds; what is asked here is not cached.
        refused = client("yoga", LEO.email, cookie=True).post("/join", data={"return_to": "/"})
        assert refused.status_code == 403
        assert LEO.clerk_id not in _memberships_at_clerk(settings)
        assert _state(settings) == []
    finally:
        _set_self_enrolment(client, open_to_all=True)


def test_a_stranger_is_led_to_the_door_and_becomes_a_student(
    leo: httpx.Client, settings: Settings, yoga: School
) -> None:
    led = leo.get("/lessons")
    assert (led.status_code, led.headers["location"]) == (303, "/join?return_to=/lessons")
    door = leo.get("/join?return_to=/lessons")
    assert door.status_code == 200
    assert "Stillwater Yoga" in door.text
    joined = leo.post("/join", data={"return_to": "/lessons"})
    assert (joined.status_code, joined.headers["location"]) == (303, "/lessons")
    assert LEO.clerk_id in _memberships_at_clerk(settings)
    assert _state(settings) == [("student", None, LEO.email)]
    # Nobody waits for a webhook.
    assert leo.get("/lessons").status_code == 200
    # Twice is fine.
    assert leo.post("/join", data={"return_to": "/"}).status_code == 303
    assert len(_state(settings)) == 1


def test_a_visitor_signs_in_first(client: ClientFor, settings: Settings) -> None:
    visitor = client("yoga", cookie=True)
    answer = visitor.post("/join", data={"return_to": "/lessons"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?return_to=/lessons")


def test_joining_leads_nowhere_else(leo: httpx.Client) -> None:
    for target in ("//evil.example", "https://evil.example", "/\\evil.example"):
        assert leo.post("/join", data={"return_to": target}).headers["location"] == "/"
