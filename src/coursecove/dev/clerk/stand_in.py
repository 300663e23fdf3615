"""The stand-in as one object: what it is configured with, what it holds, what others need to know of it."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import serialization

from coursecove.dev.clerk import world
from coursecove.dev.clerk.directory import Directory
from coursecove.dev.clerk.errors import StandInRefused
from coursecove.dev.clerk.outbox import RETRY_SECONDS, Outbox
from coursecove.dev.clerk.payloads import Payloads
from coursecove.dev.clerk.sessions import Sessions
from coursecove.dev.clerk.store import Store


class ClerkStandIn:
    """Clerk on this machine.

    ``folder`` keeps its state, ``port`` is where it will be served. The secret
    key and the webhook secret are made once and kept when none are given.
    ``instance`` is which kind of Clerk's instances it plays: the publishable
    key says so, and a handshake's answer travels in the query (development) or
    in a cookie (production).

    Raises :class:`~coursecove.dev.clerk.errors.StandInRefused` when
    ``APP_ENV=production`` or when given a live key.
    """

    def __init__(
        self,
        *,
        folder: Path,
        base_domain: str,
        port: int,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        secret_key: str | None = None,
        frontend_api_host: str | None = None,
        instance: Literal["development", "production"] = "development",
        retry_seconds: tuple[float, ...] = RETRY_SECONDS,
    ) -> None:
        if os.environ.get("APP_ENV", "").strip().lower() == "production":
            raise StandInRefused(
                "The stand-in for Clerk signs anybody in as anybody: it does not run with APP_ENV=production."
            )
        if secret_key is not None and secret_key.startswith("sk_live_"):
            raise StandInRefused("The stand-in for Clerk does not take live keys (sk_live_…).")
        self.base_domain = base_domain
        self.port = port
        self.frontend_api_host = frontend_api_host or f"clerk.{base_domain}:{port}"
        self.issuer = f"http://{self.frontend_api_host}"
        self.instance = instance
        self.store = Store(folder)
        state = self.store.state
        state.secret_key = secret_key or state.secret_key
        state.webhook_secret = webhook_secret or state.webhook_secret
        self.payloads = Payloads(state, self.issuer)
        self.outbox = Outbox(
            self.store, url=webhook_url, secret=state.webhook_secret, retry_seconds=retry_seconds
        )
        self.directory = Directory(self.store, self.payloads, self.outbox)
        self.sessions = Sessions(
            self.store,
            self.directory,
            self.payloads,
            self.outbox,
            issuer=self.issuer,
            base_domain=base_domain,
        )
        self.store.save()

    @property
    def publishable_key(self) -> str:
        """The key that names this stand-in's host."""
        prefix = "pk_live_" if self.instance == "production" else "pk_test_"
        return prefix + base64.b64encode(f"{self.frontend_api_host}$".encode()).decode()

    @property
    def secret_key(self) -> str:
        """The key of the Backend API."""
        return self.store.state.secret_key

    @property
    def webhook_secret(self) -> str:
        """The secret webhooks are signed with."""
        return self.store.state.webhook_secret

    @property
    def api_url(self) -> str:
        """The Backend API's address, by number: names below ``.localhost`` only resolve in browsers."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def public_key_pem(self) -> str:
        """The public key, for a networkless ``CLERK_JWT_KEY``."""
        return (
            self.store.signing_key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def environment(self) -> dict[str, str]:
        """Return the settings with which CourseCove uses this stand-in as its Clerk."""
        return {
            "CLERK_PUBLISHABLE_KEY": self.publishable_key,
            "CLERK_SECRET_KEY": self.secret_key,
            "CLERK_WEBHOOK_SIGNING_SECRET": self.webhook_secret,
            "CLERK_API_URL": self.api_url,
        }

    def seed_world(self) -> int:
        """Create the demo world, once in the life of a state folder; returns how many events that made.

        Goes through the same verbs as everybody, so the signed events go out
        in the order of the changes: the people, then each school with its
        founder and its members.  Whoever is deleted later stays deleted.
        """
        state, directory = self.store.state, self.directory
        if state.world_seeded:
            return 0
        before = len(self.outbox.messages)
        for person in world.PEOPLE:
            directory.create_user(person.given_name, person.family_name, person.email, user_id=person.clerk_id)
        for school in world.SCHOOLS:
            founder, _ = school.people[0]
            directory.create_organization(
                school.name,
                slug=school.slug,
                created_by=founder.clerk_id,
                organization_id=school.clerk_id,
            )
            for person, role in school.people[1:]:
                directory.create_membership(school.clerk_id, person.clerk_id, role)
        state.world_seeded = True
        self.store.save()
        return len(self.outbox.messages) - before
