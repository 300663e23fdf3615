"""What an admin decides about a booking on its page: requests, attendance, notes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import (
    AttendanceUpdate,
    BookingDecline,
    BookingView,
    NoteCreate,
    NoteUpdate,
)
from coursecove.i18n import _
from coursecove.portals.admin.booking_filters import PATH
from coursecove.portals.admin.booking_page import (
    ATTENDANCE,
    booking_context,
    draw_booking,
    find_note,
    to_list,
)
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.forms import Form, attempt, convert, read_form
from coursecove.portals.lesson_words import attendance_word
from coursecove.portals.pages import local_path, redirect, render
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
# Where to go on afterwards: the overview answers requests as well.
_BACK = "return_to"


class BookingChanges(Controller):
    """Every form of a booking's page but moving and cancelling, which have pages of their own."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @post("/{reference:str}/approve", status_code=200)
    async def approve(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Confirm a request; student and instructor are told."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        form = Form(await read_form(request, fields=(_BACK,)))
        return await _decided(
            request,
            session,
            organization,
            booking,
            form,
            lambda: bookings.approve(session, booking.id, by=by),
            said=_("Confirmed. {name} will be told.").format(name=booking.student.name),
            by=by,
        )

    @get("/{reference:str}/decline")
    async def ask_to_decline(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Ask for the reason."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        if not booking.can_decide:
            return redirect(request, f"{PATH}/{booking.reference}")
        form = Form({_BACK: request.query_params.get(_BACK, "")})
        return await _decline_page(request, session, organization, booking, form)

    @post("/{reference:str}/decline", status_code=200)
    async def decline(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Say no to a request, with the reason; the time is free again."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        form = Form(await read_form(request, fields=("reason", _BACK)))

        async def verb() -> BookingView:
            reason = {"reason": form.value("reason")}
            return await bookings.decline(session, booking.id, convert(reason, BookingDecline), by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            return redirect(
                request,
                _back(form, booking),
                flash=_("Declined. {name} will be told.").format(name=booking.student.name),
            )
        return await _decline_page(
            request, session, organization, booking, refused, status_code=refused.refused_status
        )

    @post("/{reference:str}/attendance", status_code=200)
    async def attendance(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Note whether the student came; the same button again takes it back."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        form = Form(await read_form(request, fields=("attendance", _BACK)))
        wanted = form.value("attendance")
        known = wanted if wanted in ATTENDANCE and wanted != booking.attendance else None

        async def verb() -> BookingView:
            return await bookings.note_attendance(
                session, booking.id, msgspec.convert({"attendance": known}, AttendanceUpdate), by=by
            )

        said = (
            _("Noted: {attendance}.").format(attendance=attendance_word(known)) if known else _("Taken back.")
        )
        return await _decided(request, session, organization, booking, form, verb, said=said, by=by)

    @get("/{reference:str}/notes")
    async def edit_note(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Show the note that the query names, to change it or to delete it."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        handle = request.query_params.get("note")
        if not handle:
            return redirect(request, f"{PATH}/{booking.reference}#notes")
        found = find_note(booking, handle)
        form = Form({"note": handle, "body": found.body, "shared": "on" if found.shared else ""})
        return await _note_page(request, session, organization, booking, form)

    @post("/{reference:str}/notes", status_code=200)
    async def write_note(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Write a note, for staff or shared with the student; with ``note``, change that one or delete it."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        form = Form(await read_form(request, fields=("note", "body", "shared", "delete")))
        found = find_note(booking, form.value("note")) if form.value("note") else None
        back = f"{PATH}/{booking.reference}#notes"
        if found is not None and form.value("delete"):
            await bookings.delete_note(session, booking.id, found.id, by=by)
            return redirect(request, back, flash=_("The note is deleted."))
        values = {"body": form.value("body"), "shared": bool(form.value("shared"))}

        async def verb() -> object:
            if found is None:
                return await bookings.add_note(session, booking.id, convert(values, NoteCreate), by=by)
            return await bookings.change_note(session, booking.id, found.id, convert(values, NoteUpdate), by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            return redirect(request, back, flash=_("The note is saved."))
        status = refused.refused_status
        if found is None:
            return await draw_booking(
                request, session, organization, booking, note_form=refused, status_code=status
            )
        return await _note_page(request, session, organization, booking, refused, status_code=status)


def _back(form: Form, booking: BookingView) -> str:
    return local_path(form.value(_BACK) or None, default=f"{PATH}/{booking.reference}")


async def _decided(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    form: Form,
    verb: Callable[[], Awaitable[object]],
    *,
    said: str,
    by: Member,
) -> Response[Any]:
    refused = (await attempt(session, form, verb))[1]
    if refused is None:
        return redirect(request, _back(form, booking), flash=said)
    fresh = await bookings.get_booking(session, booking.id, viewer=by)
    problem = next(iter(refused.errors.values()), None) or refused.problem
    return await draw_booking(
        request, session, organization, fresh, problem=problem, status_code=refused.refused_status
    )


async def _decline_page(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    form: Form,
    *,
    status_code: int = 200,
) -> Response[Any]:
    trail = (booking.appointment_type.name, f"{PATH}/{booking.reference}")
    return render(
        request,
        "admin/booking_decline.html",
        admin_page(request, _("Decline this request?"), to_list(), trail),
        status_code=status_code,
        form=form,
        **await booking_context(request, session, organization, booking),
    )


async def _note_page(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    form: Form,
    *,
    status_code: int = 200,
) -> Response[Any]:
    trail = (booking.appointment_type.name, f"{PATH}/{booking.reference}")
    return render(
        request,
        "admin/booking_note.html",
        admin_page(request, _("Change the note"), to_list(), trail),
        status_code=status_code,
        form=form,
        **await booking_context(request, session, organization, booking),
    )
