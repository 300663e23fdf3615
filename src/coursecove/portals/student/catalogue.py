"""What a school offers, narrowed by who teaches it, where, and whether one is alone; kept in the address."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coursecove import formatting
from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.bookings.schemas import SlotView
from coursecove.formatting import initials
from coursecove.i18n import _, ngettext
from coursecove.portals.lesson_words import student_clocks
from coursecove.portals.student.choice import address, instant_text
from coursecove.portals.student.flow import lengths_in_words
from coursecove.tenants.schemas import InstructorView

# Where a lesson is when it is at no place of the school; no location's address looks like these.
_ONLINE, _AT_HOME = "@online", "@home"
_MODES = {"online": _ONLINE, "students_place": _AT_HOME}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a visitor narrowed the catalogue to; what cannot be read narrows nothing."""

    teacher: InstructorView | None = None
    place: LocationView | None = None
    # One of the two ways to need no place, if that was chosen.
    mode: str = ""
    kind: str = ""

    @property
    def any(self) -> bool:
        """Say whether anything is left out."""
        return bool(self.teacher or self.place or self.mode or self.kind)

    def narrowed(self, types: Iterable[AppointmentTypeView]) -> list[AppointmentTypeView]:
        """Return the types that fit."""
        return [type_ for type_ in types if self._fits(type_)]

    def _fits(self, type_: AppointmentTypeView) -> bool:
        return (
            (self.teacher is None or self.teacher.id in type_.instructor_ids)
            and (self.place is None or self.place.id in type_.location_ids)
            and (not self.mode or _MODES.get(type_.location_mode) == self.mode)
            and (not self.kind or type_.kind == self.kind)
        )

    @property
    def asked(self) -> dict[str, uuid.UUID | None]:
        """Return what the next free times are asked for, by the names of the keywords."""
        return {
            "instructor_id": self.teacher.id if self.teacher else None,
            "location_id": self.place.id if self.place else None,
        }

    def query(self, type_: AppointmentTypeView) -> dict[str, str | None]:
        """Return what a type's address takes over, so that nothing is chosen twice."""
        several = len(type_.location_ids) > 1
        return {
            "with": self.teacher.slug if self.teacher else None,
            "place": self.place.slug if self.place and several else None,
            "key": type_.link_key,
        }

    def fields(
        self,
        types: Sequence[AppointmentTypeView],
        teachers: Iterable[InstructorView],
        places: Iterable[LocationView],
    ) -> list[dict[str, Any]]:
        """Return the selects of the form; one that would not tell the types apart is left out."""
        modes = {type_.location_mode for type_ in types}
        where = [{"value": place.slug, "label": place.name} for place in places]
        where += [
            {"value": value, "label": words}
            for mode, value, words in (
                ("online", _ONLINE, _("Online")),
                ("students_place", _AT_HOME, _("At your place")),
            )
            if mode in modes
        ]
        fields = [
            {
                "name": "with",
                "label": _("Teacher"),
                "blank": _("Anybody"),
                "value": self.teacher.slug if self.teacher else "",
                "options": [{"value": teacher.slug, "label": teacher.name} for teacher in teachers],
            },
            {
                "name": "place",
                "label": _("Where"),
                "blank": _("Anywhere"),
                "value": self.place.slug if self.place else self.mode,
                "options": where,
            },
            {
                "name": "kind",
                "label": _("Kind"),
                "blank": _("All lessons"),
                "value": self.kind,
                "options": [
                    {"value": kind, "label": words}
                    for kind, words in (("private", _("Private lessons")), ("class", _("Classes")))
                    if kind in {type_.kind for type_ in types}
                ],
            },
        ]
        return [field for field in fields if len(field["options"]) > 1]


def read_filters(
    params: Mapping[str, str], teachers: Iterable[InstructorView], places: Iterable[LocationView]
) -> Filters:
    """Return the filters as they stand in the address."""
    where, kind = params.get("place", ""), params.get("kind", "")
    return Filters(
        teacher=next((teacher for teacher in teachers if teacher.slug == params.get("with")), None),
        place=next((place for place in places if place.slug == where), None),
        mode=where if where in _MODES.values() else "",
        kind=kind if kind in ("private", "class") else "",
    )


def next_words(
    type_: AppointmentTypeView,
    slot: SlotView | None,
    filters: Filters,
    *,
    places: Mapping[Any, LocationView],
    viewer_zone: str,
    school_zone: str,
) -> dict[str, Any]:
    """Say when the next free time of a type is, and where it can be taken with one tap."""
    if slot is None:
        text = _("No class with a free seat is planned") if type_.kind == "class" else _("Fully booked for now")
        return {"text": text, "href": None, "free": False}
    clocks = student_clocks(
        venue=slot.location.time_zone if slot.location else None, viewer=viewer_zone, school=school_zone
    )
    when = (
        f"{formatting.day_near(slot.starts_at, clocks.shown)}, {formatting.time(slot.starts_at, clocks.shown)}"
    )
    if not formatting.same_clock(slot.starts_at, clocks.shown, clocks.other):
        when = f"{when} {clocks.label}"
    place = places.get(slot.location.id) if slot.location else None
    query = {
        **filters.query(type_),
        "with": filters.teacher.slug if filters.teacher else "anyone",
        "place": place.slug if place and len(type_.location_ids) > 1 else None,
        "time": instant_text(slot.starts_at),
    }
    # Whether there is time for the way to the student is known once they have said where they live.
    at_home = type_.location_mode == "students_place"
    return {"text": when, "href": None if at_home else address(type_.slug, query), "free": True}


def type_card(
    type_: AppointmentTypeView,
    teachers: Mapping[Any, InstructorView],
    places: Mapping[Any, LocationView],
    *,
    path: str | None = None,
    query: Mapping[str, str | None] | None = None,
    next_free: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a type as its card on the front page shows it; ``path`` is where it leads instead of booking.

    ``query`` is what is chosen already, ``next_free`` comes from :func:`next_words`.
    """
    taught_by = [teachers[id_] for id_ in type_.instructor_ids if id_ in teachers]
    at = [places[id_].name for id_ in type_.location_ids if id_ in places]
    where = at[0] if len(at) == 1 else ngettext("1 place", "{count} places", len(at)).format(count=len(at))
    if type_.location_mode == "online":
        where = _("Online")
    elif type_.location_mode == "students_place":
        where = _("At your place")
    elif not at:
        where = ""
    return {
        "href": address(type_.slug, query or {"key": type_.link_key}, path=path),
        "name": type_.name,
        "description": type_.description,
        "color": type_.color,
        "lengths": lengths_in_words(type_),
        "price_cents": type_.price_cents,
        "currency": type_.currency,
        "where_icon": {"online": "video", "students_place": "house"}.get(type_.location_mode, "map-pin"),
        "where": where,
        "seats": type_.capacity if type_.kind == "class" else None,
        "needs_approval": type_.requires_approval,
        # Only staff see what is shared by link on the front page.
        "seen_by": {"members": _("For members"), "link": _("By link only")}.get(type_.visibility),
        "bookable": bool(taught_by) or type_.kind == "class",
        "next_free": next_free,
        "teachers": [
            {"name": t.name, "initials": initials(t.name), "image_url": t.image_url} for t in taught_by
        ],
    }


def teacher_card(teacher: InstructorView, types: Iterable[AppointmentTypeView]) -> dict[str, Any]:
    """Return somebody who teaches, with links to what can be booked with them."""
    return {
        "name": teacher.name,
        "initials": initials(teacher.name),
        "image_url": teacher.image_url,
        "bio": teacher.bio,
        "teaches": [
            {
                "name": type_.name,
                "href": address(type_.slug, {"with": teacher.slug, "key": type_.link_key}),
            }
            for type_ in types
            if teacher.id in type_.instructor_ids
        ],
    }
