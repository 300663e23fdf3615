"""When people work: their weeks, single dates, time off."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from coursecove.appointments import service as appointments
from coursecove.errors import NotFound
from coursecove.formatting import clock_minutes, weekday
from coursecove.i18n import N_, _
from coursecove.lists.imports.hours import COLUMNS
from coursecove.portals.exports.kinds import Asking, Export, Row, day_of, time_of
from coursecove.scheduling import service as scheduling
from coursecove.tenants import service as tenants
from coursecove.tenants.handles import get_member_by_handle
from coursecove.tenants.schemas import InstructorView

# Longer than any school keeps a calendar.
_FROM, _UNTIL = datetime(2000, 1, 2, tzinfo=UTC), datetime(2199, 12, 30, tzinfo=UTC)


async def _teachers(asking: Asking) -> dict[uuid.UUID, InstructorView]:
    """Return whose hours are asked for: those of ``person``, or of everybody who teaches."""
    found = await tenants.list_instructors(asking.session, include_deactivated=asking.everything)
    handle = asking.query.get("person", "")
    wanted: uuid.UUID | None = None
    if handle:
        try:
            wanted = (await get_member_by_handle(asking.session, handle)).id
        except NotFound:
            return {}
    return {one.id: one for one in found if not handle or one.id == wanted}


async def _places(asking: Asking) -> dict[uuid.UUID | None, str]:
    found = await appointments.list_locations(asking.session, include_archived=True)
    return {place.id: place.name for place in found}


async def hours(asking: Asking) -> AsyncIterator[Row]:
    """Yield a window of somebody's week a row, as they can be imported again."""
    teachers, places = await _teachers(asking), await _places(asking)
    for id_, windows in (await scheduling.hours_of_many(asking.session, list(teachers))).items():
        for window in windows:
            yield (
                teachers[id_].name,
                weekday(window.weekday),
                clock_minutes(window.starts_minute),
                clock_minutes(window.ends_minute),
                places.get(window.location_id, ""),
                teachers[id_].time_zone,
            )


async def dates(asking: Asking) -> AsyncIterator[Row]:
    """Yield the dates whose hours differ from the week's; a day off has no window."""
    teachers, places = await _teachers(asking), await _places(asking)
    found = await scheduling.exceptions_of_many(asking.session, list(teachers), from_=_FROM, until=_UNTIL)
    for id_, exceptions in found.items():
        for on_date, windows in sorted(exceptions.overrides.items()):
            who = teachers[id_].name
            if not windows:
                yield who, on_date.isoformat(), _("Day off"), "", "", teachers[id_].time_zone
            for window in windows:
                yield (
                    who,
                    on_date.isoformat(),
                    clock_minutes(window.starts_minute),
                    clock_minutes(window.ends_minute),
                    places.get(window.location_id, ""),
                    teachers[id_].time_zone,
                )


async def time_off(asking: Asking) -> AsyncIterator[Row]:
    """Yield when people are away, on their own clock."""
    teachers = await _teachers(asking)
    found = await scheduling.exceptions_of_many(asking.session, list(teachers), from_=_FROM, until=_UNTIL)
    for id_, exceptions in found.items():
        zone = teachers[id_].time_zone
        for away in exceptions.time_off:
            yield (
                teachers[id_].name,
                day_of(away.starts_at, zone),
                time_of(away.starts_at, zone),
                day_of(away.ends_at, zone),
                time_of(away.ends_at, zone),
                zone,
                away.reason,
            )


HOURS = Export("hours", N_("Weekly hours"), (*(column.title for column in COLUMNS), N_("Time zone")), hours)
DATES = Export(
    "dates",
    N_("Dates with other hours"),
    (N_("Instructor"), N_("Day"), N_("From"), N_("Until"), N_("Location"), N_("Time zone")),
    dates,
)
TIME_OFF = Export(
    "time-off",
    N_("Time off"),
    (
        N_("Instructor"),
        N_("First day"),
        N_("From"),
        N_("Last day"),
        N_("Until"),
        N_("Time zone"),
        N_("Reason"),
    ),
    time_off,
)
