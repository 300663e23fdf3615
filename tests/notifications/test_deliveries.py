"""Sending: once by plan, again after trouble, never what is no longer true."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import redis
from sqlalchemy import text

from coursecove.db.session import SYSTEM
from coursecove.notifications import tasks
from coursecove.notifications.smtp import send as real_send
from tests.bookings.desk import IDA, LEO, MIA, Desk, berlin
from tests.notifications.post import Mailroom, PostOffice


def _wait(delivery: Any) -> float:
    return float((delivery.next_attempt_at - datetime.now(UTC)).total_seconds())


@pytest.fixture
def planned(desk: Desk, mailroom: Mailroom, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Mia's delivery of a new booking, planned and not sent; the booking is cancelled at the end."""
    booking = desk.book(MIA, "Violin lesson", berlin(4, 14))
    mailroom.hand_on(booking.id)
    yield next(delivery for delivery in mailroom.deliveries(booking.id) if delivery.email == MIA)
    if desk.get(MIA, booking.id).status == "confirmed":
        desk.cancel(IDA, booking)


def _again(mailroom: Mailroom, delivery: Any) -> Any:
    return next(one for one in mailroom.deliveries(delivery.booking_id) if one.id == delivery.id)


def test_a_fact_that_is_handed_on_twice_plans_each_mail_once(desk: Desk, mailroom: Mailroom) -> None:
    booking = desk.book(LEO, "Violin lesson", berlin(5, 14))
    mailroom.hand_on(booking.id)
    desk.rows("update events set dispatched_at = null where subject_id = :id returning id", id=booking.id)
    mailroom.hand_on(booking.id)
    assert [(one.kind, one.email) for one in mailroom.deliveries(booking.id)] == [
        ("confirmation", IDA),
        ("confirmation", LEO),
    ]


def test_a_sent_mail_is_not_sent_again(mailroom: Mailroom, office: PostOffice, planned: Any) -> None:
    mailroom.deliver(planned.id)
    mailroom.make_due(planned.id)
    mailroom.deliver(planned.id)
    assert len(office.mails) == 1


def test_ten_workers_send_one_mail(mailroom: Mailroom, office: PostOffice, planned: Any) -> None:
    async def storm() -> None:
        ids = {
            "organization_id": str(mailroom.desk.school.organization_id),
            "delivery_id": str(planned.id),
        }
        await asyncio.gather(*(tasks.deliver.run(mailroom.resources, **ids) for _ in range(10)))

    mailroom.desk.loop.run(storm())
    assert len(office.mails) == 1
    assert _again(mailroom, planned).attempts == 1


def test_a_worker_that_dies_between_sending_and_noting_it_sends_the_same_mail_once_more(
    mailroom: Mailroom, office: PostOffice, planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send_and_die(*arguments: Any, **options: Any) -> None:
        await real_send(*arguments, **options)
        raise asyncio.CancelledError

    monkeypatch.setattr(tasks, "send", send_and_die)
    with pytest.raises(CancelledError):
        mailroom.deliver(planned.id)
    monkeypatch.undo()
    left = _again(mailroom, planned)
    assert (left.sent_at, left.attempts) == (None, 1)
    # Its lease holds for a while: nobody else sends meanwhile.
    assert 60 < _wait(left) <= 120
    mailroom.deliver(planned.id)
    assert len(office.mails) == 1
    mailroom.make_due(planned.id)
    mailroom.deliver(planned.id)
    assert len(office.mails) == 2
    assert office.mails[0].message["Message-ID"] == office.mails[1].message["Message-ID"]
    assert office.mails[0].event().to_ical() == office.mails[1].event().to_ical()
    assert _again(mailroom, planned).sent_at is not None


def test_a_worker_that_wakes_after_its_lease_writes_nothing(
    mailroom: Mailroom, office: PostOffice, planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(*arguments: Any, **options: Any) -> None:
        # While this one sleeps, its lease runs out and another takes the delivery.
        async with mailroom.resources.database.organization(
            mailroom.desk.school.organization_id, acting=SYSTEM
        ) as session:
            await session.execute(
                text("update deliveries set attempts = attempts + 1 where id = :id"), {"id": planned.id}
            )
        raise OSError("too late")

    monkeypatch.setattr(tasks, "send", overtaken)
    mailroom.deliver(planned.id)
    left = _again(mailroom, planned)
    assert (left.attempts, left.error, left.sent_at, left.failed_at) == (2, None, None, None)


def test_trouble_is_retried_later_and_later_and_given_up_after_eight_attempts(
    mailroom: Mailroom, office: PostOffice, planned: Any
) -> None:
    office.refuse = "451 Come back later"
    for attempt, seconds in enumerate((30, 60, 120, 240, 480, 960, 1920), start=1):
        mailroom.deliver(planned.id)
        left = _again(mailroom, planned)
        assert left.attempts == attempt
        assert left.failed_at is None
        assert "Come back later" in left.error
        assert seconds - 10 < _wait(left) <= seconds
        mailroom.make_due(planned.id)
    mailroom.deliver(planned.id)
    given_up = _again(mailroom, planned)
    assert given_up.attempts == 8
    assert given_up.failed_at is not None
    office.refuse = None
    mailroom.make_due(planned.id)
    mailroom.deliver(planned.id)
    assert office.mails == []


def test_an_attempt_before_its_time_does_nothing(mailroom: Mailroom, office: PostOffice, planned: Any) -> None:
    office.refuse = "451 Come back later"
    mailroom.deliver(planned.id)
    office.refuse = None
    mailroom.deliver(planned.id)
    assert office.mails == []
    mailroom.make_due(planned.id)
    mailroom.deliver(planned.id)
    sent = _again(mailroom, planned)
    assert (len(office.mails), sent.attempts, sent.error) == (1, 2, None)


def test_an_address_that_will_never_take_mail_is_not_tried_again(
    mailroom: Mailroom, office: PostOffice, planned: Any
) -> None:
    office.refuse = "550 No such user"
    mailroom.deliver(planned.id)
    left = _again(mailroom, planned)
    assert left.failed_at is not None
    assert left.error == "RecipientRefused: 550 No such user"


def test_a_mail_server_that_is_away_is_waited_for(
    desk: Desk, mailroom: Mailroom, office: PostOffice, planned: Any
) -> None:
    office.close()
    mailroom.deliver(planned.id)
    assert _again(mailroom, planned).attempts == 1
    office.open()
    mailroom.make_due(planned.id)
    mailroom.deliver(planned.id)
    assert office.to(MIA).message["Subject"].startswith("Confirmed")


def test_a_mail_that_kills_its_worker_every_time_ends(
    mailroom: Mailroom, office: PostOffice, planned: Any
) -> None:
    mailroom.desk.rows("update deliveries set attempts = 8 where id = :id returning id", id=planned.id)
    mailroom.deliver(planned.id)
    left = _again(mailroom, planned)
    assert left.failed_at is not None
    assert "Given up" in left.error
    assert office.mails == []


def test_a_confirmation_of_a_lesson_that_is_cancelled_meanwhile_is_skipped(
    desk: Desk, mailroom: Mailroom, office: PostOffice
) -> None:
    booking = desk.book(LEO, "Violin lesson", berlin(6, 14))
    mailroom.hand_on(booking.id)
    desk.cancel(LEO, booking)
    mailroom.send_all(booking.id)
    states = [
        (one.kind, one.email, one.sent_at is not None, one.skipped_at is not None)
        for one in mailroom.deliveries(booking.id)
    ]
    assert states == [
        ("confirmation", IDA, False, True),
        ("confirmation", LEO, False, True),
        ("cancellation", IDA, True, False),
        ("cancellation", LEO, True, False),
    ]
    assert {mail.message["Subject"].split(":")[0] for mail in office.mails} == {"Cancelled"}


def test_people_without_an_address_get_no_mail(desk: Desk, mailroom: Mailroom) -> None:
    booking = desk.book(LEO, "Violin lesson", berlin(10, 14))
    settings = mailroom.resources.settings
    change = "update members set email = %s where id = %s"
    leo = desk.school.members[LEO]
    with psycopg.connect(settings.database_platform_url) as platform:
        platform.execute(change, [None, leo])
    try:
        mailroom.hand_on(booking.id)
    finally:
        with psycopg.connect(settings.database_platform_url) as platform:
            platform.execute(change, [LEO, leo])
    assert [one.email for one in mailroom.deliveries(booking.id)] == [IDA]


def test_the_sweep_wakes_what_was_not_woken(desk: Desk, mailroom: Mailroom, planned: Any, valkey: Any) -> None:
    """Redis forgot everything; the deliveries are still in Postgres."""
    mailroom.desk.rows(
        "update deliveries set next_attempt_at = now() - interval '1 minute' where id = :id returning id",
        id=planned.id,
    )
    server = redis.Redis.from_url(valkey.url)
    server.flushall()

    async def sweep() -> None:
        await tasks.sweep(mailroom.resources)

    desk.loop.run(sweep())
    messages = server.hgetall("coursecove:coursecove.msgs")
    assert any(str(planned.id).encode() in message for message in messages.values())
