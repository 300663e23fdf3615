"""Clocks that change somewhere: who is told, what moves and by how much, over real zones."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from coursecove.bookings.schemas import BookingView
from coursecove.bookings.zoned_lessons import ZonedLesson
from coursecove.notifications.clock_changes import (
    back_at,
    changes_between,
    last_move_before,
    moved_by,
    shifts,
)
from coursecove.notifications.clock_planning import plan_notices
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import PreferencesUpdate
from tests.bookings.desk import CLARA, IDA, LEO, MIA, MONDAY, Desk
from tests.notifications.post import Mail, Mailroom, PostOffice

BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"
HOUR = timedelta(hours=1)
# 2031: New York changes on 9 March, Berlin on 30 March; back on 26 October and 2 November.
NY_SPRING = datetime(2031, 3, 9, 7, tzinfo=UTC)
BERLIN_SPRING = datetime(2031, 3, 30, 1, tzinfo=UTC)
BERLIN_AUTUMN = datetime(2031, 10, 26, 1, tzinfo=UTC)
NY_AUTUMN = datetime(2031, 11, 2, 6, tzinfo=UTC)
STUDENT, TEACHER, LESSON = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()


def weekly(first: datetime, weeks: int, zone: str, *, teacher: uuid.UUID = TEACHER) -> list[ZonedLesson]:
    """Lessons every week at the wall-clock time that ``first`` shows in a zone."""
    lessons = []
    for number in range(weeks):
        wall = first.replace(tzinfo=ZoneInfo(zone)) + timedelta(weeks=number)
        start = wall.astimezone(UTC)
        lessons.append(
            ZonedLesson(
                booking_id=uuid.uuid4(),
                reference=f"K7QF-{number:04}",
                student_id=STUDENT,
                guardian_id=None,
                student="Mia",
                instructor_id=teacher,
                instructor="Ida",
                appointment_type_id=LESSON,
                appointment_type="Theory",
                starts_at=start,
                ends_at=start + HOUR,
                time_zone=zone,
            )
        )
    return lessons


def test_changes_are_found_to_the_second_in_zones_that_have_them() -> None:
    year = (datetime(2031, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC))
    assert changes_between(NEW_YORK, *year) == [NY_SPRING, NY_AUTUMN]
    assert changes_between(BERLIN, *year) == [BERLIN_SPRING, BERLIN_AUTUMN]
    assert changes_between(KOLKATA, *year) == []
    assert changes_between("America/Phoenix", *year) == []
    # Half an hour, on the other side of the world.
    assert changes_between("Australia/Lord_Howe", *year) == [
        datetime(2031, 4, 5, 15, tzinfo=UTC),
        datetime(2031, 10, 4, 15, 30, tzinfo=UTC),
    ]
    # The bounds: an instant belongs to the span it ends, not to the one it begins.
    assert changes_between(NEW_YORK, NY_SPRING - HOUR, NY_SPRING) == [NY_SPRING]
    assert changes_between(NEW_YORK, NY_SPRING, NY_SPRING + HOUR) == []


@pytest.mark.parametrize(
    ("reader", "schedule", "change", "by"),
    [
        (NEW_YORK, BERLIN, NY_SPRING, HOUR),
        (NEW_YORK, BERLIN, BERLIN_SPRING, -HOUR),
        (NEW_YORK, BERLIN, BERLIN_AUTUMN, HOUR),
        (NEW_YORK, BERLIN, NY_AUTUMN, -HOUR),
        (BERLIN, NEW_YORK, NY_SPRING, -HOUR),
        (KOLKATA, BERLIN, BERLIN_SPRING, -HOUR),
        (BERLIN, KOLKATA, BERLIN_SPRING, HOUR),
        # Both change at the same instant, so nothing moves between them.
        ("Europe/London", BERLIN, BERLIN_SPRING, timedelta(0)),
        (KOLKATA, "Asia/Singapore", BERLIN_SPRING, timedelta(0)),
        (BERLIN, BERLIN, BERLIN_SPRING, timedelta(0)),
        ("Australia/Lord_Howe", KOLKATA, datetime(2031, 4, 5, 15, tzinfo=UTC), -HOUR / 2),
    ],
)
def test_how_far_a_lesson_moves(reader: str, schedule: str, change: datetime, by: timedelta) -> None:
    assert moved_by(reader, schedule, change) == by


def test_weekly_lessons_move_for_the_weeks_between_two_changes() -> None:
    lessons = weekly(datetime(2031, 2, 18, 16), 10, BERLIN)
    moved = shifts(lessons, NEW_YORK, NY_SPRING)
    assert [f"{shift.lesson.starts_at:%d %b}" for shift in moved] == ["11 Mar", "18 Mar", "25 Mar"]
    assert {shift.by for shift in moved} == {HOUR}
    assert back_at(NEW_YORK, BERLIN, NY_SPRING) == BERLIN_SPRING
    # The second change says that they are back; from there on nothing brings them elsewhere.
    assert len(shifts(lessons, NEW_YORK, BERLIN_SPRING)) == 4
    assert back_at(NEW_YORK, BERLIN, BERLIN_SPRING) is None
    assert shifts(lessons, BERLIN, BERLIN_SPRING) == []
    assert shifts(lessons, "Europe/London", BERLIN_SPRING) == []


def test_nobody_is_used_to_what_they_never_had() -> None:
    """Single lessons, another weekday, another teacher: they were booked at the time they are at."""
    assert shifts(weekly(datetime(2031, 3, 11, 16), 3, BERLIN), NEW_YORK, NY_SPRING) == []
    before = weekly(datetime(2031, 3, 3, 16), 1, BERLIN)
    assert shifts([*before, *weekly(datetime(2031, 3, 11, 16), 1, BERLIN)], NEW_YORK, NY_SPRING) == []
    other = weekly(datetime(2031, 3, 10, 16), 1, BERLIN, teacher=uuid.uuid4())
    assert shifts([*before, *other], NEW_YORK, NY_SPRING) == []
    same = weekly(datetime(2031, 3, 10, 16), 1, BERLIN)
    assert len(shifts([*before, *same], NEW_YORK, NY_SPRING)) == 1
    long_ago = weekly(datetime(2031, 1, 27, 16), 1, BERLIN)
    assert shifts([*long_ago, *same], NEW_YORK, NY_SPRING) == []


@pytest.fixture
def lessons(desk: Desk, travel: Callable[[datetime], None]) -> Iterator[Callable[..., list[BookingView]]]:
    """``lessons(email)``: Tuesdays at 16:00 in Berlin, online, for five weeks from 4 March."""
    made: list[BookingView] = []

    def book(email: str, *, hour: int = 16) -> list[BookingView]:
        for week in range(5):
            start = datetime(2031, 3, 4, hour, tzinfo=ZoneInfo(BERLIN)) + timedelta(weeks=week)
            made.append(
                desk.book(
                    CLARA,
                    "Music theory online",
                    start.astimezone(UTC),
                    teacher=IDA,
                    student=email,
                    override_rules=True,
                )
            )
        return made

    yield book
    travel(MONDAY)
    for booking in made:
        desk.cancel(CLARA, booking)


@pytest.fixture(autouse=True)
def _as_before(desk: Desk) -> Iterator[None]:
    yield
    for email in (LEO, MIA):
        prefer(desk, email, time_zone=None, clock_change_notices=True)


def prefer(desk: Desk, email: str, **choice: Any) -> None:
    changes = PreferencesUpdate(**choice)
    desk.own(email, lambda session, by: tenants.update_preferences(session, changes, by=by))


def planned(desk: Desk, email: str) -> list[Any]:
    return desk.rows(
        "select id, clock_change_at from deliveries where kind = 'clock_change' and recipient_id = :id "
        "order by clock_change_at",
        id=desk.school.members[email],
    )


def look(desk: Desk, now: datetime) -> None:
    desk.run(lambda session: plan_notices(session, now=now))


def text_of(mail: Mail) -> str:
    return str(mail.part("text/plain").get_content()).replace("\r\n", "\n")


def test_a_student_elsewhere_is_told_a_week_ahead_and_once(
    desk: Desk,
    mailroom: Mailroom,
    office: PostOffice,
    travel: Callable[[datetime], None],
    lessons: Callable[..., list[BookingView]],
) -> None:
    prefer(desk, LEO, time_zone=NEW_YORK)
    lessons(LEO)
    look(desk, NY_SPRING - timedelta(days=7, seconds=1))
    assert planned(desk, LEO) == []
    for _again in range(2):
        look(desk, NY_SPRING - timedelta(days=7))
    [delivery] = planned(desk, LEO)
    assert delivery.clock_change_at == NY_SPRING
    travel(NY_SPRING - timedelta(days=7))
    mailroom.deliver(delivery.id)
    mail = office.to(LEO)
    assert mail.message["Subject"] == "From Sun 9 Mar, your lessons are at another time on your clock"
    text = text_of(mail)
    assert "On Sun 9 Mar the clocks change in New York." in text
    assert "stay where they are on the clock of Berlin" in text
    for day in ("Tue 11 Mar", "Tue 18 Mar", "Tue 25 Mar"):
        assert f"{day}:" in text
    assert text.count("11:00 instead of 10:00, New York time") == 3
    assert "16:00 Berlin time" in text
    assert "From Sun 30 Mar on they are at the usual time again." in text
    assert "Tue 1 Apr" not in text
    assert "/unsubscribe/" in mail.message["List-Unsubscribe"]
    # Berlin follows three weeks later, and that is said as well.
    look(desk, BERLIN_SPRING - timedelta(days=3))
    assert [one.clock_change_at for one in planned(desk, LEO)] == [NY_SPRING, BERLIN_SPRING]


@pytest.mark.parametrize("zone", [BERLIN, "Europe/London", None])
def test_whose_clock_goes_along_is_told_nothing(
    desk: Desk, lessons: Callable[..., list[BookingView]], zone: str | None
) -> None:
    prefer(desk, MIA, time_zone=zone)
    lessons(MIA, hour=18)
    for change in (NY_SPRING, BERLIN_SPRING):
        look(desk, change - timedelta(days=2))
    assert planned(desk, MIA) == []


def test_who_does_not_want_to_know_is_not_told_and_the_link_in_the_mail_says_so(
    desk: Desk,
    mailroom: Mailroom,
    office: PostOffice,
    travel: Callable[[datetime], None],
    lessons: Callable[..., list[BookingView]],
    client: Any,
) -> None:
    prefer(desk, MIA, time_zone=KOLKATA, clock_change_notices=False)
    lessons(MIA, hour=18)
    look(desk, BERLIN_SPRING - timedelta(days=2))
    assert planned(desk, MIA) == []
    prefer(desk, MIA, clock_change_notices=True)
    look(desk, BERLIN_SPRING - timedelta(days=2))
    [delivery] = planned(desk, MIA)
    travel(BERLIN_SPRING - timedelta(days=2))
    mailroom.deliver(delivery.id)
    text = text_of(office.to(MIA))
    assert "21:30 instead of 22:30, Kolkata time" in text
    link = office.to(MIA).message["List-Unsubscribe"].strip("<>")
    path = link.removeprefix(mailroom.resources.settings.origin("musicschool"))
    done = client("musicschool").post(path, data={"List-Unsubscribe": "One-Click"})
    assert "No more notices of clock changes" in done.text
    chosen = desk.own(MIA, lambda session, by: tenants.get_preferences(session, by.id))
    assert (chosen.clock_change_notices, chosen.reminder_minutes) == (False, None)


def test_what_does_not_move_any_more_is_not_told(
    desk: Desk,
    mailroom: Mailroom,
    office: PostOffice,
    travel: Callable[[datetime], None],
    lessons: Callable[..., list[BookingView]],
) -> None:
    """Planned, and then they moved to Berlin themselves."""
    prefer(desk, LEO, time_zone="America/Chicago")
    lessons(LEO, hour=19)
    look(desk, NY_SPRING + HOUR - timedelta(days=1))
    delivery = planned(desk, LEO)[-1]
    prefer(desk, LEO, time_zone=BERLIN)
    travel(NY_SPRING - timedelta(days=1))
    mailroom.make_due(delivery.id)
    mailroom.deliver(delivery.id)
    assert office.mails == []


@pytest.mark.parametrize(
    ("reader", "now", "start", "move"),
    [
        (NEW_YORK, NY_SPRING - HOUR, NY_SPRING + 3 * HOUR, NY_SPRING),
        (NEW_YORK, NY_SPRING, NY_SPRING + 3 * HOUR, None),
        # Over both changes it is where it was.
        (NEW_YORK, NY_SPRING - HOUR, BERLIN_SPRING + HOUR, None),
        (NEW_YORK, NY_SPRING + HOUR, BERLIN_SPRING + HOUR, BERLIN_SPRING),
        (KOLKATA, NY_SPRING - HOUR, BERLIN_SPRING + HOUR, BERLIN_SPRING),
        ("Europe/London", NY_SPRING - HOUR, BERLIN_SPRING + HOUR, None),
        (BERLIN, NY_SPRING - HOUR, BERLIN_SPRING + HOUR, None),
    ],
)
def test_a_lessons_page_knows_of_the_change_before_it(
    reader: str, now: datetime, start: datetime, move: datetime | None
) -> None:
    assert last_move_before(reader, BERLIN, now=now, starts_at=start) == move
