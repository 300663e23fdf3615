"""Random walks through everything that can be done to lessons, each step against a model.

The model is a few lists and obvious loops: who is where, when, and until when
kept.  It says of every step whether it is possible; the product has to agree,
and after each step the tables have to hold what they promise.  Seen to fail
with `let_go` taken out of `have`, with `give_seat_back` offering to nobody, and
with a move that forgets the room.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import RoomCreate
from coursecove.bookings import service
from coursecove.bookings.errors import (
    AlreadyCancelled,
    ClassFull,
    HoldExpired,
    InClassAlready,
    OfferEnded,
    SeatsLeft,
    SeriesConflict,
    SlotNotOffered,
    SlotTaken,
    StudentBusy,
    TooManyHolds,
)
from coursecove.bookings.expiry import let_go_of
from coursecove.bookings.schemas import (
    BookingCancel,
    BookingCreate,
    BookingMove,
    HoldConfirm,
    HoldCreate,
    WaitlistAccept,
    WaitlistJoin,
)
from coursecove.bookings.series_schemas import SeriesCreate
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import DayWindowInput
from coursecove.tenants.models import Member
from faults.promises import BROKEN
from tests.bookings.desk import BERLIN, CLARA, IDA, LEO, MIA, PRIYA, TOMAS, Desk, berlin
from tests.bookings.model import AFTER, MINUTES, SEATS, Choir, Lesson, State, Waiting

STUDENTS = (MIA, LEO, PRIYA)
TEACHERS = (IDA, TOMAS)
ROOMY, PLAIN, CHOIR = "In the only room", "Anywhere", "Choir of two"
#: Starts within hours on any day of a walk: few, so that they collide.
STARTS = tuple(14 * 60 + 15 * number for number in range(7))
CHOIR_STARTS = 19 * 60
STEPS, WALKS = 30, 4


class Walk(RuleBasedStateMachine):
    """One walk, on days of its own: the model, and what must hold after every step."""

    desk: Desk
    walks = 0

    def __init__(self) -> None:
        super().__init__()
        self.lessons: dict[uuid.UUID, Lesson] = {}
        self.choir: Choir | None = None
        Walk.walks += 1
        # Two Tuesdays that no other walk uses.
        self.days = [date(2031, 3, 11) + timedelta(weeks=2 * Walk.walks + week) for week in range(2)]

    def open_the_day(self) -> None:
        async def hours(session: AsyncSession, by: Any) -> None:
            for on in self.days:
                for email in TEACHERS:
                    member_id = self.desk.school.members[email]
                    windows = [DayWindowInput(14 * 60, 18 * 60 + 45)]
                    await scheduling.set_override(session, member_id, on, windows, by=by)

        self.desk.own(CLARA, hours)
        [made] = self.desk.schedule(
            CLARA,
            CHOIR,
            self.at(0, CHOIR_STARTS),
            teacher=IDA,
            place="Kreuzberg Hall",
            capacity=SEATS,
            override_rules=True,
        )
        self.choir = Choir(made.id, self.at(0, CHOIR_STARTS))

    def teardown(self) -> None:
        """Let go of what is still kept: a student keeps three times at most, whatever the day."""
        kept = [(one.id, one.student) for one in self.lessons.values() if one.state == "held"]
        if self.choir is not None:
            kept += [(id_, who) for id_, (who, state) in self.choir.seats.items() if state == "held"]
        for booking_id, student in kept:
            self.desk.own(student, partial(_release, booking_id))

    def at(self, day: int, minute: int) -> datetime:
        on = self.days[day]
        return berlin(on.day, minute // 60, minute % 60, month=on.month)

    # What the model says.

    def free(self, type_: str, teacher: str, start: datetime, *, without: uuid.UUID | None = None) -> bool:
        """Whether teacher and room are free, buffers included."""
        end = start + timedelta(minutes=MINUTES)
        for lesson in self.lessons.values():
            if not lesson.stands or lesson.id == without:
                continue
            overlaps = lesson.start < end + timedelta(minutes=AFTER) and lesson.blocked_until > start
            if overlaps and (lesson.teacher == teacher or ROOMY == type_ == lesson.type):
                return False
        return True

    def busy(self, student: str, start: datetime, *, without: uuid.UUID | None = None) -> bool:
        end = start + timedelta(minutes=MINUTES)
        return any(
            lesson.stands
            and lesson.id != without
            and lesson.student == student
            and lesson.start < end
            and lesson.end > start
            for lesson in self.lessons.values()
        )

    def can_have(self, type_: str, teachers: tuple[str, ...], student: str, start: datetime) -> bool:
        return not self.busy(student, start) and any(self.free(type_, teacher, start) for teacher in teachers)

    def held_by(self, student: str) -> int:
        held = sum(
            one.stands and one.state == "held" and one.student == student for one in self.lessons.values()
        )
        assert self.choir is not None
        return held + sum(
            who == student and state == "held" and id_ not in self.choir.ran_out
            for id_, (who, state) in self.choir.seats.items()
        )

    def do(self, work: Callable[[], Any], *, possible: bool, refusals: tuple[type[Exception], ...]) -> Any:
        """Do it, and hold the product to what the model says."""
        refused: Exception | None = None
        result = None
        try:
            result = work()
        except refusals as error:
            refused = error
        if possible:
            assert refused is None, f"the model says this is possible: {refused!r}"
        else:
            assert refused is not None, "the model says this is impossible, and it was done"
        return result

    def note(self, view: Any, state: State) -> None:
        teacher = next(email for email in TEACHERS if self.desk.school.members[email] == view.instructor.id)
        student = next(email for email in STUDENTS if self.desk.school.members[email] == view.student.id)
        lesson = Lesson(view.id, student, teacher, view.appointment_type.name, view.starts_at, state)
        # What had run out and was in the way is gone now.
        self.lessons[view.id] = lesson

    @rule()
    def sweep(self) -> None:
        """The sweep comes by."""
        ran_out = [one.id for one in self.lessons.values() if one.ran_out]

        async def work(session: AsyncSession) -> None:
            rows = await session.execute(
                text("select session_id from bookings where id = any(:ids)"), {"ids": ran_out}
            )
            assert self.choir is not None
            await let_go_of(session, [*rows.scalars(), self.choir.id])

        self.desk.run(work)
        for booking_id in ran_out:
            del self.lessons[booking_id]
        assert self.choir is not None
        self.choir.let_go()

    def run_out(self, table: str, id_: uuid.UUID) -> None:
        """Let time pass for one hold or offer, by the clock of the database."""
        column = "held_until" if table == "bookings" else "offer_expires_at"
        past = "now() - interval '1 second'"

        async def work(session: AsyncSession) -> None:
            found = await session.scalar(
                text(f"update {table} set {column} = {past} where id = :id returning session_id"), {"id": id_}
            )
            await session.execute(
                text(f"update sessions set held_until = {past} where id = :id and cancelled_at is null"),
                {"id": found},
            )

        self.desk.run(work)

    # What must hold after every step.

    @invariant()
    def the_tables_hold_what_they_promise(self) -> None:
        assert self.desk.rows(BROKEN) == []

    @invariant()
    def the_product_knows_the_lessons_of_the_model(self) -> None:
        if self.choir is None:
            return
        rows = self.desk.rows(
            "select id, status, starts_at, (select room_id is not null from sessions "
            " where sessions.id = session_id) as has_room from bookings "
            "where id = any(:ids) and cancelled_at is null "
            "and (held_until is null or held_until > statement_timestamp())",
            ids=list(self.lessons),
        )
        stand = {
            one.id: (one.state, one.start, one.type == ROOMY) for one in self.lessons.values() if one.stands
        }
        assert {row.id: (row.status, row.starts_at, row.has_room) for row in rows} == stand
        [(taken,)] = self.desk.rows("select seats_taken from sessions where id = :id", id=self.choir.id)
        assert taken == self.choir.taken()
        offered = self.desk.rows(
            "select id from waitlist_entries where session_id = :id and offered_at is not null "
            "and accepted_at is null and ended_at is null",
            id=self.choir.id,
        )
        assert {row.id for row in offered} == {one.id for one in self.choir.waiting if one.offered}


class Lessons(Walk):
    """Private lessons: holds, moves, and lessons every week."""

    @initialize()
    def open(self) -> None:
        self.open_the_day()
        for student, teacher, type_ in ((MIA, IDA, ROOMY), (LEO, TOMAS, PLAIN)):
            self.book_or_hold(student=student, type_=type_, teacher=teacher, minute=STARTS[0], hold=False)

    @rule(
        student=st.sampled_from(STUDENTS),
        type_=st.sampled_from((ROOMY, PLAIN)),
        teacher=st.sampled_from((None, *TEACHERS)),
        minute=st.sampled_from(STARTS),
        hold=st.booleans(),
    )
    def book_or_hold(self, student: str, type_: str, teacher: str | None, minute: int, hold: bool) -> None:
        start = self.at(0, minute)
        wanted: dict[str, Any] = {
            "appointment_type_id": self.desk.school.types[type_],
            "starts_at": start,
            "instructor_id": self.desk.school.members[teacher] if teacher else None,
        }
        possible = self.can_have(type_, (teacher,) if teacher else TEACHERS, student, start)
        if hold:
            possible = possible and self.held_by(student) < 3
            view = self.do(
                lambda: self.desk.own(
                    student, lambda session, by: service.hold(session, HoldCreate(**wanted), by=by)
                ),
                possible=possible,
                refusals=(SlotTaken, SlotNotOffered, StudentBusy, TooManyHolds),
            )
        else:
            view = self.do(
                lambda: self.desk.own(
                    student, lambda session, by: service.book(session, BookingCreate(**wanted), by=by)
                ),
                possible=possible,
                refusals=(SlotTaken, SlotNotOffered, StudentBusy),
            )
        if view is not None:
            assert view.status == ("held" if hold else "confirmed")
            self.note(view, "held" if hold else "confirmed")

    @precondition(lambda self: any(one.state == "held" for one in self.lessons.values()))
    @rule(
        pick=st.integers(0, 99), what=st.sampled_from(("confirm", "release", "run out", "run out", "run out"))
    )
    def end_a_hold(self, pick: int, what: str) -> None:
        held = [one for one in self.lessons.values() if one.state == "held"]
        lesson = held[pick % len(held)]
        if what == "run out":
            self.run_out("bookings", lesson.id)
            lesson.ran_out = True
        elif what == "release":
            self.desk.own(lesson.student, lambda session, by: service.release_hold(session, lesson.id, by=by))
            del self.lessons[lesson.id]
        else:
            view = self.do(
                lambda: self.desk.own(
                    lesson.student,
                    lambda session, by: service.confirm_hold(session, lesson.id, HoldConfirm(), by=by),
                ),
                possible=lesson.stands,
                refusals=(HoldExpired,),
            )
            if view is not None:
                lesson.state = "confirmed"

    @precondition(lambda self: any(one.ran_out for one in self.lessons.values()))
    @rule(pick=st.integers(0, 99), student=st.sampled_from(STUDENTS), hold=st.booleans())
    def book_what_ran_out(self, pick: int, student: str, hold: bool) -> None:
        """The very time that somebody kept too long, whether the sweep has been there or not."""
        ran_out = [one for one in self.lessons.values() if one.ran_out]
        lesson = ran_out[pick % len(ran_out)]
        minute = 60 * lesson.start.astimezone(BERLIN).hour + lesson.start.astimezone(BERLIN).minute
        self.book_or_hold(student=student, type_=lesson.type, teacher=lesson.teacher, minute=minute, hold=hold)

    @precondition(lambda self: any(one.state == "confirmed" for one in self.lessons.values()))
    @rule(pick=st.integers(0, 99))
    def cancel_one(self, pick: int) -> None:
        booked = [one for one in self.lessons.values() if one.state == "confirmed"]
        lesson = booked[pick % len(booked)]
        data = BookingCancel("")
        self.desk.own(lesson.student, lambda session, by: service.cancel(session, lesson.id, data, by=by))
        del self.lessons[lesson.id]
        with_again = (AlreadyCancelled,)
        self.do(
            lambda: self.desk.own(
                lesson.student, lambda session, by: service.cancel(session, lesson.id, data, by=by)
            ),
            possible=False,
            refusals=with_again,
        )

    @precondition(lambda self: any(one.state == "confirmed" for one in self.lessons.values()))
    @rule(pick=st.integers(0, 99), minute=st.sampled_from(STARTS))
    def move_one(self, pick: int, minute: int) -> None:
        booked = [one for one in self.lessons.values() if one.state == "confirmed"]
        lesson = booked[pick % len(booked)]
        to = self.at(0 if lesson.start < self.at(1, 0) else 1, minute)
        if to == lesson.start:
            return
        possible = self.free(lesson.type, lesson.teacher, to, without=lesson.id)
        possible = possible and not self.busy(lesson.student, to, without=lesson.id)
        view = self.do(
            lambda: self.desk.own(
                lesson.student,
                lambda session, by: service.move(session, lesson.id, BookingMove(starts_at=to), by=by),
            ),
            possible=possible,
            refusals=(SlotTaken, SlotNotOffered, StudentBusy),
        )
        if view is not None:
            lesson.start = to

    @rule(student=st.sampled_from(STUDENTS), teacher=st.sampled_from(TEACHERS), minute=st.sampled_from(STARTS))
    def book_two_weeks(self, student: str, teacher: str, minute: int) -> None:
        starts = [self.at(week, minute) for week in range(2)]
        possible = all(self.can_have(PLAIN, (teacher,), student, start) for start in starts)
        data = SeriesCreate(
            appointment_type_id=self.desk.school.types[PLAIN],
            starts_at=starts[0],
            times=2,
            instructor_id=self.desk.school.members[teacher],
        )
        series = self.do(
            lambda: self.desk.own(student, lambda session, by: service.book_series(session, data, by=by)),
            possible=possible,
            refusals=(SeriesConflict,),
        )
        if series is not None:
            assert [lesson.starts_at for lesson in series.lessons] == starts
            for lesson in series.lessons:
                self.note(lesson, "confirmed")


class Seats(Walk):
    """A class of two that is full from the start: seats, holds of them, and its waiting list."""

    @initialize()
    def fill_the_class(self) -> None:
        self.open_the_day()
        for student in (MIA, LEO):
            self.take_a_seat(student=student, hold=False)

    @rule(student=st.sampled_from(STUDENTS), hold=st.booleans())
    def take_a_seat(self, student: str, hold: bool) -> None:
        assert self.choir is not None
        then = self.choir.after_letting_go()
        seated = any(who == student for who, _ in then.seats.values())
        possible = not seated and then.taken() < SEATS
        wanted: dict[str, Any] = {
            "appointment_type_id": self.desk.school.types[CHOIR],
            "starts_at": self.choir.start,
            "session_id": self.choir.id,
        }
        if hold:
            possible = possible and self.held_by(student) < 3
        verb: Any = service.hold if hold else service.book
        data: Any = HoldCreate(**wanted) if hold else BookingCreate(**wanted)
        view = self.do(
            lambda: self.desk.own(student, lambda session, by: verb(session, data, by=by)),
            possible=possible,
            refusals=(ClassFull, StudentBusy, TooManyHolds),
        )
        if view is not None:
            self.choir.let_go()
            self.choir.seats[view.id] = (student, "held" if hold else "confirmed")
            self._leaves_the_list(student)

    def _leaves_the_list(self, student: str) -> None:
        assert self.choir is not None
        for one in [one for one in self.choir.waiting if one.student == student]:
            self.choir.waiting.remove(one)
            if one.offered:
                self.choir.offer()

    @precondition(lambda self: self.choir is not None and bool(self.choir.seats))
    @rule(pick=st.integers(0, 99), what=st.sampled_from(("end", "end", "confirm", "run out")))
    def change_a_seat(self, pick: int, what: str) -> None:
        assert self.choir is not None
        booking_id = list(self.choir.seats)[pick % len(self.choir.seats)]
        student, state = self.choir.seats[booking_id]
        if state == "confirmed":
            data = BookingCancel("")
            self.desk.own(student, lambda session, by: service.cancel(session, booking_id, data, by=by))
        elif what == "run out":
            self.run_out("bookings", booking_id)
            self.choir.ran_out.add(booking_id)
            return
        elif what == "confirm":
            view = self.do(
                lambda: self.desk.own(
                    student,
                    lambda session, by: service.confirm_hold(session, booking_id, HoldConfirm(), by=by),
                ),
                possible=booking_id not in self.choir.ran_out,
                refusals=(HoldExpired,),
            )
            if view is not None:
                self.choir.seats[booking_id] = (student, "confirmed")
            return
        else:
            self.desk.own(student, lambda session, by: service.release_hold(session, booking_id, by=by))
        self.choir.ran_out.discard(booking_id)
        del self.choir.seats[booking_id]
        self.choir.offer()

    @rule(student=st.sampled_from(STUDENTS))
    def wait_for_a_seat(self, student: str) -> None:
        assert self.choir is not None
        then = self.choir.after_letting_go()
        seated = any(who == student for who, _ in then.seats.values())
        possible = not seated and then.taken() == SEATS
        data = WaitlistJoin(session_id=self.choir.id)
        entry = self.do(
            lambda: self.desk.own(student, lambda session, by: service.join_waitlist(session, data, by=by)),
            possible=possible,
            refusals=(SeatsLeft, InClassAlready),
        )
        if entry is not None:
            self.choir.let_go()
            if all(one.id != entry.id for one in self.choir.waiting):
                self.choir.waiting.append(Waiting(entry.id, student))

    @precondition(lambda self: self.choir is not None and bool(self.choir.waiting))
    @rule(pick=st.integers(0, 99), what=st.sampled_from(("accept", "accept", "leave", "run out")))
    def answer(self, pick: int, what: str) -> None:
        assert self.choir is not None
        entry = self.choir.waiting[pick % len(self.choir.waiting)]
        if what == "run out":
            if entry.offered:
                self.run_out("waitlist_entries", entry.id)
                entry.ran_out = True
        elif what == "leave":
            self.desk.own(entry.student, lambda session, by: service.leave_waitlist(session, entry.id, by=by))
            self.choir.waiting.remove(entry)
            if entry.offered:
                self.choir.offer()
        else:
            # A hold of their own that has run out is in nobody's way, but still in the class.
            data = WaitlistAccept()
            view = self.do(
                lambda: self.desk.own(
                    entry.student, lambda session, by: service.accept_offer(session, entry.id, data, by=by)
                ),
                possible=entry.offered and not entry.ran_out,
                refusals=(OfferEnded,),
            )
            if view is not None:
                self.choir.waiting.remove(entry)
                self.choir.seats[view.id] = (entry.student, "confirmed")


async def _release(booking_id: uuid.UUID, session: AsyncSession, by: Member) -> None:
    await service.release_hold(session, booking_id, by=by)


@pytest.fixture(scope="module")
def school(harmony: Desk) -> Desk:
    """Two kinds of lessons and a class, with as few rules as there can be."""
    desk = harmony
    options = {"minimum_notice_minutes": 0, "cancellation_notice_minutes": 0, "reschedule_notice_minutes": 0}
    options |= {"most_reschedules": None, "horizon_days": 365, "buffer_after_minutes": AFTER}  # type: ignore[dict-item]
    studio, hall = (desk.school.locations[name] for name in ("Studio Linden", "Kreuzberg Hall"))
    desk.own(CLARA, lambda session, by: appointments.create_room(session, studio, RoomCreate("Blue", 1), by=by))
    desk.add_type(ROOMY, list(TEACHERS), location_ids=[studio], **options)
    desk.add_type(PLAIN, list(TEACHERS), location_ids=[hall], **options)
    desk.add_class(
        CHOIR,
        [IDA],
        location_ids=[hall],
        start_interval_minutes=None,
        minimum_notice_minutes=0,
        cancellation_notice_minutes=0,
        horizon_days=365,
    )
    Walk.desk = desk
    return desk


@pytest.mark.parametrize("machine", [Lessons, Seats])
def test_a_random_walk_leaves_what_the_model_says(school: Desk, desk: Desk, machine: type[Walk]) -> None:
    del school, desk
    before = Walk.walks
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=True,
            # A walk that fails is told as it was: making it shorter would take a year of Tuesdays.
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Walk.walks >= before + WALKS
