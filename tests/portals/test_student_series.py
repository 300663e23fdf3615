"""The same time every week: looked at before anything is written, then changed one by one or together."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.conftest import ClientFor
from tests.portals.reading import RAW_ID, a_later_day, fields_of, hidden_fields, links, text_of, times_of

MIA, LEO, PRIYA = "mia@example.com", "leo@example.com", "priya@example.com"
FRIDAY = 5


def kept_fields(page: httpx.Response) -> dict[str, str]:
    """Return what a page's form sends on: hidden fields, and the texts that are kept in it."""
    texts = re.findall(r'<textarea name="([^"]*)" hidden[^>]*>\n?([^<]*)</textarea>', page.text)
    chosen = re.findall(r'<select[^>]*name="(date-\d+)">.*?<option value="([^"]*)" selected', page.text)
    return {**hidden_fields(page), **dict(texts), **dict(chosen)}


def look(
    student: httpx.Client, *, weeks: int, times: str = "3", repeat: str = "1", nth: int = -1
) -> httpx.Response:
    """Choose a time of guitar on a Friday and look at its dates."""
    page = student.get(f"/book/guitar-lesson?day={a_later_day(weekday=FRIDAY, weeks=weeks)}")
    confirm = student.get(times_of(page)[nth])
    assert "The same time every week" in text_of(confirm), text_of(confirm)
    return student.post(
        "/book/guitar-lesson/series",
        data={**hidden_fields(confirm), "note": "Every Friday.", "repeat": repeat, "times": times},
    )


def book_all(student: httpx.Client, preview: httpx.Response) -> httpx.Response:
    return student.post("/book/guitar-lesson/series", data={**kept_fields(preview), "book": "yes"})


def lessons_of(student: httpx.Client) -> list[str]:
    return list(dict.fromkeys(links(student.get("/lessons"), r"^/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}$")))


@pytest.fixture(scope="module")
def weekly(client: ClientFor) -> list[str]:
    """The addresses of Mia's three Fridays, by date."""
    mia = client("musicschool", MIA, cookie=True)
    before = set(lessons_of(mia))
    booked = book_all(mia, look(mia, weeks=3))
    assert booked.status_code == 303, text_of(booked)
    found = [lesson for lesson in lessons_of(mia) if lesson not in before]
    assert len(found) == 3
    return found


def test_the_dates_are_shown_before_anything_is_written(client: ClientFor) -> None:
    leo = client("musicschool", LEO, cookie=True)
    before = lessons_of(leo)
    preview = look(leo, weeks=2, nth=1)
    assert preview.status_code == 200
    said = text_of(preview)
    assert "Look at the dates" in said
    assert "Every date can be had." in said
    assert preview.text.count('name="date-') == 3
    assert said.count("Leave it out") == 3
    assert not RAW_ID.search(preview.text)
    assert lessons_of(leo) == before


def test_a_series_is_booked_at_once_and_says_what_it_is(client: ClientFor, weekly: list[str]) -> None:
    mia = client("musicschool", MIA, cookie=True)
    page = mia.get(weekly[0])
    assert "Every Friday, 3 lessons until" in text_of(page)
    assert "Every Friday." in text_of(page)


def test_a_date_that_cannot_be_had_is_decided_about_and_the_rest_is_booked(client: ClientFor) -> None:
    """The second Friday is somebody else's: another time near it, or none."""
    leo, priya = client("musicschool", LEO, cookie=True), client("musicschool", PRIYA, cookie=True)
    page = priya.get(f"/book/guitar-lesson?day={a_later_day(weekday=FRIDAY, weeks=4)}")
    taken = times_of(page)[3]
    assert priya.post("/book/guitar-lesson", data=fields_of(taken)).status_code == 303
    friday, before = (a_later_day(weekday=FRIDAY, weeks=weeks) for weeks in (4, 3))
    confirm = leo.get(f"/book/guitar-lesson?time={fields_of(taken)['time'].replace(friday, before)}")
    assert "Confirm your lesson" in text_of(confirm)
    preview = leo.post(
        "/book/guitar-lesson/series",
        data={**hidden_fields(confirm), "repeat": "1", "times": "3"},
    )
    assert "One date cannot be had" in text_of(preview)
    assert "instead" in text_of(preview)
    already = set(lessons_of(leo))
    skipped = {**kept_fields(preview), "date-1": f"{friday} skip", "book": "yes"}
    booked = leo.post("/book/guitar-lesson/series", data=skipped)
    assert booked.status_code == 303, text_of(booked)
    assert len(set(lessons_of(leo)) - already) == 2


def test_a_series_that_was_overtaken_is_shown_again_and_nothing_is_half_booked(client: ClientFor) -> None:
    leo, priya = client("musicschool", LEO, cookie=True), client("musicschool", PRIYA, cookie=True)
    preview = look(leo, weeks=2, nth=-1)
    fields = kept_fields(preview)
    before = lessons_of(leo)
    assert (
        priya.post("/book/guitar-lesson", data={"with": fields["with"], "time": fields["time"]}).status_code
        == 303
    )
    overtaken = book_all(leo, preview)
    assert overtaken.status_code == 409
    assert "Some dates have changed" in text_of(overtaken)
    assert lessons_of(leo) == before


@pytest.mark.parametrize("times", ["1", "54", "many", ""])
def test_how_many_is_said_beside_the_field(client: ClientFor, times: str) -> None:
    refused = look(client("musicschool", PRIYA, cookie=True), weeks=2, times=times)
    assert refused.status_code == 422
    assert "Say how many lessons: 2 to 53." in text_of(refused)
    assert "Every Friday." in refused.text


def test_several_are_moved_together_after_seeing_where_each_goes(client: ClientFor, weekly: list[str]) -> None:
    mia = client("musicschool", MIA, cookie=True)
    # Half an hour of guitar: another start on the same Friday.
    day = mia.get(f"{weekly[1]}/move?day={a_later_day(weekday=FRIDAY, weeks=4)}")
    confirm = mia.get(times_of(day)[2])
    [following] = links(confirm, "scope=following")
    preview = mia.get(following)
    assert "What becomes of each" in text_of(preview)
    moved = mia.post(f"{weekly[1]}/move", data=hidden_fields(preview))
    assert moved.status_code == 303, text_of(moved)
    # The first one stayed and is alone with its rhythm.
    assert "up to 3 times" in text_of(mia.get(weekly[0]))
    for lesson in weekly[1:]:
        assert "up to 2 more times" in text_of(mia.get(lesson))


def test_what_several_cannot_do_is_said_on_the_page_and_the_one_still_can(
    client: ClientFor, weekly: list[str]
) -> None:
    """A week earlier is past the lesson before.  Seen to fail: an error page in the place of this one."""
    mia = client("musicschool", MIA, cookie=True)
    day = mia.get(f"{weekly[2]}/move?day={a_later_day(weekday=FRIDAY, weeks=3)}")
    confirm = mia.get(times_of(day)[-1])
    [all_of_them] = links(confirm, "scope=all")
    refused = mia.get(all_of_them)
    assert refused.status_code == 422
    assert "Stay between the lesson before and the one after" in text_of(refused)
    assert "Move the lesson" in text_of(refused)
    assert 'name="scope"' not in refused.text


def test_several_are_cancelled_together_after_seeing_which(client: ClientFor, weekly: list[str]) -> None:
    mia = client("musicschool", MIA, cookie=True)
    page = mia.get(f"{weekly[2]}/cancel?scope=following")
    assert "is cancelled" in text_of(page)
    cancelled = mia.post(f"{weekly[2]}/cancel", data={"scope": "following", "reason": "Exams"})
    assert cancelled.status_code == 303
    assert "Exams" in text_of(mia.get(weekly[2]))
    assert "This lesson is cancelled" not in text_of(mia.get(weekly[0]))


def test_nobody_elses_series_is_touched(client: ClientFor, weekly: list[str]) -> None:
    leo = client("musicschool", LEO, cookie=True)
    assert leo.get(f"{weekly[0]}/cancel?scope=all").status_code == 404
    assert leo.post(f"{weekly[0]}/cancel", data={"scope": "all"}).status_code == 404
    assert leo.post(f"{weekly[0]}/move", data={"scope": "all", "time": "2031-01-07T10:00Z"}).status_code == 404
