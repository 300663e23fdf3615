"""Seats in classes, and the waiting list of a full one, in the student portal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.conftest import ClientFor
from tests.factories.world import School
from tests.portals.reading import RAW_ID, fields_of, hidden_fields, links, text_of, times_of

MIA, LEO, PRIYA = "mia@example.com", "leo@example.com", "priya@example.com"
_STARTS = iter(range(1, 60))


@dataclass(frozen=True)
class Choir:
    """A class with one seat on the calendar, that Mia sits in."""

    slug: str
    page: str
    lesson: str


def schedule(client: ClientFor, school: School, *, seats: int) -> tuple[str, datetime]:
    """Put a class of an hour on the calendar, and return its type's slug and its start."""
    admin = client("musicschool", "clara@harmony.example")
    number = next(_STARTS)
    ida = str(school.members["ida@harmony.example"])
    type_ = admin.post(
        "/api/v1/appointment-types",
        json={
            "name": f"Choir {number}",
            "kind": "class",
            "capacity": max(seats, 2),
            "duration_minutes": 60,
            "location_mode": "online",
            "instructor_ids": [ida],
        },
    )
    assert type_.status_code == 201, type_.text
    # Sundays are free of everything else in the demo's world.
    today = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0)
    starts_at = today + timedelta(days=7 - today.isoweekday() + 7 * (number % 6 + 1), hours=number // 6)
    made = admin.post(
        "/api/v1/classes",
        json={
            "appointment_type_id": type_.json()["id"],
            "instructor_id": ida,
            "starts_at": [starts_at.isoformat()],
            "capacity": seats,
            "override_rules": True,
        },
    )
    assert made.status_code == 201, made.text
    return type_.json()["slug"], starts_at


def take_a_seat(student: httpx.Client, slug: str) -> str:
    confirm = student.get(times_of(student.get(f"/book/{slug}"))[0])
    assert "Take this seat" in text_of(confirm), text_of(confirm)
    booked = student.post(f"/book/{slug}", data=hidden_fields(confirm))
    assert booked.status_code == 303, text_of(booked)
    return str(booked.headers["location"]).partition("?")[0]


@pytest.fixture
def choir(client: ClientFor, musicschool: School) -> Choir:
    slug, _ = schedule(client, musicschool, seats=1)
    lesson = take_a_seat(client("musicschool", MIA, cookie=True), slug)
    [page] = links(client("musicschool", LEO, cookie=True).get(f"/book/{slug}"), "^/classes/")[:1]
    return Choir(slug, page, lesson)


def test_a_seat_is_taken_with_as_few_taps_as_a_lesson_and_names_nobody_else(
    client: ClientFor, musicschool: School
) -> None:
    slug, _ = schedule(client, musicschool, seats=3)
    mia, leo = client("musicschool", MIA, cookie=True), client("musicschool", LEO, cookie=True)
    take_a_seat(leo, slug)
    lesson = take_a_seat(mia, slug)
    assert "Leo" not in text_of(mia.get(f"/book/{slug}"))
    page = mia.get(lesson)
    assert "Your seat in a class for 3" in text_of(page)
    assert "Leo" not in text_of(page)
    # Giving one's seat back cancels nobody else's.
    assert mia.post(f"{lesson}/cancel", data={"reason": ""}).status_code == 303
    assert "Choir" in text_of(leo.get("/lessons"))


def test_a_full_class_is_listed_and_can_be_waited_for(client: ClientFor, choir: Choir) -> None:
    leo, visitor = client("musicschool", LEO, cookie=True), client("musicschool", cookie=True)
    assert "Fully booked" in text_of(leo.get(f"/book/{choir.slug}"))
    assert "Sign in to wait for a seat." in text_of(visitor.get(choir.page))
    assert links(visitor.get(choir.page), r"^/sign-in\?return_to=/classes/")
    page = leo.get(choir.page)
    assert "This class is full" in text_of(page)
    assert choir.lesson in links(client("musicschool", MIA, cookie=True).get(choir.page), "^/lessons/")
    joined = leo.post(f"{choir.page}/wait", data=hidden_fields(page))
    assert joined.status_code == 303, text_of(joined)
    assert "You are next." in text_of(leo.get(choir.page))
    assert choir.page in links(leo.get("/lessons"), "^/classes/")
    assert not RAW_ID.search(leo.get(choir.page).text)
    left = leo.post(f"{choir.page}/leave", data={"for": "me"})
    assert left.status_code == 303
    assert "Join the waiting list" in text_of(leo.get(choir.page))


def test_a_freed_seat_is_offered_in_order_with_its_deadline_and_can_be_taken(
    client: ClientFor, choir: Choir
) -> None:
    leo, priya = client("musicschool", LEO, cookie=True), client("musicschool", PRIYA, cookie=True)
    leo.post(f"{choir.page}/wait", data={"for": "me"})
    priya.post(f"{choir.page}/wait", data={"for": "me"})
    assert "1 person is before you." in text_of(priya.get(choir.page))
    client("musicschool", MIA, cookie=True).post(f"{choir.lesson}/cancel", data={"reason": ""})
    page = leo.get(choir.page)
    assert "A seat is free" in text_of(page)
    assert "It is kept for Leo Lindqvist until" in text_of(page)
    # It stands on the page one opens first, too.
    assert "A seat is free for you until" in text_of(leo.get("/"))
    assert "A seat is free" not in text_of(priya.get(choir.page))
    taken = leo.post(f"{choir.page}/accept", data={"for": "me", "note": "I sing low."})
    assert taken.status_code == 303, text_of(taken)
    lesson = leo.get(taken.headers["location"])
    assert "You’re booked" in text_of(lesson)
    assert "I sing low." in text_of(lesson)
    assert "You are next." in text_of(priya.get(choir.page))


def test_a_declined_seat_goes_to_the_next_one_and_comes_too_late_for_the_first(
    client: ClientFor, choir: Choir
) -> None:
    leo, priya = client("musicschool", LEO, cookie=True), client("musicschool", PRIYA, cookie=True)
    leo.post(f"{choir.page}/wait", data={"for": "me"})
    priya.post(f"{choir.page}/wait", data={"for": "me"})
    client("musicschool", MIA, cookie=True).post(f"{choir.lesson}/cancel", data={"reason": ""})
    assert leo.post(f"{choir.page}/leave", data={"for": "me"}).status_code == 303
    assert "A seat is free" in text_of(priya.get(choir.page))
    assert leo.post(f"{choir.page}/accept", data={"for": "me"}).status_code == 404


def test_a_parent_waits_for_a_child(client: ClientFor, choir: Choir) -> None:
    leo = client("musicschool", LEO, cookie=True)
    leo.post("/family", data={"given_name": "Nils"})
    [for_nils] = links(leo.get(choir.page), r"\?for=nils")
    joined = leo.post(f"{choir.page}/wait", data={"for": fields_of(for_nils)["for"]})
    assert joined.status_code == 303
    assert "for Nils Lindqvist" in text_of(leo.get("/lessons"))
    # The address without a name finds the place of the family.
    assert "You are next." in text_of(leo.get(choir.page))
    assert "Join the waiting list" in text_of(leo.get(f"{choir.page}?for=me"))


def test_a_class_with_seats_left_leads_to_booking_one(client: ClientFor, musicschool: School) -> None:
    slug, starts_at = schedule(client, musicschool, seats=2)
    mia = client("musicschool", MIA, cookie=True)
    found = client("musicschool", "clara@harmony.example").get(
        "/api/v1/classes",
        params={"from": starts_at.isoformat(), "to": (starts_at + timedelta(hours=1)).isoformat()},
    )
    handle = next(item["handle"] for item in found.json()["items"] if item["appointment_type"]["slug"] == slug)
    page = mia.get(f"/classes/{handle}")
    assert "2 seats left" in text_of(page)
    [href] = links(page, rf"^/book/{slug}\?.*time=")
    assert "Take this seat" in text_of(mia.get(href))
    refused = mia.post(f"/classes/{handle}/wait", data={"for": "me"})
    assert refused.status_code == 409
    assert mia.get("/classes/choir-aaaaaaaa").status_code == 404
