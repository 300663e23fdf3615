"""Everybody who belongs to the school: finding them, and doing one thing to several."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast, get_args

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings.upcoming import Upcoming, upcoming_of_many
from coursecove.errors import Invalid
from coursecove.formatting import day, initials
from coursecove.i18n import N_, _, ngettext
from coursecove.identity.errors import ClerkApiError
from coursecove.portals.admin.navigation import address, admin_page, last_page, page_number, pages_of
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import Undo, redirect, render
from coursecove.tenants import invitations
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import handle_of, members_by_handle
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import MemberView, OrganizationView, Role
from coursecove.text import is_storable

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 25
PATH = "/admin/people"
ROLES: tuple[Role, ...] = get_args(Role)
STATUSES = ("active", "invited", "deactivated")
ORDERS: tuple[tenants.MemberOrder, ...] = get_args(tenants.MemberOrder)
_BADGES = {
    "admin": (N_("Admin"), "brand"),
    "instructor": (N_("Instructor"), "info"),
    "student": (N_("Student"), "neutral"),
}
_PLURALS = {"admin": N_("Admins"), "instructor": N_("Instructors"), "student": N_("Students")}
_HINTS = {
    "student": N_("Books lessons for themselves."),
    "instructor": N_("Teaches, and keeps their own hours."),
    "admin": N_("Sets the school up and sees everything."),
}


def role_badge(role: str) -> dict[str, str]:
    """Return the badge of a role, its word in the reader's language."""
    label, kind = _BADGES[role]
    return {"label": _(label), "kind": kind}


def role_options() -> list[dict[str, str]]:
    """Return the roles to choose from, the most common first."""
    return [
        {"value": role, "label": role_badge(role)["label"], "hint": _(hint)} for role, hint in _HINTS.items()
    ]


@dataclass(frozen=True, slots=True)
class PeopleFilters:
    """What the address says the list is narrowed to; anything it does not know means the default."""

    status: str
    role: str
    search: str
    order: tenants.MemberOrder
    page: int

    @classmethod
    def of(cls, params: Mapping[str, str]) -> PeopleFilters:
        """Return what an address says."""
        status, role, order = (params.get(name, "") for name in ("status", "role", "order"))
        return cls(
            status if status in STATUSES else "active",
            role if role in ROLES else "",
            params.get("q", "").strip()[:100],
            order if order in ORDERS else "name",
            page_number(params.get("page", "")),
        )

    def query(self, **changes: str | None) -> dict[str, str | None]:
        """Return the parts of an address of this list, the usual ones left out."""
        given: dict[str, str | None] = {
            "status": self.status if self.status != "active" else None,
            "role": self.role,
            "q": self.search,
            "order": self.order if self.order != "name" else None,
        }
        return {**given, **changes}

    @property
    def narrowed(self) -> bool:
        """Say whether there is anything to clear."""
        return bool(self.role or self.search)


class PeoplePages(Controller):
    """Names and pictures are the person's own; the role and the way in are the school's."""

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
        """List people of a status, narrowed to a role and to what is searched for, in the order asked for."""
        filters = PeopleFilters.of(request.query_params)
        if filters.status == "invited":
            return await _list_invited(request, organization, filters)
        found = tenants.MemberPage([], 0, filters.page, PAGE_SIZE)
        if is_storable(filters.search):
            found = await tenants.list_members(
                session,
                role=cast("Role", filters.role) or None,
                search=filters.search,
                status=cast("tenants.MemberStatus", filters.status),
                order=filters.order,
                page=filters.page,
                page_size=PAGE_SIZE,
            )
        if not found.items and filters.page > 1:
            return redirect(request, _page_address(filters, last_page(found.total, PAGE_SIZE)))
        return render(
            request,
            "admin/people.html",
            admin_page(request, _("People")),
            filters=filters,
            tabs=_tabs(filters),
            roles=[{"value": role, "label": _(_PLURALS[role])} for role in ROLES],
            columns=_columns(filters),
            rows=[_row(member, organization.time_zone) for member in found.items],
            total=ngettext("{count} person", "{count} people", found.total).format(count=f"{found.total:,}"),
            export_href=address("/admin/exports/people.csv", filters.query()),
            clear_href=address(PATH, filters.query(role=None, q=None)) if filters.narrowed else None,
            pages=pages_of(PATH, filters.query(), page=filters.page, page_size=PAGE_SIZE, total=found.total),
        )

    @get("/bulk")
    async def ask_about_several(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Say what would happen to the people chosen in the list, and ask."""
        handles = request.query_params.getall("person", [])[:PAGE_SIZE]
        chosen = await members_by_handle(session, handles)
        do = request.query_params.get("do", "")
        if not chosen or do not in _VERBS:
            return redirect(request, PATH, flash=_("Choose people in the list first."), kind="info")
        form = Form({"do": do, "role": "", "person": list(chosen)})
        return await _draw_several(request, session, form, list(chosen.values()), by=by)

    @post("/bulk", status_code=200)
    async def change_several(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Do it to all of them, or to nobody when one of them refuses."""
        form = Form(await read_form(request, fields=("do", "role"), lists=("person",)))
        found = await members_by_handle(session, form.value("person")[:PAGE_SIZE])
        members = list({member.id: member for member in found.values()}.values())
        do, role = form.value("do"), form.value("role")
        if not members or do not in _VERBS:
            return redirect(request, PATH, flash=_("Choose people in the list first."), kind="info")

        async def verb() -> None:
            if do == "role" and role not in ROLES:
                raise Invalid(fields={"role": _("Choose a role.")})
            for member in members:
                if do == "role":
                    await tenants.change_role(session, member.id, role, by=by)
                elif do == "deactivate":
                    await tenants.deactivate_member(session, member.id, by=by)
                else:
                    await tenants.reactivate_member(session, member.id, by=by)

        own_role = by.role
        refused = (await attempt(session, form, verb))[1]
        if refused is not None:
            status = refused.refused_status
            return await _draw_several(request, session, refused, members, by=by, status_code=status)
        flash = _done(do, role, len(members))
        undo = None
        if do in _UNDONE_BY:
            chosen = [("person", handle_of(member.id, member.name)) for member in members]
            undo = Undo(f"{PATH}/bulk", [("do", _UNDONE_BY[do]), *chosen])
        stepped_down = do == "role" and own_role != role and any(member.id == by.id for member in members)
        return redirect(request, "/" if stepped_down else PATH, flash=flash, undo=undo)


_VERBS = ("role", "deactivate", "reactivate")
#: Of several roles, who had which would not fit beside the sentence.
_UNDONE_BY = {"deactivate": "reactivate", "reactivate": "deactivate"}


def _done(do: str, role: str, count: int) -> str:
    if do == "deactivate":
        return ngettext("{count} person is deactivated.", "{count} people are deactivated.", count).format(
            count=count
        )
    if do == "reactivate":
        return ngettext("{count} person can come in again.", "{count} people can come in again.", count).format(
            count=count
        )
    return ngettext("{count} role is changed to {role}.", "{count} roles are changed to {role}.", count).format(
        count=count, role=role_badge(role)["label"]
    )


async def _list_invited(
    request: AnyRequest, organization: OrganizationView, filters: PeopleFilters
) -> Response[Any]:
    found = None
    # Without Clerk's answer the page says so, and the rest of it stays of use.
    with contextlib.suppress(ClerkApiError):
        found = await invitations.list_invitations(
            request.app.state.resources, organization, page=filters.page, page_size=PAGE_SIZE
        )
    if found and not found.items and filters.page > 1:
        return redirect(request, _page_address(filters, last_page(found.total, PAGE_SIZE)))
    return render(
        request,
        "admin/people_invited.html",
        admin_page(request, _("People")),
        tabs=_tabs(filters),
        available=found is not None,
        rows=[
            {
                "id": one.id,
                "email": one.email,
                "badge": role_badge(one.role),
                "invited": day(one.invited_at, organization.time_zone),
                "expires": day(one.expires_at, organization.time_zone) if one.expires_at else "",
            }
            for one in (found.items if found else ())
        ],
        pages=pages_of(
            PATH,
            {"status": "invited"},
            page=filters.page,
            page_size=PAGE_SIZE,
            total=found.total if found else 0,
        ),
    )


def _page_address(filters: PeopleFilters, page: int) -> str:
    return address(PATH, filters.query(page=str(page) if page > 1 else None))


def _tabs(filters: PeopleFilters) -> list[dict[str, Any]]:
    labels = {"active": _("Active"), "invited": _("Invited"), "deactivated": _("Deactivated")}
    return [
        {
            "label": labels[status],
            "href": address(PATH, filters.query(status=status if status != "active" else None)),
            "current": status == filters.status,
        }
        for status in STATUSES
    ]


def _columns(filters: PeopleFilters) -> list[dict[str, Any]]:
    columns: list[dict[str, Any]] = [{"label": _("Choose"), "hidden": True}]
    for name, label in (("name", _("Person")), ("role", _("Role")), ("joined_at", _("Here since"))):
        up = filters.order == name
        other = f"-{name}" if up else name
        sorted_ = "ascending" if up else "descending" if filters.order == f"-{name}" else None
        columns.append(
            {
                "label": label,
                "sorted": sorted_,
                "sort_href": address(PATH, filters.query(order=other if other != "name" else None)),
            }
        )
    return columns


def _row(member: MemberView, zone: str) -> dict[str, Any]:
    return {
        "name": member.name,
        "handle": handle_of(member.id, member.name),
        "initials": initials(member.name),
        "image_url": member.image_url,
        "email": member.email if member.email != member.name else None,
        "href": person_href(member),
        "badge": role_badge(member.role),
        "joined": day(member.joined_at, zone, year=True),
    }


def lessons_ahead(upcoming: Upcoming) -> str:
    """Return "teaches 3 lessons, takes 1 lesson" for what somebody has ahead; "" for nothing."""
    parts = []
    if upcoming.teaches:
        text = ngettext("teaches {count} lesson", "teaches {count} lessons", upcoming.teaches)
        parts.append(text.format(count=upcoming.teaches))
    if upcoming.takes:
        text = ngettext("takes {count} lesson", "takes {count} lessons", upcoming.takes)
        parts.append(text.format(count=upcoming.takes))
    return ", ".join(parts)


async def _draw_several(
    request: AnyRequest,
    session: AsyncSession,
    form: Form,
    members: list[Member],
    *,
    by: Member,
    status_code: int = 200,
) -> Response[Any]:
    do = form.value("do")
    titles = {
        "role": _("Change the role of several people"),
        "deactivate": _("Deactivate several people"),
        "reactivate": _("Let several people in again"),
    }
    ahead = await upcoming_of_many(session, [member.id for member in members], after=clock.now())
    return render(
        request,
        "admin/people_bulk.html",
        admin_page(request, titles[do], (_("People"), PATH)),
        status_code=status_code,
        form=form,
        do=do,
        roles=role_options(),
        people=[
            {
                "name": member.name,
                "handle": handle_of(member.id, member.name),
                "initials": initials(member.name),
                "image_url": member.image_url,
                "href": person_href(member),
                "badge": role_badge(member.role),
                "ahead": lessons_ahead(ahead[member.id]),
                "oneself": member.id == by.id,
            }
            for member in members
        ],
        any_teaching=any(ahead[member.id].teaches for member in members),
    )


def person_href(member: Member | MemberView) -> str:
    """Return the address of a person's page."""
    return f"{PATH}/{handle_of(member.id, member.name)}"


def person_page(request: AnyRequest, member: Member, *, within: str | None = None) -> dict[str, Any]:
    """Return ``page`` of a person's page, or of one ``within`` it."""
    trail = [(_("People"), PATH)]
    if within:
        trail.append((member.name, person_href(member)))
    return admin_page(request, within or member.name, *trail)


def person_context(member: Member, tab: str) -> dict[str, Any]:
    """Return what every page of a person shows: who it is, and the tabs; teaching is for those who may."""
    href = person_href(member)
    tabs = [("person", _("Overview"), "")]
    if member.role != "student":
        tabs += [
            ("profile", _("Profile"), "/profile"),
            ("qualifications", _("Teaches"), "/qualifications"),
            ("hours", _("Hours"), "/hours"),
        ]
    tabs.append(("lessons", _("Lessons"), "/lessons"))
    return {
        "member": {
            "name": member.name,
            "email": member.email,
            "initials": initials(member.name),
            "image_url": member.image_url,
            "role": member.role,
            "badge": role_badge(member.role),
            "deactivated": member.deactivated_at is not None,
        },
        "href": href,
        "handle": handle_of(member.id, member.name),
        "tabs": [{"label": label, "href": href + path, "current": name == tab} for name, label, path in tabs],
    }
