"""What a visitor has chosen so far, as it stands in the address of the booking page."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.bookings.schemas import BookingView
from coursecove.formatting import local
from coursecove.portals.lesson_words import Clocks, student_clocks
from coursecove.scheduling import zones
from coursecove.tenants.family import ChildView
from coursecove.tenants.handles import handle_of
from coursecove.tenants.schemas import InstructorView

ANYONE = "anyone"
# Who takes the lesson, when it is whoever books it.
MYSELF = "me"
# The times of day a calendar can be narrowed to, each from the hour it begins.
PARTS = {"morning": 0, "afternoon": 12, "evening": 17}
# What the form of the last step sends, a student's and an admin's; the rest stands in its address.
BOOKING_FIELDS = ("with", "place", "time", "note")
_LONGEST_POSTCODE = 20


@dataclass(frozen=True, slots=True)
class Offer:
    """A type as one visitor can book it: who teaches it, where, and on which clock it is shown."""

    type: AppointmentTypeView
    teachers: tuple[InstructorView, ...]
    places: tuple[LocationView, ...]
    viewer_zone: str
    school_zone: str
    # Where its pages are, when that is not the student portal; and the key of a type seen by link.
    path: str | None = None
    key: str | None = None
    # Whether the way to the student depends on where they live.
    asks_postcode: bool = False
    # How long that way is, as far as it is known.
    travel_minutes: int | None = None
    # What the school wants read before a lesson is booked.
    policy_text: str = ""
    # The lesson that is moved: its session is no conflict with itself.
    moving_session_id: uuid.UUID | None = None
    # When it is so far, of a student's lesson: that is no other time.
    moving_from: datetime | None = None
    # Where a chosen time is booked, when that is another page than the one that shows the times.
    booked_at: str | None = None
    # The site in whose frame the times are shown.
    framed_by: str | None = None
    # Whom a guardian books for, beside themselves.
    children: tuple[ChildView, ...] = ()
    # The time of this type that is kept for whoever looks: it is not taken from them.
    held: BookingView | None = None

    @property
    def is_class(self) -> bool:
        """Say whether it takes place when staff put it on the calendar."""
        return self.type.kind == "class"

    @property
    def bookable(self) -> bool:
        """Say whether somebody teaches it somewhere; a class is where and by whom its sessions say."""
        somewhere = self.type.location_mode != "in_person" or bool(self.places)
        return self.is_class or (bool(self.teachers) and somewhere)

    def address(self, query: Mapping[str, str | None]) -> str:
        """Return the booking page with the parts of ``query`` that are given, and the key that opens it."""
        if self.booked_at and query.get("time"):
            return address(self.type.slug, {**query, "key": self.key}, path=self.booked_at)
        framed = {"origin": self.framed_by} if self.framed_by else {}
        return address(self.type.slug, {**query, "key": self.key, **framed}, path=self.path)

    @property
    def one_clock(self) -> bool:
        """Say whether all places keep the same time, so that their times fit into one list."""
        return len({place.time_zone for place in self.places}) <= 1


@dataclass(frozen=True, slots=True)
class Choice:
    """Parts of the booking that are decided; what is open is None."""

    offer: Offer
    # None with ``anyone`` is a decision too: whoever is free.
    teacher: InstructorView | None = None
    anyone: bool = False
    place: LocationView | None = None
    month: date | None = None
    day: date | None = None
    time: datetime | None = None
    # The length, of a type that has several; None while that is open.
    minutes: int | None = None
    # Where the student lives, as it was typed.
    postcode: str = ""
    # The time of day that alone is shown; empty for the whole day.
    part: str = ""
    # The child it is for; None is whoever books it.
    student: ChildView | None = None

    @property
    def decided_length(self) -> bool:
        """Say whether it is settled how long the lesson takes."""
        return self.minutes is not None

    @property
    def decided_postcode(self) -> bool:
        """Say whether enough is known of the way to the student."""
        return not self.offer.asks_postcode or bool(self.postcode)

    @property
    def asked(self) -> dict[str, Any]:
        """Return what availability is asked for, by the names of its keywords."""
        return {
            "instructor_id": self.instructor_id,
            "location_id": self.location_id,
            "duration_minutes": self.minutes,
            "travel_minutes": self.offer.travel_minutes,
            "ignoring_session_id": self.offer.moving_session_id
            or (self.offer.held.session_id if self.offer.held else None),
        }

    @property
    def decided_teacher(self) -> bool:
        """Say whether it is settled who teaches."""
        return self.anyone or self.teacher is not None

    @property
    def instructor_id(self) -> uuid.UUID | None:
        """Return the chosen instructor's id; None means anyone."""
        return self.teacher.id if self.teacher else None

    @property
    def location_id(self) -> uuid.UUID | None:
        """Return the chosen place's id; None means any."""
        return self.place.id if self.place else None

    @property
    def clocks(self) -> Clocks:
        """Return the clocks of this choice's times: the venue's in person, online the visitor's own."""
        venue = self.place or (self.offer.places[0] if self.offer.places else None)
        return student_clocks(
            venue=venue.time_zone if venue else None,
            viewer=self.offer.viewer_zone,
            school=self.offer.school_zone,
        )

    @property
    def zone(self) -> str:
        """Return the zone whose days and times are shown."""
        return self.clocks.shown

    def href(
        self,
        *,
        month: date | None = None,
        day: date | None = None,
        time: datetime | None = None,
        place: LocationView | None = None,
    ) -> str:
        """Return the address of this choice of teacher and place, with a month, day or time."""
        place = place or self.place
        query = {
            **self.before_teacher,
            "with": self.teacher.slug if self.teacher else ANYONE if self.anyone else None,
            "place": place.slug if place and len(self.offer.places) > 1 else None,
            "at": self.part or None,
            "month": f"{month:%Y-%m}" if month else None,
            "day": day.isoformat() if day else None,
            "time": instant_text(time) if time else None,
        }
        return self.offer.address(query)

    @property
    def student_value(self) -> str:
        """Return who it is for, as it stands in addresses and forms."""
        return handle_of(self.student.id, self.student.given_name) if self.student else MYSELF

    @property
    def holding(self) -> BookingView | None:
        """Return the kept time, if it is what is chosen."""
        held = self.offer.held
        if held is None or self.time != held.starts_at or (self.minutes not in (None, held.duration_minutes)):
            return None
        if self.student is not None and held.student.id != self.student.id:
            return None
        if self.student is None and any(held.student.id == child.id for child in self.offer.children):
            return None
        if self.teacher is not None and self.teacher.id != held.instructor.id:
            return None
        if self.place is not None and held.location is not None and self.place.id != held.location.id:
            return None
        return held

    @property
    def before_teacher(self) -> dict[str, str | None]:
        """Return what is decided before the teacher is, as it stands in the address."""
        several = len(self.offer.type.durations) > 1
        return {
            "for": self.student_value if self.offer.children else None,
            "minutes": str(self.minutes) if self.minutes and several else None,
            "postcode": self.postcode or None,
        }


def address(slug: str, query: Mapping[str, str | None], *, path: str | None = None) -> str:
    """Return the booking page of a type (or another ``path``) with the parts of ``query`` that are given."""
    given = {name: value for name, value in query.items() if value}
    return (path or f"/book/{slug}") + (f"?{urlencode(given, safe=':')}" if given else "")


def read_choice(params: Mapping[str, str], offer: Offer) -> Choice:
    """Return what ``params`` decide; what cannot be read, or is not offered any more, is open again."""
    by_slug = {teacher.slug: teacher for teacher in offer.teachers}
    wanted = params.get("with", "")
    if offer.is_class and wanted not in by_slug:
        # People come to a class for its time: whoever gives it is named beside that.
        wanted = ANYONE
    # Where only one person teaches there is nothing to choose.
    only_one = len(offer.teachers) == 1 and not offer.is_class
    teacher = offer.teachers[0] if only_one else by_slug.get(wanted)
    place = next((place for place in offer.places if place.slug == params.get("place")), None)
    if place is None and offer.places and (len(offer.places) == 1 or not offer.one_clock):
        place = offer.places[0]
    choice = Choice(
        offer,
        teacher=teacher,
        anyone=teacher is None and wanted == ANYONE,
        place=place,
        minutes=_minutes(params.get("minutes", ""), offer.type),
        postcode=" ".join(params.get("postcode", "").split())[:_LONGEST_POSTCODE],
        part=params.get("at", "") if params.get("at") in PARTS else "",
        student=child_in(params.get("for", ""), offer.children),
    )
    day = _date(params.get("day", ""))
    time = read_instant(params.get("time", ""), day=day, zone=choice.zone)
    if time is not None:
        day = local(time, choice.zone).date()
    month = _date(params.get("month", "") + "-01")
    if day is not None:
        month = day.replace(day=1)
    return replace(choice, month=month, day=day, time=time)


def child_in(handle: str, children: Iterable[ChildView]) -> ChildView | None:
    """Return the child a handle names; None is oneself, and whoever is no child of one's own."""
    code = handle.rpartition("-")[2]
    return next((child for child in children if handle_of(child.id, "").rpartition("-")[2] == code), None)


def part_of(hour: int) -> str:
    """Return the time of day an hour belongs to."""
    return next(part for part, begins in reversed(PARTS.items()) if hour >= begins)


def instant_text(instant: datetime) -> str:
    """Return "2026-12-03T15:00Z": one instant for every reader of a shared address."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def read_instant(text: str, *, day: date | None = None, zone: str | None = None) -> datetime | None:
    """Return the instant of "2026-12-03T15:00Z", or of "16:00" on ``day`` in ``zone``; None when unreadable."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo and _near(instant.year) else None
    except (ValueError, OverflowError):
        pass
    hours, _, minutes = text.partition(":")
    if day is None or zone is None or not (hours.isdecimal() and minutes.isdecimal()):
        return None
    try:
        return zones.to_datetime(zones.opening(zone, day.toordinal(), int(hours) * 60 + int(minutes)))
    except (ValueError, OverflowError):
        return None


def _minutes(text: str, type_: AppointmentTypeView) -> int | None:
    if len(type_.durations) == 1:
        return type_.durations[0]
    return next((minutes for minutes in type_.durations if str(minutes) == text), None)


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if _near(found.year) else None


def _near(year: int) -> bool:
    # Nothing is booked in the far past or future, and a calendar's arithmetic ends with the year 9999.
    return 2000 <= year <= 9000
