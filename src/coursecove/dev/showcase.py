"""Dressing the demo: what a school would have after its first busy weeks, made by the product's own verbs.

Unlike the catalogues it does not go through the API: lessons of last week can
only be booked last week, so these verbs run here, with the application's clock
set back for them.  Every rule holds as it did then.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import (
    AppointmentTypeCreate,
    AppointmentTypeView,
    QuestionCreate,
    RoomCreate,
    TravelZoneCreate,
)
from coursecove.bookings import service as bookings
from coursecove.bookings.availability import available_slots
from coursecove.bookings.class_schemas import ClassCreate
from coursecove.bookings.schemas import AttendanceUpdate, BookingCreate, BookingView, NoteCreate
from coursecove.config import Settings
from coursecove.db.session import SYSTEM
from coursecove.dev.showcase_world import SHOWCASES, Booked, ClassTimes, Closed, Show, Showcase
from coursecove.resources import open_resources
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import ClosureCreate, OpeningWindowInput, TimeOffCreate
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

# How long before a past lesson it was booked: further than any type's notice.
_BOOKED_AHEAD = timedelta(days=3)
# How far after the wanted day a free time is looked for.
_LOOK_AHEAD = timedelta(days=7)


def dress(settings: Settings, slug: str, organization_id: uuid.UUID) -> None:
    """Give a school its rooms, classes, questions, closures and a week that was; nothing when it has rooms."""
    asyncio.run(_dress(settings, SHOWCASES[slug], organization_id))


async def _dress(settings: Settings, show: Showcase, organization_id: uuid.UUID) -> None:
    async with (
        open_resources(settings) as resources,
        # All or nothing: an interrupted start begins here again.
        resources.database.organization(organization_id, acting=SYSTEM) as session,
    ):
        if await appointments.list_rooms(session):
            return
        await _Dresser.of(session, show)


@dataclass(slots=True)
class _Dresser:
    """One school on its way; people by e-mail, places and types by name."""

    session: AsyncSession
    show: Showcase
    admin: Member
    people: dict[str, Member]
    places: dict[str, uuid.UUID]
    types: dict[str, AppointmentTypeView]
    zone: ZoneInfo

    @classmethod
    async def of(cls, session: AsyncSession, show: Showcase) -> None:
        found = await tenants.list_members(session, page_size=200)
        people = {m.email: await tenants.get_member(session, m.id) for m in found.items if m.email}
        organization = await tenants.get_organization(session)
        dresser = cls(
            session,
            show,
            next(member for member in people.values() if member.role == "admin"),
            people,
            {place.name: place.id for place in await appointments.list_locations(session)},
            {},
            ZoneInfo(organization.time_zone),
        )
        await dresser.places_and_zones()
        for offered in show.shows:
            await dresser.type(offered)
        listed = await appointments.list_types(session)
        dresser.types = {type_.name: type_ for type_ in listed}
        for sessions in show.classes:
            await dresser.weekly_class(sessions)
        for lesson in show.lessons:
            await dresser.lesson(lesson)
        # Last, as it was for everybody who had booked before.
        await dresser.days_off()

    async def places_and_zones(self) -> None:
        for place, rooms in self.show.rooms.items():
            for name, capacity in rooms:
                await appointments.create_room(
                    self.session, self.places[place], RoomCreate(name, capacity), by=self.admin
                )
        for place, (weekdays, start, end) in self.show.opening.items():
            windows = [OpeningWindowInput(day, _minutes(start), _minutes(end)) for day in weekdays]
            await scheduling.replace_opening_hours(self.session, self.places[place], windows, by=self.admin)
        for name, prefixes, minutes in self.show.zones:
            data = TravelZoneCreate(name, list(prefixes), minutes)
            await appointments.create_travel_zone(self.session, data, by=self.admin)

    async def type(self, offered: Show) -> None:
        data = AppointmentTypeCreate(
            name=offered.name,
            description=offered.description,
            color=offered.color,
            duration_minutes=offered.duration_minutes,
            price_cents=offered.price_cents,
            location_ids=[self.places[name] for name in offered.places],
            instructor_ids=[self.people[email].id for email in offered.taught_by],
            **offered.rules,
        )
        made = await appointments.create_type(self.session, data, by=self.admin)
        for question in offered.questions:
            asked = QuestionCreate(
                question.kind,  # type: ignore[arg-type] # the world names the kinds there are
                question.label,
                question.hint,
                list(question.options),
                question.required,
            )
            await appointments.add_question(self.session, made.id, asked, by=self.admin)
        for email, days in offered.expires_in.items():
            last_day = self._today() + timedelta(days=days)
            member_id = self.people[email].id
            await appointments.set_qualification_expiry(
                self.session, member_id, made.id, last_day, by=self.admin
            )

    async def weekly_class(self, times: ClassTimes) -> None:
        """Put a class on the calendar from last week on; those who sit in it came last week, too."""
        type_, teacher = self.types[times.name], self.people[times.teacher]
        today = self._today()
        first = today - timedelta(days=(today.isoweekday() - times.weekday) % 7 or 7)
        starts_at = self._at(first, times.at)
        with _as_of(starts_at - _BOOKED_AHEAD):
            classes = await bookings.schedule_class(
                self.session,
                ClassCreate(
                    appointment_type_id=type_.id,
                    instructor_id=teacher.id,
                    location_id=self.places[times.place],
                    starts_at=[starts_at],
                    times=times.weeks,
                ),
                by=teacher,
            )
            past, coming = classes[0], classes[1]
            for email in times.students:
                for one in (past, coming):
                    await self._book(email, type_, starts_at=one.starts_at, session_id=one.id)

    async def lesson(self, lesson: Booked) -> None:
        """Book a free time; a past one a few days before, with what came of it afterwards."""
        type_, teacher = self.types[lesson.name], self.people[lesson.teacher]
        from_ = self._at(self._today() + timedelta(days=lesson.days), "00:00")
        away = None
        if type_.location_mode == "students_place":
            away = await appointments.travel_minutes_for(self.session, lesson.postcode)
        with _as_of(min(from_ - _BOOKED_AHEAD, clock.now())):
            free = await available_slots(
                self.session,
                type_,
                instructor_id=teacher.id,
                duration_minutes=lesson.minutes,
                travel_minutes=away,
                from_=from_,
                until=from_ + _LOOK_AHEAD,
                student_id=self.people[lesson.student].id,
            )
            slot = free[min(lesson.nth, len(free) - 1)]
            booked = await self._book(
                lesson.student,
                type_,
                starts_at=slot.starts_at,
                instructor_id=teacher.id,
                location_id=slot.location.id if slot.location else None,
                duration_minutes=lesson.minutes,
                answers=dict(zip((q.id for q in type_.questions), lesson.answers, strict=False)),
                address=lesson.address,
                postcode=lesson.postcode,
            )
        if lesson.attendance and booked.ends_at < clock.now():
            came = AttendanceUpdate(lesson.attendance)  # type: ignore[arg-type] # as the world has it
            await bookings.note_attendance(self.session, booked.id, came, by=teacher)
            if lesson.note:
                note = NoteCreate(lesson.note, shared=True)
                await bookings.add_note(self.session, booked.id, note, by=teacher)

    async def days_off(self) -> None:
        for closed in self.show.closed:
            await scheduling.add_closure(self.session, self._closure(closed), by=self.admin)
        for email, days, start, end, reason in self.show.away:
            day = self._today() + timedelta(days=days)
            data = TimeOffCreate(self._at(day, start), self._at(day, end), reason)
            await scheduling.add_time_off(self.session, self.people[email].id, data, by=self.people[email])

    async def _book(
        self, email: str, type_: AppointmentTypeView, *, starts_at: datetime, **more: Any
    ) -> BookingView:
        data = BookingCreate(appointment_type_id=type_.id, starts_at=starts_at, **more)
        return await bookings.book(self.session, data, by=self.people[email])

    def _closure(self, closed: Closed) -> ClosureCreate:
        today = self._today()
        first = today + timedelta(days=closed.in_days)
        if closed.month_day:
            first = date(today.year, *closed.month_day)
            if first < today:
                first = date(today.year + 1, *closed.month_day)
        return ClosureCreate(
            name=closed.name,
            starts_on=first,
            ends_on=first + timedelta(days=closed.days - 1),
            location_id=self.places[closed.place] if closed.place else None,
            yearly=closed.month_day is not None,
        )

    def _today(self) -> date:
        return clock.now().astimezone(self.zone).date()

    def _at(self, day: date, text: str) -> datetime:
        return datetime.combine(day, time.fromisoformat(text), tzinfo=self.zone)


@contextmanager
def _as_of(instant: datetime) -> Iterator[None]:
    """Let the application's clock stand at ``instant`` while the block runs; nothing else here asks it."""
    real = clock._read
    clock._read = lambda: instant
    try:
        yield
    finally:
        clock._read = real


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
