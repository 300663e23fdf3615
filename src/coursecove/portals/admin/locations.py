"""The school's places: list, form, archive."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import LocationCreate, LocationUpdate, LocationView
from coursecove.appointments.writing import one_at_a_time
from coursecove.i18n import N_, _, ngettext
from coursecove.portals import staleness
from coursecove.portals.activity import Entry, history_of
from coursecove.portals.admin.navigation import address, admin_page, last_page, page_number, pages_of
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import Undo, redirect, render
from coursecove.portals.teach.profile import zone_options
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

AnyRequest = Request[Any, Any, Any]
PATH = "/admin/locations"
PAGE_SIZE = 50
_LONGEST_SEARCH = 100
#: What the form's fields are called.
LABELS = {
    "name": N_("Name"),
    "address": N_("Address"),
    "directions": N_("Directions"),
    "time_zone": N_("Time zone"),
}
_WORDS = {"time_zone": formatting.zone_name}


def trail(place: LocationView | None = None) -> tuple[tuple[str, str], ...]:
    """Return the ancestors of a page about places, or about one place."""
    whole = ((_("Locations"), PATH),)
    return (*whole, (place.name, f"{PATH}/{place.slug}")) if place else whole


def tabs_of(place: LocationView, current: str) -> list[dict[str, Any]]:
    """Return the pages about one place; ``current`` is "details", "rooms", "hours" or "calendar"."""
    href = f"{PATH}/{place.slug}"
    return [
        {"label": _("Details"), "href": href, "current": current == "details"},
        {"label": _("Rooms"), "href": f"{href}/rooms", "current": current == "rooms"},
        {"label": _("Opening hours"), "href": f"{href}/hours", "current": current == "hours"},
        {"label": _("Calendar link"), "href": f"{href}/calendar", "current": current == "calendar"},
    ]


def listed_places(places: Sequence[LocationView], query: Mapping[str, str]) -> list[LocationView]:
    """Return those of all places that the list shows for what stands in its address."""
    archived, search = query.get("show") == "archived", _search_in(query).casefold()
    return [
        place
        for place in places
        if bool(place.archived_at) is archived and search in f"{place.name}\n{place.address}".casefold()
    ]


def _search_in(query: Mapping[str, str]) -> str:
    return query.get("q", "").strip()[:_LONGEST_SEARCH]


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
        archived = request.query_params.get("show") == "archived"
        search = _search_in(request.query_params)
        shelf = [place for place in everything if bool(place.archived_at) is archived]
        found = listed_places(everything, request.query_params)
        number = min(page_number(request.query_params.get("page", "")), last_page(len(found), PAGE_SIZE))
        first = (number - 1) * PAGE_SIZE
        shown = found[first : first + PAGE_SIZE]
        names = await appointments.type_names_at(session, [place.id for place in shown])
        modes = await appointments.teaching_modes(session)
        rooms = Counter(room.location_id for room in await appointments.list_rooms(session))
        query = {"show": "archived" if archived else None, "q": search or None}
        closed = len(shelf) if archived else len(everything) - len(shelf)
        return render(
            request,
            "admin/locations.html",
            admin_page(request, _("Locations")),
            archived=archived,
            search=search,
            clear_href=address(PATH, {"show": query["show"]}) if search else None,
            rows=[_row(place, names[place.id], rooms, organization) for place in shown],
            any_places=bool(everything),
            export_href=address("/admin/exports/locations.csv", query),
            pages=pages_of(PATH, query, page=number, page_size=PAGE_SIZE, total=len(found)),
            online=_online(modes.get("online", set()), await tenants.list_instructors(session)),
            at_home="students_place" in modes,
            tabs=[
                {
                    "label": _("Open"),
                    "href": PATH,
                    "current": not archived,
                    "badge": len(everything) - closed,
                },
                {
                    "label": _("Archived"),
                    "href": f"{PATH}?show=archived",
                    "current": archived,
                    "badge": closed,
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
            return redirect(request, PATH, flash=_("{name} is open.").format(name=made.name))
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
        history = await history_of(session, "location", place.id)
        return _form(request, staleness.drawn(_values(place)), place, history=history)

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
            return redirect(request, PATH, flash=_("{name} is saved.").format(name=saved.name))
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

        refused = (await attempt(session, Form(), verb))[1]
        if refused is None:
            return redirect(
                request,
                PATH,
                flash=_("{name} is archived.").format(name=place.name),
                undo=Undo(f"{PATH}/{place.slug}/restore", []),
            )
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
        return redirect(request, PATH, flash=_("{name} is open again.").format(name=place.name))


def _values(place: LocationView) -> dict[str, Any]:
    """Return what the form of a place shows."""
    return {name: getattr(place, name) for name in names_of(LocationUpdate)}


def _row(
    place: LocationView,
    types: Sequence[str],
    rooms: Mapping[uuid.UUID, int],
    organization: OrganizationView,
) -> dict[str, Any]:
    zone = formatting.zone_name(place.time_zone)
    count = rooms.get(place.id, 0)
    return {
        "name": place.name,
        "href": f"{PATH}/{place.slug}",
        "address": place.address,
        "zone": None if place.time_zone == organization.time_zone else _("{zone} time").format(zone=zone),
        "rooms": ngettext("{count} room", "{count} rooms", count).format(count=count) if count else None,
        "types": types,
        "archived": place.archived_at is not None,
    }


def _online(teaching: Collection[uuid.UUID], instructors: Sequence[InstructorView]) -> list[dict[str, Any]]:
    """Return who teaches online, and at which link: that is where those lessons are."""
    return [
        {
            "name": person.name,
            "initials": formatting.initials(person.name),
            "image_url": person.image_url,
            "link": person.meeting_url,
            "href": f"/admin/people/{handle_of(person.id, person.name)}/profile",
        }
        for person in instructors
        if person.id in teaching
    ]


def _form(
    request: AnyRequest,
    form: Form,
    place: LocationView | None = None,
    *,
    history: list[Entry] | None = None,
    status_code: int = 200,
) -> Response[Any]:
    return render(
        request,
        "admin/location_form.html",
        admin_page(request, place.name if place else _("New location"), *trail()),
        status_code=status_code,
        form=form,
        place=place,
        labels={name: _(label) for name, label in LABELS.items()},
        tabs=tabs_of(place, "details") if place else None,
        history=history or [],
        action=f"{PATH}/{place.slug}" if place else f"{PATH}/new",
        closures_href=f"/admin/closures/new?location={place.slug}" if place else None,
        zones=zone_options(chosen=form.value("time_zone")),
    )


def _archive_page(
    request: AnyRequest, place: LocationView, form: Form, *, status_code: int = 200
) -> Response[Any]:
    href = f"{PATH}/{place.slug}"
    return render(
        request,
        "admin/archive.html",
        admin_page(request, _("Archive {name}?").format(name=place.name), *trail(place)),
        status_code=status_code,
        form=form,
        action=f"{href}/archive",
        keep_href=href,
        text=_(
            "It is no longer offered for new lessons. Lessons that are booked there stay, "
            "and you can restore it at any time."
        ),
    )
