"""What a list of lessons is narrowed to, as it stands in the address."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingPage, BookingStatus
from coursecove.errors import NotFound
from coursecove.portals.admin.navigation import address, page_number
from coursecove.scheduling import zones
from coursecove.tenants import service as tenants
from coursecove.tenants.handles import get_member_by_handle, handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView

PATH = "/admin/bookings"
PAGE_SIZE = 25
SHOWS = {"upcoming": "Upcoming", "past": "Past", "all": "All"}
_STATUSES: dict[str, BookingStatus] = {"confirmed": "confirmed", "cancelled": "cancelled"}


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
    from_text: str = ""
    until_text: str = ""
    search: str = ""
    page: int = 1
    errors: dict[str, str] = field(default_factory=dict)
    missing: bool = False
    instructor_id: uuid.UUID | None = None
    type_id: uuid.UUID | None = None
    student_member: Member | None = None
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
                self.from_text,
                self.until_text,
                self.search,
            )
        )

    @property
    def folded(self) -> bool:
        """Say whether one of the filters that are folded away is in use, or wrong."""
        given = self.status or self.instructor or self.type or self.from_text or self.until_text
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
                "label": label,
                "href": address(PATH, {**kept, "show": None if show == "upcoming" else show}),
                "current": show == self.show,
            }
            for show, label in SHOWS.items()
        ]


async def read_filters(
    session: AsyncSession,
    params: Mapping[str, str],
    instructors: Sequence[InstructorView],
    types: Sequence[AppointmentTypeView],
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
        status=params.get("status", "") if params.get("status") in _STATUSES else "",
        instructor=params.get("instructor", ""),
        type=params.get("type", ""),
        student=params.get("student", ""),
        from_text=from_text,
        until_text=until_text,
        search=params.get("q", "").strip()[:100],
        page=page_number(params.get("page", "")),
    )
    if found.instructor:
        found.instructor_id = next((i.id for i in instructors if i.slug == found.instructor), None)
        found.missing |= found.instructor_id is None
    if found.type:
        found.type_id = next((t.id for t in types if t.slug == found.type), None)
        found.missing |= found.type_id is None
    if found.student:
        try:
            found.student_member = await get_member_by_handle(session, found.student)
            found.student = handle_of(found.student_member.id, found.student_member.name)
        except NotFound:
            found.missing = True
    found.from_day, found.until_day = _day(found, "from", from_text), _day(found, "until", until_text)
    if found.from_day and found.until_day and found.until_day < found.from_day:
        found.errors["until"] = "The last day is before the first."
    return found


async def matching(session: AsyncSession, filters: Filters, *, by: Member, zone: str) -> BookingPage:
    """Return one page of what the filters let through; days are the school's, both included."""
    if filters.missing:
        return BookingPage([], 0, filters.page, PAGE_SIZE)
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
        status=_STATUSES.get(filters.status),
        from_=from_,
        until=until,
        search=filters.search or None,
        order="-starts_at" if filters.latest_first else "starts_at",
        page=filters.page,
        page_size=PAGE_SIZE,
    )


async def filter_choices(session: AsyncSession) -> tuple[list[InstructorView], list[AppointmentTypeView]]:
    """Return who and what a list can be narrowed to; archived types were booked, too."""
    return (
        await tenants.list_instructors(session),
        await appointments.list_types(session, include_unpublished=True, include_archived=True),
    )


def midnight(day: date, zone: str) -> datetime:
    """Return the instant at which ``day`` begins in ``zone``."""
    return zones.to_datetime(zones.opening(zone, day.toordinal(), 0))


def _day(filters: Filters, name: str, text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # The calendar's arithmetic ends with the year 9999.
    if day is None or not 2000 <= day.year <= 9000:
        filters.errors[name] = "Enter a date such as 2026-12-31."
        return None
    return day


def _sort_word(*, latest: bool) -> str:
    return "latest" if latest else "soonest"
