"""Every kind of mail about a lesson: who gets it, what it says, what it does to a calendar."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest

from coursecove.bookings import service as bookings
from coursecove.bookings.approval import lapse
from coursecove.bookings.calendar_schemas import HandOver, HandOverChoice
from coursecove.bookings.class_schemas import ClassCancel
from coursecove.bookings.schemas import BookingDecline, BookingView
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import PreferencesUpdate
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin
from tests.notifications.post import Mail, Mailroom, PostOffice

ASKED = "Trial lesson of the mails"
CLASS = "Choir of the mails"


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """The desk with a type that has to be confirmed, and a class."""
    if ASKED not in desk.school.types:
        desk.add_type(ASKED, [IDA], requires_approval=True, approve_within_minutes=2880)
        desk.add_class(CLASS, [TOMAS, IDA], start_interval_minutes=None)
    return desk


def booked(desk: Desk, student: str, name: str, starts_at: datetime, *, teacher: str = IDA) -> BookingView:
    """A lesson that the school booked for a student, whatever the hours say."""
    return desk.book(CLARA, name, starts_at, teacher=teacher, student=student, override_rules=True)


def asked(desk: Desk, day: int) -> BookingView:
    """What Mia asks for: the first time Ida has on a day of March."""
    [first, *_rest] = desk.slots(ASKED, berlin(day, 0), teacher=IDA)
    return desk.book(MIA, ASKED, first.starts_at, teacher=IDA)


def text_of(mail: Mail) -> str:
    return str(mail.part("text/plain").get_content()).replace("\r\n", "\n")


def method(mail: Mail) -> str | None:
    found = [part for part in mail.message.walk() if part.get_content_type() == "text/calendar"]
    return str(found[0].get_param("method")) if found else None


def send(mailroom: Mailroom, office: PostOffice, booking: BookingView) -> None:
    """Send what is due about a booking, with nothing in the office before."""
    office.mails.clear()
    mailroom.send_all(booking.id)


def test_a_request_is_received_and_its_instructor_asked(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = asked(desk, 5)
    send(mailroom, office, booking)
    to_mia, to_ida = office.to(MIA), office.to(IDA)
    assert to_mia.message["Subject"].startswith(f"Request received: {ASKED}, Wed 5 Mar, ")
    assert "answers until Wednesday 5 March 2031, " in text_of(to_mia)
    assert to_ida.message["Subject"].strip().startswith(f"Please answer: {ASKED} with Mia Okafor")
    assert "Answer the request: " in text_of(to_ida)
    assert (method(to_mia), to_mia.event()["STATUS"]) == ("REQUEST", "TENTATIVE")

    desk.own(IDA, lambda session, by: bookings.approve(session, booking.id, by=by))
    send(mailroom, office, booking)
    to_mia = office.to(MIA)
    assert to_mia.message["Subject"].startswith(f"Confirmed: {ASKED}")
    assert "Ida Berg has confirmed it." in text_of(to_mia)
    event = to_mia.event()
    assert (event["STATUS"], event["SEQUENCE"]) == ("CONFIRMED", 1)
    assert [one.kind for one in mailroom.deliveries(booking.id)] == [
        "request",
        "request",
        "approval",
        "approval",
    ]


def test_a_declined_request_says_why_and_leaves_the_calendar(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = asked(desk, 6)
    send(mailroom, office, booking)
    no = BookingDecline("I am away that week.")
    desk.own(IDA, lambda session, by: bookings.decline(session, booking.id, no, by=by))
    send(mailroom, office, booking)
    to_mia = office.to(MIA)
    assert to_mia.message["Subject"].startswith("Declined: ")
    assert "Ida Berg cannot confirm this lesson." in text_of(to_mia)
    assert "Reason: I am away that week." in text_of(to_mia)
    assert (method(to_mia), to_mia.event()["SEQUENCE"]) == ("CANCEL", 1)


def test_a_request_nobody_answered_lapses_with_an_apology(
    desk: Desk, mailroom: Mailroom, office: PostOffice, travel: Callable[[datetime], None]
) -> None:
    booking = asked(desk, 7)
    send(mailroom, office, booking)
    assert booking.approve_by is not None
    travel(booking.approve_by)
    desk.loop.run(
        lapse.run(
            mailroom.resources,
            organization_id=str(desk.school.organization_id),
            booking_id=str(booking.id),
        )
    )
    send(mailroom, office, booking)
    assert office.to(MIA).message["Subject"].startswith("Not confirmed: ")
    assert "has not answered in time" in text_of(office.to(MIA))
    assert method(office.to(IDA)) == "CANCEL"


def test_a_moved_lesson_names_both_times_and_updates_the_entry(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(10, 14))
    send(mailroom, office, booking)
    before = office.to(LEO).event()
    desk.move(CLARA, booking, berlin(11, 15), instructor_id=desk.school.members[IDA], override_rules=True)
    send(mailroom, office, booking)
    to_leo, to_ida = office.to(LEO), office.to(IDA)
    assert to_leo.message["Subject"] == "Moved: Violin lesson, now Tue 11 Mar, 15:00"
    assert "Clara Weiss has moved this lesson to another time." in text_of(to_leo)
    for mail in (to_leo, to_ida):
        assert "Before:     Monday 10 March 2031, 14:00–14:45 Berlin time (UTC+1)" in text_of(mail)
        assert "Tuesday 11 March 2031, 15:00–15:45 Berlin time (UTC+1)" in text_of(mail)
    after = to_leo.event()
    assert after["UID"] == before["UID"]
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 1)
    assert (method(to_leo), after.decoded("dtstart")) == ("REQUEST", berlin(11, 15))


def test_moved_twice_before_the_first_mail_went_the_one_mail_speaks_of_the_time_one_knew(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(12, 9))
    send(mailroom, office, booking)
    desk.move(CLARA, booking, berlin(12, 11), instructor_id=desk.school.members[IDA], override_rules=True)
    mailroom.hand_on(booking.id)
    desk.move(CLARA, booking, berlin(12, 16), instructor_id=desk.school.members[IDA], override_rules=True)
    send(mailroom, office, booking)
    to_leo = office.to(LEO)
    assert "12 March 2031, 09:00" in text_of(to_leo)
    assert "11:00" not in text_of(to_leo)
    skipped = [one for one in mailroom.deliveries(booking.id) if one.skipped_at]
    assert {(one.kind, one.booking_revision) for one in skipped} == {("change", 1)}


def test_a_lesson_in_other_hands_reaches_all_three(desk: Desk, mailroom: Mailroom, office: PostOffice) -> None:
    booking = booked(desk, LEO, "Violin lesson", berlin(13, 9))
    send(mailroom, office, booking)
    desk.own(
        CLARA,
        lambda session, by: tenants_qualify(session, desk, TOMAS, "Violin lesson", by),
    )
    data = HandOver(
        [HandOverChoice(booking.session_id, desk.school.members[TOMAS])], message="Ida has the flu."
    )
    desk.own(CLARA, lambda session, by: bookings.hand_over(session, data, by=by))
    send(mailroom, office, booking)
    to_leo, to_tomas, to_ida = office.to(LEO), office.to(TOMAS), office.to(IDA)
    assert "Tomás Rey gives this lesson instead of Ida Berg." in text_of(to_leo)
    assert "Message: Ida has the flu." in text_of(to_leo)
    assert to_tomas.message["Subject"].startswith("Yours now: Violin lesson with Leo Lindqvist")
    assert "Ida Berg gave this lesson before; Clara Weiss has handed it to you." in text_of(to_tomas)
    assert to_ida.message["Subject"].startswith("Handed over: ")
    assert (method(to_leo), method(to_tomas), method(to_ida)) == ("REQUEST", "REQUEST", "CANCEL")
    assert {mail.event()["UID"] for mail in office.mails} == {f"{booking.id}@coursecove.localhost"}


async def tenants_qualify(session: Any, desk: Desk, email: str, name: str, by: Any) -> None:
    from coursecove.appointments import service as appointments
    from coursecove.appointments.schemas import AppointmentTypeUpdate

    type_ = await appointments.get_type(session, desk.school.types[name])
    ids = [*type_.instructor_ids, desk.school.members[email]]
    await appointments.update_type(session, type_.id, AppointmentTypeUpdate(instructor_ids=ids), by=by)


def test_instructors_are_spared_the_seats_of_a_class_and_hear_of_its_end_once(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    evening = berlin(14, 17)
    options: Any = {"place": "Studio Linden", "override_rules": True}
    [choir] = desk.schedule(CLARA, CLASS, evening, teacher=TOMAS, **options)
    seats = [desk.book(email, CLASS, evening, session_id=choir.id) for email in (MIA, LEO)]
    for seat in seats:
        mailroom.send_all(seat.id)
    assert sorted(mail.recipients[0] for mail in office.mails) == [LEO, MIA]
    office.mails.clear()
    desk.own(
        CLARA, lambda session, by: bookings.cancel_class(session, choir.id, ClassCancel("Too cold."), by=by)
    )
    for seat in seats:
        mailroom.send_all(seat.id)
    assert sorted(mail.recipients[0] for mail in office.mails) == [LEO, MIA, TOMAS]
    assert "Clara Weiss has cancelled this class; it will not take place." in text_of(office.to(MIA))
    assert LEO not in office.to(MIA).content.decode()
    to_tomas = office.to(TOMAS)
    assert to_tomas.message["Subject"] == f"Cancelled: {CLASS}, Fri 14 Mar, 17:00"
    assert method(to_tomas) is None
    assert "Okafor" not in text_of(to_tomas)


@pytest.fixture
def noah(desk: Desk, mailroom: Mailroom) -> Iterator[uuid.UUID]:
    """A child of Mia's without an account."""
    child = uuid.uuid4()
    desk.rows(
        "insert into members (organization_id, id, given_name, family_name, clerk_role, guardian_id, version) "
        "values (:organization, :id, 'Noah', 'Okafor', 'none', :mia, 0) returning id",
        organization=desk.school.organization_id,
        id=child,
        mia=desk.school.members[MIA],
    )
    yield child
    with psycopg.connect(mailroom.resources.settings.database_platform_url) as platform:
        platform.execute("update members set removed_at = now() where id = %s", [child])


def test_mail_about_a_child_goes_to_the_guardian_and_names_the_child(
    desk: Desk, mailroom: Mailroom, office: PostOffice, noah: uuid.UUID
) -> None:
    desk.school.members["noah"] = noah
    booking = booked(desk, "noah", "Violin lesson", berlin(17, 9))
    send(mailroom, office, booking)
    to_mia = office.to(MIA)
    assert to_mia.message["Subject"] == "Confirmed: Violin lesson for Noah Okafor, Mon 17 Mar, 09:00"
    assert to_mia.message["To"] == "Mia Okafor <mia@example.com>"
    assert "Noah Okafor is booked for Violin lesson with Ida Berg" in text_of(to_mia)
    assert "For:        Noah Okafor" in text_of(to_mia)
    assert to_mia.event()["SUMMARY"] == "Noah Okafor: Violin lesson with Ida Berg"
    assert "with Noah Okafor" in office.to(IDA).message["Subject"]


def test_everybody_is_written_to_in_their_language_and_zone(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    choice = PreferencesUpdate(locale="de", time_zone="America/New_York")
    desk.own(LEO, lambda session, by: tenants.update_preferences(session, choice, by=by))
    try:
        booking = booked(desk, LEO, "Music theory online", berlin(18, 16))
        send(mailroom, office, booking)
    finally:
        back = PreferencesUpdate(locale=None, time_zone=None)
        desk.own(LEO, lambda session, by: tenants.update_preferences(session, back, by=by))
    to_leo = office.to(LEO)
    html = to_leo.part("text/html").get_content()
    assert '<html lang="de"' in html
    text = text_of(to_leo)
    assert "Dienstag, 18. März 2031, 11:00–12:00" in text
    assert "16:00–17:00" in text
    [teacher] = [mail for mail in office.mails if mail.recipients != [LEO]]
    assert "Tuesday 18 March 2031, 16:00–17:00 Berlin time" in text_of(teacher)
    assert '<html lang="en"' in teacher.part("text/html").get_content()


def test_the_logo_of_the_school_has_a_whole_address(desk: Desk, mailroom: Mailroom, office: PostOffice) -> None:
    """An uploaded one lives on this host; a mail program knows no host."""
    import base64

    from tests.isolation.routes import DOT

    desk.own(CLARA, lambda session, by: tenants.set_logo(session, base64.b64decode(DOT), by=by))
    booking = booked(desk, LEO, "Violin lesson", berlin(19, 9))
    send(mailroom, office, booking)
    origin = mailroom.resources.settings.origin("musicschool")
    assert f'<img src="{origin}/pictures/' in office.to(LEO).part("text/html").get_content()
