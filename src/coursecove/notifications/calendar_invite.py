"""The calendar entry of a booking, as Google, Apple and Outlook take it from a mail (RFC 5545, RFC 5546).

The UID never changes and SEQUENCE is the booking's revision, so that a later
mail moves or removes the entry of an earlier one instead of adding another.
"""

from __future__ import annotations

import uuid
from email.utils import parseaddr

from icalendar import Calendar, Event, vCalAddress, vText

from coursecove.notifications.rendering import Notice
from coursecove.notifications.wording import plain_line, time_span


def method_of(notice: Notice) -> str:
    """Return the iTIP method: REQUEST for a lesson that stands, CANCEL for one that does not."""
    return "CANCEL" if notice.kind == "cancellation" else "REQUEST"


def uid(booking_id: uuid.UUID, base_domain: str) -> str:
    """Return the name the booking has in every calendar, for good."""
    return f"{booking_id}@{base_domain}"


def calendar_invite(notice: Notice, *, recipient_email: str, mail_from: str, base_domain: str) -> bytes:
    """Return the iCalendar object for one recipient, who is its only attendee: no address reaches another."""
    booking = notice.booking
    cancelled = notice.kind == "cancellation"
    event = Event()
    event.add("uid", uid(booking.id, base_domain))
    event.add("sequence", booking.revision)
    # When this revision was made, not when it is sent: a repeated mail is the same object.
    event.add("dtstamp", booking.cancelled_at or booking.confirmed_at)
    event.add("dtstart", booking.starts_at)
    event.add("dtend", booking.ends_at)
    event.add("summary", _summary(notice))
    event.add("description", _description(notice))
    event.add("location", _location(notice))
    event.add("url", notice.link)
    event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if cancelled else "OPAQUE")
    event.add("organizer", _address(notice.organization.name, parseaddr(mail_from)[1]))
    attendee = _address(getattr(booking, notice.part).name, recipient_email)
    attendee.params["role"] = vText("REQ-PARTICIPANT")
    attendee.params["partstat"] = vText("ACCEPTED")
    attendee.params["rsvp"] = vText("FALSE")
    event.add("attendee", attendee)
    calendar = Calendar()
    calendar.add("prodid", "-//CourseCove//Lessons//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method_of(notice))
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _summary(notice: Notice) -> str:
    booking = notice.booking
    other = booking.student if notice.part == "instructor" else booking.instructor
    return plain_line(f"{booking.appointment_type.name} with {other.name}")


def _description(notice: Notice) -> str:
    booking = notice.booking
    lines = [
        f"{notice.organization.name}, booking {booking.reference}",
        time_span(booking.starts_at, booking.ends_at, notice.zone),
    ]
    if notice.other_zone:
        lines.append(time_span(booking.starts_at, booking.ends_at, notice.other_zone))
    if booking.meeting_url:
        lines.append(f"Join: {booking.meeting_url}")
    if booking.location and booking.location.directions:
        lines.append(booking.location.directions)
    return "\n".join(plain_line(line) for line in [*lines, notice.link])


def _location(notice: Notice) -> str:
    place = notice.booking.location
    if place is None:
        return notice.booking.meeting_url or "Online"
    return plain_line(", ".join(part for part in (place.name, place.address) if part))


def _address(name: str, email: str) -> vCalAddress:
    address = vCalAddress(f"mailto:{plain_line(email)}")
    # A quoted parameter cannot hold a double quote (RFC 5545, 3.2).
    address.params["cn"] = vText(plain_line(name).replace('"', "'"))
    return address
