"""Places on waiting lists, below /api/v1."""

from __future__ import annotations

import uuid

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.schemas import (
    BookingView,
    WaitlistAccept,
    WaitlistEntryList,
    WaitlistEntryView,
    WaitlistJoin,
)
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member


class WaitlistController(Controller):
    """Waiting for a seat in a class that is full."""

    path = "/waitlist-entries"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_member)}

    @get(
        operation_id="list_waitlist_entries",
        summary="Places on waiting lists",
        response_description="Places by the class's start, then in the order of the list; at most 500.",
    )
    async def list_waitlist_entries(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        session_id: FromQuery[uuid.UUID | None] = None,
        student_id: FromQuery[uuid.UUID | None] = None,
        with_ended: FromQuery[bool] = False,
    ) -> WaitlistEntryList:
        """Return your own and your children's, as an instructor those of your classes, as an admin all."""
        found = await service.list_waitlist(
            session, viewer=by, session_id=session_id, student_id=student_id, with_ended=with_ended
        )
        return WaitlistEntryList(found)

    @post(
        operation_id="join_waitlist",
        summary="Wait for a seat",
        response_description="The place on the list; the one there was, when you wait already.",
    )
    async def join_waitlist(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[WaitlistJoin],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[WaitlistEntryView]:
        """Join the end of a full class's list; 409 `seats_left` while a seat can be booked."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.join_waitlist(session, data, by=by),
            member_id=by.id,
        )

    @get(
        "/{entry_id:uuid}",
        operation_id="get_waitlist_entry",
        summary="One place on a waiting list",
        response_description="The place, with what is offered.",
    )
    async def get_waitlist_entry(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        entry_id: FromPath[uuid.UUID],
    ) -> WaitlistEntryView:
        """Return one place; 404 for somebody else's."""
        return await service.get_entry(session, entry_id, viewer=by)

    @post(
        "/{entry_id:uuid}/acceptance",
        operation_id="accept_offer",
        summary="Take the seat that is offered",
        response_description="The booking; pending where lessons need approval.",
    )
    async def accept_offer(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        entry_id: FromPath[uuid.UUID],
        data: JSONBody[WaitlistAccept],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Book the seat that is kept until `offer_expires_at`; later it is 409 `offer_ended`."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.accept_offer(session, entry_id, data, by=by),
            member_id=by.id,
        )

    @delete("/{entry_id:uuid}", operation_id="leave_waitlist", summary="Leave a waiting list")
    async def leave_waitlist(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        entry_id: FromPath[uuid.UUID],
    ) -> None:
        """Wait no longer, or decline what is offered: it goes to the next on the list."""
        await service.leave_waitlist(session, entry_id, by=by)
