"""Where the teaching portal keeps the page of a lesson."""

from __future__ import annotations

from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.tenants.handles import handle_of

LESSONS = "/teach/lessons"
CLASSES = "/teach/classes"


def entry_href(entry: CalendarEntry) -> str:
    """Return the page of an entry of the calendar: the booking's, or the class's."""
    if entry.kind == "private" and entry.seats:
        return f"{LESSONS}/{entry.seats[0].reference}"
    return f"{CLASSES}/{handle_of(entry.session_id, entry.appointment_type.name)}"
