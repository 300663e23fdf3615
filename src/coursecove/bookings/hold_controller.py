"""Times that are kept for a moment, and children who have no lessons any more, below /api/v1."""

from __future__ import annotations

import uuid

from litestar import Controller, Response, delete, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.schemas import BookingView, HoldConfirm, HoldCreate
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member


class HoldController(Controller):
    """Times kept for whoever is about to book."""

    path = "/holds"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_member)}

    @post(
        operation_id="create_hold",
        summary="Keep a time",
        response_description="A booking with the status `held`, kept until `held_until`.",
    )
    async def create_hold(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[HoldCreate],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Keep a time that is offered for ten minutes; others are not offered it. Three at once at most."""
        return await respond_once(
            request, session, idempotency_key, lambda: service.hold(session, data, by=by), member_id=by.id
        )

    @post(
        "/{booking_id:uuid}/confirmation",
        operation_id="confirm_hold",
        summary="Book what is kept",
        response_description="The booking; pending where lessons need approval.",
    )
    async def confirm_hold(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        data: JSONBody[HoldConfirm],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Book a time that is kept, until `held_until`; later it is 409 `hold_expired`."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.confirm_hold(session, booking_id, data, by=by),
            member_id=by.id,
        )

    @delete("/{booking_id:uuid}", operation_id="release_hold", summary="Let go of a time")
    async def release_hold(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
    ) -> None:
        """Free a time that is kept, so that others are offered it again."""
        await service.release_hold(session, booking_id, by=by)


class FamilyController(Controller):
    """Children are taken out here, where it is known whether they have lessons."""

    path = "/me/children"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_member)}

    @delete("/{child_id:uuid}", operation_id="remove_child", summary="Remove a child")
    async def remove_child(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        child_id: FromPath[uuid.UUID],
    ) -> None:
        """Take one of your children out of the school; 409 `lessons_ahead` while it has lessons."""
        await service.remove_child(session, child_id, by=by)
