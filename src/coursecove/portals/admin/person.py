"""One person of the school: who they are, their role, their way in, their lessons."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.upcoming import upcoming_of_many
from coursecove.errors import Invalid
from coursecove.formatting import day
from coursecove.i18n import _, ngettext
from coursecove.portals import staleness
from coursecove.portals.admin.navigation import address, admin_clocks, last_page, page_number, pages_of
from coursecove.portals.admin.people import (
    ROLES,
    lessons_ahead,
    person_context,
    person_href,
    person_page,
    role_badge,
    role_options,
)
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.lesson_words import lesson_card
from coursecove.portals.pages import Undo, redirect, render
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import MemberView, OrganizationView

AnyRequest = Request[Any, Any, Any]
_FEW = 5
_PAGE_SIZE = 20


class PersonPages(Controller):
    """Names and pictures are the person's own; the role and the way in are the school's."""

    path = "/admin/people/{handle:str}"
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
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
        profile = (await tenants.instructors_by_id(session, [member.id], include_deactivated=True)).get(
            member.id
        )
        taught = None
        if profile is not None:
            taught = await _next(request, session, organization, by, instructor_id=member.id)
        return render(
            request,
            "admin/person.html",
            person_page(request, member),
            **person_context(member, "person"),
            joined=day(member.joined_at, organization.time_zone, year=True),
            deactivated=day(member.deactivated_at, organization.time_zone, year=True)
            if member.deactivated_at
            else None,
            oneself=member.id == by.id,
            role_options=[{"value": r["value"], "label": r["label"]} for r in role_options()],
            taught=taught,
            taught_href=address("/admin/bookings", {"instructor": profile.slug}) if profile else None,
            taken=await _next(request, session, organization, by, student_id=member.id),
        )

    @get("/lessons")
    async def lessons(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show all lessons somebody takes or teaches, those ahead or those that are over."""
        member = await get_member_by_handle(session, handle)
        teaches = member.role != "student"
        side = request.query_params.get("as", "")
        side = side if side in ("teacher", "student") else "teacher" if teaches else "student"
        past = request.query_params.get("show") == "past"
        number = page_number(request.query_params.get("page", ""))
        now = clock.now()
        found = await bookings.list_bookings(
            session,
            viewer=by,
            instructor_id=member.id if side == "teacher" else None,
            student_id=member.id if side == "student" else None,
            from_=None if past else now,
            until=now if past else None,
            order="-starts_at" if past else "starts_at",
            page=number,
            page_size=_PAGE_SIZE,
        )
        path = f"{person_href(member)}/lessons"
        query = {"as": side, "show": "past" if past else None}
        if not found.items and number > 1:
            last = last_page(found.total, _PAGE_SIZE)
            return redirect(request, address(path, {**query, "page": str(last)}))
        return render(
            request,
            "admin/person_lessons.html",
            person_page(request, member),
            **person_context(member, "lessons"),
            past=past,
            side=side,
            sides=[
                {
                    "label": label,
                    "href": address(path, {**query, "as": name}),
                    "current": name == side,
                }
                for name, label in (("teacher", _("They teach")), ("student", _("They take")))
            ]
            if teaches
            else [],
            times=[
                {
                    "label": label,
                    "href": address(path, {**query, "show": "past" if over else None}),
                    "current": over == past,
                }
                for over, label in ((False, _("Ahead")), (True, _("Over")))
            ],
            cards=_cards(request, organization, found.items, taught=side == "teacher"),
            pages=pages_of(path, query, page=number, page_size=_PAGE_SIZE, total=found.total),
        )

    @get("/role")
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
        form = staleness.drawn({"role": member.role})
        form.values["role"] = role if role in ROLES else member.role
        return await _role_page(request, session, member, form, by=by)

    @post("/role", status_code=200)
    async def change_role(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Change it; the last admin stays one, which is said in words."""
        member = await get_member_by_handle(session, handle)
        before = member.role
        form = Form(await read_form(request, fields=("role", *staleness.FIELDS)))

        async def stored() -> dict[str, Any]:
            return {"role": (await get_member_by_handle(session, handle)).role}

        async def verb() -> MemberView:
            await staleness.check(
                session,
                form,
                stored,
                subject=("member", member.id),
                labels={"role": _("Role")},
                by=by,
                words={"role": lambda role: role_badge(role)["label"]},
            )
            role = form.value("role")
            if role not in ROLES:
                raise Invalid(fields={"role": _("Choose a role.")})
            return await tenants.change_role(session, member.id, role, by=by)

        changed, refused = await attempt(session, form, verb)
        if refused is not None:
            status = refused.refused_status
            return await _role_page(request, session, member, refused, by=by, status_code=status)
        if changed.id == by.id and changed.role != "admin":
            # These pages are closed to them from now on.
            return redirect(request, "/", flash=_your_role(changed.role))
        href = person_href(changed)
        undo = Undo(f"{href}/role", [("role", before)]) if changed.role != before else None
        flash = _their_role(changed.role).format(name=changed.name)
        return redirect(request, href, flash=flash, undo=undo)

    @get("/deactivation")
    async def ask_to_deactivate(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Say what happens to somebody who is shut out and to their lessons, and ask."""
        member = await get_member_by_handle(session, handle)
        return await _deactivation_page(request, session, organization, member, Form(), by=by)

    @post("/deactivation", status_code=200)
    async def deactivate(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Shut them out from their next request on; their lessons stay."""
        member = await get_member_by_handle(session, handle)
        form = Form(await read_form(request, fields=()))

        async def verb() -> MemberView:
            return await tenants.deactivate_member(session, member.id, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is not None:
            return await _deactivation_page(
                request, session, organization, member, refused, by=by, status_code=refused.refused_status
            )
        href = person_href(member)
        flash = _("{name} is deactivated.").format(name=member.name)
        return redirect(request, href, flash=flash, undo=Undo(f"{href}/reactivation", []))

    @post("/reactivation", status_code=200)
    async def reactivate(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Let them in again, in the role they had."""
        member = await get_member_by_handle(session, handle)
        await read_form(request, fields=())
        await tenants.reactivate_member(session, member.id, by=by)
        return redirect(
            request, person_href(member), flash=_("{name} can come in again.").format(name=member.name)
        )


def _your_role(role: str) -> str:
    return {
        "admin": _("You are an admin now."),
        "instructor": _("You are an instructor now."),
        "student": _("You are a student now."),
    }[role]


def _their_role(role: str) -> str:
    return {
        "admin": _("{name} is an admin now."),
        "instructor": _("{name} is an instructor now."),
        "student": _("{name} is a student now."),
    }[role]


def _cards(
    request: AnyRequest, organization: OrganizationView, found: list[Any], *, taught: bool
) -> list[dict[str, Any]]:
    return [
        lesson_card(
            booking,
            admin_clocks(request, organization, venue=booking.venue_time_zone),
            href=f"/admin/bookings/{booking.reference}",
            who=booking.student.name if taught else booking.instructor.name,
        )
        for booking in found
    ]


async def _next(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView, by: Member, **who: Any
) -> dict[str, Any]:
    """Return the next lessons somebody teaches or takes, and how many there are."""
    found = await bookings.list_bookings(
        session, viewer=by, from_=clock.now(), status="confirmed", page_size=_FEW, **who
    )
    cards = _cards(request, organization, found.items, taught="instructor_id" in who)
    return {"total": found.total, "cards": cards}


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
    ahead = (await upcoming_of_many(session, [member.id], after=clock.now()))[member.id]
    lead = {
        "admin": _("{name} is an admin at the moment."),
        "instructor": _("{name} is an instructor at the moment."),
        "student": _("{name} is a student at the moment."),
    }[member.role]
    still = ngettext("They still teach {count} lesson", "They still teach {count} lessons", ahead.teaches)
    return render(
        request,
        "admin/person_role.html",
        person_page(request, member, within=_("Change the role")),
        status_code=status_code,
        **person_context(member, "person"),
        form=form,
        lead=lead.format(name=member.name),
        roles=role_options(),
        # Nobody loses lessons by becoming an instructor or an admin.
        still_teaching=still.format(count=ahead.teaches) if role == "student" and ahead.teaches else None,
        oneself=member.id == by.id and role != "admin",
    )


async def _deactivation_page(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    member: Member,
    form: Form,
    *,
    by: Member,
    status_code: int = 200,
) -> Response[Any]:
    ahead = (await upcoming_of_many(session, [member.id], after=clock.now()))[member.id]
    taught = taken = None
    if ahead.teaches:
        taught = await _next(request, session, organization, by, instructor_id=member.id)
    if ahead.takes:
        taken = await _next(request, session, organization, by, student_id=member.id)
    return render(
        request,
        "admin/person_deactivation.html",
        person_page(request, member, within=_("Deactivate")),
        status_code=status_code,
        **person_context(member, "person"),
        form=form,
        ahead=lessons_ahead(ahead),
        taught=taught,
        taken=taken,
        lessons_href=f"{person_href(member)}/lessons",
    )
