"""Lists and single bookings: what each role sees of them, and what it does not."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import event

from coursecove.bookings import service
from coursecove.bookings.schemas import BookingPage, BookingView
from coursecove.errors import NotFound
from tests.bookings.desk import CLARA, IDA, LEO, MIA, MONDAY, TOMAS, Desk, berlin


@pytest.fixture(scope="module")
def booked(harmony: Desk) -> dict[str, uuid.UUID]:
    """A week of lessons, made once for this module."""
    patch = pytest.MonkeyPatch()
    patch.setattr("coursecove.clock._read", lambda: MONDAY)
    try:
        made = {
            "mia violin": harmony.book(MIA, "Violin lesson", berlin(4, 9)),
            "mia guitar": harmony.book(MIA, "Guitar lesson", berlin(5, 15)),
            "leo guitar": harmony.book(LEO, "Guitar lesson", berlin(5, 18)),
            "leo theory": harmony.book(LEO, "Music theory online", berlin(7, 10)),
            "ida guitar": harmony.book(IDA, "Guitar lesson", berlin(6, 15)),
        }
        harmony.cancel(LEO, made["leo guitar"])
    finally:
        patch.undo()
    return {name: booking.id for name, booking in made.items()}


def _list(desk: Desk, email: str, **filters: Any) -> BookingPage:
    filters.setdefault("from_", MONDAY)
    return desk.acting(email, lambda session, by: service.list_bookings(session, viewer=by, **filters))


def _by_reference(desk: Desk, email: str, reference: str) -> BookingView:
    return desk.acting(
        email, lambda session, by: service.get_booking_by_reference(session, reference, viewer=by)
    )


def _names(page: BookingPage, booked: dict[str, uuid.UUID]) -> list[str]:
    names = {booking_id: name for name, booking_id in booked.items()}
    return [names[item.id] for item in page.items]


def test_students_list_their_own_lessons_only(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    assert _names(_list(desk, MIA), booked) == ["mia violin", "mia guitar"]
    other = desk.school.members[LEO]
    assert _list(desk, MIA, student_id=other).total == 0


def test_instructors_list_what_they_teach_and_what_they_take(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    assert _names(_list(desk, TOMAS), booked) == ["mia guitar", "leo guitar", "ida guitar"]
    assert _names(_list(desk, IDA), booked) == ["mia violin", "ida guitar", "leo theory"]


def test_admins_list_everything_and_filters_narrow_it(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    members, types = desk.school.members, desk.school.types
    assert _list(desk, CLARA).total == 5
    assert _names(_list(desk, CLARA, student_id=members[LEO]), booked) == ["leo guitar", "leo theory"]
    assert _names(_list(desk, CLARA, instructor_id=members[IDA]), booked) == ["mia violin", "leo theory"]
    assert _names(_list(desk, CLARA, status="cancelled"), booked) == ["leo guitar"]
    guitar = _list(desk, CLARA, appointment_type_id=types["Guitar lesson"], status="confirmed")
    assert _names(guitar, booked) == ["mia guitar", "ida guitar"]
    week = _list(desk, CLARA, from_=berlin(5, 15), until=berlin(6, 15))
    assert _names(week, booked) == ["mia guitar", "leo guitar"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("okafor", ["mia violin", "mia guitar"]),
        ("GUITAR mia", ["mia guitar"]),
        ("tomás leo", ["leo guitar"]),
        ("100%", []),
        ("_", []),
        ("a\x00b", []),
        ("  ", ["mia violin", "mia guitar", "leo guitar", "ida guitar", "leo theory"]),
    ],
)
def test_search_finds_every_word_in_names_types_and_references(
    desk: Desk, booked: dict[str, uuid.UUID], search: str, found: list[str]
) -> None:
    assert _names(_list(desk, CLARA, search=search), booked) == found


def test_a_reference_is_found_by_search(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    reference = desk.get(MIA, booked["mia violin"]).reference
    assert _names(_list(desk, CLARA, search=reference.lower()), booked) == ["mia violin"]


def test_pages_follow_one_another_in_either_order(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    forward = [_list(desk, CLARA, page=page, page_size=2) for page in (1, 2, 3, 4)]
    assert [len(page.items) for page in forward] == [2, 2, 1, 0]
    assert {page.total for page in forward} == {5}
    backward = _list(desk, CLARA, order="-starts_at", page_size=200)
    assert [item.id for page in forward for item in page.items] == [item.id for item in backward.items][::-1]


def test_a_list_takes_a_constant_number_of_queries_however_long_it_is(
    desk: Desk, booked: dict[str, uuid.UUID]
) -> None:
    queries: list[str] = []
    engine = desk.database._app.sync_engine

    def note(*arguments: Any) -> None:
        if "bookings" in arguments[2] or "lesson_notes" in arguments[2]:
            queries.append(arguments[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        _list(desk, CLARA)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    # The count, the page, its notes and the seats of its classes (the demo has none of those).
    assert len(queries) == 3


def test_a_student_cannot_see_another_students_booking(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    """Not by id, not by reference, and with the same words as for one that does not exist."""
    reference = desk.get(MIA, booked["mia violin"]).reference
    assert desk.get(MIA, booked["mia violin"]).id == booked["mia violin"]
    refusals = []
    for booking_id in (booked["mia violin"], uuid.uuid4()):
        with pytest.raises(NotFound) as refusal:
            desk.get(LEO, booking_id)
        refusals.append((refusal.value.detail, refusal.value.extra))
    assert refusals[0] == refusals[1]
    for written in (reference, "0000-0000", "nonsense"):
        with pytest.raises(NotFound):
            _by_reference(desk, LEO, written)
    typed = reference.replace("-", " ").lower()
    found = _by_reference(desk, MIA, typed)
    assert found.id == booked["mia violin"]


def test_addresses_are_for_the_staff_of_the_lesson(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    by_student = desk.get(MIA, booked["mia violin"])
    assert (by_student.student.email, by_student.instructor.email) == (MIA, None)
    by_instructor = desk.get(IDA, booked["mia violin"])
    assert by_instructor.student.email == MIA
    assert desk.get(CLARA, booked["mia violin"]).instructor.email == IDA
    # An instructor who takes a lesson is a student in it.
    assert desk.get(IDA, booked["ida guitar"]).instructor.email is None


def test_the_meeting_link_is_for_the_two_who_meet(desk: Desk, booked: dict[str, uuid.UUID]) -> None:
    link = "https://meet.example.com/ida-berg"
    assert desk.get(LEO, booked["leo theory"]).meeting_url == link
    assert desk.get(IDA, booked["leo theory"]).meeting_url == link
    assert desk.get(CLARA, booked["leo theory"]).meeting_url is None
    assert desk.get(MIA, booked["mia violin"]).meeting_url is None
