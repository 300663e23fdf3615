"""What students see of an instructor, and the zone the instructor's hours are in."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.i18n import _
from coursecove.portals import profile_form, staleness
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import page_context, redirect, render
from coursecove.portals.teach.navigation import NAV, own_profile
from coursecove.portals.uploads import MAX_FORM_BYTES, read_picture
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

AnyRequest = Request[Any, Any, Any]
PATH = "/teach/profile"
_AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


class ProfilePages(Controller):
    """One's own profile."""

    path = PATH
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
        form = staleness.drawn(profile_form.values_of(profile, school_zone=organization.time_zone))
        return _draw(request, form, profile, by=by)

    @post("/", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Save it; nothing typed is lost when something is wrong."""
        sent = await read_form(request, fields=profile_form.FIELDS, lists=profile_form.LISTS)
        form = Form(profile_form.without_blanks(sent))

        async def stored() -> dict[str, Any]:
            return profile_form.values_of(await own_profile(session, by), school_zone=organization.time_zone)

        async def verb() -> InstructorView:
            await staleness.check(
                session,
                form,
                stored,
                subject=("member", by.id),
                labels=profile_form.LABELS,
                by=by,
                words=profile_form.WORDS,
            )
            changes = profile_form.changes_in(form)
            return await tenants.update_instructor_profile(session, by.id, changes, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            return redirect(request, PATH, flash=_("Your profile is saved."))
        profile = await own_profile(session, by)
        return _draw(request, refused, profile, by=by, status_code=refused.refused_status)

    @post("/photo", status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def upload_photo(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Show students another photo, or say what is wrong with the file."""
        content = await read_picture(request)

        async def verb() -> InstructorView:
            return await tenants.set_photo(session, by.id, content, by=by)

        refused = (await attempt(session, Form(), verb))[1]
        if refused is None:
            return redirect(request, PATH, flash=_("Your photo is saved."))
        profile = await own_profile(session, by)
        form = staleness.drawn(profile_form.values_of(profile, school_zone=organization.time_zone))
        problem = refused.error("picture")
        return _draw(request, form, profile, by=by, picture_error=problem, status_code=refused.refused_status)

    @post("/photo/removal", status_code=200)
    async def remove_photo(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Take the photo away."""
        await read_form(request, fields=())
        await tenants.remove_photo(session, by.id, by=by)
        return redirect(request, PATH, flash=_("The photo is removed."))


def zone_options(*, chosen: str) -> list[dict[str, Any]]:
    """Return the zones people live in, grouped by area, with the chosen one whatever it is."""
    groups: dict[str, list[dict[str, str]]] = {area: [] for area in _AREAS}
    for zone in sorted(available_timezones()):
        area, slash, place = zone.partition("/")
        if area in groups and slash:
            groups[area].append({"value": zone, "label": place.replace("_", " ").replace("/", ", ")})
    options: list[dict[str, Any]] = [{"label": area, "options": zones} for area, zones in groups.items()]
    if not any(chosen == zone["value"] for zones in groups.values() for zone in zones):
        options.insert(0, {"value": chosen, "label": chosen or _("Choose a time zone")})
    return options


def uploaded_photo(image_url: str | None) -> bool:
    """Say whether a picture was uploaded here; anything else is the person's own at Clerk."""
    return bool(image_url) and str(image_url).startswith("/pictures/")


def _draw(
    request: AnyRequest,
    form: Form,
    profile: InstructorView | None,
    *,
    by: Member,
    picture_error: str | None = None,
    status_code: int = 200,
) -> Response[Any]:
    photo_url = profile.image_url if profile else by.image_url
    return render(
        request,
        "teach/profile.html",
        page_context(request, _("Profile"), portal="teach", nav=NAV),
        status_code=status_code,
        form=form,
        labels={name: _(label) for name, label in profile_form.LABELS.items()},
        zones=zone_options(chosen=form.value("time_zone")),
        published=profile is not None,
        photo_url=photo_url,
        uploaded=uploaded_photo(photo_url),
        picture_error=picture_error,
        **profile_form.context_of(form),
    )
