"""Words and numbers as admins type them: spans in a unit of their choice, prices in major units."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from coursecove.errors import Invalid
from coursecove.formatting import minor_digits
from coursecove.i18n import N_, _
from coursecove.portals.forms import whole_number
from coursecove.text import is_storable

# What no price or span reaches; keeps absurd input out of the arithmetic.
_MOST_DIGITS = 9
UNITS = {"minutes": 1, "hours": 60, "days": 1440}
_UNIT_WORDS = {"minutes": N_("minutes"), "hours": N_("hours"), "days": N_("days")}
_BETWEEN_NUMBERS = re.compile(r"[\s,;]+")


def unit_options() -> list[dict[str, str]]:
    """Return the units of a span, as a select shows them."""
    return [{"value": unit, "label": _(word)} for unit, word in _UNIT_WORDS.items()]


def spoken_span(minutes: int) -> tuple[str, str]:
    """Return minutes as an amount and the largest unit that says them exactly; a day is 24 hours."""
    if minutes and minutes % 1440 == 0 and minutes > 1440:
        return str(minutes // 1440), "days"
    return (str(minutes // 60), "hours") if minutes % 60 == 0 else (str(minutes), "minutes")


def span_in(unit: str) -> Callable[[str], int]:
    """Return a parser of amounts in ``unit`` as minutes; it raises ValueError with the sentence to show."""

    def parse(text: str) -> int:
        if unit not in UNITS:
            raise ValueError(_("Choose minutes, hours or days."))
        return _limited(text) * UNITS[unit]

    return parse


def number(text: str) -> int:
    """Read a whole number of a sane length; raises ValueError with the sentence to show."""
    return _limited(text)


def numbers_in(text: str) -> list[int]:
    """Read "30, 60" or "30 60" as whole numbers; raises ValueError with the sentence to show."""
    parts = [part for part in _BETWEEN_NUMBERS.split(text) if part]
    try:
        return [_limited(part) for part in parts]
    except ValueError:
        raise ValueError(_("Enter whole numbers with commas between them, such as 30, 60.")) from None


def day_in(text: str) -> date:
    """Read a day as date fields send it; raises ValueError with the sentence to show."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(_("Enter a day such as 2026-12-31.")) from None


def spoken_price(cents: int | None, currency: str) -> str:
    """Return minor units as they are typed: "45", "45.50", and "" for no price."""
    if cents is None:
        return ""
    whole, rest = divmod(cents, 10 ** minor_digits(currency))
    return f"{whole}.{rest:02}" if rest else str(whole)


def check_characters(values: Mapping[str, Any]) -> None:
    """Raise :class:`Invalid` at every field with characters no database keeps."""
    wrong = [name for name, value in values.items() if isinstance(value, str) and not is_storable(value)]
    if wrong:
        raise Invalid(fields=dict.fromkeys(wrong, _("Remove the characters that cannot be shown.")))


def _limited(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(_("Enter a whole number."))
    return whole_number(text)
