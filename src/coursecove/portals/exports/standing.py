"""What stands beside single lessons: series, waiting lists, and the calendars that follow them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.i18n import N_, _
from coursecove.notifications import feeds
from coursecove.portals.exports.kinds import Asking, Export, Row, day_of, time_of
from coursecove.tenants import service as tenants

_PLACES = {
    "waiting": N_("Waiting"),
    "offered": N_("Seat offered"),
    "accepted": N_("Seat taken"),
    "declined": N_("Seat declined"),
    "lapsed": N_("Offer lapsed"),
    "left": N_("Left the list"),
    "class_began": N_("The class began"),
    "class_cancelled": N_("The class was cancelled"),
}
_FEEDS = {
    "student": N_("Somebody’s own lessons"),
    "instructor": N_("Lessons somebody gives"),
    "location": N_("Lessons at a location"),
}


async def series(asking: Asking) -> AsyncIterator[Row]:
    """Yield every series, also those that are over; its lessons are among the lessons."""
    number, now = 1, clock.now()
    while found := await bookings.list_series(asking.session, viewer=asking.by, with_ended=True, page=number):
        for one in found:
            live = [lesson for lesson in one.lessons if lesson.cancelled_at is None]
            yield (
                one.appointment_type.name,
                one.student.name,
                one.student.email or "",
                one.instructor.name,
                one.location.name if one.location else "",
                formatting.weekday(one.weekday),
                formatting.clock_minutes(one.starts_minute),
                one.time_zone,
                one.duration_minutes,
                one.every_weeks,
                one.first_on.isoformat(),
                one.last_on.isoformat(),
                len(live),
                sum(lesson.starts_at > now for lesson in live),
                " ".join(lesson.reference for lesson in one.lessons),
            )
        if len(found) < bookings.MOST_SERIES:
            return
        number += 1


async def waiting(asking: Asking) -> AsyncIterator[Row]:
    """Yield every place on a waiting list, also what became of those that are over."""
    number = 1
    while found := await bookings.list_waitlist(asking.session, viewer=asking.by, with_ended=True, page=number):
        for one in found:
            zone = one.venue_time_zone or asking.organization.time_zone
            yield (
                one.appointment_type.name,
                day_of(one.starts_at, zone),
                time_of(one.starts_at, zone),
                zone,
                one.location.name if one.location else "",
                one.instructor.name,
                one.student.name,
                one.student.email or "",
                _(_PLACES[one.status]),
                one.position,
                day_of(one.joined_at, zone),
                day_of(one.offered_at, zone),
                day_of(one.offer_expires_at, zone),
                time_of(one.offer_expires_at, zone),
            )
        if len(found) < bookings.LARGEST_LIST:
            return
        number += 1


async def calendars(asking: Asking) -> AsyncIterator[Row]:
    """Yield whose calendars are followed from elsewhere; their addresses are secrets, and nobody has them."""
    places = {
        one.id: one.name for one in await appointments.list_locations(asking.session, include_archived=True)
    }
    zone, number = asking.organization.time_zone, 1
    while found := await feeds.every_feed(asking.session, page=number):
        people = await tenants.members_by_id(asking.session, [one.member_id for one in found if one.member_id])
        for one in found:
            person = people.get(one.member_id) if one.member_id else None
            yield (
                _(_FEEDS[one.kind]),
                person.name if person else "",
                places.get(one.location_id, "") if one.location_id else "",
                day_of(one.created_at, zone),
                day_of(one.last_read_at, zone),
                day_of(one.revoked_at, zone),
            )
        number += 1


SERIES = Export(
    "series",
    N_("Series"),
    (
        N_("Lesson"),
        N_("Student"),
        N_("E-mail"),
        N_("Instructor"),
        N_("Where"),
        N_("Weekday"),
        N_("From"),
        N_("Time zone"),
        N_("Minutes"),
        N_("Every … weeks"),
        N_("First day"),
        N_("Last day"),
        N_("Lessons"),
        N_("Lessons to come"),
        N_("References"),
    ),
    series,
)
WAITING = Export(
    "waiting-lists",
    N_("Waiting lists"),
    (
        N_("Lesson"),
        N_("Day"),
        N_("From"),
        N_("Time zone"),
        N_("Where"),
        N_("Instructor"),
        N_("Student"),
        N_("E-mail"),
        N_("Status"),
        N_("Place in line"),
        N_("Waiting since"),
        N_("Offered on"),
        N_("Offer ends on"),
        N_("Offer ends at"),
    ),
    waiting,
)
CALENDARS = Export(
    "calendar-feeds",
    N_("Calendar feeds"),
    (
        N_("Calendar"),
        N_("Person"),
        N_("Location"),
        N_("Made on"),
        N_("Last read on"),
        N_("Ended on"),
    ),
    calendars,
)
