"""What the list of appointment types is narrowed to and sorted by, as it stands in the address."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.shelves import Shelf, TypePage
from coursecove.i18n import _
from coursecove.portals.admin.navigation import address
from coursecove.portals.admin.type_form import WORDS, Choices

_LONGEST = 100
# The id of nothing: what is asked for is not here, and an unfiltered list would be no answer.
_NOWHERE = uuid.UUID(int=0)
# A minus in front turns the order around; without any the list stands in the school's own order.
_SORTS = ("name", "length", "price")


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

    async def page(
        self, session: AsyncSession, choices: Choices, *, shelf: Shelf, number: int, size: int
    ) -> TypePage:
        """Return a page of what is asked for; nothing where a place or a person is not known here."""
        place = next((place.id for place in choices.places if place.slug == self.location), None)
        teacher = next((person.id for person in choices.teachers if person.handle == self.instructor), None)
        return await appointments.page_of_types(
            session,
            shelf=shelf,
            search=self.q,
            kind=self.kind or None,  # type: ignore[arg-type] # read() lets only kinds through
            location_id=place or (_NOWHERE if self.location else None),
            instructor_id=teacher or (_NOWHERE if self.instructor else None),
            order=self.sort.removeprefix("-") or "position",  # type: ignore[arg-type] # and only orders
            descending=self.sort.startswith("-"),
            page=number,
            page_size=size,
        )


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
