"""Messages made of hostile names, and where they may be sent."""

from __future__ import annotations

import email
import uuid
from datetime import UTC, datetime, timedelta
from email import policy
from typing import Any

import msgspec
import pytest
from icalendar import Calendar

from coursecove.bookings.schemas import BookingView, PersonSummary, PlaceSummary, TypeSummary
from coursecove.config import Settings
from coursecove.notifications.messages import UnusableAddress, compose
from coursecove.notifications.rendering import Kind, Notice
from coursecove.notifications.smtp import parse_smtp_url
from coursecove.tenants.schemas import OrganizationView

START = datetime(2031, 3, 4, 13, tzinfo=UTC)
EVIL = 'Eve "E" <x@y>\r\nBcc: all@example.com\r\n\r\nHello\u2028there;,\\ {{ 7*7 }} \x00'


def _notice(name: str, *, kind: Kind = "confirmation") -> Notice:
    booking = BookingView(
        id=uuid.UUID(int=7),
        session_id=uuid.UUID(int=8),
        reference="K7QF-2M9X",
        status="confirmed",
        appointment_type=TypeSummary(uuid.uuid4(), "t", name, "#4f46e5", "in_person"),
        instructor=PersonSummary(uuid.uuid4(), name),
        student=PersonSummary(uuid.uuid4(), name),
        location=PlaceSummary(uuid.uuid4(), "p", name, name, name, "Europe/Berlin"),
        room=None,
        meeting_url=None,
        starts_at=START,
        ends_at=START + timedelta(hours=1),
        duration_minutes=60,
        venue_time_zone="Europe/Berlin",
        address=name,
        postcode=name,
        travel_minutes=0,
        note=name,
        answers=[],
        price_cents=None,
        currency=None,
        booked_at=START,
        confirmed_at=START,
        approve_by=None,
        declined_at=None,
        lapsed=False,
        cancelled_at=START if kind == "cancellation" else None,
        cancelled_by=PersonSummary(uuid.uuid4(), name) if kind == "cancellation" else None,
        cancellation_reason=name,
        cancel_until=START,
        move_until=START,
        rescheduled_count=0,
        most_reschedules=None,
        overridden_rules=[],
        attendance=None,
        notes=[],
        capacity=1,
        seats_taken=1,
        seats=None,
        can_cancel=True,
        can_move=True,
        can_decide=False,
        can_note_attendance=False,
        can_write_notes=False,
        revision=0,
    )
    organization = OrganizationView(
        id=uuid.uuid4(),
        clerk_id="org_1",
        slug="evil",
        name=name,
        time_zone="UTC",
        locale="en",
        currency="EUR",
        accent_color="#4f46e5",
        logo_url=None,
        self_enrolment=True,
    )
    return Notice(
        kind, "student", booking, organization, "https://evil.example.com/lessons/K7QF-2M9X", "UTC", None
    )


def _parsed(notice: Notice, settings: Settings, recipient: str = "eve@example.com") -> Any:
    message = compose(notice, delivery_id=uuid.UUID(int=9), recipient_email=recipient, settings=settings)
    return email.message_from_bytes(message.as_bytes(), policy=policy.default)


@pytest.mark.parametrize("kind", ["confirmation", "cancellation"])
def test_no_name_can_add_a_header_a_property_or_markup(base_settings: Settings, kind: Kind) -> None:
    message = _parsed(_notice(EVIL, kind=kind), base_settings)
    assert message["Bcc"] is None
    assert sorted(message.keys()) == sorted(
        ["Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    assert [address.addr_spec for address in message["To"].addresses] == ["eve@example.com"]
    assert [address.domain for address in message["From"].addresses] == ["coursecove.localhost"]
    assert message["Message-ID"] == f"<{uuid.UUID(int=9)}@coursecove.localhost>"
    html = message.get_body(("html",)).get_content()
    assert "<x@y>" not in html
    assert "{{ 7*7 }}" in html
    [event] = Calendar.from_ical(
        next(part for part in message.walk() if part.get_content_type() == "application/ics").get_content()
    ).walk("VEVENT")
    assert "BCC" not in event
    assert event["ATTENDEE"] == "mailto:eve@example.com"
    assert str(event["SUMMARY"]).isprintable()


def test_a_body_travels_in_seven_bits(base_settings: Settings) -> None:
    message = compose(
        _notice("Zoë Müller ☃"),
        delivery_id=uuid.uuid4(),
        recipient_email="zoe@example.com",
        settings=base_settings,
    )
    raw = message.as_bytes()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert "Zoë Müller ☃" in email.message_from_bytes(raw, policy=policy.default)["Subject"]


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b\r\nBcc: c@d", "two@example.com, three@example.com", "a b@c"]
)
def test_an_address_that_is_none_is_refused(base_settings: Settings, address: str) -> None:
    with pytest.raises(UnusableAddress):
        compose(_notice("Eve"), delivery_id=uuid.uuid4(), recipient_email=address, settings=base_settings)


def test_a_notice_of_very_long_names_still_composes(base_settings: Settings) -> None:
    message = _parsed(msgspec.structs.replace(_notice("Long " * 40)), base_settings)
    assert len(message["From"].addresses[0].display_name) <= 120


@pytest.mark.parametrize(
    ("url", "host", "port", "username", "password", "implicit", "start_tls"),
    [
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, None, None, False, False),
        ("smtp://localhost", "localhost", 587, None, None, False, False),
        ("smtp://[::1]:25", "::1", 25, None, None, False, False),
        ("smtp://mail.example.com:25", "mail.example.com", 25, None, None, False, None),
        ("smtp://me%40x:p%2Fw@mail.example.com", "mail.example.com", 587, "me@x", "p/w", False, True),
        ("smtps://me:pw@mail.example.com", "mail.example.com", 465, "me", "pw", True, False),
    ],
)
def test_an_smtp_url_says_where_and_how_mail_leaves(
    url: str,
    host: str,
    port: int,
    username: str | None,
    password: str | None,
    implicit: bool,
    start_tls: bool | None,
) -> None:
    server = parse_smtp_url(url)
    assert (server.host, server.port, server.username, server.password) == (host, port, username, password)
    assert (server.implicit_tls, server.start_tls) == (implicit, start_tls)
    assert password is None or password not in repr(server)
