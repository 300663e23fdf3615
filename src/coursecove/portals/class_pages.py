"""A class on the calendar, for both portals of staff: who sits in it, who came, cancelling all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.class_schemas import ClassCancel, ClassView
from coursecove.bookings.schemas import AttendanceUpdate, SeatView
from coursecove.errors import NotFound
from coursecove.formatting import initials
from coursecove.i18n import N_, _, ngettext
from coursecove.portals.admin.calendar_words import seats_words
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.lesson_words import ATTENDANCE, Clocks, attendance_choices, map_href
from coursecove.portals.pages import AnyRequest, local_path, redirect, render
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

_CANCEL_TITLE = N_("Cancel this class?")
_EVERYBODY = "everybody"
_BACK = "return_to"


@dataclass(frozen=True, slots=True)
class ClassDesk:
    """One portal's pages about classes; ``own``: of those one gives oneself.

    ``clocks`` returns the clocks of whoever reads about a class at a place of
    the zone ``venue`` (None: it is online).
    """

    path: str
    lessons: str
    listed: Callable[[], tuple[str, str]]
    page: Callable[..., dict[str, Any]]
    zone: Callable[[AsyncSession, OrganizationView, Member], Awaitable[str]]
    clocks: Callable[[AnyRequest, OrganizationView, str | None, str], Clocks]
    own: bool
    # Where a seat is booked for a student; None where that is not done.
    book_href: Callable[[ClassView], str | None]

    def href(self, found: ClassView) -> str:
        """Return the address of a class's page."""
        return f"{self.path}/{found.handle}"


class ClassPages(Controller):
    """Classes one gives; admins see everybody's.  A portal names its path, its guard and its ``desk``."""

    include_in_schema = False
    desk: ClassVar[ClassDesk]

    @get("/{handle:str}")
    async def details(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show the class with everybody who has a seat."""
        found = await _taught(session, handle, by)
        return await self._draw(request, session, organization, found, "teach/class.html", by=by, form=Form())

    @post("/{handle:str}/attendance", status_code=200)
    async def attendance(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Note who came: each seat by itself, or everybody of whom nothing is noted yet as present.

        A seat that was given back since the page was drawn is left alone.
        """
        found = await _taught(session, handle, by)
        form = Form(await read_form(request, fields=(_EVERYBODY, _BACK), lists=("seat", "came")))
        wanted = _wanted(found, form)

        async def verb() -> int:
            for seat, attendance in wanted:
                update = msgspec.convert({"attendance": attendance}, AttendanceUpdate)
                await bookings.note_attendance(session, seat.booking_id, update, by=by)
            return len(wanted)

        count, refused = await attempt(session, form, verb)
        if refused is None:
            said = ngettext("Noted for {count} student.", "Noted for {count} students.", count).format(
                count=count
            )
            to = local_path(form.value(_BACK) or None, default=self.desk.href(found))
            return redirect(request, to, flash=said if count else _("Nothing was changed."))
        return await self._draw(
            request,
            session,
            organization,
            await _taught(session, handle, by),
            "teach/class.html",
            by=by,
            form=refused,
            status_code=refused.refused_status,
        )

    @get("/{handle:str}/cancel")
    async def ask_to_cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Ask whether nobody is to come."""
        found = await _taught(session, handle, by)
        if not found.can_cancel:
            return redirect(request, self.desk.href(found))
        return await self._draw(
            request, session, organization, found, "teach/class_cancel.html", by=by, form=Form()
        )

    @post("/{handle:str}/cancel", status_code=200)
    async def cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Cancel the class with every seat in it; each student is told, with the reason."""
        found = await _taught(session, handle, by)
        form = Form(await read_form(request, fields=names_of(ClassCancel)))

        async def verb() -> ClassView:
            return await bookings.cancel_class(session, found.id, convert(form.values, ClassCancel), by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            return redirect(
                request,
                self.desk.href(found),
                flash=_("The class is cancelled. Everybody who had a seat will be told."),
            )
        return await self._draw(
            request,
            session,
            organization,
            found,
            "teach/class_cancel.html",
            by=by,
            form=refused,
            status_code=refused.refused_status,
        )

    async def _draw(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        found: ClassView,
        template: str,
        *,
        by: Member,
        form: Form,
        status_code: int = 200,
    ) -> Response[Any]:
        zone = await self.desk.zone(session, organization, by)
        clocks = self.desk.clocks(request, organization, found.venue_time_zone, zone)
        href = self.desk.href(found)
        asking = template == "teach/class_cancel.html"
        trail = [self.desk.listed(), (found.appointment_type.name, href)] if asking else [self.desk.listed()]
        now = clock.now()
        seats = found.seats or []
        sitting = [seat for seat in seats if seat.status == "confirmed"]
        waiting = await bookings.list_waitlist(session, viewer=by, session_id=found.id)
        return render(
            request,
            template,
            self.desk.page(request, _(_CANCEL_TITLE) if asking else found.appointment_type.name, *trail),
            status_code=status_code,
            found=found,
            href=href,
            when=clocks.when(found.starts_at, found.ends_at),
            seats_text=seats_words(found.seats_taken, found.capacity),
            taught_by=None if found.instructor.id == by.id else found.instructor.name,
            map_href=map_href(found.location) if found.location else None,
            cancelled_at=clocks.moment(found.cancelled_at) if found.cancelled_at else None,
            begun=found.starts_at <= now,
            over=found.ends_at <= now,
            can_note=found.cancelled_at is None and found.starts_at <= now and bool(sitting),
            unnoted=sum(seat.attendance is None for seat in sitting),
            seats=[
                {
                    "reference": seat.reference,
                    "name": seat.student.name,
                    "initials": initials(seat.student.name),
                    "image_url": seat.student.image_url,
                    "email": seat.student.email,
                    "note": seat.note,
                    "href": f"{self.desk.lessons}/{seat.reference}",
                    "pending": seat.status == "pending",
                    "attendance": seat.attendance or "",
                }
                for seat in seats
            ],
            waiting=[
                {
                    "name": entry.student.name,
                    "initials": initials(entry.student.name),
                    "image_url": entry.student.image_url,
                    "email": entry.student.email,
                    # A seat that came free is kept for them for a while.
                    "offered": _("Offered until {when}").format(when=clocks.moment(entry.offer_expires_at))
                    if entry.offer_expires_at
                    else None,
                }
                for entry in waiting
            ],
            book_href=self.desk.book_href(found),
            attendance=attendance_choices(),
            form=form,
        )


async def _taught(session: AsyncSession, handle: str, by: Member) -> ClassView:
    """Return a class that ``by`` gives or administers; raises NotFound for all others."""
    found = await bookings.get_class_by_handle(session, handle, viewer=by)
    if found.seats is None:
        raise NotFound(_("There is no such class among those you give."))
    return found


def _wanted(found: ClassView, form: Form) -> list[tuple[SeatView, str | None]]:
    """Return what is to be noted of which seat, as far as it is not what is noted already."""
    seats = [seat for seat in found.seats or () if seat.status == "confirmed"]
    if form.value(_EVERYBODY) in ATTENDANCE:
        return [(seat, form.value(_EVERYBODY)) for seat in seats if seat.attendance is None]
    by_reference = {seat.reference: seat for seat in seats}
    # A list that is shorter than the other says nothing about the rest.
    said = dict(zip(form.values["seat"], form.values["came"], strict=False))
    wanted: list[tuple[SeatView, str | None]] = []
    for reference, came in said.items():
        seat = by_reference.get(reference)
        attendance = came if came in ATTENDANCE else None
        if seat is not None and seat.attendance != attendance:
            wanted.append((seat, attendance))
    return wanted
