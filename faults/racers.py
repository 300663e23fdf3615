"""A process full of racers: it books, moves and cancels on real connections with the product's own last words.

What is raced is everything behind the engine's look: the unit of work, making
way for what has run out, and the statements that let the database decide.  The
engine would refuse most of these times beforehand; here nothing does.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue as Results
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import moving, service
from coursecove.bookings.errors import AlreadyCancelled, HoldExpired, OfferEnded, StudentBusy
from coursecove.bookings.expiry import around, let_go
from coursecove.bookings.holds import HOLD_MINUTES
from coursecove.bookings.locks import lock_resources
from coursecove.bookings.requests import Request
from coursecove.bookings.schemas import BookingCancel, HoldConfirm, WaitlistAccept, WaitlistJoin
from coursecove.bookings.taking import take
from coursecove.config import Settings
from coursecove.db.session import Acting, Database
from coursecove.errors import CourseCoveError
from coursecove.jobs import Queue, make_broker
from coursecove.scheduling.rules import Slot
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from faults.crowd import MINUTES, Crowd

#: All walks start within these quarters of an hour, so that they meet.
QUARTERS = 160
BUFFER = timedelta(minutes=15)
Round = tuple[int, float, Counter[str]]


@dataclass(frozen=True)
class Arena:
    """One process' half of the races."""

    settings: Settings
    crowd: Crowd
    connections: int

    def run(self, work: Callable[[Racers], Awaitable[Any]]) -> Any:
        """Open the connections, do the work, close them."""

        async def running() -> Any:
            queue = Queue(make_broker(self.settings.redis_url))
            database = Database(self.settings, pool_size=self.connections, info={"queue": queue})
            try:
                return await work(await Racers.ready(database, self.crowd))
            finally:
                await database.close()

        return asyncio.run(running())


class Racers:
    """The people of one process."""

    def __init__(self, database: Database, crowd: Crowd, types: dict[str, AppointmentTypeView]) -> None:
        self.database, self.crowd, self.types = database, crowd, types
        # Waiting for a connection is no answer: who races has one.
        self._turn = asyncio.Semaphore(database._app.pool.size())  # type: ignore[attr-defined]

    @classmethod
    async def ready(cls, database: Database, crowd: Crowd) -> Racers:
        """Read what everybody wants to book."""
        async with database.organization(crowd.organization_id, acting=Acting(role="system")) as session:
            types = {
                "private": await appointments.get_type(session, crowd.private_id),
                "class": await appointments.get_type(session, crowd.class_id),
            }
        return cls(database, crowd, types)

    async def act(
        self,
        member_id: uuid.UUID,
        verb: Callable[[AsyncSession, Member], Awaitable[Any]],
        *,
        role: str = "student",
    ) -> Any:
        """Run a verb with somebody's own eyes, in a unit of work of its own."""
        acting = Acting(member_id=str(member_id), role=role)
        async with (
            self._turn,
            self.database.organization(self.crowd.organization_id, acting=acting) as session,
        ):
            # Wake-ups are for the worker, of which there is none here.
            session.info["after_commit"] = _Nothing()
            return await verb(session, await tenants.get_member(session, member_id))

    def request(self, student: Member, slot: Slot, *, kind: str = "private", hold: bool = False) -> Request:
        """Return what somebody asks for."""
        return Request(
            type=self.types[kind],
            student_id=student.id,
            by=student,
            starts_at=slot.starts_at,
            duration_minutes=MINUTES,
            session_id=slot.session_id,
            instructor_id=slot.instructor_id,
            location_id=slot.location_id,
            room_id=None,
            exempt=False,
            override=False,
            note="",
            answers=[],
            address="",
            postcode="",
            travel_minutes=0,
            hold_minutes=HOLD_MINUTES if hold else None,
        )

    def slot(self, starts_at: datetime, instructor_id: uuid.UUID, rooms: tuple[uuid.UUID, ...] = ()) -> Slot:
        """Return a time with somebody, buffers included."""
        ends_at = starts_at + timedelta(minutes=MINUTES)
        place = self.crowd.location_id if rooms else None
        return Slot(starts_at, ends_at, starts_at, ends_at + BUFFER, instructor_id, place, rooms)

    async def book(
        self, student_id: uuid.UUID, slot: Slot, *, kind: str = "private", hold: bool = False
    ) -> Any:
        """Return the booking's id, None when it was lost."""

        async def verb(session: AsyncSession, by: Member) -> Any:
            await let_go(session, around(slot.starts_at, MINUTES))
            return await take(session, self.request(by, slot, kind=kind, hold=hold), slot)

        return await self.act(student_id, verb)


class _Nothing(list[Any]):
    """A list that keeps nothing."""

    def append(self, _: Any) -> None:
        pass


def race(
    arena: Arena,
    students: list[uuid.UUID],
    rounds: int,
    start: datetime,
    ready: Barrier,
    results: Results[Round],
) -> None:
    """Let these students race for one time per round; report each round's seconds and answers."""

    async def one(racers: Racers, student: uuid.UUID, slot: Slot) -> str:
        try:
            return "booked" if await racers.book(student, slot) else "taken"
        except StudentBusy:
            return "busy"
        except DBAPIError as error:
            return _named(error)

    async def work(racers: Racers) -> None:
        for number in range(rounds):
            slot = racers.slot(start + timedelta(hours=2 * number), racers.crowd.instructor_ids[0])
            await asyncio.to_thread(ready.wait)
            started = time.monotonic()
            answers = await asyncio.gather(*(one(racers, student, slot) for student in students))
            results.put((number, time.monotonic() - started, Counter(answers)))

    arena.run(work)


def walk(arena: Arena, seed: int, operations: int, start: datetime, results: Results[Counter[str]]) -> None:
    """Do so many random things to lessons, as many at once as there are connections."""
    dice = random.Random(seed)

    async def work(racers: Racers) -> None:
        walkers = [Walker(racers, random.Random(dice.random()), start) for _ in range(arena.connections)]
        share = operations // len(walkers)
        counted = await asyncio.gather(*(walker.walk(share) for walker in walkers))
        results.put(sum(counted, Counter()))

    arena.run(work)


class Walker:
    """Somebody who does random things, mostly at the same times as everybody else."""

    def __init__(self, racers: Racers, dice: random.Random, start: datetime) -> None:
        self.racers, self.dice, self.start = racers, dice, start
        self.lessons: list[tuple[uuid.UUID, uuid.UUID]] = []
        self.holds: list[tuple[uuid.UUID, uuid.UUID]] = []
        self.waiting: list[tuple[uuid.UUID, uuid.UUID]] = []
        self.done: Counter[str] = Counter()
        self._classes: list[tuple[uuid.UUID, datetime, datetime, uuid.UUID]] = []

    async def walk(self, steps: int) -> Counter[str]:
        """Take so many steps; a refusal is an answer, whatever else the database says is counted by name."""
        verbs = (self.book, self.book, self.book, self.hold, self.end_hold, self.cancel, self.move, self.sit)
        for _ in range(steps):
            verb = self.dice.choice((*verbs, self.wait, self.answer))
            try:
                outcome = await verb()
            except (StudentBusy, AlreadyCancelled, HoldExpired, OfferEnded):
                outcome = "refused"
            except CourseCoveError:
                outcome = "refused"
            except DBAPIError as error:
                outcome = _named(error)
            self.done[f"{verb.__name__} {outcome}"] += 1
        return self.done

    def _time(self) -> datetime:
        return self.start + timedelta(minutes=15 * self.dice.randrange(QUARTERS))

    def _slot(self) -> Slot:
        crowd = self.racers.crowd
        rooms = tuple(self.dice.sample(crowd.room_ids, self.dice.choice((0, 1, 2))))
        return self.racers.slot(self._time(), self.dice.choice(crowd.instructor_ids), rooms)

    def _student(self) -> uuid.UUID:
        # A few of the many, so that students meet themselves as well.
        return self.dice.choice(self.racers.crowd.student_ids[:60])

    async def book(self) -> str:
        """Take a time, free or not."""
        student = self._student()
        booking_id = await self.racers.book(student, self._slot())
        if booking_id:
            self.lessons.append((booking_id, student))
        return "done" if booking_id else "lost"

    async def hold(self) -> str:
        """Keep a time for a while."""
        student = self._student()
        booking_id = await self.racers.book(student, self._slot(), hold=True)
        if booking_id:
            self.holds.append((booking_id, student))
        return "done" if booking_id else "lost"

    async def end_hold(self) -> str:
        """Confirm a hold, let it go, or let it run out."""
        if not self.holds:
            return "nothing"
        booking_id, student = self.holds.pop(self.dice.randrange(len(self.holds)))
        what = self.dice.choice(("confirm", "release", "run out"))
        if what == "run out":
            await self.racers.act(student, lambda session, _by: _run_out(session, booking_id))
            if self.dice.random() < 0.5:
                self.holds.append((booking_id, student))
        elif what == "release":
            await self.racers.act(student, lambda session, by: service.release_hold(session, booking_id, by=by))
        else:
            data = HoldConfirm()
            await self.racers.act(
                student, lambda session, by: service.confirm_hold(session, booking_id, data, by=by)
            )
            self.lessons.append((booking_id, student))
        return "done"

    async def cancel(self) -> str:
        """Give a lesson or a seat back."""
        if not self.lessons:
            return "nothing"
        booking_id, student = self.lessons.pop(self.dice.randrange(len(self.lessons)))
        data = BookingCancel("")
        await self.racers.act(student, lambda session, by: service.cancel(session, booking_id, data, by=by))
        return "done"

    async def move(self) -> str:
        """Move a private lesson to a time that nobody looked at."""
        if not self.lessons:
            return "nothing"
        booking_id, student = self.dice.choice(self.lessons)
        slot = self._slot()

        async def verb(session: AsyncSession, by: Member) -> bool:
            view = await service.get_booking(session, booking_id, viewer=by)
            if view.cancelled_at is not None or view.appointment_type.kind == "class":
                return False
            await lock_resources(
                session,
                members=[student, view.instructor.id, slot.instructor_id],
                rooms=[*slot.rooms, view.room.id if view.room else None],
            )
            await let_go(session, around(slot.starts_at, MINUTES))
            return await moving.go_to(session, view, self.racers.request(by, slot), slot)

        return "done" if await self.racers.act(student, verb) else "lost"

    async def sit(self) -> str:
        """Take a seat in a class."""
        session_id, starts_at, ends_at, teacher = self.dice.choice(await self._all_classes())
        seat = Slot(starts_at, ends_at, starts_at, ends_at, teacher, None, session_id=session_id)
        student = self._student()
        booking_id = await self.racers.book(student, seat, kind="class", hold=self.dice.random() < 0.2)
        if booking_id:
            self.lessons.append((booking_id, student))
        return "done" if booking_id else "lost"

    async def wait(self) -> str:
        """Join the list of a class."""
        session_id, *_ = self.dice.choice(await self._all_classes())
        student = self._student()
        data = WaitlistJoin(session_id=session_id)
        entry = await self.racers.act(student, lambda session, by: service.join_waitlist(session, data, by=by))
        self.waiting.append((entry.id, student))
        return "done"

    async def answer(self) -> str:
        """Take the seat that is offered, or leave the list."""
        if not self.waiting:
            return "nothing"
        entry_id, student = self.waiting.pop(self.dice.randrange(len(self.waiting)))
        if self.dice.random() < 0.6:
            data = WaitlistAccept()
            view = await self.racers.act(
                student, lambda session, by: service.accept_offer(session, entry_id, data, by=by)
            )
            self.lessons.append((view.id, student))
        else:
            await self.racers.act(student, lambda session, by: service.leave_waitlist(session, entry_id, by=by))
        return "done"

    async def _all_classes(self) -> list[tuple[uuid.UUID, datetime, datetime, uuid.UUID]]:
        if not self._classes:

            async def verb(session: AsyncSession, _by: Member) -> Any:
                rows = await session.execute(
                    text(
                        "select id, starts_at, ends_at, instructor_id from sessions "
                        "where scheduled_by_id is not null order by starts_at"
                    )
                )
                return [tuple(row) for row in rows]

            self._classes = await self.racers.act(self._student(), verb)
        return self._classes


async def _run_out(session: AsyncSession, booking_id: uuid.UUID) -> None:
    """Let a hold's time pass, by the clock of the database; locks in the product's order, sessions first."""
    past = "held_until = now() - interval '1 second'"
    await session.execute(
        text(
            f"update sessions set {past} where cancelled_at is null and id = (select session_id from bookings "
            "where id = :id and held_until is not null and cancelled_at is null)"
        ),
        {"id": booking_id},
    )
    await session.execute(
        text(f"update bookings set {past} where id = :id and held_until is not null and cancelled_at is null"),
        {"id": booking_id},
    )


def _named(error: DBAPIError) -> str:
    return type(error.orig).__name__


def next_day(days: int) -> datetime:
    """Return midnight so many days from now: both machines and people start at the same time."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=days)
