"""A school's lists as files: everything it has, for whoever wants to look at it elsewhere or take it along.

Each list reads page by page through the verbs that its own page uses, so it
honours the same filters and never holds more than a page; what a row says is in
words, with days and times on the clock of the school or the venue.
"""

from __future__ import annotations

from coursecove.portals.exports.activity import ACTIVITY
from coursecove.portals.exports.catalogue import (
    CLOSURES,
    LOCATIONS,
    OPENING_HOURS,
    QUESTIONS,
    ROOMS,
    TYPES,
    ZONES,
)
from coursecove.portals.exports.kinds import Asking, Export
from coursecove.portals.exports.lessons import LESSONS, NOTES
from coursecove.portals.exports.people import FAMILIES, PEOPLE, QUALIFICATIONS
from coursecove.portals.exports.school import MAIL_TEXTS, SETTINGS
from coursecove.portals.exports.standing import CALENDARS, SERIES, WAITING
from coursecove.portals.exports.working_hours import DATES, HOURS, TIME_OFF

#: Every list there is, by its part of an address, in the order a reader looks for them.
EXPORTS: dict[str, Export] = {
    export.slug: export
    for export in (
        PEOPLE,
        FAMILIES,
        QUALIFICATIONS,
        HOURS,
        DATES,
        TIME_OFF,
        LESSONS,
        NOTES,
        SERIES,
        WAITING,
        TYPES,
        QUESTIONS,
        LOCATIONS,
        ROOMS,
        OPENING_HOURS,
        CLOSURES,
        ZONES,
        CALENDARS,
        SETTINGS,
        MAIL_TEXTS,
        ACTIVITY,
    )
}

__all__ = ["EXPORTS", "Asking", "Export"]
