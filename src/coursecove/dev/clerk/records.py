"""What the stand-in remembers.  Times are milliseconds since 1970, as in Clerk's objects."""

from __future__ import annotations

from typing import Literal

import msgspec

InvitationStatus = Literal["pending", "accepted", "revoked"]
SessionStatus = Literal["active", "ended", "removed", "revoked"]


class User(msgspec.Struct):
    """A person with one verified e-mail address."""

    id: str
    email_id: str
    email: str
    first_name: str
    last_name: str
    created_at: int
    updated_at: int
    last_sign_in_at: int | None = None

    @property
    def name(self) -> str:
        """The name as a person reads it, the address when there is none."""
        return f"{self.first_name} {self.last_name}".strip() or self.email


class Organization(msgspec.Struct):
    """A school."""

    id: str
    name: str
    slug: str
    created_by: str | None
    created_at: int
    updated_at: int


class Membership(msgspec.Struct):
    """A person in a school, with a role such as ``org:member``."""

    id: str
    organization_id: str
    user_id: str
    role: str
    created_at: int
    updated_at: int


class Invitation(msgspec.Struct):
    """An invitation of an e-mail address into a school; the id is also the ticket."""

    id: str
    organization_id: str
    email: str
    role: str
    inviter_id: str | None
    redirect_url: str | None
    created_at: int
    updated_at: int
    expires_at: int
    status: InvitationStatus = "pending"
    user_id: str | None = None


class Session(msgspec.Struct):
    """A signed-in person; ``client_id`` is None for one made through the Backend API."""

    id: str
    user_id: str
    client_id: str | None
    created_at: int
    updated_at: int
    status: SessionStatus = "active"
    last_active_organization_id: str | None = None


class Client(msgspec.Struct):
    """A browser, known by the token in its ``__client`` cookie.

    ``uat_seconds`` is when it last signed in or out, 0 when nobody is signed in.
    """

    id: str
    token: str
    session_id: str | None = None
    uat_seconds: int = 0


class Message(msgspec.Struct):
    """A webhook message: its id and body stay the same over every attempt."""

    id: str
    type: str
    body: str
    created_at: int
    attempts: int = 0
    #: When to try (again), in seconds since 1970; None when delivered or given up.
    next_attempt_at: float | None = 0.0
    delivered_at: int | None = None
    last_answer: str = ""


class State(msgspec.Struct):
    """Everything, as it is written to the state file."""

    instance_id: str
    secret_key: str
    webhook_secret: str
    last_tick: int = 0
    world_seeded: bool = False
    users: dict[str, User] = {}
    organizations: dict[str, Organization] = {}
    memberships: dict[str, Membership] = {}
    invitations: dict[str, Invitation] = {}
    sessions: dict[str, Session] = {}
    clients: dict[str, Client] = {}
    messages: list[Message] = []
