"""The platform's pages are for those the settings name; for everybody else there are none."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import psycopg
import pytest
from litestar.routes import HTTPRoute

from coursecove.app import CourseCove, create_app
from coursecove.config import Settings
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.clerk.world import CLARA, OLIVIA
from coursecove.portals.platform.operators import NAV
from coursecove.tenants.operators import find_operator
from tests.conftest import ClientFor
from tests.platform.conftest import Visit
from tests.portals.reading import hidden_fields, links, text_of
from tests.serving import Loop, free_port, serving


def _routes(app: CourseCove) -> list[tuple[str, str]]:
    found = []
    for route in app.platform.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith("/platform"):
            path = route.path_format.replace("{message_id}", "msg_x")
            found += [(method, path) for method in route.route_handler_map if method != "OPTIONS"]
    return sorted(found)


def _without_chance(page: httpx.Response) -> str:
    """Return a page without what differs between any two answers: ids of requests, tokens of forms."""
    return re.sub(r'[0-9a-f]{32}|name="_csrf" value="[^"]*"|return_to=[^"]*', "…", page.text)


def test_visitors_are_asked_to_sign_in(app: CourseCove, visit: Visit) -> None:
    routes = _routes(app)
    assert len(routes) == 6
    visitor = visit()
    for method, path in routes:
        answer = visitor.request(method, path, data={"failed": "1"} if method == "POST" else None)
        if method == "GET":
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/sign-in?return_to=/platform"), path
        else:
            assert answer.status_code == 401, path


def test_for_everybody_else_these_pages_do_not_exist(app: CourseCove, visit: Visit) -> None:
    """Clara runs a school, not the platform. What she gets is what an address gets that is none."""
    clara = visit(CLARA.email)
    nothing = clara.get("/nothing/here")
    token = hidden_fields(clara.get("/sign-out"))
    for method, path in _routes(app):
        answer = clara.request(method, path, data={**token, "failed": "1"} if method == "POST" else None)
        assert answer.status_code == 404, f"{method} {path}"
        assert _without_chance(answer) == _without_chance(nothing), f"{method} {path}"


def test_the_operator_gets_in(app: CourseCove, operator: httpx.Client) -> None:
    for method, path in _routes(app):
        if method == "GET" and "msg_x" not in path and path != "/platform/webhooks/replay":
            page = operator.get(path)
            assert page.status_code == 200, path
            assert "Olivia Park" in text_of(page)
            assert page.headers["cache-control"] == "no-store"
    assert operator.get("/platform/webhooks/msg_x").status_code == 404


def test_schools_have_no_platform_pages(client: ClientFor) -> None:
    for email in (None, "clara@harmony.example"):
        page = client("musicschool", email, cookie=True).get("/platform")
        assert page.status_code == 404


def test_a_session_of_a_school_is_none_on_the_bare_domain(
    client: ClientFor, settings: Settings, visit: Visit
) -> None:
    """A token that names another origin proves nothing here, whosever it is."""
    school = client("musicschool", "clara@harmony.example", cookie=True)
    cookie = school.headers["Cookie"]
    answer = visit().get("/platform", headers={"Cookie": cookie})
    assert (answer.status_code, answer.headers["location"][:8]) == (303, "/sign-in")


def test_the_way_in_and_out_on_the_bare_domain(visit: Visit, operator: httpx.Client) -> None:
    page = visit().get("/sign-in?return_to=/platform/webhooks")
    assert page.status_code == 200
    assert "Sign in to CourseCove" in text_of(page)
    assert 'name="clerk-publishable-key"' in page.text
    assert "unsafe-inline" in page.headers["content-security-policy"]
    assert "/join" not in page.text
    assert visit().get("/sign-up").status_code == 200
    onward = operator.get("/sign-in?return_to=/platform")
    assert (onward.status_code, onward.headers["location"]) == (303, "/platform")
    assert links(operator.get("/"), "^/platform$")
    assert not links(visit(CLARA.email).get("/"), "^/platform$")
    leaving = operator.get("/sign-out")
    assert "Sign out?" in text_of(leaving)
    assert operator.post("/sign-out").status_code == 403
    gone = visit(OLIVIA.email).post("/sign-out", data=hidden_fields(leaving))
    assert gone.status_code == 303
    assert "__session=;" in ",".join(gone.headers.get_list("set-cookie"))


def test_an_id_lets_in_whom_no_event_has_brought_and_an_address_does_not(
    settings: Settings, loop: Loop, resources: object, database: object
) -> None:
    async def found(clerk_id: str, *operators: str) -> object:
        named = replace(settings, platform_operators=operators)
        async with database.platform_scope() as session:  # type: ignore[attr-defined]
            return await find_operator(session, named, clerk_id)

    assert loop.run(found("user_2Nobody", "user_2Nobody")) is not None
    assert loop.run(found("user_2Nobody", OLIVIA.email, OLIVIA.clerk_id)) is None
    assert loop.run(found(OLIVIA.clerk_id, OLIVIA.clerk_id)) is not None
    assert loop.run(found(OLIVIA.clerk_id, OLIVIA.email.upper())) is not None
    assert loop.run(found(OLIVIA.clerk_id, CLARA.email)) is None
    assert loop.run(found(OLIVIA.clerk_id)) is None


def test_without_operators_nobody_is_one(settings: Settings, visit: Visit) -> None:
    """The control of the setting: the same person, the same session, a process that names nobody."""
    port = free_port()
    with serving(create_app(replace(settings, platform_operators=(), port=port)), port) as address:
        olivia = visit(OLIVIA.email)
        answer = httpx.get(f"{address}/platform", headers=olivia.headers, trust_env=False)
    assert answer.status_code == 404


def test_a_deleted_person_is_no_operator_any_more(
    settings: Settings, visit: Visit, stand_in: ClerkStandIn
) -> None:
    with psycopg.connect(settings.database_platform_url, autocommit=True) as connection:
        connection.execute("update users set deleted_at = now() where clerk_id = %s", [OLIVIA.clerk_id])
        try:
            assert visit(OLIVIA.email).get("/platform").status_code == 404
        finally:
            connection.execute("update users set deleted_at = null where clerk_id = %s", [OLIVIA.clerk_id])
    assert visit(OLIVIA.email).get("/platform").status_code == 200


@pytest.mark.parametrize("link", [link.href for link in NAV])
def test_the_navigation_leads_somewhere(operator: httpx.Client, link: str) -> None:
    page = operator.get(link)
    assert page.status_code == 200
    assert f'href="{link}" aria-current="page"' in page.text
