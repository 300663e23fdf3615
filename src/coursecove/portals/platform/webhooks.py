"""All events of the inbox, and each of them."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.portals.admin.navigation import last_page, pages_of
from coursecove.portals.pages import redirect, render
from coursecove.portals.platform.event_filters import PAGE_SIZE, PATH, choices, read_filters
from coursecove.portals.platform.event_words import event_row, facts, history, status_badge
from coursecove.portals.platform.operators import Moments, as_operator, platform_page, platform_session
from coursecove.tenants.operators import Operator
from coursecove.webhooks import service as webhooks

AnyRequest = Request[Any, Any, Any]


class WebhookPages(Controller):
    """What came in, found by filters that stand in the address."""

    path = PATH
    include_in_schema = False
    dependencies = {"session": Provide(platform_session), "by": Provide(as_operator)}

    @get("/")
    async def index(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Operator],  # noqa: ARG002 - asks for an operator
    ) -> Response[Any]:
        """List events; six queries whatever their number."""
        typed, moments = read_filters(request.query_params), Moments(request)
        found = await webhooks.find_events(
            session, typed.filters(moments.zone), order=typed.sort, page=typed.page, page_size=PAGE_SIZE
        )
        if not found.items and typed.page > 1:
            return redirect(request, typed.href(page=str(last_page(found.total, PAGE_SIZE))))
        standing = await webhooks.standing(session)
        counts = {"failed": standing.failed, "pending": standing.pending, "processing": standing.processing}
        return render(
            request,
            "platform/webhooks.html",
            platform_page(request, "Webhooks"),
            zone=moments.zone_name,
            typed=typed,
            tabs=typed.tabs(counts),
            choices=choices(typed),
            clear_href=PATH if typed.narrowed else None,
            rows=[event_row(event, moments) for event in found.items],
            total=found.total,
            failed_total=standing.failed,
            sort_href=typed.href(sort="oldest" if typed.sort == "newest" else "newest"),
            sorted={"newest": "descending", "oldest": "ascending"}.get(typed.sort),
            pages=pages_of(PATH, typed.query(), page=typed.page, page_size=PAGE_SIZE, total=found.total),
            return_to=typed.href(page=str(typed.page) if typed.page > 1 else None),
        )

    @get("/{message_id:str}")
    async def show(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Operator],  # noqa: ARG002 - asks for an operator
        message_id: FromPath[str],
    ) -> Response[Any]:
        """Show the history of one event, the headers that were kept, and its payload without secrets."""
        found = await webhooks.get_event(session, message_id)
        moments = Moments(request)
        return render(
            request,
            "platform/webhook.html",
            platform_page(request, found.event.event_type, ("Platform", "/platform"), ("Webhooks", PATH)),
            zone=moments.zone_name,
            event=found.event,
            status=status_badge(found.event),
            steps=history(found.event, moments),
            facts=facts(found.event),
            kept_headers=[{"label": name, "text": value} for name, value in sorted(found.headers.items())],
            body=found.body,
            body_bytes=f"{found.body_bytes:,}",
        )
