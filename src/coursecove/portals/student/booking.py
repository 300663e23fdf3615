"""Booking a lesson: one address, whose query says how far one has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import QuestionView
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingCreate
from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Invalid
from coursecove.i18n import _
from coursecove.portals.forms import read_form
from coursecove.portals.pages import browser_zone, redirect, viewer_zone
from coursecove.portals.student.choice import BOOKING_FIELDS, Choice, Offer, read_choice
from coursecove.portals.student.flow import next_step, refused
from coursecove.portals.student.intake import ADDRESS_FIELDS, answer_name, answers_in
from coursecove.portals.student.offering import offer_of
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_member, maybe_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

LONGEST_NOTE, LONGEST_ADDRESS, LONGEST_POSTCODE, LONGEST_ANSWER = 1000, 400, 20, 2000
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
        """Show the step that is next: where the student lives, the time, or everything to be confirmed."""
        params = dict(request.query_params)
        offer = await _offer(request, session, organization, viewer, slug, params.get("postcode", ""))
        if viewer is not None and "with" not in params and len(offer.teachers) > 1:
            params["with"] = await _usual_teacher(session, offer, viewer)
        return await next_step(request, session, read_choice(params, offer), viewer=viewer)

    @post("/{slug:str}", dependencies={"by": Provide(as_member)}, status_code=200)
    async def book(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Book what was confirmed, or offer the nearest free times; what was typed is kept."""
        key = request.query_params.get("key")
        type_ = await appointments.get_offered_type_by_slug(session, slug, viewer=by, key=key)
        # A question that was archived while somebody answered it is no reason to lose the rest.
        questions = await appointments.list_questions(session, type_.id, include_archived=True)
        values = await read_form(request, fields=_fields(questions))
        offer = await _offer(request, session, organization, by, slug, values.get("postcode", ""))
        time, _slash, place = values.get("time", "").partition("/")
        choice = read_choice(
            {
                "with": values.get("with", ""),
                "place": place or values.get("place", ""),
                "time": time,
                "minutes": values.get("minutes", ""),
                "postcode": values.get("postcode", ""),
            },
            offer,
        )
        try:
            booking = await bookings.book(session, _wanted(choice, values, key=key), by=by)
        except CourseCoveError as error:
            if not isinstance(error, (Conflict, Invalid)):
                raise
            await discard(session)
            return await refused(request, session, choice, error, values=values, by=by)
        if zone := browser_zone(request):
            await tenants.note_time_zone(session, zone, by=by)
        when = choice.clocks.when(booking.starts_at, booking.ends_at)
        said = _("Booked: {when}.") if booking.status == "confirmed" else _("You asked for {when}.")
        return redirect(
            request, f"/lessons/{booking.reference}?booked=yes", flash=said.format(when=when.sentence)
        )


async def _usual_teacher(session: AsyncSession, offer: Offer, student: Member) -> str:
    """Return the slug of whoever taught the student this last, or will; people come back to their teacher."""
    last = await bookings.list_bookings(
        session,
        viewer=student,
        student_id=student.id,
        appointment_type_id=offer.type.id,
        status="confirmed",
        order="-starts_at",
        page_size=1,
    )
    taught_by = {booking.instructor.id for booking in last.items}
    return next((teacher.slug for teacher in offer.teachers if teacher.id in taught_by), "")


def _fields(questions: list[QuestionView]) -> tuple[str, ...]:
    return (
        *BOOKING_FIELDS,
        "minutes",
        *ADDRESS_FIELDS,
        *(answer_name(question.id) for question in questions),
    )


def _wanted(choice: Choice, values: Mapping[str, str], *, key: str | None) -> BookingCreate:
    type_ = choice.offer.type
    if choice.time is None:
        raise Invalid(fields={"time": _("Choose a time.")})
    if not choice.decided_teacher:
        raise Invalid(fields={"with": _("Choose a teacher, or anyone.")})
    if not choice.decided_length:
        raise Invalid(fields={"time": _("Choose how long the lesson takes.")})
    travelled = type_.location_mode == "students_place"
    answers = answers_in(values, type_.questions)
    _check_lengths(values, {"note": LONGEST_NOTE, "address": LONGEST_ADDRESS, "postcode": LONGEST_POSTCODE})
    _check_lengths(values, {answer_name(id_): LONGEST_ANSWER for id_ in answers})
    return BookingCreate(
        appointment_type_id=type_.id,
        starts_at=choice.time,
        duration_minutes=choice.minutes,
        instructor_id=choice.instructor_id,
        location_id=choice.location_id,
        note=values.get("note", ""),
        answers=answers,
        address=values.get("address", "") if travelled else "",
        postcode=values.get("postcode", "") if travelled else "",
        link_key=key,
    )


def _check_lengths(values: Mapping[str, str], longest: Mapping[str, int]) -> None:
    too_long = {
        name: _("At most {most} characters, please.").format(most=most)
        for name, most in longest.items()
        if len(values.get(name, "")) > most
    }
    if too_long:
        raise Invalid(fields=too_long)


async def _offer(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    viewer: Member | None,
    slug: str,
    postcode: str,
) -> Offer:
    """Return what is offered at this address; NotFound for what this viewer may not see."""
    type_ = await appointments.get_offered_type_by_slug(
        session, slug, viewer=viewer, key=request.query_params.get("key")
    )
    zone = viewer_zone(request, organization.time_zone)
    return await offer_of(session, organization, type_, viewer=viewer, zone=zone, postcode=postcode)
