"""A parent books for several children and looks after their lessons."""

from __future__ import annotations

import httpx

from tests.conftest import ClientFor
from tests.portals.reading import RAW_ID, a_later_day, fields_of, hidden_fields, links, text_of, times_of

MIA, LEO = "mia@example.com", "leo@example.com"


def add(parent: httpx.Client, name: str, **more: str) -> str:
    """Add a child and return the address of its page."""
    added = parent.post("/family", data={"given_name": name, "family_name": "", "birth_year": "", **more})
    assert added.status_code == 303, text_of(added)
    return next(href for href in links(parent.get("/family"), r"^/family/") if name.lower() in href)


def test_a_parent_adds_a_child_and_books_for_it(client: ClientFor) -> None:
    mia = client("musicschool", MIA, cookie=True)
    add(mia, "Tilda", birth_year="2016")
    page = mia.get("/book/piano-lesson")
    assert "Who is it for?" in page.text
    [for_tilda] = [
        href for href in links(page, r"[?&]for=tilda") if "time=" not in href and "day=" not in href
    ][:1]
    day = a_later_day(weekday=3, weeks=3)
    calendar = mia.get(f"{for_tilda}&with=ida-berg&day={day}")
    confirm = mia.get(times_of(calendar)[-1])
    assert "Booking for Tilda Okafor" in text_of(confirm)
    booked = mia.post("/book/piano-lesson", data=hidden_fields(confirm))
    assert booked.status_code == 303, text_of(booked)
    lesson = booked.headers["location"].partition("?")[0]
    details = mia.get(lesson)
    assert "Tilda Okafor" in text_of(details)
    assert links(details, "/move$")
    assert "Piano lesson for Tilda Okafor" in text_of(mia.get("/lessons"))
    assert not RAW_ID.search(details.text)
    # The next time the child comes first.
    assert all(fields_of(href)["for"].startswith("tilda") for href in times_of(mia.get("/book/piano-lesson")))
    # The teacher sees who comes.
    teacher = client("musicschool", "ida@harmony.example", cookie=True)
    assert "Tilda Okafor" in text_of(teacher.get(f"/teach{lesson}"))
    # For others it does not exist.
    assert client("musicschool", LEO, cookie=True).get(lesson).status_code == 404
    # The lessons of one person.
    whose = next(href for href in links(mia.get("/lessons"), r"who=tilda"))
    assert lesson in links(mia.get(whose), "^/lessons/")
    assert lesson not in links(mia.get("/lessons?who=me"), "^/lessons/")
    cancelled = mia.post(f"{lesson}/cancel", data={"reason": "Ballet"})
    assert cancelled.status_code == 303
    assert "You cancelled it" in text_of(mia.get(lesson))


def test_nobody_books_for_a_child_that_is_not_theirs(client: ClientFor) -> None:
    mia, leo = client("musicschool", MIA, cookie=True), client("musicschool", LEO, cookie=True)
    child = add(mia, "Otto")
    handle = child.rpartition("/")[2]
    assert leo.get(child).status_code == 404
    assert leo.post(child, data={"given_name": "Mine"}).status_code == 404
    assert leo.post(f"{child}/remove").status_code == 404
    day = a_later_day(weekday=3, weeks=4)
    page = leo.get(f"/book/piano-lesson?with=ida-berg&day={day}&for={handle}")
    booked = leo.post("/book/piano-lesson", data={**fields_of(times_of(page)[-1]), "for": handle})
    # It is a lesson of whoever asked.
    assert booked.status_code == 303
    assert "Otto" not in text_of(leo.get(booked.headers["location"]))


def test_a_child_is_renamed_and_its_mistakes_are_said_beside_the_field(client: ClientFor) -> None:
    mia = client("musicschool", MIA, cookie=True)
    child = add(mia, "Jonna")
    refused = mia.post(child, data={"given_name": "", "family_name": "Berg", "birth_year": "1700"})
    assert refused.status_code == 422
    assert 'value="1700"' in refused.text
    assert 'aria-invalid="true"' in refused.text
    saved = mia.post(child, data={"given_name": "Johanna", "family_name": "Berg", "birth_year": "2014"})
    assert saved.status_code == 303
    said = text_of(mia.get("/family"))
    assert "Johanna Berg" in said
    assert "born 2014" in said
    # The address stays good, whatever the name in front of the code.
    assert "Johanna" in text_of(mia.get(child))


def test_a_child_with_lessons_ahead_stays_and_one_without_goes(client: ClientFor) -> None:
    mia = client("musicschool", MIA, cookie=True)
    child = add(mia, "Vera")
    day = a_later_day(weekday=3, weeks=5)
    page = mia.get(f"/book/piano-lesson?with=ida-berg&day={day}&for={child.rpartition('/')[2]}")
    booked = mia.post("/book/piano-lesson", data=fields_of(times_of(page)[-1]))
    refused = mia.post(f"{child}/remove")
    assert refused.status_code == 409
    assert "Cancel the lessons of Vera first." in text_of(refused)
    mia.post(f"{booked.headers['location'].partition('?')[0]}/cancel", data={"reason": ""})
    assert mia.post(f"{child}/remove").status_code == 303
    assert "Vera" not in text_of(mia.get("/family"))


def test_whoever_adds_a_child_while_booking_comes_back_to_the_choice(client: ClientFor) -> None:
    leo = client("musicschool", LEO, cookie=True)
    back = "/book/guitar-lesson?with=tomas-rey"
    page = leo.get("/family", params={"return_to": back})
    added = leo.post("/family", data={**hidden_fields(page), "given_name": "Finn"})
    assert added.headers["location"] == back
    elsewhere = leo.post("/family", data={"given_name": "Ava", "return_to": "//evil.example/"})
    assert elsewhere.headers["location"] == "/family"
