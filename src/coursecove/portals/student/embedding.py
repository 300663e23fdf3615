"""The school's lessons inside the school's own website: one script tag, and pages that may stand in a frame.

What stands in a frame is for everybody and nobody in particular: these pages
know no visitor, carry no form that changes anything, and lead out of the frame,
into a window of their own, as soon as somebody has chosen a time.  Signing in
and booking happen there, where the address can be seen and cookies are sent.
All other pages refuse to be framed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.bookings.availability import next_free_many
from coursecove.config import project_data
from coursecove.portals.pages import page_context, render, viewer_zone
from coursecove.portals.student.catalogue import next_words, read_filters, type_card
from coursecove.portals.student.choice import read_choice
from coursecove.portals.student.flow import next_step
from coursecove.portals.student.offering import offer_of
from coursecove.tenants import service as tenants
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
LAYOUT = "layouts/embed.html"
# A name or an address, and perhaps a port; never credentials.
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")


@get("/widget.js", include_in_schema=False)
async def widget_script() -> Response[bytes]:
    """Serve the script that a school's website takes in; it finds the school by its own address."""
    script = (project_data("static") / "js" / "widget.js").read_bytes()
    return Response(
        script,
        media_type="text/javascript; charset=utf-8",
        headers={
            "Cache-Control": "public, max-age=3600",
            # Sites that isolate themselves may take it in as well.
            "Cross-Origin-Resource-Policy": "cross-origin",
        },
    )


@get("/embed", include_in_schema=False)
async def embedded_catalogue(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
) -> Response[Any]:
    """List what any visitor may book; no more reads for many lessons than for one."""
    open_to_frames(request)
    types = await appointments.offered_types(session, viewer=None)
    places = {place.id: place for place in await appointments.list_locations(session)}
    teachers = await tenants.instructors_by_id(
        session, {id_ for type_ in types for id_ in type_.instructor_ids}
    )
    filters = read_filters(request.query_params, teachers.values(), places.values())
    shown = filters.narrowed(types)
    soonest = await next_free_many(
        session, shown, after=clock.now(), ignoring_session_ids=frozenset(), **filters.asked
    )
    zone = viewer_zone(request, organization.time_zone)
    cards = [
        type_card(
            type_,
            teachers,
            places,
            path=f"/embed/{type_.slug}",
            query={**filters.query(type_), "origin": framing_origin(request)},
            next_free=next_words(
                type_,
                soonest.get(type_.id),
                filters,
                places=places,
                viewer_zone=zone,
                school_zone=organization.time_zone,
            ),
        )
        for type_ in shown
    ]
    page = _framed(page_context(request, organization.name), request)
    return render(request, "student/embed.html", page, types=cards)


@get("/embed/{slug:str}", include_in_schema=False)
async def embedded_times(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    slug: FromPath[str],
) -> Response[Any]:
    """Show the free times of one lesson; a chosen one opens a window of the school's own."""
    params = dict(request.query_params)
    type_ = await appointments.get_offered_type_by_slug(session, slug, viewer=None, key=params.get("key"))
    offer = await offer_of(
        session,
        organization,
        type_,
        viewer=None,
        zone=viewer_zone(request, organization.time_zone),
        postcode=params.get("postcode", ""),
        path=f"/embed/{type_.slug}",
    )
    offer = replace(offer, booked_at=f"/book/{type_.slug}", framed_by=framing_origin(request))
    open_to_frames(request)
    # Whatever time an address names is confirmed elsewhere.
    params.pop("time", None)
    frame = {"layout": LAYOUT, "catalogue_href": _catalogue(request)}
    return await next_step(request, session, read_choice(params, offer), viewer=None, frame=frame)


def open_to_frames(request: AnyRequest) -> None:
    """Let the answer to this request stand in a frame of another site."""
    request.scope["state"]["content_policy"] = "embed"


def framing_origin(request: AnyRequest) -> str | None:
    """Return the site around the frame as its script named it: the height is told to nobody else."""
    parts = urlsplit(request.query_params.get("origin", ""))
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.netloc):
        return None
    return f"{parts.scheme}://{parts.netloc}"


def _catalogue(request: AnyRequest) -> str:
    origin = framing_origin(request)
    return f"/embed?origin={origin}" if origin else "/embed"


def _framed(page: dict[str, Any], request: AnyRequest) -> dict[str, Any]:
    """Return the context of a page that knows nobody and needs no sign-in."""
    return {**page, "viewer": None, "clerk": None, "flash": [], "framed_by": framing_origin(request)}
