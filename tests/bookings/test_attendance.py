"""Who came: noted by the lesson's own staff, from its start on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from coursecove.bookings import service
from coursecove.bookings.errors import NotTaughtYet
from coursecove.bookings.schemas import Attendance, AttendanceUpdate, BookingView
from coursecove.errors import Conflict, Forbidden, NotFound
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin

Travel = Callable[[datetime], None]


def note(desk: Desk, email: str, booking: BookingView, attendance: Attendance | None) -> BookingView:
    update = AttendanceUpdate(attendance)
    return desk.own(email, lambda session, by: service.note_attendance(session, booking.id, update, by=by))


def test_attendance_is_noted_from_the_very_start_and_the_student_reads_it(desk: Desk, travel: Travel) -> None:
    lesson = desk.book(MIA, "Violin lesson", berlin(4, 9))
    travel(lesson.starts_at - timedelta(seconds=1))
    assert not desk.get(IDA, lesson.id).can_note_attendance
    with pytest.raises(NotTaughtYet):
        note(desk, IDA, lesson, "present")
    travel(lesson.starts_at)
    assert desk.get(IDA, lesson.id).can_note_attendance
    noted = note(desk, IDA, lesson, "late")
    # A fact about the lesson, no change of it: calendars and mails have nothing to follow.
    assert (noted.attendance, noted.revision) == ("late", 0)
    assert desk.get(MIA, lesson.id).attendance == "late"
    assert note(desk, CLARA, lesson, "excused").attendance == "excused"
    assert note(desk, IDA, lesson, None).attendance is None
    told = [fact["attendance"] for fact in desk.facts(lesson.id, "booking.attendance_noted")]
    assert told == [
        {"from": None, "to": "late"},
        {"from": "late", "to": "excused"},
        {"from": "excused", "to": None},
    ]


def test_noting_the_same_again_changes_nothing(desk: Desk, travel: Travel) -> None:
    lesson = desk.book(MIA, "Violin lesson", berlin(4, 10, 30))
    travel(lesson.starts_at)
    for _again in range(2):
        note(desk, IDA, lesson, "present")
    assert len(desk.facts(lesson.id, "booking.attendance_noted")) == 1


def test_only_the_lessons_own_instructor_and_admins_note_it(desk: Desk, travel: Travel) -> None:
    """Seen to fail with ``is_staff_of`` answering True: the student then notes herself present."""
    lesson = desk.book(MIA, "Violin lesson", berlin(5, 9))
    travel(lesson.ends_at + timedelta(days=30))
    with pytest.raises(Forbidden):
        note(desk, MIA, lesson, "present")
    for stranger in (LEO, TOMAS):
        with pytest.raises(NotFound):
            note(desk, stranger, lesson, "present")
    assert desk.get(CLARA, lesson.id).attendance is None
    assert note(desk, IDA, lesson, "absent").attendance == "absent"


def test_who_booked_a_lesson_for_a_student_but_does_not_teach_it_notes_nothing(
    desk: Desk, travel: Travel
) -> None:
    """Tomás sees what he booked for himself with Ida; he is its student there, not its staff."""
    lesson = desk.book(TOMAS, "Violin lesson", berlin(6, 9))
    travel(lesson.starts_at)
    with pytest.raises(Forbidden):
        note(desk, TOMAS, lesson, "present")


def test_what_does_not_take_place_has_no_attendance(desk: Desk, travel: Travel) -> None:
    lesson = desk.book(MIA, "Violin lesson", berlin(5, 10, 30))
    desk.cancel(IDA, lesson)
    travel(lesson.starts_at)
    with pytest.raises(Conflict):
        note(desk, IDA, lesson, "present")
    assert not desk.get(IDA, lesson.id).can_note_attendance
