"""Names for the ids that facts carry: of people, lessons, places; looked up together, never one by one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments import service as appointments
from coursecove.i18n import _
from coursecove.tenants import service as tenants
from coursecove.tenants.activity import Fact, names_of_members, openings_of
from coursecove.tenants.handles import handle_of

_PEOPLE = frozenset({"instructor", "former_instructor", "instructor_id", "student_id", "member_id", "actor_id"})


@dataclass(frozen=True, slots=True)
class Names:
    """What a page of facts needs to say it in words."""

    zone: str
    currency: str
    people: Mapping[str, str]
    types: Mapping[str, tuple[str, str]]
    places: Mapping[str, tuple[str, str]]
    rooms: Mapping[str, str]
    openings: Mapping[uuid.UUID, Fact] = field(default_factory=dict)

    def name_of(self, field_name: str, value: Any) -> str | None:
        """Return the name behind an id in a field of this name; None when there is none."""
        key = str(value)
        if field_name in _PEOPLE:
            return self.people.get(key)
        if field_name == "appointment_type_id":
            return self.types[key][0] if key in self.types else None
        if field_name == "location_id":
            return self.places[key][0] if key in self.places else None
        return self.rooms.get(key) if field_name == "room_id" else None

    def subject(self, fact: Fact) -> str:
        """Return what a fact is about, as its sentence names it."""
        key = str(fact.subject_id)
        match fact.subject_type:
            case "booking" | "session" | "waitlist_entry" | "series":
                return self._lesson(fact)
            case "member":
                return self.people.get(key) or _("somebody")
            case "appointment_type":
                return _quoted(self.types[key][0] if key in self.types else _said(fact, "name"))
            case "location":
                return _quoted(self.places[key][0] if key in self.places else _said(fact, "name"))
            case "room":
                return _quoted(self.rooms.get(key) or _said(fact, "name"))
        return _quoted(_said(fact, "name") or _said(fact, "label") or _said(fact, "file_name")) or _said(
            fact, "email"
        )

    def href(self, fact: Fact) -> str | None:
        """Return the page of what a fact is about; None where there is none."""
        key = str(fact.subject_id)
        match fact.subject_type:
            case "booking":
                reference = self._told(fact).get("reference")
                return f"/admin/bookings/{reference}" if reference else None
            case "member" if key in self.people:
                return f"/admin/people/{handle_of(fact.subject_id, self.people[key])}"
            case "appointment_type" if key in self.types:
                return f"/admin/types/{self.types[key][1]}"
            case "location" if key in self.places:
                return f"/admin/locations/{self.places[key][1]}"
            case "organization":
                return "/admin/school"
            case "mail_text":
                return f"/admin/school/texts/{fact.data.get('kind')}/{fact.data.get('language')}"
            case "closure":
                return "/admin/closures"
        return None

    def _told(self, fact: Fact) -> Mapping[str, Any]:
        """Return what is known of a booking: by this fact, else by its first one."""
        opening = self.openings.get(fact.subject_id)
        return {**(opening.data if opening else {}), **fact.data}

    def _lesson(self, fact: Fact) -> str:
        told = self._told(fact)
        instructor = told.get("instructor_id")
        if isinstance(instructor, dict):
            instructor = instructor.get("to")
        starts_at = _starts_at(told)
        values = {
            "lesson": self.name_of("appointment_type_id", told.get("appointment_type_id")) or _("Lesson"),
            "student": self.people.get(str(told.get("student_id")), _("somebody")),
            "instructor": self.people.get(str(instructor), _("somebody")),
            "time": f"{formatting.day(starts_at, self.zone)}, {formatting.time(starts_at, self.zone)}"
            if starts_at
            else _("an unknown time"),
        }
        if fact.subject_type == "session":
            return _("“{lesson}” with {instructor} on {time}").format(**values)
        return _("“{lesson}” of {student} with {instructor} on {time}").format(**values)


def _starts_at(told: Mapping[str, Any]) -> datetime | None:
    value = told.get("starts_at")
    if isinstance(value, dict):
        value = value.get("to")
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _said(fact: Fact, name: str) -> str:
    value = fact.data.get(name)
    if isinstance(value, dict):
        value = value.get("to")
    return str(value) if isinstance(value, str | date) else ""


def _quoted(name: str) -> str:
    return _("“{name}”").format(name=name) if name else ""


async def names_for(session: AsyncSession, facts: Sequence[Fact]) -> Names:
    """Look up every name that these facts need, in a fixed number of queries."""
    organization = await tenants.get_organization(session)
    openings = await openings_of(
        session,
        (fact.subject_id for fact in facts if fact.subject_type == "booking" and "student_id" not in fact.data),
    )
    wanted = {fact.subject_id for fact in facts if fact.subject_type == "member"}
    for fact in (*facts, *openings.values()):
        wanted |= set(_people_in(fact.data))
    people = await names_of_members(session, wanted)
    types = await appointments.list_types(session, include_unpublished=True, include_archived=True)
    places = await appointments.list_locations(session, include_archived=True)
    rooms = await appointments.list_rooms(session, include_archived=True)
    return Names(
        zone=organization.time_zone,
        currency=organization.currency,
        people={str(id_): name for id_, name in people.items()},
        types={str(type_.id): (type_.name, type_.slug) for type_ in types},
        places={str(place.id): (place.name, place.slug) for place in places},
        rooms={str(room.id): room.name for room in rooms},
        openings=openings,
    )


def _people_in(data: Mapping[str, Any]) -> Iterable[uuid.UUID]:
    for name, value in data.items():
        if name not in _PEOPLE and name != "instructor_ids":
            continue
        values = [value["from"], value["to"]] if isinstance(value, dict) and "from" in value else [value]
        for one in values:
            for id_ in one if isinstance(one, list) else [one]:
                try:
                    yield uuid.UUID(str(id_))
                except ValueError:
                    continue
