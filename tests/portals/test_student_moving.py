"""A student moves their own lesson, by the rules that were promised when it was booked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from tests.conftest import ClientFor
from tests.factories.world import ENTER, School
from tests.portals.reading import (
    RAW_ID,
    a_later_day,
    buttons,
    fields_of,
    hidden_fields,
    links,
    text_of,
    times_of,
)

MIA, LEO, IDA = "mia@example.com", "leo@example.com", "ida@harmony.example"


def lesson_of(
    client: ClientFor, email: str, *, weeks: int, weekday: int = 3, type_: str = "piano-lesson"
) -> str:
    """Book the first free time with Ida of a later day and return the address of its page."""
    student = client("musicschool", email, cookie=True)
    day = a_later_day(weekday=weekday, weeks=weeks)
    href = times_of(student.get(f"/book/{type_}?with=ida-berg&day={day}"))
    # The first is the very next free time; the day's own follow.
    booked = student.post(f"/book/{type_}", data={**fields_of(href[-1]), "note": "The slow movement."})
    assert booked.status_code == 303, text_of(booked)
    return str(booked.headers["location"]).partition("?")[0]


def move_page(student: httpx.Client, lesson: str, *, weeks: int, weekday: int = 2) -> httpx.Response:
    page = student.get(f"{lesson}/move?day={a_later_day(weekday=weekday, weeks=weeks)}")
    assert page.status_code == 200, text_of(page)
    return page


def change(settings: Settings, school: School, statement: str, *values: Any) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(ENTER, [str(school.organization_id)])
        connection.execute(statement, values)


def test_a_lesson_is_moved_and_stays_the_same_booking(client: ClientFor) -> None:
    student = client("musicschool", MIA, cookie=True)
    lesson = lesson_of(client, MIA, weeks=2)
    assert f"{lesson}/move" in links(student.get(lesson), "/move$")
    page = move_page(student, lesson, weeks=3)
    assert "Choose another time" in text_of(page)
    confirm = student.get(times_of(page)[-1])
    said = text_of(confirm)
    assert "So far" in said
    assert "New" in said
    assert "You can move it to another time until" in said
    assert "up to 3 times" in said
    moved = student.post(f"{lesson}/move", data=hidden_fields(confirm))
    assert moved.status_code == 303, text_of(moved)
    assert moved.headers["location"] == lesson
    after = text_of(student.get(lesson))
    assert "The slow movement." in after
    assert "up to 2 more times" in after
    assert not RAW_ID.search(confirm.text)


def test_its_own_time_is_not_offered_and_what_overlaps_it_is(client: ClientFor) -> None:
    student = client("musicschool", LEO, cookie=True)
    lesson = lesson_of(client, LEO, weeks=4, type_="music-theory-online", weekday=5)
    own = student.get(f"{lesson}/calendar.ics").text.partition("DTSTART")[2].partition(":")[2][:13]
    page = move_page(student, lesson, weeks=4, weekday=5)
    offered = [fields_of(href)["time"].replace("-", "").replace(":", "")[:13] for href in times_of(page)]
    assert own not in offered
    # An hour's lesson that starts half an hour earlier overlaps only itself.
    earlier = datetime.strptime(own, "%Y%m%dT%H%M").replace(tzinfo=UTC) - timedelta(minutes=30)
    assert f"{earlier:%Y%m%dT%H%M}" in offered


def test_a_time_that_was_lost_meanwhile_is_answered_with_others_and_one_press_takes_one(
    client: ClientFor,
) -> None:
    mia, leo = client("musicschool", MIA, cookie=True), client("musicschool", LEO, cookie=True)
    lesson = lesson_of(client, MIA, weeks=5)
    wanted = times_of(move_page(mia, lesson, weeks=6))[-1]
    fields = hidden_fields(mia.get(wanted))
    taken = leo.post(
        "/book/piano-lesson",
        data={"with": "ida-berg", "place": fields_of(wanted).get("place", ""), "time": fields["time"]},
    )
    assert taken.status_code == 303, text_of(taken)
    refused = mia.post(f"{lesson}/move", data=fields)
    assert refused.status_code == 409
    assert "One tap moves it there." in text_of(refused)
    again = mia.post(f"{lesson}/move", data={**hidden_fields(refused), "time": buttons(refused, "time")[0]})
    assert again.status_code == 303, text_of(again)


def test_only_the_student_moves_it_in_the_student_portal(client: ClientFor) -> None:
    lesson = lesson_of(client, MIA, weeks=7)
    leo = client("musicschool", LEO, cookie=True)
    assert leo.get(f"{lesson}/move").status_code == 404
    assert leo.post(f"{lesson}/move", data={"time": "2031-01-07T10:00Z"}).status_code == 404
    assert client("musicschool", IDA, cookie=True).get(f"{lesson}/move").status_code == 404


def test_how_often_is_what_was_promised_and_then_the_page_says_so(
    client: ClientFor, settings: Settings, musicschool: School
) -> None:
    student = client("musicschool", MIA, cookie=True)
    lesson = lesson_of(client, MIA, weeks=8)
    reference = lesson.rpartition("/")[2]
    change(settings, musicschool, "update bookings set rescheduled_count = 3 where reference = %s", reference)
    page = student.get(lesson)
    assert "You have moved it 3 times, which is as often as possible online." in text_of(page)
    assert not links(page, "/move$")
    # The page that asks leads back to the one that says why.
    assert student.get(f"{lesson}/move").headers["location"] == lesson
    refused = student.post(f"{lesson}/move", data={"time": f"{a_later_day(weekday=2, weeks=9)}T10:00Z"})
    assert refused.status_code == 409
    assert "This lesson was moved 3 times" in text_of(refused)


def test_after_the_cut_off_it_is_not_moved_any_more(
    client: ClientFor, settings: Settings, postgres: EmbeddedPostgres
) -> None:
    """Seen to fail with the page asking `can_cancel` instead of `can_move`: this one may still be cancelled."""
    student = client("musicschool", MIA, cookie=True)
    lesson = lesson_of(client, MIA, weeks=3, weekday=1)
    assert links(student.get(lesson), "/move$")
    # Promised to be movable until a minute ago.
    with psycopg.connect(postgres.superuser_url, dbname=settings.database_url.rpartition("/")[2]) as connection:
        connection.execute(
            "update bookings set reschedule_notice_minutes = "
            "ceil(extract(epoch from starts_at - now()) / 60) + 1 where reference = %s",
            [lesson.rpartition("/")[2]],
        )
    page = student.get(lesson)
    assert "Moving it online was possible until" in text_of(page)
    assert "You can cancel free of charge until" in text_of(page)
    assert not links(page, "/move$")
    refused = student.post(f"{lesson}/move", data={"time": f"{a_later_day(weekday=2, weeks=5)}T10:00Z"})
    assert refused.status_code == 409
    assert "Lessons can be moved until" in text_of(refused)


@pytest.mark.parametrize(("time", "said"), [("", "Choose a time."), ("tomorrow", "Choose a time.")])
def test_a_time_that_cannot_be_read_is_refused_in_words(client: ClientFor, time: str, said: str) -> None:
    student = client("musicschool", MIA, cookie=True)
    [lesson, *_] = links(student.get("/lessons"), r"^/lessons/[^/]*$")
    refused = student.post(f"{lesson}/move", data={"time": time})
    assert refused.status_code == 422
    assert said in text_of(refused)
