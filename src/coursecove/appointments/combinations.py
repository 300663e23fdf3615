"""Which rules of an appointment type make sense together.

Every value alone has its bounds in the schemas; here is what two of them say
about each other, told at the field that is easier to change.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from coursecove.errors import Invalid
from coursecove.i18n import _

Rules = Mapping[str, Any]

# What a calendar of ours can be asked for; more than any school plans ahead.
_FIRST_YEAR, _LAST_YEAR = 2000, 2199


def check_combination(rules: Rules, *, published: bool, location_ids: Collection[uuid.UUID]) -> None:
    """Raise :class:`Invalid` with a message for every rule that makes no sense beside the others.

    ``rules`` are all of a type's rules by name, ``location_ids`` the open places it is linked to.
    """
    problems = {
        **_seats(rules),
        **_lengths(rules),
        **_term(rules),
        **_limits(rules),
    }
    if rules["kind"] == "class" and rules["location_mode"] == "students_place":
        problems["location_mode"] = _("A class has no single student whose place it could be at.")
    if published and rules["location_mode"] == "in_person" and not location_ids:
        problems["location_ids"] = _(
            "Choose where this lesson takes place. Without a location it can be online, or stay unpublished."
        )
    if problems:
        raise Invalid(fields=problems)


def _seats(rules: Rules) -> dict[str, str]:
    if rules["kind"] == "private" and rules["capacity"] != 1:
        return {"capacity": _("A private lesson is for one student. Make it a class to have more seats.")}
    if rules["kind"] == "class" and rules["capacity"] < 2:
        return {"capacity": _("Say how many students can take part: 2 or more.")}
    return {}


def _lengths(rules: Rules) -> dict[str, str]:
    further = rules["further_durations_minutes"]
    problems: dict[str, str] = {}
    if rules["kind"] == "class":
        if further:
            problems["further_durations_minutes"] = _("A class has one length, the same for everybody.")
        if rules["start_interval_minutes"] is not None:
            problems["start_interval_minutes"] = _("A class starts when you put it on the calendar.")
    elif len(set(further)) < len(further) or rules["duration_minutes"] in further:
        problems["further_durations_minutes"] = _("Name every length once.")
    return problems


def _term(rules: Rules) -> dict[str, str]:
    first, last = rules["bookable_from"], rules["bookable_until"]
    problems = {
        name: _("Choose a day of this century.")
        for name, day in (("bookable_from", first), ("bookable_until", last))
        if isinstance(day, date) and not _FIRST_YEAR <= day.year <= _LAST_YEAR
    }
    if first and last and last < first:
        problems["bookable_until"] = _("The term ends before it starts.")
    if rules["minimum_notice_minutes"] > (rules["horizon_days"] + 1) * 1440:
        problems["minimum_notice_minutes"] = _(
            "Nothing could be booked: this notice is longer than what can be booked ahead."
        )
    return problems


def _limits(rules: Rules) -> dict[str, str]:
    return {
        week: _("A week cannot hold fewer lessons than one of its days.")
        for day, week in (("day_limit", "week_limit"), ("student_day_limit", "student_week_limit"))
        if rules[day] and rules[week] and rules[week] < rules[day]
    }
