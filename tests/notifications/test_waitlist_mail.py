"""Mail to whoever waits for a seat: the offer, its end, and the end of the class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coursecove.bookings import service as bookings
from coursecove.bookings.class_schemas import ClassCancel
from coursecove.bookings.schemas import WaitlistAccept, WaitlistEntryView, WaitlistJoin
from tests.bookings.desk import CLARA, LEO, MIA, TOMAS, Desk, berlin
from tests.notifications.post import Mailroom, PostOffice

CLASS = "Choir with a list"


@pytest.fixture
def waiting(desk: Desk) -> Callable[[int], tuple[Any, WaitlistEntryView]]:
    """``waiting(day)``: Leo waits for a seat in a class whose only seat Mia has."""

    def wait(day: int) -> tuple[Any, WaitlistEntryView]:
        if CLASS not in desk.school.types:
            desk.add_class(CLASS, [TOMAS], start_interval_minutes=None)
        evening = berlin(day, 18)
        options: Any = {"place": "Studio Linden", "override_rules": True, "capacity": 1}
        [choir] = desk.schedule(CLARA, CLASS, evening, teacher=TOMAS, **options)
        seat = desk.book(MIA, CLASS, evening, session_id=choir.id)
        join = WaitlistJoin(session_id=choir.id)
        entry = desk.own(LEO, lambda session, by: bookings.join_waitlist(session, join, by=by))
        return seat, entry

    return wait


def send(mailroom: Mailroom, entry: WaitlistEntryView) -> None:
    mailroom.hand_on(entry.id)
    for delivery in mailroom.list_deliveries(entry.id):
        mailroom.deliver(delivery.id)


def test_a_freed_seat_is_offered_by_mail_with_its_deadline(
    desk: Desk, mailroom: Mailroom, office: PostOffice, waiting: Callable[[int], Any]
) -> None:
    seat, entry = waiting(4)
    send(mailroom, entry)
    assert office.mails == []
    desk.cancel(MIA, seat)
    send(mailroom, entry)
    mail = office.to(LEO)
    assert mail.message["Subject"] == f"A seat is free: {CLASS}, Tue 4 Mar, 18:00"
    text = mail.part("text/plain").get_content()
    assert "It is kept for you until" in text
    assert "Berlin time" in text
    assert "nobody is enrolled without saying yes" in text
    assert f"/classes/{entry.class_handle}" in text
    assert mail.message["List-Unsubscribe"] is None
    assert "Mia" not in mail.content.decode()
    # Handed on once more, it is still one mail.
    desk.rows("update events set dispatched_at = null where subject_id = :id returning id", id=entry.id)
    send(mailroom, entry)
    assert len(office.mails) == 1


def test_an_offer_that_was_answered_is_not_made_by_mail(
    desk: Desk, mailroom: Mailroom, office: PostOffice, waiting: Callable[[int], Any]
) -> None:
    seat, entry = waiting(5)
    desk.cancel(MIA, seat)
    mailroom.hand_on(entry.id)
    yes = WaitlistAccept()
    desk.own(LEO, lambda session, by: bookings.accept_offer(session, entry.id, yes, by=by))
    [delivery] = mailroom.list_deliveries(entry.id)
    mailroom.deliver(delivery.id)
    assert office.mails == []
    assert mailroom.list_deliveries(entry.id)[0].skipped_at is not None


def test_whoever_waits_hears_that_the_class_is_cancelled(
    desk: Desk, mailroom: Mailroom, office: PostOffice, waiting: Callable[[int], Any]
) -> None:
    seat, entry = waiting(6)
    end = ClassCancel()
    desk.own(CLARA, lambda session, by: bookings.cancel_class(session, seat.session_id, end, by=by))
    send(mailroom, entry)
    mail = office.to(LEO)
    assert mail.message["Subject"].startswith(f"Cancelled: {CLASS}")
    assert "You were on its waiting list." in mail.part("text/plain").get_content()
