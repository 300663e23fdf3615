"""What keeps a school from being booked, or soon will: each with the page where it is mended."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coursecove import formatting
from coursecove.appointments.schemas import AppointmentTypeView, LapsingQualification
from coursecove.i18n import _, ngettext
from coursecove.tenants.handles import handle_of
from coursecove.tenants.schemas import InstructorView

# More than a screenful is not read; the pages behind them show the rest.
_MOST = 6


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to look at; ``href`` is where it is mended."""

    icon: str
    text: str
    label: str
    href: str


def matters(
    types: Sequence[AppointmentTypeView],
    instructors: Sequence[InstructorView],
    with_hours: Collection[uuid.UUID],
    lapses: Sequence[LapsingQualification],
    *,
    pending: int,
) -> tuple[list[Matter], int]:
    """Return what is to be looked at, the most pressing first, and how much more of it there is."""
    published = [type_ for type_ in types if type_.published_at]
    found = [
        *_requests(pending),
        *_untaught(published, lapses),
        *_lapses(lapses),
        *_without_hours(published, instructors, with_hours),
        *_without_link(published, instructors),
    ]
    return found[:_MOST], max(len(found) - _MOST, 0)


def _requests(pending: int) -> list[Matter]:
    if not pending:
        return []
    text = ngettext("{count} lesson waits for your answer.", "{count} lessons wait for your answer.", pending)
    return [
        Matter(
            "hourglass",
            text.format(count=pending),
            _("Answer"),
            "/admin/bookings?status=pending",
        )
    ]


def _untaught(published: Sequence[AppointmentTypeView], lapses: Sequence[LapsingQualification]) -> list[Matter]:
    ended = {(lapse.appointment_type_id, lapse.member_id) for lapse in lapses if lapse.lapsed}
    return [
        Matter(
            "user-round",
            _("Nobody teaches {lesson}, so it cannot be booked.").format(lesson=f"“{type_.name}”"),
            _("Choose somebody"),
            f"/admin/types/{type_.slug}#f-instructor_ids",
        )
        for type_ in published
        if not any((type_.id, member_id) not in ended for member_id in type_.instructor_ids)
    ]


def _lapses(lapses: Sequence[LapsingQualification]) -> list[Matter]:
    return [
        Matter(
            "shield",
            (
                _("{name} may no longer teach {lesson}: the qualification ended on {day}.")
                if lapse.lapsed
                else _("{name} may teach {lesson} until {day}; nothing is booked after that.")
            ).format(
                name=lapse.member_name,
                lesson=f"“{lapse.appointment_type_name}”",
                day=formatting.day(lapse.expires_on),
            ),
            _("Look at it"),
            f"/admin/people/{handle_of(lapse.member_id, lapse.member_name)}/qualifications",
        )
        for lapse in lapses
    ]


def _without_hours(
    published: Sequence[AppointmentTypeView],
    instructors: Sequence[InstructorView],
    with_hours: Collection[uuid.UUID],
) -> list[Matter]:
    # A class is when staff put it on the calendar.
    teaching = {id_ for type_ in published if type_.kind == "private" for id_ in type_.instructor_ids}
    return [
        Matter(
            "clock",
            _("{name} has no weekly hours, so nothing can be booked with them.").format(name=person.name),
            _("Set hours"),
            f"/admin/people/{handle_of(person.id, person.name)}/hours",
        )
        for person in instructors
        if person.id in teaching and person.id not in with_hours
    ]


def _without_link(
    published: Sequence[AppointmentTypeView], instructors: Sequence[InstructorView]
) -> list[Matter]:
    online = {id_ for type_ in published if type_.location_mode == "online" for id_ in type_.instructor_ids}
    return [
        Matter(
            "video",
            _("{name} teaches online and has no meeting link yet.").format(name=person.name),
            _("Add a link"),
            f"/admin/people/{handle_of(person.id, person.name)}/profile",
        )
        for person in instructors
        if person.id in online and not person.meeting_url
    ]
