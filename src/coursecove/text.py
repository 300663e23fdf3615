"""Text as people type it, made fit for storage, addresses and lists.

Pure functions without a table or a setting, for any room.
"""

from __future__ import annotations

import re
import unicodedata

# Letters that Unicode does not take apart into a base letter and a mark.
_LETTERS = str.maketrans({
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i", "ŋ": "n",
    "ĳ": "ij", "ĸ": "k", "ŧ": "t", "'": "", "’": "", "ʼ": "",
})  # fmt: skip
_NOT_ALLOWED = re.compile(r"[^a-z0-9]+")
# Everything below a space except tab and line break, DEL, and halves of a
# surrogate pair: Postgres refuses NUL and surrogates, and no person types the rest.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def slugify(text: str, *, fallback: str, longest: int = 60) -> str:
    """Return ``text`` as one readable part of an address: lower-case ASCII letters, digits, single hyphens.

    Accents go ("Tomás Rey" → "tomas-rey"); a name without a single Latin letter
    or digit becomes ``fallback``.  At most ``longest`` characters, cut between
    words where one ends in the second half.
    """
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
    slug = _NOT_ALLOWED.sub("-", "".join(c for c in plain if not unicodedata.combining(c))).strip("-")
    if len(slug) > longest:
        cut = slug.rfind("-", longest // 2, longest + 1)
        slug = slug[: cut if cut > 0 else longest].strip("-")
    return slug or fallback


def numbered(slug: str, number: int, *, longest: int = 60) -> str:
    """Return the ``number``-th way to write ``slug``: itself, then ``slug-2``, ``slug-3`` …, never too long."""
    if number < 2:
        return slug
    ending = f"-{number}"
    return slug[: longest - len(ending)].rstrip("-") + ending


def one_line(text: str) -> str:
    """Return ``text`` with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def paragraphs(text: str) -> str:
    """Return ``text`` with line feeds as its only line breaks and nothing empty at its ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def is_storable(text: str) -> bool:
    """Say whether ``text`` holds only characters a person can type and a database can keep."""
    return _UNPRINTABLE.search(text) is None
