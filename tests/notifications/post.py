"""A real SMTP server that keeps what it gets, and the way from a booking to its mails."""

from __future__ import annotations

import email
import uuid
from dataclasses import dataclass, field, replace
from email import policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from icalendar import Calendar
from sqlalchemy import text

from coursecove.events import dispatch
from coursecove.notifications import subscribers  # noqa: F401 - registers the reaction to bookings
from coursecove.notifications.tasks import deliver
from coursecove.resources import Resources
from tests.bookings.desk import Desk
from tests.serving import free_port


@dataclass
class Mail:
    """One accepted message, as sent and as parsed."""

    sender: str
    recipients: list[str]
    content: bytes
    message: EmailMessage = field(init=False)

    def __post_init__(self) -> None:
        parsed = email.message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.message = parsed

    def part(self, content_type: str) -> EmailMessage:
        """The only part of that type."""
        [found] = [part for part in self.message.walk() if part.get_content_type() == content_type]
        assert isinstance(found, EmailMessage)
        return found

    def event(self) -> Any:
        """The event of the attached calendar file."""
        [found] = Calendar.from_ical(self.part("application/ics").get_content()).walk("VEVENT")
        return found


class PostOffice:
    """An SMTP server on this machine; ``refuse`` makes it answer so to every recipient."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refuse: str | None = None
        self.port = free_port()
        self._controller = self._new()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.mails.append(Mail(envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content))
        return "250 OK"

    def to(self, address: str) -> Mail:
        """The only mail for that address."""
        [found] = [mail for mail in self.mails if mail.recipients == [address]]
        return found

    def open(self) -> None:
        self._controller = self._new()
        self._controller.start()

    def close(self) -> None:
        self._controller.stop()

    def _new(self) -> Controller:
        return Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> PostOffice:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Mailroom:
    """Does what the worker does, by hand: hands facts on and delivers."""

    def __init__(self, desk: Desk, resources: Resources, office: PostOffice) -> None:
        settings = replace(resources.settings, smtp_url=f"smtp://127.0.0.1:{office.port}")
        self.desk, self.office = desk, office
        self.resources = replace(resources, settings=settings)

    def hand_on(self, booking_id: uuid.UUID) -> None:
        """Hand the facts about a booking to their subscribers, oldest first."""
        facts = self.desk.rows(
            "select id from events where subject_id = :id and dispatched_at is null order by created_at, id",
            id=booking_id,
        )
        for (fact,) in facts:
            self._do(dispatch.run, event_id=str(fact))

    def deliveries(self, booking_id: uuid.UUID) -> list[Any]:
        return self.desk.rows(
            "select deliveries.*, members.email from deliveries join members on members.id = recipient_id "
            "where booking_id = :id order by booking_revision, members.email",
            id=booking_id,
        )

    def list_deliveries(self, entry_id: uuid.UUID) -> list[Any]:
        """The mails about a place on a waiting list."""
        return self.desk.rows(
            "select deliveries.*, members.email from deliveries join members on members.id = recipient_id "
            "where waitlist_entry_id = :id order by deliveries.created_at, members.email",
            id=entry_id,
        )

    def deliver(self, delivery_id: uuid.UUID) -> None:
        self._do(deliver.run, delivery_id=str(delivery_id))

    def send_all(self, booking_id: uuid.UUID) -> None:
        self.hand_on(booking_id)
        for delivery in self.deliveries(booking_id):
            self.deliver(delivery.id)

    def make_due(self, delivery_id: uuid.UUID) -> None:
        """As if the time until the next attempt had passed."""

        async def work(session: Any) -> None:
            await session.execute(
                text("update deliveries set next_attempt_at = now() where id = :id"), {"id": delivery_id}
            )

        self.desk.run(work)

    def _do(self, job: Any, **ids: str) -> None:
        organization_id = str(self.desk.school.organization_id)
        self.desk.loop.run(job(self.resources, organization_id=organization_id, **ids))
