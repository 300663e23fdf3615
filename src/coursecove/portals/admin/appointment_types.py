"""The catalogue: list, form, archive."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.portals.admin.inputs import UNIT_OPTIONS
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.type_form import (
    FIELDS,
    LISTS,
    Choices,
    as_changes,
    choices_of,
    new_values,
    read_type,
    stored_values,
)
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
_LIST = ("Appointment types", "/admin/types")
_SHELVES = {"published": "Published", "drafts": "Drafts", "archived": "Archived"}


class TypePages(Controller):
    """What can be booked, and under which rules."""

    path = "/admin/types"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def listed(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """List what is published, drafts, or the archive."""
        types = await appointments.list_types(session, include_unpublished=True, include_archived=True)
        shown = request.query_params.get("show", "")
        shown = shown if shown in _SHELVES else "published"
        shelves: dict[str, list[AppointmentTypeView]] = {shelf: [] for shelf in _SHELVES}
        for type_ in types:
            shelves[_shelf(type_)].append(type_)
        choices = await choices_of(session)
        return render(
            request,
            "admin/types.html",
            admin_page(request, "Appointment types"),
            shown=shown,
            rows=[_row(type_, choices) for type_ in shelves[shown]],
            any_types=bool(types),
            tabs=[
                {
                    "label": label,
                    "href": "/admin/types" if shelf == "published" else f"/admin/types?show={shelf}",
                    "current": shelf == shown,
                    "badge": len(shelves[shelf]),
                }
                for shelf, label in _SHELVES.items()
            ],
        )

    @get("/new")
    async def blank(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show a form with sensible rules to begin with."""
        choices = await choices_of(session)
        form = Form(new_values(choices, color=organization.accent_color))
        return _form(request, form, choices, organization)

    @post("/new", status_code=200)
    async def create(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Add it to the catalogue; nothing typed is lost when something is wrong."""
        choices = await choices_of(session)
        form = Form(await read_form(request, fields=FIELDS, lists=LISTS))

        async def verb() -> AppointmentTypeView:
            data = read_type(form.values, choices, currency=organization.currency)
            return await appointments.create_type(session, data, by=by)

        made, refused = await attempt(session, form, verb)
        if refused is not None:
            return _form(request, refused, choices, organization, status_code=422)
        if made.published_at is None:
            return redirect(request, "/admin/types?show=drafts", flash=f"{made.name} is kept as a draft.")
        return redirect(request, "/admin/types", flash=f"{made.name} is published.")

    @get("/{slug:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show the type as it is stored."""
        type_ = await appointments.get_type_by_slug(session, slug)
        choices = await choices_of(session)
        return _form(request, Form(stored_values(type_, choices)), choices, organization, type_)

    @post("/{slug:str}", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Save it; its address stays when it is renamed, and booked lessons keep their promise."""
        type_ = await appointments.get_type_by_slug(session, slug)
        choices = await choices_of(session)
        form = Form(await read_form(request, fields=FIELDS, lists=LISTS))

        async def verb() -> AppointmentTypeView:
            data = read_type(form.values, choices, currency=organization.currency)
            return await appointments.update_type(session, type_.id, as_changes(data), by=by)

        saved, refused = await attempt(session, form, verb)
        if refused is not None:
            return _form(request, refused, choices, organization, type_, status_code=422)
        return redirect(request, _shelf_href(saved), flash=f"{saved.name} is saved.")

    @get("/{slug:str}/archive")
    async def ask_to_archive(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Ask whether to archive it."""
        type_ = await appointments.get_type_by_slug(session, slug)
        href = f"/admin/types/{type_.slug}"
        return render(
            request,
            "admin/archive.html",
            admin_page(request, f"Archive {type_.name}?", _LIST, (type_.name, href)),
            form=Form(),
            action=f"{href}/archive",
            keep_href=href,
            text="Students can no longer book it. Lessons that are booked stay, "
            "and you can restore it at any time.",
        )

    @post("/{slug:str}/archive", status_code=200)
    async def archive(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Archive it."""
        await read_form(request, fields=())
        type_ = await appointments.get_type_by_slug(session, slug)
        await appointments.archive_type(session, type_.id, by=by)
        return redirect(request, "/admin/types", flash=f"{type_.name} is archived.")

    @post("/{slug:str}/restore", status_code=200)
    async def restore(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Take it out of the archive; where its last place is gone it comes back as a draft."""
        await read_form(request, fields=())
        type_ = await appointments.get_type_by_slug(session, slug)
        restored = await appointments.restore_type(session, type_.id, by=by)
        if restored.published_at is None and type_.published_at is not None:
            text = f"{restored.name} is a draft now, because its location is archived."
            return redirect(request, _shelf_href(restored), flash=text, kind="warning")
        return redirect(request, _shelf_href(restored), flash=f"{restored.name} is back.")


def _shelf(type_: AppointmentTypeView) -> str:
    return "archived" if type_.archived_at else "published" if type_.published_at else "drafts"


def _shelf_href(type_: AppointmentTypeView) -> str:
    shelf = _shelf(type_)
    return "/admin/types" if shelf == "published" else f"/admin/types?show={shelf}"


def _row(type_: AppointmentTypeView, choices: Choices) -> dict[str, Any]:
    places = [place.name for place in choices.places if place.id in type_.location_ids]
    teachers = [teacher.name for teacher in choices.teachers if teacher.id in type_.instructor_ids]
    return {
        "name": type_.name,
        "slug": type_.slug,
        "href": f"/admin/types/{type_.slug}",
        "color": type_.color,
        "minutes": type_.duration_minutes,
        "price_cents": type_.price_cents,
        "currency": type_.currency,
        "online": type_.location_mode == "online",
        "places": places,
        "teachers": teachers,
        "archived": type_.archived_at is not None,
    }


def _form(
    request: AnyRequest,
    form: Form,
    choices: Choices,
    organization: OrganizationView,
    type_: AppointmentTypeView | None = None,
    *,
    status_code: int = 200,
) -> Response[Any]:
    return render(
        request,
        "admin/type_form.html",
        admin_page(request, type_.name if type_ else "New appointment type", _LIST),
        status_code=status_code,
        form=form,
        type=type_,
        action=f"/admin/types/{type_.slug}" if type_ else "/admin/types/new",
        currency=organization.currency,
        units=UNIT_OPTIONS,
        place_options=choices.place_options,
        teacher_options=choices.teacher_options,
    )
