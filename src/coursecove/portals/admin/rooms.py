"""The rooms of a location: list, form, order, archive."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import LocationView, RoomCreate, RoomUpdate, RoomView
from coursecove.appointments.writing import one_at_a_time
from coursecove.errors import NotFound
from coursecove.i18n import N_, _, ngettext
from coursecove.portals import staleness
from coursecove.portals.admin.inputs import number
from coursecove.portals.admin.locations import PATH as LOCATIONS
from coursecove.portals.admin.locations import tabs_of, trail
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.ordered_lists import put_beside, restored, with_handle
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import Undo, redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

AnyRequest = Request[Any, Any, Any]
FIELDS = names_of(RoomCreate)
LABELS = {"name": N_("Name"), "capacity": N_("Students that fit in")}


class RoomPages(Controller):
    """Where at a location a lesson takes place; two never share a room."""

    path = f"{LOCATIONS}/{{slug:str}}/rooms"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def listed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """List the rooms in their order, with a form for one more, and below those no longer used."""
        place = await appointments.get_location_by_slug(session, slug)
        return await _page(request, session, place, Form({"capacity": "1"}))

    @post("/", status_code=200)
    async def create(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Add one after the others; nothing typed is lost when something is wrong."""
        place = await appointments.get_location_by_slug(session, slug)
        form = Form(await read_form(request, fields=FIELDS))

        async def verb() -> RoomView:
            return await appointments.create_room(session, place.id, _typed(form), by=by)

        made, refused = await attempt(session, form, verb)
        if refused is not None:
            return await _page(request, session, place, refused, status_code=refused.refused_status)
        text = _("{name} is added. Add another, or go on.").format(name=made.name)
        return redirect(request, f"{_base(place)}#add", flash=text)

    @get("/{room:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
        room: FromPath[str],
    ) -> Response[Any]:
        """Show a room as it is stored."""
        place, found = await _find(session, slug, room)
        return _form(request, staleness.drawn(_values(found)), place, found)

    @post("/{room:str}", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        room: FromPath[str],
    ) -> Response[Any]:
        """Rename it, or say how many it holds; lessons that are booked stay in it."""
        place, found = await _find(session, slug, room)
        form = Form(await read_form(request, fields=(*FIELDS, *staleness.FIELDS)))

        async def stored() -> dict[str, Any]:
            await one_at_a_time(session)
            return _values(await appointments.get_room(session, found.id))

        async def verb() -> RoomView:
            await staleness.check(session, form, stored, subject=("room", found.id), labels=LABELS, by=by)
            changes = RoomUpdate(**msgspec.structs.asdict(_typed(form)))
            return await appointments.update_room(session, found.id, changes, by=by)

        saved, refused = await attempt(session, form, verb)
        if refused is not None:
            return _form(request, refused, place, found, status_code=refused.refused_status)
        return redirect(request, _base(place), flash=_("{name} is saved.").format(name=saved.name))

    @post("/{room:str}/archive", status_code=200)
    async def archive(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        room: FromPath[str],
    ) -> Response[Any]:
        """Use it for no new lesson; one press, because one more takes it back."""
        await read_form(request, fields=())
        place, found = await _find(session, slug, room)
        await appointments.archive_room(session, found.id, by=by)
        text = _("{name} is not used any more. Lessons that are booked stay in it.").format(name=found.name)
        undo = Undo(f"{_base(place)}/{_handle(found)}/restore", [])
        return redirect(request, _base(place), flash=text, undo=undo)

    @post("/{room:str}/restore", status_code=200)
    async def restore(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        room: FromPath[str],
    ) -> Response[Any]:
        """Use it again."""
        place, found = await _find(session, slug, room)
        return await restored(
            request,
            session,
            lambda: appointments.restore_room(session, found.id, by=by),
            back=_base(place),
            said=_("{name} is used again.").format(name=found.name),
        )

    @post("/{room:str}/move", status_code=200)
    async def move(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
        room: FromPath[str],
    ) -> Response[Any]:
        """Put it before or after its neighbour: the first free one is taken first."""
        place, found = await _find(session, slug, room)
        rooms = await appointments.list_rooms(session, location_ids=[place.id])
        return await put_beside(
            request,
            [one.id for one in rooms],
            found.id,
            lambda pair: appointments.reorder_rooms(session, place.id, pair, by=by),
            back=f"{_base(place)}#{_handle(found)}",
        )


def _base(place: LocationView) -> str:
    return f"{LOCATIONS}/{place.slug}/rooms"


def _handle(room: RoomView) -> str:
    return handle_of(room.id, room.name)


async def _find(session: AsyncSession, slug: str, handle: str) -> tuple[LocationView, RoomView]:
    place = await appointments.get_location_by_slug(session, slug)
    rooms = await appointments.list_rooms(session, location_ids=[place.id], include_archived=True)
    found = with_handle(rooms, handle, handle_of=_handle)
    if found is None:
        raise NotFound(_("There is no such room at this school."))
    return place, found


def _typed(form: Form) -> RoomCreate:
    values = dict(form.values)
    if not values.get("capacity"):
        # An empty field must not quietly mean a default that the page does not show.
        values["capacity"] = "0"
    messages = {"capacity": _("Enter 1 to 1,000 students.")}
    return convert(values, RoomCreate, parsers={"capacity": number}, messages=messages)


def _values(room: RoomView) -> dict[str, Any]:
    return {"name": room.name, "capacity": str(room.capacity)}


def _row(place: LocationView, room: RoomView) -> dict[str, Any]:
    return {
        "name": room.name,
        "handle": _handle(room),
        "href": f"{_base(place)}/{_handle(room)}",
        "text": ngettext("for one student", "for {count} students", room.capacity).format(count=room.capacity),
    }


async def _page(
    request: AnyRequest,
    session: AsyncSession,
    place: LocationView,
    form: Form,
    *,
    status_code: int = 200,
) -> Response[Any]:
    everything = await appointments.list_rooms(session, location_ids=[place.id], include_archived=True)
    used = [room for room in everything if room.archived_at is None]
    return render(
        request,
        "admin/rooms.html",
        admin_page(request, _("Rooms of {name}").format(name=place.name), *trail(place)),
        status_code=status_code,
        place=place,
        tabs=tabs_of(place, "rooms"),
        form=form,
        labels={name: _(label) for name, label in LABELS.items()},
        action=_base(place),
        rows=[
            {**_row(place, room), "first": index == 0, "last": index + 1 == len(used)}
            for index, room in enumerate(used)
        ],
        archived=[_row(place, room) for room in everything if room.archived_at],
    )


def _form(
    request: AnyRequest, form: Form, place: LocationView, room: RoomView, *, status_code: int = 200
) -> Response[Any]:
    return render(
        request,
        "admin/room_form.html",
        admin_page(request, room.name, *trail(place), (_("Rooms"), _base(place))),
        status_code=status_code,
        form=form,
        room=room,
        labels={name: _(label) for name, label in LABELS.items()},
        action=f"{_base(place)}/{_handle(room)}",
        back_href=_base(place),
    )
