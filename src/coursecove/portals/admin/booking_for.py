"""Booking a lesson for a student: one address, whose query says how far one has come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingCreate, SlotView
from coursecove.bookings.views import cancel_until
from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Invalid, NotFound
from coursecove.portals.admin.navigation import address, admin_page, last_page, page_number, pages_of
from coursecove.portals.admin.staff_choice import PATH, StaffChoice, staff_choice, step_address
from coursecove.portals.forms import read_form
from coursecove.portals.pages import redirect, render, viewer_zone
from coursecove.portals.student.calendar import WEEKDAYS, alternative_groups, calendar_of, slots_at
from coursecove.portals.student.choice import BOOKING_FIELDS, Offer, instant_text
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle, handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView
from coursecove.text import is_storable

AnyRequest = Request[Any, Any, Any]
PAGE_SIZE = 20
LONGEST_NOTE = 1000
_STEPS = ("student", "lesson", "teacher", "time", "confirm")


class StaffBookingPages(Controller):
    """Student, lesson, teacher, time, confirm; each step is a plain address."""

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
            return await _students(request, session)
        student = await get_member_by_handle(session, params["student"])
        if not params.get("type"):
            return await _lessons(request, session, student)
        choice = await _choice(request, session, organization, params, student=student, by=by)
        if not choice.offer.bookable:
            return _draw(request, "nobody", "Nobody teaches this yet", choice)
        if not choice.decided_teacher:
            return _draw(request, "teacher", "Who teaches?", choice, teachers=_teachers(choice))
        gone = None
        if choice.time is not None:
            free = await slots_at(session, choice, viewer=student)
            if free:
                return _confirm(request, choice, free[0])
            gone = formatting.time(choice.time, choice.zone)
        calendar = await calendar_of(session, replace(choice, time=None), viewer=student)
        return _draw(request, "time", "Choose a time", choice, calendar=calendar, weekdays=WEEKDAYS, gone=gone)

    @post("/", status_code=200)
    async def book(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
    ) -> Response[Any]:
        """Book what was confirmed; when it cannot be had, offer the nearest free times and keep the note."""
        values = await read_form(request, fields=BOOKING_FIELDS)
        student = await get_member_by_handle(session, request.query_params.get("student", ""))
        time, _, place = values.get("time", "").partition("/")
        choice = await _choice(
            request,
            session,
            organization,
            {
                "type": request.query_params.get("type", ""),
                "with": values.get("with", ""),
                "place": place or values.get("place", ""),
                "time": time,
            },
            student=student,
            by=by,
        )
        note = values.get("note", "")
        try:
            booking = await bookings.book(session, _wanted(choice, note), by=by)
        except CourseCoveError as error:
            if not isinstance(error, (Conflict, Invalid)):
                raise
            await discard(session)
            return await _refused(request, session, choice, error, note=note)
        when = choice.clocks.when(booking.starts_at, booking.ends_at)
        return redirect(
            request,
            f"/admin/bookings/{booking.reference}",
            flash=f"Booked for {student.name}: {when.sentence}. Both sides get an e-mail.",
        )


def _wanted(choice: StaffChoice, note: str) -> BookingCreate:
    if choice.time is None:
        raise Invalid(fields={"time": "Choose a time."})
    if len(note) > LONGEST_NOTE:
        raise Invalid(fields={"note": f"At most {LONGEST_NOTE} characters, please."})
    if not choice.decided_teacher:
        raise Invalid(fields={"with": "Choose a teacher, or anyone."})
    return BookingCreate(
        appointment_type_id=choice.offer.type.id,
        starts_at=choice.time,
        instructor_id=choice.instructor_id,
        location_id=choice.location_id,
        student_id=choice.student.id,
        note=note,
    )


async def _choice(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    params: Any,
    *,
    student: Member,
    by: Member,
) -> StaffChoice:
    """Return what is chosen so far; NotFound for a lesson that is archived or not of this school."""
    type_ = await appointments.get_type_by_slug(session, params.get("type", ""))
    if type_.archived_at is not None:
        raise NotFound("This lesson is not offered any more.")
    teachers = await tenants.instructors_by_id(session, type_.instructor_ids)
    places = await appointments.list_locations(session) if type_.location_ids else []
    offer = Offer(
        type=type_,
        # Nobody takes lessons from themselves.
        teachers=tuple(teacher for teacher in teachers.values() if teacher.id != student.id),
        places=tuple(place for place in places if place.id in type_.location_ids),
        viewer_zone=organization.time_zone,
        school_zone=organization.time_zone,
    )
    return staff_choice(
        params,
        offer,
        student=student,
        # Admins who book for themselves are students like all others.
        exempt=student.id != by.id,
        reader_zone=viewer_zone(request, organization.time_zone),
    )


async def _students(request: AnyRequest, session: AsyncSession) -> Response[Any]:
    search = request.query_params.get("q", "").strip()[:100]
    number = page_number(request.query_params.get("page", ""))
    found = tenants.MemberPage([], 0, number, PAGE_SIZE)
    if is_storable(search):
        found = await tenants.list_members(
            session, role="student", search=search, page=number, page_size=PAGE_SIZE
        )
    if not found.items and number > 1:
        last = str(last_page(found.total, PAGE_SIZE))
        return redirect(request, address(PATH, {"q": search, "page": last}))
    return _draw(
        request,
        "student",
        "Book for a student",
        search=search,
        students=[
            {
                "name": member.name,
                "initials": formatting.initials(member.name),
                "image_url": member.image_url,
                "text": member.email if member.email != member.name else None,
                "href": step_address(handle_of(member.id, member.name)),
            }
            for member in found.items
        ],
        pages=pages_of(PATH, {"q": search}, page=number, page_size=PAGE_SIZE, total=found.total),
    )


async def _lessons(request: AnyRequest, session: AsyncSession, student: Member) -> Response[Any]:
    types = await appointments.list_types(session, include_unpublished=True)
    handle = handle_of(student.id, student.name)
    return _draw(
        request,
        "lesson",
        "Which lesson?",
        student=student,
        lessons_offered=[
            {
                "name": type_.name,
                "color": type_.color,
                "text": _facts(type_),
                "draft": type_.published_at is None,
                "href": step_address(handle, type_.slug),
            }
            for type_ in types
        ],
    )


def _facts(type_: AppointmentTypeView) -> str:
    parts = [
        formatting.duration(type_.duration_minutes),
        formatting.money(type_.price_cents, type_.currency),
        "online" if type_.location_mode == "online" else "",
    ]
    return " · ".join(part for part in parts if part)


def _confirm(
    request: AnyRequest,
    choice: StaffChoice,
    slot: SlotView,
    *,
    note: str = "",
    error: str | None = None,
    status_code: int = 200,
) -> Response[Any]:
    if choice.place is None and slot.location is not None:
        place = next((p for p in choice.offer.places if p.id == slot.location.id), None)
        choice = replace(choice, place=place)
    until = cancel_until(slot.starts_at, choice.offer.type.cancellation_notice_minutes)
    return _draw(
        request,
        "confirm",
        "Confirm the lesson",
        choice,
        status_code=status_code,
        when=choice.clocks.when(slot.starts_at, slot.ends_at),
        time_value=instant_text(slot.starts_at),
        back_href=choice.href(day=choice.day),
        cancel_until=choice.clocks.moment(until) if until >= clock.now() else None,
        note=note,
        note_error=error,
    )


async def _refused(
    request: AnyRequest, session: AsyncSession, choice: StaffChoice, error: CourseCoveError, *, note: str
) -> Response[Any]:
    """Draw why it could not be booked, and what can be had instead."""
    if set(error.fields) == {"note"} and choice.time is not None:
        free = await slots_at(session, choice, viewer=choice.student)
        if free:
            return _confirm(request, choice, free[0], note=note, error=error.fields["note"], status_code=422)
    return _draw(
        request,
        "refused",
        error.title,
        choice,
        status_code=error.status,
        detail=next(iter(error.fields.values()), None) or error.detail,
        wanted=choice.clocks.moment(choice.time) if choice.time else None,
        groups=alternative_groups(choice, error.extra.get("alternatives", ())),
        calendar_href=choice.href(day=choice.day),
        note=note,
    )


def _draw(
    request: AnyRequest,
    step: str,
    title: str,
    choice: StaffChoice | None = None,
    *,
    student: Member | None = None,
    status_code: int = 200,
    **context: Any,
) -> Response[Any]:
    if choice is not None:
        student = choice.student
        context |= {
            "choice": choice,
            "type": choice.offer.type,
            "places": _places(choice),
            "zone_note": f"Times in {formatting.zone_name(choice.zone)} time.",
            "change_teacher_href": step_address(choice.handle, choice.offer.type.slug)
            if len(choice.offer.teachers) > 1
            else None,
            "action": step_address(choice.handle, choice.offer.type.slug),
            "fields": {
                "with": choice.teacher.slug if choice.teacher else "anyone",
                "place": choice.place.slug if choice.place else "",
            },
        }
    handle = handle_of(student.id, student.name) if student else None
    return render(
        request,
        "admin/booking_new.html",
        admin_page(request, title, ("Lessons", "/admin/bookings")),
        status_code=status_code,
        step=step,
        student=student and {"name": student.name, "href": f"/admin/people/{handle}"},
        steps=_steps(step, handle, choice),
        **context,
    )


def _steps(step: str, handle: str | None, choice: StaffChoice | None) -> list[dict[str, Any]]:
    reached = {"nobody": "teacher", "refused": "time"}.get(step, step)
    hrefs = {
        "student": PATH,
        "lesson": step_address(handle) if handle else None,
        "teacher": step_address(handle, choice.offer.type.slug) if handle and choice else None,
        "time": choice.href(day=choice.day) if choice else None,
        "confirm": None,
    }
    here = _STEPS.index(reached)
    return [
        {
            "label": name.capitalize(),
            "state": "done" if index < here else "current" if index == here else "todo",
            "href": hrefs[name],
        }
        for index, name in enumerate(_STEPS)
        # Where one person teaches there is nothing to choose.
        if name != "teacher" or choice is None or len(choice.offer.teachers) != 1
    ]


def _teachers(choice: StaffChoice) -> list[dict[str, Any]]:
    people: list[dict[str, Any]] = [
        {
            "href": replace(choice, anyone=True).href(),
            "name": "Anyone",
            "initials": None,
            "image_url": None,
            "text": "All free times; whoever has the fewest lessons teaches.",
        }
    ]
    people += [
        {
            "href": replace(choice, teacher=teacher, anyone=False).href(),
            "name": teacher.name,
            "initials": formatting.initials(teacher.name),
            "image_url": teacher.image_url,
            "text": teacher.bio,
        }
        for teacher in choice.offer.teachers
    ]
    return people


def _places(choice: StaffChoice) -> list[dict[str, Any]]:
    if len(choice.offer.places) < 2:
        return []
    options = [
        {
            "label": place.name,
            "href": replace(choice, place=place).href(day=choice.day),
            "current": place == choice.place,
        }
        for place in choice.offer.places
    ]
    if choice.offer.one_clock:
        href = replace(choice, place=None).href(day=choice.day)
        options.insert(0, {"label": "Anywhere", "href": href, "current": choice.place is None})
    return options
