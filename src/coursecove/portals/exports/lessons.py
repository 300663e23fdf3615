"""Lessons, and what staff wrote about them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.i18n import N_, _
from coursecove.portals.admin.booking_filters import Filters, matching, read_filters
from coursecove.portals.admin.choices import read_choices
from coursecove.portals.exports.kinds import Asking, Export, Row, amount, day_of, time_of, yes_no
from coursecove.portals.lesson_words import attendance_word, where_of

_STATUSES = {
    "held": N_("Held"),
    "pending": N_("Waiting for an answer"),
    "confirmed": N_("Confirmed"),
    "declined": N_("Declined"),
    "cancelled": N_("Cancelled"),
    "expired": N_("Expired"),
}


async def _found(asking: Asking) -> AsyncIterator[BookingView]:
    """Yield the lessons that their list shows, page after page."""
    if asking.everything:
        filters = Filters(show="all", latest_first=False)
    else:
        filters = await read_filters(asking.session, asking.query, await read_choices(asking.session))
    filters.page = 1
    size = bookings.LARGEST_PAGE
    while True:
        found = await matching(
            asking.session, filters, by=asking.by, zone=asking.organization.time_zone, page_size=size
        )
        for booking in found.items:
            yield booking
        if filters.page * size >= found.total:
            return
        filters.page += 1


async def lessons(asking: Asking) -> AsyncIterator[Row]:
    """Yield a row for every seat that is or was taken, on the clock of the venue or the school."""
    async for booking in _found(asking):
        zone = booking.venue_time_zone or asking.organization.time_zone
        yield (
            booking.reference,
            _(_STATUSES[booking.status]),
            booking.appointment_type.name,
            day_of(booking.starts_at, zone),
            time_of(booking.starts_at, zone),
            time_of(booking.ends_at, zone),
            zone,
            booking.duration_minutes,
            booking.student.name,
            booking.student.email or "",
            booking.instructor.name,
            where_of(booking),
            ", ".join(part for part in (booking.address, booking.postcode) if part),
            amount(booking.price_cents, booking.currency),
            booking.currency or "",
            attendance_word(booking.attendance) if booking.attendance else "",
            booking.note,
            "\n".join(f"{answer.label}: {answer.answer}" for answer in booking.answers),
            day_of(booking.booked_at, zone),
            day_of(booking.cancelled_at, zone),
            booking.cancelled_by.name if booking.cancelled_by else "",
            booking.cancellation_reason or "",
        )


async def notes(asking: Asking) -> AsyncIterator[Row]:
    """Yield the notes of those lessons."""
    async for booking in _found(asking):
        zone = booking.venue_time_zone or asking.organization.time_zone
        for note in booking.notes:
            yield (
                booking.reference,
                day_of(booking.starts_at, zone),
                booking.student.name,
                note.author.name,
                day_of(note.updated_at, zone),
                yes_no(note.shared),
                note.body,
            )


LESSONS = Export(
    "lessons",
    N_("Lessons"),
    (
        N_("Reference"),
        N_("Status"),
        N_("Lesson"),
        N_("Day"),
        N_("From"),
        N_("Until"),
        N_("Time zone"),
        N_("Minutes"),
        N_("Student"),
        N_("E-mail"),
        N_("Instructor"),
        N_("Where"),
        N_("Address"),
        N_("Price"),
        N_("Currency"),
        N_("Attendance"),
        N_("Note"),
        N_("Answers"),
        N_("Booked on"),
        N_("Cancelled on"),
        N_("Cancelled by"),
        N_("Reason"),
    ),
    lessons,
)
NOTES = Export(
    "notes",
    N_("Lesson notes"),
    (
        N_("Reference"),
        N_("Day"),
        N_("Student"),
        N_("Written by"),
        N_("Written on"),
        N_("Shared with the student"),
        N_("Note"),
    ),
    notes,
)
