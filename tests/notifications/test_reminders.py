"""Reminders: when they come, once, never for another time, and how they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

from coursecove.bookings.schemas import BookingView
from coursecove.notifications.reminders import plan_reminders, remind, remind_late
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import PreferencesUpdate
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin
from tests.notifications.post import Mailroom, PostOffice
from tests.patience import patience

DAY, HOURS = timedelta(days=1), timedelta(hours=2)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def planned_at(mailroom: Mailroom, travel: Callable[[datetime], None]) -> Callable[[datetime], int]:
    """``planned_at(moment)``: plan what is due then, and return how many mails that makes."""

    def at(moment: datetime) -> int:
        travel(moment)
        return mailroom.desk.run(lambda session: plan_reminders(session, now=moment))

    return at


@pytest.fixture(autouse=True)
def _as_the_school(desk: Desk) -> Iterator[None]:
    yield
    for email in (LEO, MIA, IDA, TOMAS):
        prefer(desk, email, reminder_minutes=None)


def booked(desk: Desk, student: str, name: str, starts_at: datetime, *, teacher: str = IDA) -> BookingView:
    """A lesson that the school booked for a student, whatever the hours say."""
    return desk.book(CLARA, name, starts_at, teacher=teacher, student=student, override_rules=True)


def prefer(desk: Desk, email: str, **choice: Any) -> None:
    changes = PreferencesUpdate(**choice)
    desk.own(email, lambda session, by: tenants.update_preferences(session, changes, by=by))


def reminders(mailroom: Mailroom, booking: BookingView) -> list[tuple[int, str]]:
    return [(one.ahead_minutes, one.email) for one in mailroom.deliveries(booking.id) if one.kind == "reminder"]


def send(mailroom: Mailroom, booking: BookingView) -> None:
    for delivery in mailroom.deliveries(booking.id):
        if delivery.kind == "reminder":
            mailroom.make_due(delivery.id)
            mailroom.deliver(delivery.id)


def test_a_student_is_reminded_a_day_and_two_hours_before_each_once(
    desk: Desk, mailroom: Mailroom, office: PostOffice, planned_at: Callable[[datetime], int]
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(20, 14))
    start = booking.starts_at
    assert planned_at(start - DAY - MINUTE) == 0
    assert planned_at(start - DAY) == 1
    assert planned_at(start - DAY + MINUTE) == 0
    assert reminders(mailroom, booking) == [(1440, LEO)]
    send(mailroom, booking)
    [mail] = office.mails
    assert mail.message["Subject"] == "Reminder: Violin lesson, Thu 20 Mar, 14:00"
    text = mail.part("text/plain").get_content()
    assert "Tomorrow, 14:00: Violin lesson" in text
    assert "Your lesson with Ida Berg begins soon." in text
    assert [part.get_content_type() for part in mail.message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert planned_at(start - HOURS) == 1
    assert sorted(reminders(mailroom, booking)) == [(120, LEO), (1440, LEO)]
    assert planned_at(start) == 0


def test_everybody_may_choose_otherwise_instructors_too(
    desk: Desk, mailroom: Mailroom, planned_at: Callable[[datetime], int]
) -> None:
    prefer(desk, MIA, reminder_minutes=[])
    prefer(desk, IDA, reminder_minutes=[30])
    booking = booked(desk, MIA, "Violin lesson", berlin(21, 9))
    assert planned_at(booking.starts_at - DAY) == 0
    assert planned_at(booking.starts_at - HOURS) == 0
    assert planned_at(booking.starts_at - timedelta(minutes=30)) == 1
    assert reminders(mailroom, booking) == [(30, IDA)]


def test_a_moved_lessons_reminder_is_not_sent_and_comes_before_the_new_time(
    desk: Desk, mailroom: Mailroom, office: PostOffice, planned_at: Callable[[datetime], int]
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(24, 9))
    assert planned_at(booking.starts_at - DAY) == 1
    moved = desk.move(
        CLARA, booking, berlin(26, 9), instructor_id=desk.school.members[IDA], override_rules=True
    )
    send(mailroom, booking)
    assert office.mails == []
    [old] = [one for one in mailroom.deliveries(booking.id) if one.kind == "reminder"]
    assert old.skipped_at is not None
    assert planned_at(moved.starts_at - DAY) == 1
    send(mailroom, booking)
    [mail] = office.mails
    assert "Wed 26 Mar, 09:00" in mail.message["Subject"]


def test_another_instructor_is_no_reason_to_remind_again(
    desk: Desk, mailroom: Mailroom, office: PostOffice, planned_at: Callable[[datetime], int]
) -> None:
    booking = booked(desk, LEO, "Guitar lesson", berlin(25, 15), teacher=TOMAS)
    assert planned_at(booking.starts_at - DAY) == 1
    desk.rows("update bookings set revision = revision + 1 where id = :id returning id", id=booking.id)
    assert planned_at(booking.starts_at - DAY + MINUTE) == 0
    send(mailroom, booking)
    assert len(office.mails) == 1


@pytest.mark.parametrize("what", ["cancelled", "begun"])
def test_nobody_is_reminded_of_what_is_not_to_come(
    desk: Desk,
    mailroom: Mailroom,
    office: PostOffice,
    planned_at: Callable[[datetime], int],
    travel: Callable[[datetime], None],
    what: str,
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(27, 9 if what == "begun" else 11))
    assert planned_at(booking.starts_at - HOURS) == 1
    if what == "cancelled":
        desk.cancel(CLARA, booking)
    else:
        travel(booking.starts_at)
    send(mailroom, booking)
    assert office.mails == []
    assert planned_at(booking.starts_at - HOURS + MINUTE) == 0


def test_a_late_run_still_reminds_and_a_very_late_one_does_not(
    desk: Desk, mailroom: Mailroom, planned_at: Callable[[datetime], int]
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(28, 9))
    assert planned_at(booking.starts_at - DAY + 2 * HOURS) == 0
    assert planned_at(booking.starts_at - DAY + timedelta(minutes=119)) == 1
    assert planned_at(booking.starts_at - HOURS + timedelta(minutes=61)) == 0
    assert reminders(mailroom, booking) == [(1440, LEO)]


def test_whoever_had_word_of_the_lesson_since_needs_no_reminder(
    desk: Desk, mailroom: Mailroom, planned_at: Callable[[datetime], int]
) -> None:
    """Booked an hour before: the confirmation is fresh.  Without that clause one is planned here."""
    booking = booked(desk, LEO, "Violin lesson", berlin(31, 9))
    mailroom.hand_on(booking.id)

    def heard_at(moment: datetime) -> None:
        # Nothing of ours may date a mail back or forth; the owner of the tables may.
        import psycopg

        settings = mailroom.resources.settings
        with psycopg.connect(settings.database_owner_url) as owner:
            owner.execute("alter table deliveries no force row level security")
            owner.execute("update deliveries set created_at = %s where booking_id = %s", [moment, booking.id])
            owner.execute("alter table deliveries force row level security")

    heard_at(booking.starts_at - HOURS + MINUTE)
    assert planned_at(booking.starts_at - HOURS + MINUTE) == 0
    heard_at(booking.starts_at - HOURS - MINUTE)
    assert planned_at(booking.starts_at - HOURS + MINUTE) == 1


def test_a_reminder_ends_with_one_click_and_without_signing_in(
    desk: Desk, mailroom: Mailroom, office: PostOffice, planned_at: Callable[[datetime], int], client: Any
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(20, 9))
    planned_at(booking.starts_at - DAY)
    send(mailroom, booking)
    [mail] = office.mails
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = mail.message["List-Unsubscribe"].strip("<>")
    assert link in mail.part("text/plain").get_content()
    assert link in mail.part("text/html").get_content()
    path = link.removeprefix(mailroom.resources.settings.origin("musicschool"))
    assert path.startswith("/unsubscribe/")
    assert f"List-Unsubscribe: <{link}>\r\n".encode() in mail.content.replace(b"\r\n ", b"")

    visitor = client("musicschool")
    page = visitor.get(path)
    assert (page.status_code, "End reminders?" in page.text) == (200, True)
    assert page.headers["referrer-policy"] == "no-referrer"
    chosen = desk.own(LEO, lambda session, by: tenants.get_preferences(session, by.id))
    assert chosen.reminder_minutes is None
    done = visitor.post(path, data={"List-Unsubscribe": "One-Click"})
    assert (done.status_code, "No more reminders" in done.text) == (200, True)
    chosen = desk.own(LEO, lambda session, by: tenants.get_preferences(session, by.id))
    assert chosen.reminder_minutes == []
    assert "No more reminders" in visitor.get(path).text
    # Cut off, altered, or at another school it ends nothing.
    altered = path[:-1] + ("A" if path[-1] != "A" else "B")
    for wrong in (path[:-2], altered, "/unsubscribe/AAAA", "/unsubscribe/%C3%A9"):
        assert visitor.get(wrong).status_code == 404, wrong
        assert visitor.post(wrong).status_code == 404, wrong
    assert client("yoga").get(path).status_code == 404


def test_schools_with_something_due_are_woken_and_no_others(
    desk: Desk, mailroom: Mailroom, travel: Callable[[datetime], None], valkey: Any
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(3, 9, month=4))
    server = redis.Redis.from_url(valkey.url)

    def woken(moment: datetime, look: Any) -> int:
        server.flushall()
        travel(moment)
        desk.loop.run(look(mailroom.resources))
        messages = server.hgetall("coursecove:coursecove.msgs").values()
        # Not the wake-up of the booking's own event, which may be sent a moment after it.
        planned = [message for message in messages if b'"notifications.plan_reminders"' in message]
        return sum(str(desk.school.organization_id).encode() in message for message in planned)

    due = booking.starts_at - DAY
    assert woken(due - MINUTE, remind) == 0
    assert woken(due, remind) == 1
    assert woken(due + 3 * MINUTE, remind) == 0
    assert woken(due + 3 * MINUTE, remind_late) == 1


def test_a_confirmation_cannot_be_ended(desk: Desk, mailroom: Mailroom, office: PostOffice) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(21, 14))
    mailroom.send_all(booking.id)
    assert [mail.message["List-Unsubscribe"] for mail in office.mails] == [None, None]
    assert "no more mails" not in office.to(LEO).part("text/plain").get_content()


def test_the_secret_of_a_link_is_not_written_into_the_log(client: Any, caplog: Any) -> None:
    """Seen to fail with the path itself in the line."""
    visitor = client("musicschool")
    caplog.set_level("INFO")
    visitor.get("/unsubscribe/c2VjcmV0LW9mLXRoZS1saW5r")
    visitor.get("/feeds/c2VjcmV0LW9mLXRoZS1saW5r.ics")
    visitor.get("/lessons")
    deadline = time.monotonic() + patience(2)
    while "/lessons" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "/lessons" in caplog.text
    assert caplog.text.count("…") == 2
    assert "c2VjcmV0" not in caplog.text
