"""What an admin decides about any booking of the school."""

from __future__ import annotations

from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingView
from coursecove.portals.admin.booking_filters import PATH
from coursecove.portals.admin.booking_page import booking_context, draw_booking, to_list
from coursecove.portals.admin.navigation import admin_page
from coursecove.portals.booking_changes import BookingChanges, Desk
from coursecove.portals.booking_notes import BookingNotes
from coursecove.portals.moving import MovePages
from coursecove.tenants.guards import as_admin
from coursecove.tenants.models import Member


async def _find(session: AsyncSession, reference: str, by: Member) -> BookingView:
    return await bookings.get_booking_by_reference(session, reference, viewer=by)


class AdminBookingChanges(BookingChanges):
    """Requests and attendance of everybody's lessons."""

    path = PATH
    dependencies = {"by": Provide(as_admin)}
    desk = Desk(
        path=PATH,
        listed=to_list,
        page=admin_page,
        find=_find,
        context=booking_context,
        draw=draw_booking,
    )


class AdminMovePages(MovePages):
    """Moving anybody's lesson, also to another instructor."""

    path = PATH
    dependencies = {"by": Provide(as_admin)}
    desk = AdminBookingChanges.desk


class AdminNotePages(BookingNotes):
    """What is written about anybody's lesson."""

    path = PATH
    dependencies = {"by": Provide(as_admin)}
    desk = AdminBookingChanges.desk
