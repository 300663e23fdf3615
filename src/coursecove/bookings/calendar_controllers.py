"""Staff's calendar, and what becomes of lessons somebody cannot give, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.bookings import service
from coursecove.bookings.calendar_schemas import CalendarList, HandOver, HandOverResult, SubstituteList
from coursecove.bookings.moments import WindowFrom, WindowUntil, window_in
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member


class CalendarController(Controller):
    """Sessions with their students, for staff."""

    path = "/calendar"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_staff)}

    @get(
        operation_id="list_calendar",
        summary="The calendar of the school, or one's own",
        response_description="The sessions that meet the window, by start; at most 5,000.",
    )
    async def list_calendar(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        instructor_id: FromQuery[uuid.UUID | None] = None,
        room_id: FromQuery[uuid.UUID | None] = None,
        appointment_type_id: FromQuery[uuid.UUID | None] = None,
        location_id: FromQuery[uuid.UUID | None] = None,
        search: Annotated[str | None, QueryParameter(max_length=200)] = None,
        with_cancelled: FromQuery[bool] = False,
        from_: WindowFrom = None,
        until: WindowUntil = None,
    ) -> CalendarList:
        """Return lessons and classes with who comes: to admins everybody's, to instructors their own."""
        start, end = window_in(request, from_, until)
        return CalendarList(
            await service.calendar(
                session,
                viewer=by,
                from_=start,
                until=end,
                instructor_id=instructor_id,
                room_id=room_id,
                appointment_type_id=appointment_type_id,
                location_id=location_id,
                search=search,
                with_cancelled=with_cancelled,
            )
        )


class SubstituteController(Controller):
    """Who could give somebody's lessons."""

    path = "/instructors/{member_id:uuid}/substitutes"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_staff)}

    @get(
        operation_id="list_substitutes",
        summary="Lessons somebody cannot give, with who could",
        response_description="The lessons that start in the window and have not begun, by start.",
    )
    async def list_substitutes(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        from_: WindowFrom = None,
        until: WindowUntil = None,
    ) -> SubstituteList:
        """Return each lesson with the colleagues who are qualified and free then; for them and for admins."""
        await appointments.get_teacher(session, member_id)
        start, end = window_in(request, from_, until)
        return SubstituteList(await service.substitutes(session, member_id, from_=start, until=end, by=by))


class HandoverController(Controller):
    """Giving lessons away, or cancelling them together."""

    path = "/handovers"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_staff)}

    @post(
        operation_id="hand_over_lessons",
        summary="Give lessons to colleagues, or cancel them",
        response_description="How many were handed over, and how many cancelled.",
    )
    async def hand_over_lessons(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[HandOver],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[HandOverResult]:
        """Do all of it or nothing; each student is told once, with `message`.

        409 `cannot_hand_over` names every lesson whose colleague is not qualified or free in `fields`, as
        `lessons.0`. Time off is taken by itself. Instructors give away their own lessons, admins anybody's.
        """
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.hand_over(session, data, by=by),
            member_id=by.id,
        )
