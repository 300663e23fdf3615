"""Closures: whole days on which nothing is taught, at one location or at the whole school."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.db.session import organization_of
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.events import track
from coursecove.formatting import local
from coursecove.i18n import _
from coursecove.scheduling import queries
from coursecove.scheduling.exceptions import local_dates
from coursecove.scheduling.models import Closure
from coursecove.scheduling.schemas import ClosedDays, ClosureCreate, ClosureUpdate, ClosureView
from coursecove.scheduling.windows import one_at_a_time
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from coursecove.text import is_storable, one_line

LONGEST_CLOSURE_DAYS = 366


async def closed_days(session: AsyncSession, *, from_: datetime, until: datetime) -> list[ClosedDays]:
    """Return every occurrence of a closure that can touch ``[from_, until)``, by its first day; one query.

    Days are local to wherever the lesson would be: those of a location in its
    zone, those of the school in the zone of the location or, online, of the
    instructor.  As no zone is asked for here, a day to either side is included.
    """
    first, last = local_dates(from_, until)
    rows = await session.scalars(queries.closures(first=first, last=last))
    found = [
        ClosedDays(row.id, row.name, row.location_id, starts_on, ends_on)
        for row in rows
        for starts_on, ends_on in occurrences(
            row.starts_on, row.ends_on, yearly=row.yearly, first=first, last=last
        )
    ]
    return sorted(found, key=lambda days: (days.starts_on, days.ends_on, days.closure_id))


def occurrences(
    starts_on: date, ends_on: date, *, yearly: bool, first: date, last: date
) -> Iterator[tuple[date, date]]:
    """Yield the days, both included, of each time a closure meets the dates ``first`` to ``last``.

    A yearly one returns from its own year on; 29 February is the 28th in other years.
    """
    if not yearly:
        if starts_on <= last and ends_on >= first:
            yield starts_on, ends_on
        return
    for years in range(max(0, first.year - ends_on.year - 1), max(0, last.year - starts_on.year) + 1):
        if ends_on.year + years > date.max.year:
            return
        again = _years_later(starts_on, years), _years_later(ends_on, years)
        if again[0] <= last and again[1] >= first:
            yield again


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def closure_view(row: Closure, today: date) -> ClosureView:
    """Make the view of a closure as it is on ``today``, a date of the school's zone."""
    coming = next(
        occurrences(row.starts_on, row.ends_on, yearly=row.yearly, first=today, last=date.max), (None, None)
    )
    return ClosureView(
        id=row.id,
        name=row.name,
        location_id=row.location_id,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        yearly=row.yearly,
        next_starts_on=coming[0],
        next_ends_on=coming[1],
    )


async def list_closures(session: AsyncSession) -> list[ClosureView]:
    """Return all closures: first what is on or comes next, by its date, then the past, the latest first."""
    today = await _today(session)
    views = [closure_view(row, today) for row in await session.scalars(queries.closures())]
    coming = [view for view in views if view.next_starts_on is not None]
    past = [view for view in views if view.next_starts_on is None]
    coming.sort(key=lambda view: (view.next_starts_on or date.max, view.next_ends_on or date.max, view.id))
    past.sort(key=lambda view: (view.ends_on, view.starts_on, view.id), reverse=True)
    return coming + past


async def get_closure(session: AsyncSession, closure_id: uuid.UUID) -> ClosureView:
    """Return one closure; raises ``NotFound``."""
    # Written over by a statement, a row that was read before would still be shown as it was.
    statement = select(Closure).where(Closure.id == closure_id).execution_options(populate_existing=True)
    row = await session.scalar(statement)
    if row is None:
        raise NotFound(_("There is no such closure at this school."))
    return closure_view(row, await _today(session))


async def add_closure(session: AsyncSession, data: ClosureCreate, *, by: Member) -> ClosureView:
    """Close a location or the school for some days; lessons already booked stay.

    For admins.  Raises ``Invalid`` at ``name``, ``starts_on``, ``ends_on`` (both
    days included, a year at most) or ``location_id``.
    """
    _check_may(by)
    values = await _checked(session, msgspec.structs.asdict(data), kept=None)
    row = Closure(organization_id=organization_of(session), id=uuid.uuid4(), **values)
    session.add(row)
    await session.flush()
    track(
        session,
        "closure.created",
        subject_type="closure",
        subject_id=row.id,
        actor_id=by.id,
        data=msgspec.to_builtins(values),
    )
    return closure_view(row, await _today(session))


async def change_closure(
    session: AsyncSession, closure_id: uuid.UUID, data: ClosureUpdate, *, by: Member
) -> ClosureView:
    """Change a closure; what is left out stays.  Raises like :func:`add_closure`, and ``NotFound``."""
    _check_may(by)
    await one_at_a_time(session, "closures")
    before = await get_closure(session, closure_id)
    stored = {name: getattr(before, name) for name in ClosureUpdate.__struct_fields__}
    given = {name: value for name, value in msgspec.structs.asdict(data).items() if value is not UNSET}
    wanted = await _checked(session, stored | given, kept=before.location_id)
    changes = {name: value for name, value in wanted.items() if value != stored[name]}
    if not changes:
        return before
    await session.execute(
        update(Closure)
        .where(Closure.id == closure_id)
        .values(**changes)
        .execution_options(synchronize_session=False)
    )
    track(
        session,
        "closure.changed",
        subject_type="closure",
        subject_id=closure_id,
        actor_id=by.id,
        data=msgspec.to_builtins(
            {name: {"from": stored[name], "to": value} for name, value in changes.items()}
        ),
    )
    return await get_closure(session, closure_id)


async def remove_closure(session: AsyncSession, closure_id: uuid.UUID, *, by: Member) -> ClosureView:
    """Open again on the days of a closure; return what it was.  Raises ``NotFound``."""
    _check_may(by)
    await one_at_a_time(session, "closures")
    before = await get_closure(session, closure_id)
    await session.execute(
        delete(Closure).where(Closure.id == closure_id).execution_options(synchronize_session=False)
    )
    stored = {name: getattr(before, name) for name in ClosureUpdate.__struct_fields__}
    track(
        session,
        "closure.removed",
        subject_type="closure",
        subject_id=closure_id,
        actor_id=by.id,
        data=msgspec.to_builtins(stored),
    )
    return before


def _check_may(by: Member) -> None:
    if by.role != "admin":
        raise Forbidden(_("Closures are changed by the school's admins."))


async def _checked(session: AsyncSession, values: dict[str, Any], *, kept: uuid.UUID | None) -> dict[str, Any]:
    """Return the values of a closure as they are stored; the location ``kept`` may be archived."""
    values = {**values, "name": one_line(values["name"])}
    problems: dict[str, str] = {}
    if not values["name"]:
        problems["name"] = _("Enter a name, such as Christmas.")
    elif not is_storable(values["name"]):
        problems["name"] = _("Remove the characters that cannot be shown.")
    elif len(values["name"]) > 120:
        problems["name"] = _("At most {number} characters, please.").format(number=120)
    days = (values["ends_on"] - values["starts_on"]).days + 1
    if days < 1:
        problems["ends_on"] = _("The last day must not be before the first.")
    elif days > LONGEST_CLOSURE_DAYS:
        problems["ends_on"] = _("A closure lasts a year at most.")
    elif not 2000 <= values["starts_on"].year <= 2200:
        problems["starts_on"] = _("Choose a date within the calendar.")
    location_id = values["location_id"]
    if location_id not in (None, kept) and not await appointments.open_locations(session, [location_id]):
        problems["location_id"] = _("Choose one of the school's locations, or the whole school.")
    if problems:
        raise Invalid(fields=problems)
    return values


async def _today(session: AsyncSession) -> date:
    return local(clock.now(), (await tenants.get_organization(session)).time_zone).date()
