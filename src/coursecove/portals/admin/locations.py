"""The school's places: list, form, archive."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, LocationCreate, LocationUpdate, LocationView
from coursecove.appointments.writing import one_at_a_time
from coursecove.formatting import zone_name
from coursecove.i18n import N_
from coursecove.portals import staleness
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import redirect, render
from coursecove.portals.teach.profile import zone_options
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
_LIST = ("Locations", "/admin/locations")
#: What the form's fields are called.
LABELS = {
    "name": N_("Name"),
    "address": N_("Address"),
    "directions": N_("Directions"),
    "time_zone": N_("Time zone"),
}
_WORDS = {"time_zone": zone_name}


class LocationPages(Controller):
    """Where lessons take place."""

    path = "/admin/locations"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def listed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """List the places that are open, or those in the archive, with the lessons taught there."""
        everything = await appointments.list_locations(session, include_archived=True)
        types = await appointments.list_types(session, include_unpublished=True)
        archived = request.query_params.get("show") == "archived"
        closed = [place for place in everything if place.archived_at]
        open_ = [place for place in everything if not place.archived_at]
        return render(
            request,
            "admin/locations.html",
            admin_page(request, "Locations"),
            archived=archived,
            rows=[_row(place, types, organization) for place in (closed if archived else open_)],
            tabs=[
                {
                    "label": "Open",
                    "href": "/admin/locations",
                    "current": not archived,
                    "badge": len(open_),
                },
                {
                    "label": "Archived",
                    "href": "/admin/locations?show=archived",
                    "current": archived,
                    "badge": len(closed),
                },
            ],
        )

    @get("/new")
    async def blank(
        self,
        request: AnyRequest,
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show an empty form; the zone is the school's."""
        return _form(request, Form({"time_zone": organization.time_zone}))

    @post("/new", status_code=200)
    async def create(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Open a place; nothing typed is lost when something is wrong."""
        form = Form(await read_form(request, fields=names_of(LocationCreate)))

        async def verb() -> LocationView:
            return await appointments.create_location(session, convert(form.values, LocationCreate), by=by)

        made, refused = await attempt(session, form, verb)
        if refused is None:
            return redirect(request, "/admin/locations", flash=f"{made.name} is open.")
        return _form(request, refused, status_code=422)

    @get("/{slug:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show the place as it is stored."""
        place = await appointments.get_location_by_slug(session, slug)
        return _form(request, staleness.drawn(_values(place)), place)

    @post("/{slug:str}", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Save it; its address stays when it is renamed."""
        place = await appointments.get_location_by_slug(session, slug)
        form = Form(await read_form(request, fields=(*names_of(LocationUpdate), *staleness.FIELDS)))

        async def stored() -> dict[str, Any]:
            await one_at_a_time(session)
            return _values(await appointments.get_location(session, place.id))

        async def verb() -> LocationView:
            await staleness.check(
                session, form, stored, subject=("location", place.id), labels=LABELS, by=by, words=_WORDS
            )
            return await appointments.update_location(
                session, place.id, convert(form.values, LocationUpdate), by=by
            )

        saved, refused = await attempt(session, form, verb)
        if refused is None:
            return redirect(request, "/admin/locations", flash=f"{saved.name} is saved.")
        return _form(request, refused, place, status_code=refused.refused_status)

    @get("/{slug:str}/archive")
    async def ask_to_archive(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Ask whether to archive it."""
        place = await appointments.get_location_by_slug(session, slug)
        return _archive_page(request, place, Form())

    @post("/{slug:str}/archive", status_code=200)
    async def archive(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Archive it, or say which lessons still need it."""
        await read_form(request, fields=())
        place = await appointments.get_location_by_slug(session, slug)

        async def verb() -> LocationView:
            return await appointments.archive_location(session, place.id, by=by)

        _, refused = await attempt(session, Form(), verb)
        if refused is None:
            return redirect(request, "/admin/locations", flash=f"{place.name} is archived.")
        return _archive_page(request, place, refused, status_code=409)

    @post("/{slug:str}/restore", status_code=200)
    async def restore(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Open it again, for the same lessons as before."""
        await read_form(request, fields=())
        place = await appointments.get_location_by_slug(session, slug)
        await appointments.restore_location(session, place.id, by=by)
        return redirect(request, "/admin/locations", flash=f"{place.name} is open again.")


def _values(place: LocationView) -> dict[str, Any]:
    """Return what the form of a place shows."""
    return {name: getattr(place, name) for name in names_of(LocationUpdate)}


def _row(
    place: LocationView, types: list[AppointmentTypeView], organization: OrganizationView
) -> dict[str, Any]:
    names = [type_.name for type_ in types if place.id in type_.location_ids]
    return {
        "name": place.name,
        "href": f"/admin/locations/{place.slug}",
        "slug": place.slug,
        "address": place.address,
        "zone": None if place.time_zone == organization.time_zone else f"{zone_name(place.time_zone)} time",
        "types": names,
        "archived": place.archived_at is not None,
    }


def _form(
    request: AnyRequest, form: Form, place: LocationView | None = None, *, status_code: int = 200
) -> Response[Any]:
    return render(
        request,
        "admin/location_form.html",
        admin_page(request, place.name if place else "New location", _LIST),
        status_code=status_code,
        form=form,
        place=place,
        action=f"/admin/locations/{place.slug}" if place else "/admin/locations/new",
        zones=zone_options(chosen=form.value("time_zone")),
    )


def _archive_page(
    request: AnyRequest, place: LocationView, form: Form, *, status_code: int = 200
) -> Response[Any]:
    href = f"/admin/locations/{place.slug}"
    return render(
        request,
        "admin/archive.html",
        admin_page(request, f"Archive {place.name}?", _LIST, (place.name, href)),
        status_code=status_code,
        form=form,
        action=f"{href}/archive",
        keep_href=href,
        text="It is no longer offered for new lessons. Lessons that are booked there stay, "
        "and you can restore it at any time.",
    )
