"""Ending mails one can do without, from a link in one of them; nobody has to sign in."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from coursecove.db.session import SYSTEM
from coursecove.i18n import _
from coursecove.notifications import unsubscribing
from coursecove.notifications.unsubscribing import Ending
from coursecove.portals.forms import read_form
from coursecove.portals.pages import page_context, render
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


class UnsubscribePages(Controller):
    """The page behind the link, and what its button and a mail program's own button do."""

    path = unsubscribing.PATH
    include_in_schema = False

    @get("/{token:str}")
    async def ask(
        self, request: AnyRequest, organization: NamedDependency[OrganizationView], token: FromPath[str]
    ) -> Response[Any]:
        """Ask whether these mails shall end; programs that look into links end nothing."""
        resources = request.app.state.resources
        # The link is the proof: it speaks for a person without anybody being signed in.
        async with resources.database.organization(organization.id, acting=SYSTEM) as session:
            ending = await unsubscribing.read_ending(session, resources.settings, token)
        return _draw(request, organization, ending, token)

    @post("/{token:str}", status_code=200)
    async def end(
        self, request: AnyRequest, organization: NamedDependency[OrganizationView], token: FromPath[str]
    ) -> Response[Any]:
        """End them: the button of the page, or one click in a mail program (RFC 8058)."""
        await read_form(request, fields=("List-Unsubscribe",))
        resources = request.app.state.resources
        async with resources.database.organization(organization.id, acting=SYSTEM) as session:
            ending = await unsubscribing.end_mails(session, resources.settings, token)
        return _draw(request, organization, ending, token, ended=True)


def _draw(
    request: AnyRequest,
    organization: OrganizationView,
    ending: Ending,
    token: str,
    *,
    ended: bool = False,
) -> Response[Any]:
    ended = ended or ending.ended
    if ending.kind == "reminder":
        title = _("No more reminders") if ended else _("End reminders?")
        text = (
            _("You are not reminded of lessons any more.")
            if ended
            else _("You will not be reminded of lessons any more.")
        )
    else:
        title = _("No more notices of clock changes") if ended else _("End notices of clock changes?")
        text = (
            _("You are not told any more when lessons move on your clock.")
            if ended
            else _("You will not be told any more when lessons move on your clock.")
        )
    return render(
        request,
        "account/unsubscribe.html",
        page_context(request, title),
        text=text,
        ended=ended,
        action=f"{unsubscribing.PATH}/{token}",
        school=organization,
    )
