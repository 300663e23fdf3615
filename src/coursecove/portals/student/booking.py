"""Booking a lesson: one address, whose query says how far one has come."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingCreate, SlotView
from coursecove.bookings.views import cancel_until
from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Invalid, NotFound
from coursecove.identity.authentication import SignedIn
from coursecove.portals.forms import read_form
from coursecove.portals.pages import STUDENT_NAV, page_context, redirect, render, viewer_zone
from coursecove.portals.student.calendar import WEEKDAYS, alternative_groups, calendar_of, slots_at
from coursecove.portals.student.choice import BOOKING_FIELDS, Choice, Offer, address, instant_text, read_choice
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_member, identity_of, maybe_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

LONGEST_NOTE = 1000
AnyRequest = Request[Any, Any, Any]


class BookingPages(Controller):
    """Looking is free for everybody; booking is for members."""

    path = "/book"
    include_in_schema = False

    @get("/{slug:str}", dependencies={"viewer": Provide(maybe_member)})
    async def choose(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        viewer: NamedDependency[Member | None],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Show the step that is next: the teacher, the time, or everything to be confirmed."""
        offer = await _offer(request, session, organization, viewer, slug)
        choice = read_choice(request.query_params, offer)
        if not offer.bookable:
            return _draw(request, choice, "nobody", offer.type.name)
        if not choice.decided_teacher:
            return _draw(request, choice, "teacher", "Choose your teacher")
        gone = None
        if choice.time is not None:
            free = await slots_at(session, choice, viewer=viewer)
            if free:
                return _confirm(request, choice, free, viewer)
            gone = formatting.time(choice.time, choice.zone)
        calendar = await calendar_of(session, replace(choice, time=None), viewer=viewer)
        return _draw(request, choice, "time", "Choose a time", calendar=calendar, weekdays=WEEKDAYS, gone=gone)

    @post("/{slug:str}", dependencies={"by": Provide(as_member)}, status_code=200)
    async def book(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Book what was confirmed; when it cannot be had, offer the nearest free times and keep the note."""
        offer = await _offer(request, session, organization, by, slug)
        values = await read_form(request, fields=BOOKING_FIELDS)
        time, _, place = values.get("time", "").partition("/")
        choice = read_choice(
            {"with": values.get("with", ""), "place": place or values.get("place", ""), "time": time}, offer
        )
        note = values.get("note", "")
        try:
            booking = await bookings.book(session, _wanted(choice, note), by=by)
        except CourseCoveError as error:
            if not isinstance(error, (Conflict, Invalid)):
                raise
            await discard(session)
            return await _refused(request, session, choice, error, note=note, by=by)
        when = choice.clocks.when(booking.starts_at, booking.ends_at)
        return redirect(request, f"/lessons/{booking.reference}?booked=yes", flash=f"Booked: {when.sentence}.")


def _wanted(choice: Choice, note: str) -> BookingCreate:
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
        note=note,
    )


async def _offer(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    viewer: Member | None,
    slug: str,
) -> Offer:
    """Return what is offered at this address; NotFound for what is archived, or a draft that is not yours."""
    type_ = await appointments.get_type_by_slug(session, slug)
    staff = viewer is not None and viewer.role != "student"
    if type_.archived_at is not None or (type_.published_at is None and not staff):
        raise NotFound("This lesson is not offered any more.")
    teachers = await tenants.instructors_by_id(session, type_.instructor_ids)
    places = await appointments.list_locations(session) if type_.location_ids else []
    return Offer(
        type=type_,
        # Nobody takes lessons from themselves.
        teachers=tuple(t for t in teachers.values() if viewer is None or t.id != viewer.id),
        places=tuple(place for place in places if place.id in type_.location_ids),
        viewer_zone=viewer_zone(request, organization.time_zone),
        school_zone=organization.time_zone,
    )


def _confirm(
    request: AnyRequest, choice: Choice, free: list[SlotView], viewer: Member | None, **form: Any
) -> Response[Any]:
    """Draw everything that is about to be booked; a visitor is sent to sign in and comes back here."""
    slot = free[0]
    if choice.place is None and slot.location is not None:
        place = next((p for p in choice.offer.places if p.id == slot.location.id), None)
        choice = replace(choice, place=place)
    return_to = quote(choice.href(time=choice.time), safe="/")
    stranger = viewer is None and isinstance(identity_of(request), SignedIn)
    return _draw(
        request,
        choice,
        "confirm",
        "Confirm your lesson",
        status_code=form.pop("status_code", 200),
        when=choice.clocks.when(slot.starts_at, slot.ends_at),
        policy=_policy(choice, slot),
        back_href=choice.href(day=choice.day),
        time_value=instant_text(slot.starts_at),
        viewer_name=viewer.name if viewer else None,
        sign_in_href=f"/sign-in?return_to={return_to}",
        sign_up_href=f"/sign-up?return_to={return_to}",
        join_href=f"/join?return_to={return_to}" if stranger else None,
        note=form.get("note", ""),
        errors=form.get("errors", {}),
    )


def _policy(choice: Choice, slot: SlotView) -> str:
    """Say in plain words until when the lesson can be cancelled."""
    minutes = choice.offer.type.cancellation_notice_minutes
    until = cancel_until(slot.starts_at, minutes)
    if until < clock.now():
        return "This lesson is soon, so it cannot be cancelled online any more once it is booked."
    if minutes == 0:
        return "You can cancel free of charge until the lesson starts."
    return f"You can cancel free of charge until {choice.clocks.moment(until)}."


async def _refused(
    request: AnyRequest,
    session: AsyncSession,
    choice: Choice,
    error: CourseCoveError,
    *,
    note: str,
    by: Member,
) -> Response[Any]:
    """Draw why it could not be booked, and what can be had instead."""
    if set(error.fields) == {"note"}:
        free = await slots_at(session, choice, viewer=by)
        if free:
            return _confirm(request, choice, free, by, note=note, errors=error.fields, status_code=422)
    return _draw(
        request,
        choice,
        "refused",
        error.title,
        status_code=error.status,
        detail=next(iter(error.fields.values()), None) or error.detail,
        wanted=choice.clocks.moment(choice.time) if choice.time else None,
        groups=alternative_groups(choice, error.extra.get("alternatives", ())),
        calendar_href=choice.href(day=choice.day),
        note=note,
    )


def _draw(
    request: AnyRequest, choice: Choice, step: str, title: str, *, status_code: int = 200, **context: Any
) -> Response[Any]:
    offer = choice.offer
    page = page_context(
        request,
        title,
        nav=STUDENT_NAV,
        description=f"{offer.type.name}: free times to book.",
    )
    # Signing in from the header comes back to what was chosen, too.
    query = request.url.query
    here = request.url.path + (f"?{query}" if query and request.method == "GET" else "")
    page["sign_in_href"] = f"/sign-in?return_to={quote(here, safe='/')}"
    return render(
        request,
        "student/book.html",
        page,
        status_code=status_code,
        step=step,
        type=offer.type,
        action=f"/book/{offer.type.slug}",
        choice=choice,
        online=offer.type.location_mode == "online",
        steps=_steps(choice, step),
        teachers=_teacher_options(choice) if step == "teacher" else [],
        places=_place_options(choice),
        zone_note=_zone_note(choice),
        fields={
            "with": choice.teacher.slug if choice.teacher else "anyone",
            "place": choice.place.slug if choice.place else "",
        },
        change_teacher_href=address(offer.type.slug, {}) if len(offer.teachers) > 1 else None,
        **context,
    )


def _steps(choice: Choice, step: str) -> list[dict[str, Any]]:
    names = {"nobody": 0, "teacher": 1, "time": 2, "refused": 2, "confirm": 3}
    hrefs = {
        "Lesson": "/",
        "Teacher": address(choice.offer.type.slug, {}),
        "Time": choice.href(day=choice.day),
        "Confirm": None,
    }
    steps = [
        {
            "label": label,
            "state": "done" if index < names[step] else "current" if index == names[step] else "todo",
            "href": href,
        }
        for index, (label, href) in enumerate(hrefs.items())
    ]
    # Where one person teaches there is nothing to choose.
    return [s for s in steps if s["label"] != "Teacher" or len(choice.offer.teachers) != 1]


def _teacher_options(choice: Choice) -> list[dict[str, Any]]:
    return [
        {
            "href": replace(choice, teacher=teacher, anyone=False).href(),
            "name": teacher.name,
            "initials": formatting.initials(teacher.name),
            "image_url": teacher.image_url,
            "bio": teacher.bio,
        }
        for teacher in choice.offer.teachers
    ]


def _place_options(choice: Choice) -> list[dict[str, Any]]:
    if len(choice.offer.places) < 2:
        return []
    options: list[dict[str, Any]] = [
        {
            "label": place.name,
            "href": replace(choice, place=place).href(day=choice.day),
            "current": place == choice.place,
        }
        for place in choice.offer.places
    ]
    if choice.offer.one_clock:
        anywhere = replace(choice, place=None)
        options.insert(
            0,
            {
                "label": "Anywhere",
                "href": anywhere.href(day=choice.day),
                "current": choice.place is None,
            },
        )
    return options


def _zone_note(choice: Choice) -> str:
    """Name the zone of the times, always: whoever is abroad cannot tell from the numbers."""
    zone = formatting.zone_name(choice.zone)
    if choice.offer.type.location_mode == "in_person":
        return f"Times in {zone} time, where the lesson is."
    if choice.zone != choice.offer.school_zone:
        return f"Times in your time zone, {zone}."
    return f"Times in {zone} time."
