"""Classes on the calendar, below /api/v1."""

from __future__ import annotations

import uuid

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.class_schemas import ClassCancel, ClassCreate, ClassList, ClassView
from coursecove.bookings.moments import WindowFrom, WindowUntil, window_in
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member


class ClassController(Controller):
    """Sessions that staff put on the calendar, with seats that students book."""

    path = "/classes"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_staff), "viewer": Provide(guards.maybe_member)}

    @get(
        operation_id="list_classes",
        summary="Classes on the calendar",
        response_description="The classes that start in the window, by start; at most 500.",
    )
    async def list_classes(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Member | None],
        appointment_type_id: FromQuery[uuid.UUID | None] = None,
        instructor_id: FromQuery[uuid.UUID | None] = None,
        location_id: FromQuery[uuid.UUID | None] = None,
        with_cancelled: FromQuery[bool] = False,
        from_: WindowFrom = None,
        until: WindowUntil = None,
    ) -> ClassList:
        """Return when they are and how many seats are left; anybody may ask.

        Who sits in a class is told to its instructor and to admins only.
        """
        start, end = window_in(request, from_, until)
        return ClassList(
            await service.list_classes(
                session,
                viewer=viewer,
                from_=start,
                until=end,
                appointment_type_id=appointment_type_id,
                instructor_id=instructor_id,
                location_id=location_id,
                with_cancelled=with_cancelled,
            )
        )

    @post(
        operation_id="schedule_classes",
        summary="Put a class on the calendar",
        response_description="Every session that was put there, by start.",
    )
    async def schedule_classes(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[ClassCreate],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ClassList]:
        """Put it at every time asked for, or at none: 409 `class_not_scheduled` lists what stands against it.

        Admins for everybody, instructors for themselves; 60 sessions at once at most.
        """

        async def work() -> ClassList:
            return ClassList(await service.schedule_class(session, data, by=by))

        return await respond_once(request, session, idempotency_key, work, member_id=by.id)

    @get(
        "/{class_id:uuid}",
        operation_id="get_class",
        summary="One class on the calendar",
        response_description="The class as you may see it.",
    )
    async def get_class(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Member | None],
        class_id: FromPath[uuid.UUID],
    ) -> ClassView:
        """Return one session of a class; 404 for a private lesson and, to students, for a draft's."""
        return await service.get_class(session, class_id, viewer=viewer)

    @post(
        "/{class_id:uuid}/cancellation",
        operation_id="cancel_class",
        summary="Cancel a class",
        response_description="The cancelled class.",
    )
    async def cancel_class(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        class_id: FromPath[uuid.UUID],
        data: JSONBody[ClassCancel],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ClassView]:
        """Cancel it with every seat, as its instructor or an admin, until it is over; each student is told."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.cancel_class(session, class_id, data, by=by),
            member_id=by.id,
        )
