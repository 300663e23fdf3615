"""The form of a week's hours: what was typed, what is wrong with it, and what it means.

Every day shows its windows and one empty row, so that it needs no JavaScript.
Used for an instructor's own hours, by admins for anybody's, and for the opening
hours of a location, whose windows name no place.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments.schemas import LocationView
from coursecove.bookings.affected import Affected
from coursecove.db.session import discard
from coursecove.errors import Invalid
from coursecove.formatting import clock_minutes, listed
from coursecove.i18n import _
from coursecove.portals import staleness
from coursecove.portals.forms import Form, clock_time, read_form
from coursecove.scheduling.schemas import OpeningWindowView, WindowInput, WindowView
from coursecove.scheduling.windows import MIDNIGHT, WEEKDAY_KEYS, weekday_name
from coursecove.tenants.models import Member

WEEK = range(1, 8)

AnyWindow = WindowView | OpeningWindowView


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
        return weekday_name(self.weekday)

    @property
    def key(self) -> str:
        """Return "monday", as the scheduling room names a day's problem."""
        return WEEKDAY_KEYS[self.weekday - 1]

    @property
    def copies(self) -> list[dict[str, str]]:
        """Return where this day's windows can be copied to: {value, label}, groups of days first."""
        others = [day for day in WEEK if day != self.weekday]
        groups = []
        later = [day for day in range(1, 6) if day > self.weekday]
        if len(later) > 1:
            label = _("{first} to {last}").format(first=weekday_name(later[0]), last=weekday_name(later[-1]))
            groups.append((later, label))
        groups.append((others, _("Every other day")))
        groups += [([day], weekday_name(day)) for day in others]
        return [
            {"value": f"{self.weekday}-{''.join(map(str, days))}", "label": label} for days, label in groups
        ]


@dataclass(slots=True)
class HoursForm:
    """A week as typed."""

    days: list[HoursDay]
    problem: str | None = None
    # The weekday whose rows were just added to, taken from or copied: nothing is saved, the focus goes there.
    added: int | None = None
    removed: int | None = None
    copied: int | None = None
    # What a person has seen would be left outside, and what would be.
    confirmed: str = ""
    affected: Affected | None = None
    # See portals.staleness.
    drawn_from: str = ""
    stale: Sequence[Any] | None = None

    @property
    def unsaved(self) -> bool:
        """Say whether rows were added, taken away or copied instead of saving."""
        return (self.added or self.removed or self.copied) is not None

    def value(self, name: str) -> str:
        """Return a hidden field of the form, for the macro that shows what others changed."""
        return self.drawn_from if name == staleness.DRAWN_FROM else ""

    @property
    def refused_status(self) -> int:
        """The status of the page when nothing was saved: 409 when others were quicker, 200 for a question."""
        if self.stale is not None:
            return 409
        return 422 if self.problem else 200

    @classmethod
    def of(cls, windows: Sequence[AnyWindow], places: Sequence[LocationView] = ()) -> HoursForm:
        """Return the form of hours that are stored."""
        slugs = {place.id: place.slug for place in places}
        days = [HoursDay(weekday) for weekday in WEEK]
        for window in windows:
            days[window.weekday - 1].rows.append(row_of(window, slugs))
        drawn = staleness.drawn(values_of(windows, places)).value(staleness.DRAWN_FROM)
        return cls([_with_spare_row(day) for day in days], drawn_from=drawn)

    @classmethod
    async def read(cls, request: Request[Any, Any, Any]) -> HoursForm:
        """Return the form as posted, with what its "add", "remove" and "copy" buttons ask for done."""
        names = {weekday: [f"{part}-{weekday}" for part in ("starts", "ends", "place")] for weekday in WEEK}
        lists = tuple(name for group in names.values() for name in group)
        values = await read_form(
            request, fields=("add", "remove", "copy", "confirmed", *staleness.FIELDS), lists=lists
        )
        days = []
        for weekday, group in names.items():
            rows = zip(*(values[name] for name in group), strict=False)
            days.append(HoursDay(weekday, [HoursRow(*row) for row in rows]))
        form = cls(
            days,
            confirmed=values.get("confirmed", ""),
            drawn_from=values.get(staleness.DRAWN_FROM, ""),
        )
        if values.get("add") in [str(weekday) for weekday in WEEK]:
            form.added = int(values["add"])
            form.days[form.added - 1].rows.append(HoursRow())
        form._remove(values.get("remove", ""))
        form._copy(values.get("copy", ""))
        for day in form.days:
            _with_spare_row(day)
        return form

    def _remove(self, which: str) -> None:
        weekday, _dash, index = which.partition("-")
        if _is_weekday(weekday) and index.isdecimal() and len(index) < 4:
            self.removed = int(weekday)
            rows = self.days[self.removed - 1].rows
            if int(index) < len(rows):
                del rows[int(index)]

    def _copy(self, which: str) -> None:
        """Give other days the windows of one: "1-2345" is Monday to Tuesday, Wednesday, Thursday, Friday."""
        weekday, _dash, targets = which.partition("-")
        if not _is_weekday(weekday) or not all(map(_is_weekday, targets)):
            return
        self.copied = int(weekday)
        typed = [row for row in self.days[self.copied - 1].rows if not row.empty]
        for target in set(targets) - {weekday}:
            self.days[int(target) - 1].rows = [HoursRow(row.starts, row.ends, row.place) for row in typed]

    def windows(self, places: Sequence[LocationView] = ()) -> list[WindowInput]:
        """Return what was typed as windows; raises :class:`Invalid` after marking every wrong row."""
        ids = {place.slug: place.id for place in places}
        found: list[WindowInput] = []
        for day in self.days:
            for row in day.rows:
                if row.empty:
                    continue
                try:
                    starts, ends = times_of(row)
                    found.append(WindowInput(day.weekday, starts, ends, place_of(row, ids)))
                except ValueError as error:
                    row.problem = str(error)
        if any(row.problem for day in self.days for row in day.rows):
            raise Invalid()
        return found

    async def save(
        self,
        session: AsyncSession,
        *,
        places: Sequence[LocationView] = (),
        stored: Callable[[], Awaitable[Sequence[AnyWindow]]],
        affected: Callable[[list[WindowInput]], Awaitable[Affected]],
        write: Callable[[list[WindowInput]], Awaitable[Any]],
        subject: tuple[str, uuid.UUID],
        by: Member,
    ) -> bool:
        """Set the week.

        False when nothing was saved, and the form then says why: something is
        wrong, somebody else changed the week meanwhile, or lessons would be
        left outside that nobody has confirmed yet.
        """
        try:
            windows = self.windows(places)
            await self._check_fresh(session, windows, places, stored, subject=subject, by=by)
            outside = await affected(windows)
            await write(windows)
        except Invalid as error:
            await discard(session)
            self._refuse(error)
            return False
        except staleness.Stale as error:
            await discard(session)
            self.stale = error.form.stale
            self.drawn_from = error.form.value(staleness.DRAWN_FROM)
            return False
        if outside and outside.fingerprint != self.confirmed:
            await discard(session)
            self.affected = outside
            return False
        return True

    async def _check_fresh(
        self,
        session: AsyncSession,
        windows: Sequence[WindowInput],
        places: Sequence[LocationView],
        stored: Callable[[], Awaitable[Sequence[AnyWindow]]],
        *,
        subject: tuple[str, uuid.UUID],
        by: Member,
    ) -> None:
        async def now() -> dict[str, list[str]]:
            return values_of(await stored(), places)

        typed = sorted(windows, key=lambda window: (window.weekday, window.starts_minute))
        await staleness.check(
            session,
            Form({staleness.DRAWN_FROM: self.drawn_from}),
            now,
            subject=subject,
            labels={key: weekday_name(weekday) for weekday, key in enumerate(WEEKDAY_KEYS, start=1)},
            by=by,
            typed=values_of(typed, places),
        )

    def _refuse(self, error: Invalid) -> None:
        for day in self.days:
            # The heading beside the message names the day already.
            message = error.fields.get(day.key, "").removeprefix(f"{day.name}: ")
            day.problem = message[:1].upper() + message[1:] or None
        wrong = [day.name for day in self.days if day.problem or any(row.problem for row in day.rows)]
        if wrong:
            self.problem = _("Please look at {days} again.").format(days=listed(wrong))
        else:
            self.problem = error.detail or error.title


def values_of(
    windows: Sequence[AnyWindow | WindowInput], places: Sequence[LocationView] = ()
) -> dict[str, list[str]]:
    """Return a week in words by day, which is how two people's changes of it are told apart."""
    names = {place.id: place.name for place in places}
    week: dict[str, list[str]] = {key: [] for key in WEEKDAY_KEYS}
    for window in windows:
        text = f"{clock_minutes(window.starts_minute)}–{clock_minutes(window.ends_minute)}"
        location_id = getattr(window, "location_id", None)
        week[WEEKDAY_KEYS[window.weekday - 1]].append(
            f"{text} ({names[location_id]})" if location_id in names else text
        )
    return week


def place_options(places: Iterable[LocationView], used: Iterable[uuid.UUID | None]) -> list[dict[str, str]]:
    """Return the choices of a window's place: those open, and archived ones that are still in use."""
    in_use = set(used)
    return [
        {
            "value": place.slug,
            "label": _("{name} (archived)").format(name=place.name) if place.archived_at else place.name,
        }
        for place in places
        if place.archived_at is None or place.id in in_use
    ]


def row_of(window: Any, slugs: dict[uuid.UUID, str]) -> HoursRow:
    """Return a stored window as it is typed."""
    location_id = getattr(window, "location_id", None)
    return HoursRow(
        clock_minutes(window.starts_minute),
        # A time field has no 24:00; midnight at the end of the day is 00:00 there.
        clock_minutes(window.ends_minute % MIDNIGHT),
        slugs.get(location_id, "") if location_id else "",
    )


def times_of(row: HoursRow) -> tuple[int, int]:
    """Return the minutes of a row; raises ValueError with the sentence to show."""
    if not row.starts or not row.ends:
        raise ValueError(_("Enter both times, or clear the row."))
    starts, ends = clock_time(row.starts), clock_time(row.ends) or MIDNIGHT
    if ends <= starts or starts >= MIDNIGHT:
        raise ValueError(_("The end must be after the start."))
    return starts, ends


def place_of(row: HoursRow, ids: dict[str, uuid.UUID]) -> uuid.UUID | None:
    """Return the id of a row's place, None for anywhere; raises ValueError with the sentence to show."""
    if row.place and row.place not in ids:
        raise ValueError(_("Choose one of the places, or anywhere."))
    return ids.get(row.place)


def _is_weekday(text: str) -> bool:
    return len(text) == 1 and text in "1234567"


def _with_spare_row(day: HoursDay) -> HoursDay:
    if not day.rows or not day.rows[-1].empty:
        day.rows.append(HoursRow())
    return day
