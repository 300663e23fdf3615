"""Booking a lesson for a student: one address, whose query says how far one has come.

A free spot of the calendar leads here with its time, instructor and room
already chosen; then only the student and the lesson are left to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView, QuestionView
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingCreate
from coursecove.errors import Conflict, CourseCoveError, Invalid, NotFound
from coursecove.i18n import _
from coursecove.portals.admin.navigation import address, admin_page, last_page, page_number, pages_of
from coursecove.portals.forms import read_form
from coursecove.portals.pages import redirect, render, viewer_zone
from coursecove.portals.staff_choice import StaffChoice, read_staff_choice, staff_offer
from coursecove.portals.staff_flow import CONFIRM_FIELDS, StaffFlow, next_step, refused, wanted_room
from coursecove.portals.student.choice import read_instant
from coursecove.portals.student.intake import answer_name, answers_in
from coursecove.portals.student.offering import offer_of
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle, handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView
from coursecove.text import is_storable

AnyRequest = Request[Any, Any, Any]
PATH = "/admin/bookings/new"
PAGE_SIZE = 20
_LONGEST = {"note": 1000, "address": 400, "postcode": 20}
_LONGEST_ANSWER = 2000
_STEPS = ("student", "lesson", "length", "teacher", "time", "confirm")
# What a free spot of the calendar, or a class, says; it is kept until everything else is chosen.
_SPOT = ("type", "with", "place", "room", "time")


class StaffBookingPages(Controller):
    """Student, lesson, length, teacher, time, confirm; each step is a plain address."""

    path = PATH
    include_in_schema = False
    dependencies = {"by": Provide(as_admin)}

    @get("/")
    async def choose(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Show the step that is next."""
        params = request.query_params
        if not params.get("student"):
            return await _students(request, session, organization)
        student = await get_member_by_handle(session, params["student"])
        if not params.get("type"):
            return await _lessons(request, session, organization, student)
        choice = await _choice(request, session, organization, params, student=student, by=by)
        return await next_step(request, session, _flow(request, student), choice)

    @post("/", status_code=200)
    async def book(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Book what was confirmed; broken rules are named and passed only by asking once more."""
        type_ = await _type(session, request.query_params.get("type", ""))
        # A question that was archived while somebody answered it is no reason to lose the rest.
        questions = await appointments.list_questions(session, type_.id, include_archived=True)
        values = await read_form(request, fields=_fields(questions))
        student = await get_member_by_handle(session, request.query_params.get("student", ""))
        time, _slash, place = values.get("time", "").partition("/")
        # A room of the last step is checked with the time; only the calendar's room decides the place.
        said = {**values, "type": type_.slug, "time": time, "place": place or values.get("place", "")}
        said.pop("room", None)
        choice = await _choice(request, session, organization, said, student=student, by=by)
        try:
            booking = await bookings.book(session, _wanted(choice, values), by=by)
        except CourseCoveError as error:
            if not isinstance(error, (Conflict, Invalid)):
                raise
            return await refused(request, session, _flow(request, student), choice, error, values=values)
        when = choice.clocks.when(booking.starts_at, booking.ends_at)
        return redirect(
            request,
            f"/admin/bookings/{booking.reference}",
            flash=_("Booked for {student}: {when}. Both sides get an e-mail.").format(
                student=student.name, when=when.sentence
            ),
        )


def _fields(questions: list[QuestionView]) -> tuple[str, ...]:
    return (*CONFIRM_FIELDS, *(answer_name(question.id) for question in questions))


def _wanted(choice: StaffChoice, values: Mapping[str, str]) -> BookingCreate:
    type_ = choice.offer.type
    if choice.time is None:
        raise Invalid(fields={"time": _("Choose a time.")})
    if not choice.decided_teacher:
        raise Invalid(fields={"with": _("Choose a teacher, or anyone.")})
    if not choice.decided_length:
        raise Invalid(fields={"time": _("Choose how long the lesson takes.")})
    answers = answers_in(values, type_.questions)
    longest = {**_LONGEST, **{answer_name(question_id): _LONGEST_ANSWER for question_id in answers}}
    too_long = {
        name: _("At most {number} characters, please.").format(number=most)
        for name, most in longest.items()
        if len(values.get(name, "")) > most
    }
    if too_long:
        raise Invalid(fields=too_long)
    travelled = type_.location_mode == "students_place"
    room = wanted_room(choice, values)
    own = not choice.offer.exempt
    return BookingCreate(
        appointment_type_id=type_.id,
        starts_at=choice.time,
        duration_minutes=choice.minutes,
        instructor_id=choice.instructor_id,
        location_id=choice.location_id,
        room_id=room.id if room and not own else None,
        student_id=choice.offer.student_id,
        note=values.get("note", ""),
        answers=answers,
        address=values.get("address", "") if travelled else "",
        postcode=values.get("postcode", "") if travelled else "",
        override_rules=values.get("override") == "yes" and not own,
    )


async def _type(session: AsyncSession, slug: str) -> AppointmentTypeView:
    """Return what is booked, drafts included; NotFound for what is archived or not of this school."""
    type_ = await appointments.get_type_by_slug(session, slug)
    if type_.archived_at is not None:
        raise NotFound(_("This lesson is not offered any more."))
    return type_


async def _choice(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    params: Mapping[str, str],
    *,
    student: Member,
    by: Member,
) -> StaffChoice:
    type_ = await _type(session, params.get("type", ""))
    offer = await offer_of(
        session,
        organization,
        type_,
        viewer=student,
        zone=organization.time_zone,
        postcode=params.get("postcode", ""),
        path=PATH,
    )
    rooms = await appointments.list_rooms(session, location_ids=type_.location_ids)
    return read_staff_choice(
        params,
        staff_offer(
            offer,
            student_id=student.id,
            student_name=student.name,
            path=PATH,
            fixed={"student": handle_of(student.id, student.name), "type": type_.slug},
            reader_zone=viewer_zone(request, organization.time_zone),
            # Admins who book for themselves are students like all others.
            exempt=student.id != by.id,
            rooms=tuple(rooms),
        ),
    )


def _flow(request: AnyRequest, student: Member) -> StaffFlow:
    handle = handle_of(student.id, student.name)
    return StaffFlow(
        template="admin/booking_new",
        page=lambda title: admin_page(request, title, (_("Lessons"), "/admin/bookings")),
        student=student,
        confirm_title=_("Confirm the lesson"),
        steps=_steps,
        context={"student": {"name": student.name, "href": f"/admin/people/{handle}"}},
    )


def _spot(request: AnyRequest) -> dict[str, str | None]:
    return {name: request.query_params.get(name) for name in _SPOT}


def _spot_words(request: AnyRequest, organization: OrganizationView) -> str | None:
    """Return the time that was chosen in the calendar, in words."""
    at = read_instant(request.query_params.get("time", ""))
    if at is None:
        return None
    zone = organization.time_zone
    return f"{formatting.day(at, zone)}, {formatting.time(at, zone)}"


async def _students(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView
) -> Response[Any]:
    search = request.query_params.get("q", "").strip()[:100]
    number = page_number(request.query_params.get("page", ""))
    spot = _spot(request)
    found = tenants.MemberPage([], 0, number, PAGE_SIZE)
    if is_storable(search):
        found = await tenants.list_members(
            session, role="student", search=search, page=number, page_size=PAGE_SIZE
        )
    if not found.items and number > 1:
        last = str(last_page(found.total, PAGE_SIZE))
        return redirect(request, address(PATH, {"q": search, **spot, "page": last}))
    return _draw_first(
        request,
        organization,
        "student",
        _("Book for a student"),
        search=search,
        kept={name: value for name, value in spot.items() if value},
        clear_href=address(PATH, spot) if search else None,
        students=[
            {
                "name": member.name,
                "initials": formatting.initials(member.name),
                "image_url": member.image_url,
                "text": member.email if member.email != member.name else None,
                "href": address(PATH, {"student": handle_of(member.id, member.name), **spot}),
            }
            for member in found.items
        ],
        pages=pages_of(PATH, {"q": search, **spot}, page=number, page_size=PAGE_SIZE, total=found.total),
    )


async def _lessons(
    request: AnyRequest, session: AsyncSession, organization: OrganizationView, student: Member
) -> Response[Any]:
    types = await appointments.list_types(session, include_unpublished=True)
    spot = _spot(request)
    wanted = spot["with"]
    people = {person.slug: person for person in await tenants.list_instructors(session)} if wanted else {}
    person = people.get(wanted or "")
    handle = handle_of(student.id, student.name)
    return _draw_first(
        request,
        organization,
        "lesson",
        _("Which lesson?"),
        student=student,
        only_of=person.name if person else None,
        all_href=address(PATH, {"student": handle, **spot, "with": None}),
        lessons_offered=[
            {
                "name": type_.name,
                "color": type_.color,
                "text": _facts(type_),
                "draft": type_.published_at is None,
                "href": address(PATH, {**spot, "student": handle, "type": type_.slug}),
            }
            for type_ in types
            if person is None or person.id in type_.instructor_ids
        ],
    )


def _facts(type_: AppointmentTypeView) -> str:
    parts = [
        _("Class") if type_.kind == "class" else "",
        ", ".join(formatting.duration(minutes) for minutes in type_.durations),
        formatting.money(type_.price_cents, type_.currency),
        _("online") if type_.location_mode == "online" else "",
    ]
    return " · ".join(part for part in parts if part)


def _draw_first(
    request: AnyRequest,
    organization: OrganizationView,
    step: str,
    title: str,
    *,
    student: Member | None = None,
    **context: Any,
) -> Response[Any]:
    """Draw one of the two steps before there is anything to choose a time of."""
    handle = handle_of(student.id, student.name) if student else None
    return render(
        request,
        "admin/booking_new.html",
        admin_page(request, title, (_("Lessons"), "/admin/bookings")),
        step=step,
        student=student and {"name": student.name, "href": f"/admin/people/{handle}"},
        spot=_spot_words(request, organization),
        class_href=address("/admin/classes/new", _spot(request)),
        steps=_steps_of(step, {"student": address(PATH, _spot(request))}),
        **context,
    )


def _steps(step: str, choice: StaffChoice) -> list[dict[str, Any]]:
    offer = choice.offer
    fixed = dict(offer.fixed)
    hrefs = {
        "student": PATH,
        "lesson": address(PATH, {"student": fixed["student"]}),
        "length": offer.address({}),
        "teacher": offer.address({**choice.before_teacher, "step": "teacher"}),
        "time": choice.href(day=choice.day),
    }
    skipped = {
        "length": len(offer.type.durations) == 1,
        # Where one person teaches there is nothing to choose.
        "teacher": len(offer.teachers) == 1 or offer.is_class,
    }
    return _steps_of(step, hrefs, skipped=skipped)


def _steps_of(
    step: str, hrefs: Mapping[str, str], *, skipped: Mapping[str, bool] | None = None
) -> list[dict[str, Any]]:
    labels = {
        "student": _("Student"),
        "lesson": _("Lesson"),
        "length": _("Length"),
        "teacher": _("Teacher"),
        "time": _("Time"),
        "confirm": _("Confirm"),
    }
    here = _STEPS.index({"nobody": "teacher", "refused": "time"}.get(step, step))
    return [
        {
            "label": labels[name],
            "state": "done" if index < here else "current" if index == here else "todo",
            "href": hrefs.get(name),
        }
        for index, name in enumerate(_STEPS)
        # How long is asked only of lessons that have several lengths.
        if not (skipped or {"length": True}).get(name, False)
    ]
