"""The pages of private calendar addresses: one's lessons, what one teaches, what is at a location.

They differ in whose they are and where they stand; what can be done is the same.
An address is shown on the page that answers the button, and never again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments.schemas import LocationView
from coursecove.config import Settings
from coursecove.i18n import _
from coursecove.notifications import feeds
from coursecove.notifications.controllers import feed_url
from coursecove.notifications.feeds import FeedKind
from coursecove.portals.forms import read_form
from coursecove.portals.pages import redirect, render
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One of the pages: where it is, what it is about, and the page around it."""

    kind: FeedKind
    path: str
    layout: str
    lead: str
    page: Callable[[], dict[str, Any]]
    place: LocationView | None = None
    tabs: list[dict[str, Any]] | None = None

    @property
    def _location(self) -> dict[str, Any]:
        return {"location_id": self.place.id if self.place else None}

    async def show(
        self, request: AnyRequest, session: AsyncSession, organization: OrganizationView, *, by: Member
    ) -> Response[Any]:
        """Say whether there is an address, since when, and whether a calendar uses it."""
        feed = await feeds.find_feed(session, self.kind, by=by, **self._location)
        return self._draw(request, organization, feed, url=None)

    async def open(
        self, request: AnyRequest, session: AsyncSession, organization: OrganizationView, *, by: Member
    ) -> Response[Any]:
        """Make an address, in place of the one there was, and show it this once."""
        await read_form(request, fields=())
        opened = await feeds.open_feed(session, self.kind, by=by, **self._location)
        settings: Settings = request.app.state.resources.settings
        return self._draw(
            request, organization, opened.feed, url=feed_url(settings, organization.slug, opened.token)
        )

    async def revoke(self, request: AnyRequest, session: AsyncSession, *, by: Member) -> Response[Any]:
        """End the address; that it has ended already is fine."""
        await read_form(request, fields=())
        feed = await feeds.find_feed(session, self.kind, by=by, **self._location)
        if feed is not None:
            await feeds.revoke_feed(session, feed.id, by=by)
        return redirect(request, self.path, flash=_("The address opens nothing any more."))

    def _draw(
        self,
        request: AnyRequest,
        organization: OrganizationView,
        feed: feeds.FeedView | None,
        *,
        url: str | None,
    ) -> Response[Any]:
        since, read = None, None
        if feed is not None:
            since = formatting.day(feed.created_at, organization.time_zone)
            read = formatting.ago(feed.last_read_at) if feed.last_read_at else None
        return render(
            request,
            "components/feed_page.html",
            self.page(),
            layout=self.layout,
            lead=self.lead,
            tabs=self.tabs,
            place=self.place,
            path=self.path,
            url=url,
            webcal_url=url and "webcal://" + url.partition("://")[2],
            since=since,
            read=read,
        )
