"""Requests byte by byte, for what no HTTP client would send."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came over the wire; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the only value of a header; raises when there is none, or more than one."""
        (value,) = [value for found, value in self.headers if found == name]
        return value

    @property
    def comparable(self) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """What has to be the same for two requests that must not be told apart."""
        differing = ("date", "x-request-id")
        return self.status, tuple(h for h in self.headers if h[0] not in differing), self.body


def send(address: str, *lines: bytes | str, body: bytes = b"") -> RawAnswer:
    """Send request line and headers as they are, then `body`; `Connection: close` is added."""
    parts = urlsplit(address)
    encoded = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    message = b"\r\n".join([*encoded, b"Connection: close", b"", body])
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20) as connection:
        connection.sendall(message)
        received = b""
        # Whoever refuses a body without reading it to the end resets the connection after the answer.
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    head, _, rest = received.partition(b"\r\n\r\n")
    status_line, *header_lines = head.decode("latin-1").split("\r\n")
    headers = tuple(
        (name.strip().lower(), value.strip())
        for name, _, value in (line.partition(":") for line in header_lines)
    )
    return RawAnswer(int(status_line.split(" ")[1]), headers, rest)
