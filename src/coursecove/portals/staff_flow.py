"""The steps in which staff find a time for a student, as pages: for a new lesson and for one to move.

Free times come first.  Any other time can be typed; which rules it breaks is
said before it can be taken, and taking it is a second, deliberate step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments.schemas import RoomView
from coursecove.bookings.schemas import PersonSummary
from coursecove.bookings.views import cancel_until
from coursecove.db.session import discard
from coursecove.errors import CourseCoveError
from coursecove.i18n import _
from coursecove.portals.pages import render
from coursecove.portals.staff_choice import StaffChoice, Verdict, judge, settled
from coursecove.portals.student.calendar import alternative_groups, calendar_of, weekday_heads
from coursecove.portals.student.choice import instant_text
from coursecove.portals.student.flow import zone_note
from coursecove.portals.student.intake import asked, intake_errors
from coursecove.portals.student.narrowing import length_options, place_options, teacher_options
from coursecove.tenants.models import Member

AnyRequest = Request[Any, Any, Any]
# What the form of the last step sends beside the intake questions.
CONFIRM_FIELDS = ("with", "place", "time", "minutes", "room", "note", "address", "postcode", "override")
# What is told where the time is chosen, and not beside a field of the last step.
_ABOUT_THE_TIME = frozenset({"time", "with", "place", "starts_at", "instructor_id", "location_id"})


@dataclass(frozen=True, slots=True)
class StaffFlow:
    """Where the pages of one flow are, and what they say around the steps."""

    # "admin/booking_new" or "admin/booking_move": the frame, and the beginning of its own steps' names.
    template: str
    page: Callable[[str], dict[str, Any]]
    # Whose times are looked at: lessons of this person are no free times.
    student: Member | PersonSummary
    confirm_title: str
    steps: Callable[[str, StaffChoice], list[dict[str, Any]]] | None = None
    # Whether somebody else may be chosen to teach.
    others: bool = True
    context: dict[str, Any] = field(default_factory=dict)


async def next_step(
    request: AnyRequest, session: AsyncSession, flow: StaffFlow, choice: StaffChoice
) -> Response[Any]:
    """Draw the step that is next: the length, the teacher, the time, or everything to be confirmed."""
    if not choice.offer.bookable:
        return draw(request, flow, "nobody", _("Nobody teaches this yet"), choice)
    if not choice.decided_length:
        return draw(request, flow, "length", _("How long?"), choice)
    if not choice.decided_teacher or (flow.others and request.query_params.get("step") == "teacher"):
        return draw(request, flow, "teacher", _("Who teaches?"), choice)
    if choice.time is not None:
        verdict = await judge(session, choice)
        if verdict.slot is not None:
            return confirm(request, flow, choice, verdict)
        said = {"title": _unavailable(choice), "text": verdict.reason}
        return await time_step(request, session, flow, choice, said=said)
    unreadable = "other" in request.query_params
    error = _("Enter a day, and a time such as 16:30.") if unreadable else None
    return await time_step(request, session, flow, choice, error=error)


async def time_step(
    request: AnyRequest,
    session: AsyncSession,
    flow: StaffFlow,
    choice: StaffChoice,
    *,
    said: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> Response[Any]:
    """Draw the free times, and the form for any other; ``said`` is why a chosen one cannot be had."""
    calendar = await calendar_of(session, replace(choice, time=None), viewer=flow.student)
    typed = choice.time
    params = request.query_params
    here = formatting.local(typed, choice.zone) if typed else None
    return draw(
        request,
        flow,
        "time",
        _("Choose a time"),
        choice,
        calendar=calendar,
        weekdays=weekday_heads(),
        gone=None,
        said=said,
        other_error=error,
        other_open=bool(error or said),
        other_day=here.date().isoformat() if here else params.get("day", ""),
        other_time=f"{here:%H:%M}" if here else params.get("time", "")[:20],
    )


def confirm(
    request: AnyRequest,
    flow: StaffFlow,
    choice: StaffChoice,
    verdict: Verdict,
    *,
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, str] | None = None,
    status_code: int = 200,
) -> Response[Any]:
    """Draw everything that is about to be written, with the rules that are passed by it."""
    slot = verdict.slot
    assert slot is not None
    before, choice = choice, settled(choice, slot)
    typed, wrong = values or {}, errors or {}
    offer = choice.offer
    until = cancel_until(slot.starts_at, offer.published_rules.cancellation_notice_minutes)
    rooms = [room for room in offer.rooms if choice.place and room.location_id == choice.place.id]
    person = next((teacher for teacher in offer.teachers if teacher.id == slot.instructor_id), None)
    return draw(
        request,
        flow,
        "confirm",
        flow.confirm_title,
        choice,
        status_code=status_code,
        when=choice.clocks.when(slot.starts_at, slot.ends_at),
        verdict=verdict,
        nearest=_links(before, verdict),
        # In a class, or where rules are passed, it is this very person; else it is decided at commit.
        teacher_name=person.name if person and (choice.teacher or offer.is_class) else None,
        time_value=instant_text(slot.starts_at),
        back_href=before.href(day=choice.day),
        cancel_until=choice.clocks.moment(until) if until >= clock.now() else None,
        rooms=_room_options(choice, rooms, slot.rooms),
        room=typed.get("room") or (offer.room_key(choice.room) if choice.room else ""),
        note=typed.get("note", ""),
        home_address=typed.get("address", ""),
        postcode=typed.get("postcode") or choice.postcode,
        questions=asked(offer.type, typed, wrong),
        errors=wrong,
    )


async def refused(
    request: AnyRequest,
    session: AsyncSession,
    flow: StaffFlow,
    choice: StaffChoice,
    error: CourseCoveError,
    *,
    values: Mapping[str, Any],
) -> Response[Any]:
    """Draw why it was refused, with everything typed: beside the field, as broken rules, or as other times."""
    await discard(session)
    fields = intake_errors(error.fields, choice.offer.type.questions)
    if choice.time is not None and not _ABOUT_THE_TIME & fields.keys():
        verdict = await judge(session, choice)
        if verdict.slot is not None and (fields or verdict.broken):
            return confirm(
                request,
                flow,
                choice,
                verdict,
                values=values,
                errors=fields,
                status_code=error.status,
            )
    return draw(
        request,
        flow,
        "refused",
        error.title,
        choice,
        status_code=error.status,
        detail=next(iter(fields.values()), None) or error.detail,
        wanted=choice.clocks.moment(choice.time) if choice.time else None,
        groups=alternative_groups(choice, error.extra.get("alternatives", ())),
        calendar_href=choice.href(day=choice.day),
        note=values.get("note", ""),
        kept={
            name: value
            for name, value in values.items()
            if value and (name.startswith("answer-") or name in ("address", "postcode", "room"))
        },
    )


def draw(
    request: AnyRequest,
    flow: StaffFlow,
    step: str,
    title: str,
    choice: StaffChoice,
    *,
    status_code: int = 200,
    **context: Any,
) -> Response[Any]:
    """Draw one step in the frame of its flow."""
    offer = choice.offer
    several = len(offer.teachers) > 1 and not offer.is_class and flow.others
    change = offer.address({**choice.before_teacher, "step": "teacher"})
    return render(
        request,
        f"{flow.template}.html",
        flow.page(title),
        status_code=status_code,
        step=step,
        choice=choice,
        type=offer.type,
        minutes=choice.minutes or offer.type.duration_minutes,
        student_name=offer.student_name,
        steps=flow.steps(step, choice) if flow.steps else [],
        lengths=[
            {**option, "href": replace(choice, minutes=option["minutes"]).href(time=choice.time)}
            for option in (length_options(choice) if step == "length" else ())
        ],
        teachers=[
            {**option, "href": replace(choice, teacher=teacher, anyone=False).href(time=choice.time)}
            for teacher, option in zip(offer.teachers, teacher_options(choice), strict=True)
            if step == "teacher"
        ],
        anyone_href=replace(choice, teacher=None, anyone=True).href(time=choice.time),
        places=place_options(choice),
        zone_note=zone_note(choice),
        change_teacher_href=change if several else None,
        action=offer.address({}),
        flow_path=offer.path,
        fixed=offer.fixed,
        fields=choice.as_fields(),
        preview=None,
        **{**flow.context, **context},
    )


def wanted_room(choice: StaffChoice, values: Mapping[str, Any]) -> RoomView | None:
    """Return the room that was chosen in the last step; None is any that is free."""
    key = values.get("room", "")
    return next((room for room in choice.offer.rooms if choice.offer.room_key(room) == key), None)


def _links(choice: StaffChoice, verdict: Verdict) -> list[dict[str, str]]:
    places = {place.id: place for place in choice.offer.places}
    return [
        {
            "label": choice.clocks.moment(near.starts_at),
            "href": choice.href(
                time=near.starts_at, place=places.get(near.location.id) if near.location else None
            ),
        }
        for near in verdict.nearest
    ]


def _room_options(choice: StaffChoice, rooms: list[RoomView], free: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [
        {
            "value": choice.offer.room_key(room),
            "label": room.name if room.id in free else _("{name} (taken)").format(name=room.name),
            "disabled": room.id not in free,
        }
        for room in rooms
    ]


def _unavailable(choice: StaffChoice) -> str:
    assert choice.time is not None
    return _("{when} cannot be had").format(when=choice.clocks.moment(choice.time))
