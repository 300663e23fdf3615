"""What an operator may read of an event: its shape, without secrets and with people made unrecognisable.

Pages and the command line show payloads through here and nowhere else.  Ids,
dates and roles stay, because they say what happened; what could sign somebody
in or call them up does not.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

HIDDEN = "•••"
_DEPTH = 40
# Compared with names without case and punctuation, so that private_metadata and privateMetadata are one.
_SECRET = (
    *("token", "secret", "password", "passkey", "privatemetadata", "unsafemetadata", "apikey", "authorization"),
    *("cookie", "ticket", "totp", "otp", "backupcode", "signature", "credential", "verificationcode", "nonce"),
)
_PERSONAL = (
    *("phone", "birth", "gender", "clientip", "ipaddress", "useragent", "latitude", "longitude", "postal"),
    *("street", "web3wallet", "imageurl", "avatarurl", "provideruserid", "city"),
)
_NAMES = frozenset(
    {"firstname", "lastname", "givenname", "familyname", "fullname", "middlename", "displayname", "username"}
)
# The name of a user's own identifier: an address, a number or a user name.
_IDENTIFIERS = frozenset({"identifier", "label"})

_WORD = re.compile(r"[^\s\"'<>,;]+")
# Bounded, so that no text makes the search slow.
_KEYS = re.compile(
    r"(?:^|[^A-Za-z0-9])(?:sk|rk|ak|whsec|dvb|oat|ghp|xox[a-z])_\w{6,}|eyJ[\w-]{6,600}\.[\w-]{6,}"
)
_BEARER = re.compile(r"\b(bearer|basic)\s{1,4}\S+", re.IGNORECASE)
_PHONE = re.compile(r"\+\d[\d\s().-]{5,20}\d")


def redact(body: bytes) -> str | None:
    """Return a signed body as indented JSON without secrets and personal data; None when it is no JSON."""
    try:
        value = msgspec.json.decode(body)
        return json.dumps(_shown(value, 0), indent=2, ensure_ascii=False)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def redact_text(text: str) -> str:
    """Return a sentence without addresses, telephone numbers, keys and unprintable characters."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return _PHONE.sub(HIDDEN, _WORD.sub(_word, _BEARER.sub(rf"\1 {HIDDEN}", printable)))


def mask_email(address: str) -> str:
    """Return an address that its owner recognises and nobody can write to: ``m•••@example.com``."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}{HIDDEN}@{domain}"


def _shown(value: Any, depth: int) -> Any:
    if depth > _DEPTH:
        return HIDDEN
    if isinstance(value, dict):
        return {redact_text(name): _field(_plain(name), entry, depth + 1) for name, entry in value.items()}
    if isinstance(value, list):
        return [_shown(entry, depth + 1) for entry in value]
    return redact_text(value) if isinstance(value, str) else value


def _field(name: str, value: Any, depth: int) -> Any:
    # That something is empty, or a setting is on, tells nothing of anybody.
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return value
    if any(part in name for part in (*_SECRET, *_PERSONAL)):
        return HIDDEN
    if name in _NAMES and isinstance(value, str):
        return f"{value[0]}{HIDDEN}"
    if name in _IDENTIFIERS and isinstance(value, str) and "@" not in value:
        return HIDDEN
    return _shown(value, depth)


def _word(found: re.Match[str]) -> str:
    word = found[0]
    if _KEYS.search(word):
        return HIDDEN
    head, scheme, rest = word.partition("://")
    if scheme:
        # What follows the path of a link (a ticket, an address) is for whom it was sent to.
        path = re.split(r"[?#]", rest, maxsplit=1)[0]
        tail = f"?{HIDDEN}" if path != rest else ""
        return f"{head}://{HIDDEN if '@' in path or '%40' in path else path}{tail}"
    address = word.replace("%40", "@")
    return mask_email(address) if "@" in address else word


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
