"""A Clerk of a test's own, with a front that can refuse, stall or garble what passes through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy import text

from coursecove.config import Settings
from coursecove.dev.clerk.app import create_clerk_app
from coursecove.dev.clerk.records import Membership, User
from coursecove.dev.clerk.stand_in import ClerkStandIn
from coursecove.resources import Resources, open_resources
from coursecove.tenants.reconciliation import tasks
from tests.conftest import BASE_DOMAIN
from tests.serving import free_port, serving

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request of CourseCove: its path below /v1 and its query."""

    path: str
    query: dict[str, list[str]]

    @property
    def kind(self) -> str:
        """Which question it is, in a word."""
        match self.path.strip("/").split("/"):
            case ["organizations"]:
                return "organizations"
            case ["organizations", _]:
                return "organization"
            case ["organizations", _, "memberships"]:
                return "members" if "user_id" in self.query else "memberships"
            case ["users"]:
                return "users"
            case ["users", _]:
                return "user"
        return self.path


@dataclass(frozen=True)
class Answer:
    """What the front says instead of Clerk."""

    status: int
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


Rule = Callable[[Asked], Answer | None]


@dataclass
class Front:
    """Stands before the Backend API; ``rule`` may answer in its place.

    Questions of the kind ``stalling`` are answered once that is another kind.
    """

    app: ASGIApp
    stalling: str | None = None
    asked: list[Asked] = field(default_factory=list)
    rule: Rule = lambda _: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        asked = Asked(
            unquote(scope["path"]).removeprefix("/v1"), parse_qs(scope["query_string"].decode("ascii"))
        )
        self.asked.append(asked)
        while self.stalling == asked.kind:  # noqa: ASYNC110 - set by a test in another thread
            await asyncio.sleep(0.02)
        answer = self.rule(asked)
        if answer is None:
            await self.app(scope, receive, send)
            return
        headers = {"content-type": "application/json", **answer.headers}
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(answer.body).encode(), "more_body": False})

    def count(self, kind: str) -> int:
        """How often a question was asked."""
        return sum(asked.kind == kind for asked in self.asked)


@dataclass
class ClerkSide:
    """The people and schools at Clerk, and what stands before them."""

    stand_in: ClerkStandIn
    front: Front

    def settings(self, settings: Settings) -> Settings:
        """Return settings with which CourseCove asks this Clerk."""
        return replace(settings, clerk_api_url=self.stand_in.api_url, clerk_secret_key=self.stand_in.secret_key)

    def enrol_many(self, organization_id: str, number: int) -> None:
        """Put many people into a school at once; nothing is announced."""
        state, now = self.stand_in.store.state, self.stand_in.store.tick()
        for index in range(number):
            user = User(
                id=f"user_2Many{index:05}",
                email_id=f"idn_{index}",
                email=f"person{index}@example.com",
                first_name=f"Person {index}",
                last_name="Many",
                created_at=now,
                updated_at=now,
            )
            membership = Membership(
                id=f"orgmem_2Many{index:05}",
                organization_id=organization_id,
                user_id=user.id,
                role="org:member",
                created_at=now,
                updated_at=now,
            )
            state.users[user.id] = user
            state.memberships[membership.id] = membership


@contextmanager
def clerk_side(folder: Path) -> Iterator[ClerkSide]:
    """Serve a Clerk with the demo world in it, which sends no webhooks, behind a front."""
    port = free_port()
    stand_in = ClerkStandIn(folder=folder, base_domain=BASE_DOMAIN, port=port)
    stand_in.seed_world()
    front = Front(create_clerk_app(stand_in))
    with serving(front, port):
        yield ClerkSide(stand_in, front)


@asynccontextmanager
async def a_worker(settings: Settings) -> AsyncIterator[Resources]:
    """Open what a worker process holds."""
    async with open_resources(settings) as resources:
        yield resources


async def rows(house: Resources, statement: str, **values: Any) -> list[Json]:
    """Return what the platform sees."""
    async with house.database.platform_scope() as session:
        return [dict(row._mapping) for row in await session.execute(text(statement), values)]


async def change(house: Resources, statement: str, **values: Any) -> None:
    """Change something as the platform."""
    async with house.database.platform_scope() as session:
        await session.execute(text(statement), values)


async def members(house: Resources, slug: str) -> dict[str, str]:
    """Return the roles of a school's people by address."""
    found = await rows(
        house,
        "select m.email, m.role from members m join organizations o on o.id = m.organization_id "
        "where o.slug = :slug and m.removed_at is null",
        slug=slug,
    )
    return {row["email"]: row["role"] for row in found}


async def go_on(house: Resources, *, pieces: int = 200) -> Json:
    """Do pieces of work until nothing is due; return the latest run."""
    for _ in range(pieces):
        due = await rows(
            house,
            "select 1 from reconciliations where finished_at is null and resume_at <= now() "
            "and lease_token is null",
        )
        if not due:
            break
        await tasks.reconcile.run(house)
    found = await rows(house, "select * from reconciliations order by requested_at desc limit 1")
    return found[0]


async def reconcile(house: Resources) -> Json:
    """Compare everything with Clerk, as the schedule does; return the run."""
    await tasks.start(house)
    return await go_on(house)
