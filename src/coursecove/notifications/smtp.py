"""Mail out: one message to one address over ``SMTP_URL``."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiosmtplib

# Shorter than a delivery's lease and than a job may take.
SEND_SECONDS = 40.0
_STEP_SECONDS = 15.0
_PORTS = {"smtp": 587, "smtps": 465}


class RecipientRefused(Exception):
    """The server will never take mail for this address."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail leaves."""

    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    # TLS from the first byte.
    implicit_tls: bool

    @property
    def start_tls(self) -> bool | None:
        """Whether to upgrade: not on this machine or inside TLS, else when offered; a password insists."""
        if self.implicit_tls or _is_loopback(self.host):
            return False
        return True if self.username else None


def parse_smtp_url(url: str) -> Server:
    """Read ``smtp://user:password@host:587`` or ``smtps://…``; user and password may be percent-encoded."""
    parts = urlsplit(url)
    return Server(
        host=parts.hostname or "localhost",
        port=parts.port or _PORTS[parts.scheme],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        implicit_tls=parts.scheme == "smtps",
    )


async def send(smtp_url: str, message: EmailMessage, *, sender: str, recipient: str) -> None:
    """Hand one message to the server.

    A password never travels in the clear to another machine.  Raises
    :class:`RecipientRefused` when trying again is pointless; anything else that
    is raised (aiosmtplib's errors, OSError, TimeoutError) may pass.
    """
    server = parse_smtp_url(smtp_url)
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await aiosmtplib.send(
                # As it was composed: given the message itself, the library would fold it anew.
                message.as_bytes(policy=message.policy.clone(linesep="\r\n")),
                sender=sender,
                recipients=[recipient],
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=server.password,
                use_tls=server.implicit_tls,
                start_tls=server.start_tls,
                timeout=_STEP_SECONDS,
            )
    except aiosmtplib.SMTPRecipientsRefused as error:
        answers = [refused for refused in error.recipients if 500 <= refused.code < 600]
        if answers:
            raise RecipientRefused(f"{answers[0].code} {answers[0].message}") from error
        raise


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
