"""Taking over lists from files: people, appointment types, hours.

Each kind reads a table row by row and does what its form would do, with the
same verbs; looking at a list is the same, undone at the end, so nothing that
looks right is refused when it is taken over.
"""

from __future__ import annotations

from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.lists.imports.hours import HOURS
from coursecove.lists.imports.kinds import ImportKind
from coursecove.lists.imports.people import PEOPLE
from coursecove.lists.imports.types import TYPES

#: The kinds by their part of an address.
KINDS: dict[str, ImportKind] = {"people": PEOPLE, "types": TYPES, "hours": HOURS}

__all__ = ["KINDS", "ImportKind", "kind_of"]


def kind_of(slug: str) -> ImportKind:
    """Return a kind by its part of an address; raises :class:`~coursecove.errors.NotFound`."""
    if slug not in KINDS:
        raise NotFound(_("There is no such list."))
    return KINDS[slug]
