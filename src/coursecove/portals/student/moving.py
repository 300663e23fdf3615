"""Moving one's own lesson: the calendar of its type, then the old and the new time side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.bookings.errors import SeriesConflict
from coursecove.bookings.schemas import BookingMove, BookingView, SlotView
from coursecove.bookings.series_schemas import SeriesChange, SeriesMove
from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Invalid
from coursecove.i18n import _, ngettext
from coursecove.portals.forms import convert, read_form
from coursecove.portals.pages import AnyRequest, redirect, viewer_zone
from coursecove.portals.scopes import Scope, change_rows, read_scope, scope_links
from coursecove.portals.student.calendar import alternative_groups, slots_at
from coursecove.portals.student.choice import Choice, instant_text, read_choice
from coursecove.portals.student.flow import draw, time_step
from coursecove.portals.student.lessons import own_booking
from coursecove.portals.student.offering import offer_of
from coursecove.portals.student.policies import moving_words
from coursecove.tenants.guards import as_member
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

_FIELDS = ("with", "place", "time", "note", "scope")


@dataclass(frozen=True, slots=True)
class _Moving:
    """A lesson on its way: what is chosen so far, and what every step says of it."""

    booking: BookingView
    choice: Choice
    by: Member

    @property
    def href(self) -> str:
        return f"/lessons/{self.booking.reference}"

    @property
    def frame(self) -> dict[str, Any]:
        """Return what the pages show around the steps."""
        booking, clocks = self.booking, self.choice.clocks
        return {
            "moving": {
                "href": self.href,
                "was": clocks.when(booking.starts_at, booking.ends_at),
                "with_name": booking.instructor.name,
                "place": booking.location,
                "policy": moving_words(booking, clocks),
            },
            "trail": [
                {"label": _("My lessons"), "href": "/lessons"},
                {"label": booking.appointment_type.name, "href": self.href},
            ],
        }


class MovePages(Controller):
    """The same booking at another time; every rule is asked again, but its own old time is no conflict."""

    path = "/lessons"
    include_in_schema = False
    dependencies = {"by": Provide(as_member)}

    @get("/{reference:str}/move")
    async def choose(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Show the free times, or what moving to the chosen one means."""
        booking = await own_booking(session, reference, by=by)
        if not booking.can_move:
            return redirect(request, f"/lessons/{booking.reference}")
        moving = await _moving(request, session, organization, booking, dict(request.query_params), by)
        choice = moving.choice
        if choice.time is not None:
            free = await slots_at(session, choice, viewer=booking.student)
            if free:
                scope = read_scope(request.query_params.get("scope"), booking)
                try:
                    changes = await _changes(session, replace(moving, choice=_placed(choice, free[0])), scope)
                except (Conflict, Invalid) as error:
                    # What cannot be for several can be for this one.
                    told = next(iter(error.fields.values()), None) or error.detail
                    return _confirm(request, moving, free, said=told, status_code=error.status)
                return _confirm(request, moving, free, scope=scope, changes=changes)
        return await time_step(
            request, session, choice, viewer=booking.student, title=_("Choose another time"), **moving.frame
        )

    @post("/{reference:str}/move", status_code=200)
    async def move(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Move it, or offer the nearest free times; the teacher is told."""
        booking = await own_booking(session, reference, by=by)
        values = await read_form(request, fields=_FIELDS, lists=("skip",))
        time, _slash, place = values.get("time", "").partition("/")
        said = {name: str(value) for name, value in values.items() if name != "skip"}
        said.update(time=time, place=place or values.get("place", ""))
        scope = read_scope(values.get("scope"), booking)
        moving = await _moving(request, session, organization, booking, said, by)
        try:
            if scope != "this":
                return await _move_several(request, session, moving, scope, skip=values["skip"], by=by)
            moved = await bookings.move(session, booking.id, _wanted(moving), by=by)
        except SeriesConflict as error:
            await discard(session)
            free = await slots_at(session, moving.choice, viewer=booking.student)
            if not free:
                return _refused(request, moving, error)
            return _confirm(
                request,
                moving,
                free,
                scope=scope,
                changes=error.extra["preview"].items,
                said=error.detail,
                status_code=error.status,
            )
        except CourseCoveError as error:
            if not isinstance(error, (Conflict, Invalid)):
                raise
            await discard(session)
            return _refused(request, moving, error)
        when = moving.choice.clocks.when(moved.starts_at, moved.ends_at)
        text = _("Moved to {when}. {name} will be told.")
        if moved.status == "pending":
            text = _("You asked to move it to {when}. {name} will be told.")
        return redirect(request, moving.href, flash=text.format(when=when.sentence, name=moved.instructor.name))


async def _moving(
    request: AnyRequest,
    session: AsyncSession,
    organization: OrganizationView,
    booking: BookingView,
    params: Mapping[str, str],
    by: Member,
) -> _Moving:
    type_ = await appointments.get_type(session, booking.appointment_type.id)
    offer = await offer_of(
        session,
        organization,
        type_,
        viewer=by,
        zone=viewer_zone(request, organization.time_zone),
        postcode=booking.postcode,
        path=f"/lessons/{booking.reference}/move",
    )
    offer = replace(
        offer,
        key=None,
        # Where it takes place at the student's is known already.
        asks_postcode=False,
        moving_session_id=booking.session_id,
        moving_from=booking.starts_at,
    )
    present = next((teacher.slug for teacher in offer.teachers if teacher.id == booking.instructor.id), "")
    given = {name: value for name, value in params.items() if value}
    if given.get("with") not in {teacher.slug for teacher in offer.teachers}:
        given["with"] = present
    # How long it takes is for the school to change.
    choice = replace(read_choice(given, offer), minutes=booking.duration_minutes)
    if not choice.decided_teacher:
        choice = replace(choice, anyone=True)
    return _Moving(booking, choice, by)


def _wanted(moving: _Moving) -> BookingMove:
    choice = moving.choice
    if choice.time is None:
        raise Invalid(fields={"time": _("Choose a time.")})
    return BookingMove(
        starts_at=choice.time,
        instructor_id=None if choice.offer.is_class else choice.instructor_id,
        location_id=choice.location_id,
    )


async def _changes(session: AsyncSession, moving: _Moving, scope: Scope) -> list[SeriesChange]:
    """Return what a change of several lessons would mean; nothing for one alone."""
    if scope == "this" or moving.choice.time is None or moving.booking.series_id is None:
        return []
    data = _several(moving, scope, moving.choice.time)
    found = await bookings.preview_series_move(session, moving.booking.series_id, data, by=moving.by)
    return found.items


def _several(moving: _Moving, scope: Scope, time: datetime, *, skip: Sequence[date] = ()) -> SeriesMove:
    return SeriesMove(
        booking_id=moving.booking.id,
        scope=scope,
        starts_at=time,
        location_id=moving.choice.location_id,
        skip=list(skip),
    )


async def _move_several(
    request: AnyRequest,
    session: AsyncSession,
    moving: _Moving,
    scope: Scope,
    *,
    skip: list[str],
    by: Member,
) -> Response[Any]:
    booking, time = moving.booking, moving.choice.time
    assert booking.series_id is not None
    if time is None:
        raise Invalid(fields={"time": _("Choose a time.")})
    # What cannot go was shown before the button was pressed, and stays.
    stay = convert({"skip": skip}, _Staying).skip
    data = _several(moving, scope, time, skip=stay)
    done = await bookings.move_series(session, booking.series_id, data, by=by)
    count = len(done.changed)
    text = ngettext("{count} lesson is moved.", "{count} lessons are moved.", count).format(count=count)
    if done.kept:
        text += " " + ngettext(
            "{count} stays where it is.", "{count} stay where they are.", len(done.kept)
        ).format(count=len(done.kept))
    return redirect(request, "/lessons", flash=text)


class _Staying(msgspec.Struct):
    skip: Annotated[list[date], msgspec.Meta(max_length=60)] = []


def _placed(choice: Choice, slot: SlotView) -> Choice:
    """Return the choice with the place that its time is at."""
    if choice.place is not None or slot.location is None:
        return choice
    place = next((place for place in choice.offer.places if place.id == slot.location.id), None)
    return replace(choice, place=place)


def _confirm(
    request: AnyRequest,
    moving: _Moving,
    free: list[SlotView],
    *,
    scope: Scope = "this",
    changes: Sequence[SeriesChange] = (),
    said: str | None = None,
    status_code: int = 200,
) -> Response[Any]:
    slot, choice = free[0], _placed(moving.choice, free[0])
    teacher = choice.teacher.name if choice.teacher else None
    if choice.offer.is_class or teacher is None:
        teacher = formatting.listed([person.name for person in slot.instructors])
    return draw(
        request,
        choice,
        "move",
        _("Move your lesson?"),
        status_code=status_code,
        said=said,
        scope=scope,
        scopes=_scopes(moving, choice, scope),
        changes=change_rows(changes, choice.clocks),
        when=choice.clocks.when(slot.starts_at, slot.ends_at),
        with_name=teacher,
        place=slot.location,
        seats_left=slot.seats_left,
        time_value=instant_text(slot.starts_at),
        back_href=choice.href(day=choice.day),
        **moving.frame,
    )


def _scopes(moving: _Moving, choice: Choice, scope: Scope) -> list[dict[str, Any]]:
    """Return which lessons can be meant; a series stays with its teacher."""
    booking, same = moving.booking, choice.teacher
    if booking.series_id is None or (same is not None and same.id != booking.instructor.id):
        return []
    path, _mark, query = choice.href(time=choice.time).partition("?")
    return scope_links(path, dict(parse_qsl(query)), scope)


def _refused(request: AnyRequest, moving: _Moving, error: CourseCoveError) -> Response[Any]:
    choice = moving.choice
    return draw(
        request,
        choice,
        "refused",
        error.title,
        status_code=error.status,
        detail=next(iter(error.fields.values()), None) or error.detail,
        wanted=choice.clocks.moment(choice.time) if choice.time else None,
        groups=alternative_groups(choice, error.extra.get("alternatives", ())),
        calendar_href=choice.href(day=choice.day) if moving.booking.can_move else moving.href,
        kept={},
        **moving.frame,
    )
