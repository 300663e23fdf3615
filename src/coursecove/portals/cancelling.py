"""Cancelling a lesson by a form, for each of the three portals that ask first."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingCancel, BookingView
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.pages import AnyRequest
from coursecove.tenants.models import Member


async def cancel_by_form(
    request: AnyRequest, session: AsyncSession, booking: BookingView, *, by: Member
) -> Form | None:
    """Cancel with the posted reason: None when it is done, else the refused form to draw again."""
    form = Form(await read_form(request, fields=names_of(BookingCancel)))

    async def verb() -> BookingView:
        return await bookings.cancel(session, booking.id, convert(form.values, BookingCancel), by=by)

    _, refused = await attempt(session, form, verb)
    return refused
