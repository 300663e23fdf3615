"""One lesson as its instructor, or an admin, sees it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from litestar import Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.bookings import service as bookings
from coursecove.bookings.last_time import last_lessons
from coursecove.bookings.schemas import BookingView, NoteView
from coursecove.errors import NotFound
from coursecove.formatting import initials
from coursecove.i18n import N_, _
from coursecove.portals.admin.booking_history import history, rules_passed
from coursecove.portals.booking_changes import BookingChanges, Desk, requests_of_series
from coursecove.portals.booking_notes import BookingNotes, note_words
from coursecove.portals.cancelling import cancel_by_form, scope_context
from coursecove.portals.forms import Form
from coursecove.portals.lesson_words import attendance_choices, instructor_clocks, map_href, status_of
from coursecove.portals.pages import AnyRequest, redirect, render
from coursecove.portals.scopes import Scope, read_scope
from coursecove.portals.teach.addresses import CLASSES, LESSONS
from coursecove.portals.teach.navigation import own_zone, teach_page
from coursecove.portals.teach.today import last_time_words
from coursecove.tenants import service as tenants
from coursecove.tenants.activity import facts_about
from coursecove.tenants.guards import as_staff
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

_CANCEL_TITLE = N_("Cancel this lesson?")


def to_week() -> tuple[str, str]:
    """Return the page above every lesson."""
    return _("Week"), "/teach/week"


async def taught(session: AsyncSession, reference: str, by: Member) -> BookingView:
    """Return a lesson that ``by`` teaches or administers; raises NotFound for all others."""
    booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
    if by.role != "admin" and booking.instructor.id != by.id:
        raise NotFound(_("There is no such lesson among those you teach."))
    return booking


async def draw_lesson(
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
) -> Response[Any]:
    """Draw a lesson's page; ``note_form`` is a note that was refused, ``problem`` why something else was.

    ``deleted`` is a note that can still be had back.
    """
    context = await lesson_context(request, session, organization, booking, by)
    clocks = instructor_clocks(venue=booking.venue_time_zone, own=await own_zone(session, organization, by))
    before = (await last_lessons(session, [booking.student.id], viewer=by, before=booking.starts_at)).get(
        booking.student.id
    )
    names = {str(person.id): person.name for person in await tenants.list_instructors(session)}
    # Of what others did an instructor sees only what the booking itself says.
    facts = await facts_about(session, "booking", booking.id, limit=200)
    return render(
        request,
        "teach/lesson.html",
        teach_page(request, booking.appointment_type.name, to_week()),
        status_code=status_code,
        **context,
        history=history(facts, clocks, names=names),
        before=last_time_words(before, clocks.shown) if before else None,
        notes=[note_words(note, clocks) for note in booking.notes],
        note_form=note_form or Form(),
        problem=problem,
        deleted=deleted,
        attendance=attendance_choices(),
        rules_passed=rules_passed(booking.overridden_rules),
    )


async def lesson_context(
    request: AnyRequest,  # noqa: ARG001 - other portals look at the reader's browser
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    by: Member,
) -> dict[str, Any]:
    """Return what every page about one lesson shows of it, on the instructor's own clock."""
    clocks = instructor_clocks(venue=booking.venue_time_zone, own=await own_zone(session, organization, by))
    now = clock.now()
    return {
        "booking": booking,
        "href": f"{LESSONS}/{booking.reference}",
        "when": clocks.when(booking.starts_at, booking.ends_at),
        "status": status_of(booking, clocks.shown),
        "over": booking.ends_at <= now,
        # Staff may cancel later than the student could; whoever does should know.
        "past_cut_off": now > booking.cancel_until,
        "student_initials": initials(booking.student.name),
        "taught_by": None if booking.instructor.id == by.id else booking.instructor.name,
        "class_href": f"{CLASSES}/{handle_of(booking.session_id, booking.appointment_type.name)}"
        if booking.appointment_type.kind == "class"
        else None,
        "map_href": _map(booking),
        "booked_at": clocks.moment(booking.booked_at),
        "ended_at": clocks.moment(booking.cancelled_at) if booking.cancelled_at else None,
        "approve_by": clocks.moment(booking.approve_by) if booking.approve_by else None,
        "requests": await requests_of_series(session, booking, by=by),
    }


def _map(booking: BookingView) -> str | None:
    if booking.location is not None:
        return map_href(booking.location)
    if booking.address:
        where = quote_plus(f"{booking.address}, {booking.postcode}" if booking.postcode else booking.address)
        return f"https://www.openstreetmap.org/search?query={where}"
    return None


class TaughtLessonPages(BookingChanges):
    """Lessons one teaches; admins see everybody's."""

    path = LESSONS
    dependencies = {"by": Provide(as_staff)}
    desk = Desk(
        path=LESSONS,
        listed=to_week,
        page=teach_page,
        find=taught,
        context=lesson_context,
        draw=draw_lesson,
    )

    @get("/{reference:str}")
    async def details(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Show the lesson with its student, what is written about it, and what was last time."""
        booking = await taught(session, reference, by)
        return await draw_lesson(request, session, organization, booking, by=by)

    @get("/{reference:str}/cancel")
    async def ask_to_cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Ask whether to cancel on the student's behalf."""
        booking = await taught(session, reference, by)
        if not booking.can_cancel:
            return redirect(request, self.desk.href(booking))
        scope = read_scope(request.query_params.get("scope"), booking)
        return await self._cancel_page(request, session, organization, booking, Form(), scope=scope, by=by)

    @post("/{reference:str}/cancel", status_code=200)
    async def cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Cancel it, or several of its series; the student is told, with the reason."""
        booking = await taught(session, reference, by)
        done = await cancel_by_form(request, session, booking, by=by)
        if done.refused is None:
            one = _("The lesson is cancelled. {name} will be told.").format(name=booking.student.name)
            return redirect(request, self.desk.href(booking), flash=done.said(one=one))
        return await self._cancel_page(
            request, session, organization, booking, done.refused, scope=done.scope, by=by
        )

    async def _cancel_page(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        form: Form,
        *,
        scope: Scope,
        by: Member,
    ) -> Response[Any]:
        clocks = instructor_clocks(venue=booking.venue_time_zone, own=await own_zone(session, organization, by))
        path = f"{self.desk.href(booking)}/cancel"
        return await self.desk.draw_under(
            request,
            session,
            organization,
            booking,
            "teach/cancel.html",
            _(_CANCEL_TITLE) if scope == "this" else _("Cancel these lessons?"),
            by=by,
            form=form,
            status_code=form.refused_status if form.problem or form.errors else 200,
            **await scope_context(session, booking, scope=scope, path=path, clocks=clocks, by=by),
        )


class TaughtNotePages(BookingNotes):
    """What one writes about one's lessons."""

    path = LESSONS
    dependencies = {"by": Provide(as_staff)}
    desk = TaughtLessonPages.desk
