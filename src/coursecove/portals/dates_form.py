"""The forms of dates that differ from an instructor's week: one date, and time off.

Both are typed as local dates and times of the instructor's zone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from litestar import Request

from coursecove.appointments.schemas import LocationView
from coursecove.bookings.affected import Affected
from coursecove.errors import CourseCoveError, Invalid
from coursecove.formatting import clock_minutes, local
from coursecove.i18n import _
from coursecove.portals.forms import clock_time, read_form
from coursecove.portals.hours_form import HoursRow, place_of, row_of, times_of
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import DayWindowInput, OverrideView, TimeOffCreate, TimeOffView
from coursecove.scheduling.windows import MIDNIGHT

_LEAST_ROWS = 2
_OVERRIDE_LISTS = ("starts", "ends", "place")


def read_date(text: str) -> date:
    """Read "2026-12-24" as a date field sends it; raises ValueError with the sentence to show."""
    if not text:
        raise ValueError(_("Choose a date."))
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ValueError(_("Enter a date such as 2026-12-24.")) from None
    if not 2000 <= found.year <= 2200:
        raise ValueError(_("Choose a date within the calendar."))
    return found


@dataclass(slots=True)
class OverrideForm:
    """One date as typed: with hours of its own, or off."""

    on_date: str = ""
    kind: str = "hours"
    rows: list[HoursRow] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    confirmed: str = ""
    affected: Affected | None = None
    # A row was added instead of saving.
    added: bool = False

    @classmethod
    def of(
        cls, on_date: date | None, override: OverrideView | None, places: Sequence[LocationView]
    ) -> OverrideForm:
        """Return the form of a date as it is stored, or an empty one."""
        slugs = {place.id: place.slug for place in places}
        windows = override.windows if override else []
        form = cls(
            on_date.isoformat() if on_date else "",
            "off" if override and not windows else "hours",
            [row_of(window, slugs) for window in windows],
        )
        return form._with_spare_rows()

    @classmethod
    async def read(cls, request: Request[Any, Any, Any]) -> OverrideForm:
        """Return the form as posted."""
        values = await read_form(request, fields=("on_date", "kind", "add", "confirmed"), lists=_OVERRIDE_LISTS)
        rows = [HoursRow(*row) for row in zip(*(values[name] for name in _OVERRIDE_LISTS), strict=False)]
        form = cls(
            values.get("on_date", ""),
            values.get("kind", "hours"),
            rows,
            confirmed=values.get("confirmed", ""),
            added="add" in values,
        )
        if form.added:
            form.rows.append(HoursRow())
        return form._with_spare_rows()

    def meaning(self, places: Sequence[LocationView]) -> tuple[date, list[DayWindowInput]]:
        """Return the date and its windows; raises :class:`Invalid` after marking every wrong row."""
        ids = {place.slug: place.id for place in places}
        problems: dict[str, str] = {}
        on_date = date.min
        try:
            on_date = read_date(self.on_date)
        except ValueError as error:
            problems["on_date"] = str(error)
        windows = []
        if self.kind not in ("hours", "off"):
            problems["kind"] = _("Choose one of the two.")
        elif self.kind == "hours":
            for row in self.rows:
                if row.empty:
                    continue
                try:
                    windows.append(DayWindowInput(*times_of(row), place_of(row, ids)))
                except ValueError as error:
                    row.problem = str(error)
            wrong = any(row.problem for row in self.rows)
            if wrong:
                problems["windows"] = _("Please look at the marked times again.")
            elif not windows:
                problems["windows"] = _("Enter the hours of this date, or choose a day off.")
        if problems:
            raise Invalid(fields=problems)
        return on_date, windows

    def refuse(self, error: CourseCoveError) -> None:
        """Take over what a verb says is wrong."""
        self.errors = dict(error.fields)
        self.problem = None if self.errors else error.detail or error.title

    def error(self, name: str) -> str | None:
        """Return what to say beside a field."""
        return self.errors.get(name)

    def _with_spare_rows(self) -> OverrideForm:
        while len(self.rows) < _LEAST_ROWS or not self.rows[-1].empty:
            self.rows.append(HoursRow())
        return self


@dataclass(slots=True)
class TimeOffForm:
    """Time off as typed: days, and times where it is not whole days."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    confirmed: str = ""
    affected: Affected | None = None

    FIELDS = ("first_day", "last_day", "starts_time", "ends_time", "reason")

    @classmethod
    async def read(cls, request: Request[Any, Any, Any]) -> TimeOffForm:
        """Return the form as posted."""
        values = await read_form(request, fields=(*cls.FIELDS, "confirmed"))
        return cls({name: values.get(name, "") for name in cls.FIELDS}, confirmed=values.get("confirmed", ""))

    def value(self, name: str) -> str:
        """Return what to show in a field."""
        return self.values.get(name, "")

    def error(self, name: str) -> str | None:
        """Return what to say beside a field."""
        return self.errors.get(name)

    def meaning(self, zone: str) -> TimeOffCreate:
        """Return the time off; without a last day it is one day, without times whole days."""
        problems: dict[str, str] = {}
        first = _read(self.values, "first_day", read_date, problems)
        last = _read(self.values, "last_day", read_date, problems) if self.value("last_day") else first
        starts = _read(self.values, "starts_time", clock_time, problems) if self.value("starts_time") else 0
        ends = MIDNIGHT
        if self.value("ends_time"):
            # Midnight at the end of the last day is 00:00 in a time field.
            ends = _read(self.values, "ends_time", clock_time, problems) or MIDNIGHT
        if first is not None and last is not None and not problems:
            if last < first:
                problems["last_day"] = _("The last day must not be before the first.")
            elif first == last and starts is not None and ends <= starts:
                problems["ends_time"] = _("The end must be after the start.")
        if problems or first is None or last is None or starts is None:
            raise Invalid(fields=problems)
        starts_at, ends_at = scheduling.local_span(
            zone, first, last, starts_minute=min(starts, MIDNIGHT), ends_minute=ends
        )
        return TimeOffCreate(starts_at, ends_at, self.value("reason"))

    def refuse(self, error: CourseCoveError) -> None:
        """Take over what a verb says is wrong; instants are typed as days here."""
        names = {"starts_at": "first_day", "ends_at": "last_day"}
        self.errors = {names.get(name, name): message for name, message in error.fields.items()}
        self.problem = None if self.errors else error.detail or error.title


def _read(values: dict[str, str], name: str, parse: Any, problems: dict[str, str]) -> Any:
    try:
        return parse(values.get(name, ""))
    except ValueError as error:
        problems[name] = str(error)
        return None


def typed_override(override: OverrideView, places: Sequence[LocationView]) -> list[tuple[str, str]]:
    """Return the fields that set an override again."""
    slugs = {place.id: place.slug for place in places}
    fields = [("on_date", override.on_date.isoformat()), ("kind", "hours" if override.windows else "off")]
    for row in (row_of(window, slugs) for window in override.windows):
        fields += [("starts", row.starts), ("ends", row.ends), ("place", row.place)]
    return fields


def typed_time_off(time_off: TimeOffView, zone: str) -> list[tuple[str, str]] | None:
    """Return the fields that take time off again; None where minutes cannot say it exactly."""
    starts, ends = local(time_off.starts_at, zone), local(time_off.ends_at, zone)
    if starts.second or ends.second or starts.microsecond or ends.microsecond:
        return None
    fields = [("first_day", starts.date().isoformat())]
    if _is_midnight(ends):
        last = date.fromordinal(ends.toordinal() - 1)
        fields += [("last_day", last.isoformat())]
    else:
        fields += [("last_day", ends.date().isoformat()), ("ends_time", f"{ends:%H:%M}")]
    if not _is_midnight(starts):
        fields += [("starts_time", f"{starts:%H:%M}")]
    return [*fields, ("reason", time_off.reason)]


def whole_days(time_off: TimeOffView, zone: str) -> tuple[date, date] | None:
    """Return the first and last local day of time off that is whole days; None when it is not."""
    starts, ends = local(time_off.starts_at, zone), local(time_off.ends_at, zone)
    if not (_is_midnight(starts) and _is_midnight(ends)):
        return None
    return starts.date(), date.fromordinal(ends.toordinal() - 1)


def _is_midnight(moment: datetime) -> bool:
    return (moment.hour, moment.minute, moment.second) == (0, 0, 0)


def spans_of(windows: Iterable[Any], names: dict[uuid.UUID, str]) -> list[str]:
    """Return windows in words: "09:00–12:00, Studio Linden"."""
    return [
        f"{clock_minutes(window.starts_minute)}–{clock_minutes(window.ends_minute)}"
        + (f", {names[window.location_id]}" if window.location_id in names else "")
        for window in windows
    ]
