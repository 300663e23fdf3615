"""The handshake, from the first request to the last, against the stand-in on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from coursecove.dev.clerk import world
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.identity.authentication import Authenticator, Handshake, SignedIn, SignedOut
from coursecove.identity.cookies import suffix_of
from coursecove.identity.requests import RequestFacts
from tests.dev_clerk.standing_clerk import BASE_DOMAIN, ORIGIN, Browser, settings_for, standing_clerk

YOGA_ORIGIN = f"http://yoga.{BASE_DOMAIN}:8000"
YOGA = world.YOGA.clerk_id
MUSIC = world.MUSIC_SCHOOL.clerk_id


@pytest.fixture(scope="module", params=["development", "production"])
def clerk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClerkStandIn]:
    folder = tmp_path_factory.mktemp("clerk")
    with standing_clerk(folder, instance=request.param) as stand_in:
        yield stand_in


class Jar:
    """The cookies a browser would send to one host of the base domain."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def take(self, lines: tuple[str, ...] | list[str]) -> None:
        for line in lines:
            pair, _, attributes = line.partition(";")
            name, _, value = pair.partition("=")
            if "max-age=0" in attributes.lower():
                self.values.pop(name, None)
            else:
                self.values[name] = value


def visit(
    clerk: ClerkStandIn,
    browser: Browser,
    jar: Jar,
    *,
    origin: str = YOGA_ORIGIN,
    organization: str | None = YOGA,
    token_format: str = "nonce",
) -> tuple[SignedIn | SignedOut, list[str]]:
    """Open a page as a browser does, redirect by redirect; returns the end and the way there."""

    async def main() -> tuple[SignedIn | SignedOut, list[str]]:
        way: list[str] = []
        url = f"{origin}/book?type=yin"
        async with httpx.AsyncClient() as http:
            authenticator = Authenticator(settings_for(clerk), http)
            for _ in range(12):
                request = RequestFacts(
                    method="GET",
                    url=url,
                    sec_fetch_dest="document",
                    cookies={name: (value,) for name, value in jar.values.items()},
                )
                answer = await authenticator.authenticate(
                    request, origin=origin, organization_clerk_id=organization
                )
                jar.take(answer.cookies)
                if not isinstance(answer, Handshake):
                    return answer, way
                way.append(answer.reason)
                url = answer.location
                if url.startswith(clerk.issuer):
                    path = url.removeprefix(clerk.issuer).replace("format=nonce", f"format={token_format}")
                    back = browser.get(path)
                    assert back.status_code == 307, back.text
                    assert back.headers["Cache-Control"] == "no-store"
                    jar.take(back.headers.get_list("Set-Cookie"))
                    url = back.headers["Location"]
                assert url.startswith(f"{origin}/book?type=yin")
        raise AssertionError(f"went in circles: {way}")

    return asyncio.run(main())


def jar_after_signing_in(browser: Browser, user_id: str, organization_id: str | None) -> Jar:
    """The jar of another subdomain: it sees that somebody signed in, but has no token."""
    browser.sign_in(user_id, organization_id)
    uat = browser.get("/v1/client").json()["response"]["uat"]
    jar = Jar()
    jar.values["__client_uat"] = str(uat)
    return jar


@pytest.mark.parametrize("token_format", ["nonce", "token"])
def test_the_first_visit_to_another_school_takes_one_handshake_and_its_organization_is_active(
    clerk: ClerkStandIn, token_format: str
) -> None:
    with Browser(clerk) as browser:
        jar = jar_after_signing_in(browser, world.PRIYA.clerk_id, MUSIC)
        answer, way = visit(clerk, browser, jar, token_format=token_format)
        assert isinstance(answer, SignedIn)
        assert answer.claims.user_id == world.PRIYA.clerk_id
        assert answer.claims.authorized_party == YOGA_ORIGIN
        assert answer.claims.organization is not None
        assert answer.claims.organization.id == YOGA
        assert way[0] == "client-uat-but-no-session-token"
        assert way[1:] == (["handshake-finished"] if clerk.instance == "development" else [])
        again, way = visit(clerk, browser, jar)
        assert isinstance(again, SignedIn)
        assert way == []


def test_somebody_of_another_school_is_sent_round_once_and_then_let_through(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as browser:
        jar = jar_after_signing_in(browser, world.MIA.clerk_id, MUSIC)
        answer, way = visit(clerk, browser, jar)
        assert isinstance(answer, SignedIn)
        assert answer.claims.organization is not None
        assert answer.claims.organization.id == MUSIC
        finished = ["handshake-finished"] if clerk.instance == "development" else []
        first = ["client-uat-but-no-session-token", *finished]
        asked = ["active-organization-mismatch", *finished]
        # In production the answer of the first handshake signs in by itself, so that
        # the question about the organization comes with the second page.
        ways = [way, visit(clerk, browser, jar)[1], visit(clerk, browser, jar)[1]]
        if clerk.instance == "development":
            assert ways == [first + asked, [], []]
        else:
            assert ways == [first, asked, []]


def test_somebody_who_signed_out_elsewhere_is_signed_out_here(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as browser:
        jar = jar_after_signing_in(browser, world.LEO.clerk_id, None)
        browser.delete("/v1/client/sessions").raise_for_status()
        answer, way = visit(clerk, browser, jar)
        assert isinstance(answer, SignedOut)
        assert way[0] == "client-uat-but-no-session-token"
        assert jar.values["__client_uat"] == "0"


def test_suffixed_cookies_come_back_suffixed(clerk: ClerkStandIn) -> None:
    suffix = suffix_of(settings_for(clerk).clerk_publishable_key)
    with Browser(clerk) as browser:
        jar = jar_after_signing_in(browser, world.PRIYA.clerk_id, YOGA)
        jar.values[f"__client_uat_{suffix}"] = jar.values.pop("__client_uat")
        answer, _ = visit(clerk, browser, jar)
        assert isinstance(answer, SignedIn)
        assert f"__session_{suffix}" in jar.values


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "http://evilcoursecove.localhost/",
        f"http://{BASE_DOMAIN}.evil.example/",
        f"http://{BASE_DOMAIN}@evil.example/",
        f"http://musicschool.{BASE_DOMAIN}:x@evil.example/",
        "//evil.example/",
        "/relative",
        "javascript:alert(1)",
        "",
    ],
)
def test_the_stand_in_sends_nobody_to_other_domains(clerk: ClerkStandIn, target: str) -> None:
    with Browser(clerk) as browser:
        answer = browser.get("/v1/client/handshake", params={"redirect_url": target, "format": "nonce"})
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_a_nonce_works_once(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as browser:
        answer = browser.get("/v1/client/handshake", params={"redirect_url": f"{ORIGIN}/", "format": "nonce"})
        carried = answer.headers.get("Set-Cookie", "") + urlsplit(answer.headers["Location"]).query
        nonce = carried.partition("__clerk_handshake_nonce=")[2].partition(";")[0]
        url = f"{clerk.api_url}/clients/handshake_payload"
        key = {"Authorization": f"Bearer {clerk.secret_key}"}
        assert "directives" in httpx.get(url, params={"nonce": nonce}, headers=key).json()
        assert httpx.get(url, params={"nonce": nonce}, headers=key).status_code == 404
