"""What an instructor is qualified for, until when, and what students see of it."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock, formatting
from coursecove.appointments import service as appointments
from coursecove.appointments.schemas import AppointmentTypeView
from coursecove.i18n import _, ngettext
from coursecove.portals.pages import AnyRequest, render
from coursecove.portals.teach.navigation import own_profile, teach_page
from coursecove.tenants.guards import as_staff
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

# So many days before its end a qualification is worth a word.
_SOON = 30


@get("/teach/types", include_in_schema=False, dependencies={"by": Provide(as_staff)})
async def own_types(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],
) -> Response[Any]:
    """List the types in the school's order, lapsed qualifications last."""
    expiries = {
        qualification.appointment_type_id: qualification.expires_on
        for qualification in await appointments.qualifications_with_expiry(session, by.id)
    }
    types = await appointments.list_types(session, include_unpublished=True)
    places = {place.id: place.name for place in await appointments.list_locations(session)}
    profile = await own_profile(session, by)
    today = formatting.local(clock.now(), organization.time_zone).date()
    rows = [
        _row(
            type_,
            expiries[type_.id],
            today=today,
            places=[places[id_] for id_ in type_.location_ids if id_ in places],
            teacher=profile.slug if profile else None,
        )
        for type_ in types
        if type_.id in expiries
    ]
    return render(
        request,
        "teach/types.html",
        teach_page(request, _("My types")),
        rows=sorted(rows, key=lambda row: row["lapsed"]),
    )


def _row(
    type_: AppointmentTypeView,
    expires_on: date | None,
    *,
    today: date,
    places: list[str],
    teacher: str | None,
) -> dict[str, Any]:
    days = (expires_on - today).days if expires_on else None
    lapsed = days is not None and days < 0
    # Visitors have no page of a draft, nor of what is seen by link without its key.
    shown = type_.published_at is not None and not lapsed
    query = {"with": teacher, "key": type_.link_key}
    return {
        "name": type_.name,
        "color": type_.color,
        "description": type_.description,
        "is_class": type_.kind == "class",
        "facts": _facts(type_),
        "where": _where(type_, places),
        "lapsed": lapsed,
        "expiry": _expiry(expires_on, days),
        "state": _state(type_),
        "href": f"/book/{type_.slug}?{urlencode({k: v for k, v in query.items() if v})}" if shown else None,
        "asked": [question.label for question in type_.questions if question.archived_at is None],
    }


def _facts(type_: AppointmentTypeView) -> str:
    lengths = [formatting.duration(minutes) for minutes in type_.durations]
    parts = [
        formatting.listed(lengths),
        ngettext("{count} seat", "{count} seats", type_.capacity).format(count=type_.capacity)
        if type_.kind == "class"
        else "",
        formatting.money(type_.price_cents, type_.currency),
    ]
    return " · ".join(part for part in parts if part)


def _where(type_: AppointmentTypeView, places: list[str]) -> str:
    if type_.location_mode == "online":
        return _("Online")
    if type_.location_mode == "students_place":
        return _("At the student’s place")
    return ", ".join(places) or _("Nowhere yet")


def _expiry(expires_on: date | None, days: int | None) -> dict[str, str]:
    if expires_on is None or days is None:
        return {"label": _("Without an end"), "kind": "neutral"}
    until = formatting.date_short(expires_on)
    if days < 0:
        return {"label": _("Ended on {date}").format(date=until), "kind": "error"}
    if days <= _SOON:
        return {"label": _("Only until {date}").format(date=until), "kind": "warning"}
    return {"label": _("Until {date}").format(date=until), "kind": "neutral"}


def _state(type_: AppointmentTypeView) -> dict[str, str] | None:
    if type_.published_at is None:
        return {"label": _("Draft"), "kind": "warning"}
    return {
        "members": {"label": _("For members"), "kind": "info"},
        "link": {"label": _("By link only"), "kind": "info"},
    }.get(type_.visibility)
