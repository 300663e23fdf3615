"""Booking a lesson: one address, whose query says how far one has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import QuestionView
from coursecove.bookings import service as bookings
from coursecove.bookings.errors import ClassFull, HoldExpired, SlotNotOffered, SlotTaken, StudentBusy
from coursecove.bookings.schemas import BookingCreate, BookingView, HoldConfirm, HoldCreate
from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Invalid
from coursecove.i18n import _
from coursecove.portals.forms import read_form
from coursecove.portals.pages import browser_zone, part, redirect, viewer_zone
from coursecove.portals.student.choice import BOOKING_FIELDS, Choice, Offer, read_choice
from coursecove.portals.student.flow import confirm, free_at, hold_words, next_step, refused
from coursecove.portals.student.intake import ADDRESS_FIELDS, answer_name, answers_in
from coursecove.portals.student.offering import held_by, offer_of
from coursecove.tenants import service as tenants
from coursecove.tenants.guards import as_member, maybe_member
from coursecove.tenants.handles import handle_of
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
        if viewer is not None and not {"with", "for"} & params.keys():
            params.update(await _as_last_time(session, offer, viewer))
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
        key, choice, values = await sent_choice(request, session, organization, slug, by)
        try:
            booking = await _have(session, choice, values, key=key, by=by)
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

    @post("/{slug:str}/hold", dependencies={"by": Provide(as_member)}, status_code=200)
    async def keep(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        slug: FromPath[str],
    ) -> Response[Any]:
        """Keep the chosen time while the last step is filled in; the page asks for it as soon as it is shown.

        Answers a part of that page: until when it is kept, that somebody else
        was faster, or nothing where it cannot be kept but perhaps be booked.
        Without a script it is a button of the form, and the answer is the page
        with everything that was typed.
        """
        key, choice, values = await sent_choice(request, session, organization, slug, by)
        held, problem = choice.holding, None
        if held is None:
            try:
                held = await _hold(session, choice, values, key=key, by=by)
            except CourseCoveError as error:
                if error.status >= 500:
                    raise
                await discard(session)
                problem = error
        lost = isinstance(problem, (SlotTaken, SlotNotOffered, ClassFull, StudentBusy))
        if request.headers.get("hx-request") == "true":
            return part(
                "student/_hold.html",
                hold=hold_words(held, choice) if held else None,
                lost={"href": choice.href(day=choice.day)} if lost else None,
            )
        if held is not None:
            choice = replace(choice, offer=replace(choice.offer, held=held))
        free = [] if lost else await free_at(session, choice, viewer=by)
        if not free:
            told = problem or Invalid(fields={"time": _("Choose a time.")})
            return await refused(request, session, choice, told, values=values, by=by)
        return confirm(request, choice, free, by, values=values, unkept=held is None)


async def sent_choice(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    slug: str,
    by: Member,
    *,
    more: tuple[str, ...] = ("repeat", "times"),
) -> tuple[str | None, Choice, dict[str, Any]]:
    """Return the form of the last step: the key of a type seen by link, the choice, and what was typed."""
    key = request.query_params.get("key")
    type_ = await appointments.get_offered_type_by_slug(session, slug, viewer=by, key=key)
    # A question that was archived while somebody answered it is no reason to lose the rest.
    questions = await appointments.list_questions(session, type_.id, include_archived=True)
    values = await read_form(request, fields=(*_fields(questions), *more))
    offer = await _offer(request, session, organization, by, slug, values.get("postcode", ""))
    time, _slash, place = values.get("time", "").partition("/")
    names = ("with", "minutes", "postcode", "for")
    chosen = {name: values.get(name, "") for name in names}
    chosen.update(time=time, place=place or values.get("place", ""))
    return key, read_choice(chosen, offer), values


async def _have(
    session: AsyncSession, choice: Choice, values: Mapping[str, str], *, key: str | None, by: Member
) -> BookingView:
    """Book what is kept, or what is free.

    A time that was kept may have run out, and one may press the button before
    the page has heard that it is kept: neither is an answer to give a person.
    """
    wanted = wanted_booking(choice, values, key=key)
    held = choice.holding
    if held is None and choice.offer.held is not None:
        # Kept was another time than the one that is booked now.
        await bookings.release_hold(session, choice.offer.held.id, by=by)
    if held is not None:
        try:
            return await _confirmed(session, held, wanted, by=by)
        except HoldExpired:
            await discard(session)
    try:
        return await bookings.book(session, wanted, by=by)
    except Conflict:
        await discard(session)
        offer = replace(choice.offer, held=await held_by(session, choice.offer.type, by=by))
        held = replace(choice, offer=offer).holding
        if held is None:
            raise
        return await _confirmed(session, held, wanted, by=by)


async def _confirmed(
    session: AsyncSession, held: BookingView, wanted: BookingCreate, *, by: Member
) -> BookingView:
    details = HoldConfirm(note=wanted.note, answers=wanted.answers, address=wanted.address)
    return await bookings.confirm_hold(session, held.id, details, by=by)


async def _hold(
    session: AsyncSession, choice: Choice, values: Mapping[str, str], *, key: str | None, by: Member
) -> BookingView:
    """Keep the chosen time instead of the one that was kept before."""
    if choice.offer.held is not None:
        await bookings.release_hold(session, choice.offer.held.id, by=by)
    # What the person is about to type is not there yet.
    wanted = wanted_booking(choice, {**values, "note": ""}, key=key)
    names = set(HoldCreate.__struct_fields__)
    fields = {name: getattr(wanted, name) for name in wanted.__struct_fields__ if name in names}
    return await bookings.hold(session, HoldCreate(**fields), by=by)


async def _as_last_time(session: AsyncSession, offer: Offer, student: Member) -> dict[str, str]:
    """Return whom and with whom this was booked last: people come back to their teacher."""
    if len(offer.teachers) < 2 and not offer.children:
        return {}
    last = await bookings.list_bookings(
        session,
        viewer=student,
        own=True,
        appointment_type_id=offer.type.id,
        status="confirmed",
        order="-starts_at",
        page_size=1,
    )
    found: dict[str, str] = {}
    for booking in last.items:
        teacher = next((teacher for teacher in offer.teachers if teacher.id == booking.instructor.id), None)
        if teacher is not None:
            found["with"] = teacher.slug
        child = next((child for child in offer.children if child.id == booking.student.id), None)
        if child is not None:
            found["for"] = handle_of(child.id, child.given_name)
    return found


def _fields(questions: list[QuestionView]) -> tuple[str, ...]:
    return (
        *BOOKING_FIELDS,
        "minutes",
        "for",
        *ADDRESS_FIELDS,
        *(answer_name(question.id) for question in questions),
    )


def wanted_booking(choice: Choice, values: Mapping[str, str], *, key: str | None) -> BookingCreate:
    """Return the booking a form asks for; raises Invalid for what is not decided, and for what is too long."""
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
        student_id=choice.student.id if choice.student else None,
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
    return await offer_of(
        session, organization, type_, viewer=viewer, zone=zone, postcode=postcode, family=True
    )
