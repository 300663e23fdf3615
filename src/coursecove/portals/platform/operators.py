"""Who gets in: operators; for everybody else these pages do not exist."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.errors import NotFound, Unauthenticated
from coursecove.identity.authentication import SignedOut
from coursecove.portals.pages import NavLink, page_context, viewer_zone
from coursecove.resources import Resources
from coursecove.tenants.guards import identity_of
from coursecove.tenants.operators import Operator, find_operator

AnyRequest = Request[Any, Any, Any]

NAV = (
    NavLink("Overview", "/platform", "layout-dashboard"),
    NavLink("Webhooks", "/platform/webhooks", "webhook"),
    NavLink("Schools", "/platform/schools", "school"),
)
STATEMENT_SECONDS = 10

_SET_TIMEOUT = text("select set_config('statement_timeout', :limit, true)")


async def platform_session(request: AnyRequest) -> AsyncIterator[AsyncSession]:
    """Yield the platform's unit of work; a question to the ledger takes ten seconds at most.

    Commits when the handler returns, rolls back when it raises.
    """
    resources: Resources = request.app.state.resources
    async with resources.database.platform_scope() as session:
        yield session


async def as_operator(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Operator:
    """Yield the operator who is signed in; ask visitors to sign in, and show everybody else no such page."""
    identity = identity_of(request)
    if isinstance(identity, SignedOut):
        raise Unauthenticated("Sign in to go on.", extra={"reason": identity.reason})
    await session.execute(_SET_TIMEOUT, {"limit": f"{STATEMENT_SECONDS}s"})
    operator = await find_operator(session, request.app.state.resources.settings, identity.claims.user_id)
    if operator is None:
        raise NotFound
    request.scope["state"]["operator"] = operator
    return operator


def platform_page(request: AnyRequest, title: str, *trail: tuple[str, str]) -> dict[str, Any]:
    """Return ``page`` for a page of this portal; ``trail`` are its ancestors as (label, address)."""
    breadcrumb = [{"label": label, "href": href} for label, href in trail]
    return page_context(request, title, portal="platform", nav=NAV, breadcrumb=breadcrumb)


class Moments:
    """Instants in the reader's zone, to the second: these pages are read beside logs."""

    def __init__(self, request: AnyRequest) -> None:
        self.zone = viewer_zone(request, "UTC")
        self.zone_name = formatting.zone_name(self.zone)

    def moment(self, instant: datetime) -> dict[str, str]:
        """Return the words and the machine's form of an instant."""
        words = f"{formatting.day(instant, self.zone)}, {formatting.local(instant, self.zone):%H:%M:%S}"
        return {"text": words, "iso": instant.isoformat()}


def span(seconds: float) -> str:
    """Return a span in words of one unit: "40 s", "12 min", "5 h", "3 days"."""
    for size, word in ((172_800, "days"), (7200, "h"), (120, "min")):
        if seconds >= size:
            unit = {"days": 86_400, "h": 3600, "min": 60}[word]
            return f"{int(seconds // unit)} {word}"
    return f"{max(int(seconds), 0)} s"


def milliseconds(value: float | None) -> str:
    """Return "12 ms", "3.4 s", or a span for what took minutes; a dash when nothing was measured."""
    if value is None:
        return "–"
    if value < 1000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.1f} s" if value < 120_000 else span(value / 1000)
