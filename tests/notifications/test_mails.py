"""What reaches people: parsed from what a real SMTP server got."""

from __future__ import annotations

from datetime import UTC, datetime

from icalendar import Calendar

from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import InstructorProfileUpdate
from tests.bookings.desk import CLARA, IDA, LEO, MIA, TOMAS, Desk, berlin
from tests.notifications.post import Mailroom, PostOffice


def test_a_booking_is_confirmed_to_student_and_instructor(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(4, 14), note="The <b>Bach</b> double")
    mailroom.send_all(booking.id)
    assert [delivery.sent_at is not None for delivery in mailroom.deliveries(booking.id)] == [True, True]
    to_mia, to_ida = office.to(MIA), office.to(IDA)
    assert to_mia.message["Subject"] == "Confirmed: Violin lesson, Tue 4 Mar, 14:00"
    assert to_ida.message["Subject"] == "New lesson: Violin lesson with Mia Okafor, Tue 4 Mar, 14:00"
    assert to_mia.message["From"] == "Harmony Music School via CourseCove <lessons@coursecove.localhost>"
    assert to_mia.message["To"] == "Mia Okafor <mia@example.com>"
    assert to_mia.sender == "lessons@coursecove.localhost"
    assert to_mia.message["Auto-Submitted"] == "auto-generated"
    link = f"{mailroom.resources.settings.origin('musicschool')}/lessons/{booking.reference}"
    text = to_mia.part("text/plain").get_content()
    for words in (
        "Tuesday 4 March 2031, 14:00–14:45 Berlin time (UTC+1)",
        "Studio Linden",
        "Lindenstraße 14, 10969 Berlin",
        "Ida Berg",
        "€48",
        "The <b>Bach</b> double",
        booking.reference,
        link,
        "cancel there until Monday 3 March 2031, 14:00 Berlin time (UTC+1)",
    ):
        assert words in text, words
    html = to_mia.part("text/html").get_content()
    assert f'href="{link}"' in html
    assert "The &lt;b&gt;Bach&lt;/b&gt; double" in html
    assert "<b>Bach</b>" not in html
    assert IDA not in to_mia.content.decode() + text + html
    assert MIA in to_ida.part("text/plain").get_content()
    assert "€48" not in to_ida.part("text/plain").get_content()
    assert "cancel there until" not in to_ida.part("text/plain").get_content()


def test_a_lesson_booked_inside_its_cut_off_promises_no_cancellation(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = desk.book(LEO, "Violin lesson", berlin(3, 16, 15))
    mailroom.send_all(booking.id)
    for content_type in ("text/plain", "text/html"):
        assert "cancel" not in office.to(LEO).part(content_type).get_content()


def test_the_calendar_entry_is_inline_and_attached(desk: Desk, mailroom: Mailroom, office: PostOffice) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(5, 14))
    mailroom.send_all(booking.id)
    mail = office.to(MIA)
    shape = [part.get_content_type() for part in mail.message.walk()]
    assert shape == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]
    inline = mail.part("text/calendar")
    assert inline.get_param("method") == "REQUEST"
    assert mail.part("application/ics").get_filename() == "lesson.ics"
    calendar = Calendar.from_ical(inline.get_content())
    assert calendar["METHOD"] == "REQUEST"
    event = mail.event()
    assert event["UID"] == f"{booking.id}@coursecove.localhost"
    assert event["SEQUENCE"] == 0
    assert event.decoded("dtstart") == booking.starts_at
    assert event.decoded("dtend") == booking.ends_at
    assert b"DTSTART:20310305T130000Z" in mail.part("application/ics").get_content()
    assert event["SUMMARY"] == "Violin lesson with Ida Berg"
    assert event["LOCATION"] == "Studio Linden, Lindenstraße 14, 10969 Berlin"
    assert event["STATUS"] == "CONFIRMED"
    assert event["ORGANIZER"] == "mailto:lessons@coursecove.localhost"
    assert event["ORGANIZER"].params["CN"] == "Harmony Music School"
    assert event["ATTENDEE"] == f"mailto:{MIA}"
    assert event["URL"].endswith(f"/lessons/{booking.reference}")
    # The same entry for both, each seeing only their own address.
    to_ida = office.to(IDA).event()
    assert (to_ida["UID"], to_ida["ATTENDEE"]) == (event["UID"], f"mailto:{IDA}")
    assert to_ida["SUMMARY"] == "Violin lesson with Mia Okafor"


def test_a_cancellation_takes_the_entry_out_of_both_calendars(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(6, 14))
    mailroom.send_all(booking.id)
    first = office.to(MIA).event()
    office.mails.clear()
    desk.cancel(CLARA, booking, "Ida is ill.")
    mailroom.send_all(booking.id)
    assert len(office.mails) == 2
    mail = office.to(MIA)
    assert mail.message["Subject"] == "Cancelled: Violin lesson, Thu 6 Mar, 14:00"
    assert mail.part("text/calendar").get_param("method") == "CANCEL"
    event = mail.event()
    assert (event["UID"], event["SEQUENCE"], event["STATUS"]) == (first["UID"], 1, "CANCELLED")
    text = mail.part("text/plain").get_content()
    assert "Clara Weiss has cancelled this lesson" in text
    assert "Reason: Ida is ill." in text
    assert "Violin lesson with Mia Okafor" in office.to(IDA).message["Subject"]


def test_whoever_cancelled_is_told_so(desk: Desk, mailroom: Mailroom, office: PostOffice) -> None:
    booking = desk.book(MIA, "Violin lesson", berlin(10, 14))
    desk.cancel(MIA, booking)
    mailroom.send_all(booking.id)
    assert "You have cancelled this lesson." in office.to(MIA).part("text/plain").get_content()
    assert "Mia Okafor has cancelled this lesson" in office.to(IDA).part("text/plain").get_content()


def test_both_zones_are_named_where_their_clocks_differ(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    """Ida reads New York time; the school and its studio are in Berlin."""
    online = desk.book(LEO, "Music theory online", berlin(7, 11))
    in_person = desk.book(MIA, "Violin lesson", berlin(11, 9))
    ida = desk.school.members[IDA]

    def zone(name: str) -> None:
        desk.acting(
            CLARA,
            lambda session, by: tenants.update_instructor_profile(
                session, ida, InstructorProfileUpdate(time_zone=name), by=by
            ),
        )

    zone("America/New_York")
    try:
        mailroom.send_all(online.id)
        to_leo, to_ida = office.to(LEO), office.to(IDA)
        office.mails.clear()
        mailroom.send_all(in_person.id)
    finally:
        zone("Europe/Berlin")
    berlin_time = "Friday 7 March 2031, 11:00–12:00 Berlin time (UTC+1)"
    new_york_time = "Friday 7 March 2031, 05:00–06:00 New York time (UTC-5)"
    assert to_leo.message["Subject"] == "Confirmed: Music theory online, Fri 7 Mar, 11:00 Berlin time"
    assert to_ida.message["Subject"].endswith("with Leo Lindqvist, Fri 7 Mar, 05:00 New York time")
    for mail in (to_leo, to_ida):
        text = mail.part("text/plain").get_content()
        assert berlin_time in text
        assert new_york_time in text
        assert new_york_time in mail.part("text/html").get_content()
        assert "https://meet.example.com/ida-berg" in text
        assert mail.event()["LOCATION"] == "https://meet.example.com/ida-berg"
        assert mail.event().decoded("dtstart") == datetime(2031, 3, 7, 10, tzinfo=UTC)
    # In person the venue's clock counts; a student is not bothered with the instructor's.
    assert "New York" not in office.to(MIA).part("text/plain").get_content()
    assert (
        "Tuesday 11 March 2031, 04:00–04:45 New York time (UTC-4)"
        in office.to(IDA).part("text/plain").get_content()
    )


def test_no_zone_is_named_twice_where_the_clocks_agree(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = desk.book(LEO, "Guitar lesson", berlin(12, 15))
    mailroom.send_all(booking.id)
    for address in (LEO, TOMAS):
        assert office.to(address).part("text/plain").get_content().count("time (UTC") <= 2
        assert office.to(address).message["Subject"].endswith("Wed 12 Mar, 15:00")
