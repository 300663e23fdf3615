"""Keys for single purposes, made of the one secret a deployment has."""

from __future__ import annotations

import hashlib
import hmac


def derive_key(secret: str, label: bytes) -> bytes:
    """Return the 32 bytes that HKDF-SHA256 (RFC 5869, no salt) makes of a secret for one purpose."""
    pseudorandom = hmac.digest(bytes(32), secret.encode(), hashlib.sha256)
    return hmac.digest(pseudorandom, label + b"\x01", hashlib.sha256)
