"""Days on which nothing is taught: the list, the form, and what becomes of the lessons that are booked then."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import LocationView
from coursecove.bookings.affected import Affected, affected_by_closure
from coursecove.bookings.clearing import cancel_lessons
from coursecove.db.session import discard
from coursecove.errors import Invalid, NotFound
from coursecove.i18n import N_, _, ngettext
from coursecove.portals import staleness
from coursecove.portals.admin.navigation import address, admin_page, last_page, page_number, pages_of
from coursecove.portals.affected_words import question
from coursecove.portals.dates_form import read_date
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.pages import Undo, redirect, render
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import ClosureCreate, ClosureUpdate, ClosureView
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.text import slugify

AnyRequest = Request[Any, Any, Any]
PATH = "/admin/closures"
PAGE_SIZE = 50
#: What stands for the whole school among the places.
EVERYWHERE = ""

_FIELDS = ("name", "starts_on", "ends_on", "location", "yearly")
_LABELS = {
    "name": N_("Name"),
    "starts_on": N_("First day"),
    "ends_on": N_("Last day"),
    "location": N_("Where"),
    "yearly": N_("Every year"),
}
# Of the form, as the verbs call them.
_NAMES = {"location_id": "location"}


class ClosurePages(Controller):
    """When the school, or one of its places, is closed."""

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
        """List what is on or comes next, or what is past."""
        closures = await scheduling.list_closures(session)
        places = await appointments.list_locations(session, include_archived=True)
        past = request.query_params.get("show") == "past"
        coming = [closure for closure in closures if closure.next_starts_on]
        over = [closure for closure in closures if not closure.next_starts_on]
        shown = over if past else coming
        page = page_number(request.query_params.get("page", ""))
        query = {"show": "past" if past else None}
        if page > last_page(len(shown), PAGE_SIZE):
            return redirect(request, address(PATH, query))
        names = {place.id: place.name for place in places}
        first = (page - 1) * PAGE_SIZE
        return render(
            request,
            "admin/closures.html",
            admin_page(request, _("Closures")),
            past=past,
            export_href=address("/admin/exports/closures.csv", query),
            rows=[_row(closure, names) for closure in shown[first : first + PAGE_SIZE]],
            tabs=[
                {"label": _("Coming"), "href": PATH, "current": not past, "badge": len(coming)},
                {"label": _("Past"), "href": f"{PATH}?show=past", "current": past, "badge": len(over)},
            ],
            pages=pages_of(PATH, query, page=page, page_size=PAGE_SIZE, total=len(shown)),
        )

    @get("/new")
    async def blank(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
    ) -> Response[Any]:
        """Show an empty form; a place may be chosen in the address."""
        wanted = request.query_params.get("location", EVERYWHERE)
        return await _draw(request, session, ClosureForm(Form({"location": wanted})))

    @post("/new", status_code=200)
    async def create(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Close, after asking about the lessons that are booked then."""
        form = await ClosureForm.read(request)
        saved = await form.save(session, None, by=by)
        if saved is None:
            return await _draw(request, session, form)
        undo = None if form.cancelled else Undo(f"{PATH}/{slug_of(saved)}/remove", [])
        return redirect(request, PATH, flash=_saved(saved, form.cancelled), undo=undo)

    @get("/{slug:str}")
    async def edit(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show the closure as it is stored."""
        closure = await _by_slug(session, slug)
        return await _draw(
            request, session, ClosureForm(staleness.drawn(await _stored(session, closure))), closure
        )

    @post("/{slug:str}", status_code=200)
    async def save(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Save it, after asking about the lessons that are booked on the days it is new on."""
        closure = await _by_slug(session, slug)
        form = await ClosureForm.read(request)
        saved = await form.save(session, closure, by=by)
        if saved is None:
            return await _draw(request, session, form, closure)
        return redirect(request, PATH, flash=_saved(saved, form.cancelled))

    @post("/{slug:str}/remove", status_code=200)
    async def remove(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Open again on these days; one press, because one more takes it back."""
        await read_form(request, fields=())
        closure = await _by_slug(session, slug)
        fields = [(name, str(value)) for name, value in (await _stored(session, closure)).items() if value]
        await scheduling.remove_closure(session, closure.id, by=by)
        return redirect(
            request,
            PATH,
            flash=_("{name} is no closure any more.").format(name=closure.name),
            undo=Undo(f"{PATH}/new", fields),
        )


@dataclass(slots=True)
class ClosureForm:
    """A closure as typed, and what is to become of the lessons that are booked then."""

    form: Form
    confirmed: str = ""
    affected: Affected | None = None
    #: How many lessons were cancelled with it.
    cancelled: int = 0
    lessons: str = field(default="keep")

    @classmethod
    async def read(cls, request: AnyRequest) -> ClosureForm:
        """Return the form as posted."""
        names = (*_FIELDS, "confirmed", "lessons", "message", *staleness.FIELDS)
        values = await read_form(request, fields=names)
        confirmed, lessons = values.pop("confirmed", ""), values.get("lessons", "keep")
        return cls(Form(values), confirmed=confirmed, lessons=lessons)

    @property
    def status(self) -> int:
        """The status of the page when nothing was saved: 200 for a question."""
        problem = self.form.errors or self.form.problem or self.form.stale is not None
        return self.form.refused_status if problem else 200

    async def save(
        self, session: AsyncSession, closure: ClosureView | None, *, by: Member
    ) -> ClosureView | None:
        """Add or change a closure; None when nothing was saved, and the form then says why."""
        found: list[Affected] = []

        async def verb() -> ClosureView | None:
            if closure is not None:

                async def stored() -> dict[str, Any]:
                    return await _stored(session, await scheduling.get_closure(session, closure.id))

                await staleness.check(
                    session, self.form, stored, subject=("closure", closure.id), labels=_LABELS, by=by
                )
            data = await self._meaning(session, closure)
            before = None if closure is None else _as_created(closure)
            affected = await affected_by_closure(session, data, instead_of=before)
            saved = await _write(session, closure, data, by=by)
            if affected and affected.fingerprint != self.confirmed:
                found.append(affected)
                return None
            if affected and self.lessons == "cancel":
                try:
                    self.cancelled = await cancel_lessons(
                        session, affected.session_ids, message=self.form.value("message"), by=by
                    )
                except Invalid:
                    # The question is asked again, with the message beside its field.
                    found.append(affected)
                    raise
            return saved

        saved, refused = await attempt(session, self.form, verb)
        if refused is not None:
            names = {_NAMES.get(name, name): message for name, message in refused.errors.items()}
            self.form = Form(refused.values, names, refused.problem, refused.stale)
        elif saved is None:
            await discard(session)
        self.affected = found[0] if found else None
        return saved if refused is None and isinstance(saved, ClosureView) else None

    async def _meaning(self, session: AsyncSession, closure: ClosureView | None) -> ClosureCreate:
        problems: dict[str, str] = {}
        days: dict[str, date] = {}
        for name in ("starts_on", "ends_on"):
            text = self.form.value(name)
            # One day needs no second date.
            if name == "ends_on" and not text:
                text = self.form.value("starts_on")
            try:
                days[name] = read_date(text)
            except ValueError as error:
                if not (name == "ends_on" and not self.form.value("ends_on")):
                    problems[name] = str(error)
        name = self.form.value("name")
        if not name:
            problems["name"] = _("Enter a name, such as Christmas.")
        location_id = None
        if slug := self.form.value("location"):
            places = await appointments.list_locations(session, include_archived=True)
            kept = closure.location_id if closure else None
            ids = {place.slug: place.id for place in places if not place.archived_at or place.id == kept}
            if slug not in ids:
                problems["location"] = _("Choose one of the school's locations, or the whole school.")
            location_id = ids.get(slug)
        if self.lessons not in ("keep", "cancel"):
            problems["lessons"] = _("Choose one of the two.")
        if problems:
            raise Invalid(fields=problems)
        return ClosureCreate(name=name, location_id=location_id, yearly=bool(self.form.value("yearly")), **days)


async def _write(
    session: AsyncSession, closure: ClosureView | None, data: ClosureCreate, *, by: Member
) -> ClosureView:
    if closure is None:
        return await scheduling.add_closure(session, data, by=by)
    changes = ClosureUpdate(
        name=data.name,
        starts_on=data.starts_on,
        ends_on=data.ends_on,
        location_id=data.location_id,
        yearly=data.yearly,
    )
    return await scheduling.change_closure(session, closure.id, changes, by=by)


def _as_created(closure: ClosureView) -> ClosureCreate:
    return ClosureCreate(
        name=closure.name,
        starts_on=closure.starts_on,
        ends_on=closure.ends_on,
        location_id=closure.location_id,
        yearly=closure.yearly,
    )


def slug_of(closure: ClosureView) -> str:
    """Return the part of an address that stands for a closure: its name for readers, and a code."""
    code = base64.b32encode(hashlib.sha256(closure.id.bytes).digest()[:5]).decode().lower()
    return f"{slugify(closure.name, fallback='closure', longest=40)}-{code}"


async def _by_slug(session: AsyncSession, slug: str) -> ClosureView:
    code = slug.rpartition("-")[2]
    for closure in await scheduling.list_closures(session):
        if slug_of(closure).rpartition("-")[2] == code:
            return closure
    raise NotFound(_("There is no such closure at this school."))


async def _stored(session: AsyncSession, closure: ClosureView) -> dict[str, Any]:
    """Return a closure as the form has it."""
    place = await appointments.get_location(session, closure.location_id) if closure.location_id else None
    return {
        "name": closure.name,
        "starts_on": closure.starts_on.isoformat(),
        "ends_on": closure.ends_on.isoformat(),
        "location": place.slug if place else EVERYWHERE,
        "yearly": "on" if closure.yearly else "",
    }


def span_words(first: date, last: date) -> str:
    """Return "Thu 24 Dec" or "Thu 24 Dec to Fri 1 Jan"."""
    if first == last:
        return formatting.day(first)
    return _("{first} to {last}").format(first=formatting.day(first), last=formatting.day(last))


def _saved(closure: ClosureView, cancelled: int) -> str:
    text = _("{name} is saved.").format(name=closure.name)
    if not cancelled:
        return text
    return (
        text
        + " "
        + ngettext(
            "One lesson is cancelled, and its students are told by mail.",
            "{number} lessons are cancelled, and their students are told by mail.",
            cancelled,
        ).format(number=cancelled)
    )


def _row(closure: ClosureView, names: dict[Any, str]) -> dict[str, Any]:
    first, last = closure.next_starts_on, closure.next_ends_on
    if first is None or last is None:
        first, last = closure.starts_on, closure.ends_on
    return {
        "name": closure.name,
        "href": f"{PATH}/{slug_of(closure)}",
        "when": span_words(first, last),
        "days": ngettext("one day", "{number} days", (last - first).days + 1).format(
            number=(last - first).days + 1
        ),
        "where": names[closure.location_id] if closure.location_id else _("The whole school"),
        "yearly": closure.yearly,
    }


async def _draw(
    request: AnyRequest, session: AsyncSession, form: ClosureForm, closure: ClosureView | None = None
) -> Response[Any]:
    places = await appointments.list_locations(session, include_archived=True)
    title = closure.name if closure else _("New closure")
    return render(
        request,
        "admin/closure_form.html",
        admin_page(request, title, (_("Closures"), PATH)),
        status_code=form.status,
        form=form.form,
        closure=closure is not None,
        action=f"{PATH}/{slug_of(closure)}" if closure else f"{PATH}/new",
        question=question(form.affected, whose=True),
        lessons=form.lessons,
        labels={name: _(label) for name, label in _LABELS.items()},
        places=[{"value": EVERYWHERE, "label": _("The whole school")}, *_place_options(places, closure)],
    )


def _place_options(places: list[LocationView], closure: ClosureView | None) -> list[dict[str, str]]:
    kept = closure.location_id if closure else None
    return [
        {"value": place.slug, "label": place.name}
        for place in places
        if not place.archived_at or place.id == kept
    ]
