"""Series as their mails see them: types that can be had weekly, and the way from a series to its mails."""

from __future__ import annotations

from typing import Any

from icalendar import Calendar

from coursecove.bookings.series_schemas import SeriesView
from tests.bookings.desk import IDA, Desk
from tests.notifications.post import Mail, Mailroom

WEEKLY, ASKED, CHOIR = "Series of the mails", "Asked series of the mails", "Series choir of the mails"


def add_weekly_types(desk: Desk) -> None:
    """What can be had weekly: a lesson, one that is to be confirmed, and a class."""
    if WEEKLY in desk.school.types:
        return
    studio = desk.school.locations["Studio Linden"]
    desk.add_type(WEEKLY, [IDA], location_ids=[studio], horizon_days=365, price_cents=4800)
    desk.add_type(ASKED, [IDA], location_ids=[studio], horizon_days=365, requires_approval=True, price_cents=0)
    desk.add_class(CHOIR, [IDA], horizon_days=365, start_interval_minutes=None)


def send(mailroom: Mailroom, series: SeriesView) -> None:
    """Hand on all there is about a series and its lessons, and send what comes of it."""
    mailroom.office.mails.clear()
    for subject_id in (series.id, *(lesson.id for lesson in series.lessons)):
        mailroom.hand_on(subject_id)
    for lesson in series.lessons:
        for delivery in mailroom.deliveries(lesson.id):
            mailroom.deliver(delivery.id)


def subject_of(mail: Mail) -> str:
    """As a reader sees it; a long one is folded on its way."""
    return " ".join(str(mail.message["Subject"]).split())


def text_of(mail: Mail) -> str:
    return str(mail.part("text/plain").get_content()).replace("\r\n", "\n")


def entries(mail: Mail) -> list[Any]:
    calendar = Calendar.from_ical(mail.part("application/ics").get_content())
    return list(calendar.walk("VEVENT"))
