"""Calendar feeds, the log of mails and the words of mails, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.config import Settings
from coursecove.notifications import deliveries, feeds
from coursecove.notifications.deliveries import DeliveryPage, DeliveryStatus, DeliveryView
from coursecove.notifications.feeds import FeedKind, FeedView
from coursecove.notifications.kinds import Kind
from coursecove.notifications.mail_text_controller import API_CONTROLLERS as MAIL_TEXTS
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member


class FeedList(Struct, frozen=True):
    """Calendar feeds that work."""

    items: list[FeedView]


class FeedCreate(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which calendar: one's lessons, what one teaches, or what is at a location."""

    kind: FeedKind
    location_id: uuid.UUID | None = None


class FeedCreated(Struct, frozen=True):
    """A feed and its address, which is told this once."""

    feed: FeedView
    url: str


def feed_url(settings: Settings, slug: str, token: str) -> str:
    """Return the address of a feed: whoever has it reads the calendar."""
    return f"{settings.origin(slug)}/feeds/{token}.ics"


class FeedController(Controller):
    """Private calendar feeds."""

    path = "/calendar-feeds"
    tags = ["Organization"]
    dependencies = {"by": Provide(guards.as_member)}

    @get(operation_id="list_calendar_feeds", summary="One's calendar feeds")
    async def list_feeds(self, session: NamedDependency[AsyncSession], by: NamedDependency[Member]) -> FeedList:
        """Return one's own feeds that work, for admins also those of locations; never their addresses."""
        return FeedList(await feeds.list_feeds(session, by=by))

    @post(operation_id="open_calendar_feed", summary="Get a calendar feed")
    async def open_feed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[FeedCreate],
    ) -> FeedCreated:
        """Make a feed and return its address, this once; the one there was of the kind works no longer."""
        opened = await feeds.open_feed(session, data.kind, by=by, location_id=data.location_id)
        settings: Settings = request.app.state.resources.settings
        slug = request.scope["state"]["organization"].slug
        return FeedCreated(opened.feed, feed_url(settings, slug, opened.token))

    @delete("/{feed_id:uuid}", operation_id="revoke_calendar_feed", summary="End a calendar feed")
    async def revoke_feed(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        feed_id: FromPath[uuid.UUID],
    ) -> None:
        """End a feed of one's own, or as an admin one of a location: its address opens nothing any more."""
        await feeds.revoke_feed(session, feed_id, by=by)


class DeliveryController(Controller):
    """What was mailed to whom, and what became of it."""

    path = "/deliveries"
    tags = ["Organization"]
    dependencies = {"by": Provide(guards.as_admin)}

    @get(operation_id="list_deliveries", summary="The log of mails")
    async def list_deliveries(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        kind: FromQuery[Kind | None] = None,
        status: FromQuery[DeliveryStatus | None] = None,
        search: Annotated[str | None, QueryParameter(max_length=200)] = None,
        page: Annotated[int, QueryParameter(ge=1, le=100_000)] = 1,
        page_size: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> DeliveryPage:
        """Return a page of mails, newest first; for admins."""
        del by
        return await deliveries.list_deliveries(
            session, kind=kind, status=status, search=search, page=page, page_size=page_size
        )

    @get("/{delivery_id:uuid}", operation_id="get_delivery", summary="One mail")
    async def get_delivery(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        delivery_id: FromPath[uuid.UUID],
    ) -> DeliveryView:
        """Return what became of one mail; for admins."""
        del by
        return await deliveries.get_delivery(session, delivery_id)

    @post(
        "/{delivery_id:uuid}/resending",
        operation_id="resend_delivery",
        summary="Send a failed mail again",
        status_code=200,
    )
    async def resend(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        delivery_id: FromPath[uuid.UUID],
    ) -> DeliveryView:
        """Try a mail that was given up as if for the first time; for admins."""
        return await deliveries.send_again(session, delivery_id, by=by)


API_CONTROLLERS: list[Any] = [FeedController, DeliveryController, *MAIL_TEXTS]
