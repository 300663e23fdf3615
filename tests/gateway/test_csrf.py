"""Every form carries a token of its session and its school, and no change of a page goes without one."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from litestar.routes import HTTPRoute

from coursecove.app import CourseCove
from coursecove.config import Settings
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.clerk.world import JUN, NOOR, YOGA, DemoPerson
from coursecove.keys import derive_key
from coursecove.portals import csrf
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.isolation.people import PEOPLE, is_page, things_of
from tests.isolation.routes import ROUTES, Things, filled, routes_of

FORM = re.compile(r"<form\b[^>]*>.*?</form>", re.DOTALL | re.IGNORECASE)
POSTS = re.compile(r"<form\b[^>]*\bmethod=[\"']?post", re.IGNORECASE)
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
PROFILE = "/teach/profile"
TYPED = {"bio": 'Slowly "and" <b>well</b>.', "time_zone": "America/New_York", "meeting_url": ""}

Browser = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def things(settings: Settings, yoga: School) -> Things:
    return things_of(settings, yoga, teacher="jun@stillwater.example", student="sofia@example.com")


@pytest.fixture(scope="module")
def browser(client: ClientFor, settings: Settings, stand_in: ClerkStandIn) -> Browser:
    """`browser(person, session_id, slug)`: cookies of that session there, and no form token yet."""

    def opened(
        person: DemoPerson = JUN, session_id: str = "sess_first", slug: str | None = "yoga", lifetime: int = 600
    ) -> httpx.Client:
        session = mint_session_token(
            stand_in.store.signing_key,
            key_id=stand_in.store.state.instance_id,
            issuer=stand_in.issuer,
            user_id=person.clerk_id,
            session_id=session_id,
            authorized_party=settings.origin(slug),
            organization_id=YOGA.clerk_id if slug == "yoga" else None,
            organization_slug="yoga" if slug == "yoga" else None,
            role="org:member",
            lifetime_seconds=lifetime,
        )
        http = client(slug, cookie=True)
        http.headers["Cookie"] = f"__session={session}; __client_uat=1"
        return http

    return opened


def _forms(page: str) -> list[str]:
    return [form for form in FORM.findall(page) if POSTS.match(form)]


def _hidden(form: str) -> dict[str, str]:
    return {html.unescape(name): html.unescape(value) for name, value in HIDDEN.findall(form)}


def _form_of(page: httpx.Response, action: str) -> dict[str, str]:
    (form,) = (form for form in _forms(page.text) if f'action="{action}"' in form)
    return _hidden(form)


def _is_csrf(answer: httpx.Response) -> bool:
    return answer.status_code == 403 and answer.headers.get("x-problem") == "csrf"


# Every form, from the router and from the templates


def test_no_form_of_a_school_is_taken_without_a_token(
    client: ClientFor, app: CourseCove, things: Things, settings: Settings, yoga: School
) -> None:
    routes = [route for route in routes_of(app) if not route.startswith("GET") and is_page(route)]
    assert len(routes) > 20
    for role in ("admin", "student", "stranger"):
        http = client("yoga", PEOPLE[role], cookie=True)
        token = http.headers.pop(csrf.HEADER)
        for route in routes:
            method, _, path = route.partition(" ")
            address, _ = filled(path, things)
            assert _is_csrf(http.request(method, address, data={"x": "y"})), f"{role}: {route}"
            assert _is_csrf(http.request(method, address)), f"{role}: {route} without a body"
            assert _is_csrf(http.request(method, address, json={csrf.FIELD: token})), f"{role}: {route} as JSON"
    # The control, with the least of them: the same requests with the token get to the handler.
    http = client("yoga", PEOPLE["student"], cookie=True)
    for route in sorted(routes, key=lambda route: "sign-out" in route):
        method, _, path = route.partition(" ")
        address, _ = filled(path, things)
        assert not _is_csrf(http.request(method, address, data={"x": "y"})), route


def test_no_form_of_the_bare_domain_is_taken_without_a_token(app: CourseCove, browser: Browser) -> None:
    http = browser(NOOR, slug=None)
    pages = [
        (method, route.path_format)
        for route in app.platform.routes
        if isinstance(route, HTTPRoute) and not route.path_format.startswith("/api/")
        for method in route.route_handler_map
        if method not in ("GET", "HEAD", "OPTIONS")
    ]
    assert ("POST", "/sign-out") in pages
    token = _form_of(http.get("/sign-out"), "/sign-out")
    for method, path in sorted(pages, key=lambda page: page[1] == "/sign-out"):
        address = re.sub(r"{[^}]*}", str(uuid.uuid4()), path)
        assert _is_csrf(http.request(method, address, data={"x": "y"})), address
        assert not _is_csrf(http.request(method, address, data=token)), address


def _without_field(source: str) -> list[str]:
    """Return the opening lines of POST forms of a template that do not ask for the token's field."""
    return [form[:120] for form in _forms(source) if "csrf_field(" not in form]


def test_every_form_of_the_templates_asks_for_the_field(project: Path) -> None:
    templates = sorted((project / "templates").rglob("*.html"))
    lacking = {str(path.relative_to(project)): _without_field(path.read_text()) for path in templates}
    # What was sent with a session that has ended is sent again as it was, token and all.
    assert len(lacking.pop("templates/errors/401.html")) == 1
    assert {path: forms for path, forms in lacking.items() if forms} == {}
    assert sum(len(_forms(path.read_text())) for path in templates) > 20
    # The control: the search finds a form that forgot it, however it is written.
    for forgotten in ('<form method="post"><p></p></form>', "<form action='/x'\n METHOD=post ><b></b></form>"):
        assert _without_field(f'<form method="post">{{{{ csrf_field(x) }}}}</form>{forgotten}') == [forgotten]


def test_every_form_that_is_drawn_carries_a_token_that_holds(
    client: ClientFor, things: Things, settings: Settings, yoga: School
) -> None:
    """A macro that was handed nothing draws no field; so the pages are looked at too."""
    seen = 0
    for role in ("student", "instructor", "admin"):
        http = client("yoga", PEOPLE[role], cookie=True)
        session_id = f"sess_test{ {'student': 'Sofia', 'instructor': 'Jun', 'admin': 'Noor'}[role] }"
        for route in ROUTES:
            if not route.startswith("GET") or not is_page(route):
                continue
            address, _ = filled(route.removeprefix("GET "), things)
            for form in _forms(http.get(address).text):
                token = _hidden(form).get(csrf.FIELD, "")
                assert csrf.holds(token, settings, session_id, yoga.organization_id), f"{role}: {address}"
                seen += 1
    assert seen > 15


# The token


def test_a_token_holds_for_its_session_at_its_school_and_nowhere_else(settings: Settings) -> None:
    school, other = uuid.uuid4(), uuid.uuid4()
    token = csrf.issue(settings, "sess_1", school)
    assert csrf.holds(token, settings, "sess_1", school)
    for session_id, place in (("sess_2", school), ("sess_1", other), ("sess_1", None), ("", school)):
        assert not csrf.holds(token, settings, session_id, place)
    assert not csrf.holds(token, replace(settings, secret_key="another"), "sess_1", school)
    bare = csrf.issue(settings, "sess_1", None)
    assert csrf.holds(bare, settings, "sess_1", None)
    assert not csrf.holds(bare, settings, "sess_1", school)


def test_nothing_but_the_whole_token_holds(settings: Settings) -> None:
    token = csrf.issue(settings, "sess_1", None)
    for place, letter in enumerate(token):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        assert not csrf.holds(changed, settings, "sess_1", None), place
    for wrong in (
        "",
        token[:-4],
        token[:24],
        token + "AAAA",
        "é",
        "=",
        "%",
        token.replace("_", "/") + "!",
        "\0",
    ):
        assert not csrf.holds(wrong, settings, "sess_1", None), wrong


def test_no_two_pages_carry_the_same_token(browser: Browser, settings: Settings) -> None:
    assert len({csrf.issue(settings, "sess_1", None) for _ in range(100)}) == 100
    http = browser()
    tokens = {_form_of(http.get(PROFILE), PROFILE)[csrf.FIELD] for _ in range(3)}
    assert len(tokens) == 3
    # No beginning in common either: nothing repeats from one compressed answer to the next.
    assert len({token[:8] for token in tokens}) == 3


def test_the_key_is_derived_as_rfc_5869_says() -> None:
    theirs = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"a label").derive(b"sk_test_secret")
    assert derive_key("sk_test_secret", b"a label") == theirs
    assert derive_key("sk_test_secret", b"another") != theirs


# What a person sees of it


@pytest.mark.parametrize("encoding", ["urlencoded", "multipart"])
def test_a_form_is_taken_with_the_field_its_page_drew(browser: Browser, encoding: str) -> None:
    http = browser()
    fields = _form_of(http.get(PROFILE), PROFILE) | TYPED
    sent = (
        {"data": fields} if encoding == "urlencoded" else {"files": {k: (None, v) for k, v in fields.items()}}
    )
    answer = http.post(PROFILE, **sent)
    assert (answer.status_code, answer.headers["location"]) == (303, PROFILE)


def test_a_script_may_send_the_token_as_a_header(browser: Browser) -> None:
    http = browser()
    token = _form_of(http.get(PROFILE), PROFILE)[csrf.FIELD]
    assert http.post(PROFILE, data=TYPED, headers={csrf.HEADER: token}).status_code == 303
    assert _is_csrf(http.post(PROFILE, data=TYPED, headers={csrf.HEADER: token[:-1]}))


def test_a_form_of_an_earlier_session_is_offered_again_with_what_was_typed(browser: Browser) -> None:
    """Somebody signs out and in again in another tab, and then sends what they had open."""
    fields = _form_of(browser(session_id="sess_first").get(PROFILE), PROFILE) | TYPED
    now = browser(session_id="sess_second")
    answer = now.post(
        f"{PROFILE}?from=menu", data=fields, headers={"Referer": "http://x.example/teach/profile"}
    )
    assert _is_csrf(answer)
    assert "what you typed is kept" in answer.text
    assert "<b>well" not in answer.text
    # It waits for the person: nothing on the page sends it by itself.
    assert "data-resubmit" not in answer.text
    assert 'href="/teach/profile"' in answer.text
    offered = _form_of(answer, f"{PROFILE}?from=menu")
    assert offered.pop(csrf.FIELD) != fields[csrf.FIELD]
    assert offered == {name: value for name, value in fields.items() if name != csrf.FIELD}
    again = now.post(PROFILE, data=_form_of(answer, f"{PROFILE}?from=menu"))
    assert again.status_code == 303
    assert TYPED["bio"] in [teacher["bio"] for teacher in now.get("/api/v1/instructors").json()["items"]]


def test_a_refused_form_changes_nothing(browser: Browser) -> None:
    http = browser()
    before = http.get("/api/v1/instructors").text
    assert _is_csrf(http.post(PROFILE, data=TYPED | {"bio": "Overwritten by nobody."}))
    assert http.get("/api/v1/instructors").text == before


def test_a_form_whose_session_has_to_be_renewed_is_finished_with_the_token_it_had(browser: Browser) -> None:
    """The page that renews the session sends the same fields; the session is the same one."""
    fields = _form_of(browser().get(PROFILE), PROFILE) | TYPED
    run_out = browser(lifetime=-60).post(PROFILE, data=fields)
    assert run_out.status_code == 401
    kept = _form_of(run_out, PROFILE)
    assert kept == fields
    assert browser().post(PROFILE, data=kept).status_code == 303
    # In another session it is offered again, not lost and not taken.
    assert _is_csrf(browser(session_id="sess_second").post(PROFILE, data=kept))


def test_a_token_of_somebody_else_or_of_another_place_does_not_hold(browser: Browser) -> None:
    noor = _form_of(browser(NOOR, "sess_noor").get(PROFILE), PROFILE)
    elsewhere = _form_of(browser(slug=None).get("/sign-out"), "/sign-out")
    for token in (noor[csrf.FIELD], elsewhere[csrf.FIELD], "", "x" * 64):
        assert _is_csrf(browser().post(PROFILE, data=TYPED | {csrf.FIELD: token}))


def test_a_bearer_token_needs_no_other(client: ClientFor) -> None:
    """No browser adds one to a form on its own."""
    http = client("yoga", "jun@stillwater.example")
    assert http.post(PROFILE, data=TYPED).status_code == 303
    # A scheme that does not say who is asking changes nothing.
    pages = client("yoga", "jun@stillwater.example", cookie=True)
    del pages.headers[csrf.HEADER]
    assert _is_csrf(pages.post(PROFILE, data=TYPED, headers={"Authorization": "Basic bm9ib2R5Og=="}))


def test_the_field_is_none_of_what_was_typed(client: ClientFor) -> None:
    """A form that is drawn again after a refusal has the token of its own page, once."""
    http = client("yoga", "jun@stillwater.example", cookie=True)
    old = _form_of(http.get(PROFILE), PROFILE)[csrf.FIELD]
    refused = http.post(PROFILE, data=TYPED | {"meeting_url": "http://x", csrf.FIELD: old})
    assert refused.status_code == 422
    assert old not in refused.text
    assert refused.text.count(f'name="{csrf.FIELD}"') == len(_forms(refused.text))


def test_a_script_is_told_that_the_page_is_too_old(browser: Browser) -> None:
    answer = browser().post("/teach/hours", data={"add": "1"}, headers={"HX-Request": "true"})
    assert _is_csrf(answer)
