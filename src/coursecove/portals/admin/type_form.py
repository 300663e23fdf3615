"""The form of an appointment type: what is stored as typed values, and typed values as what is stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
from coursecove.portals.admin.inputs import number, price_in, span_in, spoken_price, spoken_span
from coursecove.portals.forms import convert, names_of
from coursecove.tenants import service as tenants
from coursecove.tenants.handles import handle_of

LISTS = ("location_ids", "instructor_ids")
_SPANS = ("minimum_notice_minutes", "cancellation_notice_minutes")
FIELDS = (*names_of(AppointmentTypeCreate), *(f"{name}_unit" for name in _SPANS))
_NUMBERS = ("duration_minutes", "buffer_before_minutes", "buffer_after_minutes", "start_interval_minutes")
# An empty field must not quietly mean a default that the page does not show.
_NEEDED = ("duration_minutes", "horizon_days", *_SPANS)
_MESSAGES = {
    "color": "Choose a colour.",
    "location_mode": "Choose in person or online.",
    "duration_minutes": "Enter 5 to 720 minutes.",
    "buffer_before_minutes": "Enter 0 to 240 minutes.",
    "buffer_after_minutes": "Enter 0 to 240 minutes.",
    "start_interval_minutes": "Enter 5 to 720 minutes, or nothing.",
    "minimum_notice_minutes": "Enter 0 up to 60 days.",
    "cancellation_notice_minutes": "Enter 0 up to 60 days.",
    "horizon_days": "Enter 1 to 365 days.",
    "price_cents": "Enter an amount up to 1,000,000.",
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
            {"value": t.handle, "label": t.name, "hint": None if t.teaches else "Does not teach yet"}
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
        "location_mode": type_.location_mode,
        "horizon_days": type_.horizon_days,
        "price_cents": spoken_price(type_.price_cents, type_.currency),
        "location_ids": [place.slug for place in choices.places if place.id in type_.location_ids],
        "instructor_ids": [t.handle for t in choices.teachers if t.id in type_.instructor_ids],
        "published": "yes" if type_.published_at else "no",
    }
    for name in _NUMBERS:
        value = getattr(type_, name)
        values[name] = "" if value is None else str(value)
    for name in _SPANS:
        values |= _span_values(name, getattr(type_, name))
    return values


def new_values(choices: Choices, *, color: str) -> dict[str, Any]:
    """Return the form of a new type: the defaults of the API, and what there is no choice about."""
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(AppointmentTypeCreate)
        if field.default is not msgspec.NODEFAULT
    }
    teaching = [teacher.handle for teacher in choices.teachers if teacher.teaches]
    values: dict[str, Any] = {
        "name": "",
        "description": "",
        "color": color,
        "location_mode": defaults["location_mode"],
        "duration_minutes": "45",
        "buffer_before_minutes": "0",
        "buffer_after_minutes": "0",
        "start_interval_minutes": "",
        "horizon_days": defaults["horizon_days"],
        "price_cents": "",
        "location_ids": [choices.places[0].slug] if len(choices.places) == 1 else [],
        "instructor_ids": teaching if len(teaching) == 1 else [],
        "published": "yes",
    }
    for name in _SPANS:
        values |= _span_values(name, defaults[name])
    return values


def read_type(values: Mapping[str, Any], choices: Choices, *, currency: str) -> AppointmentTypeCreate:
    """Return what was typed as a whole type; raises :class:`Invalid` with a message at every wrong field."""
    typed = {
        **values,
        "color": values.get("color", "").lower(),
        "published": values.get("published") == "yes",
    }
    problems = {name: "This is needed." for name in _NEEDED if not values.get(name)}
    for field, known, gone in (
        (
            "location_ids",
            {place.slug: place.id for place in choices.places},
            "One of these places is not offered any more.",
        ),
        (
            "instructor_ids",
            {teacher.handle: teacher.id for teacher in choices.teachers},
            "One of these people does not teach here any more.",
        ),
    ):
        typed[field] = _ids(values.get(field, ()), known)
        if None in typed[field]:
            problems[field] = f"{gone} Please look at your choice again."
            typed[field] = []
    parsers = {
        **dict.fromkeys((*_NUMBERS, "horizon_days"), number),
        **{name: span_in(values.get(f"{name}_unit", "minutes")) for name in _SPANS},
        "price_cents": price_in(currency),
    }
    try:
        made = convert(typed, AppointmentTypeCreate, parsers=parsers, messages=_MESSAGES)
    except Invalid as error:
        raise Invalid(fields={**error.fields, **problems}) from None
    if problems:
        raise Invalid(fields=problems)
    return made


def as_changes(data: AppointmentTypeCreate) -> AppointmentTypeUpdate:
    """Return a whole type as changes to a stored one.

    An online lesson shows no places; that none is chosen then says nothing
    about those it is linked to for the day it is in person again.
    """
    values = msgspec.structs.asdict(data)
    if data.location_mode == "online" and not data.location_ids:
        del values["location_ids"]
    return AppointmentTypeUpdate(**values)


def _span_values(name: str, minutes: int) -> dict[str, str]:
    amount, unit = spoken_span(minutes)
    return {name: amount, f"{name}_unit": unit}


def _ids(typed: Iterable[str], known: Mapping[str, uuid.UUID]) -> list[str | None]:
    return [str(known[value]) if value in known else None for value in typed]
