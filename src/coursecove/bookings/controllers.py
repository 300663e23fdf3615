"""Free times and bookings, below /api/v1."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.bookings import service
from coursecove.bookings.availability import available_slots, visitors_slots
from coursecove.bookings.calendar_controllers import (
    CalendarController,
    HandoverController,
    SubstituteController,
)
from coursecove.bookings.change_controllers import BookingChangeController, NoteController
from coursecove.bookings.class_controllers import ClassController
from coursecove.bookings.hold_controller import FamilyController, HoldController
from coursecove.bookings.moments import WindowFrom, WindowUntil, window_in
from coursecove.bookings.requests import is_own
from coursecove.bookings.schemas import (
    BookingCancel,
    BookingCreate,
    BookingPage,
    BookingStatus,
    BookingView,
    SlotList,
)
from coursecove.bookings.series_controller import SeriesController
from coursecove.bookings.waitlist_controller import WaitlistController
from coursecove.errors import Forbidden, NotFound, Unauthenticated
from coursecove.i18n import _
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.instants import instant_in
from coursecove.tenants.models import Member


class AvailabilityController(Controller):
    """When a lesson can be booked."""

    path = "/availability"
    tags = ["Bookings"]
    dependencies = {"viewer": Provide(guards.maybe_member)}

    @get(
        operation_id="list_availability",
        summary="Free times of an appointment type",
        response_description="Every time that can be booked in the window, by start.",
    )
    async def list_availability(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Member | None],
        appointment_type_id: FromQuery[uuid.UUID],
        instructor_id: FromQuery[uuid.UUID | None] = None,
        location_id: FromQuery[uuid.UUID | None] = None,
        duration_minutes: FromQuery[int | None] = None,
        student_id: Annotated[
            uuid.UUID | None,
            QueryParameter(description="Whose lessons are left out: a child of yours; to staff, anybody."),
        ] = None,
        from_: WindowFrom = None,
        until: WindowUntil = None,
    ) -> SlotList:
        """Return the times that can be booked, with everybody who is free at each; anybody may ask.

        Of a class it lists the sessions on the calendar that have seats left.  Somebody
        signed in is not offered the times of their own lessons.
        """
        if student_id is not None:
            if viewer is None:
                raise Unauthenticated(_("Sign in to ask for somebody."))
            if viewer.role == "student" and not await is_own(session, student_id, by=viewer):
                raise Forbidden(_("Ask for yourself and your children only."))
        if viewer is None:
            start, end = window_in(request, from_, until)
            slots = await visitors_slots(
                session,
                appointment_type_id,
                instructor_id=instructor_id,
                location_id=location_id,
                duration_minutes=duration_minutes,
                from_=start,
                until=end,
            )
            if slots is not None:
                return SlotList(slots)
        found = await appointments.get_type(session, appointment_type_id)
        staff = viewer is not None and viewer.role != "student"
        if found.archived_at or not (found.published_at or staff):
            # The words of the service for an unknown id: a draft is not to be guessed at.
            raise NotFound(_("There is no such appointment type at this school."))
        start, end = window_in(request, from_, until)
        return SlotList(
            await available_slots(
                session,
                found,
                instructor_id=instructor_id,
                location_id=location_id,
                duration_minutes=duration_minutes,
                from_=start,
                until=end,
                student_id=student_id or (viewer.id if viewer else None),
            )
        )


class BookingController(Controller):
    """Lessons that are booked."""

    path = "/bookings"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_member)}

    @get(
        operation_id="list_bookings",
        summary="Bookings you may see",
        response_description="One page of bookings.",
    )
    async def list_bookings(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        student_id: FromQuery[uuid.UUID | None] = None,
        instructor_id: FromQuery[uuid.UUID | None] = None,
        appointment_type_id: FromQuery[uuid.UUID | None] = None,
        status: FromQuery[BookingStatus | None] = None,
        from_: Annotated[
            datetime | None, QueryParameter(name="from", description="Earliest start, with an offset.")
        ] = None,
        until: Annotated[
            datetime | None, QueryParameter(name="until", description="Exclusive, with an offset.")
        ] = None,
        search: Annotated[str | None, QueryParameter(max_length=200)] = None,
        order: FromQuery[service.Order] = "starts_at",
        page: Annotated[int, QueryParameter(ge=1, le=service.LAST_PAGE)] = 1,
        page_size: Annotated[int, QueryParameter(ge=1, le=service.LARGEST_PAGE)] = 50,
    ) -> BookingPage:
        """Return students their own lessons, instructors those they teach or booked, admins all of them."""
        return await service.list_bookings(
            session,
            viewer=by,
            student_id=student_id,
            instructor_id=instructor_id,
            appointment_type_id=appointment_type_id,
            status=status,
            from_=instant_in(request, "from", from_),
            until=instant_in(request, "until", until),
            search=search,
            order=order,
            page=page,
            page_size=page_size,
        )

    @post(
        operation_id="create_booking",
        summary="Book a lesson",
        response_description="The confirmed booking.",
    )
    async def create_booking(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[BookingCreate],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Book a time that is offered; when it is gone, 409 `slot_taken` lists the nearest free ones."""
        return await respond_once(
            request, session, idempotency_key, lambda: service.book(session, data, by=by), member_id=by.id
        )

    @get(
        "/{booking_id:uuid}",
        operation_id="get_booking",
        summary="One booking",
        response_description="The booking as you may see it.",
    )
    async def get_booking(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
    ) -> BookingView:
        """Return one booking; 404 for somebody else's."""
        return await service.get_booking(session, booking_id, viewer=by)

    @post(
        "/{booking_id:uuid}/cancellation",
        operation_id="cancel_booking",
        summary="Cancel a lesson",
        response_description="The cancelled booking.",
    )
    async def cancel_booking(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        data: JSONBody[BookingCancel],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Cancel until the cut-off promised at booking; the instructor and admins until the lesson is over."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.cancel(session, booking_id, data, by=by),
            member_id=by.id,
        )


API_CONTROLLERS = [
    AvailabilityController,
    BookingController,
    BookingChangeController,
    HoldController,
    FamilyController,
    WaitlistController,
    SeriesController,
    NoteController,
    ClassController,
    CalendarController,
    SubstituteController,
    HandoverController,
]
