"""Notes about a lesson, on its page: written, changed, deleted and had back; for both portals of staff."""

from __future__ import annotations

from typing import Any, ClassVar

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView, NoteCreate, NoteUpdate, NoteView
from coursecove.errors import NotFound
from coursecove.i18n import N_, _
from coursecove.portals import staleness
from coursecove.portals.booking_changes import Desk
from coursecove.portals.forms import Form, attempt, convert, read_form
from coursecove.portals.lesson_words import Clocks
from coursecove.portals.pages import AnyRequest, redirect
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

# Which note a form is about, and an address.
_NOTE = "note"
_NOTE_LABELS = {"body": N_("Note"), "shared": N_("Share it with the student")}


class BookingNotes(Controller):
    """The forms of notes.  A portal mounts it by naming its path, its guard and its ``desk``."""

    include_in_schema = False
    desk: ClassVar[Desk]

    @get("/{reference:str}/notes")
    async def edit_note(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Show the note that the address names, to change it or to delete it."""
        booking = await self.desk.find(session, reference, by)
        handle = request.query_params.get(_NOTE)
        if not handle:
            return redirect(request, f"{self.desk.href(booking)}#notes")
        form = staleness.drawn(_values_of(find_note(booking, handle)))
        return await self._note_page(request, session, organization, booking, form, by=by)

    @post("/{reference:str}/notes", status_code=200)
    async def write_note(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Write a note, for staff or shared with the student; or change or delete the one that is named.

        What was deleted is offered back once.
        """
        booking = await self.desk.find(session, reference, by)
        form = Form(await read_form(request, fields=("body", "shared", _NOTE, "delete", *staleness.FIELDS)))
        if form.value(_NOTE):
            find_note(booking, form.value(_NOTE))
            change = self._delete if form.value("delete") else self._change
            return await change(request, session, organization, booking, form, by=by)

        async def verb() -> object:
            values = {"body": form.value("body"), "shared": bool(form.value("shared"))}
            return await bookings.add_note(session, booking.id, convert(values, NoteCreate), by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            return redirect(request, f"{self.desk.href(booking)}#notes", flash=_("The note is saved."))
        return await self.desk.draw(
            request,
            session,
            organization,
            booking,
            by=by,
            note_form=refused,
            status_code=refused.refused_status,
        )

    async def _change(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        form: Form,
        *,
        by: Member,
    ) -> Response[Any]:
        handle = form.value(_NOTE)
        note = find_note(booking, handle)

        async def stored() -> staleness.Values:
            # Forms about this booking wait for each other at the check itself.
            return _values_of(find_note(await self.desk.find(session, booking.reference, by), handle))

        async def verb() -> object:
            await staleness.check(
                session,
                form,
                stored,
                subject=("booking", booking.id),
                labels=_NOTE_LABELS,
                by=by,
                words={"shared": {"on": _("yes"), "": _("no")}},
            )
            values = {"body": form.value("body"), "shared": bool(form.value("shared"))}
            return await bookings.change_note(session, booking.id, note.id, convert(values, NoteUpdate), by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            return redirect(request, f"{self.desk.href(booking)}#notes", flash=_("The note is saved."))
        return await self._note_page(
            request, session, organization, booking, refused, by=by, status_code=refused.refused_status
        )

    async def _delete(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        form: Form,
        *,
        by: Member,
    ) -> Response[Any]:
        note = find_note(booking, form.value(_NOTE))
        refused = (
            await attempt(session, form, lambda: bookings.delete_note(session, booking.id, note.id, by=by))
        )[1]
        if refused is not None:
            return await self._note_page(
                request, session, organization, booking, refused, by=by, status_code=refused.refused_status
            )
        if note.author.id != by.id:
            # Had back, it would be one's own.
            return redirect(request, f"{self.desk.href(booking)}#notes", flash=_("The note is deleted."))
        fresh = await self.desk.find(session, booking.reference, by)
        return await self.desk.draw(request, session, organization, fresh, by=by, deleted=note)

    async def _note_page(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        form: Form,
        *,
        by: Member,
        status_code: int = 200,
    ) -> Response[Any]:
        return await self.desk.draw_under(
            request,
            session,
            organization,
            booking,
            "admin/booking_note.html",
            _("Change the note"),
            by=by,
            status_code=status_code,
            form=form,
        )


def find_note(booking: BookingView, handle: str) -> NoteView:
    """Return the note of this booking that an address names; raises NotFound."""
    found = [note for note in booking.notes if handle_of(note.id, "note") == handle]
    if len(found) != 1:
        raise NotFound(_("There is no such note."))
    return found[0]


def note_words(note: NoteView, clocks: Clocks) -> dict[str, Any]:
    """Return a note as a page shows it."""
    changed = note.updated_at > note.created_at
    return {
        "handle": handle_of(note.id, "note"),
        "body": note.body,
        "shared": note.shared,
        "author": note.author.name,
        "at": clocks.moment(note.updated_at if changed else note.created_at),
        "changed": changed,
        "can_change": note.can_change,
    }


def _values_of(note: NoteView) -> dict[str, str]:
    return {_NOTE: handle_of(note.id, "note"), "body": note.body, "shared": "on" if note.shared else ""}
