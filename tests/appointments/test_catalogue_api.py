"""The routes of the catalogue and of hours with their real guards, for each kind of asker.

Who is asking is put where the gateway puts it; tokens and hosts have their own tests.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, Response, Router
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import problems
from coursecove.appointments.controllers import API_CONTROLLERS as CATALOGUE
from coursecove.identity.authentication import SignedIn, SignedOut
from coursecove.identity.tokens import SessionClaims
from coursecove.scheduling.controllers import API_CONTROLLERS as HOURS
from coursecove.tenants.models import Member
from tests.appointments.schools import NewSchool

pytestmark = pytest.mark.anyio

PIANO = {"name": "Piano", "duration_minutes": 45, "location_mode": "online"}
MORNING = {"weekday": 1, "starts_minute": 540, "ends_minute": 720}


def identity_of(member: Member | None) -> SignedIn | SignedOut:
    if member is None:
        return SignedOut("no-token")
    now = datetime.now(UTC)
    return SignedIn(SessionClaims(member.clerk_user_id or "", "sess_1", now, now, None, None, None, 2))


def render(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    status, body, headers = problems.encode(error)
    return Response(body, status_code=status, media_type=problems.PROBLEM_JSON, headers=headers)


class Asking:
    """A client of one school's routes, as whoever is named."""

    def __init__(self, school: NewSchool) -> None:
        async def provide_session() -> AsyncIterator[AsyncSession]:
            async with school.open() as session:
                yield session

        self.app = Litestar(
            [Router("/api/v1", route_handlers=[*CATALOGUE, *HOURS])],
            dependencies={"session": Provide(provide_session)},
            exception_handlers={Exception: render},
            openapi_config=None,
        )

    @asynccontextmanager
    async def as_(self, member: Member | None) -> AsyncIterator[httpx.AsyncClient]:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {"identity": identity_of(member)}
            await self.app(scope, receive, send)

        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://school/api/v1") as client:
            yield client


@pytest.fixture
def asking(harmony: NewSchool) -> Asking:
    return Asking(harmony)


async def test_visitors_see_what_is_published_and_only_admins_the_rest(
    asking: Asking, harmony: NewSchool
) -> None:
    async with asking.as_(harmony["Clara"]) as admin:
        made = {}
        for name, published in (("Piano", True), ("Draft", False), ("Gone", True)):
            answer = await admin.post(
                "/appointment-types", json={**PIANO, "name": name, "published": published}
            )
            assert answer.status_code == 201, answer.text
            made[name] = answer.json()["id"]
        assert (await admin.post(f"/appointment-types/{made['Gone']}/archival")).status_code == 200
        everything = await admin.get("/appointment-types?include=unpublished&include=archived")
        assert [t["name"] for t in everything.json()["items"]] == ["Piano", "Draft", "Gone"]
        drafts = await admin.get("/appointment-types?include=unpublished")
        assert [t["name"] for t in drafts.json()["items"]] == ["Piano", "Draft"]
        for id_ in made.values():
            assert (await admin.get(f"/appointment-types/{id_}")).status_code == 200

    for person, refused in ((None, 401), (harmony["Mia"], 403), (harmony["Ida"], 403)):
        async with asking.as_(person) as client:
            public = await client.get("/appointment-types")
            assert [t["name"] for t in public.json()["items"]] == ["Piano"]
            assert (await client.get(f"/appointment-types/{made['Piano']}")).status_code == 200
            nothing = await client.get(f"/appointment-types/{uuid.uuid4()}")
            for name in ("Draft", "Gone"):
                hidden = await client.get(f"/appointment-types/{made[name]}")
                if name == "Draft" and person is harmony["Ida"]:
                    # Drafts are for those who are going to teach them, too.
                    assert hidden.status_code == 200
                else:
                    assert (hidden.status_code, hidden.content) == (404, nothing.content)
            for wish in ("unpublished", "archived"):
                assert (await client.get(f"/appointment-types?include={wish}")).status_code == refused
            assert (await client.get("/appointment-types?include=everything")).status_code == 400


async def test_only_admins_write_the_catalogue(asking: Asking, harmony: NewSchool) -> None:
    async with asking.as_(harmony["Clara"]) as admin:
        type_ = (await admin.post("/appointment-types", json=PIANO)).json()
        place = (await admin.post("/locations", json={"name": "Studio"})).json()
        writes = [
            ("POST", "/appointment-types", PIANO, 201),
            ("PATCH", f"/appointment-types/{type_['id']}", {"name": "Organ"}, 200),
            ("POST", f"/appointment-types/{type_['id']}/archival", None, 200),
            ("DELETE", f"/appointment-types/{type_['id']}/archival", None, 200),
            ("POST", "/locations", {"name": "Hall"}, 201),
            ("PATCH", f"/locations/{place['id']}", {"address": "Lindenstraße 1"}, 200),
            ("POST", f"/locations/{place['id']}/archival", None, 200),
            ("DELETE", f"/locations/{place['id']}/archival", None, 200),
            (
                "PUT",
                f"/instructors/{harmony['Ida'].id}/qualifications",
                {"appointment_type_ids": [type_["id"]]},
                200,
            ),
        ]

        async def state() -> list[Any]:
            query = "?include=archived"
            return [
                (await admin.get(path + query)).json()
                for path in (
                    "/appointment-types",
                    "/locations",
                    f"/instructors/{harmony['Ida'].id}/qualifications",
                )
            ]

        before = await state()
        for person, refused in ((None, 401), (harmony["Mia"], 403), (harmony["Ida"], 403)):
            async with asking.as_(person) as client:
                for method, path, body, _ in writes:
                    answer = await client.request(method, path, json=body)
                    assert answer.status_code == refused, (method, path, answer.text)
        assert await state() == before
        for method, path, body, expected in writes:
            answer = await admin.request(method, path, json=body)
            assert answer.status_code == expected, (method, path, answer.text)
        assert await state() != before


async def test_hours_are_read_by_staff_and_written_by_the_instructor_or_an_admin(
    asking: Asking, harmony: NewSchool
) -> None:
    path = f"/instructors/{harmony['Ida'].id}/weekly-hours"
    for person, read, write in (
        (None, 401, 401),
        (harmony["Mia"], 403, 403),
        (harmony["Tomás"], 200, 403),
        (harmony["Ida"], 200, 200),
        (harmony["Clara"], 200, 200),
    ):
        async with asking.as_(person) as client:
            assert (await client.get(path)).status_code == read
            assert (await client.put(path, json={"windows": [MORNING]})).status_code == write
    async with asking.as_(harmony["Ida"]) as client:
        assert (await client.get(path)).json() == {"windows": [{**MORNING, "location_id": None}]}
        overlap = {**MORNING, "starts_minute": 600}
        refused = await client.put(path, json={"windows": [MORNING, overlap]})
        assert refused.status_code == 422
        assert refused.json()["fields"] == {"monday": "Monday: 09:00–12:00 and 10:00–12:00 overlap."}
        assert (await client.put(path, json={"windows": [{**MORNING, "weekday": 8}]})).status_code == 400
        assert (await client.get(f"/instructors/{harmony['Mia'].id}/weekly-hours")).status_code == 409
        assert (await client.get(f"/instructors/{uuid.uuid4()}/weekly-hours")).status_code == 404


async def test_an_archived_location_is_hidden_from_the_public(asking: Asking, harmony: NewSchool) -> None:
    async with asking.as_(harmony["Clara"]) as admin:
        place = (await admin.post("/locations", json={"name": "Studio"})).json()
        async with asking.as_(None) as visitor:
            assert (await visitor.get("/locations")).json() == {"items": [place]}
            assert (await visitor.get(f"/locations/{place['id']}")).json() == place
            await admin.post(f"/locations/{place['id']}/archival")
            assert (await visitor.get("/locations")).json() == {"items": []}
            hidden = await visitor.get(f"/locations/{place['id']}")
            nothing = await visitor.get(f"/locations/{uuid.uuid4()}")
            assert (hidden.status_code, hidden.content) == (404, nothing.content)
            assert (await visitor.get("/locations?include=archived")).status_code == 401
        assert len((await admin.get("/locations?include=archived")).json()["items"]) == 1
        assert (await admin.get(f"/locations/{place['id']}")).status_code == 200


async def test_another_schools_ids_answer_byte_for_byte_like_random_ones(
    asking: Asking, harmony: NewSchool, stillwater: NewSchool
) -> None:
    async with Asking(stillwater).as_(stillwater["Noor"]) as their_admin:
        type_id = (await their_admin.post("/appointment-types", json=PIANO)).json()["id"]
        place_id = (await their_admin.post("/locations", json={"name": "Loft"})).json()["id"]
        routes: list[tuple[str, str, object, dict[str, object] | None]] = [
            ("GET", "/appointment-types/{}", type_id, None),
            ("PATCH", "/appointment-types/{}", type_id, {"name": "Mine"}),
            ("POST", "/appointment-types/{}/archival", type_id, None),
            ("DELETE", "/appointment-types/{}/archival", type_id, None),
            ("GET", "/locations/{}", place_id, None),
            ("PATCH", "/locations/{}", place_id, {"name": "Mine"}),
            ("POST", "/locations/{}/archival", place_id, None),
            ("DELETE", "/locations/{}/archival", place_id, None),
            ("GET", "/instructors/{}/weekly-hours", stillwater["Jun"].id, None),
            ("PUT", "/instructors/{}/weekly-hours", stillwater["Jun"].id, {"windows": [MORNING]}),
            ("GET", "/instructors/{}/qualifications", stillwater["Jun"].id, None),
            ("PUT", "/instructors/{}/qualifications", stillwater["Jun"].id, {"appointment_type_ids": []}),
        ]
        async with asking.as_(harmony["Clara"]) as admin:
            for method, path, id_, body in routes:
                foreign = await admin.request(method, path.format(id_), json=body)
                random = await admin.request(method, path.format(uuid.uuid4()), json=body)
                assert foreign.status_code == 404, (method, path, foreign.text)
                assert (foreign.content, foreign.headers) == (random.content, random.headers), (method, path)
                # Control: at home the same request is answered.
                assert (await their_admin.request(method, path.format(id_), json=body)).status_code == 200


async def test_fields_that_are_not_a_clients_to_set_are_refused(asking: Asking, harmony: NewSchool) -> None:
    async with asking.as_(harmony["Clara"]) as admin:
        for extra in ({"organization_id": str(uuid.uuid4())}, {"slug": "x"}, {"position": 0}):
            answer = await admin.post("/appointment-types", json={**PIANO, **extra})
            assert answer.status_code == 400, extra
            answer = await admin.post("/locations", json={"name": "Studio", **extra})
            assert answer.status_code == 400, extra
        for wrong in ({"duration_minutes": 0}, {"duration_minutes": -45}, {"duration_minutes": 10**9}):
            assert (await admin.post("/appointment-types", json={**PIANO, **wrong})).status_code == 400
        nul = await admin.post("/appointment-types", json={**PIANO, "name": "Pia\x00no"})
        assert (nul.status_code, list(nul.json()["fields"])) == (422, ["name"])
        assert (await admin.get("/appointment-types")).json() == {"items": []}
