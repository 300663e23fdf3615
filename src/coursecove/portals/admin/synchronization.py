"""How the school stands with Clerk, where its people sign in; and looking there again."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency, Provide

from coursecove.i18n import _
from coursecove.portals.admin.navigation import admin_clocks
from coursecove.portals.forms import read_form
from coursecove.portals.pages import redirect
from coursecove.resources import Resources
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.reconciliation import SyncState, SyncTooSoon, request_sync, sync_state
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


async def sync_words(request: AnyRequest, organization: OrganizationView) -> dict[str, Any]:
    """Return what the card about synchronization says; instants are on the admin's clocks."""
    resources: Resources = request.app.state.resources
    state = await sync_state(resources.database, organization.id)
    clocks = admin_clocks(request, organization, venue=None)
    rows = [
        {
            "label": "Last news",
            "text": clocks.moment(state.last_event_at) if state.last_event_at else "None kept",
        },
        {
            "label": "Last comparison",
            "text": clocks.moment(state.last_reconciled_at) if state.last_reconciled_at else "None yet",
        },
    ]
    if state.last_result:
        rows.append({"label": "Result", "text": state.last_result})
    return {"rows": rows, "running": state.running, **_standing(state)}


def _standing(state: SyncState) -> dict[str, str | None]:
    """Return the badge and, when somebody should know more, a sentence."""
    if state.failed:
        some = "One change" if state.failed == 1 else f"{state.failed} changes"
        text = f"{some} could not be taken over. Synchronize now; if it stays, tell the support."
        return {"label": "Needs attention", "kind": "error", "text": text}
    if state.running:
        return {"label": "Under way", "kind": "info", "text": state.trouble}
    if state.waiting:
        some = "One change is" if state.waiting == 1 else f"{state.waiting} changes are"
        return {
            "label": "Nearly there",
            "kind": "warning",
            "text": f"{some} waiting for another one to arrive.",
        }
    return {"label": "Up to date", "kind": "success", "text": None}


@post(
    "/admin/school/sync",
    include_in_schema=False,
    status_code=200,
    dependencies={"by": Provide(as_admin)},
)
async def synchronize(
    request: AnyRequest,
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """Have the school's people compared with Clerk's, at most once a minute."""
    await read_form(request, fields=())
    try:
        await request_sync(request.app.state.resources, organization, by=by)
    except SyncTooSoon as refused:
        words = f"{refused.title}. {refused.detail or ''}".strip()
        return redirect(request, "/admin/school", flash=words, kind="info")
    return redirect(request, "/admin/school", flash=_("Synchronization has begun. It takes a moment."))
