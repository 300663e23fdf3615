"""Calendars for programs outside: an address is all it takes, so it says nothing to anybody without it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from coursecove.db.session import SYSTEM
from coursecove.i18n import _
from coursecove.notifications import feeds
from coursecove.notifications.feed_calendar import feed_content
from coursecove.tenants.schemas import OrganizationView

_HEADERS = {
    # A calendar may keep it, nothing in between may, and it asks again each time.
    "Cache-Control": "private, no-cache",
    "X-Robots-Tag": "noindex",
    "Content-Disposition": 'inline; filename="lessons.ics"',
}


@get("/feeds/{token:str}", include_in_schema=False)
async def calendar_feed(
    request: Request[Any, Any, Any], organization: NamedDependency[OrganizationView], token: FromPath[str]
) -> Response[Any]:
    """Return the calendar behind a secret address; what is revoked, of another school or made up is one 404."""
    resources = request.app.state.resources
    secret, suffix = token.removesuffix(".ics"), token.endswith(".ics")
    # The secret is the proof: whoever asks has no session here, a calendar on a phone does not sign in.
    async with resources.database.organization(organization.id, acting=SYSTEM) as session:
        feed = await feeds.find_by_token(session, secret) if suffix else None
        if feed is None:
            return Response(_("There is no calendar here.") + "\n", status_code=404, media_type="text/plain")
        content = await feed_content(session, feed, resources.settings)
    headers = {**_HEADERS, "ETag": content.etag}
    if _knows(request.headers.get("if-none-match", ""), content.etag):
        return Response(b"", status_code=304, headers=headers, media_type="text/calendar")
    return Response(content.body, media_type="text/calendar", headers=headers)


def _knows(if_none_match: str, etag: str) -> bool:
    """Say whether one of the marks a program sent is this one, as weakly as If-None-Match compares."""
    marks = {mark.strip().removeprefix("W/") for mark in if_none_match.split(",")}
    return "*" in marks or etag.removeprefix("W/") in marks
