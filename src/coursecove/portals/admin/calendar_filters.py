"""Which part of the school's calendar is shown, as it stands in the address."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from coursecove import formatting
from coursecove.bookings.calendar_schemas import CalendarEntry
from coursecove.i18n import N_, _
from coursecove.portals.admin.booking_filters import midnight, readable_day
from coursecove.portals.admin.choices import Choices
from coursecove.portals.admin.navigation import address

PATH = "/admin/calendar"
VIEWS = {"day": N_("Day"), "week": N_("Week"), "month": N_("Month")}
BY = {"instructors": N_("Instructors"), "rooms": N_("Rooms")}
STATUSES = {
    "confirmed": N_("Confirmed"),
    "pending": N_("Waiting for an answer"),
    "cancelled": N_("Cancelled"),
    "all": N_("All, cancelled ones too"),
}
_LONGEST_SEARCH = 100


@dataclass(slots=True)
class CalendarFilters:
    """What an address says, what it means, and what is wrong with it.

    ``missing`` says that something named in it is not at this school: such a
    calendar is empty, never unfiltered.
    """

    view: str
    on: date
    today: date
    by: str = "instructors"
    instructor: str = ""
    room: str = ""
    type: str = ""
    location: str = ""
    status: str = ""
    search: str = ""
    missing: bool = False
    errors: dict[str, str] = field(default_factory=dict)
    instructor_id: uuid.UUID | None = None
    room_id: uuid.UUID | None = None
    type_id: uuid.UUID | None = None
    location_id: uuid.UUID | None = None

    @property
    def first(self) -> date:
        """Return the first day that is shown; of a month, the Monday before it."""
        if self.view == "day":
            return self.on
        start = self.on.replace(day=1) if self.view == "month" else self.on
        return start - timedelta(days=start.weekday())

    @property
    def last(self) -> date:
        """Return the last day that is shown."""
        if self.view == "day":
            return self.on
        if self.view == "week":
            return self.first + timedelta(days=6)
        end = _next_month(self.on) - timedelta(days=1)
        return end + timedelta(days=6 - end.weekday())

    def window(self, zone: str) -> tuple[datetime, datetime]:
        """Return the instants between which the calendar stands."""
        return midnight(self.first, zone), midnight(self.last + timedelta(days=1), zone)

    @property
    def title(self) -> str:
        """Say which days these are."""
        if self.view == "month":
            return formatting.month(self.on)
        if self.view == "day":
            return formatting.day_long(self.on)
        return _("{first} to {last}").format(
            first=formatting.day(self.first, year=False), last=formatting.day(self.last, year=True)
        )

    @property
    def previous(self) -> date:
        """Return the day that shows what is before."""
        if self.view == "month":
            return (self.on.replace(day=1) - timedelta(days=1)).replace(day=1)
        return self.on - timedelta(days=1 if self.view == "day" else 7)

    @property
    def next(self) -> date:
        """Return the day that shows what is after."""
        if self.view == "month":
            return _next_month(self.on)
        return self.on + timedelta(days=1 if self.view == "day" else 7)

    @property
    def narrows_lessons(self) -> bool:
        """Say whether lessons are left out that their instructors nevertheless give."""
        return bool(self.room or self.type or self.location or self.search)

    @property
    def narrowed(self) -> bool:
        """Say whether there is anything to clear."""
        return bool(self.narrows_lessons or self.instructor or self.status)

    @property
    def folded(self) -> bool:
        """Say whether one of the filters that are folded away is in use."""
        return bool(self.instructor or self.room or self.type or self.location or self.status)

    @property
    def with_cancelled(self) -> bool:
        """Say whether lessons that do not take place are asked for."""
        return self.status in ("cancelled", "all")

    def lets_through(self, entry: CalendarEntry) -> bool:
        """Say whether a lesson has the status that is asked for."""
        if self.status in ("", "all"):
            return True
        if self.status == "cancelled":
            return entry.status not in ("confirmed", "pending", "held")
        return entry.status == self.status

    def query(self, **changes: str | None) -> dict[str, str | None]:
        """Return the parts of the address; what is the usual is left out."""
        query: dict[str, str | None] = {
            "view": self.view if self.view != "week" else None,
            "on": self.on.isoformat() if self.on != self.today else None,
            "by": self.by if self.by != "instructors" and self.view == "day" else None,
            "instructor": self.instructor,
            "room": self.room,
            "type": self.type,
            "location": self.location,
            "status": self.status,
            "q": self.search,
        }
        return {**query, **changes}

    def href(self, **changes: str | None) -> str:
        """Return the address of this calendar with some parts changed."""
        return address(PATH, self.query(**changes))

    def day_href(self, day: date) -> str:
        """Return the address of one day with the same filters."""
        return self.href(view="day", on=day.isoformat() if day != self.today else None)

    @property
    def list_href(self) -> str:
        """Return the address of the same lessons as a list."""
        first, last = self.first, self.last
        if self.view == "month":
            first, last = self.on.replace(day=1), _next_month(self.on) - timedelta(days=1)
        return address(
            "/admin/bookings",
            {
                "status": self.status if self.status in ("confirmed", "pending", "cancelled") else None,
                "instructor": self.instructor,
                "room": self.room,
                "type": self.type,
                "location": self.location,
                "from": first.isoformat(),
                "until": last.isoformat(),
                "q": self.search,
            },
        )

    def tabs(self) -> list[dict[str, Any]]:
        """Return the four views of the same days."""
        tabs = [
            {
                "label": _(label),
                "href": self.href(view=view if view != "week" else None),
                "current": view == self.view,
            }
            for view, label in VIEWS.items()
        ]
        return [*tabs, {"label": _("List"), "href": self.list_href, "current": False}]


def read_calendar_filters(params: Mapping[str, str], choices: Choices, *, today: date) -> CalendarFilters:
    """Return what an address asks for; what cannot be read is said and left out."""
    view, by, status = params.get("view", ""), params.get("by", ""), params.get("status", "")
    found = CalendarFilters(
        view=view if view in VIEWS else "week",
        on=today,
        today=today,
        by=by if by in BY else "instructors",
        instructor=params.get("instructor", ""),
        room=params.get("room", ""),
        type=params.get("type", ""),
        location=params.get("location", ""),
        status=status if status in STATUSES else "",
        search=params.get("q", "").strip()[:_LONGEST_SEARCH],
    )
    on = params.get("on", "")
    if on:
        day = readable_day(on)
        if day is None:
            found.errors["on"] = _("Enter a date such as 2026-12-31.")
        else:
            found.on = day
    found.instructor_id = choices.instructor_id(found.instructor)
    found.room_id = choices.room_id(found.room)
    found.type_id = choices.type_id(found.type)
    found.location_id = choices.location_id(found.location)
    found.missing = any(
        given and known is None
        for given, known in (
            (found.instructor, found.instructor_id),
            (found.room, found.room_id),
            (found.type, found.type_id),
            (found.location, found.location_id),
        )
    )
    return found


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
