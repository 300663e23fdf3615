"""Moves, holds, seats and offers at once: one winner each time, no deadlock, and every promise holds."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.errors import (
    ClassFull,
    OfferEnded,
    SlotNotOffered,
    SlotTaken,
    StudentBusy,
)
from coursecove.bookings.schemas import (
    BookingCancel,
    BookingCreate,
    BookingMove,
    BookingView,
    HoldCreate,
    WaitlistAccept,
    WaitlistEntryView,
    WaitlistJoin,
)
from coursecove.bookings.series_schemas import SeriesCreate, SeriesView
from coursecove.db.session import SYSTEM
from coursecove.errors import Conflict
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member
from faults.promises import BROKEN
from tests.bookings.conftest import desk, harmony  # noqa: F401 - fixtures
from tests.bookings.desk import CLARA, IDA, LEO, MIA, PRIYA, TOMAS, Desk, berlin

Verb = Callable[[AsyncSession, Member], Awaitable[Any]]
FIDDLE, CHOIR = "Raced fiddle", "Raced choir"


@pytest.fixture(scope="module", autouse=True)
def _lessons(harmony: Desk) -> None:  # noqa: F811
    studio = harmony.school.locations["Studio Linden"]
    options: dict[str, Any] = {"location_ids": [studio], "horizon_days": 365}
    harmony.add_type(FIDDLE, [IDA], most_reschedules=None, **options)
    harmony.add_class(CHOIR, [IDA], start_interval_minutes=None, **options)


def at_once(desk: Desk, *attempts: tuple[str, Verb]) -> list[Any]:  # noqa: F811
    """Start everything in the same moment; return results and refusals, in order."""

    async def one(email: str, verb: Verb, ready: asyncio.Barrier) -> Any:
        async with desk.database.organization(desk.school.organization_id, acting=SYSTEM) as session:
            by = await tenants.get_member(session, desk.school.members[email])
            await ready.wait()
            return await verb(session, by)

    async def all_of_them() -> list[Any]:
        ready = asyncio.Barrier(len(attempts))
        return await asyncio.gather(
            *(one(email, verb, ready) for email, verb in attempts), return_exceptions=True
        )

    return desk.loop.run(all_of_them())


def moving(booking: BookingView, to: Any) -> Verb:
    return lambda session, by: service.move(session, booking.id, BookingMove(starts_at=to), by=by)


def booking(desk: Desk, start: Any, name: str = FIDDLE) -> Verb:  # noqa: F811
    data = BookingCreate(appointment_type_id=desk.school.types[name], starts_at=start)
    return lambda session, by: service.book(session, data, by=by)


def kinds(answers: list[Any]) -> Counter[str]:
    return Counter(type(answer).__name__ for answer in answers)


def deadlocks(desk: Desk) -> int:  # noqa: F811
    [(found,)] = desk.rows("select deadlocks from pg_stat_database where datname = current_database()")
    return int(found)


def test_two_who_move_onto_each_others_times_both_stay(desk: Desk) -> None:  # noqa: F811
    """A swap is no two moves; without the locks the two would wait for each other in a circle."""
    first = desk.book(MIA, FIDDLE, berlin(4, 14))
    second = desk.book(LEO, FIDDLE, berlin(4, 16))
    for _ in range(5):
        answers = at_once(desk, (MIA, moving(first, berlin(4, 16))), (LEO, moving(second, berlin(4, 14))))
        assert kinds(answers) == {"SlotTaken": 2}, answers
    assert desk.get(MIA, first.id).starts_at == berlin(4, 14)
    assert (desk.rows(BROKEN), deadlocks(desk)) == ([], 0)


def test_of_two_who_move_to_one_free_time_one_gets_it(desk: Desk) -> None:  # noqa: F811
    first = desk.book(MIA, FIDDLE, berlin(5, 9))
    second = desk.book(LEO, FIDDLE, berlin(5, 10))
    for number in range(5):
        to = berlin(5, 14) + timedelta(minutes=15 * number)
        answers = at_once(desk, (MIA, moving(first, to)), (LEO, moving(second, to)))
        assert kinds(answers) == {"BookingView": 1, "SlotTaken": 1}, answers
        for email, lesson, home in ((MIA, first, berlin(5, 9)), (LEO, second, berlin(5, 10))):
            if desk.get(email, lesson.id).starts_at != home:
                desk.move(email, lesson, home)
    assert (desk.rows(BROKEN), deadlocks(desk)) == ([], 0)


def test_a_student_who_moves_and_books_the_same_time_is_there_once(desk: Desk) -> None:  # noqa: F811
    lesson = desk.book(MIA, FIDDLE, berlin(6, 9))
    for number in range(6):
        to = berlin(6, 14) + timedelta(minutes=15 * number)
        answers = at_once(desk, (MIA, moving(lesson, to)), (MIA, booking(desk, to)), (LEO, booking(desk, to)))
        won = [answer for answer in answers if isinstance(answer, BookingView)]
        assert len(won) == 1, answers
        refused = [answer for answer in answers if not isinstance(answer, BookingView)]
        assert all(isinstance(answer, SlotTaken | StudentBusy | SlotNotOffered) for answer in refused), refused
        if won[0].id == lesson.id:
            desk.move(MIA, lesson, berlin(6, 9))
        else:
            desk.cancel(CLARA, won[0])
    assert (desk.rows(BROKEN), deadlocks(desk)) == ([], 0)


def test_a_hold_that_has_run_out_goes_to_one_of_all_who_want_its_time(desk: Desk) -> None:  # noqa: F811
    start = berlin(10, 14)
    wanted = HoldCreate(appointment_type_id=desk.school.types[FIDDLE], starts_at=start)
    for _ in range(5):
        held = desk.own(PRIYA, lambda session, by: service.hold(session, wanted, by=by))

        async def run_out(session: AsyncSession, held: BookingView = held) -> None:
            for table, id_ in (("bookings", held.id), ("sessions", held.session_id)):
                past = "held_until = now() - interval '1 second'"
                await session.execute(text(f"update {table} set {past} where id = :id"), {"id": id_})

        desk.run(run_out)
        answers = at_once(desk, *((email, booking(desk, start)) for email in (MIA, LEO, PRIYA, TOMAS)))
        assert kinds(answers) == {"BookingView": 1, "SlotTaken": 3}, answers
        [won] = [answer for answer in answers if isinstance(answer, BookingView)]
        desk.cancel(CLARA, won)
    assert (desk.rows(BROKEN), deadlocks(desk)) == ([], 0)


def test_a_class_never_holds_more_than_it_may(desk: Desk) -> None:  # noqa: F811
    people = (MIA, LEO, PRIYA, TOMAS, CLARA)
    for hour in (9, 10, 11):
        [choir] = desk.schedule(CLARA, CHOIR, berlin(11, hour), teacher=IDA, place="Studio Linden", capacity=2)
        answers = at_once(desk, *((email, booking(desk, choir.starts_at, CHOIR)) for email in people))
        assert kinds(answers) == {"BookingView": 2, "ClassFull": 3}, answers
    assert (desk.rows(BROKEN), deadlocks(desk)) == ([], 0)


def test_a_seat_is_given_back_taken_and_offered_at_once_and_counted_right(desk: Desk) -> None:  # noqa: F811
    """Somebody cancels, somebody books, the next in line accepts and another joins, all in one moment."""
    for hour in (14, 15, 16):
        [choir] = desk.schedule(CLARA, CHOIR, berlin(11, hour), teacher=IDA, place="Studio Linden", capacity=2)
        seats = {email: desk.book(email, CHOIR, choir.starts_at) for email in (MIA, LEO)}
        join = WaitlistJoin(session_id=choir.id)
        entry = desk.own(PRIYA, partial(_join, join))
        desk.cancel(MIA, seats[MIA])

        def accepting(session: AsyncSession, by: Member, entry_id: uuid.UUID = entry.id) -> Awaitable[Any]:
            return service.accept_offer(session, entry_id, WaitlistAccept(), by=by)

        def leaving(session: AsyncSession, by: Member, seat: BookingView = seats[LEO]) -> Awaitable[Any]:
            return service.cancel(session, seat.id, BookingCancel(""), by=by)

        answers = at_once(
            desk,
            (PRIYA, accepting),
            (PRIYA, accepting),
            (LEO, leaving),
            (TOMAS, booking(desk, choir.starts_at, CHOIR)),
            (CLARA, partial(_join, join)),
        )
        allowed = (OfferEnded, ClassFull, StudentBusy, Conflict)
        unexpected = [
            answer for answer in answers if isinstance(answer, Exception) and not isinstance(answer, allowed)
        ]
        assert not unexpected
        accepted = answers[:2]
        assert kinds(accepted)["BookingView"] == 1, answers
        assert desk.rows(BROKEN) == []
    assert deadlocks(desk) == 0


async def _join(data: WaitlistJoin, session: AsyncSession, by: Member) -> WaitlistEntryView:
    return await service.join_waitlist(session, data, by=by)


def test_two_series_that_cross_are_not_both_booked(desk: Desk) -> None:  # noqa: F811
    """All of one or all of the other, whoever is first; half of both would be a hole in two weeks."""

    def wanted(minute: int) -> Verb:
        data = SeriesCreate(
            appointment_type_id=desk.school.types[FIDDLE], starts_at=berlin(12, 14, minute), times=3
        )
        return lambda session, by: service.book_series(session, data, by=by)

    answers = at_once(desk, (MIA, wanted(0)), (LEO, wanted(15)), (PRIYA, wanted(30)))
    assert kinds(answers) == {"SeriesView": 1, "SeriesConflict": 2}, answers
    [won] = [answer for answer in answers if isinstance(answer, SeriesView)]
    assert len(won.lessons) == 3
    assert (desk.rows(BROKEN), deadlocks(desk)) == ([], 0)
