"""A guardian's children: people without an account, whose lessons the guardian books and looks after."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings import service as bookings
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form, whole_number
from coursecove.portals.pages import STUDENT_NAV, AnyRequest, local_path, page_context, redirect, render
from coursecove.portals.student.choice import child_in
from coursecove.tenants import service as tenants
from coursecove.tenants.family import ChildCreate, ChildUpdate, ChildView
from coursecove.tenants.guards import as_member
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

PATH = "/family"
_PARSERS = {"birth_year": whole_number}


class FamilyPages(Controller):
    """Adding, renaming and taking out one's own children; nobody else's can be found here."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_member)}

    @get("/")
    async def mine(
        self, request: AnyRequest, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> Response[Any]:
        """List the children, with a form for another one."""
        form = Form({"return_to": request.query_params.get("return_to", "")})
        return await _draw(request, session, form, by=by)

    @post("/", status_code=200)
    async def add(
        self, request: AnyRequest, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> Response[Any]:
        """Add a child and go back to where one wanted to book for it."""
        form = Form(await read_form(request, fields=(*names_of(ChildCreate), "return_to")))

        async def verb() -> ChildView:
            return await tenants.add_child(session, convert(form.values, ChildCreate, parsers=_PARSERS), by=by)

        child, refused = await attempt(session, form, verb)
        if refused is not None:
            return await _draw(request, session, refused, by=by, status_code=refused.refused_status)
        back = local_path(form.value("return_to") or None, default=PATH)
        return redirect(request, back, flash=_("You can book for {name} now.").format(name=child.given_name))

    @get("/{handle:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show one child, to change it."""
        child = await _child(session, handle, by)
        return _child_page(request, child, Form(_values_of(child)))

    @post("/{handle:str}", status_code=200)
    async def change(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Save its name and year of birth."""
        child = await _child(session, handle, by)
        form = Form(await read_form(request, fields=names_of(ChildUpdate)))

        async def verb() -> ChildView:
            values = {name: value for name, value in form.values.items() if name != "birth_year" or value}
            update = convert(values, ChildUpdate, parsers=_PARSERS)
            if not form.value("birth_year"):
                update.birth_year = None
            return await tenants.change_child(session, child.id, update, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            return redirect(request, PATH, flash=_("Saved."))
        return _child_page(request, child, refused, status_code=refused.refused_status)

    @get("/{handle:str}/remove")
    async def ask_to_remove(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Ask first."""
        return _removal_page(request, await _child(session, handle, by), Form())

    @post("/{handle:str}/remove", status_code=200)
    async def remove(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Take the child out of the school; not while it has lessons ahead."""
        child = await _child(session, handle, by)
        await read_form(request, fields=())
        refused = (await attempt(session, Form(), lambda: bookings.remove_child(session, child.id, by=by)))[1]
        if refused is None:
            return redirect(
                request, PATH, flash=_("{name} is not in your family here any more.").format(name=child.name)
            )
        return _removal_page(request, child, refused, status_code=refused.refused_status)


async def _child(session: AsyncSession, handle: str, guardian: Member) -> ChildView:
    child = child_in(handle, await tenants.list_children(session, guardian=guardian))
    if child is None:
        raise NotFound(_("There is no such child in your family."))
    return child


def child_row(child: ChildView) -> dict[str, Any]:
    """Return a child as lists show it."""
    handle = handle_of(child.id, child.given_name)
    return {
        "name": child.name,
        "initials": formatting.initials(child.name),
        "text": _("born {year}").format(year=child.birth_year) if child.birth_year else None,
        "href": f"{PATH}/{handle}",
        "lessons_href": f"/lessons?who={handle}",
    }


def _values_of(child: ChildView) -> dict[str, Any]:
    return {
        "given_name": child.given_name,
        "family_name": child.family_name,
        "birth_year": str(child.birth_year or ""),
    }


async def _draw(
    request: AnyRequest, session: AsyncSession, form: Form, *, by: Member, status_code: int = 200
) -> Response[Any]:
    children = await tenants.list_children(session, guardian=by)
    return render(
        request,
        "student/family.html",
        page_context(
            request,
            _("Family"),
            nav=STUDENT_NAV,
            breadcrumb=[{"label": _("Settings"), "href": "/settings"}],
        ),
        status_code=status_code,
        children=[child_row(child) for child in children],
        form=form,
        family_name=by.family_name,
        this_year=clock.now().year,
    )


def _child_page(request: AnyRequest, child: ChildView, form: Form, *, status_code: int = 200) -> Response[Any]:
    return render(
        request,
        "student/child.html",
        page_context(request, child.name, nav=STUDENT_NAV, breadcrumb=_trail()),
        status_code=status_code,
        child=child_row(child),
        form=form,
        this_year=clock.now().year,
    )


def _removal_page(
    request: AnyRequest, child: ChildView, form: Form, *, status_code: int = 200
) -> Response[Any]:
    return render(
        request,
        "student/child_remove.html",
        page_context(
            request,
            _("Take {name} out?").format(name=child.given_name),
            nav=STUDENT_NAV,
            breadcrumb=_trail(),
        ),
        status_code=status_code,
        child=child_row(child),
        form=form,
    )


def _trail() -> list[dict[str, Any]]:
    return [
        {"label": _("Settings"), "href": "/settings"},
        {"label": _("Family"), "href": PATH},
    ]
