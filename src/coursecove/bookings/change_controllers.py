"""What becomes of a booking after it was made, below /api/v1."""

from __future__ import annotations

import uuid

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service
from coursecove.bookings.schemas import (
    AttendanceUpdate,
    BookingDecline,
    BookingMove,
    BookingView,
    NoteCreate,
    NoteList,
    NoteUpdate,
    NoteView,
)
from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member


class BookingChangeController(Controller):
    """Moving a lesson, answering a request, noting who came."""

    path = "/bookings/{booking_id:uuid}"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_member)}

    @post(
        "/rescheduling",
        operation_id="reschedule_booking",
        summary="Move a lesson",
        response_description="The same booking at its new time; `revision` went up by one.",
    )
    async def reschedule_booking(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        data: JSONBody[BookingMove],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Move it to a time that is free by every rule; its own old time is no conflict.

        Students may until the longer of both notices and as often as was promised, else 409
        `too_late_to_move`. The instructor and admins are exempt, and pass further rules with
        `override_rules`. A time that cannot be had is 409 `slot_taken` or `slot_not_offered` with the
        nearest free ones.
        """
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.move(session, booking_id, data, by=by),
            member_id=by.id,
        )

    @post(
        "/approval",
        operation_id="approve_booking",
        summary="Confirm a request",
        response_description="The confirmed booking.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def approve_booking(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Confirm it, as its instructor or an admin; 409 `not_waiting` once it was answered or has lapsed."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.approve(session, booking_id, by=by),
            member_id=by.id,
        )

    @post(
        "/declining",
        operation_id="decline_booking",
        summary="Decline a request",
        response_description="The declined booking.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def decline_booking(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        data: JSONBody[BookingDecline],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[BookingView]:
        """Say no, with a reason the student reads; the time is free again. Refuses like approving."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.decline(session, booking_id, data, by=by),
            member_id=by.id,
        )

    @put(
        "/attendance",
        operation_id="note_attendance",
        summary="Note whether the student came",
        response_description="The booking with what was noted.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def note_attendance(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        data: JSONBody[AttendanceUpdate],
    ) -> BookingView:
        """Note it from the lesson's start on, as its instructor or an admin; null takes it back.

        Before the start it is 409 `not_taught_yet`.
        """
        return await service.note_attendance(session, booking_id, data, by=by)


class NoteController(Controller):
    """What staff write about a lesson, for themselves or shared with the student."""

    path = "/bookings/{booking_id:uuid}/notes"
    tags = ["Bookings"]
    dependencies = {"by": Provide(guards.as_staff)}

    @get(
        operation_id="list_notes",
        summary="Notes about a lesson",
        response_description="The notes you may read, oldest first.",
        dependencies={"by": Provide(guards.as_member)},
    )
    async def list_notes(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
    ) -> NoteList:
        """Return all of them to the lesson's instructor and to admins, the shared ones to its student."""
        return NoteList((await service.get_booking(session, booking_id, viewer=by)).notes)

    @post(
        operation_id="add_note",
        summary="Write a note about a lesson",
        response_description="The note.",
    )
    async def add_note(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        data: JSONBody[NoteCreate],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[NoteView]:
        """Write one, as the lesson's instructor or an admin; the student reads it when it is `shared`."""
        return await respond_once(
            request,
            session,
            idempotency_key,
            lambda: service.add_note(session, booking_id, data, by=by),
            member_id=by.id,
        )

    @patch(
        "/{note_id:uuid}",
        operation_id="update_note",
        summary="Change a note",
        response_description="The note as it is now.",
    )
    async def update_note(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        note_id: FromPath[uuid.UUID],
        data: JSONBody[NoteUpdate],
    ) -> NoteView:
        """Change what it says or whether it is shared; for who wrote it and for admins."""
        return await service.change_note(session, booking_id, note_id, data, by=by)

    @delete(
        "/{note_id:uuid}",
        operation_id="delete_note",
        summary="Delete a note",
        response_description="It is gone.",
    )
    async def delete_note(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        booking_id: FromPath[uuid.UUID],
        note_id: FromPath[uuid.UUID],
    ) -> None:
        """Delete it for good; for who wrote it and for admins."""
        await service.delete_note(session, booking_id, note_id, by=by)
