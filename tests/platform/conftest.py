"""The bare domain with Olivia as its operator, and events of every kind in the inbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from coursecove.config import Settings
from coursecove.dev.clerk.session_tokens import mint_session_token
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.dev.clerk.world import OLIVIA, PEOPLE
from tests import counting
from tests.platform.inbox import Inbox

Visit = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    """The settings of this module's database, with an operator."""
    return replace(settings, platform_operators=(OLIVIA.email,))


@pytest.fixture(scope="module")
def visit(address: str, settings: Settings, stand_in: ClerkStandIn) -> Iterator[Visit]:
    """``visit(email=None, user_id=None)``: a browser of that person on the bare domain."""
    with ExitStack() as stack:

        def make(email: str | None = None, *, user_id: str | None = None, **options: Any) -> httpx.Client:
            origin = settings.origin()
            headers = {
                "Host": origin.partition("://")[2],
                "Origin": origin,
                "Accept": "text/html",
                "Sec-Fetch-Dest": "document",
            }
            if email or user_id:
                user_id = user_id or next(person.clerk_id for person in PEOPLE if person.email == email)
                session = mint_session_token(
                    stand_in.store.signing_key,
                    key_id=stand_in.store.state.instance_id,
                    issuer=stand_in.issuer,
                    user_id=user_id,
                    session_id=f"sess_test{user_id[5:]}",
                    authorized_party=origin,
                    lifetime_seconds=3600,
                )
                headers["Cookie"] = f"__session={session}; __client_uat=1"
            made = httpx.Client(base_url=address, headers=headers, timeout=30, trust_env=False, **options)
            return stack.enter_context(made)

        yield make


@pytest.fixture(scope="module")
def operator(visit: Visit) -> httpx.Client:
    """Olivia's browser."""
    return visit(OLIVIA.email)


@pytest.fixture
def inbox(address: str, settings: Settings) -> Inbox:
    """An empty inbox behind the running application."""
    inbox = Inbox(address, settings)
    inbox.empty()
    return inbox


@pytest.fixture
def statements() -> Callable[[Callable[[], object]], int]:
    """``statements(work)``: how many statements the process sent while ``work()`` ran."""

    def counted(work: Callable[[], object]) -> int:
        with counting.statements() as sent:
            work()
        return len(sent)

    return counted
