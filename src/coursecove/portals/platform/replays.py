"""Once more: a page that asks, and the form that does it."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.portals.forms import read_form
from coursecove.portals.pages import local_path, redirect, render
from coursecove.portals.platform.event_filters import PATH
from coursecove.portals.platform.event_words import event_row
from coursecove.portals.platform.operators import Moments, as_operator, platform_page, platform_session
from coursecove.tenants.operators import Operator
from coursecove.webhooks import service as webhooks
from coursecove.webhooks.service import REPLAY_AT_MOST, EventFilters

AnyRequest = Request[Any, Any, Any]
log = structlog.get_logger("coursecove.platform")

# What a page of the list can have chosen, with room to spare.
MOST_CHOSEN = 200


class ReplayPages(Controller):
    """Events to be processed again: those that were chosen, or all that failed."""

    path = f"{PATH}/replay"
    include_in_schema = False
    dependencies = {"session": Provide(platform_session), "by": Provide(as_operator)}

    @get("/")
    async def ask(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Operator],  # noqa: ARG002 - asks for an operator
    ) -> Response[Any]:
        """Show what would be processed again."""
        params = request.query_params
        all_failed = params.get("failed") == "1"
        chosen = params.getall("message_ids", [])[:MOST_CHOSEN]
        back = _back(params.get("return_to"))
        if not all_failed and not chosen:
            return redirect(request, back, flash="Choose the events first.", kind="info")
        moments = Moments(request)
        if all_failed:
            found = await webhooks.find_events(
                session, EventFilters(status="failed"), order="oldest", page_size=10
            )
            events, total = found.items, min(found.total, REPLAY_AT_MOST)
            left = found.total - total
        else:
            events = await webhooks.get_events(session, chosen)
            total, left = len(events), 0
        return render(
            request,
            "platform/replay.html",
            platform_page(request, "Process again?", ("Platform", "/platform"), ("Webhooks", PATH)),
            rows=[event_row(event, moments) for event in events],
            total=total,
            more=total - len(events),
            left=left,
            all_failed=all_failed,
            return_to=back,
        )

    @post("/", status_code=200)
    async def replay(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Operator],
    ) -> Response[Any]:
        """Make them due and wake the workers."""
        form = await read_form(request, fields=("failed", "return_to"), lists=("message_ids",))
        back = _back(form.get("return_to"))
        chosen = form["message_ids"][:MOST_CHOSEN]
        if form.get("failed") == "1":
            done = await webhooks.replay_failed(session)
            missed = 0
        else:
            done = await webhooks.replay(session, chosen)
            missed = len(set(chosen)) - len(done)
        log.info("webhooks_replayed", operator=by.clerk_id, events=len(done), left_out=missed)
        words = (
            f"{_events(len(done))} will be processed again." if done else "Nothing was to be processed again."
        )
        if missed:
            words += f" {_events(missed)} left out: gone, or being processed right now."
        return redirect(request, back, flash=words, kind="warning" if missed or not done else "success")


def _back(typed: str | None) -> str:
    path = local_path(typed, PATH)
    return path if path.startswith(PATH) else PATH


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"
