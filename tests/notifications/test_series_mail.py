"""One mail about all lessons of a series that was booked in one go, and none of a lesson that is over."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import psycopg

from coursecove.bookings import service as bookings
from coursecove.bookings.series_schemas import SeriesView
from coursecove.notifications.deliveries import DeliveryView, deliveries_of
from coursecove.notifications.reminders import plan_reminders
from coursecove.tenants import service as tenants
from coursecove.tenants.family import ChildCreate
from coursecove.tenants.schemas import InstructorProfileUpdate, PreferencesUpdate
from tests.bookings.desk import CLARA, IDA, LEO, MIA, Desk, berlin
from tests.notifications.post import Mailroom, PostOffice
from tests.notifications.series_post import (
    ASKED,
    CHOIR,
    WEEKLY,
    entries,
    send,
    subject_of,
    text_of,
)


def test_a_series_is_one_mail_to_each_with_every_date(
    book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """Seen to fail: eight mails, before the lessons of a series kept silent."""
    series = book(berlin(18, 14), note="Bach")
    send(mailroom, series)
    assert sorted(mail.recipients[0] for mail in office.mails) == [IDA, MIA]
    assert [(one.kind, one.email) for one in mailroom.deliveries(series.lessons[0].id)] == [
        ("series_booked", IDA),
        ("series_booked", MIA),
    ]
    to_mia, to_ida = office.to(MIA), office.to(IDA)
    assert subject_of(to_mia) == f"Confirmed: {WEEKLY}, 4 lessons from Tue 18 Mar, 14:00"
    assert text_of(to_ida).count("You have new lessons") == 1
    assert subject_of(to_ida) == (f"New lessons: {WEEKLY} with Mia Okafor, 4 lessons from Tue 18 Mar, 14:00")
    # The clocks change on the 30th; the lessons do not.
    dates = ["18 March", "25 March", "1 April", "8 April"]
    for mail in (to_mia, to_ida):
        html = mail.part("text/html").get_content()
        for date in dates:
            said = f"Tuesday {date} 2031, 14:00–14:45"
            assert said in text_of(mail), date
            assert said in html, date
        assert "All times are Berlin time." in text_of(mail)
        assert "Bach" in text_of(mail)
    assert "€48" in text_of(to_mia)
    assert "for each lesson" in text_of(to_mia)
    assert "please cancel it at least 24 hours before it begins" in text_of(to_mia)
    assert "€48" not in text_of(to_ida)
    # A second look at the facts leads to nothing more.
    send(mailroom, series)
    assert office.mails == []


def test_the_file_has_an_entry_for_each_lesson_that_a_later_mail_moves_or_removes(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    series = book(berlin(19, 14), times=3)
    send(mailroom, series)
    mail = office.to(MIA)
    assert mail.part("application/ics").get_filename() == "lessons.ics"
    # An invitation is about one UID: several of them inline, and mail programs would take the first alone.
    assert [part for part in mail.message.walk() if part.get_content_type() == "text/calendar"] == []
    found = entries(mail)
    assert [(one["UID"], one["SEQUENCE"]) for one in found] == [
        (f"{lesson.id}@coursecove.localhost", 0) for lesson in series.lessons
    ]
    assert [one.decoded("dtstart") for one in found] == [lesson.starts_at for lesson in series.lessons]
    assert [one["URL"].rpartition("/")[2] for one in found] == [one.reference for one in series.lessons]
    assert {one["STATUS"] for one in found} == {"CONFIRMED"}
    assert [one["SUMMARY"] for one in entries(office.to(IDA))] == [f"{WEEKLY} with Mia Okafor"] * 3

    second, third = series.lessons[1:]
    desk.move(MIA, second, second.starts_at + timedelta(hours=1))
    desk.cancel(CLARA, third)
    send(mailroom, series)
    by_uid = {one.event()["UID"]: one for one in office.mails if one.recipients == [MIA]}
    assert len(office.mails) == 4
    assert len(by_uid) == 2
    moved, cancelled = (by_uid[one["UID"]].event() for one in found[1:])
    assert (moved["SEQUENCE"], moved["STATUS"]) == (1, "CONFIRMED")
    assert (cancelled["SEQUENCE"], cancelled["STATUS"]) == (1, "CANCELLED")
    assert by_uid[found[1]["UID"]].part("text/calendar").get_param("method") == "REQUEST"
    assert by_uid[found[2]["UID"]].part("text/calendar").get_param("method") == "CANCEL"


def test_what_changed_before_the_mail_went_out_is_left_to_its_own_mail(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """Also when it is the first lesson, with which the mail is kept; seen to fail with its revision alone."""
    series = book(berlin(20, 14), times=3)
    first, *others = series.lessons
    desk.move(MIA, first, first.starts_at + timedelta(hours=1))
    send(mailroom, series)
    to_mia = [mail for mail in office.mails if mail.recipients == [MIA]]
    assert len(to_mia) == 2
    [about_series] = [mail for mail in to_mia if mail.part("application/ics").get_filename() == "lessons.ics"]
    assert "2 lessons from Thu 27 Mar" in subject_of(about_series)
    assert "20 March" not in text_of(about_series)
    assert [one["UID"].partition("@")[0] for one in entries(about_series)] == [str(one.id) for one in others]


def test_nothing_is_said_of_a_series_that_was_taken_back_at_once(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    series = book(berlin(21, 14), times=2)
    for lesson in series.lessons:
        desk.cancel(MIA, lesson)
    send(mailroom, series)
    assert {mail.event()["STATUS"] for mail in office.mails} == {"CANCELLED"}
    told = [one for one in mailroom.deliveries(series.lessons[0].id) if one.kind == "series_booked"]
    assert [one.skipped_at is not None for one in told] == [True, True]


def test_after_fifteen_dates_it_says_how_many_more_and_the_file_has_them_all(
    book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    series = book(berlin(17, 9), times=18)
    send(mailroom, series)
    for content_type in ("text/plain", "text/html"):
        said = office.to(MIA).part(content_type).get_content()
        assert said.count("09:00–09:45") == 15
        assert "and 3 more" in said
    assert len(entries(office.to(MIA))) == 18


def test_a_series_that_is_asked_for_is_one_mail_and_each_answer_another(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    series = book(berlin(24, 14), times=2, name=ASKED)
    send(mailroom, series)
    assert len(office.mails) == 2
    to_mia, to_ida = office.to(MIA), office.to(IDA)
    assert subject_of(to_mia).startswith("Request received: ")
    assert subject_of(to_ida).startswith("Please answer: ")
    assert "Answer the requests: " in text_of(to_ida)
    assert "Mia Okafor asks for 2 lessons." in text_of(to_ida)
    assert "please cancel" not in text_of(to_mia)
    assert {one["STATUS"] for one in entries(to_mia)} == {"TENTATIVE"}

    desk.own(IDA, lambda session, by: bookings.approve(session, series.lessons[1].id, by=by))
    send(mailroom, series)
    [answered] = [mail for mail in office.mails if mail.recipients == [MIA]]
    assert subject_of(answered).startswith("Confirmed: ")
    assert (answered.event()["UID"], answered.event()["SEQUENCE"]) == (entries(to_mia)[1]["UID"], 1)


def test_the_instructor_of_a_class_is_spared_its_seats(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """Seen to fail: Ida heard of every seat before the fact said that they are seats."""
    desk.schedule(CLARA, CHOIR, berlin(18, 17), teacher=IDA, place="Studio Linden", times=2)
    series = book(berlin(18, 17), times=2, name=CHOIR)
    send(mailroom, series)
    [mail] = office.mails
    assert mail.recipients == [MIA]
    assert len(entries(mail)) == 2


def test_a_guardian_reads_whose_lessons_they_are(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    child = desk.own(MIA, lambda session, by: tenants.add_child(session, ChildCreate(given_name="Ole"), by=by))
    series = book(berlin(26, 14), times=2, student_id=child.id)
    send(mailroom, series)
    mail = office.to(MIA)
    assert f"{child.name}’s lessons are booked" in text_of(mail)
    assert f"{WEEKLY} for {child.name}, 2 lessons from" in subject_of(mail)


def test_a_second_clock_stands_beside_each_date(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """New York has had summer time for three weeks when Berlin gets it."""
    series = book(berlin(27, 14), times=2)
    ida = desk.school.members[IDA]

    def zone(name: str) -> None:
        changes = InstructorProfileUpdate(time_zone=name)
        desk.acting(CLARA, lambda session, by: tenants.update_instructor_profile(session, ida, changes, by=by))

    zone("America/New_York")
    try:
        send(mailroom, series)
    finally:
        zone("Europe/Berlin")
    text = text_of(office.to(IDA))
    assert "Thursday 27 March 2031, 14:00–14:45 (09:00–09:45 New York time)" in text
    assert "Thursday 3 April 2031, 14:00–14:45 (08:00–08:45 New York time)" in text
    assert "New York" not in text_of(office.to(MIA))


def test_it_is_said_in_the_language_of_its_reader(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    series = book(berlin(28, 14), times=17)

    def speak(locale: str | None) -> None:
        changes = PreferencesUpdate(locale=locale)
        desk.own(MIA, lambda session, by: tenants.update_preferences(session, changes, by=by))

    speak("de")
    try:
        send(mailroom, series)
    finally:
        speak(None)
    text = text_of(office.to(MIA))
    assert "17 Termine" in text
    assert "und 2 weitere" in text
    assert "Alle Zeiten: " in text


def test_every_lesson_of_a_series_shows_admins_the_mail_about_it(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom
) -> None:
    series = book(berlin(31, 14), times=2)
    alone = desk.book(LEO, WEEKLY, berlin(31, 16))
    send(mailroom, series)

    def shown_with(booking_id: uuid.UUID) -> list[DeliveryView]:
        return desk.own(CLARA, lambda session, _by: deliveries_of(session, booking_id))

    for lesson in series.lessons:
        shown = shown_with(lesson.id)
        assert sorted(mail.recipient_email for mail in shown if mail.kind == "series_booked") == [IDA, MIA]
    assert shown_with(alone.id) == []
    desk.cancel(LEO, alone)


def test_whoever_just_had_the_mail_needs_no_reminder_of_any_of_its_lessons(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom
) -> None:
    """Booked within the hour before the reminder of the second lesson would have come late.

    Seen to fail: the mail is kept with the first lesson, and only that one knew of it.
    """
    series = book(berlin(4, 11), times=2)
    mailroom.hand_on(series.id)
    second = series.lessons[1]
    changes = PreferencesUpdate(reminder_minutes=[10080])
    desk.own(MIA, lambda session, by: tenants.update_preferences(session, changes, by=by))
    moment = second.starts_at - timedelta(days=7)

    def heard_at(heard: datetime) -> list[str]:
        # Nothing of ours may date a mail back or forth; the owner of the tables may.
        with psycopg.connect(mailroom.resources.settings.database_owner_url) as owner:
            owner.execute("alter table deliveries no force row level security")
            owner.execute(
                "update deliveries set created_at = %s where booking_id = %s", [heard, series.lessons[0].id]
            )
            owner.execute("alter table deliveries force row level security")
        at = moment + timedelta(minutes=20)
        desk.run(lambda session: plan_reminders(session, now=at))
        return [one.kind for one in mailroom.deliveries(second.id)]

    try:
        assert heard_at(moment + timedelta(minutes=10)) == []
        assert heard_at(moment - timedelta(minutes=10)) == ["reminder"]
    finally:
        as_before = PreferencesUpdate(reminder_minutes=None)
        desk.own(MIA, lambda session, by: tenants.update_preferences(session, as_before, by=by))


def test_a_change_names_the_time_the_mail_about_the_series_said(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """Moved twice before a mail went out: seen to name the time in between, of which nobody had heard."""
    series = book(berlin(5, 14), times=2)
    send(mailroom, series)
    second = series.lessons[1]
    once = desk.move(CLARA, second, second.starts_at + timedelta(hours=1))
    desk.move(CLARA, once, second.starts_at + timedelta(hours=2))
    send(mailroom, series)
    text = text_of(office.to(MIA))
    assert "Wednesday 12 March 2031, 16:00–16:45" in text
    assert "Wednesday 12 March 2031, 14:00–14:45" in text
    assert "15:00–15:45" not in text


def test_nobody_is_told_that_a_lesson_is_booked_which_is_over(
    desk: Desk, mailroom: Mailroom, office: PostOffice, travel: Callable[[datetime], None]
) -> None:
    """Seen to fail: both got a confirmation; while it lasts they still do."""
    booking = desk.book(MIA, WEEKLY, berlin(6, 10))
    mailroom.hand_on(booking.id)
    mia, ida = sorted(mailroom.deliveries(booking.id), key=lambda one: one.email != MIA)
    travel(booking.ends_at - timedelta(minutes=1))
    mailroom.deliver(mia.id)
    travel(booking.ends_at)
    mailroom.deliver(ida.id)
    assert [mail.recipients for mail in office.mails] == [[MIA]]
    assert {one.email: one.skipped_at is not None for one in mailroom.deliveries(booking.id)} == {
        MIA: False,
        IDA: True,
    }


def test_a_series_that_has_begun_is_told_from_its_next_lesson_on(
    book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice, travel: Callable[[datetime], None]
) -> None:
    series = book(berlin(7, 10), times=3)
    travel(series.lessons[0].ends_at)
    send(mailroom, series)
    assert "2 lessons from Fri 14 Mar" in subject_of(office.to(MIA))
    assert len(entries(office.to(MIA))) == 2
