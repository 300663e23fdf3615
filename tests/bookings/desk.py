"""A school's front desk for tests: the verbs of bookings by people's names, a unit of work each."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeCreate, AppointmentTypeUpdate, AppointmentTypeView
from coursecove.bookings import availability, service
from coursecove.bookings.class_schemas import ClassCreate, ClassView
from coursecove.bookings.schemas import BookingCancel, BookingCreate, BookingMove, BookingView, SlotView
from coursecove.db.session import SYSTEM, Acting, Database
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from tests.factories.world import School
from tests.serving import Loop

T = TypeVar("T")

CLARA, IDA, TOMAS = "clara@harmony.example", "ida@harmony.example", "tomas@harmony.example"
MIA, LEO, PRIYA = "mia@example.com", "leo@example.com", "priya@example.com"
BERLIN = ZoneInfo("Europe/Berlin")

# Long after the lessons of the demo world, in winter time; hours are 9:00 in Berlin.
MONDAY = datetime(2031, 3, 3, 8, 0, tzinfo=UTC)


def berlin(day: int, hour: int, minute: int = 0, *, month: int = 3) -> datetime:
    """An instant of 2031 by the wall clock of the school."""
    return datetime(2031, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


class Desk:
    """Runs verbs as the people of one school."""

    def __init__(self, loop: Loop, database: Database, school: School) -> None:
        self.loop, self.database, self.school = loop, database, school

    def run(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        async def unit() -> T:
            async with self.database.organization(self.school.organization_id, acting=SYSTEM) as session:
                return await work(session)

        return self.loop.run(unit())

    def acting(self, email: str, verb: Callable[[AsyncSession, Member], Awaitable[T]]) -> T:
        async def work(session: AsyncSession) -> T:
            return await verb(session, await tenants.get_member(session, self.school.members[email]))

        return self.run(work)

    def own(self, email: str, verb: Callable[[AsyncSession, Member], Awaitable[T]]) -> T:
        """Run a verb with the person's own eyes, as a request of theirs does: the policies hold."""
        member_id = self.school.members[email]

        async def unit() -> T:
            organization_id = self.school.organization_id
            async with self.database.organization(organization_id, acting=SYSTEM) as session:
                role = (await tenants.get_member(session, member_id)).role
            acting = Acting(member_id=str(member_id), role=role)
            async with self.database.organization(organization_id, acting=acting) as session:
                return await verb(session, await tenants.get_member(session, member_id))

        return self.loop.run(unit())

    def type(self, name: str) -> AppointmentTypeView:
        return self.run(lambda session: appointments.get_type(session, self.school.types[name]))

    def add_type(self, name: str, taught_by: list[str], **options: Any) -> AppointmentTypeView:
        """A new kind of lesson, every quarter of an hour unless said otherwise; in person it is everywhere."""
        if options.get("kind") != "class":
            options.setdefault("start_interval_minutes", 15)
        options.setdefault("duration_minutes", 45)
        if options.get("location_mode") != "online":
            options.setdefault("location_ids", list(self.school.locations.values()))
        data = AppointmentTypeCreate(
            name=name, instructor_ids=[self.school.members[email] for email in taught_by], **options
        )
        made = self.acting(CLARA, lambda session, by: appointments.create_type(session, data, by=by))
        self.school.types[name] = made.id
        return made

    def slots(
        self, name: str, from_: datetime, *, days: float = 1, teacher: str | None = None, **options: Any
    ) -> list[SlotView]:
        lesson = self.type(name)
        return self.run(
            lambda session: availability.available_slots(
                session,
                lesson,
                instructor_id=self.school.members[teacher] if teacher else None,
                from_=from_,
                until=from_ + timedelta(days=days),
                **options,
            )
        )

    def book(
        self,
        email: str,
        name: str,
        starts_at: datetime,
        *,
        teacher: str | None = None,
        student: str | None = None,
        place: str | None = None,
        **options: Any,
    ) -> BookingView:
        members = self.school.members
        data = BookingCreate(
            appointment_type_id=self.school.types[name],
            starts_at=starts_at,
            instructor_id=members[teacher] if teacher else None,
            student_id=members[student] if student else None,
            location_id=self.school.locations[place] if place else None,
            **options,
        )
        return self.own(email, lambda session, by: service.book(session, data, by=by))

    def move(self, email: str, booking: BookingView, starts_at: datetime, **options: Any) -> BookingView:
        data = BookingMove(starts_at=starts_at, **options)
        return self.own(email, lambda session, by: service.move(session, booking.id, data, by=by))

    def add_class(self, name: str, taught_by: list[str], **options: Any) -> AppointmentTypeView:
        """A new kind of class, three seats unless said otherwise."""
        given = {"kind": "class", "capacity": 3, "start_interval_minutes": None, **options}
        return self.add_type(name, taught_by, **given)

    def schedule(
        self,
        email: str,
        name: str,
        *starts_at: datetime,
        teacher: str,
        place: str | None = None,
        **options: Any,
    ) -> list[ClassView]:
        data = ClassCreate(
            appointment_type_id=self.school.types[name],
            instructor_id=self.school.members[teacher],
            location_id=self.school.locations[place] if place else None,
            starts_at=list(starts_at),
            **options,
        )
        return self.own(email, lambda session, by: service.schedule_class(session, data, by=by))

    def change_type(self, name: str, **changes: Any) -> None:
        update = AppointmentTypeUpdate(**changes)
        self.own(
            CLARA, lambda session, by: appointments.update_type(session, self.school.types[name], update, by=by)
        )

    def facts(self, subject_id: uuid.UUID, action: str) -> list[dict[str, Any]]:
        """What the trail says of something, oldest first."""
        query = "select data from events where subject_id = :id and action = :action order by created_at"
        return [row[0] for row in self.rows(query, id=subject_id, action=action)]

    def cancel(self, email: str, booking: BookingView, reason: str = "") -> BookingView:
        return self.own(
            email, lambda session, by: service.cancel(session, booking.id, BookingCancel(reason), by=by)
        )

    def get(self, email: str, booking_id: uuid.UUID) -> BookingView:
        return self.own(email, lambda session, by: service.get_booking(session, booking_id, viewer=by))

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Rows as the application's role sees them inside the school."""

        async def work(session: AsyncSession) -> list[Any]:
            return list((await session.execute(text(query), values)).all())

        return self.run(work)
