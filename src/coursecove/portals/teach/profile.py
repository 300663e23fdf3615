"""What students see of an instructor, and the zone the instructor's hours are in."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import page_context, redirect, render
from coursecove.portals.teach.navigation import NAV, own_profile
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorProfileUpdate, InstructorView, OrganizationView

AnyRequest = Request[Any, Any, Any]
_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


class ProfilePages(Controller):
    """One's own profile."""

    path = "/teach/profile"
    include_in_schema = False
    dependencies = {"by": Provide(as_staff)}

    @get("/")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Show the profile as it is stored."""
        profile = await own_profile(session, by)
        form = Form(
            {
                "bio": profile.bio if profile else "",
                "time_zone": profile.time_zone if profile else organization.time_zone,
                "meeting_url": (profile.meeting_url or "") if profile else "",
            }
        )
        return _draw(request, form, profile, by=by)

    @post("/", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save it; nothing typed is lost when something is wrong."""
        form = Form(await read_form(request, fields=names_of(InstructorProfileUpdate)))

        async def verb() -> InstructorView:
            changes = convert(form.values, InstructorProfileUpdate)
            return await tenants.update_instructor_profile(session, by.id, changes, by=by)

        _, refused = await attempt(session, form, verb)
        if refused is None:
            return redirect(request, "/teach/profile", flash="Your profile is saved.")
        return _draw(request, refused, await own_profile(session, by), by=by, status_code=422)


def zone_options(*, chosen: str) -> list[dict[str, Any]]:
    """Return the zones people live in, grouped by area, with the chosen one whatever it is."""
    groups: dict[str, list[dict[str, str]]] = {area: [] for area in _AREAS}
    for zone in sorted(available_timezones()):
        area, _, place = zone.partition("/")
        if area in groups and place:
            groups[area].append({"value": zone, "label": place.replace("_", " ").replace("/", ", ")})
    options: list[dict[str, Any]] = [{"label": area, "options": zones} for area, zones in groups.items()]
    if not any(chosen == zone["value"] for zones in groups.values() for zone in zones):
        options.insert(0, {"value": chosen, "label": chosen or "Choose a time zone"})
    return options


def _draw(
    request: AnyRequest, form: Form, profile: InstructorView | None, *, by: Member, status_code: int = 200
) -> Response[Any]:
    return render(
        request,
        "teach/profile.html",
        page_context(request, "Profile", portal="teach", nav=NAV),
        status_code=status_code,
        form=form,
        name=by.name,
        zones=zone_options(chosen=form.value("time_zone")),
        published=profile is not None,
    )
