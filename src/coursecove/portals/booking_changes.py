"""What staff decide about a booking on its page: requests and attendance; for both portals of staff."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import (
    AttendanceUpdate,
    BookingDecline,
    BookingView,
    NoteView,
)
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.portals.forms import Form, attempt, convert, read_form
from coursecove.portals.lesson_words import ATTENDANCE, attendance_word, series_words
from coursecove.portals.pages import AnyRequest, local_path, redirect, render
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

# Where to go on afterwards: overviews answer requests and note who came as well.
_BACK = "return_to"


class _Draw(Protocol):
    def __call__(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        *,
        by: Member,
        note_form: Form | None = None,
        problem: str | None = None,
        deleted: NoteView | None = None,
        status_code: int = 200,
    ) -> Awaitable[Response[Any]]: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """One portal's pages about a booking.

    ``find`` returns a booking by its reference or raises NotFound; ``context``
    is what every page about one shows of it, and ``draw`` draws its own page.
    """

    path: str
    listed: Callable[[], tuple[str, str]]
    page: Callable[..., dict[str, Any]]
    find: Callable[[AsyncSession, str, Member], Awaitable[BookingView]]
    context: Callable[
        [AnyRequest, AsyncSession, OrganizationView, BookingView, Member], Awaitable[dict[str, Any]]
    ]
    draw: _Draw

    def href(self, booking: BookingView) -> str:
        """Return the address of a booking's page."""
        return f"{self.path}/{booking.reference}"

    async def draw_under(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        template: str,
        title: str,
        *,
        by: Member,
        status_code: int = 200,
        **context: Any,
    ) -> Response[Any]:
        """Draw a page that lies below the booking's own."""
        trail = (booking.appointment_type.name, self.href(booking))
        return render(
            request,
            template,
            self.page(request, title, self.listed(), trail),
            status_code=status_code,
            **await self.context(request, session, organization, booking, by),
            **context,
        )


def _answered_series(form: Form, booking: BookingView) -> uuid.UUID | None:
    """Return the series that is answered as one; None: this request alone."""
    return booking.series_id if form.value("scope") == "all" else None


async def requests_of_series(
    session: AsyncSession, booking: BookingView, *, by: Member
) -> dict[str, Any] | None:
    """Return what waits with a request for an answer, in words; None where it is the only one."""
    if not booking.can_decide or booking.series_id is None:
        return None
    try:
        series = await bookings.get_series(session, booking.series_id, viewer=by)
    except NotFound:
        # Somebody who stands in for a lesson answers for it alone.
        return None
    waiting = [lesson for lesson in series.lessons if lesson.can_decide]
    if len(waiting) < 2:
        return None
    return {
        "count": len(waiting),
        "words": series_words(series),
        "dates": [formatting.day(lesson.starts_at, series.time_zone) for lesson in waiting],
    }


class BookingChanges(Controller):
    """The forms of a booking's page but notes, moving and cancelling, which are controllers of their own.

    A portal mounts it by naming its path, its guard and its ``desk``.
    """

    include_in_schema = False
    desk: ClassVar[Desk]

    @post("/{reference:str}/approve", status_code=200)
    async def approve(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Confirm a request, or all that wait of its series; student and instructor are told."""
        booking = await self.desk.find(session, reference, by)
        form = Form(await read_form(request, fields=(_BACK, "scope")))
        series_id = _answered_series(form, booking)

        async def verb() -> int:
            if series_id is not None:
                return len((await bookings.approve_series(session, series_id, by=by)).changed)
            await bookings.approve(session, booking.id, by=by)
            return 1

        said = _("Confirmed. {name} will be told.")
        if series_id is not None:
            said = _("All of them are confirmed. {name} will be told.")
        return await self._decided(
            request,
            session,
            organization,
            booking,
            form,
            verb,
            said=said.format(name=booking.student.name),
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
        booking = await self.desk.find(session, reference, by)
        if not booking.can_decide:
            return redirect(request, self.desk.href(booking))
        form = Form({name: request.query_params.get(name, "") for name in (_BACK, "scope")})
        return await self._decline_page(request, session, organization, booking, form, by=by)

    @post("/{reference:str}/decline", status_code=200)
    async def decline(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Say no to a request, or to all that wait of its series, with the reason; the time is free again."""
        booking = await self.desk.find(session, reference, by)
        form = Form(await read_form(request, fields=("reason", _BACK, "scope")))
        series_id = _answered_series(form, booking)

        async def verb() -> object:
            data = convert({"reason": form.value("reason")}, BookingDecline)
            if series_id is not None:
                return await bookings.decline_series(session, series_id, data, by=by)
            return await bookings.decline(session, booking.id, data, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            said = _("Declined. {name} will be told.")
            if series_id is not None:
                said = _("All of them are declined. {name} will be told.")
            return redirect(request, self._back(form, booking), flash=said.format(name=booking.student.name))
        return await self._decline_page(
            request, session, organization, booking, refused, by=by, status_code=refused.refused_status
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
        booking = await self.desk.find(session, reference, by)
        form = Form(await read_form(request, fields=("attendance", _BACK)))
        wanted = form.value("attendance")
        known = wanted if wanted in ATTENDANCE and wanted != booking.attendance else None

        async def verb() -> BookingView:
            return await bookings.note_attendance(
                session, booking.id, msgspec.convert({"attendance": known}, AttendanceUpdate), by=by
            )

        words = _("{name}: {attendance}. The same button takes it back.")
        if known is None:
            words = _("{name}: taken back.")
        said = words.format(name=booking.student.name, attendance=attendance_word(known) if known else "")
        return await self._decided(request, session, organization, booking, form, verb, said=said, by=by)

    def _back(self, form: Form, booking: BookingView) -> str:
        return local_path(form.value(_BACK) or None, default=self.desk.href(booking))

    async def _decided(
        self,
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
            return redirect(request, self._back(form, booking), flash=said)
        fresh = await self.desk.find(session, booking.reference, by)
        problem = next(iter(refused.errors.values()), None) or refused.problem
        return await self.desk.draw(
            request,
            session,
            organization,
            fresh,
            by=by,
            problem=problem,
            status_code=refused.refused_status,
        )

    async def _decline_page(
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
            "admin/booking_decline.html",
            _("Decline this request?"),
            by=by,
            status_code=status_code,
            form=form,
        )
