"""What a calendar feed holds: lessons of the last weeks and of a year ahead (RFC 5545)."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import datetime, timedelta

from icalendar import Calendar, Event, vText
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.bookings.schemas import BookingView
from coursecove.config import Settings
from coursecove.i18n import _, speaking
from coursecove.notifications.calendar_invite import place_line, uid, with_instructor
from coursecove.notifications.feeds import FoundFeed
from coursecove.notifications.letters import with_student
from coursecove.notifications.wording import plain_line
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import OrganizationView

PAST, AHEAD = timedelta(days=60), timedelta(days=400)
#: How often a calendar may ask again; the big ones ask when they like.
REFRESH = timedelta(minutes=30)

_STAMP = re.compile(rb"(?m)^DTSTAMP:[^\r]*\r$")


class FeedContent(Struct, frozen=True):
    """A calendar as it is now, and the mark by which a program knows that nothing has changed."""

    body: bytes
    etag: str


async def feed_content(session: AsyncSession, feed: FoundFeed, settings: Settings) -> FeedContent:
    """Return what the holder of a feed may see, in their language; five queries at most."""
    organization = await tenants.get_organization(session)
    chosen = await tenants.get_preferences(session, feed.reader.id)
    with speaking(chosen.locale or organization.locale):
        events, name = await _events(session, feed, organization, settings)
        calendar = Calendar()
        calendar.add("prodid", "-//CourseCove//Lessons//EN")
        calendar.add("version", "2.0")
        calendar.add("calscale", "GREGORIAN")
        # As text: the library escapes only what it knows, and these two it does not.
        calendar.add("name", vText(plain_line(name)))
        calendar.add("x-wr-calname", vText(plain_line(name)))
        calendar.add("color", organization.accent_color)
        calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
        calendar.add("x-published-ttl", REFRESH)
        for event in events:
            calendar.add_component(event)
        body = bytes(calendar.to_ical())
    # When it was written says nothing about what it says.
    digest = hashlib.sha256(_STAMP.sub(b"", body)).hexdigest()[:32]
    return FeedContent(body, f'W/"{digest}"')


async def _events(
    session: AsyncSession, feed: FoundFeed, organization: OrganizationView, settings: Settings
) -> tuple[list[Event], str]:
    now, origin = clock.now(), settings.origin(organization.slug)
    from_, until = now - PAST, now + AHEAD
    if feed.kind == "student":
        lessons = await bookings.own_lessons(session, viewer=feed.reader, from_=from_, until=until)
        return [
            _lesson(one, organization, reader_id=feed.reader.id, origin=origin, settings=settings)
            for one in lessons
        ], _("Lessons at {school}").format(school=organization.name)
    entries = await bookings.calendar(
        session,
        viewer=feed.reader,
        from_=from_,
        until=until,
        instructor_id=feed.reader.id if feed.kind == "instructor" else None,
        location_id=feed.location_id,
    )
    if feed.kind == "instructor":
        name = _("Teaching at {school}").format(school=organization.name)
    else:
        assert feed.location_id is not None, "a check in the table says so"
        place = await appointments.get_location(session, feed.location_id)
        name = f"{organization.name}, {place.name}"
    return [_entry(one, feed, origin=origin, settings=settings) for one in entries], name


def _lesson(
    booking: BookingView,
    organization: OrganizationView,
    *,
    reader_id: uuid.UUID,
    origin: str,
    settings: Settings,
) -> Event:
    lesson = booking.appointment_type.name
    if booking.student.id != reader_id:
        lesson = f"{booking.student.name}: {lesson}"
    link = f"{origin}/lessons/{booking.reference}"
    about = _("{school}, booking {reference}").format(school=organization.name, reference=booking.reference)
    lines = [about]
    if booking.meeting_url:
        lines.append(_("Join: {link}").format(link=booking.meeting_url))
    if booking.location and booking.location.directions:
        lines.append(booking.location.directions)
    event = _event(
        uid(booking.id, settings.base_domain),
        booking.starts_at,
        booking.ends_at,
        with_instructor(lesson, booking.instructor.name),
        [*lines, link],
        link,
        waits=booking.status == "pending",
    )
    event.add("sequence", booking.revision)
    event.add("location", place_line(booking))
    return event


def _entry(entry: CalendarEntry, feed: FoundFeed, *, origin: str, settings: Settings) -> Event:
    lesson = entry.appointment_type.name
    portal = "teach/lessons" if feed.kind == "instructor" else "admin/bookings"
    lines = []
    if entry.kind == "class":
        what = _("{lesson} ({taken} of {seats})").format(
            lesson=lesson, taken=entry.seats_taken, seats=entry.capacity
        )
        lines += [seat.student.name for seat in entry.seats]
    else:
        what = with_student(lesson, entry.seats[0].student.name) if entry.seats else lesson
        lines += [_("Note: {note}").format(note=seat.note) for seat in entry.seats if seat.note]
    if feed.kind == "location":
        what = f"{entry.instructor.name}: {what}"
    link = f"{origin}/{portal.partition('/')[0]}"
    if entry.kind == "private" and entry.seats:
        link = f"{origin}/{portal}/{entry.seats[0].reference}"
    if entry.meeting_url:
        lines.append(_("Join: {link}").format(link=entry.meeting_url))
    own = entry.seats[0].booking_id if entry.kind == "private" and entry.seats else entry.session_id
    event = _event(
        uid(own, settings.base_domain),
        entry.starts_at,
        entry.ends_at,
        what,
        [*lines, link],
        link,
        waits=entry.status == "pending",
    )
    if entry.kind == "private" and entry.seats:
        event.add("sequence", entry.seats[0].revision)
    event.add("location", _place(entry, feed))
    return event


def _place(entry: CalendarEntry, feed: FoundFeed) -> str:
    place, room = entry.location, entry.room.name if entry.room else ""
    if place is None:
        return plain_line(entry.address) or entry.meeting_url or _("Online")
    # Whoever subscribed to a location knows where it is; the room is what they look for.
    parts = (place.name, room) if feed.kind == "location" else (place.name, room, place.address)
    return plain_line(", ".join(part for part in parts if part))


def _event(
    name: str,
    starts_at: datetime,
    ends_at: datetime,
    summary: str,
    lines: list[str],
    link: str,
    *,
    waits: bool,
) -> Event:
    event = Event()
    event.add("uid", name)
    event.add("dtstamp", clock.now())
    event.add("dtstart", starts_at)
    event.add("dtend", ends_at)
    event.add("summary", plain_line(summary))
    event.add("description", "\n".join(plain_line(line) for line in lines))
    event.add("url", link)
    event.add("status", "TENTATIVE" if waits else "CONFIRMED")
    return event
