"""The verbs of bookings, for the API, the portals and reactions to facts.

Every function works inside one organization's unit of work and returns views.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import queries
from coursecove.bookings.approval import approve, decline
from coursecove.bookings.attendance import note_attendance
from coursecove.bookings.booking import book
from coursecove.bookings.calendar import calendar, week_figures
from coursecove.bookings.cancellation import cancel
from coursecove.bookings.class_scheduling import class_starts, schedule_class
from coursecove.bookings.classes import cancel_class, get_class, get_class_by_handle, list_classes
from coursecove.bookings.family import remove_child
from coursecove.bookings.holds import confirm_hold, hold, kept_by, release_hold
from coursecove.bookings.models import Booking
from coursecove.bookings.moving import move
from coursecove.bookings.notes import add_note, change_note, delete_note
from coursecove.bookings.own_lessons import own_lessons
from coursecove.bookings.queries import Order
from coursecove.bookings.references import normal_reference
from coursecove.bookings.schemas import BookingPage, BookingStatus, BookingView
from coursecove.bookings.series import MOST_SERIES, book_series, get_series, list_series, preview_series
from coursecove.bookings.series_answers import approve_series, decline_series
from coursecove.bookings.series_cancellation import cancel_series, preview_series_cancellation
from coursecove.bookings.series_moving import move_series, preview_series_move
from coursecove.bookings.substitution import hand_over, substitutes
from coursecove.bookings.views import booking_views, find_view, notes_of
from coursecove.bookings.waitlist import (
    LARGEST_LIST,
    accept_offer,
    get_entry,
    join_waitlist,
    leave_waitlist,
    list_waitlist,
)
from coursecove.bookings.zoned_lessons import zoned_lessons
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.tenants.models import Member
from coursecove.text import is_storable

__all__ = [
    "LARGEST_LIST",
    "MOST_SERIES",
    "Order",
    "accept_offer",
    "add_note",
    "approve",
    "approve_series",
    "book",
    "book_series",
    "bookings_by_id",
    "calendar",
    "cancel",
    "cancel_class",
    "cancel_series",
    "change_note",
    "class_starts",
    "confirm_hold",
    "decline",
    "decline_series",
    "delete_note",
    "get_booking",
    "get_booking_by_reference",
    "get_class",
    "get_class_by_handle",
    "get_entry",
    "get_series",
    "hand_over",
    "hold",
    "join_waitlist",
    "kept_by",
    "leave_waitlist",
    "list_bookings",
    "list_classes",
    "list_series",
    "list_waitlist",
    "move",
    "move_series",
    "note_attendance",
    "notes_of",
    "own_lessons",
    "preview_series",
    "preview_series_cancellation",
    "preview_series_move",
    "release_hold",
    "remove_child",
    "schedule_class",
    "substitutes",
    "week_figures",
    "zoned_lessons",
]

LARGEST_PAGE = 200
LAST_PAGE = 1_000_000


async def get_booking(session: AsyncSession, booking_id: uuid.UUID, *, viewer: Member) -> BookingView:
    """Return a booking; raises NotFound alike when it does not exist and when it is not for ``viewer``."""
    return await find_view(session, booking_id=booking_id, viewer=viewer)


async def get_booking_by_reference(session: AsyncSession, reference: str, *, viewer: Member) -> BookingView:
    """Return a booking by what a person typed as its reference; raises NotFound like :func:`get_booking`."""
    normal = normal_reference(reference)
    if normal is None:
        raise NotFound(_("There is no such lesson."))
    return await find_view(session, reference=normal, viewer=viewer)


async def bookings_by_id(
    session: AsyncSession, booking_ids: Collection[uuid.UUID], *, viewer: Member
) -> list[BookingView]:
    """Return those of several bookings that ``viewer`` may see, by start, in four queries at most."""
    statement = queries.booked().where(queries.visible_to(viewer), Booking.id.in_(booking_ids))
    rows = await session.execute(statement.order_by(Booking.starts_at, Booking.id))
    return await booking_views(session, rows.all(), viewer)


async def list_bookings(
    session: AsyncSession,
    *,
    viewer: Member,
    own: bool = False,
    student_id: uuid.UUID | None = None,
    instructor_id: uuid.UUID | None = None,
    appointment_type_id: uuid.UUID | None = None,
    location_id: uuid.UUID | None = None,
    room_id: uuid.UUID | None = None,
    status: BookingStatus | None = None,
    from_: datetime | None = None,
    until: datetime | None = None,
    search: str | None = None,
    order: Order = "starts_at",
    page: int = 1,
    page_size: int = 50,
) -> BookingPage:
    """Return one page of the bookings ``viewer`` may see, in four queries at most, whatever their number.

    Students get their own, instructors also those they teach or booked, admins
    all of them; filters only narrow that.  ``own`` are those they take themselves
    and their children's, whatever their role.  ``[from_, until)`` is about the
    start; holds come only when ``status`` asks for them.  Every word of
    ``search`` must occur in the reference, the type's name, the instructor's or
    the student's.  A page holds 1 to 200.
    """
    page, page_size = min(max(page, 1), LAST_PAGE), min(max(page_size, 1), LARGEST_PAGE)
    if search and not is_storable(search):
        return BookingPage([], 0, page, page_size)
    matching = queries.filtered(
        queries.booked().where(queries.taken_by(viewer) if own else queries.visible_to(viewer)),
        student_id=student_id,
        instructor_id=instructor_id,
        appointment_type_id=appointment_type_id,
        location_id=location_id,
        room_id=room_id,
        status=status,
        from_=from_,
        until=until,
        search=search,
    )
    counted = matching.with_only_columns(Booking.id, maintain_column_froms=True).subquery()
    total = await session.scalar(select(func.count()).select_from(counted)) or 0
    rows = await session.execute(
        queries.ordered(matching, order).limit(page_size).offset((page - 1) * page_size)
    )
    return BookingPage(await booking_views(session, rows.all(), viewer), total, page, page_size)
