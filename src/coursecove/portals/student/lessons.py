"""A student's own lessons: seeing, keeping in one's calendar, cancelling."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingCancel, BookingView
from coursecove.bookings.series_schemas import SeriesCancel
from coursecove.config import Settings
from coursecove.errors import NotFound
from coursecove.formatting import initials, same_clock
from coursecove.i18n import _, ngettext
from coursecove.notifications.calendar_invite import calendar_invite
from coursecove.notifications.rendering import Notice
from coursecove.portals.booking_notes import note_words
from coursecove.portals.clock_notes import clock_note
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.lesson_words import (
    Clocks,
    lesson_card,
    map_href,
    series_words,
    status_of,
    student_clocks,
)
from coursecove.portals.pages import STUDENT_NAV, page_context, redirect, render, viewer_zone
from coursecove.portals.scopes import Scope, change_rows, read_scope, scope_links
from coursecove.portals.student.choice import MYSELF, address, child_in
from coursecove.portals.student.classes import waiting_of
from coursecove.portals.student.policies import cancelling_words, moving_words
from coursecove.tenants import service as tenants
from coursecove.tenants.family import ChildView
from coursecove.tenants.guards import as_member
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 20
# No lesson is longer, so what runs now started at most this long ago.
_LONGEST_LESSON = timedelta(hours=12)
# From when on the link to join is what one came for.
_SOON = timedelta(minutes=60)
# The page of a lesson that was just booked says so, once and for a while; an old bookmark does not.
_FRESH = timedelta(minutes=30)


class LessonPages(Controller):
    """What the signed-in person has booked for themselves."""

    path = "/lessons"
    include_in_schema = False
    dependencies = {"by": Provide(as_member)}

    @get("/")
    async def mine(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """List lessons to come, soonest first, or past ones, latest first; one's own and one's children's."""
        past = request.query_params.get("show") == "past"
        number = page_number(request)
        now = clock.now()
        children = await tenants.list_children(session, guardian=by)
        child = child_in(request.query_params.get("who", ""), children)
        whose = child.id if child else by.id if request.query_params.get("who") == MYSELF else None
        found = await bookings.list_bookings(
            session,
            viewer=by,
            own=True,
            student_id=whose,
            from_=None if past else now,
            until=now if past else None,
            order="-starts_at" if past else "starts_at",
            page=number,
            page_size=PAGE_SIZE,
        )
        running: list[BookingView] = []
        if not past and number == 1:
            # A lesson that has begun is still one to come to.
            begun = await bookings.list_bookings(
                session,
                viewer=by,
                own=True,
                student_id=whose,
                status="confirmed",
                from_=now - _LONGEST_LESSON,
                until=now,
            )
            running = [booking for booking in begun.items if booking.ends_at > now]
        waiting = [] if past else await waiting_of(request, session, organization, by=by)
        shown = {"show": "past" if past else None, "who": request.query_params.get("who") if whose else None}
        return render(
            request,
            "student/lessons.html",
            page_context(request, _("My lessons"), nav=STUDENT_NAV),
            past=past,
            tabs=[
                {"label": label, "href": _list_href({**shown, "show": show}), "current": past == bool(show)}
                for label, show in ((_("Upcoming"), None), (_("Past"), "past"))
            ],
            people=_people(children, shown),
            waiting=[] if past else [place for place in waiting if whose in (None, place["student_id"])],
            cards=[
                own_card(booking, _clocks(request, organization, booking), by=by)
                for booking in [*running, *found.items]
            ],
            pages=pages_of(found.page, found.total, _list_href(shown) + ("&" if any(shown.values()) else "?")),
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
        """Show one lesson; staff who follow a student's link are led to their own page of it."""
        booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
        if not booking.is_own:
            return redirect(request, f"/teach/lessons/{booking.reference}")
        fresh = (
            request.query_params.get("booked") == "yes"
            and booking.status == "confirmed"
            and booking.confirmed_at is not None
            and clock.now() - booking.confirmed_at < _FRESH
        )
        title = _("You’re booked") if fresh else booking.appointment_type.name
        return await _draw(
            request,
            session,
            organization,
            booking,
            "student/lesson.html",
            title,
            by=by,
            fresh=fresh,
            clock_note=await clock_note(request, session, organization, booking, by=by),
        )

    @get("/{reference:str}/calendar.ics")
    async def calendar_entry(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[bytes]:
        """Download the lesson for one's own calendar; the same entry as the mail's, so never a second one."""
        booking = await own_booking(session, reference, by=by)
        settings: Settings = request.app.state.resources.settings
        clocks = _clocks(request, organization, booking)
        differs = not same_clock(booking.starts_at, clocks.shown, clocks.other)
        notice = Notice(
            kind="cancellation" if booking.status == "cancelled" else "confirmation",
            part="student",
            booking=booking,
            organization=organization,
            link=f"{settings.origin(organization.slug)}/lessons/{booking.reference}",
            zone=clocks.shown,
            other_zone=clocks.other if differs else None,
        )
        sender = parseaddr(settings.mail_from)[1]
        entry = calendar_invite(
            notice,
            recipient_email=by.email or sender,
            mail_from=settings.mail_from,
            base_domain=settings.base_domain,
            # Taken, not sent: a calendar adds it and asks nobody for an answer.
            method="PUBLISH",
        )
        return Response(
            entry,
            media_type="text/calendar",
            headers={"Content-Disposition": f'attachment; filename="lesson-{booking.reference}.ics"'},
        )

    @get("/{reference:str}/cancel")
    async def ask_to_cancel(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Ask whether the lesson shall be cancelled; where it cannot be, say so on its own page."""
        booking = await own_booking(session, reference, by=by)
        scope = read_scope(request.query_params.get("scope"), booking)
        if not booking.can_cancel and booking.series_id is None:
            return redirect(request, f"/lessons/{booking.reference}")
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
        """Cancel it, or several of its series; what stands against that is said, and the reason is kept."""
        booking = await own_booking(session, reference, by=by)
        form = Form(await read_form(request, fields=(*names_of(BookingCancel), "scope")))
        scope = read_scope(form.value("scope"), booking)
        reason = {"reason": form.value("reason")}

        async def verb() -> int:
            if scope == "this" or booking.series_id is None:
                await bookings.cancel(session, booking.id, convert(reason, BookingCancel), by=by)
                return 1
            convert(reason, BookingCancel)
            data = SeriesCancel(booking_id=booking.id, scope=scope, reason=form.value("reason"))
            return len((await bookings.cancel_series(session, booking.series_id, data, by=by)).changed)

        cancelled, refused = await attempt(session, form, verb)
        if refused is not None:
            return await self._cancel_page(
                request,
                session,
                organization,
                booking,
                refused,
                scope=scope,
                by=by,
                status_code=refused.refused_status,
            )
        if scope == "this":
            return redirect(request, f"/lessons/{booking.reference}", flash=_("The lesson is cancelled."))
        said = ngettext("{count} lesson is cancelled.", "{count} lessons are cancelled.", cancelled)
        return redirect(request, "/lessons", flash=said.format(count=cancelled))

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
        status_code: int = 200,
    ) -> Response[Any]:
        changes = []
        if scope != "this" and booking.series_id is not None:
            data = SeriesCancel(booking_id=booking.id, scope=scope)
            found = await bookings.preview_series_cancellation(session, booking.series_id, data, by=by)
            changes = change_rows(found.items, _clocks(request, organization, booking))
        path = f"/lessons/{booking.reference}/cancel"
        return await _draw(
            request,
            session,
            organization,
            booking,
            "student/cancel.html",
            _("Cancel this lesson?") if scope == "this" else _("Cancel these lessons?"),
            by=by,
            form=form,
            scope=scope,
            scopes=scope_links(path, {}, scope) if booking.series_id else [],
            changes=changes,
            status_code=status_code,
        )


def own_card(booking: BookingView, clocks: Clocks, *, by: Member) -> dict[str, Any]:
    """Return a lesson as a card of the student portal: what it is, and what can be done with it."""
    return {
        **lesson_card(booking, clocks, href=f"/lessons/{booking.reference}", who=booking.instructor.name),
        "soon": booking.starts_at - clock.now() <= _SOON,
        "can_move": booking.can_move,
        "pending": booking.status == "pending",
        "policy": cancelling_words(booking, clocks),
        "again_href": again_href(booking),
        "notes": len(booking.notes),
        "student": booking.student.name if booking.student.id != by.id else None,
    }


def _list_href(query: dict[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return "/lessons" + (f"?{urlencode(given)}" if given else "")


def _people(children: list[ChildView], shown: dict[str, str | None]) -> list[dict[str, Any]]:
    """Return whose lessons can be looked at, as links; none for whoever has no children here."""
    if not children:
        return []
    people = [(None, _("Everybody")), (MYSELF, _("Me"))]
    people += [(handle_of(child.id, child.given_name), child.given_name) for child in children]
    return [
        {"label": label, "href": _list_href({**shown, "who": who}), "current": shown["who"] == who}
        for who, label in people
    ]


async def own_booking(session: AsyncSession, reference: str, *, by: Member) -> BookingView:
    """Return a lesson of one's own or of one's child; raises NotFound for all others, taught ones included."""
    booking = await bookings.get_booking_by_reference(session, reference, viewer=by)
    if not booking.is_own:
        raise NotFound(_("There is no such lesson among yours."))
    return booking


def again_href(booking: BookingView) -> str | None:
    """Return where another lesson like this one is booked; None when it is offered no more.

    The teacher one knows comes first there anyway.
    """
    if not booking.appointment_type.is_offered:
        return None
    return address(
        booking.appointment_type.slug, {"place": booking.location.slug if booking.location else None}
    )


def page_number(request: AnyRequest) -> int:
    """Return the page asked for, 1 when that cannot be read."""
    text = request.query_params.get("page", "")
    return max(int(text), 1) if text.isdecimal() and len(text) < 6 else 1


def pages_of(page: int, total: int, href: str) -> dict[str, Any] | None:
    """Return what the pager shows, or None where everything fits on one page."""
    if total <= PAGE_SIZE and page == 1:
        return None
    first, last = (page - 1) * PAGE_SIZE + 1, min(page * PAGE_SIZE, total)
    if first <= last:
        text = _("{first} to {last} of {total}").format(
            first=formatting.number(first), last=formatting.number(last), total=formatting.number(total)
        )
    else:
        text = _("{total} in all").format(total=formatting.number(total))
    return {
        "text": text,
        "previous_href": f"{href}page={page - 1}" if page > 1 else None,
        "next_href": f"{href}page={page + 1}" if last < total else None,
    }


def _clocks(request: AnyRequest, organization: OrganizationView, booking: BookingView) -> Clocks:
    return student_clocks(
        venue=booking.venue_time_zone,
        viewer=viewer_zone(request, organization.time_zone),
        school=organization.time_zone,
    )


async def _draw(
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
    clocks = _clocks(request, organization, booking)
    page = page_context(
        request, title, nav=STUDENT_NAV, breadcrumb=[{"label": _("My lessons"), "href": "/lessons"}]
    )
    return render(
        request,
        template,
        page,
        status_code=status_code,
        booking=booking,
        href=f"/lessons/{booking.reference}",
        when=clocks.when(booking.starts_at, booking.ends_at),
        status=status_of(booking, clocks.shown),
        over=booking.ends_at <= clock.now(),
        map_href=map_href(booking.location) if booking.location else None,
        instructor_initials=initials(booking.instructor.name),
        clocks=clocks,
        soon=booking.starts_at - clock.now() <= _SOON,
        policy=cancelling_words(booking, clocks),
        moving=moving_words(booking, clocks),
        answer_by=clocks.moment(booking.approve_by) if booking.approve_by else None,
        notes=[note_words(note, clocks) for note in booking.notes],
        again_href=again_href(booking),
        series=series_words(await bookings.get_series(session, booking.series_id, viewer=by))
        if booking.series_id
        else None,
        cancelled_at=clocks.moment(booking.cancelled_at) if booking.cancelled_at else None,
        email=by.email,
        # A child's lesson is their guardian's to look after.
        student_name=booking.student.name if booking.student.id != by.id else None,
        own_ids={by.id, booking.student.id},
        **context,
    )
