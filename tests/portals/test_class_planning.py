"""Classes on the calendar: put there once or weekly, listed with their seats, cancelled as a whole."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.admin_pages import fields, href_of, message_at, send
from tests.portals.reading import RAW_ID, a_later_day, links, text_of
from tests.portals.taught import inside, put

ADMIN_NEW = "/admin/classes/new?type=choir"
TEACH_NEW = "/teach/classes/new?type=choir"


@pytest.fixture(scope="module")
def choir(client: ClientFor, musicschool: School) -> str:
    """A class that Ida and Tomás give at both places, three seats; the id of its type."""
    admin = client("musicschool", "clara@harmony.example")
    made = admin.post(
        "/api/v1/appointment-types",
        json={
            "name": "Choir",
            "kind": "class",
            "capacity": 3,
            "duration_minutes": 60,
            "location_ids": [str(id_) for id_ in musicschool.locations.values()],
            "instructor_ids": [
                str(musicschool.members[email]) for email in ("ida@harmony.example", "tomas@harmony.example")
            ],
            "published": True,
        },
    )
    assert made.status_code == 201, made.text
    musicschool.types["Choir"] = made.json()["id"]
    return str(made.json()["id"])


@pytest.fixture(scope="module")
def clara(client: ClientFor, choir: str) -> httpx.Client:
    del choir
    return client("musicschool", "clara@harmony.example", cookie=True)


@pytest.fixture(scope="module")
def ida(client: ClientFor, choir: str) -> httpx.Client:
    del choir
    return client("musicschool", "ida@harmony.example", cookie=True)


def short(day: str) -> str:
    """Return a day as lists write it: "Tue 4 Mar"."""
    return f"{date.fromisoformat(day):%a %-d %b}"


def at(day: str, hour: int) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(hour), tzinfo=ZoneInfo("Europe/Berlin")).astimezone(
        UTC
    )


def ask(client: httpx.Client, path: str, **changes: str | list[str]) -> httpx.Response:
    page = client.get(path)
    assert page.status_code == 200, page.status_code
    return send(client, path, fields(page, path.replace("&", "&amp;")), **changes)


def test_an_instructor_puts_a_class_on_the_calendar_and_sees_it_in_the_list(ida: httpx.Client) -> None:
    listed = ida.get("/teach/classes")
    assert "No class in these weeks" in text_of(listed)
    page = ida.get(href_of(listed, "Put a class on the calendar"))
    # Ida gives it herself: there is nobody to choose.
    assert fields(page, TEACH_NEW)["with"] == ["ida-berg"]
    day = a_later_day(weekday=2)
    answer = ask(ida, TEACH_NEW, place="studio-linden", day=day, time="14:00")
    assert answer.status_code == 303, text_of(answer)
    shown = text_of(ida.get(answer.headers["location"]))
    assert f"{date.fromisoformat(day):%A %-d %B}" in shown
    assert "14:00–15:00" in shown
    assert "0 of 3 seats" in shown
    rows = ida.get("/teach/classes")
    assert answer.headers["location"] in links(rows, "^/teach/classes/choir")
    assert not RAW_ID.search(rows.text)


def test_a_weekly_class_keeps_its_time_and_the_list_pages_by_weeks(clara: httpx.Client) -> None:
    answer = ask(
        clara,
        ADMIN_NEW,
        **{"with": "ida-berg"},
        place="studio-linden",
        day=a_later_day(weekday=3),
        time="10:00",
        every="1",
        times="6",
    )
    assert answer.status_code == 303, text_of(answer)
    page = clara.get(answer.headers["location"])
    assert len(links(page, "^/admin/classes/choir-")) == 4
    later = clara.get(links(page, r"^/admin/classes\?.*from=")[1])
    assert text_of(later).count("10:00–11:00") == 2
    assert len(links(later, "^/admin/classes/choir-")) == 2


def test_several_days_of_a_week_are_typed_as_rows(ida: httpx.Client) -> None:
    tuesday, wednesday = a_later_day(weekday=2, weeks=9), a_later_day(weekday=3, weeks=9)
    page = ask(ida, TEACH_NEW, place="studio-linden", day=tuesday, time="14:00", add="yes")
    assert fields(page, TEACH_NEW)["day"] == [tuesday, ""]
    values = fields(page, TEACH_NEW)
    answer = send(
        ida, TEACH_NEW, values, day=[tuesday, wednesday], time=["14:00", "15:00"], every="2", times="2"
    )
    assert answer.status_code == 303, text_of(answer)
    rows = ida.get(f"/teach/classes?from={tuesday}")
    later = [a_later_day(weekday=day, weeks=11) for day in (2, 3)]
    assert [short(day) in text_of(rows) for day in (tuesday, wednesday, *later)] == [True] * 4


def test_times_that_cannot_be_are_named_and_can_be_left_out(
    clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    first, second, third = (a_later_day(weekday=2, weeks=weeks) for weeks in (15, 16, 17))
    with inside(settings, musicschool) as connection:
        put(
            connection,
            musicschool,
            at(second, 14),
            teacher="ida@harmony.example",
            students=["mia@example.com"],
            type_name="Violin lesson",
            location="Studio Linden",
        )
    chosen = {
        "with": "ida-berg",
        "place": "studio-linden",
        "day": first,
        "time": "14:00",
        "every": "1",
        "times": "3",
    }
    refused = ask(clara, ADMIN_NEW, **chosen)
    assert refused.status_code == 409
    said = text_of(refused)
    assert "1 of 3 times does not work" in said
    assert short(second) in said
    assert "The instructor has another lesson then." in said
    # An overlap cannot be passed by anybody.
    assert "anyway" not in said
    assert "No class in these weeks" in text_of(clara.get(f"/admin/classes?from={first}"))
    values = fields(refused, ADMIN_NEW)
    assert values["time"] == ["14:00"]
    taken = send(clara, ADMIN_NEW, values, leave_out="yes")
    assert taken.status_code == 303, text_of(taken)
    rows = text_of(clara.get(f"/admin/classes?from={first}"))
    assert short(first) in rows
    assert short(third) in rows
    assert short(second) not in rows


def test_rules_are_passed_knowingly_and_that_is_recorded(
    clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    chosen = {
        "with": "ida-berg",
        "place": "studio-linden",
        "day": a_later_day(weekday=7, weeks=4),
        "time": "22:00",
    }
    refused = ask(clara, ADMIN_NEW, **chosen)
    assert refused.status_code == 409
    assert "outside the hours" in text_of(refused)
    assert "recorded with your name" in text_of(refused)
    answer = send(clara, ADMIN_NEW, fields(refused, ADMIN_NEW), override="yes")
    assert answer.status_code == 303, text_of(answer)
    with inside(settings, musicschool) as connection:
        [(overridden, actor)] = connection.execute(
            "select data -> 'rules_overridden', actor_id from events where action = 'class.scheduled' "
            "order by created_at desc, id desc limit 1"
        ).fetchall()
    assert (overridden, actor) == (True, musicschool.members["clara@harmony.example"])


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"with": ""}, "with", "Choose who gives the class."),
        ({"place": ""}, "place", "Choose where the class is."),
        ({"every": "1", "times": ""}, "times", "Say how many times it takes place in all."),
        ({"every": "1", "times": "61"}, "times", "Enter 1 to 60."),
        ({"seats": "0"}, "seats", "Enter 1 to 1,000 seats."),
        ({"seats": "many"}, "seats", "Enter a whole number."),
        ({"day": "", "time": ""}, "starts", "Choose a day and a time."),
        ({"day": "2031-02-30"}, "starts", "Please look at the marked days again."),
        ({"day": "2020-01-01"}, "starts", "This time has passed."),
        ({"room": "attic.nowhere"}, "room", "Choose a room of the place where the class is."),
    ],
)
def test_a_wrong_value_is_said_beside_its_field_and_nothing_typed_is_lost(
    clara: httpx.Client, change: dict[str, str], field: str, message: str
) -> None:
    chosen = {
        "with": "ida-berg",
        "place": "studio-linden",
        "day": a_later_day(weekday=2, weeks=20),
        "time": "12:00",
        **change,
    }
    answer = ask(clara, ADMIN_NEW, **chosen)
    assert answer.status_code == 422
    assert message in text_of(answer)
    if field != "room":
        assert message_at(answer, field) == message
    kept = fields(answer, ADMIN_NEW)
    assert kept["time"] == [chosen["time"]]
    assert kept["seats"] == [change.get("seats", "")]


def test_instructors_plan_their_own_classes_only(client: ClientFor, ida: httpx.Client) -> None:
    """The form knows nobody else; that the verb refuses as well is for tests/bookings/test_classes.py."""
    forged = ask(
        ida,
        TEACH_NEW,
        **{"with": "tomas-rey"},
        place="studio-linden",
        day=a_later_day(weekday=2, weeks=20),
        time="12:00",
    )
    assert forged.status_code == 422
    assert "Choose who gives the class." in text_of(forged)
    student = client("musicschool", "mia@example.com", cookie=True)
    assert student.get("/teach/classes/new").status_code == 403
    assert ida.get("/admin/classes/new").status_code == 403
    assert ida.get("/teach/classes/new?type=piano-lesson").status_code == 404


def test_seats_are_seen_by_their_staff_and_the_class_is_cancelled_for_everybody(
    client: ClientFor, clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    day = a_later_day(weekday=1, weeks=22)
    with inside(settings, musicschool) as connection:
        made = put(
            connection,
            musicschool,
            at(day, 10),
            teacher="ida@harmony.example",
            students=["mia@example.com", "leo@example.com"],
            type_name="Choir",
            location="Studio Linden",
            capacity=3,
            scheduled=True,
        )
    path = f"/admin/classes/{made.handle('Choir')}"
    page = clara.get(path)
    said = text_of(page)
    assert "2 of 3 seats" in said
    assert "Mia Okafor" in said
    assert "Leo Lindqvist" in said
    assert links(page, f"^/admin/bookings/{made.references['mia@example.com']}$")
    booking = clara.get(href_of(page, "Book a seat for a student"))
    assert booking.status_code == 200
    tomas = client("musicschool", "tomas@harmony.example", cookie=True)
    other = path.replace("/admin/", "/teach/")
    assert tomas.get(other).status_code == 404
    assert tomas.post(f"{other}/cancel").status_code == 404
    too_long = send(clara, f"{path}/cancel", reason="x" * 501)
    assert too_long.status_code == 422
    assert "x" * 501 in too_long.text
    answer = send(clara, f"{path}/cancel", reason="The hall is flooded.")
    assert answer.status_code == 303
    assert "This class is cancelled" in text_of(clara.get(path))
    student = client("musicschool", "mia@example.com", cookie=True)
    lesson = text_of(student.get(f"/lessons/{made.references['mia@example.com']}"))
    assert "The hall is flooded." in lesson
    listed = f"/admin/classes?from={day}"
    assert path not in links(clara.get(listed), "^/admin/classes/")
    assert path in links(clara.get(f"{listed}&status=cancelled"), "^/admin/classes/")


def test_a_seat_of_a_class_is_booked_for_a_student_from_its_page(
    clara: httpx.Client, client: ClientFor, settings: Settings, musicschool: School
) -> None:
    with inside(settings, musicschool) as connection:
        made = put(
            connection,
            musicschool,
            at(a_later_day(weekday=1, weeks=3), 10),
            teacher="ida@harmony.example",
            students=[],
            type_name="Choir",
            location="Studio Linden",
            capacity=3,
            scheduled=True,
        )
    page = clara.get(f"/admin/classes/{made.handle('Choir')}")
    students = clara.get(href_of(page, "Book a seat for a student"))
    confirm = clara.get(links(students, "student=priya")[0])
    assert "Booking for Priya Nair" in text_of(confirm), text_of(confirm)
    [action] = [
        part.split('"')[0].replace("&amp;", "&")
        for part in confirm.text.split('action="')[1:]
        if part.startswith("/admin/bookings/new")
    ]
    answer = send(clara, action, fields(confirm, action.replace("&", "&amp;")) or fields(confirm, action))
    assert answer.status_code == 303, text_of(answer)
    assert "Priya Nair" in text_of(clara.get(f"/admin/classes/{made.handle('Choir')}"))


def test_a_class_that_is_over_is_not_cancelled_any_more(
    ida: httpx.Client, settings: Settings, musicschool: School
) -> None:
    over = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)
    with inside(settings, musicschool) as connection:
        made = put(
            connection,
            musicschool,
            over,
            teacher="ida@harmony.example",
            students=["mia@example.com"],
            type_name="Choir",
            location="Studio Linden",
            capacity=3,
            scheduled=True,
        )
    path = f"/teach/classes/{made.handle('Choir')}"
    refused = send(ida, f"{path}/cancel", reason="Late")
    assert refused.status_code == 409
    assert "This class is over." in text_of(refused)
    # Whoever asks when it is over is shown the class instead.
    assert ida.get(f"{path}/cancel").headers["location"] == path


def test_who_waits_for_a_seat_is_told_to_its_staff_only(
    client: ClientFor, ida: httpx.Client, settings: Settings, musicschool: School
) -> None:
    with inside(settings, musicschool) as connection:
        full = put(
            connection,
            musicschool,
            at(a_later_day(weekday=1, weeks=6), 10),
            teacher="ida@harmony.example",
            students=["mia@example.com", "leo@example.com"],
            type_name="Choir",
            location="Studio Linden",
            capacity=2,
            scheduled=True,
        )
    path = f"/teach/classes/{full.handle('Choir')}"
    assert "Waiting for a seat" not in text_of(ida.get(path))
    joined = client("musicschool", "priya@example.com").post(
        "/api/v1/waitlist-entries", json={"session_id": str(full.session_id)}
    )
    assert joined.status_code == 201, joined.text
    said = text_of(ida.get(path))
    assert "Waiting for a seat" in said
    assert "Priya Nair" in said
    assert client("musicschool", "tomas@harmony.example", cookie=True).get(path).status_code == 404
    assert client("musicschool", "mia@example.com", cookie=True).get(path).status_code == 403
