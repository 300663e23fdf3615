"""What students see of an instructor, and what the instructor may teach, as an admin sets it."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, QualificationView
from coursecove.bookings.affected import Affected, affected_by_expiry, beyond_qualifications
from coursecove.errors import Invalid, NotFound
from coursecove.formatting import duration, local
from coursecove.i18n import _
from coursecove.portals import profile_form, staleness
from coursecove.portals.admin.people import person_context, person_href, person_page
from coursecove.portals.affected_words import question
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import redirect, render
from coursecove.portals.teach.profile import uploaded_photo, zone_options
from coursecove.portals.uploads import MAX_FORM_BYTES, read_picture
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorView, OrganizationView

AnyRequest = Request[Any, Any, Any]
_CHOSEN = "appointment_type_ids"


class TeachingPages(Controller):
    """For instructors, and for admins who teach or begin to; students have none of these pages."""

    path = "/admin/people/{handle:str}"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/profile")
    async def edit_profile(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show the profile as it is stored."""
        member = await _teacher(session, handle)
        profile = await _profile(session, member)
        form = staleness.drawn(profile_form.values_of(profile, school_zone=organization.time_zone))
        return _draw_profile(request, member, form, profile)

    @post("/profile", status_code=200)
    async def save_profile(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Save it; nothing typed is lost when something is wrong."""
        member = await _teacher(session, handle)
        sent = await read_form(request, fields=profile_form.FIELDS, lists=profile_form.LISTS)
        form = Form(profile_form.without_blanks(sent))

        async def stored() -> dict[str, Any]:
            profile = await _profile(session, member)
            return profile_form.values_of(profile, school_zone=organization.time_zone)

        async def verb() -> InstructorView:
            await staleness.check(
                session,
                form,
                stored,
                subject=("member", member.id),
                labels=profile_form.LABELS,
                by=by,
                words=profile_form.WORDS,
            )
            changes = profile_form.changes_in(form)
            return await tenants.update_instructor_profile(session, member.id, changes, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            flash = _("The profile of {name} is saved.").format(name=member.name)
            return redirect(request, f"{person_href(member)}/profile", flash=flash)
        profile = await _profile(session, member)
        return _draw_profile(request, member, refused, profile, status_code=refused.refused_status)

    @post("/photo", status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def upload_photo(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show students another photo of them, or say what is wrong with the file."""
        member = await _teacher(session, handle)
        content = await read_picture(request)

        async def verb() -> InstructorView:
            return await tenants.set_photo(session, member.id, content, by=by)

        refused = (await attempt(session, Form(), verb))[1]
        if refused is None:
            flash = _("The photo of {name} is saved.").format(name=member.name)
            return redirect(request, f"{person_href(member)}/profile", flash=flash)
        profile = await _profile(session, member)
        form = staleness.drawn(profile_form.values_of(profile, school_zone=organization.time_zone))
        problem = refused.error("picture")
        status = refused.refused_status
        return _draw_profile(request, member, form, profile, picture_error=problem, status_code=status)

    @post("/photo/removal", status_code=200)
    async def remove_photo(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Take the photo away."""
        member = await _teacher(session, handle)
        await read_form(request, fields=())
        await tenants.remove_photo(session, member.id, by=by)
        return redirect(request, f"{person_href(member)}/profile", flash=_("The photo is removed."))

    @get("/qualifications")
    async def edit_qualifications(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show which lessons they may teach, and until when."""
        member = await _teacher(session, handle)
        types = await appointments.list_types(session, include_unpublished=True)
        held = await appointments.qualifications_with_expiry(session, member.id)
        form = staleness.drawn(_held_values(held, types))
        until = {one.appointment_type_id: one.expires_on for one in held}
        beyond = await beyond_qualifications(session, member.id, until)
        return _draw_qualifications(request, organization, member, form, types, beyond=beyond)

    @post("/qualifications", status_code=200)
    async def save_qualifications(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Save it, after asking about lessons that are booked for later; those stay with them."""
        member = await _teacher(session, handle)
        types = await appointments.list_types(session, include_unpublished=True)
        days = [f"until-{type_.slug}" for type_ in types]
        names = (*days, "confirmed", *staleness.FIELDS)
        form = Form(await read_form(request, fields=names, lists=(_CHOSEN,)))
        asked: list[Affected] = []

        async def stored() -> dict[str, Any]:
            return _held_values(await appointments.qualifications_with_expiry(session, member.id), types)

        async def verb() -> None:
            labels = {_CHOSEN: _("May teach")}
            labels |= {f"until-{type_.slug}": type_.name for type_ in types}
            await staleness.check(
                session,
                form,
                stored,
                subject=("member", member.id),
                labels=labels,
                by=by,
                words={_CHOSEN: {type_.slug: type_.name for type_ in types}},
            )
            wanted = _wanted(form, types)
            affected = await _affected(session, member.id, wanted)
            if affected and affected.fingerprint != form.value("confirmed"):
                asked.append(affected)
                return
            held = await appointments.qualifications_with_expiry(session, member.id)
            before = {one.appointment_type_id: one.expires_on for one in held}
            await appointments.set_qualifications(session, member.id, list(wanted), by=by)
            for type_id, last_day in wanted.items():
                if before.get(type_id) != last_day:
                    await appointments.set_qualification_expiry(session, member.id, type_id, last_day, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None and not asked:
            flash = _("What {name} teaches is saved.").format(name=member.name)
            return redirect(request, f"{person_href(member)}/qualifications", flash=flash)
        shown = refused or form
        status = refused.refused_status if refused else 409
        return _draw_qualifications(
            request, organization, member, shown, types, asked=asked[0] if asked else None, status_code=status
        )


async def _teacher(session: AsyncSession, handle: str) -> Member:
    """Return an instructor or an admin; raises NotFound for students, who have no such pages."""
    member = await get_member_by_handle(session, handle)
    if member.role == "student":
        raise NotFound(_("Students do not teach. Make them an instructor first."))
    return member


async def _profile(session: AsyncSession, member: Member) -> InstructorView | None:
    """Return what students see of them; None for an admin who has not begun to teach."""
    found = await tenants.instructors_by_id(session, [member.id], include_deactivated=True)
    return found.get(member.id)


def _held_values(held: list[QualificationView], types: list[AppointmentTypeView]) -> dict[str, Any]:
    until = {one.appointment_type_id: one.expires_on for one in held}
    values: dict[str, Any] = {_CHOSEN: [type_.slug for type_ in types if type_.id in until]}
    for type_ in types:
        last_day = until.get(type_.id)
        values[f"until-{type_.slug}"] = last_day.isoformat() if last_day else ""
    return values


def _wanted(form: Form, types: list[AppointmentTypeView]) -> dict[uuid.UUID, date | None]:
    """Return what was chosen with the last day of each; raises :class:`Invalid` at what cannot be read."""
    by_slug = {type_.slug: type_.id for type_ in types}
    chosen = form.value(_CHOSEN, [])
    problems: dict[str, str] = {}
    if not by_slug.keys() >= set(chosen):
        problems[_CHOSEN] = _("One of these lessons is not offered any more. Please look at your choice again.")
    wanted: dict[uuid.UUID, date | None] = {}
    for slug in chosen:
        typed = form.value(f"until-{slug}")
        try:
            last_day = date.fromisoformat(typed) if typed else None
        except ValueError:
            problems[f"until-{slug}"] = _("Enter a day such as 2027-06-30.")
            continue
        if last_day is not None and not 2000 <= last_day.year <= 2199:
            problems[f"until-{slug}"] = _("Choose a day of this century.")
        if slug in by_slug:
            wanted[by_slug[slug]] = last_day
    if problems:
        raise Invalid(fields=problems)
    return wanted


async def _affected(
    session: AsyncSession, member_id: uuid.UUID, wanted: dict[uuid.UUID, date | None]
) -> Affected | None:
    """Return the booked lessons they would not be qualified for any more, of all types that lose something."""
    held = {
        one.appointment_type_id: one.expires_on
        for one in await appointments.qualifications_with_expiry(session, member_id)
    }
    found: list[Affected] = []
    for type_id, before in held.items():
        after = wanted.get(type_id)
        shorter = after is not None and (before is None or after < before)
        if type_id not in wanted or shorter:
            found.append(await affected_by_expiry(session, member_id, type_id, after))
    lessons = sorted((one for affected in found for one in affected.lessons), key=lambda one: one.starts_at)
    ids = [session_id for affected in found for session_id in affected.session_ids]
    return Affected(lessons, ids) if ids else None


def _draw_profile(
    request: AnyRequest,
    member: Member,
    form: Form,
    profile: InstructorView | None,
    *,
    picture_error: str | None = None,
    status_code: int = 200,
) -> Response[Any]:
    photo_url = profile.image_url if profile else member.image_url
    return render(
        request,
        "admin/person_profile.html",
        person_page(request, member),
        status_code=status_code,
        **person_context(member, "profile"),
        form=form,
        labels={name: _(label) for name, label in profile_form.LABELS.items()},
        zones=zone_options(chosen=form.value("time_zone")),
        published=profile is not None,
        photo_url=photo_url,
        uploaded=uploaded_photo(photo_url),
        picture_error=picture_error,
        **profile_form.context_of(form),
    )


def _draw_qualifications(
    request: AnyRequest,
    organization: OrganizationView,
    member: Member,
    form: Form,
    types: list[AppointmentTypeView],
    *,
    asked: Affected | None = None,
    beyond: Affected | None = None,
    status_code: int = 200,
) -> Response[Any]:
    today = local(clock.now(), organization.time_zone).date()
    chosen = form.value(_CHOSEN, [])
    rows = []
    for type_ in types:
        until = form.value(f"until-{type_.slug}")
        lapsed = type_.slug in chosen and "" < until < today.isoformat()
        rows.append(
            {
                "slug": type_.slug,
                "name": type_.name,
                "color": type_.color,
                "hint": duration(type_.duration_minutes),
                "draft": not type_.published_at,
                "chosen": type_.slug in chosen,
                "until": until,
                "lapsed": lapsed,
            }
        )
    return render(
        request,
        "admin/person_qualifications.html",
        person_page(request, member),
        status_code=status_code,
        **person_context(member, "qualifications"),
        form=form,
        rows=rows,
        question=question(asked, whose=False),
        beyond=question(beyond, whose=False),
    )
