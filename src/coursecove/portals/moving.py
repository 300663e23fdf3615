"""Moving a lesson, as staff: another time, another instructor, another room; both portals of staff mount it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingMove, BookingView
from coursecove.bookings.series_schemas import SeriesMove
from coursecove.db.session import discard
from coursecove.errors import Conflict, CourseCoveError, Invalid, NotFound
from coursecove.i18n import _, ngettext
from coursecove.portals.booking_changes import Desk
from coursecove.portals.forms import read_form
from coursecove.portals.pages import AnyRequest, redirect, viewer_zone
from coursecove.portals.scopes import Scope, change_rows, read_scope, scope_links
from coursecove.portals.staff_choice import StaffChoice, judge, read_staff_choice, staff_offer
from coursecove.portals.staff_flow import StaffFlow, confirm, next_step, refused, wanted_room
from coursecove.portals.student.offering import offer_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

#: One lesson, whether or not it is of a series.
_ALONE: dict[str, Any] = {"scope": "this", "scopes": [], "changes": [], "scope_said": None}
_FIELDS = ("with", "place", "time", "minutes", "room", "override")


class MovePages(Controller):
    """The free times of a lesson's type, then the old and the new time side by side."""

    include_in_schema = False
    desk: ClassVar[Desk]
    # Whether another instructor may be chosen.
    others: ClassVar[bool] = True

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
        booking = await self.desk.find(session, reference, by)
        if not booking.can_move:
            return redirect(request, self.desk.href(booking))
        choice = await self._choice(request, session, organization, booking, request.query_params)
        flow = await self._flow(request, session, organization, booking, by)
        scope = read_scope(request.query_params.get("scope"), booking)
        series = await self._series(session, booking, choice, scope, by=by)
        return await next_step(request, session, replace(flow, context={**flow.context, **series}), choice)

    @post("/{reference:str}/move", status_code=200)
    async def move(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        reference: FromPath[str],
    ) -> Response[Any]:
        """Move it; broken rules are named and passed only by asking once more.  Both sides are told."""
        booking = await self.desk.find(session, reference, by)
        values = await read_form(request, fields=(*_FIELDS, "note", "scope"), lists=("skip",))
        skip = values.pop("skip")
        time, _slash, place = values.get("time", "").partition("/")
        said = {**values, "time": time, "place": place or values.get("place", "")}
        said.pop("room", None)
        choice = await self._choice(request, session, organization, booking, said)
        scope = read_scope(values.get("scope"), booking)
        if scope != "this" and self._of_series(booking, choice):
            return await self._move_several(
                request, session, organization, booking, choice, scope, skip=skip, by=by
            )
        try:
            moved = await bookings.move(session, booking.id, self._wanted(choice, values, booking), by=by)
        except CourseCoveError as error:
            if not isinstance(error, (Conflict, Invalid)):
                raise
            flow = await self._flow(request, session, organization, booking, by)
            return await refused(request, session, flow, choice, error, values=values)
        when = choice.clocks.when(moved.starts_at, moved.ends_at)
        return redirect(
            request,
            self.desk.href(moved),
            flash=_("Moved to {when}. {student} and {instructor} will be told.").format(
                when=when.sentence, student=moved.student.name, instructor=moved.instructor.name
            ),
        )

    def _of_series(self, booking: BookingView, choice: StaffChoice) -> bool:
        """Say whether several can be meant: a series stays with its instructor, and as long as it is."""
        same = choice.anyone or choice.instructor_id in (None, booking.instructor.id)
        length = choice.minutes in (None, booking.duration_minutes)
        return booking.series_id is not None and choice.time is not None and same and length

    async def _series(
        self, session: AsyncSession, booking: BookingView, choice: StaffChoice, scope: Scope, *, by: Member
    ) -> dict[str, Any]:
        """Return what the last step shows of a series: which lessons can be meant, and where each goes."""
        if not self._of_series(booking, choice):
            return _ALONE
        assert booking.series_id is not None
        path, _mark, query = choice.href(time=choice.time).partition("?")
        shown = {**_ALONE, "scopes": scope_links(path, dict(parse_qsl(query)), scope)}
        if scope == "this":
            return shown
        try:
            wanted = _several(booking, choice, scope)
            found = await bookings.preview_series_move(session, booking.series_id, wanted, by=by)
        except NotFound:
            # Somebody who stands in for one lesson decides about that one.
            return _ALONE
        except (Conflict, Invalid) as error:
            links = scope_links(path, dict(parse_qsl(query)), "this")
            told = next(iter(error.fields.values()), None) or error.detail
            return {**_ALONE, "scopes": links, "scope_said": told}
        return {**shown, "scope": scope, "changes": change_rows(found.items, choice.clocks)}

    async def _move_several(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        choice: StaffChoice,
        scope: Scope,
        *,
        skip: list[str],
        by: Member,
    ) -> Response[Any]:
        """Move those that can go; what stays was shown before the button was pressed."""
        assert booking.series_id is not None
        try:
            stay = msgspec.convert(skip, list[date])
            wanted = _several(booking, choice, scope, skip=stay)
            done = await bookings.move_series(session, booking.series_id, wanted, by=by)
        except (CourseCoveError, msgspec.ValidationError) as error:
            if isinstance(error, CourseCoveError) and not isinstance(error, (Conflict, Invalid)):
                raise
            await discard(session)
            flow = await self._flow(request, session, organization, booking, by)
            series = dict(await self._series(session, booking, choice, scope, by=by))
            if isinstance(error, CourseCoveError):
                series["scope_said"] = next(iter(error.fields.values()), None) or error.detail
            flow = replace(flow, context={**flow.context, **series})
            verdict = await judge(session, choice)
            if verdict.slot is None:
                return await next_step(request, session, flow, choice)
            status = error.status if isinstance(error, CourseCoveError) else 422
            return confirm(request, flow, choice, verdict, status_code=status)
        count = len(done.changed)
        text = ngettext("{count} lesson is moved.", "{count} lessons are moved.", count).format(count=count)
        if done.kept:
            text += " " + ngettext(
                "{count} stays where it is.", "{count} stay where they are.", len(done.kept)
            ).format(count=len(done.kept))
        return redirect(request, self.desk.href(booking), flash=text)

    def _wanted(self, choice: StaffChoice, values: Mapping[str, str], booking: BookingView) -> BookingMove:
        if choice.time is None:
            raise Invalid(fields={"time": _("Choose a time.")})
        room = wanted_room(choice, values)
        teacher_id = choice.instructor_id
        return BookingMove(
            starts_at=choice.time,
            duration_minutes=choice.minutes if choice.minutes != booking.duration_minutes else None,
            instructor_id=teacher_id if self.others and not choice.offer.is_class else None,
            location_id=choice.location_id,
            room_id=room.id if room else None,
            override_rules=values.get("override") == "yes",
        )

    async def _choice(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        params: Mapping[str, str],
    ) -> StaffChoice:
        type_ = await appointments.get_type(session, booking.appointment_type.id)
        offer = await offer_of(
            session,
            organization,
            type_,
            viewer=None,
            zone=organization.time_zone,
            postcode=booking.postcode,
        )
        path = f"{self.desk.href(booking)}/move"
        rooms = await appointments.list_rooms(session, location_ids=type_.location_ids)
        staffs = staff_offer(
            offer,
            student_id=booking.student.id,
            student_name=booking.student.name,
            path=path,
            fixed={},
            reader_zone=viewer_zone(request, organization.time_zone),
            exempt=True,
            rooms=tuple(rooms),
            moving_session_id=booking.session_id,
        )
        present = next((t.slug for t in staffs.teachers if t.id == booking.instructor.id), "")
        said = {"with": present, "minutes": str(booking.duration_minutes), **_given(params)}
        if not self.others:
            said["with"] = present
        choice = read_staff_choice(said, staffs)
        # A length the type does not have any more stays the lesson's own.
        return choice if choice.decided_length else replace(choice, minutes=booking.duration_minutes)

    async def _flow(
        self,
        request: AnyRequest,
        session: AsyncSession,
        organization: OrganizationView,
        booking: BookingView,
        by: Member,
    ) -> StaffFlow:
        trail = (booking.appointment_type.name, self.desk.href(booking))
        context = await self.desk.context(request, session, organization, booking, by)
        return StaffFlow(
            template="admin/booking_move",
            page=lambda title: self.desk.page(request, title, self.desk.listed(), trail),
            student=booking.student,
            confirm_title=_("Move the lesson?"),
            others=self.others,
            context={
                **{name: value for name, value in context.items() if name not in ("when", "student")},
                **_ALONE,
                "was": context["when"],
                "past_move_cut_off": clock.now() > booking.move_until,
            },
        )


def _several(
    booking: BookingView, choice: StaffChoice, scope: Scope, *, skip: Sequence[date] = ()
) -> SeriesMove:
    assert choice.time is not None
    return SeriesMove(
        booking_id=booking.id,
        scope=scope,
        starts_at=choice.time,
        location_id=choice.location_id,
        skip=list(skip),
    )


def _given(params: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if value}
