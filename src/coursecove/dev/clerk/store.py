"""The state file of the stand-in and the key it signs with, both made once and kept."""

from __future__ import annotations

import base64
import os
import secrets
import string
import time
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from coursecove.dev.clerk.records import State

_ALPHABET = string.ascii_letters + string.digits

#: What is remembered of the past; older sessions and delivered messages are forgotten.
MAX_MESSAGES = 300
MAX_SESSIONS = 200


def new_id(prefix: str) -> str:
    """Return an identifier that looks like Clerk's: ``user_2`` and 26 letters and digits."""
    return f"{prefix}_2" + "".join(secrets.choice(_ALPHABET) for _ in range(26))


class Store:
    """Keeps the state in ``clerk.json`` and the signing key in ``clerk-signing-key.pem``.

    Both are readable by their owner only; the state is replaced atomically,
    so that an interrupted stand-in finds either the old or the new one.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._state_file = folder / "clerk.json"
        self._key_file = folder / "clerk-signing-key.pem"
        self.signing_key = self._load_key()
        self.state = self._load_state()

    def tick(self) -> int:
        """Return the present in milliseconds, always later than the last time it was asked."""
        self.state.last_tick = max(int(time.time() * 1000), self.state.last_tick + 1)
        return self.state.last_tick

    def save(self) -> None:
        """Write the state down."""
        self._forget_the_past()
        _write_private(self._state_file, msgspec.json.format(msgspec.json.encode(self.state), indent=1))

    def _load_state(self) -> State:
        if self._state_file.is_file():
            return msgspec.json.decode(self._state_file.read_bytes(), type=State)
        state = State(
            instance_id=new_id("ins"),
            secret_key="sk_test_" + secrets.token_urlsafe(30).replace("-", "x").replace("_", "y"),
            webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        )
        _write_private(self._state_file, msgspec.json.encode(state))
        return state

    def _load_key(self) -> rsa.RSAPrivateKey:
        if self._key_file.is_file():
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), password=None)
            assert isinstance(key, rsa.RSAPrivateKey)
            return key
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        _write_private(
            self._key_file,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        return key

    def _forget_the_past(self) -> None:
        state = self.state
        if len(state.messages) > MAX_MESSAGES:
            surplus = len(state.messages) - MAX_MESSAGES
            done = [message for message in state.messages if message.next_attempt_at is None][:surplus]
            forgotten = {message.id for message in done}
            state.messages = [m for m in state.messages if m.id not in forgotten]
        over = [session_id for session_id, s in state.sessions.items() if s.status != "active"]
        for session_id in over[: max(0, len(state.sessions) - MAX_SESSIONS)]:
            del state.sessions[session_id]
        idle = [client_id for client_id, c in state.clients.items() if c.session_id is None]
        for client_id in idle[: max(0, len(state.clients) - MAX_SESSIONS)]:
            del state.clients[client_id]


def _write_private(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
