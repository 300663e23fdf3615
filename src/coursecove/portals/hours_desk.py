"""When somebody teaches, as pages: for instructors their own, for admins anybody's.

Both portals have the same pages about different people; :class:`HoursDesk` does
what they do, and each portal says whose pages they are and draws them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import LocationView
from coursecove.bookings import affected as outside
from coursecove.bookings.affected import Affected
from coursecove.db.session import discard
from coursecove.errors import Invalid, NotFound
from coursecove.formatting import day, zone_name
from coursecove.i18n import _
from coursecove.portals.affected_words import question
from coursecove.portals.dates_form import (
    OverrideForm,
    TimeOffForm,
    read_date,
    typed_override,
    typed_time_off,
)
from coursecove.portals.dates_page import dates_context, planned_span, time_off_words
from coursecove.portals.forms import read_form
from coursecove.portals.hours_form import HoursForm, place_options
from coursecove.portals.pages import Undo, redirect
from coursecove.scheduling import service as scheduling
from coursecove.scheduling.schemas import WindowInput
from coursecove.tenants.handles import handle_of
from coursecove.tenants.models import Member

AnyRequest = Request[Any, Any, Any]
#: Draws one of the two pages, "hours" or "dates", with this context and status.
Draw = Callable[[str, dict[str, Any], int], Response[Any]]


@dataclass(frozen=True, slots=True)
class HoursDesk:
    """The hours of ``member``, set by ``by``; ``href`` is where the pages are."""

    request: AnyRequest
    session: AsyncSession
    member: Member
    by: Member
    zone: str
    href: str
    draw: Draw

    @property
    def own(self) -> bool:
        """Say whether these are one's own hours, which is how the pages speak of them."""
        return self.member.id == self.by.id and self.href.startswith("/teach")

    async def week(self) -> Response[Any]:
        """Show the week as it is stored."""
        places = await self._places()
        return await self._draw_week(HoursForm.of(await self._week(), places), places)

    async def save_week(self) -> Response[Any]:
        """Save the week, or add, take away and copy rows without saving; nothing typed is lost."""
        form = await HoursForm.read(self.request)
        places = await self._places()
        if form.unsaved or not await form.save(
            self.session,
            places=places,
            stored=self._week,
            affected=self._affected_by_week,
            write=self._replace_week,
            subject=("member", self.member.id),
            by=self.by,
        ):
            return await self._draw_week(form, places)
        text = (
            _("Your hours are saved.")
            if self.own
            else _("The hours of {name} are saved.").format(name=self.member.name)
        )
        return redirect(self.request, self.href, flash=text)

    async def dates(self) -> Response[Any]:
        """Show the dates that differ; one that is asked for stands in the form."""
        places = await self._places()
        on_date, override = None, None
        if wanted := self.request.query_params.get("on"):
            try:
                on_date = read_date(wanted)
            except ValueError:
                on_date = None
            else:
                override = await scheduling.find_override(self.session, self.member.id, on_date)
        return await self._draw_dates(places, override_form=OverrideForm.of(on_date, override, places))

    async def save_date(self) -> Response[Any]:
        """Set the hours of one date; nothing typed is lost."""
        form = await OverrideForm.read(self.request)
        places = await self._places()
        if form.added:
            return await self._draw_dates(places, override_form=form)
        try:
            on_date, windows = form.meaning(places)
            affected = await outside.affected_by_override(self.session, self.member.id, on_date, windows)
            before = await scheduling.find_override(self.session, self.member.id, on_date)
            await scheduling.set_override(self.session, self.member.id, on_date, windows, by=self.by)
        except Invalid as error:
            await discard(self.session)
            form.refuse(error)
            return await self._draw_dates(places, override_form=form, status_code=422)
        if affected and affected.fingerprint != form.confirmed:
            await discard(self.session)
            form.affected = affected
            return await self._draw_dates(places, override_form=form)
        undo = (
            Undo(f"{self.href}/dates/remove", [("on_date", on_date.isoformat())])
            if before is None
            else Undo(f"{self.href}/dates", typed_override(before, places))
        )
        text = _("{date} is saved.").format(date=day(on_date))
        return redirect(self.request, f"{self.href}/dates", flash=text, undo=undo)

    async def remove_date(self) -> Response[Any]:
        """Let a date follow the week again."""
        values = await read_form(self.request, fields=("on_date", "confirmed"))
        places = await self._places()
        try:
            on_date = read_date(values.get("on_date", ""))
        except ValueError:
            raise NotFound(_("This date follows the weekly hours.")) from None
        affected = await outside.affected_by_override(self.session, self.member.id, on_date, None)
        before = await scheduling.remove_override(self.session, self.member.id, on_date, by=self.by)
        if affected and affected.fingerprint != values.get("confirmed"):
            await discard(self.session)
            return await self._draw_dates(places, removing=(on_date, affected))
        return redirect(
            self.request,
            f"{self.href}/dates",
            flash=_("{date} follows the weekly hours again.").format(date=day(on_date)),
            undo=Undo(f"{self.href}/dates", typed_override(before, places)),
        )

    async def add_time_off(self) -> Response[Any]:
        """Take time off; nothing typed is lost."""
        form = await TimeOffForm.read(self.request)
        try:
            data = form.meaning(self.zone)
            affected = await outside.affected_by_time_off(
                self.session, self.member.id, data.starts_at, data.ends_at
            )
            added = await scheduling.add_time_off(self.session, self.member.id, data, by=self.by)
        except Invalid as error:
            await discard(self.session)
            form.refuse(error)
            return await self._draw_dates(await self._places(), time_off_form=form, status_code=422)
        if affected and affected.fingerprint != form.confirmed:
            await discard(self.session)
            form.affected = affected
            return await self._draw_dates(await self._places(), time_off_form=form)
        return redirect(
            self.request,
            f"{self.href}/dates",
            flash=_("Time off is saved: {when}.").format(when=time_off_words(added, self.zone)),
            undo=Undo(f"{self.href}/time-off/remove", [("time_off", code_of(added.id))]),
        )

    async def remove_time_off(self) -> Response[Any]:
        """Take time off back."""
        values = await read_form(self.request, fields=("time_off",))
        upcoming = await self._upcoming_time_off()
        code = values.get("time_off")
        found = next((one for one in upcoming if code_of(one.id) == code), None)
        if found is None:
            raise NotFound(_("This time off is no longer there."))
        removed = await scheduling.remove_time_off(self.session, self.member.id, found.id, by=self.by)
        fields = typed_time_off(removed, self.zone)
        return redirect(
            self.request,
            f"{self.href}/dates",
            flash=_("Time off is taken back: {when}.").format(when=time_off_words(removed, self.zone)),
            undo=Undo(f"{self.href}/time-off", fields) if fields else None,
        )

    async def _upcoming_time_off(self) -> list[Any]:
        from_, until = planned_span()
        return await scheduling.time_off_of(self.session, self.member.id, from_=from_, until=until)

    async def _places(self) -> list[LocationView]:
        return await appointments.list_locations(self.session, include_archived=True)

    async def _week(self) -> list[Any]:
        return await scheduling.hours_of(self.session, self.member.id)

    async def _affected_by_week(self, windows: list[WindowInput]) -> Affected:
        return await outside.affected_by_hours(self.session, self.member.id, windows)

    async def _replace_week(self, windows: list[WindowInput]) -> object:
        return await scheduling.replace_hours(self.session, self.member.id, windows, by=self.by)

    def _common(self, page: str) -> dict[str, Any]:
        return {
            "own": self.own,
            "name": self.member.name,
            "zone": zone_name(self.zone),
            "hours_href": self.href,
            "hours_tabs": [
                {"label": _("Every week"), "href": self.href, "current": page == "hours"},
                {"label": _("Dates and time off"), "href": f"{self.href}/dates", "current": page == "dates"},
            ],
        }

    async def _draw_week(self, form: HoursForm, places: list[LocationView]) -> Response[Any]:
        used = {window.location_id for window in await self._week()}
        context = {
            **self._common("hours"),
            "form": form,
            "places": place_options(places, used),
            "question": question(form.affected, whose=False),
        }
        return self.draw("hours", context, form.refused_status)

    async def _draw_dates(
        self,
        places: list[LocationView],
        *,
        override_form: OverrideForm | None = None,
        time_off_form: TimeOffForm | None = None,
        removing: tuple[date, Affected] | None = None,
        status_code: int = 200,
    ) -> Response[Any]:
        override_form = override_form or OverrideForm.of(None, None, places)
        time_off_form = time_off_form or TimeOffForm()
        context = await dates_context(
            self.session,
            self.member.id,
            zone=self.zone,
            places=places,
            href=f"{self.href}/dates",
            month=self.request.query_params.get("month", ""),
            chosen=override_form.on_date,
            code_of=code_of,
        )
        context |= {
            **self._common("dates"),
            "override_form": override_form,
            "override_question": question(override_form.affected, whose=False),
            "time_off_form": time_off_form,
            "time_off_question": question(time_off_form.affected, whose=False),
            "removing": {
                "on_date": removing[0].isoformat(),
                "date": day(removing[0]),
                "question": question(removing[1], whose=False),
            }
            if removing
            else None,
        }
        return self.draw("dates", context, status_code)


def code_of(time_off_id: uuid.UUID) -> str:
    """Return what stands for time off in a form, where no id is shown."""
    return handle_of(time_off_id, "").rpartition("-")[2]
