"""Who gets in where: every route × everybody, against what was written down."""

from __future__ import annotations

from typing import Any

import pytest

from coursecove.app import CourseCove
from coursecove.config import Settings
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.clerk.world import CLARA, MUSIC_SCHOOL, PRIYA
from tests.conftest import ClientFor
from tests.isolation.conftest import Asking
from tests.isolation.people import PEOPLE, answer_of, call, is_page, outcome_of
from tests.isolation.routes import ROLES, ROUTES, Things, like_nothing, routes_of
from tests.isolation.tally import count


def test_every_route_says_who_it_is_for(app: CourseCove) -> None:
    """A route that is not in the table, or a line of the table without a route, is found here."""
    served = set(routes_of(app))
    count("router", routes=len(served), described=len(served & set(ROUTES)))
    assert served == set(ROUTES)


def _expected(route: str, role: str) -> str:
    if role in ROLES[ROUTES[route].audience]:
        return "allowed"
    return "sign in" if role == "visitor" else "refused"


def _in_order(route: Any) -> str:
    """Whoever is shut out is let in again at once: the instructor has to get further than that."""
    return str(route).replace("/reactivation", "/deactivation and back")


@pytest.mark.parametrize("route", sorted(ROUTES, key=_in_order))
def test_everybody_gets_where_they_may_and_no_further(asking: Asking, ours: Things, route: str) -> None:
    for role in PEOPLE:
        if (role, route) == ("stranger", "POST /join"):
            # That would make the stranger a member; tests/tenants/test_enrolment.py does.
            continue
        response, _ = call(asking(role, route), route, ours)
        as_written = outcome_of(response) == _expected(route, role)
        count("audience", route=route, role=role, as_written=as_written)
        assert as_written, f"{role}: {route} {response.status_code}"
        assert response.status_code < 500, f"{role}: {route}"
        if response.status_code in (401, 403) and not is_page(route):
            assert response.headers["content-type"] == "application/problem+json"


LESSONS = [
    route
    for route in sorted(ROUTES)
    if any(name in route for name in ("{reference}", "{booking_id}", "{child_id}", "{entry_id}", "{series_id}"))
]


@pytest.mark.parametrize("route", LESSONS)
def test_another_students_lesson_is_like_no_lesson(client: ClientFor, ours: Things, route: str) -> None:
    """Priya is a student of the same school; the lesson is Sofia's."""
    http = client("yoga", "priya@example.com", cookie=is_page(route))
    response, values = call(http, route, ours)
    lesson = answer_of(response, values)
    assert lesson == answer_of(*call(http, route, like_nothing(ours)))
    assert lesson.status == (404 if ROUTES[route].audience == "members" else 403)


NOT_FOR_EVERYONE = [route for route in sorted(ROUTES) if ROUTES[route].audience not in ("everyone", "guests")]


@pytest.mark.parametrize("route", NOT_FOR_EVERYONE)
def test_a_session_of_another_school_is_no_session_here(
    client: ClientFor,
    settings: Settings,
    stand_in: ClerkStandIn,
    ours: Things,
    route: str,
) -> None:
    """Clara founded the music school; its token, cookie or Bearer, says nothing at the yoga studio."""
    session = mint_session_token(
        stand_in.store.signing_key,
        key_id=stand_in.store.state.instance_id,
        issuer=stand_in.issuer,
        user_id=CLARA.clerk_id,
        session_id="sess_testClaraElsewhere",
        authorized_party=settings.origin("musicschool"),
        organization_id=MUSIC_SCHOOL.clerk_id,
        organization_slug=MUSIC_SCHOOL.slug,
        role="org:admin",
        lifetime_seconds=600,
    )
    http = client("yoga", cookie=is_page(route))
    if is_page(route):
        cookie = f"__session={session}; __client_uat=1"
        http.headers.update({"Cookie": cookie, "Sec-Fetch-Dest": "document"})
    else:
        http.headers["Authorization"] = f"Bearer {session}"
    response, _ = call(http, route, ours)
    assert outcome_of(response) == "sign in", f"{route} {response.status_code}"


def test_a_bearer_token_for_another_organization_is_refused_although_both_are_ones_own(
    client: ClientFor, settings: Settings, stand_in: ClerkStandIn
) -> None:
    """Priya is in both schools. A token for one, even on this origin, is not for the other."""
    session = mint_session_token(
        stand_in.store.signing_key,
        key_id=stand_in.store.state.instance_id,
        issuer=stand_in.issuer,
        user_id=PRIYA.clerk_id,
        session_id="sess_testPriyaElsewhere",
        authorized_party=settings.origin("yoga"),
        organization_id=MUSIC_SCHOOL.clerk_id,
        organization_slug=MUSIC_SCHOOL.slug,
        lifetime_seconds=600,
    )
    refused = client("yoga").get("/api/v1/me", headers={"Authorization": f"Bearer {session}"})
    assert (refused.status_code, refused.json()["reason"]) == (401, "organization-mismatch")
    # The control: her token for this school is taken.
    assert client("yoga", "priya@example.com").get("/api/v1/me").status_code == 200
