"""From an empty school to its first booked lesson, led by the checklist of the overview."""

from __future__ import annotations

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from tests.conftest import ClientFor
from tests.portals.admin_pages import fields, fill_in, href_of, send
from tests.portals.reading import links, text_of, times_of

_BOOKED = ("bookings", "sessions")
_SET_UP = (
    "weekly_hours",
    "qualifications",
    "appointment_type_locations",
    "appointment_types",
    "locations",
    "instructor_profiles",
)


@pytest.fixture(scope="module")
def arjun(client: ClientFor, settings: Settings, postgres: EmbeddedPostgres) -> httpx.Client:
    """The admin of a school that has people, but nothing set up yet; its instructor has not come either."""
    database = settings.database_url.rpartition("/")[2]
    with psycopg.connect(postgres.superuser_url, dbname=database) as connection:
        row = connection.execute("select id from organizations where slug = 'tutoring'").fetchone()
        assert row is not None
        for table in (*_BOOKED, *_SET_UP):
            connection.execute(f"delete from {table} where organization_id = %s", [row[0]])
        connection.execute(
            "update members set removed_at = now() where organization_id = %s and role = 'instructor'", [row[0]]
        )
    return client("tutoring", "arjun@brightside.example", cookie=True)


def test_the_checklist_leads_from_an_empty_school_to_the_first_lesson(
    arjun: httpx.Client, client: ClientFor
) -> None:
    # The school says where it is already.
    assert "1 of 7" in text_of(arjun.get("/admin"))
    for path, words in (
        ("/admin/types", "No appointment types yet"),
        ("/admin/locations", "No locations yet"),
        ("/admin/bookings", "Nothing is booked"),
    ):
        assert words in text_of(arjun.get(path))

    where = href_of(arjun.get("/admin"), "Add a location")
    assert fill_in(arjun, where, name="Reading room").status_code == 303
    overview = arjun.get("/admin")
    assert "2 of 7" in text_of(overview)

    what = href_of(overview, "Create an appointment type")
    page = arjun.get(what)
    # With one place there is no choice to make.
    assert fields(page, what)["location_ids"] == ["reading-room"]
    assert fill_in(arjun, what, name="Chess", duration_minutes="60").status_code == 303
    overview = arjun.get("/admin")
    assert "3 of 7" in text_of(overview)
    assert href_of(overview, "Invite an instructor") == "/admin/people/invite?role=instructor"

    # The admin teaches it, too: there is nobody else yet.
    own = fields(arjun.get("/admin/types/chess"), "/admin/types/chess")
    handle = href_of(arjun.get("/admin/people"), "Arjun Mehta").rpartition("/")[2]
    assert send(arjun, "/admin/types/chess", own, instructor_ids=[handle]).status_code == 303
    overview = arjun.get("/admin")
    assert "4 of 7" in text_of(overview)

    hours = href_of(overview, "Set the hours of Arjun Mehta")
    week = {f"{part}-{day}": [value] for day in range(1, 8) for part, value in
            (("starts", "09:00"), ("ends", "17:00"), ("place", ""))}  # fmt: skip
    assert send(arjun, hours, week).status_code == 303
    overview = arjun.get("/admin")
    assert "5 of 7" in text_of(overview)
    assert "Nothing is booked. Students book on your school’s page" in text_of(overview)

    # It can be booked now: by a student, and here for one.
    assert times_of(client("tutoring", "sam@example.com", cookie=True).get("/book/chess"))
    students = arjun.get(href_of(overview, "Book for a student"))
    lessons = arjun.get(links(students, "student=sam-carter")[0])
    times = arjun.get(links(lessons, "type=chess")[0])
    confirm = arjun.get(times_of(times)[-1])
    # Not the forms that frame every page.
    content = confirm.text.partition("<main")[2]
    parts = content.split('method="post" action="')[1:]
    [action] = [part.split('"')[0].replace("&amp;", "&") for part in parts]
    assert send(arjun, action, fields(confirm, action)).status_code == 303

    done = text_of(arjun.get("/admin"))
    assert "of 6" not in done
    assert "From here to the first lesson" not in done
    assert "Sam Carter with Arjun Mehta" in done


def test_a_draft_is_to_be_published_and_somebody_to_be_named_for_it(arjun: httpx.Client) -> None:
    path = "/admin/types/chess"
    values = fields(arjun.get(path), path)
    assert send(arjun, path, values, published="no").status_code == 303
    overview = arjun.get("/admin")
    assert href_of(overview, "Publish a draft") == path
    assert "Choose who teaches" not in text_of(overview)
    assert send(arjun, path, values, published="no", instructor_ids=[]).status_code == 303
    assert href_of(arjun.get("/admin"), "Choose who teaches") == f"{path}#f-instructor_ids"


def test_a_school_that_was_just_founded_is_asked_where_it_is(arjun: httpx.Client) -> None:
    assert "Open the settings" not in text_of(arjun.get("/admin"))
    assert fill_in(arjun, "/admin/school", time_zone="UTC").status_code == 303
    assert href_of(arjun.get("/admin"), "Open the settings") == "/admin/school"
    assert fill_in(arjun, "/admin/school", time_zone="Asia/Kolkata").status_code == 303
    assert "Open the settings" not in text_of(arjun.get("/admin"))
