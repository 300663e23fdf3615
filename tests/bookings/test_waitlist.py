"""Waiting lists: a freed seat is offered in order, kept until it is answered, and never taken for anybody."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.class_schemas import ClassCancel, ClassView
from coursecove.bookings.errors import ClassFull, InClassAlready, OfferEnded, SeatsLeft, StudentBusy
from coursecove.bookings.expiry import end_waitlists, sweep
from coursecove.bookings.schemas import BookingView, WaitlistAccept, WaitlistEntryView, WaitlistJoin
from coursecove.errors import Conflict, Forbidden, Invalid, NotFound
from coursecove.resources import Resources
from coursecove.tenants import service as tenants
from coursecove.tenants.family import ChildCreate
from coursecove.tenants.schemas import OrganizationUpdate
from tests.bookings.desk import CLARA, IDA, LEO, MIA, PRIYA, TOMAS, Desk, berlin

CHOIR = "Waiting choir"


@pytest.fixture(scope="module", autouse=True)
def _lessons(harmony: Desk) -> None:
    harmony.add_class(CHOIR, [IDA], start_interval_minutes=None)
    harmony.add_type("Fiddle", [TOMAS])


def schedule(desk: Desk, day: int, hour: int = 10, *, capacity: int = 1) -> ClassView:
    [made] = desk.schedule(
        CLARA, CHOIR, berlin(day, hour), teacher=IDA, place="Studio Linden", capacity=capacity
    )
    return made


def take(desk: Desk, email: str, choir: ClassView) -> BookingView:
    return desk.book(email, CHOIR, choir.starts_at, session_id=choir.id)


def join(desk: Desk, email: str, choir: ClassView, student_id: uuid.UUID | None = None) -> WaitlistEntryView:
    data = WaitlistJoin(session_id=choir.id, student_id=student_id)
    return desk.own(email, lambda session, by: service.join_waitlist(session, data, by=by))


def look(desk: Desk, email: str, entry: WaitlistEntryView) -> WaitlistEntryView:
    return desk.own(email, lambda session, by: service.get_entry(session, entry.id, viewer=by))


def accept(desk: Desk, email: str, entry: WaitlistEntryView) -> BookingView:
    return desk.own(email, lambda session, by: service.accept_offer(session, entry.id, WaitlistAccept(), by=by))


def leave(desk: Desk, email: str, entry: WaitlistEntryView) -> None:
    desk.own(email, lambda session, by: service.leave_waitlist(session, entry.id, by=by))


def run_out(desk: Desk, entry: WaitlistEntryView) -> None:
    """Let an offer's time be over, by the clock of the database."""

    async def work(session: AsyncSession) -> None:
        past = "now() - interval '1 second'"
        await session.execute(
            text(f"update waitlist_entries set offer_expires_at = {past} where id = :id"), {"id": entry.id}
        )
        await session.execute(
            text(f"update sessions set held_until = {past} where id = :id"), {"id": entry.session_id}
        )

    desk.run(work)


def seats_of(desk: Desk, choir: ClassView) -> tuple[int, int, int]:
    """What the session counts, its live bookings, and its open offers."""
    [row] = desk.rows(
        "select seats_taken, (select count(*) from bookings where session_id = s.id and cancelled_at is null), "
        "(select count(*) from waitlist_entries where session_id = s.id and offered_at is not null "
        " and accepted_at is null and ended_at is null) from sessions s where id = :id",
        id=choir.id,
    )
    return tuple(row)


def offered_minutes(desk: Desk, entry: WaitlistEntryView) -> int:
    """How long an offer lasts."""
    lasts = "extract(epoch from offer_expires_at - offered_at) / 60"
    [(minutes,)] = desk.rows(f"select round({lasts}) from waitlist_entries where id = :id", id=entry.id)
    return int(minutes)


def test_a_freed_seat_is_offered_to_whoever_waited_longest_and_to_nobody_else(desk: Desk) -> None:
    choir = schedule(desk, 4)
    seat = take(desk, MIA, choir)
    first, second = join(desk, LEO, choir), join(desk, PRIYA, choir)
    assert [(entry.status, entry.position) for entry in (first, second)] == [("waiting", 1), ("waiting", 2)]
    desk.cancel(MIA, seat)
    offered = look(desk, LEO, first)
    assert (offered.status, offered.position, offered.can_accept) == ("offered", None, True)
    # As the school says, unless the class comes first.
    assert offered_minutes(desk, first) == 720
    assert (look(desk, PRIYA, second).status, look(desk, PRIYA, second).position) == ("waiting", 1)
    assert seats_of(desk, choir) == (1, 0, 1)
    # The seat is kept: neither the one who gave it back nor the second in line gets it.
    for email in (MIA, PRIYA):
        with pytest.raises(ClassFull):
            take(desk, email, choir)
    with pytest.raises(OfferEnded):
        accept(desk, PRIYA, second)
    booked = accept(desk, LEO, first)
    assert (booked.status, booked.session_id) == ("confirmed", choir.id)
    assert seats_of(desk, choir) == (1, 1, 0)
    assert look(desk, LEO, first).status == "accepted"
    [fact] = desk.facts(first.id, "waitlist.offered")
    assert (fact["student_id"], fact["session_id"]) == (str(desk.school.members[LEO]), str(choir.id))
    assert fact["offer_expires_at"]
    assert desk.facts(booked.id, "booking.confirmed")[0]["from_waitlist"] is True


def test_a_declined_or_lapsed_offer_goes_to_the_next(desk: Desk, resources: Resources) -> None:
    choir = schedule(desk, 5)
    seat = take(desk, MIA, choir)
    leo, priya, tomas = (join(desk, email, choir) for email in (LEO, PRIYA, TOMAS))
    desk.cancel(MIA, seat)
    leave(desk, LEO, leo)
    assert (look(desk, LEO, leo).status, look(desk, PRIYA, priya).status) == ("declined", "offered")
    run_out(desk, priya)
    assert look(desk, PRIYA, priya).status == "lapsed"
    with pytest.raises(OfferEnded):
        accept(desk, PRIYA, priya)
    # Whoever wants a seat clears the way, but the next in line is served first.
    with pytest.raises(ClassFull):
        take(desk, MIA, choir)
    run_periodic(desk, resources, sweep)
    assert look(desk, TOMAS, tomas).status == "offered"
    assert seats_of(desk, choir) == (1, 0, 1)
    leave(desk, TOMAS, tomas)
    assert seats_of(desk, choir) == (0, 0, 0)
    assert take(desk, MIA, choir).status == "confirmed"


def test_a_lapsed_offer_of_the_last_in_line_is_anybodys_without_any_sweep(desk: Desk) -> None:
    choir = schedule(desk, 6)
    seat = take(desk, MIA, choir)
    leo = join(desk, LEO, choir)
    desk.cancel(MIA, seat)
    run_out(desk, leo)
    [slot] = desk.slots(CHOIR, choir.starts_at, days=0.1)
    assert slot.seats_left == 1
    assert take(desk, PRIYA, choir).status == "confirmed"
    assert look(desk, LEO, leo).status == "lapsed"
    assert seats_of(desk, choir) == (1, 1, 0)


class _Queue:
    """Remembers what would be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, dict[str, str]]] = []

    async def send(self, job: Any, **ids: Any) -> None:
        self.sent.append((job, {name: str(value) for name, value in ids.items()}))


def run_periodic(desk: Desk, resources: Resources, periodic: Callable[[Resources], Any]) -> None:
    queue = _Queue()
    desk.loop.run(periodic(replace(resources, queue=queue)))  # type: ignore[arg-type]
    for job, ids in queue.sent:
        desk.loop.run(job.run(resources, **ids))


def test_the_sweep_passes_a_lapsed_offer_on(desk: Desk, resources: Resources) -> None:
    choir = schedule(desk, 10)
    seat = take(desk, MIA, choir)
    leo, priya = join(desk, LEO, choir), join(desk, PRIYA, choir)
    desk.cancel(MIA, seat)
    run_out(desk, leo)
    run_periodic(desk, resources, sweep)
    assert (look(desk, LEO, leo).status, look(desk, PRIYA, priya).status) == ("lapsed", "offered")


def test_near_the_class_an_offer_is_short_and_in_the_last_minutes_there_is_none(
    desk: Desk, travel: Callable[[datetime], None]
) -> None:
    """Inside the cut-off nobody is enrolled without saying yes; a seat that frees up too late is anybody's."""
    choir = schedule(desk, 11)
    seat = take(desk, MIA, choir)
    leo = join(desk, LEO, choir)
    travel(choir.starts_at - timedelta(hours=2))
    desk.cancel(CLARA, seat)
    minutes = offered_minutes(desk, leo)
    assert minutes == 60
    assert desk.rows(
        "select count(*) from bookings where session_id = :id and status = 'confirmed'", id=choir.id
    ) == [(0,)]
    travel(choir.starts_at - timedelta(minutes=90))
    # The notice that students must keep does not stop whom the school asks.
    booked = accept(desk, LEO, leo)
    assert "too_soon" in desk.get(CLARA, booked.id).overridden_rules
    priya = join(desk, PRIYA, choir)
    travel(choir.starts_at - timedelta(minutes=20))
    desk.cancel(CLARA, booked)
    assert look(desk, PRIYA, priya).status == "waiting"
    assert seats_of(desk, choir) == (0, 0, 0)


def test_a_school_says_how_long_a_seat_is_kept(desk: Desk) -> None:
    def keep(minutes: int) -> None:
        changes = OrganizationUpdate(waitlist_offer_minutes=minutes)
        desk.own(CLARA, lambda session, by: tenants.update_organization(session, changes, by=by))

    choir = schedule(desk, 12)
    seat = take(desk, MIA, choir)
    leo = join(desk, LEO, choir)
    keep(90)
    try:
        desk.cancel(MIA, seat)
    finally:
        keep(720)
    minutes = offered_minutes(desk, leo)
    assert minutes == 90


def test_who_cannot_wait_is_told_why(desk: Desk) -> None:
    choir = schedule(desk, 13)
    with pytest.raises(SeatsLeft):
        join(desk, LEO, choir)
    take(desk, MIA, choir)
    with pytest.raises(InClassAlready):
        join(desk, MIA, choir)
    with pytest.raises(Invalid):
        join(desk, IDA, choir)
    with pytest.raises(Forbidden):
        join(desk, LEO, choir, desk.school.members[PRIYA])
    again = join(desk, LEO, choir)
    assert join(desk, LEO, choir).id == again.id
    with pytest.raises(NotFound):
        desk.own(
            LEO,
            lambda session, by: service.join_waitlist(session, WaitlistJoin(session_id=uuid.uuid4()), by=by),
        )
    # Staff put a student on their own class's list.
    assert join(desk, IDA, choir, desk.school.members[PRIYA]).position == 2


def test_nobody_sees_or_answers_for_another_who_waits(desk: Desk) -> None:
    choir = schedule(desk, 17)
    seat = take(desk, MIA, choir)
    leo, priya = join(desk, LEO, choir), join(desk, PRIYA, choir)
    desk.cancel(MIA, seat)
    for attack in (look, accept, leave):
        with pytest.raises(NotFound):
            attack(desk, PRIYA, leo)
    mine = desk.own(PRIYA, lambda session, by: service.list_waitlist(session, viewer=by, session_id=choir.id))
    assert [(entry.id, entry.position) for entry in mine] == [(priya.id, 1)]
    theirs = desk.own(IDA, lambda session, by: service.list_waitlist(session, viewer=by, session_id=choir.id))
    assert [entry.student.name.partition(" ")[0] for entry in theirs] == ["Leo", "Priya"]
    others = desk.own(TOMAS, lambda session, by: service.list_waitlist(session, viewer=by, session_id=choir.id))
    assert others == []
    full = desk.own(PRIYA, lambda session, by: service.get_class(session, choir.id, viewer=by))
    assert (full.waiting, full.seats_left, full.seats) == (1, 0, None)


def test_a_guardian_waits_and_accepts_for_a_child(desk: Desk) -> None:
    child = desk.own(MIA, lambda session, by: tenants.add_child(session, ChildCreate(given_name="Nele"), by=by))
    choir = schedule(desk, 18)
    seat = take(desk, LEO, choir)
    entry = join(desk, MIA, choir, child.id)
    assert (entry.is_own, entry.student.id) == (True, child.id)
    desk.cancel(LEO, seat)
    assert accept(desk, MIA, entry).student.id == child.id
    [fact] = desk.facts(entry.id, "waitlist.offered")
    assert fact["joined_by_id"] == str(desk.school.members[MIA])


def test_whoever_has_another_lesson_meanwhile_keeps_the_offer(desk: Desk) -> None:
    """The refusal leaves everything as it was: cancel the other lesson, accept, done."""
    choir = schedule(desk, 19, 14)
    seat = take(desk, MIA, choir)
    leo = join(desk, LEO, choir)
    other = desk.book(CLARA, "Fiddle", choir.starts_at, teacher=TOMAS, student=LEO, override_rules=True)
    desk.cancel(MIA, seat)
    with pytest.raises(StudentBusy):
        accept(desk, LEO, leo)
    assert look(desk, LEO, leo).status == "offered"
    assert seats_of(desk, choir) == (1, 0, 1)
    desk.cancel(CLARA, other)
    assert accept(desk, LEO, leo).status == "confirmed"


def test_a_seat_somebody_gets_otherwise_takes_them_off_the_list(desk: Desk) -> None:
    choir = schedule(desk, 20, capacity=2)
    seats = [take(desk, MIA, choir), take(desk, PRIYA, choir)]
    leo = join(desk, LEO, choir)
    desk.cancel(MIA, seats[0])
    desk.cancel(PRIYA, seats[1])
    assert seats_of(desk, choir) == (1, 0, 1)
    assert take(desk, LEO, choir).status == "confirmed"
    assert look(desk, LEO, leo).status == "left"
    assert seats_of(desk, choir) == (1, 1, 0)


def test_a_cancelled_class_ends_its_list_and_one_that_begins_does_too(
    desk: Desk, resources: Resources, travel: Callable[[datetime], None]
) -> None:
    cancelled, begins = schedule(desk, 24), schedule(desk, 25)
    entries = {}
    for choir in (cancelled, begins):
        take(desk, MIA, choir)
        entries[choir.id] = join(desk, LEO, choir)
    desk.own(CLARA, lambda session, by: service.cancel_class(session, cancelled.id, ClassCancel(), by=by))
    assert look(desk, LEO, entries[cancelled.id]).status == "class_cancelled"
    [fact] = desk.facts(entries[cancelled.id].id, "waitlist.ended")
    assert fact["reason"] == "class_cancelled"
    run_periodic(desk, resources, end_waitlists)
    assert look(desk, LEO, entries[begins.id]).status == "waiting"
    travel(begins.starts_at)
    run_periodic(desk, resources, end_waitlists)
    assert look(desk, LEO, entries[begins.id]).status == "class_began"
    with pytest.raises(Conflict):
        join(desk, PRIYA, begins)
