"""A day's or a week's calendar as the page draws it: columns with lessons, free time, closed time and now.

Columns are days, or of one day its instructors or its rooms.  All times are on
the wall clock of one zone; where a lesson's own place keeps another one, its
entry says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from coursecove import clock, formatting
from coursecove.appointments.schemas import RoomView
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.calendar_layout import (
    MIDNIGHT,
    Span,
    hours_shown,
    merged,
    minutes_in,
    side_by_side,
    span_on,
    without,
)
from coursecove.portals.admin.calendar_words import LIVE, closure_note, entry_words, time_off_note
from coursecove.portals.student.choice import instant_text
from coursecove.scheduling import zones
from coursecove.scheduling.working_times import WorkingTimes
from coursecove.tenants.schemas import InstructorView

# Less than this is a gap between two lessons, and no invitation to book.
_SHORTEST_FREE = 15
_SHORT_ENTRY = 30


@dataclass(slots=True)
class Column:
    """One column: its heading, what the day is like, and what stands on it."""

    key: str
    title: str
    text: str | None
    href: str | None
    today: bool
    # The instant of noon, from which a script counts the minutes of a drop.
    noon: str
    date: str
    instructor: str | None
    notes: list[dict[str, str]] = field(default_factory=list)
    bands: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    free: list[dict[str, Any]] = field(default_factory=list)
    # How much of the day is free; None where nobody works.
    figures: dict[str, Any] | None = None
    now: dict[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """All columns, and the hours of the day they show."""

    columns: list[Column]
    first_hour: int
    last_hour: int

    @property
    def hours(self) -> list[dict[str, Any]]:
        """Return the full hours beside the columns."""
        return [{"h": hour, "label": f"{hour:02}:00"} for hour in range(self.first_hour, self.last_hour)]


@dataclass(frozen=True, slots=True)
class Material:
    """What a board is made of; ``taken`` are all live lessons, also those the filters leave out."""

    zone: str
    entries: Sequence[CalendarEntry]
    taken: Sequence[CalendarEntry]
    times: WorkingTimes
    instructors: Sequence[InstructorView]
    places: Mapping[uuid.UUID, str]
    # The place the calendar is narrowed to: hours elsewhere do not count.
    location_id: uuid.UUID | None
    entry_href: Callable[[CalendarEntry], str]
    # (start, instructor or None, room or None) → where it is booked
    new_href: Callable[[datetime, InstructorView | None, str | None], str]

    def of_person(self, person: InstructorView) -> Material:
        """Return the same for one instructor alone."""
        return replace(
            self,
            entries=[entry for entry in self.entries if entry.instructor.id == person.id],
            instructors=[person],
        )

    def in_room(self, room: RoomView) -> Material:
        """Return the same with the lessons of one room, and the hours at its place."""
        return replace(
            self,
            entries=[entry for entry in self.entries if entry.room and entry.room.id == room.id],
            location_id=room.location_id,
        )


def board_of(columns: list[Column]) -> Board:
    """Return the board of some columns, tall enough for everything on them."""
    spans: list[Span] = []
    for column in columns:
        for thing in (*column.entries, *[band for band in column.bands if band["kind"] == "open"]):
            spans.append(thing["span"])
    first, last = hours_shown(spans)
    for column in columns:
        if column.now and not first <= column.now["h"] < last:
            column.now = None
    return Board(columns, first, last)


def column_of(
    material: Material,
    day: date,
    *,
    key: str,
    title: str,
    text: str | None = None,
    href: str | None = None,
    instructor: InstructorView | None = None,
    room: tuple[RoomView, str] | None = None,
) -> Column:
    """Return one column of ``day``: of ``instructor`` alone, of a room (beside its key), or of everybody."""
    now = clock.now()
    here = formatting.local(now, material.zone)
    column = Column(
        key=key,
        title=title,
        text=text,
        href=href,
        today=here.date() == day,
        noon=instant_text(zones.to_datetime(zones.opening(material.zone, day.toordinal(), 720))),
        date=day.isoformat(),
        instructor=instructor.slug if instructor else None,
    )
    if column.today:
        column.now = {"h": here.hour, "m": here.minute}
    _place_entries(column, material, day, by_person=instructor is not None)
    working = _working_spans(material, day)
    column.bands = [_band(span, "open") for span in merged(s for spans in working.values() for s in spans)]
    if instructor is not None:
        off = [
            span
            for away in material.times.time_off.get(instructor.id, ())
            if (span := span_on(day, away.starts_at, away.ends_at, material.zone))
        ]
        column.bands += [_band(span, "off") for span in merged(off)]
    past = MIDNIGHT if day < here.date() else here.hour * 60 + here.minute if column.today else 0
    _place_free(column, material, day, working, past=past, instructor=instructor, room=room)
    column.notes = _notes(material, day)
    return column


def _place_entries(column: Column, material: Material, day: date, *, by_person: bool) -> None:
    found: list[tuple[Span, CalendarEntry]] = []
    for entry in material.entries:
        span = span_on(day, entry.starts_at, entry.ends_at, material.zone)
        if span is not None:
            found.append((span, entry))
    found.sort(key=lambda pair: (pair[0], pair[1].instructor.name, str(pair[1].session_id)))
    lanes = side_by_side([span for span, _entry in found])
    for (span, entry), lane in zip(found, lanes, strict=True):
        outside = entry.status in LIVE and not _within_hours(material, entry)
        column.entries.append(
            {
                **_band(span, "entry"),
                **entry_words(entry, material.zone, by_person=by_person, outside_hours=outside),
                "href": material.entry_href(entry),
                "lane": lane.number,
                "lanes": lane.of,
                "short": span[1] - span[0] <= _SHORT_ENTRY,
            }
        )


def _place_free(
    column: Column,
    material: Material,
    day: date,
    working: Mapping[uuid.UUID, list[Span]],
    *,
    past: int,
    instructor: InstructorView | None,
    room: tuple[RoomView, str] | None,
) -> None:
    """Add the free time of those who work, and how much of the day it is."""
    total = taken = left = 0
    free: dict[uuid.UUID, list[Span]] = {}
    busy = _busy_spans(material, day)
    for person in material.instructors:
        spans = merged(working.get(person.id, ()))
        unused = without(spans, busy.get(person.id, ()))
        free[person.id] = without(unused, [(0, past)] if past else [])
        total, taken = total + minutes_in(spans), taken + minutes_in(spans) - minutes_in(unused)
        left += minutes_in(free[person.id])
    if room is not None:
        # One lesson in a room keeps everybody else out of it.
        in_use = [
            span
            for entry in material.taken
            if entry.room is not None and entry.room.id == room[0].id and entry.status in LIVE
            if (span := span_on(day, entry.blocked_from, entry.blocked_until, material.zone))
        ]
        free = {person_id: without(spans, in_use) for person_id, spans in free.items()}
    elif total:
        over, amount = past == MIDNIGHT, formatting.duration(taken if past == MIDNIGHT else left)
        # Nothing of a day that is over is free any more: it says how much of it was used.
        short = _("{time} used") if over else _("{time} free")
        text = _("{used} of {total} used") if over else _("{free} of {total} free")
        column.figures = {
            "short": short.format(time=amount) if taken or left else _("Unused"),
            "text": text.format(free=amount, used=amount, total=formatting.duration(total)),
            "taken": taken,
            "total": total,
        }
    for span in merged(span for spans in free.values() for span in spans):
        if span[1] - span[0] < _SHORTEST_FREE:
            continue
        who = [
            person.name
            for person in material.instructors
            if any(start < span[1] and end > span[0] for start, end in free[person.id])
        ]
        starts_at = zones.to_datetime(zones.opening(material.zone, day.toordinal(), span[0]))
        column.free.append(
            {
                **_band(span, "free"),
                "href": material.new_href(starts_at, instructor, room[1] if room else None),
                "start": instant_text(starts_at),
                "label": _("Free {from_}–{until}").format(
                    from_=formatting.clock_minutes(span[0]), until=formatting.clock_minutes(span[1])
                ),
                "who": None if instructor else _names(who),
                # A lesson covers its first line: the words show when it is pointed at.
                "behind": any(
                    entry["span"][0] < span[0] + _SHORTEST_FREE and entry["span"][1] > span[0]
                    for entry in column.entries
                ),
            }
        )


def _names(names: Sequence[str]) -> str:
    if len(names) > 3:
        return ngettext("{number} person", "{number} people", len(names)).format(number=len(names))
    return ", ".join(names)


def _working_spans(material: Material, day: date) -> dict[uuid.UUID, list[Span]]:
    spans: dict[uuid.UUID, list[Span]] = {}
    for person in material.instructors:
        for working in material.times.working.get(person.id, ()):
            if material.location_id and working.location_id not in (None, material.location_id):
                continue
            span = span_on(day, working.starts_at, working.ends_at, material.zone)
            if span:
                spans.setdefault(person.id, []).append(span)
    return spans


def _busy_spans(material: Material, day: date) -> dict[uuid.UUID, list[Span]]:
    spans: dict[uuid.UUID, list[Span]] = {}
    for entry in material.taken:
        if entry.status in LIVE:
            span = span_on(day, entry.blocked_from, entry.blocked_until, material.zone)
            if span:
                spans.setdefault(entry.instructor.id, []).append(span)
    return spans


def _within_hours(material: Material, entry: CalendarEntry) -> bool:
    """Say whether a lesson lies within the hours of who gives it, at its place."""
    times = [
        (working.starts_at, working.ends_at)
        for working in material.times.working.get(entry.instructor.id, ())
        if working.location_id is None or entry.location is None or working.location_id == entry.location.id
    ]
    at = entry.starts_at
    for start, end in sorted(times):
        if start <= at < end:
            at = end
    return at >= entry.ends_at


def _notes(material: Material, day: date) -> list[dict[str, str]]:
    notes = [
        {"kind": "closed", "text": closure_note(closed, material.places)}
        for closed in material.times.closed
        if closed.starts_on <= day <= closed.ends_on
        and (material.location_id is None or closed.location_id in (None, material.location_id))
    ]
    for person in material.instructors:
        for away in material.times.time_off.get(person.id, ()):
            if span := span_on(day, away.starts_at, away.ends_at, material.zone):
                notes.append({"kind": "off", "text": time_off_note(person.name, away.reason, span)})
    return notes


def _band(span: Span, kind: str) -> dict[str, Any]:
    start, end = span
    hours, minutes = divmod(end - start, 60)
    return {"kind": kind, "span": span, "h": start // 60, "m": start % 60, "dh": hours, "dm": minutes}


def days_between(first: date, last: date) -> list[date]:
    """Return the days from ``first`` to ``last``, both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
