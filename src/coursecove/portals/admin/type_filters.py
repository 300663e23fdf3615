"""What the list of appointment types is narrowed to and sorted by, as it stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.i18n import _
from coursecove.portals.admin.navigation import address
from coursecove.portals.admin.type_form import WORDS, Choices

_LONGEST = 100
# A minus in front turns the order around; without any the list stands in the school's own order.
_SORTS: dict[str, Callable[[AppointmentTypeView], Any]] = {
    "name": lambda type_: type_.name.casefold(),
    "length": lambda type_: type_.durations,
    # No price at all comes before none to be paid.
    "price": lambda type_: -1 if type_.price_cents is None else type_.price_cents,
}


@dataclass(frozen=True, slots=True)
class TypeFilters:
    """The filters as they were typed; what means nothing narrows nothing."""

    q: str = ""
    kind: str = ""
    location: str = ""
    instructor: str = ""
    sort: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> TypeFilters:
        """Return what the address says."""
        kind, sort = params.get("kind", ""), params.get("sort", "")
        return cls(
            q=params.get("q", "").strip()[:_LONGEST],
            kind=kind if kind in WORDS["kind"] else "",
            location=params.get("location", "")[:_LONGEST],
            instructor=params.get("instructor", "")[:_LONGEST],
            sort=sort if sort.removeprefix("-") in _SORTS else "",
        )

    @property
    def narrowed(self) -> bool:
        """Say whether anything is left out."""
        return bool(self.q or self.kind or self.location or self.instructor)

    @property
    def query(self) -> dict[str, str | None]:
        """Return the filters as parts of an address."""
        return {
            "q": self.q or None,
            "kind": self.kind or None,
            "location": self.location or None,
            "instructor": self.instructor or None,
            "sort": self.sort or None,
        }

    def applied(self, types: Sequence[AppointmentTypeView], choices: Choices) -> list[AppointmentTypeView]:
        """Return those of ``types`` that are asked for, in the order that is asked for."""
        place = next((place.id for place in choices.places if place.slug == self.location), None)
        teacher = next((person.id for person in choices.teachers if person.handle == self.instructor), None)
        found = [
            type_
            for type_ in types
            if self.q.casefold() in type_.name.casefold()
            and (not self.kind or type_.kind == self.kind)
            and (not self.location or place in type_.location_ids)
            and (not self.instructor or teacher in type_.instructor_ids)
        ]
        if self.sort:
            found.sort(key=_SORTS[self.sort.removeprefix("-")], reverse=self.sort.startswith("-"))
        return found


def columns_of(path: str, query: Mapping[str, str | None], sort: str) -> list[dict[str, Any]]:
    """Return the columns of the list; three can be sorted by: up, down, and back to the school's order."""

    def sorted_by(name: str, label: str) -> dict[str, Any]:
        following = {name: f"-{name}", f"-{name}": None}.get(sort, name)
        return {
            "label": label,
            "sort_href": address(path, {**query, "sort": following}),
            "sorted": {name: "ascending", f"-{name}": "descending"}.get(sort),
        }

    return [
        {"label": _("Choose"), "hidden": True},
        sorted_by("name", _("Lesson")),
        sorted_by("length", _("Length")),
        sorted_by("price", _("Price")),
        {"label": _("Where")},
        {"label": _("Taught by")},
        {"label": _("Actions"), "align": "end", "hidden": True},
    ]
