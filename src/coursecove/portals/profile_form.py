"""The form of an instructor's profile, in the admin's and in the instructor's own portal."""

from __future__ import annotations

from typing import Any

from coursecove.formatting import zone_name
from coursecove.i18n import N_, _
from coursecove.portals import staleness
from coursecove.portals.forms import Form, convert, whole_number
from coursecove.tenants.languages import language_name, language_options
from coursecove.tenants.schemas import InstructorProfileUpdate, InstructorView

LABELS = {
    "bio": N_("About"),
    "languages": N_("Languages"),
    "meeting_url": N_("Meeting link"),
    "time_zone": N_("Time zone"),
    "day_limit": N_("Most lessons a day"),
    "week_limit": N_("Most lessons a week"),
}
LISTS = ("languages",)
FIELDS = (*(name for name in LABELS if name not in LISTS), *staleness.FIELDS)
WORDS: dict[str, staleness.Words] = {"time_zone": zone_name, "languages": language_name}
_LIMITS = ("day_limit", "week_limit")
#: What the database and the API take; asked for one by one, so that a form of a page is never too long.
MOST_LANGUAGES = 12
_EMPTY_CHOICES = 2


def values_of(profile: InstructorView | None, *, school_zone: str) -> dict[str, Any]:
    """Return what the form shows of a profile; of somebody who has none yet, what they would begin with."""
    return {
        "bio": profile.bio if profile else "",
        "languages": list(profile.languages) if profile else [],
        "meeting_url": (profile.meeting_url or "") if profile else "",
        "time_zone": profile.time_zone if profile else school_zone,
        "day_limit": str(profile.day_limit or "") if profile else "",
        "week_limit": str(profile.week_limit or "") if profile else "",
    }


def without_blanks(values: dict[str, Any]) -> dict[str, Any]:
    """Return what was sent without the choices of a language that were left empty.

    A form without any such choice says nothing about languages, so they stay.
    """
    if not values.get("languages"):
        return {name: value for name, value in values.items() if name != "languages"}
    return {**values, "languages": list(dict.fromkeys(code for code in values["languages"] if code))}


def changes_in(form: Form) -> InstructorProfileUpdate:
    """Return what the form changes; raises :class:`~coursecove.errors.Invalid` at every wrong field."""
    typed = dict(form.values)
    for name in _LIMITS:
        if typed.get(name) == "":
            # No limit, which is something else than not being asked.
            typed[name] = None
    messages = {
        "day_limit": _("A number from 1 to 100, please."),
        "week_limit": _("A number from 1 to 500, please."),
    }
    return convert(
        typed, InstructorProfileUpdate, parsers=dict.fromkeys(_LIMITS, whole_number), messages=messages
    )


def language_choices(form: Form) -> list[str]:
    """Return the languages as the form asks for them: those that are named, and some to add."""
    chosen = list(form.value("languages", []))
    return [*chosen, *[""] * min(_EMPTY_CHOICES, MOST_LANGUAGES - len(chosen))]


def context_of(form: Form) -> dict[str, Any]:
    """Return what ``teach/_profile_fields.html`` needs beside the form."""
    return {"language_choices": language_choices(form), "language_options": language_options()}
