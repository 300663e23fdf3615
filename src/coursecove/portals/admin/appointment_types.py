"""Appointment types one by one: form, archive, duplicate."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.appointments.writing import one_at_a_time
from coursecove.i18n import _
from coursecove.portals import staleness
from coursecove.portals.activity import Entry, history_of
from coursecove.portals.admin.inputs import unit_options
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.admin.type_form import (
    FIELDS,
    HINTS,
    LABELS,
    LISTS,
    WORDS,
    Choices,
    as_changes,
    choices_of,
    new_values,
    open_folds,
    read_type,
    stored_values,
    words,
)
from coursecove.portals.admin.type_list import PATH, shelf_href, tabs_of, trail
from coursecove.portals.admin.type_preview import link_of
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import Undo, redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]


class TypePages(Controller):
    """What can be booked, and under which rules."""

    path = "/admin/types"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

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
        return _form(request, Form(new_values(choices, organization)), choices, organization)

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
            text = _("{name} is kept as a draft.")
        elif made.visibility == "link":
            text = _("{name} is published. Its link is on its page.")
        else:
            text = _("{name} is published.")
        to = f"/admin/types/{made.slug}" if made.visibility == "link" else shelf_href(made)
        return redirect(request, to, flash=text.format(name=made.name))

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
        return _form(
            request,
            staleness.drawn(stored_values(type_, choices)),
            choices,
            organization,
            type_,
            history=await history_of(session, "appointment_type", type_.id),
        )

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
        form = Form(await read_form(request, fields=(*FIELDS, *staleness.FIELDS), lists=LISTS))

        async def stored() -> dict[str, Any]:
            await one_at_a_time(session)
            return stored_values(await appointments.get_type(session, type_.id), choices)

        async def verb() -> AppointmentTypeView:
            await staleness.check(
                session,
                form,
                stored,
                subject=("appointment_type", type_.id),
                labels=LABELS,
                by=by,
                words={**words(), **_names(choices)},
            )
            data = read_type(form.values, choices, currency=organization.currency)
            return await appointments.update_type(session, type_.id, as_changes(data), by=by)

        saved, refused = await attempt(session, form, verb)
        if refused is not None:
            return _form(request, refused, choices, organization, type_, status_code=refused.refused_status)
        return redirect(request, shelf_href(saved), flash=_("{name} is saved.").format(name=saved.name))

    @post("/{slug:str}/duplicate", status_code=200)
    async def duplicate(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Make a draft like it, and open that."""
        await read_form(request, fields=())
        type_ = await appointments.get_type_by_slug(session, slug)
        copy = await appointments.duplicate_type(session, type_.id, by=by)
        text = _("This is a copy of {name}, still a draft. Its questions came along.")
        return redirect(request, f"/admin/types/{copy.slug}", flash=text.format(name=type_.name))

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
            admin_page(request, _("Archive {name}?").format(name=type_.name), *trail(type_)),
            form=Form(),
            action=f"{href}/archive",
            keep_href=href,
            text=_(
                "Students can no longer book it. Lessons that are booked stay, "
                "and you can restore it at any time."
            ),
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
        return redirect(
            request,
            PATH,
            flash=_("{name} is archived.").format(name=type_.name),
            undo=Undo(f"{PATH}/{type_.slug}/restore", []),
        )

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
            text = _("{name} is a draft now, because its location is archived.")
            return redirect(
                request, shelf_href(restored), flash=text.format(name=restored.name), kind="warning"
            )
        return redirect(request, shelf_href(restored), flash=_("{name} is back.").format(name=restored.name))


def _names(choices: Choices) -> dict[str, dict[str, str]]:
    return {
        "location_ids": {place.slug: place.name for place in choices.places},
        "instructor_ids": {teacher.handle: teacher.name for teacher in choices.teachers},
    }


def _cards(field: str) -> list[dict[str, str]]:
    """Return the choices of a field, each with a line that says what it means."""
    hints = HINTS[field]
    return [{"value": value, "label": _(word), "hint": _(hints[value])} for value, word in WORDS[field].items()]


def _form(
    request: AnyRequest,
    form: Form,
    choices: Choices,
    organization: OrganizationView,
    type_: AppointmentTypeView | None = None,
    *,
    history: list[Entry] | None = None,
    status_code: int = 200,
) -> Response[Any]:
    title = type_.name if type_ else _("New appointment type")
    return render(
        request,
        "admin/type_form.html",
        admin_page(request, title, *trail()),
        status_code=status_code,
        form=form,
        type=type_,
        labels={name: _(label) for name, label in LABELS.items()},
        tabs=tabs_of(type_, "rules") if type_ else None,
        link=link_of(request, type_.slug, type_.link_key) if type_ and type_.link_key else None,
        history=history or [],
        kind_options=_cards("kind"),
        mode_options=_cards("location_mode"),
        visibility_options=_cards("visibility"),
        published_options=_cards("published"),
        open_folds=open_folds(form.values, form.errors),
        action=f"/admin/types/{type_.slug}" if type_ else "/admin/types/new",
        currency=organization.currency,
        units=unit_options(),
        place_options=choices.place_options,
        teacher_options=choices.teacher_options,
    )
