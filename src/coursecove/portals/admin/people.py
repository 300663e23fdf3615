"""Everybody who belongs to the school, and each of them: who they are, their role, their lessons."""

from __future__ import annotations

from typing import Any, cast, get_args

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.errors import Invalid
from coursecove.formatting import day, initials
from coursecove.portals.admin.invitations import ROLE_OPTIONS
from coursecove.portals.admin.navigation import (
    address,
    admin_clocks,
    admin_page,
    last_page,
    page_number,
    pages_of,
)
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.lesson_words import lesson_card
from coursecove.portals.pages import redirect, render
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle, handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import MemberView, OrganizationView, Role
from coursecove.text import is_storable

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 25
LIST = ("People", "/admin/people")
ROLES: tuple[Role, ...] = get_args(Role)
ROLE_BADGES = {
    "admin": {"label": "Admin", "kind": "brand"},
    "instructor": {"label": "Instructor", "kind": "info"},
    "student": {"label": "Student", "kind": "neutral"},
}
_FEW = 5


class PeoplePages(Controller):
    """Names and pictures are the person's own; the role is the school's."""

    path = "/admin/people"
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
        """List people by name, narrowed to a role and to what is searched for."""
        role = request.query_params.get("role", "")
        role = role if role in ROLES else ""
        search = request.query_params.get("q", "").strip()[:100]
        query = {"role": role, "q": search}
        number = page_number(request.query_params.get("page", ""))
        found = tenants.MemberPage([], 0, number, PAGE_SIZE)
        if is_storable(search):
            found = await tenants.list_members(
                session, role=cast("Role", role) or None, search=search, page=number, page_size=PAGE_SIZE
            )
        if not found.items and number > 1:
            last = last_page(found.total, PAGE_SIZE)
            return redirect(request, address("/admin/people", {**query, "page": str(last)}))
        return render(
            request,
            "admin/people.html",
            admin_page(request, "People"),
            search=search,
            role=role,
            narrowed=bool(role or search),
            roles=[{"value": r, "label": f"{ROLE_BADGES[r]['label']}s"} for r in ROLES],
            rows=[_row(member, organization.time_zone) for member in found.items],
            pages=pages_of("/admin/people", query, page=number, page_size=PAGE_SIZE, total=found.total),
        )

    @get("/{handle:str}")
    async def details(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show who somebody is, with their next lessons."""
        member = await get_member_by_handle(session, handle)
        profile = (await tenants.instructors_by_id(session, [member.id])).get(member.id)
        taught = None
        if profile is not None:
            taught = await _cards(request, session, organization, by, instructor_id=member.id)
        return render(
            request,
            "admin/person.html",
            person_page(request, member),
            **person_context(member, "person"),
            joined=day(member.joined_at, organization.time_zone, year=True),
            role_options=[{"value": r["value"], "label": r["label"]} for r in ROLE_OPTIONS],
            taught=taught,
            taught_href=address("/admin/bookings", {"instructor": profile.slug}) if profile else None,
            taken=await _cards(request, session, organization, by, student_id=member.id),
        )

    @get("/{handle:str}/role")
    async def ask_to_change_role(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Say what another role means, and ask."""
        member = await get_member_by_handle(session, handle)
        role = request.query_params.get("role", "")
        if role not in ROLES:
            role = member.role
        return await _role_page(request, session, member, Form({"role": role}), by=by)

    @post("/{handle:str}/role", status_code=200)
    async def change_role(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Change it; the last admin stays one, which is said in words."""
        member = await get_member_by_handle(session, handle)
        form = Form(await read_form(request, fields=("role",)))

        async def verb() -> MemberView:
            role = form.value("role")
            if role not in ROLES:
                raise Invalid(fields={"role": "Choose a role."})
            return await tenants.change_role(session, member.id, role, by=by)

        changed, refused = await attempt(session, form, verb)
        if refused is not None:
            status = refused.refused_status
            return await _role_page(request, session, member, refused, by=by, status_code=status)
        label = ROLE_BADGES[changed.role]["label"].lower()
        if changed.id == by.id and changed.role != "admin":
            # These pages are closed to them from now on.
            return redirect(request, "/", flash=f"You are {_article(label)} {label} now.")
        return redirect(
            request,
            person_href(changed),
            flash=f"{changed.name} is {_article(label)} {label} now.",
        )


def person_href(member: Member | MemberView) -> str:
    """Return the address of a person's page."""
    return f"/admin/people/{handle_of(member.id, member.name)}"


def person_page(request: AnyRequest, member: Member, *, within: str | None = None) -> dict[str, Any]:
    """Return ``page`` of a person's page, or of one ``within`` it."""
    trail = [LIST]
    if within:
        trail.append((member.name, person_href(member)))
    return admin_page(request, within or member.name, *trail)


def person_context(member: Member, tab: str) -> dict[str, Any]:
    """Return what every page of a person shows: who it is, and the tabs of those who may teach."""
    href = person_href(member)
    tabs = [("person", "Person", ""), ("profile", "Profile", "/profile")]
    tabs += [("qualifications", "Teaches", "/qualifications"), ("hours", "Weekly hours", "/hours")]
    return {
        "member": {
            "name": member.name,
            "email": member.email,
            "initials": initials(member.name),
            "image_url": member.image_url,
            "role": member.role,
            "badge": ROLE_BADGES[member.role],
        },
        "href": href,
        "handle": handle_of(member.id, member.name),
        "tabs": [{"label": label, "href": href + path, "current": name == tab} for name, label, path in tabs]
        if member.role != "student"
        else [],
    }


def _row(member: MemberView, zone: str) -> dict[str, Any]:
    return {
        "name": member.name,
        "initials": initials(member.name),
        "image_url": member.image_url,
        "email": member.email if member.email != member.name else None,
        "href": person_href(member),
        "badge": ROLE_BADGES[member.role],
        "joined": day(member.joined_at, zone, year=True),
    }


async def _cards(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView, by: Member, **who: Any
) -> dict[str, Any]:
    """Return the next lessons somebody teaches or takes, and how many there are."""
    found = await bookings.list_bookings(
        session, viewer=by, from_=clock.now(), status="confirmed", page_size=_FEW, **who
    )
    return {
        "total": found.total,
        "cards": [
            lesson_card(
                booking,
                admin_clocks(request, organization, venue=booking.venue_time_zone),
                href=f"/admin/bookings/{booking.reference}",
                who=booking.student.name if "instructor_id" in who else booking.instructor.name,
            )
            for booking in found.items
        ],
    }


async def _role_page(
    request: AnyRequest,
    session: AsyncSession,
    member: Member,
    form: Form,
    *,
    by: Member,
    status_code: int = 200,
) -> Response[Any]:
    role = form.value("role")
    taught = await bookings.list_bookings(
        session, viewer=by, instructor_id=member.id, from_=clock.now(), status="confirmed", page_size=1
    )
    return render(
        request,
        "admin/person_role.html",
        person_page(request, member, within="Change the role"),
        status_code=status_code,
        **person_context(member, "person"),
        form=form,
        unchanged=role == member.role,
        oneself=member.id == by.id,
        roles=ROLE_OPTIONS,
        still_teaching=taught.total if role == "student" else 0,
    )


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
