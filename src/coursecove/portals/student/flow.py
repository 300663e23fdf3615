"""The steps of booking as pages: which one is next, and what each of them shows.

The student portal and an admin's preview draw the same pages from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings.schemas import BookingView, PersonSummary, SlotView
from coursecove.bookings.views import cancel_until
from coursecove.errors import CourseCoveError
from coursecove.i18n import _
from coursecove.identity.authentication import SignedIn
from coursecove.portals.pages import STUDENT_NAV, page_context, render
from coursecove.portals.student.calendar import (
    alternative_groups,
    calendar_of,
    full_classes,
    slots_at,
    weekday_heads,
)
from coursecove.portals.student.choice import Choice, instant_text
from coursecove.portals.student.intake import asked, intake_errors
from coursecove.portals.student.narrowing import narrowing_of, student_options
from coursecove.tenants.family import ChildView
from coursecove.tenants.guards import identity_of
from coursecove.tenants.models import Member

AnyRequest = Request[Any, Any, Any]
#: Among what was typed: several lessons were wanted, not one.
REPEATING = "repeating"
_STEPS = ("lesson", "postcode", "time", "confirm")
# What is typed on the way to a lesson and is wrong there, told where it was typed.
_OTHER_STEPS = frozenset({"time", "with", "place", "starts_at", "instructor_id", "location_id", "link_key"})


async def next_step(
    request: AnyRequest,
    session: AsyncSession,
    choice: Choice,
    *,
    viewer: Member | None,
    preview: Mapping[str, Any] | None = None,
    frame: Mapping[str, Any] | None = None,
) -> Response[Any]:
    """Draw the step that is next: where the student lives, the time, or everything to be confirmed.

    ``preview`` is what a page says of itself on which nothing can be booked, ``frame``
    what it is drawn in when that is not the student portal.
    """
    if not choice.offer.bookable:
        return draw(request, choice, "nobody", choice.offer.type.name, preview=preview, frame=frame)
    if not choice.decided_postcode:
        return draw(request, choice, "postcode", _("Where do you live?"), preview=preview, frame=frame)
    choice = preset(choice)
    if choice.time is not None:
        free = await free_at(session, choice, viewer=viewer)
        if free:
            return confirm(request, choice, free, viewer, preview=preview)
    return await time_step(request, session, choice, viewer=viewer, preview=preview, frame=frame)


async def free_at(session: AsyncSession, choice: Choice, *, viewer: Member | None) -> list[SlotView]:
    """Return what can be booked at the chosen time: what is free, or what is kept for this very person."""
    held = choice.holding
    if held is None:
        return await slots_at(session, choice, viewer=choice.student or viewer)
    in_class = held.appointment_type.kind == "class"
    return [
        SlotView(
            starts_at=held.starts_at,
            ends_at=held.ends_at,
            location=held.location,
            instructors=[held.instructor],
            duration_minutes=held.duration_minutes,
            session_id=held.session_id,
            # The seat that is kept is one of the free ones, to whom it is kept for.
            seats_left=held.capacity - held.seats_taken + 1 if in_class else None,
        )
    ]


async def time_step(
    request: AnyRequest,
    session: AsyncSession,
    choice: Choice,
    *,
    viewer: Member | PersonSummary | ChildView | None,
    title: str | None = None,
    gone: str | None = None,
    **context: Any,
) -> Response[Any]:
    """Draw the month with its free days; ``gone`` is a time that was chosen and is free no more."""
    if choice.time is not None and gone is None:
        gone = formatting.time(choice.time, choice.zone)
    calendar = await calendar_of(session, replace(choice, time=None), viewer=choice.student or viewer)
    return draw(
        request,
        choice,
        "time",
        title or _("Choose a time"),
        calendar=calendar,
        weekdays=weekday_heads(),
        narrowing=narrowing_of(choice),
        gone=gone,
        full=await full_classes(session, choice, calendar.month, viewer=viewer),
        **context,
    )


def preset(choice: Choice) -> Choice:
    """Return the choice with what nobody needs to be asked first: anyone teaches, for the usual length.

    Both can be changed beside the calendar, where one sees what it changes.
    """
    if not choice.decided_length:
        choice = replace(choice, minutes=choice.offer.type.duration_minutes)
    return choice if choice.decided_teacher else replace(choice, anyone=True)


def confirm(
    request: AnyRequest,
    choice: Choice,
    free: list[SlotView],
    viewer: Member | None,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    status_code: int = 200,
    preview: Mapping[str, Any] | None = None,
    unkept: bool = False,
) -> Response[Any]:
    """Draw everything that is about to be booked; a visitor is sent to sign in and comes back here.

    ``unkept``: somebody asked for the time to be kept, and that cannot be.
    """
    slot, offer = free[0], choice.offer
    if choice.place is None and slot.location is not None:
        place = next((p for p in offer.places if p.id == slot.location.id), None)
        choice = replace(choice, place=place)
    typed, wrong = values or {}, errors or {}
    questions = asked(offer.type, typed, wrong)
    labels = {question["name"]: question["label"] for question in questions}
    return_to = quote(choice.href(time=choice.time), safe="/")
    stranger = viewer is None and isinstance(identity_of(request), SignedIn)
    teacher = choice.teacher.name if choice.teacher else None
    if offer.is_class:
        teacher = formatting.listed([person.name for person in slot.instructors])
    return draw(
        request,
        choice,
        "confirm",
        _("Ask for this lesson") if offer.type.requires_approval else _("Confirm your lesson"),
        status_code=status_code,
        when=choice.clocks.when(slot.starts_at, slot.ends_at),
        with_name=teacher,
        place=slot.location,
        seats_left=slot.seats_left,
        policy=_policy(choice, slot),
        back_href=choice.href(day=choice.day),
        time_value=instant_text(slot.starts_at),
        viewer_name=viewer.name if viewer else None,
        sign_in_href=f"/sign-in?return_to={return_to}",
        sign_up_href=f"/sign-up?return_to={return_to}",
        join_href=f"/join?return_to={return_to}" if stranger else None,
        # Under which name the browser keeps what is typed until it is booked.
        keep=f"book/{offer.type.slug}",
        repeatable=not offer.is_class,
        repeat=typed.get("repeat", "1"),
        repeat_open=bool(typed.get(REPEATING) or wrong.get("times")),
        times=typed.get("times") or min(8, max(2, offer.type.horizon_days // 7)),
        students=student_options(choice),
        student_name=choice.student.name if choice.student else viewer.name if viewer else None,
        hold=hold_words(choice.holding, choice) if viewer and not preview else None,
        unkept=unkept,
        note=typed.get("note", ""),
        home_address=typed.get("address", ""),
        postcode=typed.get("postcode") or choice.postcode,
        questions=questions,
        errors=wrong,
        # Above the form a message stands without its field.
        problems={
            name: f"{labels[name]}{' ' if labels[name].endswith('?') else ': '}{message}"
            if name in labels
            else message
            for name, message in wrong.items()
        },
        preview=preview,
    )


async def refused(
    request: AnyRequest,
    session: AsyncSession,
    choice: Choice,
    error: CourseCoveError,
    *,
    values: Mapping[str, Any],
    by: Member,
) -> Response[Any]:
    """Draw why it could not be booked, and what can be had instead; whatever was typed is kept."""
    type_ = choice.offer.type
    fields = intake_errors(error.fields, type_.questions)
    if fields and not _OTHER_STEPS & fields.keys() and choice.time is not None:
        free = await free_at(session, choice, viewer=by)
        if free:
            return confirm(request, choice, free, by, values=values, errors=fields, status_code=422)
    return draw(
        request,
        choice,
        "refused",
        error.title,
        status_code=error.status,
        detail=next(iter(fields.values()), None) or error.detail,
        wanted=choice.clocks.moment(choice.time) if choice.time else None,
        groups=alternative_groups(choice, error.extra.get("alternatives", ())),
        calendar_href=choice.href(day=choice.day),
        note=values.get("note", ""),
        kept={
            name: value
            for name, value in values.items()
            if value and (name.startswith("answer-") or name in ("address", "postcode"))
        },
    )


def draw(
    request: AnyRequest,
    choice: Choice,
    step: str,
    title: str,
    *,
    status_code: int = 200,
    preview: Mapping[str, Any] | None = None,
    moving: Mapping[str, Any] | None = None,
    trail: list[dict[str, Any]] | None = None,
    frame: Mapping[str, Any] | None = None,
    **context: Any,
) -> Response[Any]:
    """Draw one step of the flow; ``moving`` is the lesson that gets another time, ``trail`` leads back.

    In a ``frame`` of another site the page knows nobody, and what is chosen
    opens a window of its own.
    """
    offer = choice.offer
    anyone = replace(choice, teacher=None, anyone=True)
    page = page_context(
        request,
        title,
        nav=STUDENT_NAV,
        breadcrumb=trail,
        description=_("{lesson}: free times to book.").format(lesson=offer.type.name),
    )
    # Signing in from the header comes back to what was chosen, too.
    query = request.url.query
    here = request.url.path + (f"?{query}" if query and request.method == "GET" else "")
    page["sign_in_href"] = f"/sign-in?return_to={quote(here, safe='/')}"
    if frame:
        page.update(viewer=None, clerk=None, flash=[], framed_by=offer.framed_by)
    return render(
        request,
        "student/book.html",
        page,
        status_code=status_code,
        step=step,
        type=offer.type,
        action=offer.address({}),
        action_path=f"/book/{offer.type.slug}",
        action_query=f"?key={offer.key}" if offer.key else "",
        flow_path=offer.path or f"/book/{offer.type.slug}",
        choice=choice,
        online=offer.type.location_mode == "online",
        minutes=choice.minutes or offer.type.duration_minutes,
        steps=[] if moving or frame else _steps(choice, step),
        layout=frame["layout"] if frame else "layouts/public.html",
        catalogue_href=frame["catalogue_href"] if frame else None,
        take_attrs={"target": "_blank", "rel": "noopener"} if frame else {},
        moving=moving,
        zone_note=zone_note(choice),
        fields={
            "with": choice.teacher.slug if choice.teacher else "anyone",
            "place": choice.place.slug if choice.place else "",
            "minutes": choice.before_teacher["minutes"] or "",
            "for": choice.student_value if offer.children else "",
        },
        change_teacher_href=anyone.href() if choice.teacher and len(offer.teachers) > 1 else None,
        change_teacher_label=_("See who else is free"),
        any_part_href=replace(choice, part="").href(),
        preview=preview,
        **context,
    )


def hold_words(held: BookingView | None, choice: Choice) -> dict[str, Any]:
    """Return what a page says of a time that is kept, or that it is to be kept now."""
    if held is None or held.held_until is None:
        key = f"?{urlencode({'key': choice.offer.key})}" if choice.offer.key else ""
        return {"until": None, "action": f"/book/{choice.offer.type.slug}/hold{key}"}
    clock_time = formatting.time(held.held_until, choice.offer.viewer_zone)
    return {"until": clock_time, "iso": f"{held.held_until:%Y-%m-%dT%H:%M:%SZ}", "action": None}


def _policy(choice: Choice, slot: SlotView) -> str:
    """Say in plain words until when the lesson can be cancelled."""
    minutes = choice.offer.type.cancellation_notice_minutes
    until = cancel_until(slot.starts_at, minutes)
    if until < clock.now():
        return _("This lesson is soon, so it cannot be cancelled online any more once it is booked.")
    if minutes == 0:
        return _("You can cancel free of charge until the lesson starts.")
    return _("You can cancel free of charge until {moment}.").format(moment=choice.clocks.moment(until))


def _steps(choice: Choice, step: str) -> list[dict[str, Any]]:
    """Return the steps of this offer alone: where there is nothing to choose there is no step."""
    offer = choice.offer
    shown = {"postcode": offer.asks_postcode}
    labels = {
        "lesson": _("Lesson"),
        "postcode": _("Place"),
        "time": _("Time"),
        "confirm": _("Confirm"),
    }
    before = choice.before_teacher
    hrefs = {
        "lesson": "/",
        "postcode": offer.address({**before, "postcode": None}),
        "time": choice.href(day=choice.day),
        "confirm": None,
    }
    now = _STEPS.index({"nobody": "lesson", "refused": "time", "series": "confirm"}.get(step, step))
    return [
        {
            "label": labels[name],
            "state": "done" if index < now else "current" if index == now else "todo",
            "href": hrefs[name],
        }
        for index, name in enumerate(_STEPS)
        if shown.get(name, True)
    ]


def zone_note(choice: Choice) -> str:
    """Name the zone of the times, always: whoever is abroad cannot tell from the numbers."""
    zone = formatting.zone_name(choice.zone)
    if choice.offer.type.location_mode == "in_person":
        return _("Times in {zone} time, where the lesson is.").format(zone=zone)
    if choice.zone != choice.offer.school_zone:
        return _("Times in your time zone, {zone}.").format(zone=zone)
    return _("Times in {zone} time.").format(zone=zone)


def lengths_in_words(type_: AppointmentTypeView) -> str:
    """Return "45 min", or "30 min, 45 min or 1 h" of a type with several lengths."""
    words = [formatting.duration(minutes) for minutes in type_.durations]
    if len(words) == 1:
        return words[0]
    return _("{lengths} or {longest}").format(lengths=", ".join(words[:-1]), longest=words[-1])
