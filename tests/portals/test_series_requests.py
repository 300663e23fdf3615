"""A weekly lesson that the school has to confirm: asked for as a whole, and answered as one or one by one."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.conftest import ClientFor
from tests.portals.reading import a_later_day, buttons, hidden_fields, links, text_of, times_of

MIA, IDA, CLARA = "mia@example.com", "ida@harmony.example", "clara@harmony.example"


@pytest.fixture(scope="module")
def slug(client: ClientFor) -> str:
    """A lesson with Ida that needs a yes."""
    clara = client("musicschool", CLARA)
    ida = next(one for one in clara.get("/api/v1/instructors").json()["items"] if one["name"].startswith("Ida"))
    places = clara.get("/api/v1/locations").json()["items"]
    made = clara.post(
        "/api/v1/appointment-types",
        json={
            "name": "Weekly by request",
            "duration_minutes": 30,
            "requires_approval": True,
            "horizon_days": 200,
            "instructor_ids": [ida["id"]],
            "location_ids": [place["id"] for place in places if place["name"] == "Studio Linden"],
        },
    )
    assert made.status_code == 201, made.text
    return str(made.json()["slug"])


def ask(client: ClientFor, slug: str, *, nth: int) -> list[str]:
    """Ask for three weeks; return the references, by date."""
    mia = client("musicschool", MIA, cookie=True)
    before = set(_lessons(mia))
    confirm = mia.get(times_of(mia.get(f"/book/{slug}?day={a_later_day(weekday=2, weeks=3)}"))[nth])
    assert "The same time every week" in text_of(confirm)
    fields = {**hidden_fields(confirm), "repeat": "1", "times": "3"}
    preview = mia.post(f"/book/{slug}/series", data=fields)
    assert "Ask for them all" in text_of(preview)
    asked = mia.post(f"/book/{slug}/series", data={**hidden_fields(preview), "book": "yes"})
    assert asked.status_code == 303, text_of(asked)
    assert "You asked for 3 lessons" in said_after(mia, asked)
    return [href.rpartition("/")[2] for href in _lessons(mia) if href not in before]


def said_after(person: httpx.Client, done: httpx.Response) -> str:
    """Return what the page says to which an answer leads."""
    flash = done.headers["set-cookie"].split(";")[0]
    cookie = f"{person.headers['Cookie']}; {flash}"
    return text_of(person.get(done.headers["location"], headers={"Cookie": cookie}))


def _lessons(student: httpx.Client) -> list[str]:
    return list(dict.fromkeys(links(student.get("/lessons"), r"^/lessons/[0-9A-Z]{4}-[0-9A-Z]{4}$")))


def statuses(client: ClientFor, references: list[str]) -> list[bool]:
    mia = client("musicschool", MIA, cookie=True)
    return ["Waiting for an answer" in text_of(mia.get(f"/lessons/{one}")) for one in references]


def test_the_instructor_sees_one_request_and_says_yes_to_all(client: ClientFor, slug: str) -> None:
    references = ask(client, slug, nth=0)
    assert statuses(client, references) == [True] * 3
    ida = client("musicschool", IDA, cookie=True)
    today = ida.get("/teach")
    assert text_of(today).count("The first of 3 lessons that are asked for") == 1
    page = ida.get(f"/teach/lessons/{references[1]}")
    said = text_of(page)
    assert "A series is asked for" in said
    assert "Waiting: Tue" in said
    assert buttons(page, "scope") == ["all"]
    answered = ida.post(f"/teach/lessons/{references[1]}/approve", data={"scope": "all"})
    assert answered.status_code == 303
    assert "All of them are confirmed." in said_after(ida, answered)
    assert statuses(client, references) == [False] * 3
    again = ida.post(f"/teach/lessons/{references[1]}/approve", data={"scope": "all"})
    assert again.status_code == 409
    assert "no longer waiting" in text_of(again)


def test_an_admin_answers_one_by_itself_and_declines_the_rest_with_a_reason(
    client: ClientFor, slug: str
) -> None:
    references = ask(client, slug, nth=2)
    clara = client("musicschool", CLARA, cookie=True)
    assert clara.post(f"/admin/bookings/{references[0]}/approve").status_code == 303
    assert statuses(client, references) == [False, True, True]
    asking = clara.get(f"/admin/bookings/{references[1]}/decline?scope=all")
    assert "All 2 of the series" in text_of(asking)
    declined = clara.post(
        f"/admin/bookings/{references[1]}/decline", data={"scope": "all", "reason": "No room that week."}
    )
    assert declined.status_code == 303
    mia = client("musicschool", MIA, cookie=True)
    for reference in references[1:]:
        assert "No room that week." in text_of(mia.get(f"/lessons/{reference}"))
    assert "The school could not take this lesson" not in text_of(mia.get(f"/lessons/{references[0]}"))


def test_a_single_request_is_asked_about_alone(client: ClientFor, slug: str) -> None:
    mia = client("musicschool", MIA, cookie=True)
    confirm = mia.get(times_of(mia.get(f"/book/{slug}?day={a_later_day(weekday=3, weeks=4)}"))[0])
    booked = mia.post(f"/book/{slug}", data=hidden_fields(confirm))
    reference = booked.headers["location"].rpartition("/")[2].partition("?")[0]
    ida = client("musicschool", IDA, cookie=True)
    page = ida.get(f"/teach/lessons/{reference}")
    assert "Confirm it" in text_of(page)
    assert buttons(page, "scope") == []
    assert "Which requests?" not in text_of(ida.get(f"/teach/lessons/{reference}/decline?scope=all"))


def test_what_the_school_wants_to_know_is_asked_before_the_dates_are_looked_at(
    client: ClientFor, slug: str
) -> None:
    """Seen to fail: it was said when everything was decided, and the way back had forgotten the weeks."""
    clara = client("musicschool", CLARA)
    types = clara.get("/api/v1/appointment-types").json()["items"]
    [type_] = [one for one in types if one["slug"] == slug]
    question = {"label": "Which piece?", "kind": "short_text", "required": True}
    asked = clara.post(f"/api/v1/appointment-types/{type_['id']}/questions", json=question)
    assert asked.status_code == 201, asked.text
    mia = client("musicschool", MIA, cookie=True)
    confirm = mia.get(times_of(mia.get(f"/book/{slug}?day={a_later_day(weekday=4, weeks=4)}"))[0])
    # The time is held by then; the refusal takes back that it was let go of.
    held = mia.post(f"/book/{slug}/hold", data=hidden_fields(confirm), headers={"HX-Request": "true"})
    assert "Held for you until" in text_of(held)
    refused = mia.post(f"/book/{slug}/series", data={**hidden_fields(confirm), "repeat": "2", "times": "5"})
    assert refused.status_code == 422
    assert "Which piece? Please answer this." in text_of(refused)
    assert re.search(r"<details[^>]* open>", refused.text)
    assert re.search(r'name="times"[^>]*value="5"', refused.text)
    clara.post(f"/api/v1/questions/{asked.json()['id']}/archival")


def test_staff_cancel_several_lessons_of_a_series_after_seeing_which(client: ClientFor, slug: str) -> None:
    """Seen to fail: their pages knew the single lesson alone."""
    references = ask(client, slug, nth=4)
    ida, clara = (client("musicschool", who, cookie=True) for who in (IDA, CLARA))
    assert ida.post(f"/teach/lessons/{references[0]}/approve", data={"scope": "all"}).status_code == 303
    lesson = f"/teach/lessons/{references[1]}"
    assert links(ida.get(lesson), f"^{lesson}/cancel$")
    [following] = links(ida.get(f"{lesson}/cancel"), "scope=following")
    asking = ida.get(following)
    assert text_of(asking).count("is cancelled") == 2
    assert "Cancel them" in text_of(asking)
    refused = ida.post(f"{lesson}/cancel", data={**hidden_fields(asking), "reason": "x" * 501})
    assert refused.status_code == 422
    assert hidden_fields(refused)["scope"] == "following"
    done = ida.post(f"{lesson}/cancel", data={**hidden_fields(asking), "reason": "I am moving away."})
    assert done.status_code == 303
    assert "2 lessons are cancelled." in said_after(ida, done)
    mia = client("musicschool", MIA, cookie=True)
    for reference in references[1:]:
        assert "I am moving away." in text_of(mia.get(f"/lessons/{reference}"))
    first = f"/admin/bookings/{references[0]}"
    assert "This lesson is cancelled" not in text_of(clara.get(first))
    alone = clara.get(f"{first}/cancel?scope=all")
    assert text_of(alone).count("is cancelled") == 1
    assert clara.post(f"{first}/cancel", data=hidden_fields(alone)).status_code == 303
    assert "This lesson is cancelled" in text_of(clara.get(first))


def test_staff_move_several_lessons_of_a_series_after_seeing_where_each_goes(
    client: ClientFor, slug: str
) -> None:
    """Seen to fail: their pages knew the single lesson alone."""
    references = ask(client, slug, nth=6)
    ida = client("musicschool", IDA, cookie=True)
    assert ida.post(f"/teach/lessons/{references[0]}/approve", data={"scope": "all"}).status_code == 303
    lesson = f"/teach/lessons/{references[1]}"
    day = ida.get(f"{lesson}/move?day={a_later_day(weekday=2, weeks=4)}")
    confirm = ida.get(times_of(day)[1])
    assert "Move the lesson" in text_of(confirm)
    [following] = links(confirm, "scope=following")
    preview = ida.get(following)
    assert "What becomes of each" in text_of(preview)
    assert preview.text.count("line-through") >= 2
    moved = ida.post(f"{lesson}/move", data=hidden_fields(preview))
    assert moved.status_code == 303, text_of(moved)
    assert "2 lessons are moved." in said_after(ida, moved)
    mia = client("musicschool", MIA, cookie=True)
    assert "Every Tuesday, 1 lesson until" in text_of(mia.get(f"/lessons/{references[0]}"))
    assert "Every Tuesday, 2 lessons until" in text_of(mia.get(f"/lessons/{references[2]}"))
    # Two weeks on is past the lesson after: said on the page, where the single one still can.
    clara = client("musicschool", CLARA, cookie=True)
    desk = f"/admin/bookings/{references[1]}/move"
    far = clara.get(times_of(clara.get(f"{desk}?day={a_later_day(weekday=2, weeks=6)}"))[-1])
    [every] = links(far, "scope=all")
    told = clara.get(every)
    assert "Stay between the lesson before and the one after" in text_of(told)
    assert "scope" not in hidden_fields(told)
    wrong = clara.post(desk, data={**hidden_fields(told), "scope": "all", "skip": "soon"})
    assert wrong.status_code == 422
    assert clara.post(desk, data=hidden_fields(told)).status_code == 303
