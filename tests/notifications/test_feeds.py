"""Private calendars: who may have one, what is in it, and that it ends."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from icalendar import Calendar

from coursecove.bookings.schemas import BookingView
from coursecove.config import Settings
from coursecove.dev.postgres import EmbeddedPostgres
from coursecove.notifications import feeds
from coursecove.notifications.feeds import FeedKind
from coursecove.tenants import service as tenants
from tests.bookings.desk import CLARA, IDA, LEO, MIA, MONDAY, TOMAS, Desk, berlin
from tests.conftest import ClientFor
from tests.factories.world import School
from tests.isolation.databases import as_superuser
from tests.notifications import rfc5545

EVIL = "Bach; Händel, \\ and\r\nX-EVIL:1\r\nBEGIN:VEVENT \u2028 " + "very long " * 20 + "🎻" * 40


def booked(
    desk: Desk, student: str, name: str, starts_at: datetime, *, teacher: str = IDA, **options: Any
) -> BookingView:
    return desk.book(CLARA, name, starts_at, teacher=teacher, student=student, override_rules=True, **options)


@pytest.fixture
def open_feed(desk: Desk) -> Callable[..., str]:
    """``open_feed(email, kind)``: the path of a fresh feed, made in March of 2031."""

    def opened(email: str, kind: FeedKind = "student", **options: Any) -> str:
        made = desk.own(email, lambda session, by: feeds.open_feed(session, kind, by=by, **options))
        return f"/feeds/{made.token}.ics"

    return opened


def events(visitor: Any, path: str) -> dict[str, Any]:
    """What a calendar finds there, by UID; both parsers agree that it is one."""
    answer = visitor.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    own = rfc5545.read(answer.content)
    found = {str(event["UID"]): event for event in Calendar.from_ical(answer.content).walk("VEVENT")}
    assert {event.one("UID") for event in own.inside} == set(found)
    for event in own.inside:
        assert event.one("SUMMARY") == str(found[event.one("UID")]["SUMMARY"])
        assert event.one("DESCRIPTION") == str(found[event.one("UID")]["DESCRIPTION"])
    return found


def test_a_student_subscribes_to_their_lessons_without_signing_in(
    desk: Desk, client: ClientFor, open_feed: Callable[..., str]
) -> None:
    lesson = booked(desk, LEO, "Violin lesson", berlin(4, 14), note=EVIL)
    other = booked(desk, MIA, "Violin lesson", berlin(4, 16))
    path = open_feed(LEO)
    visitor = client("musicschool")
    found = events(visitor, path)
    assert f"{other.id}@coursecove.localhost" not in found
    event = found[f"{lesson.id}@coursecove.localhost"]
    assert event["SUMMARY"] == "Violin lesson with Ida Berg"
    assert event.decoded("dtstart") == lesson.starts_at
    assert event["LOCATION"].startswith("Studio Linden")
    assert lesson.reference in event["DESCRIPTION"]
    answer = visitor.get(path)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    calendar = Calendar.from_ical(answer.content)
    assert calendar["X-WR-CALNAME"] == "Lessons at Harmony Music School"

    moved = desk.move(CLARA, lesson, berlin(5, 9), instructor_id=desk.school.members[IDA], override_rules=True)
    event = events(visitor, path)[f"{lesson.id}@coursecove.localhost"]
    assert (event.decoded("dtstart"), event["SEQUENCE"]) == (moved.starts_at, 1)
    desk.cancel(CLARA, lesson)
    assert f"{lesson.id}@coursecove.localhost" not in events(visitor, path)


def test_a_calendar_that_knows_it_already_is_told_so(
    desk: Desk, client: ClientFor, open_feed: Callable[..., str], travel: Callable[[datetime], None]
) -> None:
    path, visitor = open_feed(LEO), client("musicschool")
    first = visitor.get(path)
    mark = first.headers["etag"]
    travel(MONDAY + timedelta(hours=5))
    again = visitor.get(path, headers={"If-None-Match": f'"other", {mark}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == mark
    booked(desk, LEO, "Violin lesson", berlin(6, 9))
    changed = visitor.get(path, headers={"If-None-Match": mark})
    assert changed.status_code == 200
    assert changed.headers["etag"] != mark


def test_text_of_people_stays_text(desk: Desk, client: ClientFor, open_feed: Callable[..., str]) -> None:
    """Notes and names with line breaks, separators and emoji; seen to fail with the escaping left out."""
    booked(desk, LEO, "Violin lesson", berlin(7, 9), note=EVIL)
    found = events(client("musicschool"), open_feed(IDA, "instructor"))
    [event] = [one for one in found.values() if "Händel" in str(one["DESCRIPTION"])]
    assert "Note: Bach; Händel, \\ and X-EVIL:1 BEGIN:VEVENT" in event["DESCRIPTION"]
    assert "🎻🎻" in event["DESCRIPTION"]
    assert "X-EVIL" not in event


def test_an_instructor_sees_who_comes_and_classes_once(
    desk: Desk, client: ClientFor, open_feed: Callable[..., str]
) -> None:
    desk.add_class("Choir of the feeds", [IDA], start_interval_minutes=None)
    lesson = booked(desk, LEO, "Violin lesson", berlin(10, 9))
    options: Any = {"place": "Studio Linden", "override_rules": True}
    [choir] = desk.schedule(CLARA, "Choir of the feeds", berlin(10, 17), teacher=IDA, **options)
    for email in (MIA, LEO):
        desk.book(email, "Choir of the feeds", berlin(10, 17), session_id=choir.id)
    found = events(client("musicschool"), open_feed(IDA, "instructor"))
    assert found[f"{lesson.id}@coursecove.localhost"]["SUMMARY"] == "Violin lesson with Leo Lindqvist"
    event = found[f"{choir.id}@coursecove.localhost"]
    assert event["SUMMARY"] == "Choir of the feeds (2 of 3)"
    assert "Mia Okafor" in event["DESCRIPTION"]
    # Students of the class read their own seat, and nobody else's name.
    to_mia = events(client("musicschool"), open_feed(MIA))
    assert not any("Leo" in str(event.to_ical()) for event in to_mia.values())


def test_a_location_has_a_calendar_for_admins(
    desk: Desk, client: ClientFor, open_feed: Callable[..., str]
) -> None:
    linden = desk.school.locations["Studio Linden"]
    there = booked(desk, LEO, "Violin lesson", berlin(11, 9), place="Studio Linden")
    path = open_feed(CLARA, "location", location_id=linden)
    found = events(client("musicschool"), path)
    assert found[f"{there.id}@coursecove.localhost"]["SUMMARY"] == (
        "Ida Berg: Violin lesson with Leo Lindqvist"
    )


def test_who_may_have_which(client: ClientFor, musicschool: School) -> None:
    linden = str(musicschool.locations["Studio Linden"])

    def asked(email: str, **body: Any) -> Any:
        return client("musicschool", email).post("/api/v1/calendar-feeds", json=body)

    for email, kind, status in (
        (LEO, "student", 201),
        (LEO, "instructor", 403),
        (LEO, "location", 403),
        (IDA, "student", 201),
        (IDA, "instructor", 201),
        (IDA, "location", 403),
        (CLARA, "location", 201),
    ):
        place = {"location_id": linden} if kind == "location" else {}
        assert asked(email, kind=kind, **place).status_code == status, (email, kind)
    for body in (
        {"kind": "location"},
        {"kind": "location", "location_id": str(uuid.uuid4())},
        {"kind": "student", "location_id": linden},
    ):
        answer = asked(CLARA, **body)
        assert (answer.status_code, list(answer.json()["fields"])) == (422, ["location_id"])
    assert asked(LEO, kind="everything").status_code == 400


@pytest.fixture
def noah(desk: Desk, settings: Settings) -> Iterator[str]:
    """A child of Mia's."""
    desk.school.members["noah"] = uuid.uuid4()
    desk.rows(
        "insert into members (organization_id, id, given_name, family_name, clerk_role, guardian_id, version) "
        "values (:organization, :id, 'Noah', 'Okafor', 'none', :mia, 0) returning id",
        organization=desk.school.organization_id,
        id=desk.school.members["noah"],
        mia=desk.school.members[MIA],
    )
    yield "noah"
    with psycopg.connect(settings.database_platform_url) as platform:
        platform.execute("update members set removed_at = now() where given_name = 'Noah'")


def test_a_guardian_has_the_childrens_lessons_with_their_names(
    desk: Desk, client: ClientFor, open_feed: Callable[..., str], noah: str
) -> None:
    lesson = booked(desk, noah, "Violin lesson", berlin(12, 9))
    found = events(client("musicschool"), open_feed(MIA))
    assert found[f"{lesson.id}@coursecove.localhost"]["SUMMARY"] == "Noah Okafor: Violin lesson with Ida Berg"
    assert f"{lesson.id}@coursecove.localhost" not in events(client("musicschool"), open_feed(LEO))


def test_a_replaced_or_ended_address_opens_nothing(client: ClientFor, settings: Settings) -> None:
    visitor, leo = client("musicschool"), client("musicschool", LEO)

    def opened() -> str:
        url = leo.post("/api/v1/calendar-feeds", json={"kind": "student"}).json()["url"]
        origin = settings.origin("musicschool")
        assert url.startswith(f"{origin}/feeds/")
        return str(url.removeprefix(origin))

    first = opened()
    second = opened()
    nothing = visitor.get(first)
    assert (nothing.status_code, nothing.text) == (404, "There is no calendar here.\n")
    assert visitor.get(second).status_code == 200
    [feed] = [one for one in leo.get("/api/v1/calendar-feeds").json()["items"] if one["kind"] == "student"]
    assert set(feed) == {"id", "kind", "location_id", "created_at", "last_read_at"}
    # Not somebody else's to end.
    assert client("musicschool", MIA).delete(f"/api/v1/calendar-feeds/{feed['id']}").status_code == 404
    assert client("musicschool", CLARA).delete(f"/api/v1/calendar-feeds/{feed['id']}").status_code == 404
    assert leo.delete(f"/api/v1/calendar-feeds/{feed['id']}").status_code == 204
    assert leo.delete(f"/api/v1/calendar-feeds/{feed['id']}").status_code == 404
    # Ended, made up, cut short, of another school, without its ending: one and the same answer.
    alive = opened()
    made_up = f"/feeds/{'x' * 43}.ics"
    for wrong in (second, made_up, "/feeds/.ics", alive.removesuffix(".ics"), "/feeds/%C3%A9.ics"):
        answer = visitor.get(wrong)
        assert (answer.status_code, answer.content) == (404, nothing.content), wrong
    assert client("yoga").get(alive).content == nothing.content
    assert visitor.get(alive).status_code == 200


def test_the_database_keeps_no_secret(
    open_feed: Callable[..., str], postgres: EmbeddedPostgres, settings: Settings
) -> None:
    secret = open_feed(LEO).removeprefix("/feeds/").removesuffix(".ics")
    assert len(secret) == 43
    with as_superuser(postgres, settings) as connection:
        for table in ("calendar_feeds", "events"):
            rows = connection.execute(f"select t::text from {table} t").fetchall()
            assert rows
            assert not any(secret in row for (row,) in rows)


def test_who_leaves_or_loses_their_role_takes_the_feed_along(
    desk: Desk, client: ClientFor, open_feed: Callable[..., str]
) -> None:
    """Seen to fail without the look at the reader's role."""
    visitor = client("musicschool")
    taught = open_feed(TOMAS, "instructor")
    at_linden = open_feed(CLARA, "location", location_id=desk.school.locations["Studio Linden"])

    def works(path: str) -> bool:
        return bool(visitor.get(path).status_code == 200)

    def change(verb: Any, email: str, *values: Any, by: str = CLARA) -> None:
        member_id = desk.school.members[email]
        desk.own(by, lambda session, admin: verb(session, member_id, *values, by=admin))

    assert works(taught)
    change(tenants.deactivate_member, TOMAS)
    assert not works(taught)
    change(tenants.reactivate_member, TOMAS)
    change(tenants.change_role, TOMAS, "student")
    assert not works(taught)
    change(tenants.change_role, TOMAS, "instructor")
    assert works(taught)
    assert works(at_linden)
    change(tenants.change_role, IDA, "admin")
    change(tenants.change_role, CLARA, "instructor", by=IDA)
    assert not works(at_linden)
    change(tenants.change_role, CLARA, "admin", by=IDA)
    change(tenants.change_role, IDA, "instructor")
    assert works(at_linden)


def test_reading_is_noted_to_the_hour(
    desk: Desk, client: ClientFor, open_feed: Callable[..., str], travel: Callable[[datetime], None]
) -> None:
    visitor, path = client("musicschool"), open_feed(LEO)

    def noted() -> Any:
        found = desk.own(LEO, lambda session, by: feeds.find_feed(session, "student", by=by))
        assert found is not None
        return found.last_read_at

    assert noted() is None
    visitor.get(path)
    assert noted() == MONDAY
    travel(MONDAY + timedelta(minutes=59))
    visitor.get(path)
    assert noted() == MONDAY
    travel(MONDAY + timedelta(minutes=61))
    visitor.get(path)
    assert noted() == MONDAY + timedelta(minutes=61)


def test_the_page_shows_the_address_once(client: ClientFor) -> None:
    page = client("musicschool", LEO, cookie=True)
    page.post("/lessons/calendar/revocation")
    assert "Get the address" in page.get("/lessons/calendar").text
    made = page.post("/lessons/calendar")
    assert made.status_code == 200
    [address] = set(re.findall(r"data-copy=\"http://[^\"]+/feeds/([^\"]+)\"", made.text))
    assert "webcal://musicschool.coursecove.localhost" in made.text
    assert made.headers["cache-control"] == "no-store"
    again = page.get("/lessons/calendar").text
    assert "There is an address" in again
    assert address not in again
    visitor = client("musicschool")
    assert visitor.get(f"/feeds/{address}").status_code == 200
    ended = page.post("/lessons/calendar/revocation")
    assert ended.status_code == 303
    assert visitor.get(f"/feeds/{address}").status_code == 404
