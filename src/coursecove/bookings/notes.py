"""Notes about a lesson: private to staff, or shared with the student.

The trail names who wrote, changed or deleted a note and whether it was shared,
never what it says.
"""

from __future__ import annotations

import uuid
from typing import Any

from msgspec import UNSET
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings.models import LessonNote
from coursecove.bookings.schemas import NoteCreate, NoteUpdate, NoteView
from coursecove.bookings.texts import checked_text
from coursecove.bookings.views import find_view, is_staff_of, notes_of
from coursecove.db.session import organization_of
from coursecove.errors import Forbidden, Invalid, NotFound
from coursecove.events import track
from coursecove.i18n import _
from coursecove.tenants.models import Member


async def add_note(session: AsyncSession, booking_id: uuid.UUID, data: NoteCreate, *, by: Member) -> NoteView:
    """Write a note about a lesson, as its instructor or an admin, before or after it took place.

    Raises Invalid at ``body``, Forbidden for its student, and NotFound for a
    lesson that is not for ``by`` to see.
    """
    await _check_staff(session, booking_id, by=by)
    body = _checked_body(data.body)
    note_id = uuid.uuid4()
    await session.execute(
        insert(LessonNote).values(
            organization_id=organization_of(session),
            id=note_id,
            booking_id=booking_id,
            author_id=by.id,
            shared_at=func.now() if data.shared else None,
            body=body,
        )
    )
    _track(session, "note_added", booking_id, by=by, note_id=note_id, shared=data.shared)
    return await _view(session, booking_id, note_id, viewer=by)


async def change_note(
    session: AsyncSession, booking_id: uuid.UUID, note_id: uuid.UUID, data: NoteUpdate, *, by: Member
) -> NoteView:
    """Change what a note says or whether the student reads it; its author and admins may.

    Refuses like :func:`add_note`, and with NotFound for a note of another lesson.
    """
    shared_at, body = await _locked(session, booking_id, note_id, by=by)
    values: dict[str, Any] = {}
    if data.body is not UNSET and (changed := _checked_body(data.body)) != body:
        values["body"] = changed
    if data.shared is not UNSET and data.shared != (shared_at is not None):
        values["shared_at"] = func.now() if data.shared else None
    if values:
        await session.execute(
            update(LessonNote).where(LessonNote.id == note_id).values(**values, updated_at=func.now())
        )
        shared = data.shared if data.shared is not UNSET else shared_at is not None
        _track(session, "note_changed", booking_id, by=by, note_id=note_id, shared=shared)
    return await _view(session, booking_id, note_id, viewer=by)


async def delete_note(session: AsyncSession, booking_id: uuid.UUID, note_id: uuid.UUID, *, by: Member) -> None:
    """Delete a note for good; its author and admins may.  Refuses like :func:`change_note`."""
    shared_at, _body = await _locked(session, booking_id, note_id, by=by)
    await session.execute(delete(LessonNote).where(LessonNote.id == note_id))
    _track(session, "note_deleted", booking_id, by=by, note_id=note_id, shared=shared_at is not None)


async def _check_staff(session: AsyncSession, booking_id: uuid.UUID, *, by: Member) -> None:
    view = await find_view(session, booking_id=booking_id, viewer=by)
    if not is_staff_of(by, view.instructor.id):
        raise Forbidden(_("Only the instructor and admins write notes about a lesson."))


async def _locked(
    session: AsyncSession, booking_id: uuid.UUID, note_id: uuid.UUID, *, by: Member
) -> tuple[object, str]:
    await _check_staff(session, booking_id, by=by)
    row = (
        await session.execute(
            select(LessonNote.author_id, LessonNote.shared_at, LessonNote.body)
            .where(LessonNote.id == note_id, LessonNote.booking_id == booking_id)
            .with_for_update()
        )
    ).one_or_none()
    if row is None:
        raise NotFound(_("There is no such note."))
    if by.role != "admin" and row.author_id != by.id:
        raise Forbidden(_("Only who wrote a note and admins can change it."))
    return row.shared_at, row.body


def _checked_body(body: str) -> str:
    body = checked_text(body, field="body", longest=4000)
    if not body:
        raise Invalid(fields={"body": _("Write something first.")})
    return body


async def _view(
    session: AsyncSession, booking_id: uuid.UUID, note_id: uuid.UUID, *, viewer: Member
) -> NoteView:
    notes = (await notes_of(session, [booking_id], viewer=viewer))[booking_id]
    return next(note for note in notes if note.id == note_id)


def _track(
    session: AsyncSession,
    verb: str,
    booking_id: uuid.UUID,
    *,
    by: Member,
    note_id: uuid.UUID,
    shared: bool,
) -> None:
    track(
        session,
        f"booking.{verb}",
        subject_type="booking",
        subject_id=booking_id,
        actor_id=by.id,
        data={"note_id": str(note_id), "shared": shared},
    )
