"""Cancelling a lesson by a form, or several of its series, for the portals of staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.bookings import service as bookings
from coursecove.bookings.schemas import BookingCancel, BookingView
from coursecove.bookings.series_schemas import SeriesCancel
from coursecove.errors import NotFound
from coursecove.i18n import ngettext
from coursecove.portals.forms import Form, attempt, convert, names_of, read_form
from coursecove.portals.lesson_words import Clocks
from coursecove.portals.pages import AnyRequest
from coursecove.portals.scopes import Scope, change_rows, read_scope, scope_links
from coursecove.tenants.models import Member


@dataclass(frozen=True, slots=True)
class Cancelling:
    """What became of a posted form: how many lessons are cancelled, or the refused form to draw again."""

    scope: Scope
    count: int | None
    refused: Form | None

    def said(self, *, one: str) -> str:
        """Return what is done in words; ``one`` says it of a single lesson."""
        if self.scope == "this" or self.count is None:
            return one
        return ngettext(
            "{count} lesson is cancelled. Whoever is concerned will be told.",
            "{count} lessons are cancelled. Whoever is concerned will be told.",
            self.count,
        ).format(count=self.count)


async def cancel_by_form(
    request: AnyRequest, session: AsyncSession, booking: BookingView, *, by: Member
) -> Cancelling:
    """Cancel with the posted reason: this lesson, or what is meant of its series."""
    form = Form(await read_form(request, fields=(*names_of(BookingCancel), "scope")))
    scope = read_scope(form.value("scope"), booking)
    reason = {"reason": form.value("reason")}

    async def verb() -> int:
        data = convert(reason, BookingCancel)
        if scope == "this" or booking.series_id is None:
            await bookings.cancel(session, booking.id, data, by=by)
            return 1
        several = SeriesCancel(booking_id=booking.id, scope=scope, reason=data.reason)
        return len((await bookings.cancel_series(session, booking.series_id, several, by=by)).changed)

    count, refused = await attempt(session, form, verb)
    return Cancelling(scope, count, refused)


async def scope_context(
    session: AsyncSession, booking: BookingView, *, scope: Scope, path: str, clocks: Clocks, by: Member
) -> dict[str, Any]:
    """Return what a page that asks shows of a series: which lessons can be meant, and what becomes of each."""
    alone: dict[str, Any] = {"scope": "this", "scopes": [], "changes": []}
    if booking.series_id is None:
        return alone
    changes = []
    if scope != "this":
        data = SeriesCancel(booking_id=booking.id, scope=scope)
        try:
            found = await bookings.preview_series_cancellation(session, booking.series_id, data, by=by)
        except NotFound:
            # Somebody who stands in for one lesson decides about that one.
            return alone
        changes = change_rows(found.items, clocks)
    return {"scope": scope, "scopes": scope_links(path, {}, scope), "changes": changes}
