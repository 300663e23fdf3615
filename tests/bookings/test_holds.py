"""Holds: a time is kept for a while, counts like a lesson, and gives way when it has run out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.errors import (
    ClassFull,
    HoldExpired,
    SlotTaken,
    StudentBusy,
    TooLateToMove,
    TooManyHolds,
)
from coursecove.bookings.expiry import sweep
from coursecove.bookings.schemas import BookingView, HoldConfirm, HoldCreate
from coursecove.errors import Conflict, Forbidden, Invalid, NotFound
from coursecove.resources import Resources
from tests.bookings.desk import CLARA, IDA, LEO, MIA, PRIYA, TOMAS, Desk, berlin

FIDDLE, STRUM = "Fiddle", "Strum"


@pytest.fixture(scope="module", autouse=True)
def _lessons(harmony: Desk) -> None:
    harmony.add_type(FIDDLE, [IDA], location_ids=[harmony.school.locations["Studio Linden"]])
    harmony.add_type(STRUM, [TOMAS])


RUN_OUT = """
update bookings set held_until = now() - interval '1 second' where id = :id
"""


def place_hold(desk: Desk, email: str, name: str, starts_at: datetime, **options: object) -> BookingView:
    teacher = options.pop("teacher", None)
    student = options.pop("student", None)
    data = HoldCreate(
        appointment_type_id=desk.school.types[name],
        starts_at=starts_at,
        instructor_id=desk.school.members[str(teacher)] if teacher else None,
        student_id=desk.school.members[str(student)] if student else None,
        **options,  # type: ignore[arg-type]
    )
    return desk.own(email, lambda session, by: service.hold(session, data, by=by))


def confirm(desk: Desk, email: str, booking: BookingView, **details: object) -> BookingView:
    data = HoldConfirm(**details)  # type: ignore[arg-type]
    return desk.own(email, lambda session, by: service.confirm_hold(session, booking.id, data, by=by))


def release(desk: Desk, email: str, booking: BookingView) -> None:
    desk.own(email, lambda session, by: service.release_hold(session, booking.id, by=by))


def run_out(desk: Desk, booking: BookingView) -> None:
    """Let a hold's time be over, by the clock of the database."""

    async def work(session: AsyncSession) -> None:
        from sqlalchemy import text

        await session.execute(text(RUN_OUT), {"id": booking.id})
        await session.execute(
            text("update sessions set held_until = now() - interval '1 second' where id = :id"),
            {"id": booking.session_id},
        )

    desk.run(work)


def status_of(desk: Desk, booking: BookingView) -> str:
    [(status,)] = desk.rows("select status from bookings where id = :id", id=booking.id)
    return str(status)


def test_a_held_time_is_offered_to_nobody_else_and_becomes_a_lesson(desk: Desk) -> None:
    start = berlin(4, 10)
    held = place_hold(desk, MIA, FIDDLE, start, teacher=IDA)
    assert (held.status, held.is_own, held.confirmed_at) == ("held", True, None)
    assert held.held_until is not None
    [(minutes,)] = desk.rows(
        "select extract(epoch from held_until - now()) / 60 from bookings where id = :id", id=held.id
    )
    assert 9 < minutes <= 10
    assert start not in {slot.starts_at for slot in desk.slots(FIDDLE, start, teacher=IDA)}
    with pytest.raises(SlotTaken):
        desk.book(LEO, FIDDLE, start, teacher=IDA)
    booked = confirm(desk, MIA, held, note="Bars 1 to 8")
    assert (booked.id, booked.status, booked.note) == (held.id, "confirmed", "Bars 1 to 8")
    assert booked.held_until is None
    assert desk.rows("select held_until from sessions where id = :id", id=booked.session_id) == [(None,)]
    assert len(desk.facts(held.id, "hold.placed")) == len(desk.facts(held.id, "booking.confirmed")) == 1
    # Confirming again is no second booking.
    assert confirm(desk, MIA, held).revision == booked.revision


def test_a_hold_that_has_run_out_gives_way_to_whoever_books_without_any_sweep(desk: Desk) -> None:
    start = berlin(4, 15)
    held = place_hold(desk, MIA, FIDDLE, start, teacher=IDA)
    run_out(desk, held)
    assert start in {slot.starts_at for slot in desk.slots(FIDDLE, start, teacher=IDA)}
    booked = desk.book(LEO, FIDDLE, start, teacher=IDA)
    assert booked.status == "confirmed"
    assert status_of(desk, held) == "expired"
    [expired] = desk.facts(held.id, "hold.expired")
    assert expired["student_id"] == str(desk.school.members[MIA])
    with pytest.raises(HoldExpired):
        confirm(desk, MIA, held)


def test_a_hold_that_has_run_out_cannot_be_confirmed_even_when_nobody_else_came(desk: Desk) -> None:
    held = place_hold(desk, MIA, FIDDLE, berlin(4, 14), teacher=IDA)
    run_out(desk, held)
    with pytest.raises(HoldExpired):
        confirm(desk, MIA, held)


def test_a_hold_that_has_run_out_is_in_the_way_of_no_other_lesson_of_the_student(desk: Desk) -> None:
    """The exclusion constraint per student counts holds as well; an instructor cannot see them."""
    held = place_hold(desk, MIA, FIDDLE, berlin(5, 14), teacher=IDA)
    with pytest.raises(StudentBusy):
        desk.book(TOMAS, STRUM, berlin(5, 14), student=MIA)
    run_out(desk, held)
    assert desk.book(TOMAS, STRUM, berlin(5, 14), student=MIA).status == "confirmed"
    assert status_of(desk, held) == "expired"


def test_a_lesson_can_be_moved_onto_a_hold_that_has_run_out(desk: Desk) -> None:
    held = place_hold(desk, MIA, FIDDLE, berlin(5, 9), teacher=IDA)
    run_out(desk, held)
    lesson = desk.book(LEO, FIDDLE, berlin(5, 11), teacher=IDA)
    assert desk.move(LEO, lesson, berlin(5, 9)).starts_at == berlin(5, 9)


def test_the_sweep_ends_what_has_run_out_and_nothing_else(desk: Desk, resources: Resources) -> None:
    ended = place_hold(desk, MIA, FIDDLE, berlin(6, 10), teacher=IDA)
    kept = place_hold(desk, LEO, FIDDLE, berlin(6, 11), teacher=IDA)
    run_out(desk, ended)
    sent: list[tuple[object, dict[str, object]]] = []

    class Queue:
        async def send(self, job: object, **ids: object) -> None:
            sent.append((job, ids))

    from dataclasses import replace

    desk.loop.run(sweep(replace(resources, queue=Queue())))  # type: ignore[arg-type]
    assert str(ended.session_id) in {str(ids["session_id"]) for _, ids in sent}
    assert str(kept.session_id) not in {str(ids["session_id"]) for _, ids in sent}
    for job, ids in sent:
        desk.loop.run(job.run(resources, **{name: str(value) for name, value in ids.items()}))  # type: ignore[attr-defined]
    assert (status_of(desk, ended), status_of(desk, kept)) == ("expired", "held")


def test_expiry_goes_by_the_clock_of_the_database(desk: Desk, travel: Callable[[datetime], None]) -> None:
    """Ten minutes wrong in one process are nothing to a hold: neither lost early nor kept late."""
    held = place_hold(desk, MIA, FIDDLE, berlin(6, 14), teacher=IDA)
    for off in (timedelta(minutes=10), timedelta(minutes=-10), timedelta(hours=2)):
        travel(berlin(3, 9) + off)
        with pytest.raises(SlotTaken):
            desk.book(LEO, FIDDLE, berlin(6, 14), teacher=IDA)
    travel(berlin(3, 9) + timedelta(minutes=30))
    assert confirm(desk, MIA, held).status == "confirmed"


def test_a_seat_in_a_class_is_held_and_given_back(desk: Desk) -> None:
    desk.add_class("Held choir", [IDA], start_interval_minutes=None)
    [choir] = desk.schedule(CLARA, "Held choir", berlin(10, 10), teacher=IDA, place="Studio Linden", capacity=1)
    held = place_hold(desk, MIA, "Held choir", berlin(10, 10))
    with pytest.raises(ClassFull):
        desk.book(LEO, "Held choir", berlin(10, 10))
    release(desk, MIA, held)
    assert status_of(desk, held) == "expired"
    again = place_hold(desk, MIA, "Held choir", berlin(10, 10))
    run_out(desk, again)
    [slot] = desk.slots("Held choir", berlin(10, 9))
    assert slot.seats_left == 1
    seat = desk.book(LEO, "Held choir", berlin(10, 10))
    assert seat.seats_taken == 1
    row = desk.rows("select seats_taken, held_until from sessions where id = :id", id=choir.id)
    assert row == [(1, None)]
    # Letting go twice, and of what has run out, is fine; a lesson is not let go of.
    release(desk, MIA, again)
    with pytest.raises(Conflict):
        release(desk, LEO, seat)


def test_a_hold_is_no_lesson_yet(desk: Desk) -> None:
    """It stands in no list, and is neither moved nor cancelled; nobody hears of it."""
    held = place_hold(desk, PRIYA, FIDDLE, berlin(7, 10), teacher=IDA)
    mine = desk.own(PRIYA, lambda session, by: service.list_bookings(session, viewer=by, from_=berlin(7, 0)))
    assert held.id not in {booking.id for booking in mine.items}
    asked = desk.own(PRIYA, lambda session, by: service.list_bookings(session, viewer=by, status="held"))
    assert held.id in {booking.id for booking in asked.items}
    assert not held.can_move
    assert not held.can_cancel
    with pytest.raises(Conflict):
        desk.cancel(PRIYA, held)
    with pytest.raises(TooLateToMove):
        desk.move(CLARA, held, berlin(7, 11))
    release(desk, PRIYA, held)
    assert desk.facts(held.id, "booking.cancelled") == []
    assert len(desk.facts(held.id, "hold.released")) == 1


def test_nobody_confirms_or_lets_go_of_another_students_hold(desk: Desk) -> None:
    held = place_hold(desk, MIA, FIDDLE, berlin(7, 14), teacher=IDA)
    for attack in (confirm, release):
        with pytest.raises(NotFound):
            attack(desk, LEO, held)
    assert status_of(desk, held) == "held"
    with pytest.raises(NotFound):
        desk.own(LEO, lambda session, by: service.release_hold(session, uuid.uuid4(), by=by))
    with pytest.raises(Forbidden):
        place_hold(desk, LEO, FIDDLE, berlin(7, 13), student=MIA)


def test_a_student_keeps_three_times_at_most(desk: Desk) -> None:
    desk.add_type("Short one", [IDA, TOMAS], duration_minutes=15)
    held = [place_hold(desk, PRIYA, "Short one", berlin(11, 9 + hour)) for hour in range(3)]
    with pytest.raises(TooManyHolds):
        place_hold(desk, PRIYA, "Short one", berlin(11, 15))
    assert berlin(11, 15) in {slot.starts_at for slot in desk.slots("Short one", berlin(11, 14))}
    release(desk, PRIYA, held[0])
    place_hold(desk, PRIYA, "Short one", berlin(11, 15))


def test_where_lessons_need_approval_a_confirmed_hold_is_a_request(desk: Desk) -> None:
    desk.add_type("By arrangement", [IDA], requires_approval=True)
    held = place_hold(desk, MIA, "By arrangement", berlin(12, 10))
    assert (held.status, held.approve_by) == ("held", None)
    asked = confirm(desk, MIA, held)
    assert asked.status == "pending"
    assert asked.approve_by is not None
    assert len(desk.facts(held.id, "booking.requested")) == 1


def test_what_the_school_wants_to_know_is_asked_when_a_hold_is_confirmed(desk: Desk) -> None:
    desk.add_type("At your place", [IDA], location_mode="students_place", location_ids=[])
    held = place_hold(desk, MIA, "At your place", berlin(14, 12), postcode="10999")
    with pytest.raises(Invalid) as refused:
        confirm(desk, MIA, held)
    assert set(refused.value.fields) == {"address"}
    assert confirm(desk, MIA, held, address="Linden Street 3").address == "Linden Street 3"


def test_of_a_confirmation_and_the_end_of_a_hold_one_wins(desk: Desk) -> None:
    """Twenty holds end in the moment they are confirmed, while somebody else books: one has each time."""
    import asyncio

    from coursecove.bookings.schemas import BookingCreate
    from coursecove.db.session import SYSTEM
    from coursecove.tenants import service as tenants

    start = berlin(13, 10)
    type_id, ida = desk.school.types[FIDDLE], desk.school.members[IDA]

    async def as_(email: str, verb: Callable[..., object]) -> object:
        async with desk.database.organization(desk.school.organization_id, acting=SYSTEM) as session:
            by = await tenants.get_member(session, desk.school.members[email])
            return await verb(session, by)  # type: ignore[misc]

    async def race(held: BookingView, delay: float) -> list[object]:
        wanted = BookingCreate(appointment_type_id=type_id, starts_at=start, instructor_id=ida)

        async def late(work: object) -> object:
            await asyncio.sleep(delay)
            return await work  # type: ignore[misc]

        return list(
            await asyncio.gather(
                late(as_(MIA, lambda s, by: service.confirm_hold(s, held.id, HoldConfirm(), by=by))),
                late(as_(LEO, lambda s, by: service.book(s, wanted, by=by))),
                return_exceptions=True,
            )
        )

    async def expire_soon(session: AsyncSession, held: BookingView) -> None:
        from sqlalchemy import text

        for table, id_ in (("bookings", held.id), ("sessions", held.session_id)):
            await session.execute(
                text(f"update {table} set held_until = clock_timestamp() + interval '120 ms' where id = :id"),
                {"id": id_},
            )

    winners: list[str] = []
    for number in range(20):
        held = place_hold(desk, MIA, FIDDLE, start, teacher=IDA)
        desk.run(lambda session, held=held: expire_soon(session, held))  # type: ignore[misc]
        answers = desk.loop.run(race(held, 0.08 + number * 0.004))
        booked = [answer for answer in answers if isinstance(answer, BookingView)]
        refused = [answer for answer in answers if not isinstance(answer, BookingView)]
        assert len(booked) <= 1, answers
        assert all(isinstance(answer, HoldExpired | SlotTaken) for answer in refused), refused
        live = desk.rows(
            "select count(*) from sessions where starts_at = :at and cancelled_at is null "
            "and instructor_id = :ida",
            at=start,
            ida=ida,
        )
        assert live[0][0] <= 1
        for answer in booked:
            winners.append(answer.student.name)
            desk.cancel(MIA if answer.id == held.id else LEO, answer)
    assert winners
