"""Lists as files: complete, narrowed like their pages, harmless to open, and the whole school in one."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from coursecove.portals.exports import EXPORTS
from coursecove.spreadsheets import read_table, write_table
from tests.conftest import ClientFor
from tests.factories.world import ENTER, School
from tests.portals.admin_pages import fill_in
from tests.portals.many import add_members, counted
from tests.portals.reading import RAW_ID, links, text_of

MARK = b"\xef\xbb\xbf"
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def rows_of(content: bytes) -> Rows:
    """Return the rows of a file as a spreadsheet program reads it."""
    assert content.startswith(MARK), "Excel takes it for something else than UTF-8"
    text = content.removeprefix(MARK).decode()
    assert "\r\n" in text
    return list(csv.DictReader(io.StringIO(text, newline="")))


def exported(client: httpx.Client, slug: str, query: Mapping[str, str] | None = None) -> Rows:
    answer = client.get(f"/admin/exports/{slug}.csv", params=query or {})
    assert answer.status_code == 200, text_of(answer)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="musicschool-{slug}-')
    return rows_of(answer.content)


@pytest.mark.parametrize("slug", sorted(EXPORTS))
def test_every_list_is_a_file_in_words(clara: httpx.Client, slug: str) -> None:
    answer = clara.get(f"/admin/exports/{slug}.csv")
    assert answer.status_code == 200
    text = answer.content.decode("utf-8-sig")
    assert text.splitlines()[0].count(",") == len(EXPORTS[slug].columns) - 1
    assert not RAW_ID.search(text)
    assert "None" not in text
    assert f"/admin/exports/{slug}.csv" in links(clara.get("/admin/exports"), "csv$")


def test_the_people_who_are_exported_are_those_the_list_shows(clara: httpx.Client) -> None:
    everybody = exported(clara, "people")
    assert {row["E-mail"] for row in everybody} >= {"clara@harmony.example", "mia@example.com"}
    assert "noor@stillwater.example" not in {row["E-mail"] for row in everybody}
    instructors = exported(clara, "people", {"role": "instructor", "order": "-name"})
    assert [row["First name"] for row in instructors] == ["Tomás", "Ida"]
    assert {row["Role"] for row in instructors} == {"Instructor"}
    assert exported(clara, "people", {"q": "nobody of that name"}) == []
    page = clara.get("/admin/people?role=instructor&q=ida")
    [href] = links(page, "^/admin/exports/people.csv")
    assert [row["First name"] for row in rows_of(clara.get(href).content)] == ["Ida"]


def test_the_lessons_that_are_exported_are_those_the_list_shows(clara: httpx.Client) -> None:
    coming, past = exported(clara, "lessons"), exported(clara, "lessons", {"show": "past"})
    together = exported(clara, "lessons", {"show": "all"})
    assert coming
    assert len(together) == len(coming) + len(past)
    one = coming[0]
    assert one["Status"] == "Confirmed"
    assert one["Time zone"] == "Europe/Berlin"
    assert len(one["Day"]) == len("2026-12-03")
    found = exported(clara, "lessons", {"q": one["Reference"], "show": "all"})
    assert found == [one]
    mias = exported(clara, "lessons", {"show": "all", "q": "mia"})
    assert {row["Student"] for row in mias} == {"Mia Okafor"}
    page = clara.get("/admin/bookings", params={"q": "mia", "show": "all"})
    [href] = links(page, "^/admin/exports/lessons.csv")
    assert rows_of(clara.get(href).content) == mias
    # What means nothing here narrows to nothing, as on the page.
    assert exported(clara, "lessons", {"instructor": "nobody-aaaaaaaa"}) == []


def test_types_locations_and_closures_follow_their_shelves(clara: httpx.Client) -> None:
    names = [row["Name"] for row in exported(clara, "types")]
    assert "Piano lesson" in names
    assert [row["Name"] for row in exported(clara, "types", {"q": "piano"})] == ["Piano lesson"]
    assert exported(clara, "types", {"show": "archived"}) == []
    assert {row["Name"] for row in exported(clara, "locations")} == {"Kreuzberg Hall", "Studio Linden"}
    assert exported(clara, "locations", {"show": "archived"}) == []
    assert [row["Name"] for row in exported(clara, "locations", {"q": "linden"})] == ["Studio Linden"]
    day = {"starts_on": ["2020-01-01"], "ends_on": ["2020-01-02"]}
    assert fill_in(clara, "/admin/closures/new", name=["New Year long ago"], **day).status_code == 303
    assert "New Year long ago" not in [row["Name"] for row in exported(clara, "closures")]
    [row] = exported(clara, "closures", {"show": "past"})
    assert row == {
        "Name": "New Year long ago",
        "First day": "2020-01-01",
        "Last day": "2020-01-02",
        "Every year": "no",
        "Where": "The whole school",
    }


def test_qualifications_say_who_may_teach_what(clara: httpx.Client) -> None:
    rows = exported(clara, "qualifications")
    assert {
        "Instructor": "Ida Berg",
        "Appointment type": "Violin lesson",
        "Last day": "",
        "Lapsed": "no",
    } in rows


def test_what_happened_is_exported_with_both_values(clara: httpx.Client) -> None:
    path = "/admin/locations/kreuzberg-hall"
    fill_in(clara, path, directions=["Left."])
    fill_in(clara, path, directions=["Right."])
    rows = exported(clara, "activity", {"kind": "places"})
    assert rows[0]["Who"] == "Clara Weiss"
    assert rows[0]["What happened"] == "Clara Weiss changed the location “Kreuzberg Hall”"
    assert (rows[0]["Field"], rows[0]["Before"], rows[0]["Now"]) == ("Directions", "Left.", "Right.")
    assert not [row for row in rows if "booked" in row["What happened"]]
    assert exported(clara, "activity", {"from": "2001-01-01", "until": "2001-01-02"}) == []


FORMULAS = ['=HYPERLINK("http://x")', "+1", "-2", "@SUM(A1)", "\tcmd", "\r=1"]


def test_no_cell_is_a_formula_and_the_text_comes_back_whole() -> None:
    """Without the apostrophe, a spreadsheet program runs what a student called themselves."""
    content = write_table(["name", "count"], [(cell, -5) for cell in FORMULAS])
    for row, cell in zip(rows_of(content), FORMULAS, strict=True):
        assert row["name"] == f"'{cell}"
        # A number is a number.
        assert row["count"] == "-5"
    table = read_table(content.decode("utf-8-sig"), {"name": ["name"], "count": ["count"]})
    assert [row.cells["name"] for row in table.rows][:4] == FORMULAS[:4]


def test_a_name_that_is_a_formula_is_harmless_in_the_file(
    clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(ENTER, [str(musicschool.organization_id)])
        connection.execute("update locations set name = '=1+1', address = '-3' where slug = 'kreuzberg-hall'")
    try:
        [row] = [row for row in exported(clara, "locations") if "1+1" in row["Name"]]
        assert (row["Name"], row["Address"]) == ("'=1+1", "'-3")
    finally:
        with psycopg.connect(settings.database_url) as connection:
            connection.execute(ENTER, [str(musicschool.organization_id)])
            connection.execute("update locations set name = 'Kreuzberg Hall' where slug = 'kreuzberg-hall'")


def test_families_series_waiting_lists_and_calendars_are_lists_too(
    clara: httpx.Client, client: ClientFor, musicschool: School
) -> None:
    """Seen to fail: of each there was a page, and no file."""
    mia, leo, school = client("musicschool", "mia@example.com"), client("musicschool", "leo@example.com"), clara
    desk = client("musicschool", "clara@harmony.example")
    assert mia.post("/api/v1/me/children", json={"given_name": "Ada", "birth_year": 2017}).status_code == 201
    family = {"Guardian": "Mia Okafor", "Guardian’s e-mail": "mia@example.com", "First name": "Ada"}
    [row] = exported(school, "families")
    assert row.items() >= family.items()
    assert (row["Last name"], row["Year of birth"], row["Left"]) == ("Okafor", "2017", "")

    teacher = str(musicschool.members["ida@harmony.example"])
    monday = datetime.now(UTC).date() + timedelta(days=21 - datetime.now(UTC).weekday())
    first = datetime.combine(monday, time(9), tzinfo=ZoneInfo("Europe/Berlin"))
    wanted = {
        "appointment_type_id": str(musicschool.types["Violin lesson"]),
        "instructor_id": teacher,
        "starts_at": first.isoformat(),
        "times": 2,
    }
    made = leo.post("/api/v1/series", json=wanted)
    assert made.status_code == 201, made.text
    [row] = exported(school, "series")
    assert (row["Student"], row["Weekday"], row["From"], row["Lessons"]) == (
        "Leo Lindqvist",
        "Monday",
        "09:00",
        "2",
    )
    assert row["References"].split() == [one["reference"] for one in made.json()["lessons"]]

    type_ = desk.post(
        "/api/v1/appointment-types",
        json={
            "name": "Choir of the files",
            "kind": "class",
            "capacity": 2,
            "duration_minutes": 60,
            "location_mode": "online",
            "instructor_ids": [teacher],
        },
    ).json()
    sunday = datetime.combine(monday + timedelta(days=6), time(10), tzinfo=ZoneInfo("Europe/Berlin"))
    held = desk.post(
        "/api/v1/classes",
        json={
            "appointment_type_id": type_["id"],
            "instructor_id": teacher,
            "starts_at": [sunday.isoformat()],
            "capacity": 1,
            "override_rules": True,
        },
    ).json()["items"][0]
    seat = {"appointment_type_id": type_["id"], "starts_at": sunday.isoformat(), "session_id": held["id"]}
    assert mia.post("/api/v1/bookings", json=seat).status_code == 201
    assert leo.post("/api/v1/waitlist-entries", json={"session_id": held["id"]}).status_code == 201
    [row] = exported(school, "waiting-lists")
    assert (row["Lesson"], row["Day"], row["From"]) == (
        "Choir of the files",
        sunday.date().isoformat(),
        "10:00",
    )
    assert (row["Student"], row["Status"], row["Place in line"]) == ("Leo Lindqvist", "Waiting", "1")

    opened = leo.post("/api/v1/calendar-feeds", json={"kind": "student"}).json()
    [row] = exported(school, "calendar-feeds")
    assert (row["Calendar"], row["Person"], row["Ended on"]) == ("Somebody’s own lessons", "Leo Lindqvist", "")
    secret = opened["url"].rpartition("/")[2].removesuffix(".ics")
    answer = clara.get("/admin/exports/calendar-feeds.csv").text
    assert secret not in answer
    assert hashlib.sha256(secret.encode()).hexdigest() not in answer
    leo.delete(f"/api/v1/calendar-feeds/{opened['feed']['id']}")
    [row] = exported(school, "calendar-feeds")
    assert row["Ended on"]


def test_hours_that_were_exported_can_be_imported(clara: httpx.Client) -> None:
    before = exported(clara, "hours")
    assert {"Ida Berg", "Tomás Rey"} <= {row["Instructor"] for row in before}
    content = clara.get("/admin/exports/hours.csv").content
    uploaded = clara.post("/admin/imports/hours", files={"file": ("hours.csv", content, "text/csv")})
    assert uploaded.headers["location"] == "/admin/imports/hours/review"
    review = clara.get("/admin/imports/hours/review")
    assert "cannot be taken over" not in text_of(review)
    assert clara.post("/admin/imports/hours/review", data={"_": ""}).status_code == 400
    assert clara.post("/admin/imports/hours/review").status_code == 303
    assert exported(clara, "hours") == before


def test_the_whole_school_is_one_file_with_everything_that_is_over(clara: httpx.Client) -> None:
    answer = clara.get("/admin/exports/school.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert {name.removesuffix(".csv") for name in archive.namelist()} == set(EXPORTS)
        files = {name.removesuffix(".csv"): rows_of(archive.read(name)) for name in archive.namelist()}
    assert "New Year long ago" in {row["Name"] for row in files["closures"]}
    assert len(files["lessons"]) == len(exported(clara, "lessons", {"show": "all"}))
    assert {"Setting": "Subdomain", "Value": "musicschool"} in files["settings"]
    # Nothing of the other school, whose people are in the same tables.
    assert "stillwater" not in answer.content.decode("latin-1").casefold()
    assert not any("Noor" in str(rows) for rows in files.values())


def test_five_thousand_people_are_written_page_by_page(
    clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    few, _ = counted(lambda: clara.get("/admin/exports/people.csv", params={"q": "matrix"}))
    add_members(settings, musicschool, 5_000)
    many, answer = counted(lambda: clara.get("/admin/exports/people.csv", params={"q": "matrix"}))
    rows = rows_of(answer.content)
    assert len(rows) == 5_000
    assert len({row["E-mail"] for row in rows}) == 5_000
    # Two queries a page of 200, and nothing for any single row; a connection may be tried first.
    assert many - few <= 2 * (5_000 // 200) + 2


def test_other_files_do_not_exist(clara: httpx.Client) -> None:
    for name in ("nothing.csv", "people", "people.xlsx", "people.csv.csv", "school.csv", ".csv", "%00.csv"):
        assert clara.get(f"/admin/exports/{name}").status_code in (400, 404), name
