"""The catalogue as a list: in its order, on three shelves, one by one and several at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeUpdate, AppointmentTypeView
from coursecove.appointments.shelves import Shelf
from coursecove.errors import Invalid
from coursecove.formatting import number as spelled
from coursecove.i18n import N_, _, ngettext
from coursecove.portals.admin.navigation import address, admin_page, page_number, pages_of
from coursecove.portals.admin.ordered_lists import neighbours
from coursecove.portals.admin.type_filters import TypeFilters, columns_of
from coursecove.portals.admin.type_form import WORDS, Choices, choices_of
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import Undo, redirect, render
from coursecove.portals.student.flow import lengths_in_words
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member

AnyRequest = Request[Any, Any, Any]
PATH = "/admin/types"
PAGE_SIZE = 50
_SHELVES = {"published": N_("Published"), "drafts": N_("Drafts"), "archived": N_("Archived")}
# What can be done with several at once, by shelf.
_BULK = {
    "published": ("unpublish", "archive"),
    "drafts": ("publish", "archive"),
    "archived": ("restore",),
}
_ACTIONS = {
    "publish": (N_("Publish"), "circle-check"),
    "unpublish": (N_("Make drafts"), "file-text"),
    "archive": (N_("Archive"), "archive"),
    "restore": (N_("Restore"), "archive-restore"),
}
# What takes it back, and on which shelf that is then pressed.
_UNDONE_BY = {
    "publish": ("unpublish", "published"),
    "unpublish": ("publish", "drafts"),
    "archive": ("restore", "archived"),
}
# A toast travels in a cookie, where the addresses of more would not fit.
_MOST_UNDONE = 20
_MOST_OPTIONS = 200


class TypeListPages(Controller):
    """All appointment types."""

    path = PATH
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
        return await _page(request, session, request.query_params.get("show", ""))

    @post("/{slug:str}/move", status_code=200)
    async def move(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Put it before or after its neighbour on the same shelf; at the end nothing happens."""
        to = (await read_form(request, fields=("to",))).get("to")
        type_ = await appointments.get_type_by_slug(session, slug)
        types = await appointments.list_types(session, include_unpublished=True, include_archived=True)
        same = [other.id for other in types if shelf_of(other) == shelf_of(type_)]
        pair = neighbours(same, same.index(type_.id), to)
        if pair is not None:
            await appointments.reorder_types(session, pair, by=by)
        number = same.index(type_.id) // PAGE_SIZE + 1
        query = {
            "show": None if shelf_of(type_) == "published" else shelf_of(type_),
            "page": str(number) if number > 1 else None,
        }
        said = _("{name} is moved up.") if to == "up" else _("{name} is moved down.")
        flash = said.format(name=type_.name) if pair else _("{name} stays where it is.").format(name=type_.name)
        return redirect(request, f"{address(PATH, query)}#{type_.slug}", flash=flash)

    @post("/bulk", status_code=200)
    async def several(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Do the same with several types, with all of them or with none."""
        values = await read_form(request, fields=("action", "show"), lists=("types",))
        shown, action = _shelf(values.get("show", "")), values.get("action", "")

        async def verb() -> list[AppointmentTypeView]:
            types = await appointments.list_types(session, include_unpublished=True, include_archived=True)
            by_slug = {type_.slug: type_ for type_ in types if shelf_of(type_) == shown}
            chosen = [by_slug[slug] for slug in dict.fromkeys(values["types"]) if slug in by_slug]
            if not chosen:
                raise Invalid(_("Choose at least one of them first."))
            if action not in _BULK[shown]:
                raise Invalid(_("Choose what is to be done with them."))
            for type_ in chosen:
                await _do(session, action, type_, by=by)
            return chosen

        touched, refused = await attempt(session, Form(values), verb)
        if refused is not None:
            return await _page(
                request, session, shown, problem=refused.problem, chosen=values["types"], status_code=422
            )
        done = len(touched)
        said = {
            "publish": ngettext("{count} draft is published.", "{count} drafts are published.", done),
            "unpublish": ngettext("{count} lesson is a draft now.", "{count} lessons are drafts now.", done),
            "archive": ngettext("{count} lesson is archived.", "{count} lessons are archived.", done),
            "restore": ngettext("{count} lesson is back.", "{count} lessons are back.", done),
        }[action]
        query = {"show": None if shown == "published" else shown}
        return redirect(
            request, address(PATH, query), flash=said.format(count=done), undo=_undo(action, touched)
        )


def shelf_of(type_: AppointmentTypeView) -> str:
    """Return on which of the three lists a type stands."""
    return "archived" if type_.archived_at else "published" if type_.published_at else "drafts"


def shelf_href(type_: AppointmentTypeView) -> str:
    """Return the address of the list a type stands on."""
    shelf = shelf_of(type_)
    return PATH if shelf == "published" else f"{PATH}?show={shelf}"


def trail(type_: AppointmentTypeView | None = None) -> tuple[tuple[str, str], ...]:
    """Return the ancestors of a page about types, or about one type."""
    whole = ((_("Appointment types"), PATH),)
    return (*whole, (type_.name, f"{PATH}/{type_.slug}")) if type_ else whole


def tabs_of(type_: AppointmentTypeView, current: str) -> list[dict[str, Any]]:
    """Return the pages about one type; ``current`` is "rules" or "questions"."""
    href = f"{PATH}/{type_.slug}"
    return [
        {"label": _("Rules"), "href": href, "current": current == "rules"},
        {
            "label": _("Questions"),
            "href": f"{href}/questions",
            "current": current == "questions",
            "badge": len(type_.questions),
        },
    ]


async def _do(session: AsyncSession, action: str, type_: AppointmentTypeView, *, by: Member) -> None:
    try:
        if action == "archive":
            await appointments.archive_type(session, type_.id, by=by)
        elif action == "restore":
            await appointments.restore_type(session, type_.id, by=by)
        else:
            wanted = AppointmentTypeUpdate(published=action == "publish")
            await appointments.update_type(session, type_.id, wanted, by=by)
    except Invalid as error:
        why = next(iter(error.fields.values()), None) or error.detail or error.title
        text = _("{name}: {problem} Nothing was changed.").format(name=type_.name, problem=why)
        raise Invalid(text) from None


def _undo(action: str, types: Sequence[AppointmentTypeView]) -> Undo | None:
    """Return the form that takes back what was done with several; none where it is too much for a toast."""
    if action not in _UNDONE_BY or len(types) > _MOST_UNDONE:
        return None
    back, shelf = _UNDONE_BY[action]
    return Undo(f"{PATH}/bulk", [("action", back), ("show", shelf), *(("types", t.slug) for t in types)])


async def _page(
    request: AnyRequest,
    session: AsyncSession,
    show: str,
    *,
    problem: str | None = None,
    chosen: Iterable[str] = (),
    status_code: int = 200,
) -> Response[Any]:
    shown = _shelf(show)
    choices = await choices_of(session)
    filters = TypeFilters.read(request.query_params)
    found = await filters.page(
        session,
        choices,
        shelf=shown,
        number=page_number(request.query_params.get("page", "")),
        size=PAGE_SIZE,
    )
    shelf_query = {"show": None if shown == "published" else shown}
    query = {**shelf_query, **filters.query}
    picked = set(chosen)
    return render(
        request,
        "admin/types.html",
        admin_page(request, _("Appointment types")),
        status_code=status_code,
        shown=shown,
        export_href=address("/admin/exports/types.csv", query),
        problem=problem,
        filters=filters,
        narrowed=filters.narrowed,
        clear_href=address(PATH, {**shelf_query, "sort": filters.sort or None}) if filters.narrowed else None,
        kind_options=[{"value": kind, "label": _(word)} for kind, word in WORDS["kind"].items()],
        # A list of so many is no help, and would be most of the page.
        place_options=choices.place_options if len(choices.places) <= _MOST_OPTIONS else [],
        teacher_options=[{"value": t.handle, "label": t.name} for t in choices.teachers if t.teaches],
        columns=columns_of(PATH, query, filters.sort),
        rows=[
            _row(
                type_,
                choices,
                chosen=type_.slug in picked,
                first=index == 1,
                last=index == found.total,
            )
            for index, type_ in enumerate(found.items, (found.page - 1) * PAGE_SIZE + 1)
        ],
        # What is found, or sorted otherwise, is not the order there is: up and down would mean something else.
        movable=shown != "archived" and not filters.narrowed and not filters.sort and found.total > 1,
        bulk=[
            {"value": action, "label": _(_ACTIONS[action][0]), "icon": _ACTIONS[action][1]}
            for action in _BULK[shown]
        ],
        total=ngettext("{count} appointment type", "{count} appointment types", found.total).format(
            count=spelled(found.total)
        ),
        any_types=bool(found.on_shelves),
        pages=pages_of(PATH, query, page=found.page, page_size=PAGE_SIZE, total=found.total),
        tabs=[
            {
                "label": _(label),
                "href": address(PATH, {"show": None if shelf == "published" else shelf}),
                "current": shelf == shown,
                "badge": found.on_shelves.get(shelf, 0),
            }
            for shelf, label in _SHELVES.items()
        ],
    )


def _shelf(text: str) -> Shelf:
    return text if text in _SHELVES else "published"  # type: ignore[return-value] # the shelves' own names


def _row(
    type_: AppointmentTypeView, choices: Choices, *, chosen: bool, first: bool, last: bool
) -> dict[str, Any]:
    places = [place.name for place in choices.places if place.id in type_.location_ids]
    teachers = [teacher.name for teacher in choices.teachers if teacher.id in type_.instructor_ids]
    where = {"online": _("Online"), "students_place": _("At the student’s place")}
    return {
        "name": type_.name,
        "slug": type_.slug,
        "href": f"{PATH}/{type_.slug}",
        "color": type_.color,
        "lengths": lengths_in_words(type_),
        "seats": type_.capacity if type_.kind == "class" else None,
        "price_cents": type_.price_cents,
        "currency": type_.currency,
        "where": where.get(type_.location_mode) or ", ".join(places),
        "teachers": teachers,
        "needs_approval": type_.requires_approval,
        "seen_by": {"members": _("Members"), "link": _("By link")}.get(type_.visibility),
        "archived": type_.archived_at is not None,
        "chosen": chosen,
        "first": first,
        "last": last,
    }
