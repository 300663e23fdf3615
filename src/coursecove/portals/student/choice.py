"""What a visitor has chosen so far, as it stands in the address of the booking page."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from urllib.parse import urlencode

from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.formatting import local
from coursecove.portals.lesson_words import Clocks, student_clocks
from coursecove.scheduling import zones
from coursecove.tenants.schemas import InstructorView

ANYONE = "anyone"
# What the form of the last step sends, a student's and an admin's; the rest stands in its address.
BOOKING_FIELDS = ("with", "place", "time", "note")


@dataclass(frozen=True, slots=True)
class Offer:
    """A type as one visitor can book it: who teaches it, where, and on which clock it is shown."""

    type: AppointmentTypeView
    teachers: tuple[InstructorView, ...]
    places: tuple[LocationView, ...]
    viewer_zone: str
    school_zone: str

    @property
    def bookable(self) -> bool:
        """Say whether somebody teaches it somewhere."""
        return bool(self.teachers) and (self.type.location_mode == "online" or bool(self.places))

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
            "with": self.teacher.slug if self.teacher else ANYONE if self.anyone else None,
            "place": place.slug if place and len(self.offer.places) > 1 else None,
            "month": f"{month:%Y-%m}" if month else None,
            "day": day.isoformat() if day else None,
            "time": instant_text(time) if time else None,
        }
        return address(self.offer.type.slug, query)


def address(slug: str, query: Mapping[str, str | None]) -> str:
    """Return the booking page of a type with the parts of ``query`` that are given."""
    given = {name: value for name, value in query.items() if value}
    return f"/book/{slug}" + (f"?{urlencode(given, safe=':')}" if given else "")


def read_choice(params: Mapping[str, str], offer: Offer) -> Choice:
    """Return what ``params`` decide; what cannot be read, or is not offered any more, is open again."""
    by_slug = {teacher.slug: teacher for teacher in offer.teachers}
    wanted = params.get("with", "")
    # Where only one person teaches there is nothing to choose.
    teacher = offer.teachers[0] if len(offer.teachers) == 1 else by_slug.get(wanted)
    place = next((place for place in offer.places if place.slug == params.get("place")), None)
    if place is None and offer.places and (len(offer.places) == 1 or not offer.one_clock):
        place = offer.places[0]
    choice = Choice(offer, teacher=teacher, anyone=teacher is None and wanted == ANYONE, place=place)
    day = _date(params.get("day", ""))
    time = read_instant(params.get("time", ""), day=day, zone=choice.zone)
    if time is not None:
        day = local(time, choice.zone).date()
    month = _date(params.get("month", "") + "-01")
    if day is not None:
        month = day.replace(day=1)
    return replace(choice, month=month, day=day, time=time)


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


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if _near(found.year) else None


def _near(year: int) -> bool:
    # Nothing is booked in the far past or future, and a calendar's arithmetic ends with the year 9999.
    return 2000 <= year <= 9000
