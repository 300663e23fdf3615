"""Checking what people send, once for the API and for forms.

The bounds are those of the structs in :mod:`coursecove.appointments.schemas`.
msgspec enforces them where it decodes, one at a time and in its own words; here
all of them are told at once, and they hold for a struct made by hand too.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, inspect

from coursecove.errors import Invalid
from coursecove.text import is_storable, one_line, paragraphs

S = TypeVar("S", bound=Struct)

# Everything else that is text may have line breaks.
_ONE_LINE = frozenset({"name", "color", "time_zone"})
_UNITS = {"minutes": "minutes", "days": "days"}
_SPECIAL = {
    "color": "Choose a colour such as #4f46e5.",
    "price_cents": "Enter a price from 0 to 1,000,000.",
}


def checked(data: S) -> S:
    """Return ``data`` with its text tidied; raises :class:`Invalid` naming every field out of bounds."""
    changes: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, bound in _bounds(type(data)).items():
        value = getattr(data, name)
        if value is UNSET or value is None:
            continue
        if isinstance(bound, inspect.StrType):
            if not is_storable(value):
                problems[name] = "Remove the characters that cannot be shown."
                continue
            value = changes[name] = one_line(value) if name in _ONE_LINE else paragraphs(value)
        problem = _problem(name, value, bound)
        if problem:
            problems[name] = problem
    if problems:
        raise Invalid(fields=problems)
    return msgspec.structs.replace(data, **changes)


@cache
def _bounds(struct: type[Struct]) -> dict[str, inspect.StrType | inspect.IntType]:
    found = {}
    for field in inspect.type_info(struct).fields:  # type: ignore[attr-defined] # a struct has fields
        options = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        for option in options:
            if isinstance(option, inspect.StrType | inspect.IntType):
                found[field.name] = option
    return found


def _problem(name: str, value: Any, bound: inspect.StrType | inspect.IntType) -> str | None:
    if isinstance(bound, inspect.IntType):
        low, high = bound.ge or 0, bound.le
        if high is None or low <= value <= high:
            return None
        unit = _UNITS.get(name.rpartition("_")[2], "")
        return _SPECIAL.get(name) or f"Enter a whole number from {low:,} to {high:,} {unit}".rstrip() + "."
    if bound.min_length and len(value) < bound.min_length:
        return "Fill this in."
    if bound.max_length is not None and len(value) > bound.max_length:
        return f"Keep this to {bound.max_length:,} characters; it has {len(value):,}."
    # search() lets "$" match before a final line break; the database does not.
    if bound.pattern and not re.fullmatch(bound.pattern.strip("^$"), value):
        return _SPECIAL.get(name, "This does not look right.")
    return None
