"""How long the way to students takes: zones by the beginning of the postcode."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import TravelZoneCreate, TravelZoneUpdate, TravelZoneView
from coursecove.appointments.writing import one_at_a_time
from coursecove.errors import NotFound
from coursecove.i18n import N_, _
from coursecove.portals import staleness
from coursecove.portals.admin.inputs import number
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.ordered_lists import neighbours
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import Undo, redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
PATH = "/admin/travel"
FIELDS = names_of(TravelZoneCreate)
LABELS = {
    "name": N_("Name"),
    "postcode_prefixes": N_("Postcodes that begin with"),
    "travel_minutes": N_("Way there"),
}
# Not at blanks: "SW1A 2" is one.
_BETWEEN = re.compile(r"[,;\n]+")
_LONGEST_POSTCODE = 20


class TravelPages(Controller):
    """The zones of a school, and the way where none holds."""

    path = PATH
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
        """List the zones, and say which of them holds for a postcode somebody asks about."""
        zones = await appointments.list_travel_zones(session)
        postcode = " ".join(request.query_params.get("postcode", "").split())[:_LONGEST_POSTCODE]
        return render(
            request,
            "admin/travel.html",
            admin_page(request, _("Travel times")),
            rows=[
                {**_row(zone), "first": index == 0, "last": index + 1 == len(zones)}
                for index, zone in enumerate(zones)
            ],
            default=formatting.duration(organization.default_travel_minutes),
            used="students_place" in await appointments.teaching_modes(session),
            postcode=postcode,
            answer=_answer(zones, postcode, organization) if postcode else None,
        )

    @get("/new")
    async def blank(
        self,
        request: AnyRequest,
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show an empty form; the way is the school's default to begin with."""
        return _form(request, Form({"travel_minutes": str(organization.default_travel_minutes)}))

    @post("/new", status_code=200)
    async def create(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Add a zone; nothing typed is lost when something is wrong."""
        form = Form(await read_form(request, fields=FIELDS))

        async def verb() -> TravelZoneView:
            return await appointments.create_travel_zone(session, _typed(form), by=by)

        made, refused = await attempt(session, form, verb)
        if refused is not None:
            return _form(request, refused, status_code=refused.refused_status)
        return redirect(request, PATH, flash=_("{name} is saved.").format(name=made.name))

    @get("/{zone:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        zone: FromPath[str],
    ) -> Response[Any]:
        """Show a zone as it is stored."""
        found = await _find(session, zone)
        return _form(request, staleness.drawn(_values(found)), found)

    @post("/{zone:str}", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        zone: FromPath[str],
    ) -> Response[Any]:
        """Save it; lessons that are booked keep the way they were booked with."""
        found = await _find(session, zone)
        form = Form(await read_form(request, fields=(*FIELDS, *staleness.FIELDS)))

        async def stored() -> dict[str, Any]:
            await one_at_a_time(session)
            return _values(await appointments.get_travel_zone(session, found.id))

        async def verb() -> TravelZoneView:
            await staleness.check(
                session, form, stored, subject=("travel_zone", found.id), labels=LABELS, by=by
            )
            changes = TravelZoneUpdate(**msgspec.structs.asdict(_typed(form)))
            return await appointments.update_travel_zone(session, found.id, changes, by=by)

        saved, refused = await attempt(session, form, verb)
        if refused is not None:
            return _form(request, refused, found, status_code=refused.refused_status)
        return redirect(request, PATH, flash=_("{name} is saved.").format(name=saved.name))

    @post("/{zone:str}/remove", status_code=200)
    async def remove(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        zone: FromPath[str],
    ) -> Response[Any]:
        """Take it away; one press, because one more takes it back."""
        await read_form(request, fields=())
        found = await _find(session, zone)
        await appointments.delete_travel_zone(session, found.id, by=by)
        text = _("{name} is removed. Its postcodes have the usual way now.").format(name=found.name)
        return redirect(request, PATH, flash=text, undo=Undo(f"{PATH}/new", list(_values(found).items())))

    @post("/{zone:str}/move", status_code=200)
    async def move(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        zone: FromPath[str],
    ) -> Response[Any]:
        """Show it before or after its neighbour."""
        to = (await read_form(request, fields=("to",))).get("to")
        found = await _find(session, zone)
        ids = [one.id for one in await appointments.list_travel_zones(session)]
        pair = neighbours(ids, ids.index(found.id), to)
        if pair is not None:
            await appointments.reorder_travel_zones(session, pair, by=by)
        flash = _("The order is saved.") if pair else None
        return redirect(request, f"{PATH}#{_handle(found)}", flash=flash)


def _handle(zone: TravelZoneView) -> str:
    return handle_of(zone.id, zone.name)


async def _find(session: AsyncSession, handle: str) -> TravelZoneView:
    code = handle.rpartition("-")[2]
    for zone in await appointments.list_travel_zones(session):
        # The words in front are for readers, and may be of yesterday.
        if _handle(zone).rpartition("-")[2] == code:
            return zone
    raise NotFound(_("There is no such travel zone at this school."))


def _typed(form: Form) -> TravelZoneCreate:
    prefixes = [part.strip() for part in _BETWEEN.split(form.value("postcode_prefixes"))]
    values = {**form.values, "postcode_prefixes": [part for part in prefixes if part]}
    messages = {
        "postcode_prefixes": _("Enter up to 200 beginnings of at most 12 characters."),
        "travel_minutes": _("Enter 0 to 120 minutes."),
    }
    return convert(values, TravelZoneCreate, parsers={"travel_minutes": number}, messages=messages)


def _values(zone: TravelZoneView) -> dict[str, str]:
    return {
        "name": zone.name,
        "postcode_prefixes": ", ".join(zone.postcode_prefixes),
        "travel_minutes": str(zone.travel_minutes),
    }


def _row(zone: TravelZoneView) -> dict[str, Any]:
    return {
        "name": zone.name,
        "handle": _handle(zone),
        "href": f"{PATH}/{_handle(zone)}",
        "prefixes": zone.postcode_prefixes,
        "way": formatting.duration(zone.travel_minutes),
    }


def _answer(zones: list[TravelZoneView], postcode: str, organization: OrganizationView) -> str:
    zone = appointments.zone_of(zones, postcode)
    if zone is None:
        return _("{postcode} is in no zone: the usual {way} each way.").format(
            postcode=postcode, way=formatting.duration(organization.default_travel_minutes)
        )
    return _("{postcode} is in {zone}: {way} each way.").format(
        postcode=postcode, zone=zone.name, way=formatting.duration(zone.travel_minutes)
    )


def _form(
    request: AnyRequest, form: Form, zone: TravelZoneView | None = None, *, status_code: int = 200
) -> Response[Any]:
    return render(
        request,
        "admin/travel_form.html",
        admin_page(request, zone.name if zone else _("New travel zone"), (_("Travel times"), PATH)),
        status_code=status_code,
        form=form,
        zone=zone,
        labels={name: _(label) for name, label in LABELS.items()},
        action=f"{PATH}/{_handle(zone)}" if zone else f"{PATH}/new",
    )
