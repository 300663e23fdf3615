"""How people want to read and be written to: what can be chosen, and who reads it."""

from __future__ import annotations

from typing import Any

import pytest

from coursecove.db.session import SYSTEM, Acting, Database
from coursecove.errors import Invalid
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import PreferencesUpdate, PreferencesView
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.serving import Loop

MIA, LEO, CLARA = "mia@example.com", "leo@example.com", "clara@harmony.example"


@pytest.fixture
def mia(client: ClientFor) -> Any:
    return client("musicschool", MIA)


def test_nobody_chose_anything_at_first(client: ClientFor) -> None:
    assert client("musicschool", LEO).get("/api/v1/me/preferences").json() == {
        "time_zone": None,
        "locale": None,
        "reminder_minutes": None,
        "clock_change_notices": True,
        "seen_time_zone": None,
    }


def test_what_is_left_out_stays_and_null_is_as_the_school_does_it(mia: Any) -> None:
    def change(**values: Any) -> dict[str, Any]:
        answer = mia.patch("/api/v1/me/preferences", json=values)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert change(time_zone="America/New_York", locale="de")["time_zone"] == "America/New_York"
    changed = change(reminder_minutes=[120, 1440, 120], clock_change_notices=False)
    assert changed == {
        "time_zone": "America/New_York",
        "locale": "de",
        "reminder_minutes": [1440, 120],
        "clock_change_notices": False,
        "seen_time_zone": None,
    }
    assert change(reminder_minutes=[])["reminder_minutes"] == []
    assert change(reminder_minutes=None, time_zone=None)["reminder_minutes"] is None
    assert mia.get("/api/v1/me/preferences").json()["locale"] == "de"


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"time_zone": "Mars/Olympus"}, {"time_zone": "Choose a time zone such as Europe/Berlin."}),
        ({"locale": "tlh"}, {"locale": "Choose one of these languages: English, Deutsch."}),
        (
            {"reminder_minutes": [7], "time_zone": ""},
            {
                "reminder_minutes": "Choose among 15 minutes, 30 minutes, 1 hour, 2 hours, 4 hours, 8 hours, "
                "24 hours, 2 days, 3 days and 7 days.",
                "time_zone": "Choose a time zone such as Europe/Berlin.",
            },
        ),
    ],
)
def test_every_field_that_cannot_be_is_named(mia: Any, values: dict[str, Any], fields: dict[str, str]) -> None:
    answer = mia.patch("/api/v1/me/preferences", json=values)
    assert (answer.status_code, answer.json()["fields"]) == (422, fields)


def test_a_fifth_reminder_is_too_much(mia: Any) -> None:
    answer = mia.patch("/api/v1/me/preferences", json={"reminder_minutes": [15, 30, 60, 120, 240]})
    assert "reminder_minutes" in answer.json()["fields"]


def test_others_at_the_school_do_not_read_them(loop: Loop, database: Database, musicschool: School) -> None:
    """An admin included.  Seen to fail with the policy `preferences_person` dropped."""
    mia, clara = musicschool.members[MIA], musicschool.members[CLARA]

    async def seen(acting: Acting) -> dict[Any, PreferencesView]:
        async with database.organization(musicschool.organization_id, acting=acting) as session:
            return await tenants.preferences_of(session, [mia])

    async def choose() -> None:
        own = Acting(member_id=str(mia), role="student")
        async with database.organization(musicschool.organization_id, acting=own) as session:
            by = await tenants.get_member(session, mia)
            await tenants.update_preferences(session, PreferencesUpdate(reminder_minutes=[60]), by=by)

    loop.run(choose())
    assert loop.run(seen(Acting(member_id=str(clara), role="admin"))) == {}
    assert loop.run(seen(SYSTEM))[mia].reminder_minutes == [60]


def test_the_zone_of_a_device_counts_until_one_is_chosen(
    loop: Loop, database: Database, musicschool: School
) -> None:
    leo = musicschool.members[LEO]

    async def work() -> list[str]:
        found = []
        async with database.organization(musicschool.organization_id, acting=SYSTEM) as session:
            by = await tenants.get_member(session, leo)

            async def zone() -> str:
                return tenants.reading_zone(await tenants.get_preferences(session, leo), "Europe/Berlin")

            found.append(await zone())
            await tenants.note_time_zone(session, "Nowhere", by=by)
            await tenants.note_time_zone(session, "Asia/Kolkata", by=by)
            found.append(await zone())
            await tenants.update_preferences(session, PreferencesUpdate(time_zone="Asia/Tokyo"), by=by)
            await tenants.note_time_zone(session, "Europe/Paris", by=by)
            found.append(await zone())
        return found

    assert loop.run(work()) == ["Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo"]


def test_the_school_says_when_people_are_reminded(client: ClientFor) -> None:
    clara = client("musicschool", CLARA)
    assert clara.get("/api/v1/organization").json()["reminder_minutes"] == [1440, 120]
    changed = clara.patch("/api/v1/organization", json={"reminder_minutes": [30, 2880]})
    assert changed.json()["reminder_minutes"] == [2880, 30]
    refused = clara.patch("/api/v1/organization", json={"reminder_minutes": [31]})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["reminder_minutes"])
    page = client("musicschool", CLARA, cookie=True)
    saved = page.post("/admin/school/policies", data={"reminder_minutes": ["1440", "120"]})
    assert saved.status_code == 303
    assert clara.get("/api/v1/organization").json()["reminder_minutes"] == [1440, 120]
    five = page.post("/admin/school/policies", data={"reminder_minutes": ["15", "30", "60", "120", "240"]})
    assert five.status_code == 422
    assert "Choose at most four." in five.text


def test_pages_are_read_in_the_zone_somebody_chose(client: ClientFor, mia: Any) -> None:
    """An online lesson's page names their time beside the school's; before, one clock was enough."""
    page = client("musicschool", MIA, cookie=True)

    def names_both() -> bool:
        return "your time" in page.get("/book/music-theory-online?with=anyone").text

    mia.patch("/api/v1/me/preferences", json={"time_zone": None})
    assert not names_both()
    mia.patch("/api/v1/me/preferences", json={"time_zone": "Asia/Kolkata"})
    assert names_both()
    mia.patch("/api/v1/me/preferences", json={"time_zone": None})


def test_a_struct_cannot_pass_what_a_form_cannot(loop: Loop, database: Database, musicschool: School) -> None:
    async def work() -> None:
        async with database.organization(musicschool.organization_id, acting=SYSTEM) as session:
            by = await tenants.get_member(session, musicschool.members[MIA])
            await tenants.update_preferences(
                session, PreferencesUpdate(reminder_minutes=[15, 30, 60, 120, 240]), by=by
            )

    with pytest.raises(Invalid):
        loop.run(work())
