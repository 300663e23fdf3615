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
from babel.numbers import format_decimal
from msgspec import UNSET, Struct, inspect

from coursecove import i18n
from coursecove.errors import Invalid
from coursecove.i18n import N_, _
from coursecove.text import is_storable, one_line, paragraphs

S = TypeVar("S", bound=Struct)
Bound = inspect.StrType | inspect.IntType | inspect.ListType

# Everything else that is text may have line breaks.
_ONE_LINE = frozenset({"name", "color", "time_zone", "label", "hint", "options", "postcode_prefixes"})
_SPECIAL = {
    "color": N_("Choose a colour such as #4f46e5."),
    "price_cents": N_("Enter a price from 0 to 1,000,000."),
}


def checked(data: S) -> S:
    """Return ``data`` with its text tidied; raises :class:`Invalid` naming every field out of bounds."""
    changes: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, bound in _bounds(type(data)).items():
        value = getattr(data, name)
        if value is UNSET or value is None:
            continue
        try:
            value = changes[name] = _tidied(name, value)
        except ValueError as error:
            problems[name] = str(error)
            continue
        problem = _problem(name, value, bound)
        if problem:
            problems[name] = problem
    if problems:
        raise Invalid(fields=problems)
    return msgspec.structs.replace(data, **changes)


def _tidied(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_tidied(name, one) for one in value]
    if not isinstance(value, str):
        return value
    if not is_storable(value):
        raise ValueError(_("Remove the characters that cannot be shown."))
    return one_line(value) if name in _ONE_LINE else paragraphs(value)


@cache
def _bounds(struct: type[Struct]) -> dict[str, Bound]:
    found: dict[str, Bound] = {}
    for field in inspect.type_info(struct).fields:  # type: ignore[attr-defined] # a struct has fields
        options = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        for option in options:
            if isinstance(option, inspect.StrType | inspect.IntType):
                found[field.name] = option
                continue
            if isinstance(option, inspect.ListType) and isinstance(
                option.item_type, inspect.StrType | inspect.IntType
            ):
                found[field.name] = option
    return found


def _problem(name: str, value: Any, bound: Bound) -> str | None:
    if isinstance(bound, inspect.ListType):
        if bound.max_length is not None and len(value) > bound.max_length:
            return _("Keep this to {most} entries; there are {count}.").format(
                most=_number(bound.max_length), count=_number(len(value))
            )
        assert isinstance(bound.item_type, inspect.StrType | inspect.IntType)
        problems = (_problem(name, one, bound.item_type) for one in value)
        return next((problem for problem in problems if problem), None)
    if isinstance(bound, inspect.IntType):
        low, high = bound.ge or 0, bound.le
        if high is None or low <= value <= high:
            return None
        return _(_SPECIAL[name]) if name in _SPECIAL else _range(name, low, high)
    if bound.min_length and len(value) < bound.min_length:
        return _("Fill this in.")
    if bound.max_length is not None and len(value) > bound.max_length:
        return _("Keep this to {most} characters; it has {count}.").format(
            most=_number(bound.max_length), count=_number(len(value))
        )
    # search() lets "$" match before a final line break; the database does not.
    if bound.pattern and not re.fullmatch(bound.pattern.strip("^$"), value):
        return _(_SPECIAL.get(name, N_("This does not look right.")))
    return None


def _range(name: str, low: int, high: int) -> str:
    unit = name.rpartition("_")[2]
    sentence = (
        _("Enter a whole number from {low} to {high} minutes.")
        if unit == "minutes"
        else _("Enter a whole number from {low} to {high} days.")
        if unit == "days"
        else _("Enter a whole number from {low} to {high}.")
    )
    return sentence.format(low=_number(low), high=_number(high))


def _number(value: int) -> str:
    return format_decimal(value, locale=i18n.locale())
