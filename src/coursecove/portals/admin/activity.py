"""The activity log: who changed what, when, from what to what."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response, get
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.errors import NotFound
from coursecove.i18n import _
from coursecove.portals.activity import entries_of
from coursecove.portals.activity.sentences import KINDS
from coursecove.portals.admin.navigation import (
    AnyRequest,
    address,
    admin_page,
    last_page,
    page_number,
    pages_of,
)
from coursecove.portals.pages import render
from coursecove.tenants import service as tenants
from coursecove.tenants.activity import FactFilter, FactPage, list_facts
from coursecove.tenants.guards import as_admin
from coursecove.tenants.handles import get_member_by_handle, handle_of
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView

PATH = "/admin/activity"
PAGE_SIZE = 50
_FIELDS = ("q", "person", "kind", "from", "until")


@dataclass(slots=True)
class Wanted:
    """What the log is narrowed to, as it stands in the address, and what it means."""

    typed: dict[str, str]
    facts: FactFilter = field(default_factory=FactFilter)
    person: Member | None = None
    errors: dict[str, str] = field(default_factory=dict)
    #: Somebody or some kind that is not there: such a log is empty, never everything.
    missing: bool = False

    @property
    def narrowed(self) -> bool:
        """Say whether there is anything to clear."""
        return any(self.typed.values())


async def read_wanted(session: AsyncSession, query: Mapping[str, str], zone: str) -> Wanted:
    """Read the filters of an address; days are of the school's calendar."""
    typed = {name: query.get(name, "").strip()[:200] for name in _FIELDS}
    wanted = Wanted(typed)
    if typed["person"]:
        try:
            wanted.person = await get_member_by_handle(session, typed["person"])
        except NotFound:
            wanted.missing = True
    actions: tuple[str, ...] = ()
    if typed["kind"]:
        if typed["kind"] in KINDS:
            actions = KINDS[typed["kind"]][1]
        else:
            wanted.missing = True
    from_, until = _day(wanted, "from"), _day(wanted, "until")
    if from_ and until and until < from_:
        wanted.errors["until"] = _("This is before the first day.")
    wanted.facts = FactFilter(
        person_id=wanted.person.id if wanted.person else None,
        actions=actions,
        from_=_midnight(from_, zone) if from_ else None,
        until=_midnight(until + timedelta(days=1), zone) if until else None,
        search=typed["q"],
        found_ids=await _found(session, typed["q"]),
    )
    return wanted


def _day(wanted: Wanted, name: str) -> date | None:
    text = wanted.typed[name]
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year <= 2200:
        wanted.errors[name] = _("Enter a day such as 2026-12-03.")
        return None
    return found


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone))


async def _found(session: AsyncSession, search: str) -> tuple[uuid.UUID, ...]:
    """Return the types and places whose names have one of the words: facts name them by id only."""
    words = [word.casefold() for word in search.split()[:5]]
    if not words:
        return ()
    types = await appointments.list_types(session, include_unpublished=True, include_archived=True)
    places = await appointments.list_locations(session, include_archived=True)
    named = [(type_.id, type_.name) for type_ in types] + [(place.id, place.name) for place in places]
    return tuple(id_ for id_, name in named if any(word in name.casefold() for word in words))


async def facts_page(session: AsyncSession, wanted: Wanted, *, page: int, page_size: int) -> FactPage:
    """Return one page of what an address asks for; of what cannot be read, nothing."""
    if wanted.missing or wanted.errors:
        return FactPage([], 0, page, page_size)
    return await list_facts(session, wanted.facts, page=page, page_size=page_size)


@get(PATH, include_in_schema=False, dependencies={"by": Provide(as_admin)})
async def activity(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    organization: NamedDependency[OrganizationView],
    by: NamedDependency[Member],  # noqa: ARG001 - asks for an admin
) -> Response[Any]:
    """Show what happened, newest first, by days of the school's calendar."""
    wanted = await read_wanted(session, request.query_params, organization.time_zone)
    number = page_number(request.query_params.get("page", ""))
    found = await facts_page(session, wanted, page=number, page_size=PAGE_SIZE)
    if found.total and not found.items:
        number = last_page(found.total, PAGE_SIZE)
        found = await facts_page(session, wanted, page=number, page_size=PAGE_SIZE)
    entries = await entries_of(session, found.items)
    return render(
        request,
        "admin/activity.html",
        admin_page(request, _("Activity")),
        status_code=422 if wanted.errors else 200,
        typed=wanted.typed,
        errors=wanted.errors,
        days=[(day, list(of_day)) for day, of_day in groupby(entries, key=lambda entry: entry.day)],
        kinds=[{"value": kind, "label": _(label)} for kind, (label, _starts) in KINDS.items()],
        people=await _people(session, wanted),
        clear_href=PATH if wanted.narrowed else None,
        export_href=address("/admin/exports/activity.csv", wanted.typed),
        pages=pages_of(PATH, wanted.typed, page=number, page_size=PAGE_SIZE, total=found.total),
    )


async def _people(session: AsyncSession, wanted: Wanted) -> list[dict[str, str]]:
    """Return whom the log can be narrowed to: the staff, and whoever it is narrowed to already."""
    admins = await tenants.list_members(session, role="admin", page_size=200)
    teachers = await tenants.list_members(session, role="instructor", page_size=200)
    people = {member.id: member.name for member in (*admins.items, *teachers.items)}
    if wanted.person is not None:
        people[wanted.person.id] = wanted.person.name
    return [
        {"value": handle_of(id_, name), "label": name}
        for id_, name in sorted(people.items(), key=lambda item: item[1].casefold())
    ]
