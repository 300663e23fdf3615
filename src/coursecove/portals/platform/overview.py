"""The first page for operators: how the inbox is doing, and what needs somebody."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.portals.pages import render
from coursecove.portals.platform.event_words import age, event_row
from coursecove.portals.platform.operators import (
    Moments,
    as_operator,
    milliseconds,
    platform_page,
    platform_session,
)
from coursecove.tenants.operators import Operator, count_schools
from coursecove.webhooks import service as webhooks
from coursecove.webhooks.service import EventFilters, Stats

WINDOWS = ((1, "1 hour"), (24, "24 hours"), (168, "7 days"))
_FAILED = 8
_OPEN = 8


@get(
    "/platform",
    include_in_schema=False,
    dependencies={"session": Provide(platform_session), "by": Provide(as_operator)},
)
async def overview(
    request: Request[Any, Any, Any],
    session: NamedDependency[AsyncSession],
    by: NamedDependency[Operator],  # noqa: ARG001 - asks for an operator
) -> Response[Any]:
    """Show what failed, what is open, and the last hour, day and week."""
    moments = Moments(request)
    standing = await webhooks.standing(session)
    windows = [await webhooks.stats(session, hours=hours) for hours, _ in WINDOWS]
    failed = await webhooks.find_events(session, EventFilters(status="failed"), page_size=_FAILED)
    waiting = await webhooks.find_events(
        session, EventFilters(status="pending"), order="oldest", page_size=_OPEN
    )
    return render(
        request,
        "platform/overview.html",
        platform_page(request, "Platform"),
        zone=moments.zone_name,
        standing=standing,
        oldest=age(standing.oldest_open_seconds),
        schools=await count_schools(session),
        windows=[_window(label, stats) for (_, label), stats in zip(WINDOWS, windows, strict=True)],
        failed=[event_row(event, moments) for event in failed.items],
        open=[event_row(event, moments) for event in waiting.items],
        more_open=waiting.total > len(waiting.items),
    )


def _window(label: str, stats: Stats) -> dict[str, str]:
    return {
        "label": label,
        "completed": f"{stats.completed:,}",
        "failed": f"{stats.failed:,}",
        "success": _percent(stats.success_rate),
        "fast": _percent(stats.fast_path_share),
        "p50": milliseconds(stats.p50_ms),
        "p99": milliseconds(stats.p99_ms),
    }


def _percent(share: float | None) -> str:
    # Rounded down: what is not all is not said to be.
    return "–" if share is None else f"{int(share * 1000) / 10:.1f} %"
