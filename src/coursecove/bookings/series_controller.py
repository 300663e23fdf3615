"""Lessons every week, below /api/v1."""

from __future__ import annotations

import uuid

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.schemas import BookingDecline
from coursecove.bookings.series_schemas import (
    SeriesCancel,
    SeriesChanged,
    SeriesChangeList,
    SeriesCreate,
    SeriesList,
    SeriesMove,
    SeriesPreview,
    SeriesView,
)
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member


class SeriesController(Controller):
    """Lessons every week or every other one, at the same time on the wall clock."""

    path = "/series"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_member)}

    @get(
        operation_id="list_series",
        summary="Series you may see",
        response_description="Series with their lessons, by their first date; at most 200.",
    )
    async def list_series(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        student_id: FromQuery[uuid.UUID | None] = None,
        instructor_id: FromQuery[uuid.UUID | None] = None,
        with_ended: FromQuery[bool] = False,
    ) -> SeriesList:
        """Return your own and your children's, as an instructor those you give, as an admin all."""
        return SeriesList(
            await service.list_series(
                session, viewer=by, student_id=student_id, instructor_id=instructor_id, with_ended=with_ended
            )
        )

    @post(
        "/previews",
        operation_id="preview_series",
        summary="Look at a series before it is booked",
        response_description="Every date: whether the lesson can be then, or why not and what is free near it.",
        status_code=200,
    )
    async def preview_series(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[SeriesCreate],
    ) -> SeriesPreview:
        """Judge every date by every rule; nothing is written."""
        return await service.preview_series(session, data, by=by)

    @post(
        operation_id="create_series",
        summary="Book a series",
        response_description="The series with its lessons.",
    )
    async def create_series(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[SeriesCreate],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[SeriesView]:
        """Book every date but those in `skip`, or none; a date that cannot be had is 409 `series_conflict`.

        Of a type that needs approval every lesson is a request, to be answered as one or one by one.
        """
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.book_series(session, data, by=by),
            member_id=by.id,
        )

    @get(
        "/{series_id:uuid}",
        operation_id="get_series",
        summary="One series",
        response_description="The series with its lessons, as far as you may see them.",
    )
    async def get_series(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        series_id: FromPath[uuid.UUID],
    ) -> SeriesView:
        """Return one series; 404 for somebody else's."""
        return await service.get_series(session, series_id, viewer=by)

    @post(
        "/{series_id:uuid}/rescheduling-previews",
        operation_id="preview_series_rescheduling",
        summary="Look at a move before it happens",
        response_description="Every lesson: where it would go, or why it cannot.",
        status_code=200,
    )
    async def preview_rescheduling(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        series_id: FromPath[uuid.UUID],
        data: JSONBody[SeriesMove],
    ) -> SeriesChangeList:
        """Judge every lesson at its new time; nothing is written."""
        return await service.preview_series_move(session, series_id, data, by=by)

    @post(
        "/{series_id:uuid}/rescheduling",
        operation_id="reschedule_series",
        summary="Move lessons of a series",
        response_description="The series of the lessons that moved; after `following` it is a new one.",
    )
    async def reschedule_series(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        series_id: FromPath[uuid.UUID],
        data: JSONBody[SeriesMove],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[SeriesChanged]:
        """Move this lesson, this and the following, or all ahead: all of them but `skip`, or none (409)."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.move_series(session, series_id, data, by=by),
            member_id=by.id,
        )

    @post(
        "/{series_id:uuid}/cancellation-previews",
        operation_id="preview_series_cancellation",
        summary="Look at a cancellation before it happens",
        response_description="Every lesson: whether it would be cancelled, or why it stays.",
        status_code=200,
    )
    async def preview_cancellation(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        series_id: FromPath[uuid.UUID],
        data: JSONBody[SeriesCancel],
    ) -> SeriesChangeList:
        """Look at every lesson's cut-off; nothing is written."""
        return await service.preview_series_cancellation(session, series_id, data, by=by)

    @post(
        "/{series_id:uuid}/cancellation",
        operation_id="cancel_series",
        summary="Cancel lessons of a series",
        response_description="The series, what was cancelled, and what stays because it is too late.",
    )
    async def cancel_series(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        series_id: FromPath[uuid.UUID],
        data: JSONBody[SeriesCancel],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[SeriesChanged]:
        """Cancel this lesson, this and the following, or all ahead, as far as the cut-off allows."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.cancel_series(session, series_id, data, by=by),
            member_id=by.id,
        )

    @post(
        "/{series_id:uuid}/approval",
        operation_id="approve_series",
        summary="Confirm the requests of a series",
        response_description="The series, and which of its lessons were confirmed.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def approve_series(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        series_id: FromPath[uuid.UUID],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[SeriesChanged]:
        """Confirm every lesson that waits, as its instructor or an admin; 409 `not_waiting` when none does."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.approve_series(session, series_id, by=by),
            member_id=by.id,
        )

    @post(
        "/{series_id:uuid}/declining",
        operation_id="decline_series",
        summary="Decline the requests of a series",
        response_description="The series, and which of its lessons were declined.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def decline_series(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        series_id: FromPath[uuid.UUID],
        data: JSONBody[BookingDecline],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[SeriesChanged]:
        """Say no to every lesson that waits, with a reason the student reads. Refuses like approving."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.decline_series(session, series_id, data, by=by),
            member_id=by.id,
        )
