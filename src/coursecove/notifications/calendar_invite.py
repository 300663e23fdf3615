"""The calendar entry of a booking, as Google, Apple and Outlook take it from a mail (RFC 5545, RFC 5546).

The UID never changes and SEQUENCE is the booking's revision, so that a later
mail moves or removes the entry of an earlier one instead of adding another.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from email.utils import parseaddr

import msgspec
from icalendar import Calendar, Event, vCalAddress, vText

from coursecove.bookings.schemas import BookingView
from coursecove.i18n import _
from coursecove.notifications.kinds import CALENDAR_METHODS, SERIES_ENDED
from coursecove.notifications.letters import times_of, with_student
from coursecove.notifications.notices import Notice
from coursecove.notifications.wording import plain_line, time_span


def method_of(notice: Notice) -> str | None:
    """Return the iTIP method: REQUEST for a lesson that stands, CANCEL for one that does not.

    None for mails that change nothing in a calendar; those to the instructor of
    a class among them: a seat is no appointment of theirs.
    """
    if notice.in_class and notice.part != "student":
        return None
    return CALENDAR_METHODS.get(notice.kind)


def uid(booking_id: uuid.UUID, base_domain: str) -> str:
    """Return the name the booking has in every calendar, for good."""
    return f"{booking_id}@{base_domain}"


def calendar_invite(
    notice: Notice, *, recipient_email: str, mail_from: str, base_domain: str, method: str | None = None
) -> bytes:
    """Return the iCalendar object for one recipient, who is its only attendee: no address reaches another.

    ``method`` PUBLISH is for a file that somebody takes themselves.
    """
    method = method or method_of(notice) or "PUBLISH"
    return _calendar(
        method,
        [_event(notice, method, recipient_email=recipient_email, mail_from=mail_from, base_domain=base_domain)],
    )


def series_calendar(notice: Notice, *, recipient_email: str, mail_from: str, base_domain: str) -> bytes:
    """Return one file with an entry for each lesson of a series, each under the name it has for good.

    An invitation (REQUEST) is about one UID (RFC 5546, 3.2.2), and mail programs
    take the first entry of one and drop the others; a file that is published
    holds any number.  Its entries have the UID and SEQUENCE that invitations
    would have, so that they bring entries of earlier mails up to date, and a
    later mail about one lesson moves or removes its entry.

    Lessons that do not take place say so twice, by the method CANCEL and by
    their status: calendars that take a file in go by the one or the other.
    """
    method = "CANCEL" if notice.kind in SERIES_ENDED else "PUBLISH"
    options = {"recipient_email": recipient_email, "mail_from": mail_from, "base_domain": base_domain}
    pages = notice.link.removesuffix(notice.booking.reference)
    singly = [
        msgspec.structs.replace(notice, booking=lesson, link=f"{pages}{lesson.reference}")
        for lesson in notice.lessons
    ]
    return _calendar(method, [_event(one, method, **options) for one in singly])


def _event(notice: Notice, method: str, *, recipient_email: str, mail_from: str, base_domain: str) -> Event:
    booking = notice.booking
    cancelled = method == "CANCEL" or booking.cancelled_at is not None
    starts_at, ends_at = times_of(notice)
    event = Event()
    event.add("uid", uid(booking.id, base_domain))
    event.add("sequence", booking.revision)
    # When this was said first, not when it is sent: a repeated mail is the same object.
    event.add("dtstamp", notice.made_at or booking.cancelled_at or booking.confirmed_at or booking.booked_at)
    event.add("dtstart", starts_at)
    event.add("dtend", ends_at)
    event.add("summary", _summary(notice))
    event.add("description", _description(notice))
    event.add("location", place_line(booking))
    event.add("url", notice.link)
    if cancelled:
        event.add("status", "CANCELLED")
    else:
        event.add("status", "TENTATIVE" if booking.status == "pending" else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if cancelled else "OPAQUE")
    event.add("organizer", _address(notice.organization.name, parseaddr(mail_from)[1]))
    if method != "PUBLISH":
        attendee = _address(notice.reader_name, recipient_email)
        attendee.params["role"] = vText("REQ-PARTICIPANT")
        attendee.params["partstat"] = vText("ACCEPTED")
        attendee.params["rsvp"] = vText("FALSE")
        event.add("attendee", attendee)
    return event


def _calendar(method: str, events: Iterable[Event]) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//CourseCove//Lessons//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    for event in events:
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _summary(notice: Notice) -> str:
    booking = notice.booking
    lesson = booking.appointment_type.name
    if notice.part != "student":
        return plain_line(with_student(lesson, booking.student.name))
    if notice.child:
        return plain_line(with_instructor(f"{notice.child}: {lesson}", booking.instructor.name))
    return plain_line(with_instructor(lesson, booking.instructor.name))


def with_instructor(lesson: str, instructor: str) -> str:
    """Return "Violin lesson with Ida Berg"."""
    return _("{lesson} with {instructor}").format(lesson=lesson, instructor=instructor)


def _description(notice: Notice) -> str:
    booking = notice.booking
    starts_at, ends_at = times_of(notice)
    lines = [
        _("{school}, booking {reference}").format(school=notice.organization.name, reference=booking.reference),
        time_span(starts_at, ends_at, notice.zone),
    ]
    if notice.other_zone:
        lines.append(time_span(starts_at, ends_at, notice.other_zone))
    if booking.meeting_url:
        lines.append(_("Join: {link}").format(link=booking.meeting_url))
    if booking.location and booking.location.directions:
        lines.append(booking.location.directions)
    return "\n".join(plain_line(line) for line in [*lines, notice.link])


def place_line(booking: BookingView) -> str:
    """Return where a lesson is, as calendars look it up: a name and an address, or the link of the meeting."""
    place = booking.location
    if place is not None:
        room = booking.room.name if booking.room else ""
        return plain_line(", ".join(part for part in (place.name, room, place.address) if part))
    if booking.address:
        return plain_line(", ".join(part for part in (booking.address, booking.postcode) if part))
    return booking.meeting_url or _("Online")


def _address(name: str, email: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{plain_line(email)}")
    # A quoted parameter cannot hold a double quote (RFC 5545, 3.2).
    address.params["cn"] = vText(plain_line(name).replace('"', "'"))
    return address
