"""Booking a lesson through the pages, as they work without JavaScript."""

from __future__ import annotations

import html
import re
from datetime import datetime

import httpx

from coursecove.formatting import local
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.reading import (
    a_later_day,
    buttons,
    fields_of,
    hidden_fields,
    links,
    text_of,
    times_of,
)

MONDAY, TUESDAY, SUNDAY = 1, 2, 7


def read(href: str) -> datetime:
    """Return the instant an address of a time names."""
    return datetime.fromisoformat(fields_of(href)["time"])


def days_of(page: httpx.Response) -> list[str]:
    """Return the links to the marked days of the month that is shown."""
    table = page.text.partition("data-day-picker")[2].partition("</table>")[0]
    return links(httpx.Response(200, text=table), r"[?&]day=")


def day_page(
    student: httpx.Client, *, weekday: int, weeks: int, type_: str = "piano-lesson", with_: str = "ida-berg"
) -> httpx.Response:
    page = student.get(f"/book/{type_}?with={with_}&day={a_later_day(weekday=weekday, weeks=weeks)}")
    assert page.status_code == 200
    return page


def confirm_and_book(student: httpx.Client, href: str, **more: str) -> httpx.Response:
    page = student.get(href)
    assert "Confirm your lesson" in text_of(page)
    return student.post(href.partition("?")[0], data={**hidden_fields(page), **more})


def test_whoever_teaches_is_chosen_beside_the_calendar_and_nobody_is_asked_first(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    page = visitor.get("/book/piano-lesson")
    assert "Choose a time" in text_of(page)
    assert times_of(page)
    assert re.search(
        r'<a class="chip"[^>]*href="/book/piano-lesson\?with=anyone"[^>]*aria-current="true"', page.text
    )
    with_tomas = links(page, r"\?with=tomas-rey$")[0]
    assert all(fields_of(href)["with"] == "tomas-rey" for href in times_of(visitor.get(with_tomas)))
    # Where there is one teacher there is nothing to choose.
    violin = visitor.get("/book/violin-lesson")
    assert "With Ida Berg" in text_of(violin)
    assert not links(violin, "with=anyone")


def test_a_student_meets_the_teacher_they_know_first(client: ClientFor) -> None:
    student = client("musicschool", "priya@example.com", cookie=True)
    href = times_of(day_page(student, weekday=TUESDAY, weeks=7, with_="tomas-rey"))[0]
    assert confirm_and_book(student, href).status_code == 303
    page = student.get("/book/piano-lesson")
    assert {fields_of(href)["with"] for href in times_of(page)} == {"tomas-rey"}
    # Said otherwise, it is otherwise.
    assert {fields_of(href)["with"] for href in times_of(student.get("/book/piano-lesson?with=anyone"))} == {
        "anyone"
    }


def test_the_times_are_narrowed_to_a_time_of_day_and_so_are_the_days(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    whole = day_page(visitor, weekday=MONDAY, weeks=3)
    [evening] = links(whole, r"[?&]at=evening")
    narrowed = visitor.get(evening)
    hours = {local(read(href), "Europe/Berlin").hour for href in times_of(narrowed)}
    assert hours
    assert min(hours) >= 17
    # On another day one stays in the evening, and only days with a free evening are marked.
    days = days_of(narrowed)
    assert all(fields_of(href)["at"] == "evening" for href in days)
    assert {fields_of(href)["day"] for href in days} < {fields_of(href)["day"] for href in days_of(whole)}


def test_the_very_next_free_time_is_one_tap_away(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    page = visitor.get("/book/piano-lesson")
    assert "Next free:" in text_of(page)
    first, *others = times_of(page)
    assert read(first) == min(read(href) for href in others)
    assert "Confirm your lesson" in text_of(visitor.get(first))


def test_what_a_visitor_types_is_kept_by_their_browser_under_the_name_the_form_has_later(
    client: ClientFor,
) -> None:
    visitor, student = client("musicschool", cookie=True), client("musicschool", "mia@example.com", cookie=True)
    href = times_of(day_page(visitor, weekday=TUESDAY, weeks=3))[0]
    before, after = visitor.get(href), student.get(href)
    for page in (before, after):
        assert 'data-keep="book/piano-lesson"' in page.text
        assert 'name="note"' in page.text
    # Nothing can be sent before one has signed in.
    assert "<form" not in before.text.partition("<main")[2].partition("</main>")[0]


def test_without_a_day_the_next_free_day_is_open_already(client: ClientFor) -> None:
    page = client("musicschool", cookie=True).get("/book/piano-lesson?with=anyone")
    assert times_of(page)
    assert 'aria-current="date"' in page.text


def test_a_visitor_sees_times_and_keeps_the_choice_while_signing_in(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    href = times_of(day_page(visitor, weekday=TUESDAY, weeks=3))[0]
    page = visitor.get(href)
    assert "Sign in to book" in text_of(page)
    assert "Book this lesson" not in text_of(page)
    sign_in = links(page, "^/sign-in")[0]
    chosen = fields_of(sign_in)["return_to"]
    assert fields_of(chosen)["time"] == fields_of(href)["time"]
    assert fields_of(chosen)["with"] == "ida-berg"


def test_somebody_signed_in_who_is_no_member_is_asked_to_join(client: ClientFor) -> None:
    stranger = client("musicschool", "sofia@example.com", cookie=True)
    page = stranger.get(times_of(day_page(stranger, weekday=TUESDAY, weeks=3))[0])
    assert links(page, r"^/join\?return_to=/book/piano-lesson%3F")


def test_nobody_books_without_signing_in(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    href = times_of(day_page(visitor, weekday=TUESDAY, weeks=3))[0]
    refused = visitor.post("/book/piano-lesson", data=fields_of(href))
    assert refused.status_code == 401
    assert href in times_of(day_page(visitor, weekday=TUESDAY, weeks=3))


def test_a_student_books_and_finds_the_lesson_and_the_time_is_gone(client: ClientFor) -> None:
    student = client("musicschool", "mia@example.com", cookie=True)
    href = times_of(day_page(student, weekday=MONDAY, weeks=3))[0]
    booked = confirm_and_book(student, href, note="The Satie, & <b>scales</b>")
    assert booked.status_code == 303
    page = student.get(booked.headers["location"])
    said = text_of(page)
    assert "You’re booked" in said
    assert "Ida Berg" in said
    assert "Studio Linden" in said
    assert "You can cancel free of charge until" in said
    assert "<b>scales" not in page.text
    assert "The Satie, & <b>scales</b>" in said
    lesson = booked.headers["location"].partition("?")[0]
    assert lesson in links(student.get("/lessons"), "^/lessons/")
    assert "You’re booked" not in text_of(student.get(lesson))
    other = client("musicschool", "leo@example.com", cookie=True)
    assert href not in times_of(day_page(other, weekday=MONDAY, weeks=3))


def test_the_loser_of_a_race_is_offered_the_nearest_times_and_keeps_the_note(client: ClientFor) -> None:
    winner = client("musicschool", "mia@example.com", cookie=True)
    loser = client("musicschool", "leo@example.com", cookie=True)
    href = times_of(day_page(winner, weekday=TUESDAY, weeks=3))[0]
    fields = hidden_fields(loser.get(href))
    assert confirm_and_book(winner, href).status_code == 303
    refused = loser.post("/book/piano-lesson", data={**fields, "note": "Bring <i>both</i> books"})
    assert refused.status_code == 409
    assert "Somebody else has just taken this time" in text_of(refused)
    assert html.escape("Bring <i>both</i> books") in refused.text
    offered = buttons(refused, "time")
    assert 1 <= len(offered) <= 5
    again = loser.post(
        "/book/piano-lesson",
        data={**hidden_fields(refused), "time": offered[0], "note": "Bring <i>both</i> books"},
    )
    assert again.status_code == 303
    assert "Bring <i>both</i> books" in text_of(loser.get(again.headers["location"]))


def test_anyone_is_told_who_it_is_after_booking(client: ClientFor) -> None:
    student = client("musicschool", "priya@example.com", cookie=True)
    href = times_of(day_page(student, weekday=TUESDAY, weeks=4, with_="anyone"))[0]
    assert "Anyone who is free" in text_of(student.get(href))
    page = student.get(confirm_and_book(student, href).headers["location"])
    assert any(name in text_of(page) for name in ("with Ida Berg", "with Tomás Rey"))


def test_a_student_is_told_of_their_own_lesson_at_the_same_time(client: ClientFor) -> None:
    student = client("musicschool", "leo@example.com", cookie=True)
    day = a_later_day(weekday=TUESDAY, weeks=5)
    piano = f"/book/piano-lesson?with=ida-berg&day={day}&time=14:00"
    assert confirm_and_book(student, piano).status_code == 303
    # Tomás is free then, as every other visitor sees, but Leo is not.
    guitar = f"/book/guitar-lesson?day={day}"
    taken = {fields_of(href)["time"] for href in times_of(client("musicschool", cookie=True).get(guitar))}
    taken -= {fields_of(href)["time"] for href in times_of(student.get(guitar))}
    assert len(taken) == 2
    refused = student.post("/book/guitar-lesson", data={"time": taken.pop()})
    assert refused.status_code == 409
    assert "You have another lesson at this time." in text_of(refused)


def test_a_note_that_is_too_long_comes_back_with_its_words(client: ClientFor) -> None:
    student = client("musicschool", "leo@example.com", cookie=True)
    href = times_of(day_page(student, weekday=MONDAY, weeks=5))[0]
    refused = confirm_and_book(student, href, note="do re mi " * 150)
    assert refused.status_code == 422
    assert "At most 1000 characters" in text_of(refused)
    assert "do re mi do re mi" in refused.text
    assert 'aria-invalid="true"' in refused.text


def test_a_time_that_cannot_be_read_is_refused_in_words(client: ClientFor) -> None:
    student = client("musicschool", "leo@example.com", cookie=True)
    refused = student.post("/book/piano-lesson", data={"with": "ida-berg", "time": "tomorrow"})
    assert refused.status_code == 422
    assert "Choose a time." in text_of(refused)
    naive = student.post("/book/piano-lesson", data={"with": "ida-berg", "time": "2030-01-01T10:00"})
    assert naive.status_code == 422


def test_an_address_with_nonsense_in_it_still_leads_to_free_times(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    for query in (
        "month=2026-99",
        "day=yesterday",
        "time=25:99&day=2026-12-01",
        "month=9999-12",
        "month=0001-01",
        "time=9999-12-31T23:59Z",
        "time=0001-01-01T00:00%2B14:00",
        "place=nowhere",
    ):
        page = visitor.get(f"/book/piano-lesson?with=ida-berg&{query}")
        assert page.status_code == 200, query
        assert "Choose a time" in text_of(page)


def test_a_day_without_free_times_says_so_and_leads_to_the_next_one(client: ClientFor) -> None:
    page = day_page(client("musicschool", cookie=True), weekday=SUNDAY, weeks=3)
    assert "Nothing is free on Sunday" in text_of(page)
    assert not times_of(page)
    assert "The next free time is Mon " in text_of(page)


def test_a_time_may_be_written_as_a_clock_shows_it_on_the_day(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    day = a_later_day(weekday=MONDAY, weeks=6)
    page = visitor.get(f"/book/piano-lesson?with=ida-berg&day={day}&time=09:00")
    assert "Confirm your lesson" in text_of(page)
    assert "09:00–09:45" in text_of(page)


def test_in_person_the_venues_clock_leads_and_a_visitor_from_abroad_sees_their_own_beside_it(
    client: ClientFor,
) -> None:
    visitor = client("musicschool", cookie=True)
    visitor.cookies.set("tz", "Asia/Kolkata")
    page = day_page(visitor, weekday=MONDAY, weeks=6)
    assert "Times in Berlin time, where the lesson is." in text_of(page)
    said = text_of(visitor.get(times_of(page)[0]))
    assert "09:00–09:45 Berlin time · " in said
    assert "your time" in said


def test_online_the_visitors_clock_leads_and_the_schools_is_named(client: ClientFor) -> None:
    visitor = client("musicschool", cookie=True)
    visitor.cookies.set("tz", "America%2FNew_York")
    page = day_page(visitor, weekday=5, weeks=3, type_="music-theory-online", with_="anyone")
    assert "Times in your time zone, New York." in text_of(page)
    assert "Berlin time" in text_of(visitor.get(times_of(page)[0]))


def test_lessons_that_are_not_offered_cannot_be_found(client: ClientFor, musicschool: School) -> None:
    visitor = client("musicschool", cookie=True)
    assert visitor.get("/book/trombone").status_code == 404
    admin = client("musicschool", "clara@harmony.example")
    draft = admin.post(
        "/api/v1/appointment-types",
        json={"name": "Harp lesson", "duration_minutes": 45, "location_mode": "online", "published": False},
    ).json()
    assert visitor.get(f"/book/{draft['slug']}").status_code == 404
    assert (
        client("musicschool", "mia@example.com", cookie=True).get(f"/book/{draft['slug']}").status_code == 404
    )
    page = client("musicschool", "clara@harmony.example", cookie=True).get(f"/book/{draft['slug']}")
    assert "Nobody teaches this at the moment" in text_of(page)


def test_nobody_is_offered_a_lesson_with_themselves(client: ClientFor) -> None:
    page = client("musicschool", "ida@harmony.example", cookie=True).get("/book/piano-lesson")
    assert "Choose a time" in text_of(page)
    assert "With Tomás Rey" in text_of(page)


def test_a_lesson_of_another_school_is_unknown_here(client: ClientFor) -> None:
    assert client("musicschool", cookie=True).get("/book/private-yoga-session").status_code == 404
