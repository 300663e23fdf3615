"""The form of a week's hours: what was typed, what is wrong with it, and what it means.

Every day shows its windows and one empty row, so that it needs no JavaScript.
Used for an instructor's own hours and by admins for anybody's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments.schemas import LocationView
from coursecove.db.session import discard
from coursecove.errors import Invalid
from coursecove.formatting import DAYS_LONG, clock_minutes
from coursecove.portals.forms import clock_time, read_form
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import WindowInput, WindowView
from coursecove.tenants.models import Member

_MIDNIGHT = 1440
_WEEK = range(1, 8)


@dataclass(slots=True)
class HoursRow:
    """One window as typed: "09:00", "12:30", the slug of a place or ""."""

    starts: str = ""
    ends: str = ""
    place: str = ""
    problem: str | None = None

    @property
    def empty(self) -> bool:
        """Say whether no time is given; a place alone means nothing."""
        return not self.starts and not self.ends


@dataclass(slots=True)
class HoursDay:
    """A weekday (ISO, 1 is Monday) with its rows; the last one is always empty, to add to."""

    weekday: int
    rows: list[HoursRow] = field(default_factory=list)
    problem: str | None = None

    @property
    def name(self) -> str:
        """Return "Monday"."""
        return DAYS_LONG[self.weekday - 1]

    @property
    def key(self) -> str:
        """Return "monday", as the scheduling room names a day's problem."""
        return self.name.lower()


@dataclass(slots=True)
class HoursForm:
    """A week as typed."""

    days: list[HoursDay]
    problem: str | None = None
    # The weekday a row was just added to or taken from; nothing is saved then, and the focus goes there.
    added: int | None = None
    removed: int | None = None

    @property
    def unsaved(self) -> bool:
        """Say whether rows were added or taken away instead of saving."""
        return self.added is not None or self.removed is not None

    @classmethod
    def of(cls, windows: Iterable[WindowView], places: Sequence[LocationView]) -> HoursForm:
        """Return the form of hours that are stored."""
        slugs = {place.id: place.slug for place in places}
        days = [HoursDay(weekday) for weekday in _WEEK]
        for window in windows:
            days[window.weekday - 1].rows.append(
                HoursRow(
                    clock_minutes(window.starts_minute),
                    # A time field has no 24:00; midnight at the end of the day is 00:00 there.
                    clock_minutes(window.ends_minute % _MIDNIGHT),
                    slugs.get(window.location_id, "") if window.location_id else "",
                )
            )
        return cls(_with_spare_rows(days))

    @classmethod
    async def read(cls, request: Request[Any, Any, Any]) -> HoursForm:
        """Return the form as posted, with what its "add" and "remove" buttons ask for done."""
        names = {weekday: [f"{part}-{weekday}" for part in ("starts", "ends", "place")] for weekday in _WEEK}
        lists = tuple(name for group in names.values() for name in group)
        values = await read_form(request, fields=("add", "remove"), lists=lists)
        days = []
        for weekday, (starts, ends, place) in names.items():
            rows = zip(values[starts], values[ends], values[place], strict=False)
            days.append(HoursDay(weekday, [HoursRow(*row) for row in rows]))
        form = cls(days)
        if values.get("add") in [str(weekday) for weekday in _WEEK]:
            form.added = int(values["add"])
            form.days[form.added - 1].rows.append(HoursRow())
        form._remove(values.get("remove", ""))
        _with_spare_rows(form.days)
        return form

    def _remove(self, which: str) -> None:
        weekday, _, index = which.partition("-")
        if weekday.isdecimal() and index.isdecimal() and int(weekday) in _WEEK:
            self.removed = int(weekday)
            rows = self.days[self.removed - 1].rows
            if int(index) < len(rows):
                del rows[int(index)]

    def windows(self, places: Sequence[LocationView]) -> list[WindowInput]:
        """Return what was typed as windows; raises :class:`Invalid` after marking every wrong row."""
        ids = {place.slug: place.id for place in places}
        found: list[WindowInput] = []
        for day in self.days:
            for row in day.rows:
                if row.empty:
                    continue
                try:
                    found.append(_window(day.weekday, row, ids))
                except ValueError as error:
                    row.problem = str(error)
        if any(row.problem for day in self.days for row in day.rows):
            raise Invalid()
        return found

    async def save(
        self,
        session: AsyncSession,
        member_id: uuid.UUID,
        places: Sequence[LocationView],
        *,
        by: Member,
    ) -> bool:
        """Set the member's week; False when something is wrong, which is then said in the form."""
        try:
            await scheduling.replace_hours(session, member_id, self.windows(places), by=by)
        except Invalid as error:
            await discard(session)
            self._refuse(error)
            return False
        return True

    def _refuse(self, error: Invalid) -> None:
        for day in self.days:
            # The heading beside the message names the day already.
            message = error.fields.get(day.key, "").removeprefix(f"{day.name}: ")
            day.problem = message[:1].upper() + message[1:] or None
        wrong = [day.name for day in self.days if day.problem or any(row.problem for row in day.rows)]
        self.problem = f"Please look at {_and(wrong)} again." if wrong else error.detail or error.title


def place_options(places: Iterable[LocationView], windows: Iterable[WindowView]) -> list[dict[str, str]]:
    """Return the choices of a window's place: those open, and archived ones that are still in use."""
    used = {window.location_id for window in windows}
    return [
        {"value": place.slug, "label": f"{place.name} (archived)" if place.archived_at else place.name}
        for place in places
        if place.archived_at is None or place.id in used
    ]


def _window(weekday: int, row: HoursRow, ids: dict[str, uuid.UUID]) -> WindowInput:
    if not row.starts or not row.ends:
        raise ValueError("Enter both times, or clear the row.")
    starts, ends = clock_time(row.starts), clock_time(row.ends) or _MIDNIGHT
    if ends <= starts or starts >= _MIDNIGHT:
        raise ValueError("The end must be after the start.")
    if row.place and row.place not in ids:
        raise ValueError("Choose one of the places, or anywhere.")
    return WindowInput(weekday, starts, ends, ids.get(row.place))


def _with_spare_rows(days: list[HoursDay]) -> list[HoursDay]:
    for day in days:
        if not day.rows or not day.rows[-1].empty:
            day.rows.append(HoursRow())
    return days


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
