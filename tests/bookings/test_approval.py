"""Requests: who answers them, what they block, and when they lapse."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from coursecove.bookings import approval, service
from coursecove.bookings.errors import NotWaiting, SlotTaken, StudentBusy
from coursecove.bookings.schemas import BookingDecline, BookingView
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.resources import Resources
from tests.bookings.desk import CLARA, IDA, LEO, MIA, MONDAY, TOMAS, Desk, berlin
from tests.serving import Loop

ASKED = {"requires_approval": True, "approve_within_minutes": 60}


def _approve(desk: Desk, email: str, booking: BookingView) -> BookingView:
    return desk.own(email, lambda session, by: service.approve(session, booking.id, by=by))


def _decline(desk: Desk, email: str, booking: BookingView, reason: str = "") -> BookingView:
    data = BookingDecline(reason)
    return desk.own(email, lambda session, by: service.decline(session, booking.id, data, by=by))


@pytest.fixture
def asked(desk: Desk) -> Desk:
    if "By request" not in desk.school.types:
        desk.add_type("By request", [IDA], **ASKED)
    return desk


def test_a_student_asks_and_the_time_is_blocked_until_somebody_answers(asked: Desk) -> None:
    wanted = asked.book(MIA, "By request", berlin(5, 9))
    assert (wanted.status, wanted.confirmed_at) == ("pending", None)
    assert wanted.approve_by == MONDAY + timedelta(minutes=60)
    assert not wanted.can_decide
    with pytest.raises(SlotTaken):
        asked.book(LEO, "Violin lesson", berlin(5, 9))
    with pytest.raises(StudentBusy):
        asked.book(MIA, "Guitar lesson", berlin(5, 9))
    assert asked.get(IDA, wanted.id).can_decide
    done = _approve(asked, IDA, wanted)
    assert (done.status, done.revision, done.approve_by) == ("confirmed", 1, None)
    assert done.confirmed_at is not None
    [fact] = asked.facts(wanted.id, "booking.confirmed")
    assert (fact["approved"], fact["revision"]) == (True, 1)
    assert asked.facts(wanted.id, "booking.requested")[0]["revision"] == 0
    for again in (_approve, _decline):
        with pytest.raises(NotWaiting):
            again(asked, CLARA, wanted)


def test_who_books_for_a_student_asks_nobody(asked: Desk) -> None:
    assert asked.book(CLARA, "By request", berlin(5, 10, 15), student=LEO).status == "confirmed"
    assert asked.book(IDA, "By request", berlin(5, 11, 15), student=LEO).status == "confirmed"


def test_a_no_frees_the_time_and_says_why(asked: Desk) -> None:
    wanted = asked.book(MIA, "By request", berlin(6, 9))
    refused = _decline(asked, CLARA, wanted, " I am away. ")
    assert (refused.status, refused.cancellation_reason) == ("declined", "I am away.")
    assert refused.declined_at is not None
    assert not refused.lapsed
    assert asked.book(LEO, "Violin lesson", berlin(6, 9)).status == "confirmed"
    with pytest.raises(Invalid):
        _decline(asked, CLARA, asked.book(MIA, "By request", berlin(6, 14)), "\x00")


def test_only_staff_of_the_lesson_answer(asked: Desk) -> None:
    wanted = asked.book(MIA, "By request", berlin(10, 9))
    for verb in (_approve, _decline):
        with pytest.raises(Forbidden):
            verb(asked, MIA, wanted)
        for stranger in (LEO, TOMAS):
            with pytest.raises(NotFound):
                verb(asked, stranger, wanted)
    assert asked.get(MIA, wanted.id).status == "pending"


def test_a_request_may_be_taken_back_past_the_cut_off_and_lapses_by_its_own_deadline(
    asked: Desk, travel: Callable[[datetime], None], resources: Resources, loop: Loop
) -> None:
    taken_back = asked.book(MIA, "By request", berlin(3, 14))
    waiting = asked.book(MIA, "By request", berlin(3, 15))
    answered = asked.book(LEO, "By request", berlin(3, 16, 15))
    _approve(asked, IDA, answered)
    assert taken_back.cancel_until < MONDAY
    assert taken_back.can_cancel
    assert asked.cancel(MIA, taken_back).status == "cancelled"
    deadline = waiting.approve_by
    assert deadline is not None

    def sweep() -> None:
        for booking in (taken_back, waiting, answered):
            loop.run(
                approval.lapse.run(
                    resources, organization_id=str(asked.school.organization_id), booking_id=str(booking.id)
                )
            )

    travel(deadline - timedelta(seconds=1))
    sweep()
    assert asked.get(MIA, waiting.id).status == "pending"
    travel(deadline)
    # Past its deadline it is over, whether or not anybody has swept.
    with pytest.raises(NotWaiting):
        _approve(asked, IDA, waiting)
    sweep()
    sweep()
    lapsed = asked.get(MIA, waiting.id)
    assert (lapsed.status, lapsed.lapsed, lapsed.revision) == ("cancelled", True, 1)
    assert lapsed.cancelled_by is None
    assert asked.get(LEO, answered.id).status == "confirmed"
    assert len(asked.facts(waiting.id, "booking.lapsed")) == 1
    assert asked.facts(answered.id, "booking.lapsed") == []
    assert not asked.get(MIA, taken_back.id).lapsed
    assert asked.book(LEO, "By request", berlin(3, 15)).status == "pending"


def test_the_sweep_finds_what_is_due_in_every_school_and_nothing_else(
    asked: Desk, travel: Callable[[datetime], None], resources: Resources, loop: Loop
) -> None:
    wanted = asked.book(MIA, "By request", berlin(11, 14))
    sent: list[str] = []

    class Queue:
        async def send(self, job: object, **ids: object) -> None:
            sent.append(str(ids["booking_id"]))

    watched = type("Watched", (), {"database": asked.database, "queue": Queue()})()
    loop.run(approval.lapse_requests(watched))
    assert str(wanted.id) not in sent
    travel(MONDAY + timedelta(minutes=60))
    loop.run(approval.lapse_requests(watched))
    assert str(wanted.id) in sent


def test_a_request_ends_when_its_lesson_would_start(asked: Desk) -> None:
    asked.add_type(
        "Slow answer", [IDA], requires_approval=True, approve_within_minutes=43200, minimum_notice_minutes=0
    )
    wanted = asked.book(MIA, "Slow answer", berlin(12, 9))
    assert wanted.approve_by == wanted.starts_at
