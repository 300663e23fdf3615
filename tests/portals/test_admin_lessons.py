"""Lessons in the admin portal: finding, cancelling, booking for a student."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx
import psycopg
import pytest

from coursecove.config import Settings
from tests.conftest import ClientFor
from tests.counting import statements
from tests.factories.world import ENTER, School
from tests.portals.admin_pages import fields, fill_in, href_of, message_at, send
from tests.portals.reading import a_later_day, buttons, fields_of, links, text_of, times_of

NEW = "/admin/bookings/new"


@pytest.fixture(scope="module")
def clara(client: ClientFor) -> httpx.Client:
    return client("musicschool", "clara@harmony.example", cookie=True)


def handle(client: httpx.Client, name: str) -> str:
    return href_of(client.get("/admin/people"), name).rpartition("/")[2]


def lessons_in(page: httpx.Response) -> list[str]:
    """Return the references of a list, in order."""
    return [href.rpartition("/")[2] for href in links(page, r"^/admin/bookings/\w{4}-\w{4}$")]


def step(client: httpx.Client, student: str, **query: str) -> httpx.Response:
    return client.get(f"{NEW}?{urlencode({'student': handle(client, student), **query})}")


def book(
    client: httpx.Client, student: str, query: dict[str, str], *, day: str, nth: int = 0
) -> httpx.Response:
    """Walk from the day to the confirmation and book; returns the answer."""
    times = times_of(step(client, student, day=day, **query))
    page = client.get(times[nth])
    action = next(a for a in _actions(page) if a.startswith(NEW))
    return send(client, action, fields(page, action))


def set_rules(client: ClientFor, slug: str, **changes: object) -> None:
    """Change a type's rules, through the API: what its form looks like is no matter of these tests."""
    admin = client("musicschool", "clara@harmony.example")
    [id_] = [t["id"] for t in admin.get("/api/v1/appointment-types").json()["items"] if t["slug"] == slug]
    answer = admin.patch(f"/api/v1/appointment-types/{id_}", json=changes)
    assert answer.status_code == 200, answer.text


def _actions(page: httpx.Response) -> list[str]:
    return [part.split('"')[0].replace("&amp;", "&") for part in page.text.split('action="')[1:]]


def test_lessons_are_narrowed_by_what_the_address_says(clara: httpx.Client) -> None:
    everything = lessons_in(clara.get("/admin/bookings?show=all"))
    assert len(everything) == 6
    cancelled = lessons_in(clara.get("/admin/bookings?show=all&status=cancelled"))
    assert len(cancelled) == 1
    confirmed = lessons_in(clara.get("/admin/bookings?status=confirmed"))
    assert set(everything) == {*confirmed, *cancelled}
    guitar = clara.get("/admin/bookings?type=guitar-lesson")
    assert len(lessons_in(guitar)) == 2
    assert "Leo Lindqvist" in text_of(guitar)
    tomas = set(lessons_in(clara.get("/admin/bookings?instructor=tomas-rey")))
    assert set(lessons_in(guitar)) <= tomas < set(everything)
    assert lessons_in(clara.get("/admin/bookings?q=violin+priya")) != []
    assert lessons_in(clara.get(f"/admin/bookings?q={everything[0].lower()}")) == [everything[0]]
    mia = handle(clara, "Mia Okafor")
    page = clara.get(f"/admin/bookings?student={mia}")
    assert "Lessons of Mia Okafor" in text_of(page)
    assert len(lessons_in(page)) == 2
    assert "No past lessons" in text_of(clara.get("/admin/bookings?show=past"))


def test_the_order_turns_round_and_keeps_the_filters(clara: httpx.Client) -> None:
    page = clara.get("/admin/bookings?type=guitar-lesson")
    turned = clara.get(href_of(page, "When"))
    assert lessons_in(turned) == lessons_in(page)[::-1] != lessons_in(page)
    assert lessons_in(clara.get(href_of(turned, "When"))) == lessons_in(page)
    assert 'aria-sort="descending"' in turned.text


def test_days_are_the_schools_and_both_included(clara: httpx.Client) -> None:
    first = clara.get("/admin/bookings?type=guitar-lesson").text.split('<time datetime="')[1].split('"')[0]
    # Berlin is ahead of UTC and lessons are by day, so both have the same date.
    day = first.partition("T")[0]
    on_it = clara.get(f"/admin/bookings?from={day}&until={day}&type=guitar-lesson")
    assert len(lessons_in(on_it)) == 1
    day_before = (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
    assert lessons_in(clara.get(f"/admin/bookings?until={day_before}&type=guitar-lesson")) == []
    day_after = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    assert len(lessons_in(clara.get(f"/admin/bookings?from={day_after}&type=guitar-lesson"))) == 1


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("from=31.12.2026", "filter-from", "Enter a date such as 2026-12-31."),
        ("until=9999-12-31", "filter-until", "Enter a date such as 2026-12-31."),
        ("from=2026-12-31&until=2026-12-01", "filter-until", "The last day is before the first."),
    ],
)
def test_a_date_that_cannot_be_is_said_beside_its_field(
    clara: httpx.Client, query: str, field: str, message: str
) -> None:
    page = clara.get(f"/admin/bookings?{query}")
    assert page.status_code == 200
    assert message in text_of(page)
    assert f'id="{field}-error"' in page.text
    assert "<details" in page.text
    assert " open>" in page.text


@pytest.mark.parametrize("query", ["instructor=nobody", "type=nothing", "student=mia-okafor-aaaaaaaa"])
def test_a_filter_for_somebody_who_is_not_here_finds_nothing_instead_of_everything(
    clara: httpx.Client, query: str
) -> None:
    page = clara.get(f"/admin/bookings?show=all&{query}")
    assert lessons_in(page) == []
    assert "No lesson matches" in text_of(page)
    assert href_of(page, "Clear the filters") == "/admin/bookings?show=all"


def test_a_lesson_shows_both_people_and_leads_to_them(clara: httpx.Client) -> None:
    [reference] = lessons_in(clara.get("/admin/bookings?type=violin-lesson"))
    page = clara.get(f"/admin/bookings/{reference.lower()}")
    shown = text_of(page)
    assert f"Booking {reference}" in shown
    assert "priya@example.com" in shown
    assert "ida@harmony.example" in shown
    assert clara.get(href_of(page, "Priya Nair")).status_code == 200
    assert clara.get(href_of(page, "Ida Berg")).status_code == 200


def test_an_admin_cancels_on_a_students_behalf(clara: httpx.Client, client: ClientFor) -> None:
    [reference] = lessons_in(clara.get("/admin/bookings?type=violin-lesson"))
    path = f"/admin/bookings/{reference}/cancel"
    too_long = fill_in(clara, path, reason="x" * 501)
    assert too_long.status_code == 422
    assert message_at(too_long, "reason")
    assert fields(too_long, path)["reason"] == ["x" * 501]
    answer = fill_in(clara, path, reason="The <b>piano</b> tuner comes.")
    assert answer.headers["location"] == f"/admin/bookings/{reference}"
    shown = text_of(clara.get(f"/admin/bookings/{reference}"))
    assert "Clara Weiss cancelled it" in shown
    assert "“The <b>piano</b> tuner comes.”" in shown
    student = client("musicschool", "priya@example.com", cookie=True)
    assert "This lesson is cancelled" in text_of(student.get(f"/lessons/{reference}"))
    # Whoever asks again is shown that it is done already.
    assert clara.get(path).headers["location"] == f"/admin/bookings/{reference}"
    again = send(clara, path, reason="Again")
    assert again.status_code == 409
    assert "already cancelled" in text_of(again)
    overview = text_of(clara.get("/admin"))
    assert "Priya Nair, Violin lesson" in overview


def test_an_admin_books_for_a_student_step_by_step(clara: httpx.Client, client: ClientFor) -> None:
    students = clara.get(NEW)
    assert "Mia Okafor" in text_of(students)
    assert "Ida Berg" not in text_of(students)
    assert "Leo Lindqvist" not in text_of(clara.get(f"{NEW}?q=mia"))
    lessons = clara.get(links(clara.get(f"{NEW}?q=mia"), r"student=mia")[0])
    assert "For Mia Okafor" in text_of(lessons)
    teachers = clara.get(links(lessons, "type=piano-lesson")[0])
    assert "Who teaches?" in text_of(teachers)
    calendar = clara.get(links(teachers, "with=ida-berg")[0])
    assert "Choose a time" in text_of(calendar)
    confirm = clara.get(times_of(calendar)[-1])
    assert "Booking for Mia Okafor" in text_of(confirm)
    [action] = [a for a in _actions(confirm) if a.startswith(NEW)]
    answer = send(clara, action, fields(confirm, action), note="She plays the Satie.")
    assert answer.status_code == 303
    reference = answer.headers["location"].rpartition("/")[2]
    theirs = text_of(client("musicschool", "mia@example.com", cookie=True).get(f"/lessons/{reference}"))
    assert "Piano lesson" in theirs
    assert "She plays the Satie." in theirs
    assert "Ida Berg" in theirs
    taught = client("musicschool", "ida@harmony.example", cookie=True).get(f"/teach/lessons/{reference}")
    assert "Mia Okafor" in text_of(taught)


def test_every_time_that_staff_are_offered_can_be_booked_also_within_the_notice(
    clara: httpx.Client, client: ClientFor
) -> None:
    """The type asks students for sixty days' notice; whoever books for them is not held to it."""
    set_rules(client, "guitar-lesson", minimum_notice_minutes=86_400, horizon_days=61)
    day = a_later_day(weekday=3)
    assert times_of(client("musicschool", cookie=True).get(f"/book/guitar-lesson?day={day}")) == []
    query = {"type": "guitar-lesson"}
    times = times_of(step(clara, "Leo Lindqvist", day=day, **query))
    assert times
    assert "Students could not book this time themselves" in text_of(clara.get(times[0]))
    far = a_later_day(weekday=3, weeks=30)
    for wanted in (day, far):
        answer = book(clara, "Leo Lindqvist", query, day=wanted)
        assert answer.status_code == 303, text_of(answer)
    set_rules(client, "guitar-lesson", minimum_notice_minutes=120, horizon_days=60)


def test_admins_who_book_for_themselves_are_held_to_the_rules(clara: httpx.Client, client: ClientFor) -> None:
    set_rules(client, "guitar-lesson", minimum_notice_minutes=86_400, horizon_days=61)
    page = step(clara, "Clara Weiss", type="guitar-lesson", day=a_later_day(weekday=3), **{"with": "tomas-rey"})
    assert "Nothing is free on" in text_of(page)
    set_rules(client, "guitar-lesson", minimum_notice_minutes=120, horizon_days=60)


def test_when_somebody_else_was_faster_the_nearest_times_are_offered_and_the_note_is_kept(
    clara: httpx.Client,
) -> None:
    query = {"type": "guitar-lesson", "with": "tomas-rey"}
    day = a_later_day(weekday=4, weeks=3)
    confirm = clara.get(times_of(step(clara, "Mia Okafor", day=day, **query))[2])
    assert book(clara, "Priya Nair", query, day=day, nth=2).status_code == 303
    [action] = [a for a in _actions(confirm) if a.startswith(NEW)]
    lost = send(clara, action, fields(confirm, action), note="Bring a capo.")
    assert lost.status_code == 409
    assert "Free times near it" in text_of(lost)
    assert fields(lost, action)["note"] == ["Bring a capo."]
    nearest = buttons(lost, "time")
    assert nearest
    taken = send(clara, action, fields(lost, action), time=nearest[0])
    assert taken.status_code == 303
    assert "Bring a capo." in text_of(clara.get(taken.headers["location"]))


def test_a_student_who_has_another_lesson_then_is_not_booked_twice(clara: httpx.Client) -> None:
    day = a_later_day(weekday=2, weeks=4)
    piano = {"with": "ida-berg", "place": "studio-linden"}
    pianos = times_of(step(clara, "Mia Okafor", day=day, type="piano-lesson", **piano))
    guitars = times_of(step(clara, "Mia Okafor", day=day, type="guitar-lesson"))
    time = min({fields_of(href)["time"] for href in pianos} & {fields_of(href)["time"] for href in guitars})
    path = f"{NEW}?student={handle(clara, 'Mia Okafor')}"
    assert send(clara, f"{path}&type=piano-lesson", {**piano, "time": time}).status_code == 303
    answer = send(clara, f"{path}&type=guitar-lesson", time=time)
    assert answer.status_code == 409
    assert "another lesson at this time" in text_of(answer)


@pytest.mark.parametrize(
    "values",
    [{}, {"time": "yesterday"}, {"time": "2026-12-03T15:00Z"}, {"with": "nobody", "time": "2001-01-01T10:00Z"}],
)
def test_what_cannot_be_booked_is_refused_in_words(clara: httpx.Client, values: dict[str, str]) -> None:
    path = f"{NEW}?student={handle(clara, 'Mia Okafor')}&type=piano-lesson"
    answer = clara.post(path, data=values)
    assert answer.status_code in (409, 422)
    assert "could not be booked" in text_of(answer)


def test_a_note_that_is_too_long_keeps_the_choice_and_the_note(clara: httpx.Client) -> None:
    query = {"type": "piano-lesson", "with": "ida-berg"}
    confirm = clara.get(times_of(step(clara, "Priya Nair", day=a_later_day(weekday=1, weeks=5), **query))[0])
    [action] = [a for a in _actions(confirm) if a.startswith(NEW)]
    values = fields(confirm, action)
    for note, status in (("x" * 1001, 422), ("\x00", 422), ("x" * 1000, 303)):
        answer = send(clara, action, values, note=note)
        assert answer.status_code == status
        if status == 422:
            assert message_at(answer, "note")
            assert fields(answer, action)["time"] == values["time"]


def test_drafts_can_be_booked_by_staff_and_say_so(clara: httpx.Client, client: ClientFor) -> None:
    set_rules(client, "violin-lesson", published=False)
    page = step(clara, "Leo Lindqvist")
    assert "Violin lesson Draft" in text_of(page)
    answer = book(clara, "Leo Lindqvist", {"type": "violin-lesson"}, day=a_later_day(weekday=1, weeks=3))
    assert answer.status_code == 303
    assert send(clara, "/admin/types/violin-lesson/archive").status_code == 303
    assert "Violin lesson" not in text_of(step(clara, "Leo Lindqvist"))
    assert step(clara, "Leo Lindqvist", type="violin-lesson").status_code == 404


def test_pages_of_lessons_keep_the_filters_and_take_constant_reads(
    clara: httpx.Client, settings: Settings, musicschool: School
) -> None:
    """Sixty lessons of one student, put straight into the table: only the list is looked at here."""
    with statements() as few:
        clara.get("/admin/bookings?show=all&q=leo&status=confirmed")
    with psycopg.connect(settings.database_url) as connection:
        connection.execute(
            ENTER,
            [str(musicschool.organization_id)],
        )
        start = datetime(2030, 1, 7, 10, tzinfo=UTC)
        for number in range(60):
            at = start + timedelta(days=number)
            row = connection.execute(
                "insert into sessions (organization_id, id, appointment_type_id, instructor_id, starts_at, "
                "ends_at, blocked_from, blocked_until, capacity) values (%s, gen_random_uuid(), %s, %s, "
                "%s, %s, %s, %s, 1) returning id",
                [
                    musicschool.organization_id,
                    musicschool.types["Music theory online"],
                    musicschool.members["ida@harmony.example"],
                    at,
                    at + timedelta(hours=1),
                    at,
                    at + timedelta(hours=1),
                ],
            ).fetchone()
            assert row is not None
            connection.execute(
                "insert into bookings (organization_id, id, reference, session_id, student_id, booked_by_id, "
                "starts_at, ends_at, confirmed_at, cancellation_notice_minutes, revision) values (%s, "
                "gen_random_uuid(), %s, %s, %s, %s, %s, %s, now(), 0, 0)",
                [
                    musicschool.organization_id,
                    f"ZZZZ-00{number:02}",
                    row[0],
                    musicschool.members["leo@example.com"],
                    musicschool.members["leo@example.com"],
                    at,
                    at + timedelta(hours=1),
                ],
            )
    with statements() as many:
        first = clara.get("/admin/bookings?show=all&q=leo&status=confirmed")
    assert len(few) == len(many) > 0
    assert len(lessons_in(first)) == 25
    second = clara.get(href_of(first, "Next"))
    assert "26 to 50 of" in text_of(second)
    assert set(lessons_in(first)).isdisjoint(lessons_in(second))
    assert "status=confirmed" in href_of(second, "Previous")
    beyond = clara.get("/admin/bookings?show=all&q=leo&page=99")
    assert beyond.status_code == 303
    assert clara.get(beyond.headers["location"]).status_code == 200
