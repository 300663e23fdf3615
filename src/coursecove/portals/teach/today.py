"""Today: what is next, today's lessons with what one needs for them, and the requests that wait."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.bookings.last_time import LastTime, last_lessons
from coursecove.bookings.schemas import BookingView
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.booking_filters import midnight
from coursecove.portals.admin.calendar_layout import MIDNIGHT, merged, minutes_in, span_on, without
from coursecove.portals.admin.calendar_words import LIVE, closure_note, place_of, seats_words
from coursecove.portals.lesson_words import (
    attendance_choices,
    attendance_word,
    instructor_clocks,
    lesson_card,
    long_day,
)
from coursecove.portals.pages import AnyRequest, render
from coursecove.portals.teach.addresses import entry_href
from coursecove.portals.teach.navigation import own_profile, teach_page
from coursecove.scheduling import service as scheduling
from coursecove.scheduling import zones
from coursecove.scheduling.working_times import WorkingTimes, working_times
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

# More than anybody can teach in a day, or leave unanswered.
_MOST = 200
_SHORTEST_GAP = 15


@get("/teach", include_in_schema=False, dependencies={"by": Provide(as_staff)})
async def today(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """Draw the day in the instructor's own zone; as many queries for a full day as for an empty one."""
    profile = await own_profile(session, by)
    zone = profile.time_zone if profile else organization.time_zone
    now = clock.now()
    date_ = formatting.local(now, zone).date()
    from_, until = midnight(date_, zone), midnight(date_ + timedelta(days=1), zone)
    entries = await bookings.calendar(session, viewer=by, instructor_id=by.id, from_=from_, until=until)
    found = await bookings.list_bookings(
        session, viewer=by, instructor_id=by.id, from_=from_, until=until, page_size=_MOST
    )
    students = {entry.seats[0].student.id for entry in entries if entry.kind == "private" and entry.seats}
    day = Day(
        date=date_,
        zone=zone,
        now=now,
        entries=entries,
        details={booking.id: booking for booking in found.items},
        before=await last_lessons(session, students, viewer=by, before=from_),
    )
    waiting = await bookings.list_bookings(
        session, viewer=by, instructor_id=by.id, status="pending", from_=now, page_size=_MOST
    )
    coming = await bookings.list_bookings(
        session, viewer=by, instructor_id=by.id, status="confirmed", from_=until, page_size=1
    )
    places = await appointments.list_locations(session, include_archived=True)
    times = await working_times(
        session,
        {by.id: zone},
        place_zones={place.id: place.time_zone for place in places},
        from_=from_,
        until=until,
    )
    return render(
        request,
        "teach/today.html",
        teach_page(request, _("Today")),
        day_title=long_day(date_, zone),
        zone=formatting.zone_name(zone),
        summary=day.summary,
        next_up=day.next_up,
        after_today=_coming(coming.items, zone),
        items=day.items(_gaps(times, entries, by.id, date_, now=now, zone=zone)),
        notes=_notes(times, by.id, date_, zone=zone, places={place.id: place.name for place in places}),
        requests=_requests(waiting.items, zone),
        attendance=attendance_choices(),
        has_hours=bool(await scheduling.hours_of(session, by.id)),
    )


@dataclass(frozen=True, slots=True)
class Day:
    """A day's lessons with what is known about each."""

    date: date
    zone: str
    now: datetime
    entries: Sequence[CalendarEntry]
    details: Mapping[uuid.UUID, BookingView]
    before: Mapping[uuid.UUID, LastTime]

    @property
    def taught(self) -> list[CalendarEntry]:
        """Return the lessons that take place: a class without students, or a request, is none yet."""
        return [entry for entry in self.entries if entry.status == "confirmed" and entry.seats]

    @property
    def summary(self) -> str:
        """Return "5 lessons, 3 h 45 min"."""
        taught = self.taught
        if not taught:
            return _("No lessons today")
        minutes = sum(int((entry.ends_at - entry.starts_at).total_seconds()) // 60 for entry in taught)
        lessons = ngettext("{count} lesson", "{count} lessons", len(taught)).format(count=len(taught))
        return _("{lessons}, {time} in all").format(lessons=lessons, time=formatting.duration(minutes))

    @property
    def next_up(self) -> dict[str, Any] | None:
        """Return the lesson that is under way, or else the next one of today, with how far away it is."""
        ahead = [entry for entry in self.taught if entry.ends_at > self.now]
        if not ahead:
            return None
        entry = ahead[0]
        if entry.starts_at <= self.now:
            eyebrow = _("Now, until {time}").format(time=formatting.time(entry.ends_at, self.zone))
        else:
            minutes = max(int((entry.starts_at - self.now).total_seconds()) // 60, 1)
            eyebrow = _("Next, in {time}").format(time=formatting.duration(minutes))
        return {**self.lesson(entry), "eyebrow": eyebrow}

    def items(self, gaps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return lessons and free time in the order of the day."""
        lessons = [{**self.lesson(entry), "kind": "lesson"} for entry in self.entries]
        return sorted([*lessons, *gaps], key=lambda item: (item["at"], item["kind"]))

    def lesson(self, entry: CalendarEntry) -> dict[str, Any]:
        """Return what today's page says about one lesson."""
        when = instructor_clocks(venue=entry.venue_time_zone, own=self.zone).when(
            entry.starts_at, entry.ends_at
        )
        seat = entry.seats[0] if entry.kind == "private" and entry.seats else None
        booking = self.details.get(seat.booking_id) if seat else None
        # Classes have nobody's address or answers on this page: they are on the page of each seat.
        begun = entry.starts_at <= self.now
        return {
            "at": entry.starts_at,
            "id": seat.reference if seat else entry_href(entry).rpartition("/")[2],
            "href": entry_href(entry),
            "title": seat.student.name if seat else entry.appointment_type.name,
            "type": entry.appointment_type.name if seat else None,
            "when": when,
            "color": entry.appointment_type.color,
            "where": place_of(entry),
            "address": entry.address,
            "online": entry.location is None and entry.appointment_type.location_mode == "online",
            "join_url": entry.meeting_url if entry.ends_at > self.now else None,
            "pending": entry.status == "pending",
            "over": entry.ends_at <= self.now,
            "running": begun and entry.ends_at > self.now,
            "note": seat.note if seat else "",
            "answers": [answer for answer in booking.answers if answer.answer] if booking else [],
            "own_notes": booking.notes if booking else [],
            "before": self._before(seat.student.id) if seat else None,
            "can_note": bool(booking and booking.can_note_attendance),
            "attendance": seat.attendance if seat else None,
            **self._class(entry, begun=begun),
        }

    def _class(self, entry: CalendarEntry, *, begun: bool) -> dict[str, Any]:
        if entry.kind == "private":
            return {"is_class": False}
        sitting = [seat for seat in entry.seats if seat.status == "confirmed"]
        noted = sum(seat.attendance is not None for seat in sitting)
        return {
            "is_class": True,
            "seats": seats_words(entry.seats_taken, entry.capacity),
            "can_note_class": begun and bool(sitting),
            "noted": _("{count} of {total} noted").format(count=noted, total=len(sitting)),
            "all_noted": noted == len(sitting),
        }

    def _before(self, student_id: uuid.UUID) -> dict[str, Any] | None:
        before = self.before.get(student_id)
        return last_time_words(before, self.zone) if before else None


def last_time_words(before: LastTime, zone: str) -> dict[str, Any]:
    """Return the lesson before as pages show it."""
    return {
        "href": f"/teach/lessons/{before.reference}",
        "when": formatting.day(before.starts_at, zone),
        "type": before.type_name,
        "attendance": attendance_word(before.attendance)
        if before.attendance in ("absent", "excused", "late")
        else None,
        "notes": [note.body for note in before.notes],
    }


def _gaps(
    times: WorkingTimes,
    entries: Sequence[CalendarEntry],
    member_id: uuid.UUID,
    day: date,
    *,
    now: datetime,
    zone: str,
) -> list[dict[str, Any]]:
    """Return the time of the day that is left free from now on, short breaks left out."""
    working = [span_on(day, time.starts_at, time.ends_at, zone) for time in times.working[member_id]]
    taken = [
        span_on(day, entry.blocked_from, entry.blocked_until, zone) for entry in entries if entry.status in LIVE
    ]
    here = formatting.local(now, zone)
    past = (0, here.hour * 60 + here.minute)
    free = without([span for span in working if span], [past, *(span for span in taken if span)])
    gaps = []
    for start, end in merged(free):
        if end - start >= _SHORTEST_GAP:
            gaps.append(
                {
                    "kind": "free",
                    "at": zones.to_datetime(zones.opening(zone, day.toordinal(), start)),
                    "text": _("Free {from_}–{until}").format(
                        from_=formatting.clock_minutes(start), until=formatting.clock_minutes(end)
                    ),
                    "time": formatting.duration(minutes_in([(start, end)])),
                }
            )
    return gaps


def _notes(
    times: WorkingTimes, member_id: uuid.UUID, day: date, *, zone: str, places: Mapping[uuid.UUID, str]
) -> list[str]:
    """Return what keeps the day free: closures, and one's own time off."""
    notes = [
        closure_note(closed, places) for closed in times.closed if closed.starts_on <= day <= closed.ends_on
    ]
    for away in times.time_off[member_id]:
        span = span_on(day, away.starts_at, away.ends_at, zone)
        if span is None:
            continue
        if span == (0, MIDNIGHT):
            text = _("You are off today")
        else:
            text = _("You are off {from_}–{until}").format(
                from_=formatting.clock_minutes(span[0]), until=formatting.clock_minutes(span[1])
            )
        notes.append(f"{text}: {away.reason}" if away.reason else text)
    return notes


def _coming(items: Sequence[BookingView], zone: str) -> dict[str, str] | None:
    if not items:
        return None
    booking = items[0]
    when = instructor_clocks(venue=booking.venue_time_zone, own=zone).when(booking.starts_at, booking.ends_at)
    return {
        "href": f"/teach/lessons/{booking.reference}",
        "text": f"{booking.student.name}, {booking.appointment_type.name}",
        "when": when.sentence,
    }


def _requests(waiting: Sequence[BookingView], zone: str) -> list[dict[str, Any]]:
    """Return what waits for an answer; of a series that was asked for the first lesson, with how many."""
    groups: dict[uuid.UUID, list[BookingView]] = {}
    for booking in waiting:
        groups.setdefault(booking.series_id or booking.id, []).append(booking)
    return [_request(group[0], len(group), zone) for group in groups.values()]


def _request(booking: BookingView, count: int, zone: str) -> dict[str, Any]:
    clocks = instructor_clocks(venue=booking.venue_time_zone, own=zone)
    card = lesson_card(booking, clocks, href=f"/teach/lessons/{booking.reference}", who=booking.student.name)
    return {
        **card,
        "status": None,
        "can_decide": booking.can_decide,
        "until": clocks.moment(booking.approve_by) if booking.approve_by else None,
        "count": count,
    }
