"""Taking over lists from files: people, appointment types, hours.

Each kind reads a table row by row and does what its form would do, with the
same verbs; looking at a list is the same, undone at the end, so nothing that
looks right is refused when it is taken over.
"""

from __future__ import annotations

from coursecove.portals.imports.hours import HOURS
from coursecove.portals.imports.kinds import ImportKind
from coursecove.portals.imports.people import PEOPLE
from coursecove.portals.imports.types import TYPES

#: The kinds by their part of an address.
KINDS: dict[str, ImportKind] = {"people": PEOPLE, "types": TYPES, "hours": HOURS}

__all__ = ["KINDS", "ImportKind"]
