"""The calendar of the school: the same lessons by day, week, month and list, as far as the address asks."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.counting import statements
from tests.factories.world import School
from tests.portals.admin_pages import href_of
from tests.portals.reading import RAW_ID, a_later_day, fields_of, links, text_of
from tests.portals.taught import Put, inside, put

IDA, TOMAS = "ida@harmony.example", "tomas@harmony.example"
# Far from everything the demo's world holds.
TUESDAY = a_later_day(weekday=2, weeks=12)
PATH = f"/admin/calendar?on={TUESDAY}"


def at(day: str, hour: int) -> datetime:
    here = datetime.fromisoformat(f"{day}T{hour:02}:00:00")
    return here.replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


@pytest.fixture(scope="module")
def lessons(settings: Settings, musicschool: School) -> dict[str, Put]:
    """Four lessons of one Tuesday: of both instructors, one of them a request, one cancelled."""
    with inside(settings, musicschool) as connection:
        room = connection.execute(
            "insert into rooms (organization_id, location_id, name) values (%s, %s, 'Red room') returning id",
            [musicschool.organization_id, musicschool.locations["Studio Linden"]],
        ).fetchone()
        assert room is not None

        def lesson(hour: int, teacher: str, who: str, name: str, place: str, *, pending: bool = False) -> Put:
            return put(
                connection,
                musicschool,
                at(TUESDAY, hour),
                teacher=teacher,
                students=[who],
                type_name=name,
                location=place,
                pending=pending,
            )

        made = {
            "piano": lesson(9, IDA, "mia@example.com", "Piano lesson", "Studio Linden"),
            "guitar": lesson(13, TOMAS, "leo@example.com", "Guitar lesson", "Kreuzberg Hall"),
            "asked": lesson(15, IDA, "priya@example.com", "Violin lesson", "Studio Linden", pending=True),
            "gone": lesson(17, TOMAS, "priya@example.com", "Piano lesson", "Kreuzberg Hall"),
        }
        connection.execute(
            "update sessions set room_id = %s where id = %s", [room[0], made["piano"].session_id]
        )
        connection.execute(
            "update bookings set cancelled_at = now(), cancelled_by_id = student_id where reference = %s",
            [made["gone"].reference],
        )
        connection.execute(
            "update sessions set cancelled_at = now(), seats_taken = 0 where id = %s", [made["gone"].session_id]
        )
    return made


@pytest.fixture
def found(clara: httpx.Client, lessons: dict[str, Put]):  # type: ignore[no-untyped-def]
    """``found("&view=day")``: which of the four are on the calendar that way."""
    names = {made.reference: name for name, made in lessons.items()}

    def of(query: str = "", path: str = PATH) -> set[str]:
        page = clara.get(f"{path}{query}")
        assert page.status_code == 200, page.status_code
        shown = {href.rpartition("/")[2] for href in links(page, r"^/admin/bookings/\w{4}-\w{4}$")}
        return {names[reference] for reference in shown & set(names)}

    return of


@pytest.mark.parametrize("view", ["", "&view=day", "&view=month", "&view=day&by=rooms"])
def test_every_view_shows_the_lessons_that_take_place(found, view: str) -> None:  # type: ignore[no-untyped-def]
    # Guitar at Kreuzberg Hall has no room, so it is in none of the rooms' columns.
    expected = {"piano"} if "rooms" in view else {"piano", "guitar", "asked"}
    assert found(view) == expected


def test_the_list_is_the_same_days(clara: httpx.Client, found) -> None:  # type: ignore[no-untyped-def]
    listed = href_of(clara.get(f"{PATH}&view=day"), "List")
    assert found(path=listed) == {"piano", "guitar", "asked", "gone"}
    narrowed = href_of(clara.get(f"{PATH}&view=day&instructor=ida-berg"), "List")
    assert found(path=narrowed) == {"piano", "asked"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("&instructor=ida-berg", {"piano", "asked"}),
        ("&type=guitar-lesson", {"guitar"}),
        ("&location=studio-linden", {"piano", "asked"}),
        ("&room=studio-linden.red-room", {"piano"}),
        ("&status=pending", {"asked"}),
        ("&status=cancelled", {"gone"}),
        ("&status=all", {"piano", "guitar", "asked", "gone"}),
        ("&q=leo+guitar", {"guitar"}),
        ("&q=nothing-like-it", set()),
        ("&instructor=ida-berg&type=guitar-lesson", set()),
        # Somebody who is not here finds nothing instead of everything.
        ("&instructor=nobody", set()),
        ("&room=attic.blue", set()),
    ],
)
def test_it_is_narrowed_by_what_the_address_says(found, query: str, expected: set[str]) -> None:  # type: ignore[no-untyped-def]
    for view in ("", "&view=day", "&view=month"):
        if view == "&view=month" and len(expected) > 3:
            # A day of the month has room for three and says how many more there are.
            assert len(found(f"{query}{view}")) == 3
            continue
        assert found(f"{query}{view}") == expected, view


def test_earlier_and_later_keep_the_filters(clara: httpx.Client) -> None:
    page = clara.get(f"{PATH}&instructor=ida-berg&type=piano-lesson")
    for label, days in (("Earlier", -7), ("Later", 7)):
        query = fields_of(href_of(page, label))
        assert query["on"] == (date.fromisoformat(TUESDAY) + timedelta(days=days)).isoformat()
        assert (query["instructor"], query["type"]) == ("ida-berg", "piano-lesson")
    wrong = clara.get("/admin/calendar?on=31.12.")
    assert "Enter a date such as 2026-12-31." in text_of(wrong)


def test_free_time_leads_to_booking_with_everything_chosen_already(
    clara: httpx.Client, lessons: dict[str, Put]
) -> None:
    del lessons
    page = clara.get(f"{PATH}&view=day&instructor=ida-berg")
    free = links(page, r"^/admin/bookings/new\?.*time=")
    assert free
    query = fields_of(free[0])
    assert query["with"] == "ida-berg"
    # Nine to a quarter to ten is the piano's.
    assert query["time"] == f"{at(TUESDAY, 9) + timedelta(minutes=45):%Y-%m-%dT%H:%MZ}"
    assert clara.get(free[0]).status_code == 200


def test_it_is_for_admins_and_shows_no_ids(
    client: ClientFor, clara: httpx.Client, lessons: dict[str, Put]
) -> None:
    del lessons
    for who in (IDA, "mia@example.com"):
        assert client("musicschool", who, cookie=True).get(PATH).status_code == 403
    for view in ("", "&view=day", "&view=month"):
        assert not RAW_ID.search(clara.get(f"{PATH}{view}").text)


def test_it_takes_as_many_reads_however_full_it_is(
    clara: httpx.Client, lessons: dict[str, Put], settings: Settings, musicschool: School
) -> None:
    del lessons
    counts = {}
    for step in ("few", "many"):
        for view in ("", "&view=day", "&view=month"):
            with statements() as sent:
                assert (
                    clara.get(f"/admin/calendar?on={a_later_day(weekday=4, weeks=30)}{view}").status_code == 200
                )
            counts[step, view] = len(sent)
        if step == "few":
            day = a_later_day(weekday=4, weeks=30)
            with inside(settings, musicschool) as connection:
                for number in range(30):
                    put(
                        connection,
                        musicschool,
                        at(day, 8) + timedelta(minutes=10 * number),
                        teacher=IDA if number % 2 else TOMAS,
                        students=["mia@example.com" if number % 2 else "leo@example.com"],
                        type_name="Music theory online",
                        minutes=5,
                    )
    for view in ("", "&view=day", "&view=month"):
        # An empty calendar has no seats to read: one statement less.
        assert counts["many", view] - counts["few", view] <= 1


def test_nothing_of_a_day_that_is_over_is_free(clara: httpx.Client) -> None:
    """Seen to fail: unused hours of last week were called free."""
    day = a_later_day(weekday=2, weeks=-1)
    over = text_of(clara.get(f"/admin/calendar?view=day&on={day}"))
    assert " used" in over
    assert not re.search(r"\d (h|min)[^.]{0,12} free\b", over)
    ahead = text_of(clara.get(f"/admin/calendar?view=day&on={a_later_day(weekday=2, weeks=3)}"))
    assert re.search(r"\d (h|min)[^.]{0,12} free\b", ahead)
    assert " used" not in ahead
