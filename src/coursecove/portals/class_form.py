"""The form that puts a class on the calendar: what was typed, what is wrong with it, and what it means.

Times are typed on the wall clock of the place, or of the instructor for a class online.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from coursecove.appointments.schemas import AppointmentTypeView, LocationView, RoomView
from coursecove.bookings.class_schemas import ClassCreate
from coursecove.errors import Invalid
from coursecove.formatting import duration, local
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.inputs import number
from coursecove.portals.dates_form import read_date
from coursecove.portals.forms import clock_time, convert
from coursecove.portals.student.choice import read_instant
from coursecove.scheduling import zones
from coursecove.tenants.schemas import InstructorView
from coursecove.text import slugify

FIELDS = ("with", "place", "room", "minutes", "seats", "every", "times", "override", "leave_out", "add")
LISTS = ("day", "time", "skip")
_MOST_WEEKS = 8
# How the verb calls what the form calls otherwise.
NAMES = {
    "instructor_id": "with",
    "location_id": "place",
    "room_id": "room",
    "duration_minutes": "minutes",
    "capacity": "seats",
    "every_weeks": "every",
    "starts_at": "starts",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A class that can be put on the calendar: who may give it and where."""

    type: AppointmentTypeView
    people: Sequence[InstructorView]
    places: Sequence[LocationView]
    rooms: Sequence[RoomView]

    def room_key(self, room: RoomView) -> str:
        """Return how a room stands in a form: its place and its name."""
        place = next((place.slug for place in self.places if place.id == room.location_id), "")
        return f"{place}.{slugify(room.name, fallback='room')}"

    def person(self, slug: str) -> InstructorView | None:
        """Return who this is, or the only one there is."""
        if not slug and len(self.people) == 1:
            return self.people[0]
        return next((person for person in self.people if person.slug == slug), None)

    def place(self, values: Mapping[str, Any]) -> LocationView | None:
        """Return the chosen place, that of the chosen room, or the only one there is."""
        room = self.room(values.get("room", ""))
        for place in self.places:
            if place.slug == values.get("place"):
                return place
            if room is not None and not values.get("place") and place.id == room.location_id:
                return place
        return self.places[0] if len(self.places) == 1 and not values.get("place") else None

    def room(self, key: str) -> RoomView | None:
        """Return the room with this key."""
        return next((room for room in self.rooms if self.room_key(room) == key), None)

    def zone(self, values: Mapping[str, Any]) -> str | None:
        """Return whose clock the typed times are on; None while that is not decided."""
        if self.type.location_mode == "in_person":
            place = self.place(values)
            return place.time_zone if place else None
        person = self.person(values.get("with", ""))
        return person.time_zone if person else None

    def options(self) -> dict[str, list[dict[str, str]]]:
        """Return what the fields offer."""
        names = {place.id: place.name for place in self.places}
        several = len(self.places) > 1
        return {
            "people": [{"value": person.slug, "label": person.name} for person in self.people],
            "places": [{"value": place.slug, "label": place.name} for place in self.places],
            "rooms": [
                {
                    "value": self.room_key(room),
                    "label": f"{names[room.location_id]}, {room.name}" if several else room.name,
                }
                for room in self.rooms
            ],
            "lengths": [{"value": str(minutes), "label": duration(minutes)} for minutes in self.type.durations],
            "every": [
                {
                    "value": str(weeks),
                    "label": _("Every week")
                    if weeks == 1
                    else ngettext("Every {count} week", "Every {count} weeks", weeks).format(count=weeks),
                }
                for weeks in range(1, _MOST_WEEKS + 1)
            ],
        }


@dataclass(slots=True)
class DayRow:
    """A day with a time as typed: "2031-03-04", "18:00"."""

    day: str = ""
    time: str = ""
    problem: str | None = None


@dataclass(slots=True)
class ClassForm:
    """The form as typed; ``rows`` are days with times, and what is wrong with each."""

    values: dict[str, Any]
    rows: list[DayRow]
    errors: dict[str, str] = field(default_factory=dict)
    problem: str | None = None

    @classmethod
    def of(cls, params: Mapping[str, str], plan: Plan) -> ClassForm:
        """Return the form as an address prefills it: ``with``, ``room``, ``place`` and an instant, ``time``."""
        values = {name: params.get(name, "")[:200] for name in ("with", "place", "room")}
        row = DayRow(params.get("day", "")[:20])
        zone = plan.zone(values)
        instant = read_instant(params.get("time", ""))
        if instant is not None and zone is not None:
            here = local(instant, zone)
            row = DayRow(here.date().isoformat(), f"{here:%H:%M}")
        return cls(values, [row])

    @classmethod
    def read(cls, values: dict[str, Any]) -> ClassForm:
        """Return the form as posted; the button for another day adds an empty row."""
        rows = [
            DayRow(day, time) for day, time in zip(values["day"], values["time"], strict=False) if day or time
        ]
        if not rows or values.get("add"):
            rows.append(DayRow())
        return cls(values, rows)

    def value(self, name: str) -> Any:
        """Return what to show in a field."""
        return self.values.get(name, "")

    def error(self, name: str) -> str | None:
        """Return what to say beside a field."""
        return self.errors.get(name)

    def refuse(self, fields: Mapping[str, str], problem: str | None) -> None:
        """Take over what a verb says is wrong, by the names of the form."""
        self.errors = {NAMES.get(name, name): message for name, message in fields.items()}
        self.problem = problem if not self.errors else _("Please check the marked fields.")

    def meaning(self, plan: Plan) -> ClassCreate:
        """Return what is asked for; raises :class:`Invalid` with a message at every wrong field."""
        problems: dict[str, str] = {}
        person, place = plan.person(self.value("with")), plan.place(self.values)
        if person is None:
            problems["with"] = _("Choose who gives the class.")
        if self.value("room") and plan.room(self.value("room")) is None:
            problems["room"] = _("Choose a room of the place where the class is.")
        if plan.type.location_mode == "in_person" and place is None:
            problems["place"] = _("Choose where the class is.")
        every, times = self.value("every"), self.value("times")
        if every and not times:
            problems["times"] = _("Say how many times it takes place in all.")
        zone = plan.zone(self.values)
        starts = self._starts(zone)
        if not starts:
            problems["starts"] = _("Choose a day and a time.")
        elif any(row.problem for row in self.rows):
            problems["starts"] = _("Please look at the marked days again.")
        room = plan.room(self.value("room"))
        typed = {
            "appointment_type_id": plan.type.id,
            "instructor_id": person.id if person else plan.type.id,
            "location_id": place.id if place and plan.type.location_mode == "in_person" else None,
            "room_id": room.id if room else None,
            "starts_at": starts or [datetime(2000, 1, 1).astimezone()],
            "times": times if every else "",
            "every_weeks": every,
            "capacity": self.value("seats"),
            "duration_minutes": self.value("minutes"),
            "override_rules": self.value("override") == "yes",
        }
        parsers = dict.fromkeys(("times", "every_weeks", "capacity", "duration_minutes"), number)
        messages = {
            "times": _("Enter 1 to 60."),
            "every_weeks": _("Choose how often it takes place."),
            "capacity": _("Enter 1 to 1,000 seats."),
            "duration_minutes": _("Choose one of the lengths."),
            "starts_at": _("At most 60 days, please."),
        }
        try:
            made = convert(typed, ClassCreate, parsers=parsers, messages=messages)
        except Invalid as error:
            raise Invalid(fields={**error.fields, **problems}) from None
        if problems:
            raise Invalid(fields=problems)
        return made

    def _starts(self, zone: str | None) -> list[datetime]:
        """Return the typed starts, marking the rows that cannot be read."""
        starts = []
        for row in self.rows:
            if not row.day and not row.time:
                continue
            day: date | None = None
            minute = 0
            try:
                day = read_date(row.day)
                minute = clock_time(row.time)
            except ValueError as error:
                row.problem = str(error)
                # What is shown is wrong, and yet it is there.
                starts.append(datetime(2000, 1, 1).astimezone())
                continue
            starts.append(zones.to_datetime(zones.opening(zone or "UTC", day.toordinal(), minute)))
        return starts
