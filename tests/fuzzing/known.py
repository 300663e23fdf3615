"""Things that exist, to be asked for: ids of a school and times that are free."""

from __future__ import annotations

import random
import re
import uuid
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from schemathesis import Case

AnyCase: TypeAlias = Case[Any]

#: Most ids are real; the rest stay as they were made, and belong to nothing.
_REAL = 0.8
_KINDS = {
    "member_id": "instructors",
    "instructor_id": "instructors",
    "instructor_ids": "instructors",
    "student_id": "students",
    "type_id": "types",
    "appointment_type_id": "types",
    "appointment_type_ids": "types",
    "location_id": "locations",
    "location_ids": "locations",
    "booking_id": "bookings",
    "child_id": "children",
    "class_id": "classes",
    "session_id": "classes",
    "closure_id": "closures",
    "delivery_id": "deliveries",
    "entry_id": "waitlist",
    "feed_id": "feeds",
    "note_id": "notes",
    "question_id": "questions",
    "room_id": "rooms",
    "series_id": "series",
    "time_off_id": "time_off",
    "zone_id": "zones",
}
#: Parts of addresses that are no ids.
_WORDS = {
    "invitation_id": "orginv_2ofNobodyHere",
    "kind": "types",
    "language": "de",
    "on_date": "2031-01-07",
}


@dataclass(frozen=True, slots=True)
class Known:
    """Ids by kind, and bookings that could be made: members of a body that fit together."""

    ids: dict[str, list[str]]
    offers: list[dict[str, Any]] = field(default_factory=list)

    def put_into(self, case: AnyCase, dice: random.Random) -> None:
        """Put real ids where a case has well-formed ones, and often a whole booking that could be had."""
        members = case.operation.path.startswith("/api/v1/members/")
        for container in (case.path_parameters, case.query, case.body):
            if isinstance(container, dict):
                self._replace(container, dice, members=members)
        if case.operation.label == "POST /api/v1/bookings" and isinstance(case.body, dict):
            wanted = case.body.get("starts_at")
            if self.offers and isinstance(wanted, str) and dice.random() < _REAL:
                offer = dict(dice.choice(self.offers))
                if dice.random() < 0.5:
                    # For oneself, which is all that students may.
                    offer.pop("student_id", None)
                    case.body.pop("student_id", None)
                case.body = {**case.body, **offer}

    def _replace(self, container: dict[str, Any], dice: random.Random, *, members: bool) -> None:
        for name, value in container.items():
            kind = "members" if members and name == "member_id" else _KINDS.get(name)
            if isinstance(value, list):
                for index, inner in enumerate(value):
                    if isinstance(inner, dict):
                        self._replace(inner, dice, members=members)
                    elif kind and _is_id(inner):
                        value[index] = self._one(kind, dice, inner)
            elif kind and _is_id(value):
                container[name] = self._one(kind, dice, value)

    def _one(self, kind: str, dice: random.Random, otherwise: str) -> str:
        ids = self.ids.get(kind)
        return dice.choice(ids) if ids and dice.random() < _REAL else otherwise

    def address(self, template: str) -> str:
        """Return the address of something that exists, for a path of the document."""
        members = template.startswith("/api/v1/members/")

        def first(parameter: re.Match[str]) -> str:
            if parameter[1] in _WORDS:
                return _WORDS[parameter[1]]
            found = self.ids.get("members" if members else _KINDS[parameter[1]])
            # Where there is nothing of a kind, the look-up is what is asked.
            return found[0] if found else str(uuid.UUID(int=1))

        return re.sub(r"\{(\w+)\}", first, template)


def _is_id(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True
