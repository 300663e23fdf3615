"""The verbs of this room, for other rooms and for portals."""

from __future__ import annotations

from coursecove.scheduling.closures import (
    add_closure,
    change_closure,
    closed_days,
    get_closure,
    list_closures,
    occurrences,
    remove_closure,
)
from coursecove.scheduling.exceptions import exceptions_of_many
from coursecove.scheduling.location_hours import (
    opening_hours_of,
    opening_hours_of_many,
    replace_opening_hours,
)
from coursecove.scheduling.overrides import find_override, overrides_of, remove_override, set_override
from coursecove.scheduling.time_off import (
    add_time_off,
    local_span,
    remove_time_off,
    time_off_of,
)
from coursecove.scheduling.weekly_hours import hours_of, hours_of_many, replace_hours
from coursecove.scheduling.working_times import WorkingTime, WorkingTimes, working_times

__all__ = [
    "WorkingTime",
    "WorkingTimes",
    "add_closure",
    "add_time_off",
    "change_closure",
    "closed_days",
    "exceptions_of_many",
    "find_override",
    "get_closure",
    "hours_of",
    "hours_of_many",
    "list_closures",
    "local_span",
    "occurrences",
    "opening_hours_of",
    "opening_hours_of_many",
    "overrides_of",
    "remove_closure",
    "remove_override",
    "remove_time_off",
    "replace_hours",
    "replace_opening_hours",
    "set_override",
    "time_off_of",
    "working_times",
]
