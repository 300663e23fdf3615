"""Today in the teaching portal: what is next, who comes with what, what waits, and noting who came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.counting import statements
from tests.factories.world import School
from tests.portals.admin_pages import fields, message_at, send
from tests.portals.reading import RAW_ID, links, text_of
from tests.portals.taught import Put, inside, put, write

IDA, TOMAS, MIA, LEO = "ida@harmony.example", "tomas@harmony.example", "mia@example.com", "leo@example.com"
BERLIN = ZoneInfo("Europe/Berlin")


def today_at(minutes_from_now: int) -> datetime:
    """An instant near now, but on this day of the school: midnight is never crossed."""
    now = datetime.now(BERLIN).replace(second=0, microsecond=0)
    midnight = now.replace(hour=0, minute=0)
    wanted = now + timedelta(minutes=minutes_from_now)
    return min(max(wanted, midnight), midnight + timedelta(hours=23, minutes=59)).astimezone(UTC)


@dataclass(frozen=True)
class Day:
    """What is put on Ida's day."""

    begun: Put
    band: Put
    asked: Put
    before: Put


@pytest.fixture(scope="module")
def day(settings: Settings, musicschool: School, client: ClientFor) -> Day:
    """A lesson that has begun, a class that has, a request for tomorrow, and the lesson before."""
    admin = client("musicschool", "clara@harmony.example")
    made = admin.post(
        "/api/v1/appointment-types",
        json={
            "name": "Band",
            "kind": "class",
            "capacity": 4,
            "duration_minutes": 30,
            "location_mode": "online",
            "instructor_ids": [str(musicschool.members[IDA]), str(musicschool.members[TOMAS])],
            "published": True,
        },
    )
    assert made.status_code == 201, made.text
    musicschool.types["Band"] = made.json()["id"]
    with inside(settings, musicschool) as connection:

        def lesson(at: datetime, name: str, *students: str, **more: object) -> Put:
            values = {"teacher": IDA, "students": students, "type_name": name, **more}
            return put(connection, musicschool, at, **values)  # type: ignore[arg-type]

        before = lesson(datetime.now(UTC) - timedelta(days=7), "Piano lesson", MIA, location="Studio Linden")
        write(connection, musicschool, before.reference, "Bars 13 to 15 are still rough.", author=IDA)
        begun = lesson(
            today_at(-8),
            "Piano lesson",
            MIA,
            location="Studio Linden",
            note="I broke a nail.",
            answers={"Which piece?": "Gymnopédie 1"},
            minutes=5,
        )
        band = lesson(today_at(-2), "Band", MIA, LEO, capacity=4, scheduled=True, minutes=30)
        soon = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=2)
        asked = lesson(soon, "Violin lesson", LEO, location="Studio Linden", pending=True)
    return Day(begun, band, asked, before)


@pytest.fixture
def ida(client: ClientFor, day: Day) -> httpx.Client:
    del day
    return client("musicschool", IDA, cookie=True)


def test_a_lesson_of_today_shows_all_one_needs_for_it(ida: httpx.Client, day: Day) -> None:
    page = ida.get("/teach")
    said = text_of(page)
    assert "Mia Okafor" in said
    assert "I broke a nail." in said
    assert "Which piece?" in said
    assert "Gymnopédie 1" in said
    assert f"/teach/lessons/{day.begun.reference}" in links(page, "^/teach/lessons/")
    assert "2 of 4 seats" in said
    assert links(page, f"^/teach/classes/{day.band.handle('Band')}")
    assert not RAW_ID.search(page.text)


def test_the_lesson_before_is_on_the_page_of_the_next(ida: httpx.Client, day: Day) -> None:
    page = ida.get(f"/teach/lessons/{day.begun.reference}")
    assert "Bars 13 to 15 are still rough." in text_of(page)
    assert f"/teach/lessons/{day.before.reference}" in links(page, "^/teach/lessons/")


def test_a_colleague_sees_none_of_it(client: ClientFor, day: Day) -> None:
    page = client("musicschool", TOMAS, cookie=True).get("/teach")
    assert "Mia Okafor" not in text_of(page)
    assert not links(page, f"{day.begun.reference}|{day.asked.reference}")


def test_who_came_is_noted_with_one_button_and_the_same_takes_it_back(
    ida: httpx.Client, client: ClientFor, day: Day
) -> None:
    path = f"/teach/lessons/{day.begun.reference}"
    back = f"/teach#lesson-{day.begun.reference}"
    for expected in ("Late", None):
        answer = send(ida, f"{path}/attendance", attendance="late", return_to=back)
        assert (answer.status_code, answer.headers["location"]) == (303, back)
        pressed = ida.get(path).text.count('aria-pressed="true"')
        assert pressed == (1 if expected else 0)
    send(ida, f"{path}/attendance", attendance="absent")
    student = text_of(client("musicschool", MIA, cookie=True).get(f"/lessons/{day.begun.reference}"))
    assert "Absent" in student


def test_a_foreign_address_to_go_back_to_is_not_followed(ida: httpx.Client, day: Day) -> None:
    path = f"/teach/lessons/{day.begun.reference}"
    for evil in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        answer = send(ida, f"{path}/attendance", attendance="present", return_to=evil)
        assert answer.headers["location"] == path


def test_attendance_before_the_start_is_refused_in_words(ida: httpx.Client, day: Day) -> None:
    path = f"/teach/lessons/{day.asked.reference}"
    answer = send(ida, f"{path}/attendance", attendance="present")
    assert answer.status_code == 409
    assert "That did not work" in text_of(answer)


def test_a_class_is_noted_seat_by_seat_or_all_at_once(
    ida: httpx.Client, client: ClientFor, day: Day, settings: Settings, musicschool: School
) -> None:
    path = f"/teach/classes/{day.band.handle('Band')}"

    def noted() -> dict[str, str | None]:
        with inside(settings, musicschool) as connection:
            rows = connection.execute(
                "select m.email, b.attendance from bookings b join members m on m.id = b.student_id "
                "where b.session_id = %s",
                [day.band.session_id],
            ).fetchall()
        return dict(rows)

    page = ida.get(path)
    assert "Who came" in text_of(page)
    values = fields(page, f"{path}/attendance")
    refs = day.band.references
    answer = send(
        ida, f"{path}/attendance", {**values, "seat": [refs[LEO], refs[MIA]], "came": ["excused", ""]}
    )
    assert answer.status_code == 303
    assert noted() == {LEO: "excused", MIA: None}
    # All others came: what is noted stays.
    assert send(ida, f"{path}/attendance", everybody="present").status_code == 303
    assert noted() == {LEO: "excused", MIA: "present"}
    for who, status in ((TOMAS, 404), (MIA, 403)):
        forged = client("musicschool", who, cookie=True).post(
            f"{path}/attendance", data={"seat": refs[MIA], "came": "absent"}
        )
        assert forged.status_code == status
    assert noted()[MIA] == "present"


def test_a_request_is_confirmed_from_today_and_another_declined_with_a_reason(
    ida: httpx.Client, client: ClientFor, day: Day
) -> None:
    page = ida.get("/teach")
    assert "Waiting for your answer" in text_of(page)
    path = f"/teach/lessons/{day.asked.reference}"
    assert links(page, f"^{path}/decline")
    tomas = client("musicschool", TOMAS, cookie=True)
    assert tomas.post(f"{path}/approve").status_code == 404
    long = send(ida, f"{path}/decline", reason="x" * 501)
    assert long.status_code == 422
    assert message_at(long, "reason")
    assert "x" * 501 in long.text
    answer = send(ida, f"{path}/approve", return_to="/teach")
    assert answer.headers["location"] == "/teach"
    assert "Waiting for your answer" not in text_of(ida.get("/teach"))
    late = send(ida, f"{path}/decline", reason="Too late")
    assert late.status_code == 409
    student = text_of(client("musicschool", LEO, cookie=True).get(f"/lessons/{day.asked.reference}"))
    assert "Declined" not in student


def test_the_day_takes_as_many_reads_however_full_it_is(
    ida: httpx.Client, settings: Settings, musicschool: School, day: Day
) -> None:
    del day

    def reads(path: str) -> int:
        # What is remembered for some seconds is looked up anew now and then.
        counts = []
        for _ in range(3):
            with statements() as sent:
                assert ida.get(path).status_code == 200
            counts.append(len(sent))
        return min(counts)

    few, few_in_week = reads("/teach"), reads("/teach/week")
    with inside(settings, musicschool) as connection:
        for number in range(12):
            put(
                connection,
                musicschool,
                today_at(0).astimezone(BERLIN).replace(hour=0, minute=0).astimezone(UTC)
                + timedelta(minutes=number),
                teacher=IDA,
                students=[MIA if number % 2 else LEO],
                type_name="Music theory online",
                minutes=1,
            )
    assert (reads("/teach"), reads("/teach/week")) == (few, few_in_week)
