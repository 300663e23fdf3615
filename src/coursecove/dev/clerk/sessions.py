"""Browsers, sessions and the tokens and cookies made from them."""

from __future__ import annotations

import secrets
import time
from typing import Literal

from coursecove.dev.clerk.directory import Directory
from coursecove.dev.clerk.errors import ClerkRefusal, not_found
from coursecove.dev.clerk.outbox import Outbox
from coursecove.dev.clerk.payloads import ROLE_PERMISSIONS, Payloads
from coursecove.dev.clerk.records import Client, Session, User
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.dev.clerk.store import Store, new_id

#: How long a handshake's answer can be fetched with its nonce.
NONCE_SECONDS = 60.0
_YEARS = 315_360_000


class Sessions:
    """Who is signed in, in which browser, with which organization active."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        payloads: Payloads,
        outbox: Outbox,
        *,
        issuer: str,
        base_domain: str,
    ) -> None:
        self._store = store
        self._state = store.state
        self._directory = directory
        self._payloads = payloads
        self._outbox = outbox
        self._issuer = issuer
        self._base_domain = base_domain
        self._nonces: dict[str, tuple[float, list[str]]] = {}

    # Browsers

    def find_client(self, token: str | None) -> Client | None:
        """Return the browser with this ``__client`` cookie."""
        if not token:
            return None
        return next((c for c in self._state.clients.values() if secrets.compare_digest(c.token, token)), None)

    def create_client(self) -> Client:
        """Remember a browser seen for the first time."""
        client = Client(id=new_id("client"), token=secrets.token_urlsafe(32))
        self._state.clients[client.id] = client
        self._store.save()
        return client

    def active_session(self, client: Client | None) -> Session | None:
        """Return the session of a browser, if somebody is signed in there."""
        if client is None or client.session_id is None:
            return None
        session = self._state.sessions.get(client.session_id)
        return session if session is not None and session.status == "active" else None

    # Signing in and out

    def sign_in(self, client: Client | None, user: User, *, organization_id: str | None = None) -> Session:
        """Begin a session, in a browser or (for a developer) in none.

        A person's only organization becomes active by itself.
        ``session.created``, then ``user.updated`` for the time of the sign-in.
        """
        if client is not None:
            self.sign_out(client)
        memberships = self._directory.memberships_of(user_id=user.id)
        if organization_id is None and len(memberships) == 1:
            organization_id = memberships[0].organization_id
        now = self._store.tick()
        session = Session(
            id=new_id("sess"),
            user_id=user.id,
            client_id=client.id if client else None,
            created_at=now,
            updated_at=now,
        )
        self._state.sessions[session.id] = session
        if client is not None:
            client.session_id = session.id
            client.uat_seconds = int(time.time())
        if organization_id is not None:
            self._activate(session, organization_id)
        user.last_sign_in_at = now
        self._outbox.announce("session.created", self._payloads.session(session))
        self._directory.touch_user(user)
        return session

    def sign_out(self, client: Client) -> None:
        """End the session of a browser, if there is one.  ``session.removed``."""
        session = self.active_session(client)
        client.session_id, client.uat_seconds = None, 0
        if session is not None:
            self._close(session, "removed")
        self._store.save()

    def get_session(self, session_id: str) -> Session:
        """Return a session."""
        session = self._state.sessions.get(session_id)
        if session is None:
            raise not_found("session", session_id)
        return session

    def revoke(self, session_id: str) -> Session:
        """End a session from the server's side.  ``session.revoked``."""
        session = self.get_session(session_id)
        if session.status == "active":
            self._close(session, "revoked")
            for client in self._state.clients.values():
                if client.session_id == session_id:
                    client.session_id, client.uat_seconds = None, 0
            self._store.save()
        return session

    def set_active_organization(self, session: Session, id_or_slug: str | None) -> bool:
        """Make an organization active; False, and no change, when the person is not in it."""
        if not id_or_slug:
            session.last_active_organization_id = None
            changed = True
        else:
            changed = self._activate(session, id_or_slug)
        self._store.save()
        return changed

    def _activate(self, session: Session, id_or_slug: str) -> bool:
        for membership in self._directory.memberships_of(user_id=session.user_id):
            organization = self._state.organizations[membership.organization_id]
            if id_or_slug in (organization.id, organization.slug):
                session.last_active_organization_id = organization.id
                return True
        return False

    def _close(self, session: Session, status: Literal["removed", "revoked"]) -> None:
        session.status = status
        session.updated_at = self._store.tick()
        self._outbox.announce(f"session.{status}", self._payloads.session(session))

    # Tokens and cookies

    def token(self, session: Session, *, origin: str | None, version: int = 2) -> str:
        """Return a fresh session token for a page of ``origin``, valid for a minute."""
        if session.status != "active":
            raise ClerkRefusal(401, "session_not_active", "The session has ended.")
        organization = self._state.organizations.get(session.last_active_organization_id or "")
        role = "org:member"
        if organization is not None:
            role = self._directory.get_membership(organization.id, session.user_id).role
        return mint_session_token(
            self._store.signing_key,
            key_id=self._state.instance_id,
            issuer=self._issuer,
            user_id=session.user_id,
            session_id=session.id,
            authorized_party=origin,
            organization_id=organization.id if organization else None,
            organization_slug=organization.slug if organization else None,
            role=role,
            permissions=tuple(ROLE_PERMISSIONS[role]),
            version=version,
        )

    def directives(self, client: Client | None, *, origin: str, suffix: str | None = None) -> list[str]:
        """Return the Set-Cookie lines that make a page of ``origin`` know this browser."""
        session = self.active_session(client)
        secure = "; Secure" if origin.startswith("https://") else ""
        lines = []
        for ending in ("", f"_{suffix}") if suffix else ("",):
            if client is None or session is None:
                lines.append(f"__session{ending}=; Path=/; Max-Age=0; SameSite=Lax{secure}")
                uat = 0
            else:
                token = self.token(session, origin=origin)
                lines.append(f"__session{ending}={token}; Path=/; SameSite=Lax{secure}")
                uat = client.uat_seconds
            lines.append(
                f"__client_uat{ending}={uat}; Path=/; Domain={self._base_domain}; "
                f"Max-Age={_YEARS}; SameSite=Lax{secure}"
            )
        return lines

    def keep_for_nonce(self, directives: list[str]) -> str:
        """Keep a handshake's answer until it is fetched with the nonce, once and within a minute."""
        now = time.monotonic()
        self._nonces = {n: kept for n, kept in self._nonces.items() if kept[0] > now}
        nonce = secrets.token_urlsafe(24)
        self._nonces[nonce] = (now + NONCE_SECONDS, directives)
        return nonce

    def redeem_nonce(self, nonce: str) -> list[str]:
        """Return the answer kept for a nonce."""
        until, directives = self._nonces.pop(nonce, (0.0, []))
        if until <= time.monotonic():
            raise ClerkRefusal(404, "resource_not_found", "The nonce is unknown or was used.")
        return directives
