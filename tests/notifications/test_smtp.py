"""Handing a message to a real server that wants a password, or does not want the mail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from email.message import EmailMessage

import aiosmtplib
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from coursecove.notifications.smtp import RecipientRefused, send
from tests.serving import free_port


class _Handler:
    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 No such user"
        if address.startswith("later"):
            return "450 Try later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos
        return "250 OK"


def _knows(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"me@x", b"p/w")
    return AuthResult(success=right, handled=False)


@pytest.fixture
def server() -> Iterator[tuple[_Handler, int]]:
    """A server that asks for a password; on this machine it may travel without TLS."""
    handler, port = _Handler(), free_port()
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=port,
        authenticator=_knows,
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    yield handler, port
    controller.stop()


def _send(url: str, recipient: str) -> None:
    message = EmailMessage()
    message["Subject"] = "Hello"
    message.set_content("Hello")
    asyncio.run(send(url, message, sender="school@example.com", recipient=recipient))


def test_a_password_from_the_url_opens_the_server(server: tuple[_Handler, int]) -> None:
    handler, port = server
    _send(f"smtp://me%40x:p%2Fw@127.0.0.1:{port}", "mia@example.com")
    assert handler.recipients == ["mia@example.com"]


def test_a_wrong_password_is_a_failure_that_may_pass(server: tuple[_Handler, int]) -> None:
    with pytest.raises(aiosmtplib.SMTPAuthenticationError) as failure:
        _send(f"smtp://me%40x:wrong@127.0.0.1:{server[1]}", "mia@example.com")
    assert "wrong" not in str(failure.value)


def test_only_a_lasting_refusal_of_the_address_is_final(server: tuple[_Handler, int]) -> None:
    url = f"smtp://me%40x:p%2Fw@127.0.0.1:{server[1]}"
    with pytest.raises(RecipientRefused, match="550"):
        _send(url, "nobody@example.com")
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        _send(url, "later@example.com")
