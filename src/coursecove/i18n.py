"""Languages: which one somebody reads, and the catalogue that says everything in it.

Sentences stand in the code and in the templates in English, inside ``_()``.
The catalogues are in ``src/coursecove/locales/<language>/LC_MESSAGES/``;
``make messages`` collects new sentences and compiles them.  Which language a
request or a mail speaks is a context variable: every request and every job has
its own, and nothing has to be handed down.
"""

from __future__ import annotations

import gettext as stdlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from babel import Locale

#: The languages CourseCove speaks, each by its own name.  The first is the one the code is written in.
LANGUAGES = {"en": "English", "de": "Deutsch"}
DEFAULT = "en"

_FOLDER = Path(__file__).parent / "locales"
_language: ContextVar[str] = ContextVar("coursecove_language", default=DEFAULT)


def language() -> str:
    """Return the language spoken right now, one of :data:`LANGUAGES`."""
    return _language.get()


def speak(wanted: str) -> None:
    """Speak ``wanted`` for the rest of this request; anything but one of :data:`LANGUAGES` means English."""
    _language.set(wanted if wanted in LANGUAGES else DEFAULT)


@contextmanager
def speaking(wanted: str) -> Iterator[None]:
    """Speak ``wanted`` inside the block, as for a mail to somebody."""
    token = _language.set(wanted if wanted in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _language.reset(token)


def locale() -> Locale:
    """Return how dates and numbers are written right now.  English is British: days first, 24 hours."""
    return _locales()[language()]


@cache
def _locales() -> dict[str, Locale]:
    return {"en": Locale("en", "GB"), "de": Locale("de")}


@cache
def _catalogue(name: str) -> stdlib.NullTranslations:
    return stdlib.translation("messages", str(_FOLDER), languages=[name], fallback=name == DEFAULT)


def gettext(message: str) -> str:
    """Return ``message`` in the language spoken right now."""
    return _catalogue(language()).gettext(message) if message else ""


def ngettext(singular: str, plural: str, number: int) -> str:
    """Return the form that goes with ``number``."""
    return _catalogue(language()).ngettext(singular, plural, number)


def pgettext(context: str, message: str) -> str:
    """Return ``message`` as it is meant in ``context``, where one English word has two meanings."""
    return _catalogue(language()).pgettext(context, message)


def npgettext(context: str, singular: str, plural: str, number: int) -> str:
    """Return the form that goes with ``number``, as it is meant in ``context``."""
    return _catalogue(language()).npgettext(context, singular, plural, number)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a sentence that is translated where it is shown, such as the title of an error class."""
    return message


_ = gettext


def negotiate(accept_language: str) -> str | None:
    """Return the best of our languages for an ``Accept-Language`` header; None when it names none of them."""
    best: tuple[float, str] | None = None
    for part in accept_language.split(","):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        name = tag.partition("-")[0].lower()
        try:
            weight = next((float(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        except ValueError:
            continue
        if name in LANGUAGES and weight > 0 and (best is None or weight > best[0]):
            best = (weight, name)
    return best[1] if best else None
