"""The languages people teach in, by the names readers know them by.

Names come from CLDR through Babel, in the language spoken right now.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from babel import Locale, localedata
from babel.lists import format_list

from coursecove import i18n

# Languages with a code of two letters are those that schools are asked for; these few have none.
_FURTHER = ("ase", "fil", "gsw", "yue")


@cache
def _codes() -> frozenset[str]:
    known = {identifier.partition("_")[0] for identifier in localedata.locale_identifiers()}
    english = Locale("en").languages
    short = {code for code in known if len(code) == 2 and code in english}
    return frozenset(short | {code for code in _FURTHER if code in english})


def is_language(code: str) -> bool:
    """Say whether ``code`` is a language an instructor can name."""
    return code in _codes()


def language_name(code: str) -> str:
    """Return "German" for ``de``; an unknown code is its own name."""
    name: str = i18n.locale().languages.get(code) or Locale("en").languages.get(code, code)
    return name[:1].upper() + name[1:]


def language_names(codes: Iterable[str]) -> str:
    """Return "English, German and Spanish"; "" for none."""
    names = [language_name(code) for code in codes]
    return format_list(names, locale=i18n.locale()) if names else ""


def language_options() -> list[dict[str, str]]:
    """Return all languages for a choice, by name."""
    options = [{"value": code, "label": language_name(code)} for code in _codes()]
    return sorted(options, key=lambda option: option["label"].casefold())
