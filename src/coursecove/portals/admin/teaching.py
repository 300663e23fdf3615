"""What an instructor teaches, when, and what students see of them, as an admin sets it."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.errors import Invalid, NotFound
from coursecove.formatting import duration
from coursecove.portals.admin.inputs import check_characters
from coursecove.portals.admin.people import person_context, person_href, person_page
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import redirect, render
from coursecove.portals.teach.profile import zone_options
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import InstructorProfileUpdate, InstructorView, OrganizationView

AnyRequest = Request[Any, Any, Any]


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
        form = Form(
            {
                "bio": profile.bio if profile else "",
                "time_zone": profile.time_zone if profile else organization.time_zone,
                "meeting_url": (profile.meeting_url or "") if profile else "",
            }
        )
        return _draw_profile(request, member, form, published=profile is not None)

    @post("/profile", status_code=200)
    async def save_profile(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Save it; nothing typed is lost when something is wrong."""
        member = await _teacher(session, handle)
        form = Form(await read_form(request, fields=names_of(InstructorProfileUpdate)))

        async def verb() -> InstructorView:
            check_characters(form.values)
            changes = convert(form.values, InstructorProfileUpdate)
            return await tenants.update_instructor_profile(session, member.id, changes, by=by)

        _, refused = await attempt(session, form, verb)
        if refused is None:
            return redirect(
                request, f"{person_href(member)}/profile", flash=f"The profile of {member.name} is saved."
            )
        published = await _profile(session, member) is not None
        return _draw_profile(request, member, refused, published=published, status_code=422)

    @get("/qualifications")
    async def edit_qualifications(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show which lessons they may teach."""
        member = await _teacher(session, handle)
        types = await appointments.list_types(session, include_unpublished=True)
        qualified = set(await appointments.qualifications_of(session, member.id))
        form = Form({"appointment_type_ids": [type_.slug for type_ in types if type_.id in qualified]})
        return _draw_qualifications(request, member, form, types)

    @post("/qualifications", status_code=200)
    async def save_qualifications(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Save it; lessons that are booked stay with them."""
        member = await _teacher(session, handle)
        types = await appointments.list_types(session, include_unpublished=True)
        form = Form(await read_form(request, fields=(), lists=("appointment_type_ids",)))
        by_slug = {type_.slug: type_.id for type_ in types}

        async def verb() -> Any:
            typed = form.value("appointment_type_ids")
            if not by_slug.keys() >= set(typed):
                text = "One of these lessons is not offered any more. Please look at your choice again."
                raise Invalid(fields={"appointment_type_ids": text})
            return await appointments.set_qualifications(
                session, member.id, [by_slug[slug] for slug in typed], by=by
            )

        _, refused = await attempt(session, form, verb)
        if refused is None:
            return redirect(
                request, f"{person_href(member)}/qualifications", flash=f"What {member.name} teaches is saved."
            )
        return _draw_qualifications(request, member, refused, types, status_code=422)


async def _teacher(session: AsyncSession, handle: str) -> Member:
    """Return an instructor or an admin; raises NotFound for students, who have no such pages."""
    member = await get_member_by_handle(session, handle)
    if member.role == "student":
        raise NotFound("Students do not teach. Make them an instructor first.")
    return member


async def _profile(session: AsyncSession, member: Member) -> InstructorView | None:
    """Return what students see of them; None for an admin who has not begun to teach."""
    return (await tenants.instructors_by_id(session, [member.id])).get(member.id)


def _draw_profile(
    request: AnyRequest, member: Member, form: Form, *, published: bool, status_code: int = 200
) -> Response[Any]:
    return render(
        request,
        "admin/person_profile.html",
        person_page(request, member),
        status_code=status_code,
        **person_context(member, "profile"),
        form=form,
        zones=zone_options(chosen=form.value("time_zone")),
        published=published,
    )


def _draw_qualifications(
    request: AnyRequest,
    member: Member,
    form: Form,
    types: list[AppointmentTypeView],
    *,
    status_code: int = 200,
) -> Response[Any]:
    return render(
        request,
        "admin/person_qualifications.html",
        person_page(request, member),
        status_code=status_code,
        **person_context(member, "qualifications"),
        form=form,
        options=[
            {
                "value": type_.slug,
                "label": type_.name,
                "hint": duration(type_.duration_minutes) + ("" if type_.published_at else ", draft"),
            }
            for type_ in types
        ],
    )
