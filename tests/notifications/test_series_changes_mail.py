"""What is done to several lessons of a series at once: one mail to each person, with every date."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from icalendar import Calendar

from coursecove.bookings import service as bookings
from coursecove.bookings.approval import lapse
from coursecove.bookings.calendar_schemas import HandOver, HandOverChoice
from coursecove.bookings.schemas import BookingDecline
from coursecove.bookings.series_schemas import Scope, SeriesCancel, SeriesChanged, SeriesMove, SeriesView
from coursecove.notifications.deliveries import DeliveryView, deliveries_of
from coursecove.notifications.reminders import plan_reminders
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import PreferencesUpdate
from tests.bookings.desk import CLARA, IDA, MIA, TOMAS, Desk, berlin
from tests.notifications.post import Mail, Mailroom, PostOffice
from tests.notifications.series_post import ASKED, CHOIR, WEEKLY, entries, send, subject_of, text_of

HOUR = timedelta(hours=1)


def move(
    desk: Desk,
    email: str,
    series: SeriesView,
    by: timedelta,
    *,
    scope: Scope = "all",
    nth: int = 0,
    **options: Any,
) -> SeriesChanged:
    lesson = series.lessons[nth]
    data = SeriesMove(booking_id=lesson.id, scope=scope, starts_at=lesson.starts_at + by)
    return desk.own(email, lambda session, who: bookings.move_series(session, series.id, data, by=who))


def cancel(
    desk: Desk, email: str, series: SeriesView, *, scope: Scope = "all", nth: int = 0, reason: str = ""
) -> SeriesChanged:
    data = SeriesCancel(booking_id=series.lessons[nth].id, scope=scope, reason=reason)
    return desk.own(email, lambda session, by: bookings.cancel_series(session, series.id, data, by=by))


def kinds(mailroom: Mailroom, series: SeriesView) -> list[tuple[str, str]]:
    """What is planned about the lessons of a series, beside that it was booked."""
    found = [one for lesson in series.lessons for one in mailroom.deliveries(lesson.id)]
    return sorted((one.kind, one.email) for one in found if one.kind != "series_booked")


def method(mail: Mail) -> str:
    return str(Calendar.from_ical(mail.part("application/ics").get_content())["METHOD"])


def test_moving_several_lessons_is_one_mail_to_each_with_every_date(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """Seen to fail: eight mails, one for each lesson and person."""
    series = book(berlin(18, 14))
    send(mailroom, series)
    move(desk, CLARA, series, HOUR)
    send(mailroom, series)
    assert sorted(mail.recipients[0] for mail in office.mails) == [IDA, MIA]
    to_mia, to_ida = office.to(MIA), office.to(IDA)
    assert subject_of(to_mia) == f"Moved: {WEEKLY}, 4 lessons from Tue 18 Mar, 15:00"
    assert subject_of(to_ida) == f"Moved: {WEEKLY} with Mia Okafor, 4 lessons from Tue 18 Mar, 15:00"
    assert "Clara Weiss has moved 4 lessons to another time." in text_of(to_mia)
    for mail in (to_mia, to_ida):
        html = mail.part("text/html").get_content()
        for day, before in (
            ("18 March", "18 Mar"),
            ("25 March", "25 Mar"),
            ("1 April", "1 Apr"),
            ("8 April", "8 Apr"),
        ):
            said = f"Tuesday {day} 2031, 15:00–15:45, instead of Tue {before}, 14:00"
            assert said in text_of(mail), day
            assert said in html, day
        assert "brings all of them up to date" in text_of(mail)
        found = entries(mail)
        assert method(mail) == "PUBLISH"
        assert [(one["UID"], one["SEQUENCE"], one["STATUS"]) for one in found] == [
            (f"{lesson.id}@coursecove.localhost", 1, "CONFIRMED") for lesson in series.lessons
        ]
        assert [one.decoded("dtstart") for one in found] == [one.starts_at + HOUR for one in series.lessons]
        # Several UIDs inline: mail programs would take the first alone.
        assert [part for part in mail.message.walk() if part.get_content_type() == "text/calendar"] == []
    # A second look at the facts, as after a crash, leads to nothing more.
    desk.rows("update events set dispatched_at = null where subject_id = :id returning id", id=series.id)
    send(mailroom, series)
    assert office.mails == []


def test_cancelling_several_lessons_takes_all_of_them_out_of_calendars(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    series = book(berlin(19, 14))
    send(mailroom, series)
    cancel(desk, CLARA, series, scope="following", nth=1, reason="The hall is being repaired.")
    send(mailroom, series)
    assert kinds(mailroom, series) == [("series_cancelled", IDA), ("series_cancelled", MIA)]
    mail = office.to(MIA)
    assert subject_of(mail) == f"Cancelled: {WEEKLY}, 3 lessons from Wed 26 Mar, 14:00"
    text = text_of(mail)
    assert "Clara Weiss has cancelled 3 lessons; they will not take place." in text
    assert "The hall is being repaired." in text
    assert "19 March" not in text
    assert "€48" not in text
    assert "takes all of them out of your calendar" in text
    assert method(mail) == "CANCEL"
    assert [(one["UID"], one["SEQUENCE"], one["STATUS"]) for one in entries(mail)] == [
        (f"{lesson.id}@coursecove.localhost", 1, "CANCELLED") for lesson in series.lessons[1:]
    ]
    assert all("ATTENDEE" in one for one in entries(mail))


def test_one_lesson_of_a_series_has_the_mail_of_one_lesson(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    series = book(berlin(20, 9), times=3)
    send(mailroom, series)
    move(desk, MIA, series, HOUR, scope="this")
    cancel(desk, MIA, series, scope="following", nth=2)
    send(mailroom, series)
    assert kinds(mailroom, series) == [
        ("cancellation", IDA),
        ("cancellation", MIA),
        ("change", IDA),
        ("change", MIA),
    ]
    assert {mail.part("text/calendar").get_param("method") for mail in office.mails} == {"REQUEST", "CANCEL"}


def test_what_changed_again_before_the_mail_went_out_is_not_in_it(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """Nothing is sent for a superseded time; the first lesson, with which the mail is kept, among them."""
    series = book(berlin(24, 9), times=4)
    send(mailroom, series)
    moved = move(desk, MIA, series, HOUR).series
    desk.cancel(MIA, moved.lessons[0])
    desk.move(MIA, moved.lessons[1], moved.lessons[1].starts_at + HOUR)
    send(mailroom, series)
    assert len([mail for mail in office.mails if mail.recipients == [MIA]]) == 3
    together = next(mail for mail in office.mails if mail.recipients == [MIA] and len(entries(mail)) > 1)
    assert [one["UID"].partition("@")[0] for one in entries(together)] == [
        str(one.id) for one in series.lessons[2:]
    ]
    assert "2 lessons from Mon 7 Apr" in subject_of(together)
    assert "31 March" not in text_of(together)


def test_nothing_is_sent_of_a_move_that_was_overtaken_by_another(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """The second mail names the time the reader knew, not the one in between."""
    series = book(berlin(25, 9), times=3)
    send(mailroom, series)
    again = move(desk, CLARA, series, HOUR).series
    move(desk, CLARA, again, HOUR)
    send(mailroom, series)
    mail = office.to(MIA)
    assert "Tuesday 1 April 2031, 11:00–11:45, instead of Tue 1 Apr, 09:00" in text_of(mail)
    assert "10:00" not in text_of(mail)
    skipped = [one for one in mailroom.deliveries(series.lessons[0].id) if one.skipped_at is not None]
    assert [(one.kind, one.booking_revision) for one in skipped] == [("series_moved", 1)] * 2
    # A lesson that moves alone after that was known from the mail about all of them.
    third = desk.get(MIA, series.lessons[2].id)
    desk.move(CLARA, third, third.starts_at + timedelta(minutes=30))
    send(mailroom, series)
    assert "11:00–11:45" in text_of(office.to(MIA))
    assert "09:00" not in text_of(office.to(MIA))


def test_each_instructor_hears_of_the_lessons_they_give(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """The second lesson was handed to Tomas; Ida's mail is silent about it."""
    name = "Weekly with two of the mails"
    if name not in desk.school.types:
        studio = desk.school.locations["Studio Linden"]
        desk.add_type(name, [IDA, TOMAS], location_ids=[studio], horizon_days=365)
    series = book(berlin(26, 14), times=3, name=name, instructor_id=desk.school.members[IDA])
    handed = HandOver([HandOverChoice(series.lessons[1].session_id, desk.school.members[TOMAS])])
    desk.own(CLARA, lambda session, by: bookings.hand_over(session, handed, by=by))
    send(mailroom, series)
    cancel(desk, CLARA, series)
    send(mailroom, series)
    assert sorted(mail.recipients[0] for mail in office.mails) == sorted([IDA, MIA, TOMAS])
    assert [len(entries(office.to(email))) for email in (MIA, IDA, TOMAS)] == [3, 2, 1]
    assert "2 April" not in text_of(office.to(IDA))
    assert "2 April" in text_of(office.to(TOMAS))


def test_instructors_are_spared_seats_of_a_class_that_move_together(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    desk.schedule(CLARA, CHOIR, berlin(27, 17), teacher=IDA, place="Studio Linden", times=2)
    series = book(berlin(27, 17), times=2, name=CHOIR)
    send(mailroom, series)
    cancel(desk, MIA, series)
    send(mailroom, series)
    [mail] = office.mails
    assert (mail.recipients, len(entries(mail))) == ([MIA], 2)
    assert "You have cancelled 2 lessons." in text_of(mail)


@pytest.mark.parametrize("answer", ["approve", "decline", "lapse"])
def test_requests_of_a_series_are_answered_by_one_mail(
    desk: Desk,
    book: Callable[..., SeriesView],
    mailroom: Mailroom,
    office: PostOffice,
    travel: Callable[[datetime], None],
    answer: str,
) -> None:
    day = {"approve": 10, "decline": 11, "lapse": 12}[answer]
    series = book(berlin(day, 9), times=3, name=ASKED)
    send(mailroom, series)
    if answer == "approve":
        desk.own(IDA, lambda session, by: bookings.approve_series(session, series.id, by=by))
    elif answer == "decline":
        data = BookingDecline("I am away in spring.")
        desk.own(IDA, lambda session, by: bookings.decline_series(session, series.id, data, by=by))
    else:
        assert series.lessons[0].approve_by is not None
        travel(series.lessons[0].approve_by)
        desk.loop.run(
            lapse.run(
                mailroom.resources,
                organization_id=str(desk.school.organization_id),
                booking_id=str(series.lessons[1].id),
            )
        )
    send(mailroom, series)
    kind = {"approve": "series_approved", "decline": "series_declined", "lapse": "series_lapsed"}[answer]
    assert kinds(mailroom, series) == [(kind, IDA), (kind, MIA)]
    mail = office.to(MIA)
    beginning, said, status, sent_as = {
        "approve": ("Confirmed: ", "Ida Berg has confirmed 3 lessons.", "CONFIRMED", "PUBLISH"),
        "decline": ("Declined: ", "I am away in spring.", "CANCELLED", "CANCEL"),
        "lapse": ("Not confirmed: ", "has not answered in time", "CANCELLED", "CANCEL"),
    }[answer]
    assert subject_of(mail).startswith(beginning)
    assert said in text_of(mail)
    assert {(one["STATUS"], one["SEQUENCE"]) for one in entries(mail)} == {(status, 1)}
    assert method(mail) == sent_as


def test_every_lesson_shows_admins_the_mail_that_moved_it(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom
) -> None:
    series = book(berlin(27, 9), times=2)
    move(desk, MIA, series, HOUR)
    send(mailroom, series)

    def shown_with(booking_id: uuid.UUID) -> list[DeliveryView]:
        return desk.own(CLARA, lambda session, _by: deliveries_of(session, booking_id))

    for lesson in series.lessons:
        shown = shown_with(lesson.id)
        assert sorted(one.recipient_email for one in shown if one.kind == "series_moved") == [IDA, MIA]


def test_reminders_of_old_times_are_withdrawn_and_whoever_just_heard_needs_none(
    desk: Desk, book: Callable[..., SeriesView], mailroom: Mailroom, office: PostOffice
) -> None:
    """Seen to fail without the look at the acts: the second lesson was reminded of on top of its mail."""
    series = book(berlin(31, 9), times=2)
    send(mailroom, series)
    second = series.lessons[1]

    def reminded(of: datetime) -> list[Any]:
        desk.run(lambda session: plan_reminders(session, now=of - timedelta(days=7) + timedelta(minutes=20)))
        return [one for one in mailroom.deliveries(second.id) if one.kind == "reminder"]

    def remind(minutes: list[int] | None) -> None:
        changes = PreferencesUpdate(reminder_minutes=minutes)
        desk.own(MIA, lambda session, by: tenants.update_preferences(session, changes, by=by))

    remind([10080])
    try:
        [old] = reminded(second.starts_at)
        move(desk, CLARA, series, HOUR)
        mailroom.hand_on(series.id)
        mailroom.deliver(old.id)
        [old] = [one for one in mailroom.deliveries(second.id) if one.kind == "reminder"]
        assert old.skipped_at is not None
        moment = second.starts_at + HOUR - timedelta(days=7)
        with psycopg.connect(mailroom.resources.settings.database_owner_url) as owner:
            # Nothing of ours may date a mail; the owner of the tables may.
            owner.execute("alter table deliveries no force row level security")
            date_mail = "update deliveries set created_at = %s where kind = 'series_moved' and booking_id = %s"
            owner.execute(date_mail, [moment + timedelta(minutes=10), series.lessons[0].id])
            owner.commit()
            assert reminded(second.starts_at + HOUR) == [old]
            owner.execute(date_mail, [moment - timedelta(minutes=10), series.lessons[0].id])
            owner.execute("alter table deliveries force row level security")
        assert len(reminded(second.starts_at + HOUR)) == 2
    finally:
        remind(None)
