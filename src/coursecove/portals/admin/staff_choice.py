"""What an admin has chosen so far for a student's lesson, as it stands in the address.

The student portal's choice with two more parts, for whom and which lesson, and
with the freedom that staff have: neither notice nor horizon narrows the times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

import msgspec

from coursecove import clock
from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.portals.lesson_words import Clocks, zone_label
from coursecove.portals.student.choice import ANYONE, Choice, Offer, instant_text, read_choice
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

PATH = "/admin/bookings/new"
# Staff may book further ahead than students, but nobody leafs through more than a year.
_FURTHEST_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffChoice(Choice):
    """A choice whose addresses stay in the admin portal and whose times are on the school's clock."""

    student: Member
    # The type with the rules that hold for students; the offer's has those for staff.
    published_rules: AppointmentTypeView
    reader_zone: str

    @property
    def clocks(self) -> Clocks:
        """Return the admin's clocks: the venue's, online the school's, beside the reader's own."""
        venue = self.place or (self.offer.places[0] if self.offer.places else None)
        shown = venue.time_zone if venue else self.offer.school_zone
        return Clocks(shown, zone_label(shown), self.reader_zone, "your time")

    @property
    def handle(self) -> str:
        """Return how the student stands in the address."""
        return handle_of(self.student.id, self.student.name)

    @property
    def beyond_rules(self) -> bool:
        """Say whether a student could not book the chosen time: too soon, or too far ahead."""
        if self.time is None:
            return False
        ahead = self.time - clock.now()
        rules = self.published_rules
        return ahead < timedelta(minutes=rules.minimum_notice_minutes) or ahead > timedelta(
            days=rules.horizon_days + 1
        )

    def href(
        self,
        *,
        month: date | None = None,
        day: date | None = None,
        time: datetime | None = None,
        place: LocationView | None = None,
    ) -> str:
        """Return the address of this choice, with a month, day or time."""
        place = place or self.place
        return step_address(
            self.handle,
            self.offer.type.slug,
            {
                "with": self.teacher.slug if self.teacher else ANYONE if self.anyone else None,
                "place": place.slug if place and len(self.offer.places) > 1 else None,
                "month": f"{month:%Y-%m}" if month else None,
                "day": day.isoformat() if day else None,
                "time": instant_text(time) if time else None,
            },
        )


def staff_choice(
    params: Mapping[str, str], offer: Offer, *, student: Member, exempt: bool, reader_zone: str
) -> StaffChoice:
    """Return what ``params`` decide for ``student``; ``exempt`` takes notice and horizon away."""
    choice = read_choice(params, offer)
    known = {field.name: getattr(choice, field.name) for field in fields(Choice)}
    if exempt:
        free = msgspec.structs.replace(offer.type, minimum_notice_minutes=0, horizon_days=_FURTHEST_DAYS)
        known["offer"] = replace(offer, type=free)
    return StaffChoice(**known, student=student, published_rules=offer.type, reader_zone=reader_zone)


def step_address(
    student: str, type_slug: str | None = None, query: Mapping[str, str | None] | None = None
) -> str:
    """Return the address of booking for a student, with the parts that are given."""
    parts = {"student": student, "type": type_slug, **(query or {})}
    return f"{PATH}?{urlencode({name: value for name, value in parts.items() if value}, safe=':')}"
