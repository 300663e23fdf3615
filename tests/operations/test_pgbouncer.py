"""The same promises through pgbouncer in transaction mode, where every transaction may meet another connection.

Skipped where there is no pgbouncer: `apt-get install pgbouncer`, and it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from sqlalchemy import text

from coursecove.app import create_app
from coursecove.config import Settings
from coursecove.db.session import SYSTEM, Database
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.tenants import service as tenants
from tests.factories.world import School, token_for
from tests.isolation.test_session_variable import _interleave
from tests.operations.bouncer import PROGRAM, bouncing
from tests.serving import Loop, free_port, serving

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
UNITS = 1200
MIA = "mia@example.com"


@pytest.fixture(scope="module")
def behind(settings: Settings) -> Iterator[Settings]:
    # Not pytest's folder, which nobody else may enter: pgbouncer refuses to run as root.
    with (
        TemporaryDirectory(prefix="coursecove-pgbouncer-") as folder,
        bouncing(settings, Path(folder)) as behind,
    ):
        yield behind


def test_interleaved_units_of_work_never_meet_another_school(
    behind: Settings, loop: Loop, musicschool: School, yoga: School
) -> None:
    """Twelve at once share four connections of the server, half of them failing, raising or cancelled."""

    async def made() -> Database:
        return Database(behind, pool_size=12, platform_pool_size=2)

    database = loop.run(made())
    scopes = [musicschool.organization_id, yoga.organization_id, None]
    ends = loop.run(_interleave(database, scopes, UNITS), timeout=110)
    assert len(ends) == UNITS
    assert set(Counter(ends)) == {"commits", "raises", "fails", "cancelled"}

    async def residue() -> list[str]:
        found = []
        for _ in range(12):
            async with database._app.connect() as connection:
                setting = text("select coalesce(current_setting('app.organization_id', true), '')")
                found.append(str(await connection.scalar(setting)))
        return found

    assert set(loop.run(residue())) == {""}
    loop.run(database.close())


def test_reading_together_stays_in_its_school(behind: Settings, loop: Loop, yoga: School) -> None:
    """One message without a transaction around it is one transaction to pgbouncer as well."""
    members = set(yoga.members.values())

    async def work() -> list[list[str]]:
        database = Database(behind, pool_size=8)
        try:
            found = []
            for _ in range(50):
                async with database.organization(yoga.organization_id, acting=SYSTEM) as session:
                    teachers = await tenants.instructors_by_id(session, members)
                    found.append([view.name for view in teachers.values()])
                async with database.outside() as session:
                    assert await tenants.instructors_by_id(session, members) == {}
            return found
        finally:
            await database.close()

    found = loop.run(work())
    assert all(names == found[0] for names in found)
    assert found[0]


def test_fifty_race_for_one_lesson_and_one_gets_it(
    behind: Settings, stand_in: ClerkStandIn, musicschool: School
) -> None:
    """The whole application, behind pgbouncer: reads, the booking, its event, and forty-nine answers of 409."""
    port = free_port()
    settings = replace(behind, port=port, public_port=port)
    token = token_for(stand_in, settings, MIA, "musicschool")
    headers = {"Host": settings.origin("musicschool").partition("://")[2], "Authorization": f"Bearer {token}"}
    with (
        serving(create_app(settings), port) as address,
        httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as http,
    ):
        type_id = str(next(iter(musicschool.types.values())))
        offered = http.get("/api/v1/availability", params={"appointment_type_id": type_id}).json()["items"]
        slot = offered[-1]
        body = {
            "appointment_type_id": type_id,
            "instructor_id": slot["instructors"][0]["id"],
            "location_id": slot["location"]["id"] if slot["location"] else None,
            "starts_at": slot["starts_at"],
        }

        def book(_number: int) -> int:
            return http.post("/api/v1/bookings", json=body).status_code

        with ThreadPoolExecutor(16) as racers:
            answers = Counter(racers.map(book, range(50)))
    assert answers == {201: 1, 409: 49}
