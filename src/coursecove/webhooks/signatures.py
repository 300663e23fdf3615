"""Proof that a message comes from who it says: Svix signatures over the raw bytes.

Source of the scheme: the Standard Webhooks specification, version 1.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from litestar.datastructures import Headers

if TYPE_CHECKING:
    from svix.webhooks import Webhook

_FAMILIES = ("svix", "webhook")
_PARTS = ("id", "timestamp", "signature")
# What may become a primary key: printable, and of a length no sender needs to exceed.
_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,255}")


class BadSignature(Exception):
    """The message is not proven; the text says why and holds nothing of the message."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A proven message: its id and the instant of this delivery attempt (unix seconds)."""

    message_id: str
    timestamp: str


def verify(body: bytes, headers: Headers, secrets: Sequence[str]) -> Signed:
    """Return the id of a message signed with any of ``secrets`` within the last five minutes.

    Raises :class:`BadSignature` for anything else.  The comparison takes the
    same time wherever a signature differs; every secret is tried.
    """
    sent = _one_family(headers)
    # The package lets malformed input escape as ValueError and UnicodeDecodeError
    # beside its own error; none of them may become a 500.
    verdicts = [_is_signed(body, sent, secret) for secret in secrets]
    if not any(verdicts):
        raise BadSignature("no signature fits, or the message is more than five minutes old")
    if not _MESSAGE_ID.fullmatch(sent["svix-id"]):
        raise BadSignature("the message id cannot be used")
    return Signed(sent["svix-id"], sent["svix-timestamp"])


def _one_family(headers: Headers) -> dict[str, str]:
    """Return id, timestamp and signature, from one family and each sent exactly once."""
    for family in _FAMILIES:
        values = {part: headers.getall(f"{family}-{part}", []) for part in _PARTS}
        if not any(values.values()):
            continue
        for part, found in values.items():
            if len(found) != 1:
                raise BadSignature(f"header {family}-{part} is {'missing' if not found else 'sent twice'}")
        return {f"svix-{part}": found[0] for part, found in values.items()}
    raise BadSignature("the signature headers are missing")


def prepare() -> None:
    """Import the package that verifies, so that the first message does not wait for it.

    It brings Svix' whole API with it, an eighth of what the application imports: done beside the first
    requests, not before them.
    """
    import svix.webhooks  # noqa: F401 # what matters is that it is there


def _is_signed(body: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        _signer(secret).verify(body, headers)
    except Exception:
        return False
    return True


@lru_cache(maxsize=8)
def _signer(secret: str) -> Webhook:
    from svix.webhooks import Webhook

    return Webhook(secret)
