"""One class on the calendar: a seat while there are some, its waiting list when there are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import service as bookings
from coursecove.bookings.class_schemas import ClassView
from coursecove.bookings.schemas import BookingView, WaitlistAccept, WaitlistEntryView, WaitlistJoin
from coursecove.errors import NotFound
from coursecove.i18n import _, ngettext
from coursecove.portals.forms import Form, attempt, read_form
from coursecove.portals.lesson_words import Clocks, student_clocks
from coursecove.portals.pages import STUDENT_NAV, AnyRequest, page_context, redirect, render, viewer_zone
from coursecove.portals.student.choice import MYSELF, address, child_in, instant_text
from coursecove.portals.student.intake import answer_name, answers_in, asked, intake_errors
from coursecove.tenants import service as tenants
from coursecove.tenants.family import ChildView
from coursecove.tenants.guards import as_member, maybe_member
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView


@dataclass(frozen=True, slots=True)
class _Visit:
    """A class as one person meets it: whom they ask for, and the family's places on its list."""

    found: ClassView
    type: AppointmentTypeView
    children: list[ChildView]
    student: ChildView | None
    places: dict[Any, WaitlistEntryView]
    # The family's seats in it, by who has them.
    seats: dict[Any, BookingView]
    viewer: Member | None

    @property
    def student_id(self) -> Any:
        return self.student.id if self.student else self.viewer.id if self.viewer else None

    @property
    def seat(self) -> BookingView | None:
        return self.seats.get(self.student_id)

    @property
    def place(self) -> WaitlistEntryView | None:
        return self.places.get(self.student_id)

    @property
    def href(self) -> str:
        return f"/classes/{self.found.handle}"

    def clocks(self, request: AnyRequest, organization: OrganizationView) -> Clocks:
        return student_clocks(
            venue=self.found.venue_time_zone,
            viewer=viewer_zone(request, organization.time_zone),
            school=organization.time_zone,
        )


class ClassPages(Controller):
    """Who else is in the class is nobody's business here."""

    path = "/classes"
    include_in_schema = False

    @get("/{handle:str}", dependencies={"viewer": Provide(maybe_member)})
    async def details(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        viewer: NamedDependency[Member | None],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Show when and where it is, and what can be done: take a seat, wait for one, take the one offered."""
        visit = await _visit(session, handle, request.query_params.get("for", ""), viewer)
        return _draw(request, organization, visit, Form())

    @post("/{handle:str}/wait", dependencies={"by": Provide(as_member)}, status_code=200)
    async def wait(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Join the waiting list, for oneself or a child."""
        form = Form(await read_form(request, fields=("for",)))
        visit = await _visit(session, handle, form.value("for"), by)

        async def verb() -> WaitlistEntryView:
            student_id = visit.student.id if visit.student else None
            data = WaitlistJoin(session_id=visit.found.id, student_id=student_id)
            return await bookings.join_waitlist(session, data, by=by)

        refused = (await attempt(session, form, verb))[1]
        if refused is None:
            text = _("You are on the waiting list. We write to you as soon as a seat is free.")
            return redirect(request, _address(visit), flash=text)
        fresh = await _visit(session, handle, form.value("for"), by)
        return _draw(request, organization, fresh, refused, status_code=refused.refused_status)

    @post("/{handle:str}/leave", dependencies={"by": Provide(as_member)}, status_code=200)
    async def leave(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Wait no longer, or decline the seat that is offered: it goes to the next one."""
        form = Form(await read_form(request, fields=("for",)))
        visit = await _visit(session, handle, form.value("for"), by)
        place = visit.place
        if place is None:
            return redirect(request, _address(visit))
        refused = (await attempt(session, form, lambda: bookings.leave_waitlist(session, place.id, by=by)))[1]
        if refused is None:
            said = _("Thank you. The seat goes to the next one.")
            if place.status != "offered":
                said = _("You are not on the waiting list any more.")
            return redirect(request, _address(visit), flash=said)
        return _draw(request, organization, visit, refused, status_code=refused.refused_status)

    @post("/{handle:str}/accept", dependencies={"by": Provide(as_member)}, status_code=200)
    async def accept(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        handle: FromPath[str],
    ) -> Response[Any]:
        """Take the seat that is offered, with the answers the school wants."""
        known = await bookings.get_class_by_handle(session, handle, viewer=by)
        questions = await appointments.list_questions(session, known.appointment_type.id, include_archived=True)
        fields = ("for", "note", *(answer_name(question.id) for question in questions))
        form = Form(await read_form(request, fields=fields))
        visit = await _visit(session, handle, form.value("for"), by)
        place = visit.place
        if place is None:
            raise NotFound(_("There is no such place on a waiting list."))

        async def verb() -> BookingView:
            answers = answers_in(form.values, visit.type.questions)
            data = WaitlistAccept(note=form.value("note")[:1000], answers=answers)
            return await bookings.accept_offer(session, place.id, data, by=by)

        booking, refused = await attempt(session, form, verb)
        if refused is None:
            return redirect(
                request,
                f"/lessons/{booking.reference}?booked=yes",
                flash=_("The seat is yours.")
                if booking.status == "confirmed"
                else _("You asked for the seat."),
            )
        fresh = await _visit(session, handle, form.value("for"), by)
        return _draw(request, organization, fresh, refused, status_code=refused.refused_status)


async def _visit(session: AsyncSession, handle: str, for_: str, viewer: Member | None) -> _Visit:
    found = await bookings.get_class_by_handle(session, handle, viewer=viewer)
    type_ = await appointments.get_offered_type(session, found.appointment_type.id, viewer=viewer)
    children = await tenants.list_children(session, guardian=viewer) if viewer else []
    places = await bookings.list_waitlist(session, viewer=viewer, session_id=found.id) if viewer else []
    own = {place.student.id: place for place in places if place.is_own}
    student = child_in(for_, children)
    if student is None and for_ != MYSELF and viewer and viewer.id not in own:
        # Whoever follows a link about a child's place means the child.
        student = next((child for child in children if child.id in own), None)
    seats = await _seats(session, found, viewer) if viewer else {}
    return _Visit(found, type_, children, student, own, seats, viewer)


async def _seats(session: AsyncSession, found: ClassView, viewer: Member) -> dict[Any, BookingView]:
    taken = await bookings.list_bookings(
        session,
        viewer=viewer,
        own=True,
        appointment_type_id=found.appointment_type.id,
        from_=found.starts_at,
        until=found.starts_at + timedelta(seconds=1),
    )
    return {
        booking.student.id: booking
        for booking in taken.items
        if booking.session_id == found.id and booking.cancelled_at is None
    }


def _for(student: ChildView | None) -> str:
    return handle_of(student.id, student.given_name) if student else MYSELF


def _address(visit: _Visit) -> str:
    return f"{visit.href}?for={_for(visit.student)}" if visit.children else visit.href


async def waiting_of(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView, *, by: Member
) -> list[dict[str, Any]]:
    """Return the places of a family on waiting lists, what is offered first."""
    places = await bookings.list_waitlist(session, viewer=by)
    found = [
        place_words(
            place,
            student_clocks(
                venue=place.venue_time_zone,
                viewer=viewer_zone(request, organization.time_zone),
                school=organization.time_zone,
            ),
        )
        for place in places
        if place.is_own and place.can_leave
    ]
    own = [{**words, "student": None if words["student_id"] == by.id else words["student"]} for words in found]
    return sorted(own, key=lambda words: not words["offered"])


def place_words(place: WaitlistEntryView, clocks: Clocks) -> dict[str, Any]:
    """Return somebody's place on a list as pages show it."""
    text = _("A seat is free for you.")
    if place.status == "waiting":
        text = _("You are next.")
        before = (place.position or 1) - 1
        if before:
            text = ngettext("{count} person is before you.", "{count} people are before you.", before).format(
                count=before
            )
    return {
        "text": text,
        "offered": place.status == "offered",
        "lapsed": place.status == "lapsed",
        "until": clocks.moment(place.offer_expires_at) if place.offer_expires_at else None,
        "href": f"/classes/{place.class_handle}",
        "name": place.appointment_type.name,
        "color": place.appointment_type.color,
        "when": clocks.when(place.starts_at, place.ends_at),
        "student_id": place.student.id,
        "student": place.student.name,
        "can_accept": place.can_accept,
    }


def _draw(
    request: AnyRequest, organization: OrganizationView, visit: _Visit, form: Form, *, status_code: int = 200
) -> Response[Any]:
    found, type_ = visit.found, visit.type
    clocks = visit.clocks(request, organization)
    errors = intake_errors(form.errors, type_.questions)
    questions = asked(type_, form.values, errors)
    labels = {question["name"]: question["label"] for question in questions}
    page = page_context(request, type_.name, nav=STUDENT_NAV)
    here = quote(request.url.path.removesuffix("/wait"), safe="/")
    page["sign_in_href"] = f"/sign-in?return_to={here}"
    over = found.starts_at <= clock.now()
    return render(
        request,
        "student/class.html",
        page,
        status_code=status_code,
        found=found,
        type=type_,
        href=visit.href,
        when=clocks.when(found.starts_at, found.ends_at),
        over=over,
        seat_taken_href=f"/lessons/{visit.seat.reference}" if visit.seat else None,
        full=found.seats_left == 0,
        seat_href=address(
            type_.slug,
            {
                "with": "anyone",
                "place": found.location.slug if found.location else None,
                "for": _for(visit.student) if visit.children else None,
                "time": instant_text(found.starts_at),
            },
        ),
        all_href=address(type_.slug, {}),
        instructor_initials=formatting.initials(found.instructor.name),
        place=place_words(visit.place, clocks) if visit.place else None,
        people=[
            {"label": label, "href": f"{visit.href}?for={value}", "current": value == _for(visit.student)}
            for label, value in [
                (_("Me"), MYSELF),
                *((child.given_name, _for(child)) for child in visit.children),
            ]
        ]
        if visit.children
        else [],
        for_value=_for(visit.student),
        viewer_name=visit.viewer.name if visit.viewer else None,
        questions=questions if visit.place and visit.place.can_accept else [],
        note=form.value("note"),
        problem=form.problem,
        problems={
            name: f"{labels[name]}: {message}" if name in labels else message
            for name, message in errors.items()
        },
    )
