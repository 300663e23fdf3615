"""What a browser may bring back from a handshake, and where it may lead: nowhere but home."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from coursecove import clock
from coursecove.dev.clerk.session_tokens import mint_handshake_token
from coursecove.identity.authentication import Handshake, SignedIn, SignedOut
from coursecove.identity.handshake import own_url
from coursecove.identity.requests import RequestFacts
from tests.identity.identity_world import (
    FOREIGN_KEY,
    ISSUER,
    KEY,
    KEY_ID,
    NOW,
    ORIGIN,
    UAT,
    decide,
    make_token,
    old,
    page,
)


@pytest.fixture(autouse=True)
def _standing_at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_read", lambda: NOW)


FRESH = make_token()


def lines(token: str = FRESH) -> list[str]:
    return [
        f"__session={token}; Path=/; SameSite=Lax; Secure",
        f"__client_uat={UAT}; Path=/; Domain=coursecove.com; SameSite=Lax; Secure",
    ]


def handshake_jwt(directives: Any, **more: Any) -> str:
    return mint_handshake_token(more.get("key", KEY), key_id=KEY_ID, directives=directives)


def test_in_production_the_answer_of_a_handshake_signs_in_on_the_spot() -> None:
    for cookies in ({"__clerk_handshake_nonce": "good"}, {"__clerk_handshake": handshake_jwt(lines())}):
        answer = decide(page(cookies=cookies), directives=lines())
        assert isinstance(answer, SignedIn)
        assert answer.claims.user_id == "user_2Mia"
        assert answer.cookies[:2] == tuple(lines())
        # The answer itself is taken out of the jar, on this host and on the base domain.
        assert "__clerk_handshake_nonce=; Path=/; Max-Age=0; SameSite=Lax" in answer.cookies
        assert "__clerk_handshake=; Path=/; Max-Age=0; SameSite=Lax; Domain=coursecove.com" in answer.cookies


def test_in_production_an_answer_in_the_address_is_ignored() -> None:
    # Else a link could sign somebody in as somebody else.
    for query in ("__clerk_handshake_nonce=good", f"__clerk_handshake={handshake_jwt(lines())}"):
        answer = decide(page(f"/book?{query}"), directives=lines())
        assert answer == SignedOut("session-token-and-uat-missing")


def test_in_development_the_answer_leads_once_more_to_the_address_without_it() -> None:
    for query in ("__clerk_handshake_nonce=good", f"__clerk_handshake={handshake_jwt(lines())}"):
        answer = decide(page(f"/book?type=piano&{query}"), live=False, directives=lines())
        assert isinstance(answer, Handshake)
        assert answer.location == f"{ORIGIN}/book?type=piano"
        assert answer.cookies[:2] == tuple(lines())


def test_a_handshake_without_a_session_signs_out() -> None:
    gone = ["__session=; Path=/; Max-Age=0", "__client_uat=0; Path=/; Domain=coursecove.com"]
    answer = decide(page(cookies={"__clerk_handshake_nonce": "good"}), directives=gone)
    assert isinstance(answer, SignedOut)
    assert answer.reason == "handshake-signed-out"
    assert answer.cookies[:2] == tuple(gone)


@pytest.mark.parametrize(
    "token",
    [
        make_token(FOREIGN_KEY),
        make_token(authorized_party="https://yoga.coursecove.com"),
        make_token(authorized_party=None),
        old(),
    ],
)
def test_the_token_of_a_handshake_is_verified_like_any_other(token: str) -> None:
    answer = decide(page(cookies={"__clerk_handshake_nonce": "good"}), directives=lines(token))
    assert isinstance(answer, SignedOut)


def test_only_clerks_own_cookies_are_set() -> None:
    directives = [
        *lines(),
        "coursecove_admin=1; Path=/",
        "__Host-csrf=attacker; Path=/; Secure",
        "__session_other=x; Path=/",
        "__client_uat=1\r\nSet-Cookie: evil=1",
        "nonsense",
    ]
    answer = decide(page(cookies={"__clerk_handshake_nonce": "good"}), directives=directives)
    assert answer.cookies[:2] == tuple(lines())
    assert {line.split("=")[0] for line in answer.cookies[2:]} == {
        "__clerk_handshake",
        "__clerk_handshake_nonce",
    }


@pytest.mark.parametrize(
    "token",
    [
        handshake_jwt(lines(), key=FOREIGN_KEY),
        make_token(),
        handshake_jwt("__session=x"),
        handshake_jwt([1]),
        "e30.e30.",
    ],
)
def test_a_forged_handshake_counts_for_nothing(token: str) -> None:
    answer = decide(page(cookies={"__clerk_handshake": token}))
    assert answer == SignedOut("session-token-and-uat-missing")
    assert decide(page(f"/?__clerk_handshake={token}"), live=False) == answer


def test_an_unknown_nonce_counts_for_nothing() -> None:
    cookies = {"__clerk_handshake_nonce": "stolen", "__client_uat": str(UAT)}
    assert isinstance(decide(page(cookies=cookies)), Handshake)


def test_what_is_not_a_page_never_takes_a_handshakes_answer() -> None:
    request = page(cookies={"__clerk_handshake_nonce": "good"}, sec_fetch_dest="empty")
    assert decide(request, directives=lines()) == SignedOut("session-token-and-uat-missing")


# Redirects stay at home (SECURITY.md, row 23)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/",
        "/\\evil.example",
        "/@evil.example",
        "///evil.example/%2e%2e",
        "/%0d%0aLocation:%20https://evil.example",
        "/x\r\nSet-Cookie: a=b",
        "/.evil.example",
        "/?redirect_url=https://evil.example&__clerk_handshake_nonce=x",
        "@evil.example/",
        ".evil.example/",
    ],
)
def test_no_address_leads_a_handshake_anywhere_else(path: str) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "raw_path": path.partition("?")[0].encode("latin-1"),
        "path": path.partition("?")[0],
        "query_string": path.partition("?")[2].encode(),
        "headers": [
            (b"host", b"evil.example"),
            (b"x-forwarded-host", b"evil.example"),
            (b"accept", b"text/html"),
            (b"cookie", f"__client_uat={UAT}".encode()),
        ],
    }
    request = RequestFacts.from_scope(scope, public_url=ORIGIN)
    assert urlsplit(request.url).netloc == urlsplit(ORIGIN).netloc
    asked = decide(request)
    assert isinstance(asked, Handshake)
    target = parse_qs(urlsplit(asked.location).query)["redirect_url"][0]
    assert urlsplit(asked.location).netloc == urlsplit(ISSUER).netloc
    with_nonce = RequestFacts(
        **{
            **{name: getattr(request, name) for name in RequestFacts.__slots__},
            "url": request.url + ("&" if "?" in request.url else "?") + "__clerk_handshake_nonce=good",
        }
    )
    finished = decide(with_nonce, live=False, directives=lines())
    assert isinstance(finished, Handshake)
    for url in (target, finished.location):
        assert url.startswith(ORIGIN + "/")
        assert urlsplit(url).netloc == urlsplit(ORIGIN).netloc
        assert url.isprintable()
        assert " " not in url


@pytest.mark.parametrize(
    "url", ["https://evil.example/x?a=1", "http://evil.example//x?a=1", "@evil.example/x?a=1"]
)
def test_even_a_request_that_claims_another_origin_comes_back_to_this_one(url: str) -> None:
    request = RequestFacts(method="GET", url=url)
    assert own_url(request, ORIGIN).startswith(f"{ORIGIN}/")
    assert urlsplit(own_url(request, ORIGIN)).netloc == urlsplit(ORIGIN).netloc
