"""Booking references: what a person reads out on the telephone, such as ``K7QF-2M9X``.

Eight letters of Crockford's base 32: no I, L, O or U, so that nothing is taken
for a digit and few words come about by accident.  40 random bits, unique per
school; a reference is a name, not a secret.
"""

from __future__ import annotations

import re
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES = str.maketrans("ILO", "110")
_SEPARATORS = re.compile(r"[\s\u2010-\u2015-]+")


def new_reference() -> str:
    """Return a random reference; the database says whether it is free."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def normal_reference(written: str) -> str | None:
    """Return the reference a person meant: any case, any dashes, O for 0, I and L for 1.

    None when it cannot be one.
    """
    letters = _SEPARATORS.sub("", written).upper().translate(_LOOK_ALIKES)
    if len(letters) != 8 or not set(letters) <= set(ALPHABET):
        return None
    return f"{letters[:4]}-{letters[4:]}"
