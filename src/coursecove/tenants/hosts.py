"""From the Host header of a raw request to the school it is for.

ASGI middleware of our own, outside the router, because which routes exist
depends on it: the bare domain has other pages than a school.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Any

from coursecove.config import Settings

MAX_HOST_LENGTH = 255


class BadHost(Enum):
    """The one way a Host header can be wrong beyond being unknown."""

    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Bare:
    """The request is for the bare domain."""


@dataclass(frozen=True, slots=True)
class School:
    """The request is for one label below the bare domain; whether it exists is not known yet."""

    slug: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The request is for a host that is not ours (an address, another name, two labels)."""


class HostReader:
    """Reads the host of a request by the rules of this deployment."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.base_domain
        self._proxies = [ip_network(proxy, strict=False) for proxy in settings.trusted_proxies]

    def read(self, scope: Any) -> Bare | School | Elsewhere | BadHost:
        """Return what the request's host says.

        Exactly one Host header counts.  ``X-Forwarded-Host`` counts instead
        only when the peer is a configured proxy, and then exactly one of it.
        """
        name = b"x-forwarded-host" if self._from_proxy(scope) else b"host"
        values = [value for header, value in scope["headers"] if header == name]
        if not values and name != b"host":
            values = [value for header, value in scope["headers"] if header == b"host"]
        if len(values) != 1:
            return BadHost.MALFORMED
        return self.parse(values[0])

    def parse(self, value: bytes) -> Bare | School | Elsewhere | BadHost:
        """Return what one header value says: port and a trailing dot off, lower case, one label."""
        if not value or len(value) > MAX_HOST_LENGTH or not value.isascii():
            return BadHost.MALFORMED
        text = value.decode("ascii").lower()
        host, _, port = text.partition(":") if not text.startswith("[") else (text, "", "")
        if port and not port.isdigit():
            return BadHost.MALFORMED
        host = host.removesuffix(".")
        if not host or any(c in "/\\@?# \t,%" for c in host):
            return BadHost.MALFORMED
        if host == self._base:
            return Bare()
        label = host.removesuffix("." + self._base)
        if label == host or not _is_label(label):
            return Elsewhere()
        return School(label)

    def _from_proxy(self, scope: Any) -> bool:
        client = scope.get("client")
        if not self._proxies or not client:
            return False
        try:
            peer = ip_address(client[0])
        except ValueError:
            return False
        return any(peer in network for network in self._proxies)


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= 63
        and all(c.isascii() and (c.isalnum() or c == "-") for c in label)
        and not label.startswith("-")
        and not label.endswith("-")
    )
