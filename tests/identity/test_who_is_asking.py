"""The decision over one request: Clerk's table, row by row, and what must never come of it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from coursecove import clock
from coursecove.identity.authentication import Handshake, SignedIn, SignedOut
from coursecove.identity.cookies import organization_asked_name, redirect_count_name, suffix_of
from coursecove.identity.requests import RequestFacts
from tests.identity.identity_world import (
    FOREIGN_KEY,
    ISSUER,
    NOW,
    ORIGIN,
    OTHER_SCHOOL,
    SCHOOL,
    UAT,
    decide,
    make_settings,
    make_token,
    old,
    page,
)

SUFFIX = suffix_of(make_settings().clerk_publishable_key)
COUNT = redirect_count_name(ORIGIN)


@pytest.fixture(autouse=True)
def _standing_at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_read", lambda: NOW)


TABLE = [
    # client_uat, session, outcome, reason
    (None, None, "out", "session-token-and-uat-missing"),
    ("0", None, "out", "session-token-and-uat-missing"),
    ("nonsense", None, "out", "session-token-and-uat-missing"),
    (None, make_token(), "handshake", "session-token-but-no-client-uat"),
    ("0", make_token(), "handshake", "session-token-but-no-client-uat"),
    (UAT, None, "handshake", "client-uat-but-no-session-token"),
    (UAT, "", "handshake", "client-uat-but-no-session-token"),
    (UAT + 60, make_token(), "handshake", "session-token-iat-before-client-uat"),
    (int(NOW.timestamp()), make_token(), "in", None),
    (UAT, old(), "handshake", "session-token-expired"),
    (UAT, make_token(claims={"nbf": NOW.timestamp() + 60}), "handshake", "session-token-nbf"),
    (UAT, make_token(claims={"iat": NOW.timestamp() + 60}), "handshake", "session-token-iat-in-the-future"),
    (UAT, make_token(FOREIGN_KEY), "out", "token-signature"),
    (UAT, old(key=FOREIGN_KEY), "out", "token-signature"),
    (UAT, make_token(authorized_party="https://yoga.coursecove.com"), "out", "token-azp"),
    (UAT, make_token(authorized_party=None), "out", "token-azp-missing"),
    (UAT, make_token(claims={"iss": "https://clerk.evil.example"}), "out", "token-issuer"),
    (UAT, make_token(claims={"sts": "pending"}), "out", "session-pending"),
    (UAT, make_token(headers={"cat": "cl_B7d4PD222AAA"}), "out", "token-category"),
    (UAT, "not-a-token", "out", "token-malformed"),
    (UAT, make_token(), "in", None),
    (UAT, make_token(version=1), "in", None),
]


@pytest.mark.parametrize(("uat", "session", "outcome", "reason"), TABLE)
def test_every_row_of_the_table_holds_for_pages_and_for_everything_else(
    uat: int | str | None, session: str | None, outcome: str, reason: str | None
) -> None:
    cookies = {}
    if uat is not None:
        cookies["__client_uat"] = str(uat)
    if session is not None:
        cookies["__session"] = session
    on_page = decide(page(cookies=cookies))
    elsewhere = [
        decide(page(cookies=cookies, method="POST")),
        decide(page(cookies=cookies, sec_fetch_dest="empty")),
        decide(page(cookies=cookies, sec_fetch_dest=None, accept="application/json")),
        decide(page(cookies=cookies, sec_fetch_dest="image", accept="text/html")),
    ]
    if outcome == "in":
        assert all(isinstance(answer, SignedIn) for answer in (on_page, *elsewhere))
        return
    assert all(answer == SignedOut(str(reason)) for answer in elsewhere)
    if outcome == "out":
        assert on_page == SignedOut(str(reason))
    else:
        assert isinstance(on_page, Handshake)
        assert on_page.reason == reason


@pytest.mark.parametrize("destination", ["document", "iframe"])
def test_a_browser_that_navigates_may_be_redirected(destination: str) -> None:
    request = page(cookies={"__client_uat": str(UAT)}, sec_fetch_dest=destination, accept="*/*")
    assert isinstance(decide(request), Handshake)


def test_an_older_browser_is_known_by_what_it_accepts() -> None:
    request = page(cookies={"__client_uat": str(UAT)}, sec_fetch_dest=None)
    assert isinstance(decide(request), Handshake)


def test_a_handshake_says_where_to_come_back_to_and_why() -> None:
    token = old()
    answer = decide(
        page(
            "/book?type=piano&__clerk_handshake=old&day=2026-09-22",
            {"__client_uat": str(UAT), "__session": token, "__clerk_db_jwt": "dvb"},
        ),
        organization_clerk_id=SCHOOL,
    )
    assert isinstance(answer, Handshake)
    location = urlsplit(answer.location)
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{ISSUER}/v1/client/handshake"
    assert {name: values[0] for name, values in parse_qs(location.query).items()} == {
        "redirect_url": f"{ORIGIN}/book?type=piano&day=2026-09-22",
        "__clerk_api_version": "2026-05-12",
        "suffixed_cookies": "false",
        "__clerk_hs_reason": "session-token-expired",
        "format": "nonce",
        "__session": token,
        "organization_id": SCHOOL,
    }
    assert answer.cookies == (f"{COUNT}=1; Path=/; SameSite=Lax; HttpOnly; Max-Age=2; Secure",)


def test_a_development_instance_is_told_which_browser_it_is() -> None:
    answer = decide(page(cookies={"__client_uat": str(UAT), "__clerk_db_jwt": "dvb"}), live=False)
    assert isinstance(answer, Handshake)
    assert parse_qs(urlsplit(answer.location).query)["__clerk_db_jwt"] == ["dvb"]


def test_after_three_redirects_in_a_row_the_handshake_is_given_up() -> None:
    for count in range(3):
        cookies = {"__client_uat": str(UAT), COUNT: str(count)}
        answer = decide(page(cookies=cookies))
        assert isinstance(answer, Handshake)
        assert answer.cookies[0].startswith(f"{COUNT}={count + 1};")
    cookies = {"__client_uat": str(UAT), COUNT: "3"}
    assert decide(page(cookies=cookies)) == SignedOut("handshake-loop")


def test_cookies_of_ours_that_a_sibling_subdomain_could_set_are_not_looked_at() -> None:
    """A browser lets no subdomain set a `__Host-` name for another; without the prefix it would."""
    assert COUNT.startswith("__Host-")
    for plain in ("__clerk_redirect_count", COUNT.removeprefix("__Host-")):
        tossed = decide(page(cookies={"__client_uat": str(UAT), plain: "3"}))
        assert isinstance(tossed, Handshake), plain
    cookies = {"__client_uat": str(UAT), "__session": make_token(organization_id=OTHER_SCHOOL)}
    plain = organization_asked_name(ORIGIN).removeprefix("__Host-")
    session_id = "sess_2Mia"
    assert isinstance(
        decide(page(cookies={**cookies, plain: session_id}), organization_clerk_id=SCHOOL), Handshake
    )
    # Over http, on a developer's machine, browsers do not take the prefix.
    assert redirect_count_name("http://yoga.coursecove.localhost:8000") == "coursecove_redirect_count"


def test_suffixed_cookies_are_preferred_when_they_are_there() -> None:
    cookies = {
        "__session": make_token(FOREIGN_KEY),
        "__client_uat": "0",
        f"__session_{SUFFIX}": make_token(),
        f"__client_uat_{SUFFIX}": str(UAT),
    }
    assert isinstance(decide(page(cookies=cookies)), SignedIn)
    del cookies[f"__session_{SUFFIX}"]
    del cookies["__session"]
    answer = decide(page(cookies=cookies))
    assert isinstance(answer, Handshake)
    assert parse_qs(urlsplit(answer.location).query)["suffixed_cookies"] == ["true"]


def test_cookies_of_another_instance_are_not_ours() -> None:
    other = {"__session_AAAAAAAA": make_token(), "__client_uat_AAAAAAAA": str(UAT)}
    assert decide(page(cookies=other)) == SignedOut("session-token-and-uat-missing")


def test_two_different_session_cookies_are_nobodys() -> None:
    mia, leo = make_token(), make_token(user_id="user_2Leo")
    cookies: dict[str, str | tuple[str, ...]] = {"__client_uat": str(UAT), "__session": (leo, mia)}
    assert decide(page(cookies=cookies)) == SignedOut("session-cookie-ambiguous")
    cookies["__session"] = (mia, mia)
    assert isinstance(decide(page(cookies=cookies)), SignedIn)


# Bearer tokens


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", "Bearer   ", ""])
def test_a_bearer_token_signs_in_without_any_cookie(prefix: str) -> None:
    answer = decide(page(authorization=prefix + make_token(authorized_party=None)))
    assert isinstance(answer, SignedIn)
    assert answer.claims.user_id == "user_2Mia"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (old(), "session-token-expired"),
        (make_token(FOREIGN_KEY), "token-signature"),
        (make_token(authorized_party="https://yoga.coursecove.com"), "token-azp"),
        (make_token(claims={"sts": "pending"}), "session-pending"),
        ("garbage", "token-malformed"),
    ],
)
def test_a_bad_bearer_token_never_leads_to_a_redirect_nor_to_the_cookies(token: str, reason: str) -> None:
    cookies = {"__client_uat": str(UAT), "__session": make_token()}
    assert decide(page(cookies=cookies, authorization=f"Bearer {token}")) == SignedOut(reason)


@pytest.mark.parametrize("header", ["Basic bWlhOnNlY3JldA==", "Bearer ", "", "Digest x"])
def test_other_schemes_leave_the_decision_to_the_cookies(header: str) -> None:
    cookies = {"__client_uat": str(UAT), "__session": make_token()}
    assert isinstance(decide(page(cookies=cookies, authorization=header)), SignedIn)


def test_a_bearer_token_for_another_organization_is_refused() -> None:
    token = make_token(organization_id=OTHER_SCHOOL)
    answer = decide(page(authorization=f"Bearer {token}"), organization_clerk_id=SCHOOL)
    assert answer == SignedOut("organization-mismatch")


@pytest.mark.parametrize("carrier", ["cookie", "bearer"])
def test_a_token_without_an_active_organization_is_fine_anywhere(carrier: str) -> None:
    token = make_token()
    request = (
        page(authorization=f"Bearer {token}")
        if carrier == "bearer"
        else page(cookies={"__client_uat": str(UAT), "__session": token})
    )
    assert isinstance(decide(request, organization_clerk_id=SCHOOL), SignedIn)


# The active organization of a cookie


def test_a_cookie_for_another_organization_asks_once_and_is_then_taken_as_it_is() -> None:
    cookies = {"__client_uat": str(UAT), "__session": make_token(organization_id=OTHER_SCHOOL)}
    asked = decide(page(cookies=cookies), organization_clerk_id=SCHOOL)
    assert isinstance(asked, Handshake)
    assert asked.reason == "active-organization-mismatch"
    assert parse_qs(urlsplit(asked.location).query)["organization_id"] == [SCHOOL]
    marker, value = asked.cookies[1].split(";")[0].split("=")
    assert marker.startswith("__Host-")
    assert "Secure" in asked.cookies[1]
    back = decide(page(cookies={**cookies, marker: value}), organization_clerk_id=SCHOOL)
    assert isinstance(back, SignedIn)
    another_session = decide(page(cookies={**cookies, marker: "sess_2Other"}), organization_clerk_id=SCHOOL)
    assert isinstance(another_session, Handshake)


def test_a_cookie_for_another_organization_is_still_somebody_where_no_redirect_is_possible() -> None:
    cookies = {"__client_uat": str(UAT), "__session": make_token(organization_id=OTHER_SCHOOL)}
    assert isinstance(decide(page(cookies=cookies, method="POST"), organization_clerk_id=SCHOOL), SignedIn)
    cookies[COUNT] = "3"
    assert isinstance(decide(page(cookies=cookies), organization_clerk_id=SCHOOL), SignedIn)


def test_the_bare_domain_asks_for_no_organization() -> None:
    cookies = {"__client_uat": str(UAT), "__session": make_token(organization_id=OTHER_SCHOOL)}
    assert isinstance(decide(page(cookies=cookies), organization_clerk_id=None), SignedIn)


def test_a_request_is_read_from_an_asgi_scope_with_every_cookie_that_was_sent() -> None:
    scope = {
        "type": "http",
        "method": "get",
        "raw_path": b"/a%20b",
        "path": "/a b",
        "query_string": b"q=%C3%A9",
        "headers": [
            (b"Authorization", b"Bearer x"),
            (b"accept", b"text/html"),
            (b"sec-fetch-dest", b"document"),
            (b"cookie", b'__session=one; b="two"; =x; noequals'),
            (b"cookie", b"__session=three"),
        ],
    }
    facts = RequestFacts.from_scope(scope, public_url=ORIGIN + "/")
    assert facts == RequestFacts(
        method="GET",
        url=f"{ORIGIN}/a%20b?q=%C3%A9",
        authorization="Bearer x",
        accept="text/html",
        sec_fetch_dest="document",
        cookies={"__session": ("one", "three"), "b": ("two",)},
    )
    assert "one" not in repr(facts)
    assert "Bearer" not in repr(facts)
