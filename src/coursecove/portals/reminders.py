"""How long before a lesson somebody is reminded, as a form offers it."""

from __future__ import annotations

from coursecove.formatting import notice
from coursecove.i18n import _
from coursecove.tenants.schemas import REMINDERS


def reminder_options() -> list[dict[str, str]]:
    """Return what can be chosen, the shortest first, for ``ui.choices(…, multiple=true)``."""
    before = _("{span} before")
    return [{"value": str(minutes), "label": before.format(span=notice(minutes))} for minutes in REMINDERS]
