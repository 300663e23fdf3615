"""Putting a class on the calendar, once or every so many weeks; both portals of staff mount it.

Every time that cannot be is named with its reason before anything is written;
then it is left out, or the rules are passed knowingly.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.bookings import service as bookings
from coursecove.bookings.class_schemas import ClassConflict, ClassCreate, ClassView
from coursecove.bookings.errors import ClassNotScheduled
from coursecove.db.session import discard
from coursecove.errors import Conflict, Invalid, NotFound
from coursecove.i18n import _, ngettext
from coursecove.portals.admin.navigation import address
from coursecove.portals.class_form import FIELDS, LISTS, ClassForm, Plan
from coursecove.portals.class_pages import ClassDesk
from coursecove.portals.forms import read_form
from coursecove.portals.lesson_words import zone_label
from coursecove.portals.pages import AnyRequest, redirect, render
from coursecove.portals.student.choice import instant_text, read_instant
from coursecove.scheduling.rules import OVERRIDABLE
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

# What a free spot of the calendar, or a filtered list, says already.
_KEPT = ("with", "place", "room", "time", "day")


class PlanPages(Controller):
    """Which class, then when, where, how often and by whom."""

    include_in_schema = False
    desk: ClassVar[ClassDesk]

    @get("/")
    async def ask(
        self, request: AnyRequest, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> Response[Any]:
        """Show the classes to choose from, or the form of the one that is chosen or the only one."""
        params = request.query_params
        types = await self._types(session, by)
        if not params.get("type") and len(types) != 1:
            return self._choose(request, types)
        plan = await self._plan(session, types, params.get("type", ""), by)
        return self._draw(request, plan, ClassForm.of(params, plan))

    @post("/", status_code=200)
    async def put(
        self, request: AnyRequest, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> Response[Any]:
        """Put it on the calendar at every time, or name those that cannot be and put none."""
        values = await read_form(request, fields=FIELDS, lists=LISTS)
        types = await self._types(session, by)
        plan = await self._plan(session, types, request.query_params.get("type", ""), by)
        form = ClassForm.read(values)
        if values.get("add"):
            return self._draw(request, plan, form)
        conflicts: list[ClassConflict] = []
        wanted: list[datetime] = []
        try:
            data = form.meaning(plan)
            wanted = await bookings.class_starts(session, data, by=by)
            made = await bookings.schedule_class(session, _without_skipped(data, wanted, values), by=by)
        except ClassNotScheduled as error:
            conflicts = error.extra["conflicts"]
            form.refuse({}, error.detail)
        except (Conflict, Invalid) as error:
            form.refuse(error.fields, error.detail or _(error.title))
        else:
            zone = plan.zone(form.values) or "UTC"
            return redirect(request, self._after(made, zone), flash=_done(made, zone))
        await discard(session)
        # What was left out before is asked about again, with what came to it.
        skipped = [at for at in wanted if instant_text(at) in values["skip"] and values.get("leave_out")]
        return self._draw(request, plan, form, conflicts=conflicts, skipped=skipped, wanted=wanted)

    def _after(self, made: list[ClassView], zone: str) -> str:
        if len(made) == 1:
            return self.desk.href(made[0])
        first = formatting.local(made[0].starts_at, zone).date()
        return address(self.desk.path, {"from": first.isoformat(), "type": made[0].appointment_type.slug})

    async def _types(self, session: AsyncSession, by: Member) -> list[AppointmentTypeView]:
        types = await appointments.list_types(session, include_unpublished=True)
        return [
            type_
            for type_ in types
            if type_.kind == "class" and (not self.desk.own or by.id in type_.instructor_ids)
        ]

    async def _plan(
        self, session: AsyncSession, types: list[AppointmentTypeView], slug: str, by: Member
    ) -> Plan:
        type_ = next((type_ for type_ in types if type_.slug == slug or (not slug and len(types) == 1)), None)
        if type_ is None:
            raise NotFound(_("There is no such class here."))
        people = await tenants.list_instructors(session)
        places = await appointments.list_locations(session)
        return Plan(
            type=type_,
            people=[
                person
                for person in people
                if person.id in type_.instructor_ids and (not self.desk.own or person.id == by.id)
            ],
            places=[place for place in places if place.id in type_.location_ids],
            rooms=await appointments.list_rooms(session, location_ids=type_.location_ids)
            if type_.location_mode == "in_person"
            else [],
        )

    def _choose(self, request: AnyRequest, types: list[AppointmentTypeView]) -> Response[Any]:
        kept = {name: request.query_params.get(name) for name in _KEPT}
        return render(
            request,
            "teach/class_choice.html",
            self.desk.page(request, _("Put a class on the calendar"), self.desk.listed()),
            types=[
                {
                    "href": address(f"{self.desk.path}/new", {"type": type_.slug, **kept}),
                    "name": type_.name,
                    "text": ngettext("{count} seat", "{count} seats", type_.capacity).format(
                        count=type_.capacity
                    ),
                    "meta": formatting.duration(type_.duration_minutes),
                    "color": type_.color,
                    "draft": type_.published_at is None,
                }
                for type_ in types
            ],
            own=self.desk.own,
        )

    def _draw(
        self,
        request: AnyRequest,
        plan: Plan,
        form: ClassForm,
        *,
        conflicts: list[ClassConflict] | None = None,
        skipped: list[datetime] | None = None,
        wanted: list[datetime] | None = None,
    ) -> Response[Any]:
        refused = bool(form.errors or form.problem)
        zone = plan.zone(form.values)
        known = {place.time_zone for place in plan.places} or {person.time_zone for person in plan.people}
        return render(
            request,
            "teach/class_new.html",
            self.desk.page(request, _("Put a class on the calendar"), self.desk.listed()),
            status_code=(422 if form.errors else 409) if refused else 200,
            plan=plan,
            form=form,
            options=plan.options(),
            action=address(f"{self.desk.path}/new", {"type": plan.type.slug}),
            back_href=self.desk.path,
            zone_note=zone_label(next(iter(known))) if len(known) == 1 else None,
            question=_question(conflicts, skipped or [], wanted or [], zone or "UTC") if conflicts else None,
            labels={
                "with": _("Instructor"),
                "place": _("Where"),
                "room": _("Room"),
                "starts": _("When"),
                "minutes": _("Length"),
                "seats": _("Seats"),
                "every": _("Repeats"),
                "times": _("How many times"),
            },
        )


def _without_skipped(data: ClassCreate, wanted: list[datetime], values: dict[str, Any]) -> ClassCreate:
    """Return the same without the times that are to be left out."""
    left_out = {read_instant(text) for text in values["skip"]} if values.get("leave_out") else set()
    if not left_out:
        return data
    kept = [at for at in wanted if at not in left_out]
    if not kept:
        raise Invalid(fields={"starts_at": _("Nothing would be left. Choose another time.")})
    return msgspec.structs.replace(data, starts_at=kept, times=1)


def _question(
    conflicts: list[ClassConflict], skipped: list[datetime], wanted: list[datetime], zone: str
) -> dict[str, Any]:
    """Return which times cannot be and why, and what can be done about it."""

    def row(at: datetime, message: str, *, overridable: bool = False) -> dict[str, Any]:
        return {
            "when": f"{formatting.day(at, zone)}, {formatting.time(at, zone)}",
            "message": message,
            "overridable": overridable,
        }

    left = len(wanted) - len(conflicts) - len(skipped)
    return {
        "title": ngettext(
            "{count} of {total} times does not work", "{count} of {total} times do not work", len(conflicts)
        ).format(count=len(conflicts), total=len(wanted) - len(skipped)),
        "rows": [row(one.starts_at, one.message, overridable=one.reason in OVERRIDABLE) for one in conflicts],
        "skip": [instant_text(at) for at in [*skipped, *(one.starts_at for one in conflicts)]],
        "leave_out": ngettext(
            "Put the other one on the calendar", "Put the other {count} on the calendar", left
        ).format(count=left)
        if left
        else None,
        "may_override": all(one.reason in OVERRIDABLE for one in conflicts),
        "skipped": [instant_text(at) for at in skipped],
    }


def _done(made: list[ClassView], zone: str) -> str:
    first = made[0]
    when = f"{formatting.day(first.starts_at, zone)}, {formatting.time(first.starts_at, zone)}"
    if len(made) == 1:
        return _("{name} is on the calendar: {when}.").format(name=first.appointment_type.name, when=when)
    return _("{name} is on the calendar {count} times, first {when}.").format(
        name=first.appointment_type.name, count=len(made), when=when
    )
