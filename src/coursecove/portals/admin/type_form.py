"""The form of an appointment type: what is stored as typed values, and typed values as what is stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import (
    AppointmentTypeCreate,
    AppointmentTypeUpdate,
    AppointmentTypeView,
    LocationView,
)
from coursecove.errors import Invalid
from coursecove.formatting import day
from coursecove.i18n import N_, _
from coursecove.portals.admin.inputs import (
    day_in,
    number,
    numbers_in,
    span_in,
    spoken_price,
    spoken_span,
)
from coursecove.portals.forms import convert, names_of
from coursecove.tenants import service as tenants
from coursecove.tenants.handles import handle_of
from coursecove.tenants.schemas import OrganizationView
from coursecove.typed import price_in

LISTS = ("location_ids", "instructor_ids")
_SPANS = (
    "minimum_notice_minutes",
    "cancellation_notice_minutes",
    "reschedule_notice_minutes",
    "approve_within_minutes",
)
FIELDS = (*names_of(AppointmentTypeCreate), *(f"{name}_unit" for name in _SPANS))
_NUMBERS = (
    "capacity",
    "duration_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "start_interval_minutes",
    "most_reschedules",
    "day_limit",
    "week_limit",
    "student_day_limit",
    "student_week_limit",
)
_DAYS = ("bookable_from", "bookable_until")
_CHOICES = ("kind", "visibility", "location_mode")
# An empty field must not quietly mean a default that the page does not show.
_NEEDED = ("duration_minutes", "horizon_days", *_SPANS)

#: What the form's fields are called.
LABELS = {
    "name": N_("Name"),
    "description": N_("Description"),
    "kind": N_("Kind"),
    "color": N_("Colour"),
    "price_cents": N_("Price"),
    "duration_minutes": N_("Length"),
    "further_durations_minutes": N_("Further lengths"),
    "capacity": N_("Seats"),
    "buffer_before_minutes": N_("Free time before"),
    "buffer_after_minutes": N_("Free time after"),
    "start_interval_minutes": N_("A start every"),
    "location_mode": N_("Where"),
    "location_ids": N_("Locations"),
    "instructor_ids": N_("Instructors"),
    "requires_approval": N_("Approval"),
    "approve_within_minutes": N_("Answer within"),
    "minimum_notice_minutes": N_("Notice"),
    "horizon_days": N_("How far ahead"),
    "bookable_from": N_("First day"),
    "bookable_until": N_("Last day"),
    "cancellation_notice_minutes": N_("Cancelling"),
    "reschedule_notice_minutes": N_("Moving"),
    "most_reschedules": N_("How often"),
    "day_limit": N_("A day, with one instructor"),
    "week_limit": N_("A week, with one instructor"),
    "student_day_limit": N_("A day, for one student"),
    "student_week_limit": N_("A week, for one student"),
    "visibility": N_("Who sees it"),
    "published": N_("State"),
}
#: How the values of choices read.
WORDS = {
    "kind": {"private": N_("Private lesson"), "class": N_("Class")},
    "location_mode": {
        "in_person": N_("In person"),
        "online": N_("Online"),
        "students_place": N_("At the student’s place"),
    },
    "visibility": {"public": N_("Everybody"), "members": N_("Members"), "link": N_("By link only")},
    "published": {"yes": N_("Published"), "no": N_("Draft")},
}
#: What a choice means, in a line under it.
HINTS = {
    "kind": {
        "private": N_("One student, in the free hours of whoever teaches."),
        "class": N_("Several students. You put it on the calendar."),
    },
    "location_mode": {
        "in_person": N_("At one of your locations."),
        "online": N_("By the instructor’s meeting link."),
        "students_place": N_("The instructor comes to them."),
    },
    "visibility": {
        "public": N_("On your page, for visitors too."),
        "members": N_("Students who are signed in."),
        "link": N_("Whoever you give its link to."),
    },
    "published": {
        "yes": N_("It can be booked."),
        "no": N_("Only admins and instructors see it."),
    },
}
_MESSAGES = {
    "color": N_("Choose a colour."),
    "kind": N_("Choose a private lesson or a class."),
    "visibility": N_("Choose who sees it."),
    "location_mode": N_("Choose where it takes place."),
    "capacity": N_("Enter 2 to 1,000 seats."),
    "duration_minutes": N_("Enter 5 to 720 minutes."),
    "further_durations_minutes": N_("Enter up to 7 lengths of 5 to 720 minutes, such as 30, 60."),
    "buffer_before_minutes": N_("Enter 0 to 240 minutes."),
    "buffer_after_minutes": N_("Enter 0 to 240 minutes."),
    "start_interval_minutes": N_("Enter 5 to 720 minutes, or nothing."),
    "minimum_notice_minutes": N_("Enter 0 up to 60 days."),
    "cancellation_notice_minutes": N_("Enter 0 up to 60 days."),
    "reschedule_notice_minutes": N_("Enter 0 up to 60 days."),
    "approve_within_minutes": N_("Enter 15 minutes up to 30 days."),
    "most_reschedules": N_("Enter 0 to 100, or nothing."),
    "day_limit": N_("Enter 1 to 100, or nothing."),
    "week_limit": N_("Enter 1 to 500, or nothing."),
    "student_day_limit": N_("Enter 1 to 100, or nothing."),
    "student_week_limit": N_("Enter 1 to 500, or nothing."),
    "horizon_days": N_("Enter 1 to 365 days."),
    "price_cents": N_("Enter an amount up to 1,000,000."),
}
# The sections that are folded away while nothing in them says anything unusual.
FOLDS: dict[str, tuple[str, ...]] = {
    "time": ("buffer_before_minutes", "buffer_after_minutes", "start_interval_minutes"),
    "term": _DAYS,
    "limits": ("day_limit", "week_limit", "student_day_limit", "student_week_limit"),
}


@dataclass(frozen=True, slots=True)
class Teacher:
    """Somebody who can be named as teaching a type."""

    id: uuid.UUID
    name: str
    handle: str
    # False for an admin who would begin to teach by being named.
    teaches: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """The places and people of the school a type can be linked to."""

    places: tuple[LocationView, ...]
    teachers: tuple[Teacher, ...]

    @property
    def place_options(self) -> list[dict[str, Any]]:
        """Return the places as cards."""
        return [{"value": p.slug, "label": p.name, "hint": p.address or None} for p in self.places]

    @property
    def teacher_options(self) -> list[dict[str, Any]]:
        """Return the people as cards."""
        return [
            {"value": t.handle, "label": t.name, "hint": None if t.teaches else _("Does not teach yet")}
            for t in self.teachers
        ]


async def choices_of(session: AsyncSession) -> Choices:
    """Read what a type can be linked to: open places, instructors, and admins who might teach."""
    places = await appointments.list_locations(session)
    instructors = await tenants.list_instructors(session)
    admins = await tenants.list_members(session, role="admin", page_size=200)
    teachers = [Teacher(i.id, i.name, handle_of(i.id, i.name), teaches=True) for i in instructors]
    known = {teacher.id for teacher in teachers}
    teachers += [
        Teacher(m.id, m.name, handle_of(m.id, m.name), teaches=False) for m in admins.items if m.id not in known
    ]
    return Choices(tuple(places), tuple(teachers))


def stored_values(type_: AppointmentTypeView, choices: Choices) -> dict[str, Any]:
    """Return a stored type as the form shows it."""
    values: dict[str, Any] = {
        "name": type_.name,
        "description": type_.description,
        "color": type_.color,
        "horizon_days": str(type_.horizon_days),
        "further_durations_minutes": ", ".join(str(m) for m in type_.further_durations_minutes),
        "requires_approval": type_.requires_approval,
        "price_cents": spoken_price(type_.price_cents, type_.currency),
        "location_ids": [place.slug for place in choices.places if place.id in type_.location_ids],
        "instructor_ids": [t.handle for t in choices.teachers if t.id in type_.instructor_ids],
        "published": "yes" if type_.published_at else "no",
    }
    values |= {name: getattr(type_, name) for name in _CHOICES}
    for name in (*_NUMBERS, *_DAYS):
        value = getattr(type_, name)
        values[name] = "" if value is None else str(value)
    if type_.kind == "private":
        values["capacity"] = ""
    for name in _SPANS:
        values |= _span_values(name, getattr(type_, name))
    return values


def new_values(choices: Choices, organization: OrganizationView) -> dict[str, Any]:
    """Return the form of a new type: the school's defaults, and what there is no choice about."""
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(AppointmentTypeCreate)
        if field.default is not msgspec.NODEFAULT
    }
    teaching = [teacher.handle for teacher in choices.teachers if teacher.teaches]
    values: dict[str, Any] = {
        **dict.fromkeys((*_NUMBERS, *_DAYS, "name", "description", "further_durations_minutes"), ""),
        **{name: defaults[name] for name in _CHOICES},
        "price_cents": "",
        "color": organization.accent_color,
        "duration_minutes": "45",
        "buffer_before_minutes": "0",
        "buffer_after_minutes": "0",
        "horizon_days": str(defaults["horizon_days"]),
        "most_reschedules": str(defaults["most_reschedules"]),
        "requires_approval": False,
        "location_ids": [choices.places[0].slug] if len(choices.places) == 1 else [],
        "instructor_ids": teaching if len(teaching) == 1 else [],
        "published": "yes",
    }
    for name, minutes in (
        ("minimum_notice_minutes", organization.default_minimum_notice_minutes),
        ("cancellation_notice_minutes", organization.default_cancellation_notice_minutes),
        ("reschedule_notice_minutes", organization.default_reschedule_notice_minutes),
        ("approve_within_minutes", defaults["approve_within_minutes"]),
    ):
        values |= _span_values(name, minutes)
    return values


def read_type(values: Mapping[str, Any], choices: Choices, *, currency: str) -> AppointmentTypeCreate:
    """Return what was typed as a whole type; raises :class:`Invalid` with a message at every wrong field.

    What the page hides for the kind that is chosen is not read: the seats of a
    private lesson, the further lengths of a class.
    """
    is_class = values.get("kind") == "class"
    hidden = ("further_durations_minutes", "start_interval_minutes") if is_class else ("capacity",)
    typed: dict[str, Any] = {
        **{name: value for name, value in values.items() if name not in hidden},
        "color": values.get("color", "").lower(),
        "published": values.get("published") == "yes",
        "requires_approval": bool(values.get("requires_approval")),
    }
    needed = (*_NEEDED, "capacity") if is_class else _NEEDED
    problems = {name: _("This is needed.") for name in needed if not values.get(name)}
    for field, known, gone in (
        (
            "location_ids",
            {place.slug: place.id for place in choices.places},
            _("One of these places is not offered any more. Please look at your choice again."),
        ),
        (
            "instructor_ids",
            {teacher.handle: teacher.id for teacher in choices.teachers},
            _("One of these people does not teach here any more. Please look at your choice again."),
        ),
    ):
        typed[field] = _ids(values.get(field, ()), known)
        if None in typed[field]:
            problems[field] = gone
            typed[field] = []
    parsers = {
        **dict.fromkeys((*_NUMBERS, "horizon_days"), number),
        **dict.fromkeys(_DAYS, day_in),
        **{name: span_in(values.get(f"{name}_unit", "minutes")) for name in _SPANS},
        "further_durations_minutes": numbers_in,
        "price_cents": price_in(currency),
    }
    messages = {name: _(message) for name, message in _MESSAGES.items()}
    try:
        made = convert(typed, AppointmentTypeCreate, parsers=parsers, messages=messages)
    except Invalid as error:
        raise Invalid(fields={**error.fields, **problems}) from None
    if problems:
        raise Invalid(fields=problems)
    if not values.get("most_reschedules"):
        made.most_reschedules = None
    return made


def as_changes(data: AppointmentTypeCreate) -> AppointmentTypeUpdate:
    """Return a whole type as changes to a stored one.

    A lesson elsewhere than at the school shows no places; that none is chosen
    then says nothing about those it is linked to for the day it is in person again.
    """
    values = msgspec.structs.asdict(data)
    if data.location_mode != "in_person" and not data.location_ids:
        del values["location_ids"]
    return AppointmentTypeUpdate(**values)


def open_folds(values: Mapping[str, Any], errors: Iterable[str]) -> set[str]:
    """Return the folded sections that are to be open: what is said in them is unusual, or wrong."""
    wrong = set(errors)
    return {
        fold
        for fold, names in FOLDS.items()
        if any(name in wrong or values.get(name, "") not in ("", "0") for name in names)
    }


def words() -> dict[str, Any]:
    """Return how the values of the form read to somebody whose colleague changed them."""
    spoken: dict[str, Any] = {
        name: {value: _(word) for value, word in known.items()} for name, known in WORDS.items()
    }
    return {**spoken, "bookable_from": _spoken_day, "bookable_until": _spoken_day}


def _spoken_day(text: str) -> str:
    try:
        return day(date.fromisoformat(text), year=True)
    except ValueError:
        return text


def _span_values(name: str, minutes: int) -> dict[str, str]:
    amount, unit = spoken_span(minutes)
    return {name: amount, f"{name}_unit": unit}


def _ids(typed: Iterable[str], known: Mapping[str, uuid.UUID]) -> list[str | None]:
    return [str(known[value]) if value in known else None for value in typed]
