"""No form takes a field it does not have: every form of a school's pages × what somebody might slip in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.factories.world import School
from tests.isolation.conftest import Asking
from tests.isolation.people import call, is_page
from tests.isolation.routes import ROUTES, Things
from tests.isolation.tally import count
from tests.portals.reading import text_of

FORMS = sorted(route for route in ROUTES if ROUTES[route].form is not None)
#: What would make somebody an admin, a lesson free, a booking confirmed or a row another school's.
SLIPPED_IN = {
    "organization_id": "00000000-0000-0000-0000-000000000001",
    "role": "admin",
    "status": "confirmed",
    "price_cents": "0",
}
#: Where one of them is a field like any other.
OWN = {
    "POST /admin/people/invite": {"role"},
    "POST /admin/people/{handle}/role": {"role"},
    "POST /admin/people/bulk": {"role"},
    "POST /admin/types/new": {"price_cents"},
    "POST /admin/types/{slug}": {"price_cents"},
}
#: Forms that are right but may come too late, or too early: the lesson is cancelled by then, was confirmed
#: without a request, has not begun; the hour is none of
#: the teacher's; the only place is needed; the type is for everybody; booked lessons are asked about first.
MAY_CONFLICT = (
    "/cancel",
    "/approve",
    "/decline",
    "/attendance",
    "/move",
    "/wait",
    "/accept",
    "/book/",
    "/bookings/new",
    "/people/{handle}/qualifications",
    "/locations/{slug}/archive",
    "/types/{slug}/link",
)
#: Forms that are answered with a page instead of leading on: a look at what was typed, an address that is shown
#: once, a word that it is done; what somebody else was faster to have.
SHOWN = {
    "POST /admin/school/texts/{kind}/{language}/preview": 200,
    "POST /admin/locations/{slug}/calendar": 200,
    "POST /lessons/calendar": 200,
    "POST /teach/calendar": 200,
    "POST /unsubscribe/{token}": 200,
    # Without a script, what cannot be kept is said on a page with what is free instead.
    "POST /book/{slug}/hold": 409,
    "POST /book/{slug}/series": 200,
}


def _role(route: str) -> str:
    # A student's own lessons and children are the student's, an instructor's time off the instructor's.
    if any(part in route for part in (" /lessons/", " /family", " /classes/")):
        return "student"
    return "instructor" if " /teach/" in route else "admin"


def test_every_posted_page_has_its_form_in_the_table() -> None:
    assert set(FORMS) == {route for route in ROUTES if route.startswith("POST") and is_page(route)}
    assert len(FORMS) >= 24


@pytest.mark.parametrize("route", FORMS)
def test_a_field_the_form_does_not_have_is_refused_and_nothing_changes(
    asking: Asking,
    ours: Things,
    yoga: School,
    musicschool: School,
    fingerprint: Callable[[School], str],
    route: str,
) -> None:
    form = ROUTES[route].form
    assert form is not None
    before = fingerprint(yoga), fingerprint(musicschool)
    for name in SLIPPED_IN.keys() - OWN.get(route, set()):
        slipped = {**form(ours), name: SLIPPED_IN[name]}
        response, _ = call(asking(_role(route), route), route, ours, data=slipped)
        count("unknown field", route=route, field=name, refused=response.status_code == 400)
        assert response.status_code == 400, f"{route} took {name}: {text_of(response)[:200]}"
        assert "set-cookie" not in response.headers
    assert (fingerprint(yoga), fingerprint(musicschool)) == before


def test_a_file_is_no_field_of_any_form(
    asking: Asking, yoga: School, fingerprint: Callable[[School], str]
) -> None:
    before = fingerprint(yoga)
    http = asking("admin", "POST /teach/profile")
    for files in ({"bio": ("bio.txt", b"Teaches.")}, {"role": ("role.txt", b"admin")}):
        assert http.post("/teach/profile", files=files).status_code == 400
    assert fingerprint(yoga) == before


def _order(route: str) -> tuple[bool, bool, int, str]:
    """Forms that change something, those that end things, those that bring them back, the way out."""
    back = route.endswith(("/restore", "/reactivation"))
    # Whoever is shut out sends nothing any more.
    ends = (any(word in route for word in ("cancel", "archive"))) + 2 * ("/deactivation" in route)
    return ("sign-out" in route, back, ends, route)


def test_the_same_forms_without_it_are_taken(
    asking: Asking, ours: Things, whole: Callable[[Things], Things]
) -> None:
    """The control: were the forms wrong in another way, all of the 400 above would mean nothing."""
    wrong = []
    for route in sorted(FORMS, key=_order):
        response, _ = call(asking(_role(route), route), route, whole(ours))
        fine = {SHOWN.get(route, 303)}
        if route not in SHOWN and any(part in route for part in MAY_CONFLICT):
            fine.add(409)
        if response.status_code not in fine:
            wrong.append(f"{route}: {response.status_code} {text_of(response)[-300:]}")
    assert not wrong, "\n".join(wrong)
