"""Reading what somebody typed, in a form or in a file, as what a verb takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from coursecove.errors import Invalid
from coursecove.formatting import minor_digits
from coursecove.i18n import _

T = TypeVar("T")
# What no price reaches; keeps absurd input out of the arithmetic.
_MOST_DIGITS = 9

Parser = Callable[[str], Any]


def whole_number(text: str) -> int:
    """Read a whole number; raises ValueError with the sentence to show."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(_("Enter a whole number.")) from None


def clock_time(text: str) -> int:
    """Read "9:30" or "09:30" as minutes of the day; "24:00" is the end of it."""
    hours, colon, minutes = text.partition(":")
    if not colon or not hours.isdigit() or not minutes.isdigit() or len(minutes) != 2:
        raise ValueError(_("Enter a time such as 09:30."))
    value = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or value > 1440:
        raise ValueError(_("Enter a time such as 09:30."))
    return value


def convert(
    values: Mapping[str, Any],
    type_: type[T],
    *,
    parsers: Mapping[str, Parser] | None = None,
    messages: Mapping[str, str] | None = None,
) -> T:
    """Build ``type_`` from typed values, raising :class:`Invalid` with a message for *every* wrong field.

    ``parsers`` read single fields (an empty one is left out, so that the
    struct's default or UNSET applies); ``messages`` say what is wrong in
    better words than msgspec's.
    """
    parsers, messages = parsers or {}, messages or {}
    built: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for info in msgspec.structs.fields(type_):  # type: ignore[arg-type]
        name = info.encode_name
        if name not in values:
            if info.required:
                errors[name] = _("This is needed.")
            continue
        value = values[name]
        if name in parsers and isinstance(value, str):
            if not value:
                if info.required:
                    errors[name] = _("This is needed.")
                continue
            try:
                value = parsers[name](value)
            except ValueError as error:
                errors[name] = str(error)
                continue
        try:
            built[name] = msgspec.convert(value, info.type, strict=False)
        except msgspec.ValidationError as error:
            empty = value == "" and "length" in str(error)
            errors[name] = _("This is needed.") if empty else messages.get(name, _plain(str(error)))
    if errors:
        raise Invalid(fields=errors)
    return type_(**built)


def _plain(message: str) -> str:
    """Return a msgspec message in words a person uses."""
    text = message.partition(" - at")[0]
    for start, words in (
        ("Expected `int` >= ", _("Enter a number of at least {}.")),
        ("Expected `int` <= ", _("Enter a number of at most {}.")),
        ("Expected `str` of length <= ", _("At most {} characters, please.")),
        ("Expected `str` of length >= ", _("At least {} characters, please.")),
    ):
        if text.startswith(start):
            return words.format(text.removeprefix(start))
    return _("This value cannot be used here.")


def price_in(currency: str) -> Callable[[str], int]:
    """Return a parser of "45", "45.50" and "45,50" as minor units of ``currency``."""
    digits = minor_digits(currency)

    def parse(text: str) -> int:
        whole, point, rest = text.replace(",", ".").partition(".")
        readable = whole.isascii() and whole.isdecimal() and len(whole) <= _MOST_DIGITS
        if point:
            readable &= rest.isascii() and rest.isdecimal() and len(rest) <= digits
        if not readable:
            raise ValueError(
                _("Enter an amount such as 45 or 45.50.") if digits else _("Enter an amount such as 4500.")
            )
        return int(whole + rest.ljust(digits, "0"))

    return parse
