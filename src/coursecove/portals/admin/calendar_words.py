"""What an entry of the calendar says, for eyes and for ears."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from coursecove import clock, formatting
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.i18n import _
from coursecove.portals.admin.calendar_layout import MIDNIGHT, Span
from coursecove.portals.lesson_words import attendance_word
from coursecove.scheduling.schemas import ClosedDays

# Lessons in these states take their instructor's time.
LIVE = ("held", "pending", "confirmed")


def entry_words(
    entry: CalendarEntry, zone: str, *, by_person: bool = False, outside_hours: bool = False
) -> dict[str, Any]:
    """Return a lesson as a calendar shows it; ``by_person`` leaves out who teaches, whose column it is."""
    time = formatting.time_range(entry.starts_at, entry.ends_at, zone)
    private = entry.kind == "private"
    student = entry.seats[0] if entry.seats else None
    title = student.student.name if private and student else entry.appointment_type.name
    facts = [
        entry.appointment_type.name if private and student else None,
        None if private else seats_words(entry.seats_taken, entry.capacity),
        None if by_person else entry.instructor.name,
        place_of(entry),
    ]
    marks = []
    if entry.status == "pending":
        marks.append({"kind": "warning", "icon": "clock", "label": _("Waiting for an answer")})
    if outside_hours:
        marks.append({"kind": "warning", "icon": "triangle-alert", "label": _("Outside the hours")})
    if student and private and student.attendance:
        marks.append({"kind": "success", "icon": "check", "label": attendance_word(student.attendance)})
    elsewhere = entry.venue_time_zone
    if elsewhere and not formatting.same_clock(entry.starts_at, zone, elsewhere):
        facts.append(
            _("{time} {zone} time").format(
                time=formatting.time(entry.starts_at, elsewhere), zone=formatting.zone_name(elsewhere)
            )
        )
    return {
        "time": time,
        "starts": formatting.time(entry.starts_at, zone),
        "iso": entry.starts_at.isoformat().replace("+00:00", "Z"),
        "title": title,
        "facts": [fact for fact in facts if fact],
        "text": " · ".join(fact for fact in facts if fact),
        "color": entry.appointment_type.color,
        "state": "pending" if entry.status == "pending" else None if entry.status in LIVE else "cancelled",
        "over": entry.ends_at <= clock.now(),
        "marks": marks,
        # A private lesson that is still to come can be dragged to where it is asked what to move.
        "reference": student.reference
        if private and student and entry.status in LIVE and entry.ends_at > clock.now()
        else None,
    }


def seats_words(taken: int, capacity: int) -> str:
    """Return "6 of 8 seats"."""
    return _("{taken} of {capacity} seats").format(taken=taken, capacity=capacity)


def place_of(entry: CalendarEntry) -> str:
    """Return where a lesson is, in a word or two."""
    if entry.location is None:
        return _("Online") if entry.appointment_type.location_mode == "online" else _("At the student’s place")
    return f"{entry.location.name}, {entry.room.name}" if entry.room else entry.location.name


def closure_note(closed: ClosedDays, places: Mapping[uuid.UUID, str]) -> str:
    """Return "Closed: Christmas", with the place where it is one of several."""
    if closed.location_id is None:
        return _("Closed: {name}").format(name=closed.name)
    return _("{place} is closed: {name}").format(place=places.get(closed.location_id, ""), name=closed.name)


def time_off_note(name: str, reason: str, span: Span) -> str:
    """Return "Ida Berg is away 10:00–12:00: dentist"."""
    if span == (0, MIDNIGHT):
        text = _("{name} is away").format(name=name)
    else:
        text = _("{name} is away {from_}–{until}").format(
            name=name, from_=formatting.clock_minutes(span[0]), until=formatting.clock_minutes(span[1])
        )
    return f"{text}: {reason}" if reason else text
