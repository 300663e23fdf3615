"""The teaching portal: one's lessons, and cancelling on a student's behalf."""

from __future__ import annotations

from datetime import date

import pytest

from tests.conftest import ClientFor
from tests.portals.reading import a_later_day, fields_of, links, text_of, times_of

PAGES = (
    "/teach",
    "/teach/week",
    "/teach/types",
    "/teach/hours",
    "/teach/hours/dates",
    "/teach/profile",
    "/teach/sick",
)


@pytest.fixture(scope="module")
def lesson(client: ClientFor) -> str:
    """Mia's lesson with Ida, three weeks ahead on a Wednesday: the address of its teaching page."""
    student = client("musicschool", "mia@example.com", cookie=True)
    day = a_later_day(weekday=3, weeks=3)
    href = times_of(student.get(f"/book/piano-lesson?with=ida-berg&day={day}"))[0]
    answer = student.post("/book/piano-lesson", data={**fields_of(href), "note": "Bach <script>"})
    return f"/teach{answer.headers['location'].partition('?')[0]}"


@pytest.mark.parametrize("path", PAGES)
def test_the_teaching_portal_is_for_staff(client: ClientFor, path: str) -> None:
    visitor = client("musicschool", cookie=True).get(path)
    assert visitor.status_code == 303
    assert visitor.headers["location"].startswith("/sign-in?return_to=")
    assert client("musicschool", "mia@example.com", cookie=True).get(path).status_code == 403
    stranger = client("musicschool", "jun@stillwater.example", cookie=True).get(path)
    assert (stranger.status_code, stranger.headers["location"].partition("?")[0]) == (303, "/join")
    assert client("musicschool", "ida@harmony.example", cookie=True).get(path).status_code == 200
    assert client("musicschool", "clara@harmony.example", cookie=True).get(path).status_code == 200


def test_a_week_shows_the_lessons_of_its_days(client: ClientFor, lesson: str) -> None:
    year, week, _ = date.fromisoformat(a_later_day(weekday=3, weeks=3)).isocalendar()
    instructor = client("musicschool", "ida@harmony.example", cookie=True)
    page = instructor.get(f"/teach/week?week={year}-W{week:02}")
    assert lesson in links(page, "^/teach/lessons/")
    assert "Mia Okafor" in text_of(page)
    assert lesson not in links(instructor.get(f"/teach/week?week={year}-W{week - 1:02}"), "^/teach/lessons/")
    other = client("musicschool", "tomas@harmony.example", cookie=True).get(
        f"/teach/week?week={year}-W{week:02}"
    )
    assert lesson not in links(other, "^/teach/lessons/")


@pytest.mark.parametrize("week", ["2026-W54", "0001-W01", "9999-W53", "next", "2026-W", "-W-1", "2026-W1x"])
def test_a_week_that_does_not_exist_shows_this_one(client: ClientFor, week: str) -> None:
    page = client("musicschool", "ida@harmony.example", cookie=True).get("/teach/week", params={"week": week})
    assert page.status_code == 200
    assert "(today)" in text_of(page)


def test_an_instructor_sees_who_comes_with_address_and_note(client: ClientFor, lesson: str) -> None:
    page = client("musicschool", "ida@harmony.example", cookie=True).get(lesson)
    assert page.status_code == 200
    assert links(page, "^mailto:mia@example.com$")
    assert "Bach <script>" in text_of(page)
    assert "Bach <script>" not in page.text


def test_another_instructor_and_the_student_cannot_open_the_teaching_page(
    client: ClientFor, lesson: str
) -> None:
    for path in (lesson, f"{lesson}/cancel"):
        assert client("musicschool", "tomas@harmony.example", cookie=True).get(path).status_code == 404
        assert client("musicschool", "mia@example.com", cookie=True).get(path).status_code == 403
        assert client("yoga", "noor@stillwater.example", cookie=True).get(path).status_code == 404
    answer = client("musicschool", "tomas@harmony.example", cookie=True).post(f"{lesson}/cancel")
    assert answer.status_code == 404


def test_an_instructor_who_booked_a_lesson_for_themselves_does_not_teach_it(client: ClientFor) -> None:
    learner = client("musicschool", "ida@harmony.example", cookie=True)
    href = times_of(learner.get("/book/guitar-lesson"))[-1]
    booked = learner.post("/book/guitar-lesson", data=fields_of(href)).headers["location"].partition("?")[0]
    assert learner.get(booked).status_code == 200
    assert learner.get(f"/teach{booked}").status_code == 404


def test_an_admin_sees_who_teaches(client: ClientFor, lesson: str) -> None:
    said = text_of(client("musicschool", "clara@harmony.example", cookie=True).get(lesson))
    assert "Taught by Ida Berg" in said


def test_a_lesson_is_cancelled_on_the_students_behalf_and_the_student_reads_why(
    client: ClientFor, lesson: str
) -> None:
    instructor = client("musicschool", "ida@harmony.example", cookie=True)
    refused = instructor.post(f"{lesson}/cancel", data={"reason": "ill " * 200})
    assert refused.status_code == 422
    assert "ill ill ill" in refused.text
    assert instructor.post(f"{lesson}/cancel", data={"reason": "Concert tour"}).status_code == 303
    said = text_of(client("musicschool", "mia@example.com", cookie=True).get(lesson.removeprefix("/teach")))
    assert "Ida Berg cancelled it" in said
    assert "Concert tour" in said
    assert instructor.get(f"{lesson}/cancel").headers["location"] == lesson
    assert instructor.post(f"{lesson}/cancel").status_code == 409


def test_an_admin_who_does_not_teach_is_shown_how_to_begin(client: ClientFor) -> None:
    admin = client("musicschool", "clara@harmony.example", cookie=True)
    assert links(admin.get("/teach"), "^/teach/hours$")
    assert "You do not teach yet" in text_of(admin.get("/teach/profile"))
