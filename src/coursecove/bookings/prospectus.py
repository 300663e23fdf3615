"""What a school offers, kept by a process for as long as nothing about it has changed.

Everything but what is booked: types, people, places, hours, closed days.  It is
asked for with every page and changed a few times a week.  The school's edition
(migration 0016) is another one after every change, whoever made it, and is read
in the same statement as what is booked: an answer put together from a
prospectus is one that the database would have given at that very moment.  So a
change shows with the next request, in every process.

Only what every visitor may see is in it, read as a visitor.  A unit of work that
has begun a transaction does not use it, since it may have changed what it asks
about; but for a student who books, who has changed nothing yet.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import catalogue
from coursecove.appointments.schemas import AppointmentTypeView, LocationView
from coursecove.bookings.occupancy import NOTHING_STALE, Clearing, Taken, taken_beside, taken_of
from coursecove.bookings.timetable import Bounds, Facts, Question, Timetable, facts_from, facts_parts
from coursecove.db.session import NOBODY, ScopedSession, after_commit, kept_beside, organization_of
from coursecove.db.together import Part, both, read
from coursecove.formatting import local
from coursecove.tenants import reading as about_school
from coursecove.tenants.schemas import InstructorView, OrganizationView

log = structlog.get_logger("coursecove.bookings")

#: Rows of all schools together; a row is a few hundred bytes.
MOST_ROWS = 40_000
# What differs from weekly hours is known so far ahead and back; whoever asks beyond reads it.
_AHEAD, _BACK = timedelta(days=420), timedelta(days=2)
_GOOD_FOR = timedelta(hours=12)
_TIMETABLES = 64


@dataclass(slots=True)
class Prospectus:
    """One edition of a school."""

    edition: str
    organization: OrganizationView
    facts: Facts
    bounds: Bounds
    rows: int
    #: Everything published, each with all who are qualified, also those who were.
    types: dict[uuid.UUID, AppointmentTypeView]
    _type_rows: list[Any]
    _today: tuple[date, list[AppointmentTypeView]] | None = None
    _offered: dict[uuid.UUID, tuple[date, AppointmentTypeView]] = field(default_factory=dict)
    _timetables: OrderedDict[Any, Timetable] = field(default_factory=OrderedDict)

    @property
    def places(self) -> dict[uuid.UUID, LocationView]:
        """The places of the school by name, the archived ones too."""
        return self.facts.locations

    @property
    def teachers(self) -> dict[uuid.UUID, InstructorView]:
        """Everybody who teaches, by name."""
        return self.facts.instructors

    def listed(self) -> list[AppointmentTypeView]:
        """Return what visitors are shown today: public types, with those who are qualified today."""
        today = local(clock.now(), self.organization.time_zone).date()
        if self._today is None or self._today[0] != today:
            views = catalogue.views_of(
                self._type_rows, self.organization, list(self.facts.instructors), today=today
            )
            self._today = (today, [view for view in views if catalogue.is_public(view)])
        return self._today[1]

    def offered(self, type_id: uuid.UUID) -> AppointmentTypeView | None:
        """Return a published type with those who are qualified today."""
        today = local(clock.now(), self.organization.time_zone).date()
        known = self._offered.get(type_id)
        if known is None or known[0] != today:
            rows = [row for row in self._type_rows if row.id == type_id]
            views = catalogue.views_of(rows, self.organization, list(self.facts.instructors), today=today)
            if not views:
                return None
            known = self._offered[type_id] = (today, views[0])
        return known[1]

    def knows(self, from_: datetime, until: datetime) -> bool:
        """Say whether everything that bears on lessons in ``[from_, until)`` is in it."""
        return self.bounds.from_ + _BACK / 2 <= from_ and until <= self.bounds.until - _BACK

    def timetable(self, question: Question) -> Timetable:
        """Return the timetable of a question about one of these types."""
        key = (
            id(question.type),
            question.instructor_id,
            question.location_id,
            question.duration_minutes,
            question.travel_minutes,
            question.exempt,
            question.student_id if question.student_id in self.facts.instructors else None,
        )
        known = self._timetables.get(key)
        if known is None or known.question.type is not question.type:
            known = self._timetables[key] = self.facts.timetable(question)
            while len(self._timetables) > _TIMETABLES:
                self._timetables.popitem(last=False)
        return known if known.question == question else replace(known, question=question)


class Stale(Exception):
    """The school has a newer edition than the prospectus."""


async def prospectus_of(session: AsyncSession) -> Prospectus | None:
    """Return the prospectus of the school, perhaps of an earlier edition; :func:`taken_now` finds out.

    None where this unit of work has to read for itself.
    """
    if session.in_transaction() or session.info["acting"] != NOBODY:
        return None
    shelf: _Shelf = kept_beside(session).setdefault("prospectuses", _Shelf())
    organization_id, now = organization_of(session), clock.now()
    known = _still_good(shelf, organization_id)
    if known is not None:
        return known
    bounds = Bounds(now - _BACK, now + _AHEAD)
    edition, types, *answers = await read(
        session, about_school.edition(), catalogue.everything_offered(), *facts_parts(None, None, bounds)
    )
    facts = facts_from(answers, bounds)
    if edition is None or facts is None:
        return None
    organization = about_school.school_view(answers[0])
    views = catalogue.views_of(types, organization, list(facts.instructors), today=None)
    made = Prospectus(
        edition,
        organization,
        facts,
        bounds,
        rows=len(types) + sum(map(len, answers)),
        types={view.id: view for view in views},
        _type_rows=types,
    )
    shelf.keep(organization_id, made)
    return made


def prospectus_kept(session: AsyncSession) -> Prospectus | None:
    """Return the prospectus if this process has it; :func:`taken_to_book` finds out whether it is current."""
    return _still_good(kept_beside(session).setdefault("prospectuses", _Shelf()), organization_of(session))


def keep_soon(session: AsyncSession) -> None:
    """Read the prospectus once this unit of work is done, beside whatever comes next, for those who follow."""
    info = {name: value for name, value in session.info.items() if name != "as_the_school"}
    visitor = AsyncSession(
        session.bind, sync_session_class=ScopedSession, info={**info, "acting": NOBODY, "after_commit": []}
    )

    async def read_it() -> None:
        async with visitor:
            await prospectus_of(visitor)

    async def begin() -> None:
        # However many find none at once, it is read once.
        key = (id(kept_beside(session)), organization_of(session))
        if key not in _reading:
            _reading[key] = task = asyncio.create_task(read_it())
            task.add_done_callback(partial(_read, key))

    after_commit(session, begin)


_reading: dict[tuple[int, uuid.UUID], asyncio.Task[None]] = {}


def _read(key: tuple[int, uuid.UUID], task: asyncio.Task[None]) -> None:
    del _reading[key]
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("prospectus_not_read", error=type(error).__name__)


def _still_good(shelf: _Shelf, organization_id: uuid.UUID) -> Prospectus | None:
    known, now = shelf.find(organization_id), clock.now()
    if known is not None and known.bounds.from_ + _BACK <= now < known.bounds.from_ + _BACK + _GOOD_FOR:
        return known
    return None


async def taken_to_book(
    session: AsyncSession,
    prospectus: Prospectus,
    timetable: Timetable,
    *,
    from_: datetime,
    until: datetime,
    clearing: Clearing | None,
) -> Taken:
    """Return what is booked for somebody who means to write; raises :class:`Stale`, and nothing is written."""
    beside: Part[Any] = both(about_school.edition(), clearing.stale if clearing else NOTHING_STALE)
    [taken], found = await taken_beside(session, [timetable], beside, from_=from_, until=until)
    edition, stale = found or (None, [])
    if edition != prospectus.edition:
        _throw_away(session, prospectus)
        raise Stale
    if clearing and stale:
        await clearing.end(session, sorted(row.session_id for row in stale))
        return await taken_of(session, timetable, from_=from_, until=until)
    return taken


async def taken_now(
    session: AsyncSession,
    prospectus: Prospectus,
    timetables: Sequence[Timetable],
    *,
    from_: datetime,
    until: datetime,
) -> list[Taken]:
    """Read what is booked for these timetables; raises :class:`Stale` when the school has changed since."""
    taken, edition = await taken_beside(session, timetables, about_school.edition(), from_=from_, until=until)
    if timetables and edition != prospectus.edition:
        _throw_away(session, prospectus)
        raise Stale
    return taken


async def is_current(session: AsyncSession, prospectus: Prospectus) -> bool:
    """Say whether this is the school's edition now, for whoever finds nothing in it; else it is thrown away."""
    [edition] = await read(session, about_school.edition())
    if edition != prospectus.edition:
        _throw_away(session, prospectus)
    return edition == prospectus.edition


def _throw_away(session: AsyncSession, prospectus: Prospectus) -> None:
    shelf: _Shelf = kept_beside(session)["prospectuses"]
    shelf.throw_away(organization_of(session), prospectus)


class _Shelf:
    """The prospectuses of one process, those asked for last, up to :data:`MOST_ROWS` rows together."""

    def __init__(self) -> None:
        self._kept: OrderedDict[uuid.UUID, Prospectus] = OrderedDict()
        self._rows = 0

    def find(self, organization_id: uuid.UUID) -> Prospectus | None:
        """Return one, and keep it longer."""
        found = self._kept.get(organization_id)
        if found is not None:
            self._kept.move_to_end(organization_id)
        return found

    def keep(self, organization_id: uuid.UUID, prospectus: Prospectus) -> None:
        """Keep one, and let go of what was not asked for longest."""
        if replaced := self._kept.pop(organization_id, None):
            self._rows -= replaced.rows
        self._kept[organization_id] = prospectus
        self._rows += prospectus.rows
        while self._rows > MOST_ROWS and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._rows -= dropped.rows

    def throw_away(self, organization_id: uuid.UUID, prospectus: Prospectus) -> None:
        """Let go of one, unless it was replaced by a newer one meanwhile."""
        if self._kept.get(organization_id) is prospectus:
            del self._kept[organization_id]
            self._rows -= prospectus.rows
