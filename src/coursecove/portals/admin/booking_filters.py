"""What a list of lessons is narrowed to, as it stands in the address."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingPage, BookingStatus
from coursecove.errors import NotFound
from coursecove.i18n import N_, _
from coursecove.portals.admin.choices import Choices
from coursecove.portals.admin.navigation import address, page_number
from coursecove.scheduling import zones
from coursecove.tenants.handles import get_member_by_handle, handle_of
from coursecove.tenants.models import Member

PATH = "/admin/bookings"
PAGE_SIZE = 25
SHOWS = {"upcoming": N_("Upcoming"), "past": N_("Past"), "all": N_("All")}
STATUSES: dict[BookingStatus, str] = {
    "confirmed": N_("Confirmed"),
    "pending": N_("Waiting for an answer"),
    "cancelled": N_("Cancelled"),
    "declined": N_("Declined"),
}


@dataclass(slots=True)
class Filters:
    """Filters as typed, what they mean, and what is wrong with them.

    ``missing`` says that something named in the address (an instructor, a type,
    a student) is not at this school: such a list is empty, never unfiltered.
    """

    show: str
    latest_first: bool
    status: str = ""
    instructor: str = ""
    type: str = ""
    student: str = ""
    location: str = ""
    room: str = ""
    from_text: str = ""
    until_text: str = ""
    search: str = ""
    page: int = 1
    errors: dict[str, str] = field(default_factory=dict)
    missing: bool = False
    instructor_id: uuid.UUID | None = None
    type_id: uuid.UUID | None = None
    student_member: Member | None = None
    location_id: uuid.UUID | None = None
    room_id: uuid.UUID | None = None
    from_day: date | None = None
    until_day: date | None = None

    @property
    def narrowed(self) -> bool:
        """Say whether there is anything to clear."""
        return any(
            (
                self.status,
                self.instructor,
                self.type,
                self.student,
                self.location,
                self.room,
                self.from_text,
                self.until_text,
                self.search,
            )
        )

    @property
    def folded(self) -> bool:
        """Say whether one of the filters that are folded away is in use, or wrong."""
        given = (
            self.status
            or self.instructor
            or self.type
            or self.location
            or self.room
            or self.from_text
            or self.until_text
        )
        return bool(given or self.errors) or self.latest_first != (self.show == "past")

    def query(self, **changes: str | None) -> dict[str, str | None]:
        """Return the filters as the parts of an address, without the page."""
        # With dates of one's own the list is of all lessons, so the tab need not be said.
        show = "" if self.show == "upcoming" or self.from_text or self.until_text else self.show
        sort = "" if self.latest_first == (self.show == "past") else _sort_word(latest=self.latest_first)
        query: dict[str, str | None] = {
            "show": show,
            "status": self.status,
            "instructor": self.instructor,
            "type": self.type,
            "student": self.student,
            "location": self.location,
            "room": self.room,
            "from": self.from_text,
            "until": self.until_text,
            "q": self.search,
            "sort": sort,
        }
        return {**query, **changes}

    @property
    def sort_href(self) -> str:
        """Return the address of the same list the other way round."""
        return address(PATH, self.query(sort=_sort_word(latest=not self.latest_first)))

    def tabs(self) -> list[dict[str, Any]]:
        """Return the three views; changing it keeps the filters but the dates, which say the same."""
        kept = self.query(**{"from": None, "until": None, "sort": None})
        return [
            {
                "label": _(label),
                "href": address(PATH, {**kept, "show": None if show == "upcoming" else show}),
                "current": show == self.show,
            }
            for show, label in SHOWS.items()
        ]


async def read_filters(
    session: AsyncSession,
    params: Mapping[str, str],
    choices: Choices,
) -> Filters:
    """Return the filters of an address; what cannot be read is said and left out."""
    from_text, until_text = params.get("from", ""), params.get("until", "")
    show = params.get("show", "")
    # Dates say more exactly what a tab says.
    show = "all" if from_text or until_text else show if show in SHOWS else "upcoming"
    sort = params.get("sort", "")
    found = Filters(
        show=show,
        latest_first=sort == "latest" if sort in ("latest", "soonest") else show == "past",
        status=params.get("status", "") if params.get("status") in STATUSES else "",
        instructor=params.get("instructor", ""),
        type=params.get("type", ""),
        student=params.get("student", ""),
        location=params.get("location", ""),
        room=params.get("room", ""),
        from_text=from_text,
        until_text=until_text,
        search=params.get("q", "").strip()[:100],
        page=page_number(params.get("page", "")),
    )
    found.instructor_id = choices.instructor_id(found.instructor)
    found.type_id = choices.type_id(found.type)
    found.location_id = choices.location_id(found.location)
    found.room_id = choices.room_id(found.room)
    found.missing = any(
        given and known is None
        for given, known in (
            (found.instructor, found.instructor_id),
            (found.type, found.type_id),
            (found.location, found.location_id),
            (found.room, found.room_id),
        )
    )
    if found.student:
        try:
            found.student_member = await get_member_by_handle(session, found.student)
            found.student = handle_of(found.student_member.id, found.student_member.name)
        except NotFound:
            found.missing = True
    found.from_day, found.until_day = _day(found, "from", from_text), _day(found, "until", until_text)
    if found.from_day and found.until_day and found.until_day < found.from_day:
        found.errors["until"] = _("The last day is before the first.")
    return found


async def matching(
    session: AsyncSession, filters: Filters, *, by: Member, zone: str, page_size: int = PAGE_SIZE
) -> BookingPage:
    """Return one page of what the filters let through; days are the school's, both included."""
    if filters.missing:
        return BookingPage([], 0, filters.page, page_size)
    now = clock.now()
    from_ = now if filters.show == "upcoming" else None
    until = now if filters.show == "past" else None
    if filters.from_day:
        from_ = midnight(filters.from_day, zone)
    if filters.until_day:
        until = midnight(filters.until_day + timedelta(days=1), zone)
    return await bookings.list_bookings(
        session,
        viewer=by,
        student_id=filters.student_member.id if filters.student_member else None,
        instructor_id=filters.instructor_id,
        appointment_type_id=filters.type_id,
        location_id=filters.location_id,
        room_id=filters.room_id,
        status=next((status for status in STATUSES if status == filters.status), None),
        from_=from_,
        until=until,
        search=filters.search or None,
        order="-starts_at" if filters.latest_first else "starts_at",
        page=filters.page,
        page_size=page_size,
    )


def midnight(day: date, zone: str) -> datetime:
    """Return the instant at which ``day`` begins in ``zone``."""
    return zones.to_datetime(zones.opening(zone, day.toordinal(), 0))


def _day(filters: Filters, name: str, text: str) -> date | None:
    day = readable_day(text)
    if text and day is None:
        filters.errors[name] = _("Enter a date such as 2026-12-31.")
    return day


def readable_day(text: str) -> date | None:
    """Return a day as it stands in an address; None for what is none, or is far outside any calendar."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # The calendar's arithmetic ends with the year 9999.
    return day if 2000 <= day.year <= 9000 else None


def _sort_word(*, latest: bool) -> str:
    return "latest" if latest else "soonest"
