"""The stand-in keeps its promises: where it runs, who may talk to it, what its tokens and answers look like."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from coursecove.dev.clerk import world
from coursecove.dev.clerk.errors import StandInRefused
from coursecove.dev.clerk.session_tokens import NoSuchPerson, fetch_session_token
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.identity.api import ClerkApi
from coursecove.identity.authentication import Authenticator, SignedIn
from coursecove.identity.errors import ClerkApiError
from coursecove.identity.requests import RequestFacts
from tests.dev_clerk.standing_clerk import (
    BASE_DOMAIN,
    ORIGIN,
    Browser,
    backend,
    settings_for,
    standing_clerk,
)

MUSIC = world.MUSIC_SCHOOL.clerk_id


@pytest.fixture(scope="module")
def clerk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClerkStandIn]:
    with standing_clerk(tmp_path_factory.mktemp("clerk")) as stand_in:
        yield stand_in


# Where it runs


@pytest.mark.parametrize("value", ["production", "Production", " production "])
def test_it_does_not_run_in_production(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("APP_ENV", value)
    with pytest.raises(StandInRefused, match="APP_ENV=production"):
        ClerkStandIn(folder=tmp_path / "state", base_domain=BASE_DOMAIN, port=1)
    assert not (tmp_path / "state").exists()


def test_it_does_not_take_a_live_key(tmp_path: Path) -> None:
    with pytest.raises(StandInRefused, match="sk_live_"):
        ClerkStandIn(folder=tmp_path, base_domain=BASE_DOMAIN, port=1, secret_key="sk_live_x")


def test_its_keys_and_its_people_survive_a_restart_and_are_nobody_elses_to_read(tmp_path: Path) -> None:
    def start() -> ClerkStandIn:
        return ClerkStandIn(folder=tmp_path, base_domain=BASE_DOMAIN, port=1)

    first = start()
    assert first.seed_world() > 20
    first.directory.delete_user(world.SAM.clerk_id)
    again = start()
    assert again.environment() == first.environment()
    assert again.public_key_pem == first.public_key_pem
    assert again.store.state == first.store.state
    assert again.seed_world() == 0
    assert world.SAM.clerk_id not in again.store.state.users
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    other = ClerkStandIn(folder=tmp_path / "other", base_domain=BASE_DOMAIN, port=1)
    assert other.secret_key != first.secret_key


def test_the_demo_world_has_the_same_ids_everywhere(tmp_path: Path) -> None:
    stand_ins = [ClerkStandIn(folder=tmp_path / name, base_domain=BASE_DOMAIN, port=1) for name in ("a", "b")]
    for stand_in in stand_ins:
        stand_in.seed_world()
    one, two = (s.store.state for s in stand_ins)
    assert list(one.users) == list(two.users) == [p.clerk_id for p in world.PEOPLE]
    assert list(one.organizations) == list(two.organizations) == [s.clerk_id for s in world.SCHOOLS]


# Who may talk to it


@pytest.mark.parametrize("header", [None, "Bearer sk_test_wrong", "Basic x", "Bearer"])
def test_the_backend_api_needs_the_secret_key(clerk: ClerkStandIn, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("/users", "/jwks", "/clients/handshake_payload?nonce=x", "/stand_in/outbox"):
        answer = httpx.get(clerk.api_url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["code"] == "clerk_key_invalid"


def test_a_name_that_merely_points_at_this_machine_is_not_served(clerk: ClerkStandIn) -> None:
    for path in ("/", "/v1/client", "/v1/client/people", "/v1/users"):
        answer = httpx.get(f"http://127.0.0.1:{clerk.port}{path}", headers={"Host": "evil.example"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        f"http://evil{BASE_DOMAIN}",
        f"http://{BASE_DOMAIN}.evil.example",
        f"http://a@{BASE_DOMAIN}.evil.example",
    ],
)
def test_other_peoples_pages_can_neither_read_nor_change_anything(clerk: ClerkStandIn, origin: str) -> None:
    with Browser(clerk, origin=origin) as browser:
        answer = browser.post("/v1/client/sign_ins", json={"user_id": world.MIA.clerk_id})
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in browser.get("/v1/client").headers
        base = f"http://127.0.0.1:{clerk.port}"
        forged = httpx.post(f"{base}/console/delete-person", headers={"Origin": origin})
        assert forged.status_code == 403


def test_pages_of_the_base_domain_may_send_their_cookies(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as browser:
        answer = browser.get("/v1/client")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        preflight = browser.options(
            "/v1/client/sign_ins",
            headers={
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type",
            },
        )
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN


# Signing in, up and out


def test_signing_in_sets_a_cookie_no_script_can_read(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as browser:
        answer = browser.post("/v1/client/sign_ins", json={"user_id": world.MIA.clerk_id})
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert "Domain" not in answer.headers["Set-Cookie"]
        session = answer.json()["response"]["sessions"][0]
        # Her only school is active without asking.
        assert session["last_active_organization_id"] == MUSIC


def test_people_are_listed_by_school_and_those_without_one_come_last(tmp_path: Path) -> None:
    with standing_clerk(tmp_path) as clerk, Browser(clerk) as browser:
        browser.post(
            "/v1/client/sign_ups",
            json={"first_name": "Nia", "last_name": "Adeyemi", "email_address": "nia@example.com"},
        ).raise_for_status()
        groups = browser.get("/v1/client/people").json()["groups"]
        names = [g["organization"]["name"] if g["organization"] else None for g in groups]
        assert names == ["Harmony Music School", "Stillwater Yoga", "Brightside Tutoring", None]
        assert [(p["name"], p["role"]) for p in groups[0]["people"][:4]] == [
            ("Clara Weiss", "Admin"),
            ("Ida Berg", "Instructor"),
            ("Tomás Rey", "Instructor"),
            ("Mia Okafor", "Student"),
        ]
        assert [person["name"] for person in groups[3]["people"]] == ["Olivia Park", "Nia Adeyemi"]


@pytest.mark.parametrize(
    ("form", "parameter"),
    [
        ({"first_name": "", "last_name": "", "email_address": "nia@example.com"}, "first_name"),
        ({"first_name": "Nia", "last_name": "", "email_address": "nia"}, "email_address"),
        ({"first_name": "Mia", "last_name": "", "email_address": "MIA@example.com"}, "email_address"),
    ],
)
def test_a_sign_up_that_cannot_be_says_which_field_is_wrong(
    clerk: ClerkStandIn, form: dict[str, str], parameter: str
) -> None:
    with Browser(clerk) as browser:
        answer = browser.post("/v1/client/sign_ups", json=form)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["meta"]["param_name"] == parameter


@pytest.mark.parametrize("version", [1, 2])
def test_a_session_token_is_believed_by_the_product(clerk: ClerkStandIn, version: int) -> None:
    with Browser(clerk) as browser:
        session = browser.sign_in(world.IDA.clerk_id, MUSIC)
        answer = browser.post(f"/v1/client/sessions/{session['id']}/tokens?version={version}")
    token = answer.json()["jwt"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["azp"] == ORIGIN
    assert claims["exp"] - claims["iat"] == 60
    assert ("v" in claims, "o" in claims, "org_id" in claims) == (version == 2, version == 2, version == 1)
    result = authenticate(clerk, token)
    assert isinstance(result, SignedIn)
    assert result.claims.organization is not None
    assert result.claims.organization.role == "org:instructor"
    assert result.claims.organization.permissions == {"org:lessons:read"}


def test_a_session_that_was_revoked_or_left_gives_no_more_tokens(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as browser, backend(clerk) as api:
        session = browser.sign_in(world.LEO.clerk_id)
        path = f"/v1/client/sessions/{session['id']}/tokens"
        assert browser.post(path).status_code == 200
        api.post(f"/sessions/{session['id']}/revoke").raise_for_status()
        assert browser.post(path).status_code == 401
        assert api.post(f"/sessions/{session['id']}/tokens").status_code == 401
        other = browser.sign_in(world.LEO.clerk_id)
        browser.delete("/v1/client/sessions").raise_for_status()
        assert browser.post(f"/v1/client/sessions/{other['id']}/tokens").status_code == 401


def test_nobody_gets_a_token_of_another_browsers_session(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as mia, Browser(clerk) as leo:
        session = mia.sign_in(world.MIA.clerk_id)
        leo.sign_in(world.LEO.clerk_id)
        assert leo.post(f"/v1/client/sessions/{session['id']}/tokens").status_code == 401


def test_somebody_removed_from_a_school_no_longer_carries_it_in_tokens(tmp_path: Path) -> None:
    with standing_clerk(tmp_path) as clerk, Browser(clerk) as browser, backend(clerk) as api:
        session = browser.sign_in(world.LEO.clerk_id, MUSIC)
        api.delete(f"/organizations/{MUSIC}/memberships/{world.LEO.clerk_id}").raise_for_status()
        token = browser.post(f"/v1/client/sessions/{session['id']}/tokens").json()["jwt"]
        assert "o" not in jwt.decode(token, options={"verify_signature": False})


def test_a_developer_gets_a_token_for_a_person_of_a_school(clerk: ClerkStandIn) -> None:
    def fetch(email: str, organization: str) -> str:
        return fetch_session_token(
            api_url=clerk.api_url,
            secret_key=clerk.secret_key,
            email=email,
            organization=organization,
            origin=ORIGIN,
        )

    result = authenticate(clerk, fetch("priya@example.com", "musicschool"))
    assert isinstance(result, SignedIn)
    assert result.claims.user_id == world.PRIYA.clerk_id
    assert result.claims.organization is not None
    assert result.claims.organization.id == MUSIC
    with pytest.raises(NoSuchPerson, match=r"nobody@example\.com"):
        fetch("nobody@example.com", "musicschool")
    with pytest.raises(NoSuchPerson, match="tutoring"):
        fetch("priya@example.com", "tutoring")


def authenticate(clerk: ClerkStandIn, token: str) -> Any:
    async def main() -> Any:
        async with httpx.AsyncClient() as http:
            request = RequestFacts(method="GET", url=f"{ORIGIN}/api", authorization=f"Bearer {token}")
            authenticator = Authenticator(settings_for(clerk), http)
            return await authenticator.authenticate(request, origin=ORIGIN, organization_clerk_id=MUSIC)

    return asyncio.run(main())


# The Backend API, as the product calls it


def test_the_products_own_client_understands_every_answer(tmp_path: Path) -> None:
    async def story(api: ClerkApi) -> None:
        school = await api.get_organization("musicschool")
        assert (school.id, school.name) == (MUSIC, "Harmony Music School")
        mia = await api.get_user(world.MIA.clerk_id)
        assert (mia.first_name, mia.primary_email) == ("Mia", "mia@example.com")
        members = [m async for m in api.memberships(MUSIC)]
        assert [m.public_user_data.identifier for m in members] == [
            person.email for person, _ in world.MUSIC_SCHOOL.people
        ]
        sam = world.SAM.clerk_id
        assert (await api.create_membership(MUSIC, sam, "org:member")).role == "org:member"
        with pytest.raises(ClerkApiError) as caught:
            await api.create_membership(MUSIC, sam, "org:member")
        assert caught.value.clerk_code == "already_a_member_in_organization"
        assert (await api.update_membership_role(MUSIC, sam, "org:admin")).role == "org:admin"
        assert (await api.delete_membership(MUSIC, sam)).public_user_data.user_id == sam
        with pytest.raises(ClerkApiError) as caught:
            await api.delete_membership(MUSIC, sam)
        assert (caught.value.clerk_code, caught.value.clerk_status) == ("resource_not_found", 404)
        invitation = await api.create_invitation(MUSIC, "nia@example.com", "org:member")
        assert (invitation.status, invitation.organization_id) == ("pending", MUSIC)

    async def main(clerk: ClerkStandIn) -> None:
        async with httpx.AsyncClient() as http:
            await story(ClerkApi(settings_for(clerk), http))

    with standing_clerk(tmp_path) as clerk:
        asyncio.run(main(clerk))


def test_users_are_a_bare_array_and_everything_else_is_counted(clerk: ClerkStandIn) -> None:
    with backend(clerk) as api:
        users = api.get("/users", params={"email_address": ["mia@example.com", "leo@example.com"]}).json()
        assert {user["first_name"] for user in users} == {"Mia", "Leo"}
        assert len(api.get("/users").json()) == 10
        assert api.get("/users/count").json()["total_count"] == len(world.PEOPLE)
        memberships = api.get(f"/organizations/{MUSIC}/memberships", params={"limit": 2, "offset": 1})
        assert (len(memberships.json()["data"]), memberships.json()["total_count"]) == (2, 6)
        for limit in ("0", "501", "x"):
            assert api.get("/organizations", params={"limit": limit}).status_code == 422


@pytest.mark.parametrize("path", ["/users/user_2x", "/organizations/org_2x", "/nonsense"])
def test_what_does_not_exist_is_refused_in_clerks_words(clerk: ClerkStandIn, path: str) -> None:
    with backend(clerk) as api:
        answer = api.get(path)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "resource_not_found"
    assert answer.json()["clerk_trace_id"]


def test_the_public_keys_are_the_same_at_both_addresses(clerk: ClerkStandIn) -> None:
    with Browser(clerk) as browser, backend(clerk) as api:
        keys = api.get("/jwks").json()
        assert browser.get("/.well-known/jwks.json").json() == keys
        assert keys["keys"][0]["kid"] == clerk.store.state.instance_id
        assert set(keys["keys"][0]) == {"use", "kty", "kid", "alg", "n", "e"}


def test_the_browser_script_is_served_under_any_version(clerk: ClerkStandIn) -> None:
    base = f"http://127.0.0.1:{clerk.port}/npm/@clerk"
    for version in ("5", "5.103.0", "latest"):
        answer = httpx.get(f"{base}/clerk-js@{version}/dist/clerk.browser.js")
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert "window.Clerk = new Clerk()" in answer.text
        assert "mountSignIn(" in answer.text
    assert httpx.get(f"{base}/other@1/dist/clerk.browser.js").status_code == 404


def test_a_picture_shows_initials_and_nothing_that_was_typed_in(tmp_path: Path) -> None:
    with standing_clerk(tmp_path, seeded=False) as clerk, backend(clerk) as api:
        user = api.post("/users", json={"email_address": ["x@example.com"], "first_name": "<script>"}).json()
        path = user["image_url"].removeprefix(clerk.issuer)
        picture = httpx.get(f"http://127.0.0.1:{clerk.port}{path}")
        assert picture.headers["Content-Type"].startswith("image/svg+xml")
        assert "&lt;" in picture.text
        assert "<script>" not in picture.text
