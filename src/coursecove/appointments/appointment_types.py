"""Appointment types: what can be booked, and under which rules."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import qualifications, queries
from coursecove.appointments.catalogue import get_type
from coursecove.appointments.combinations import check_combination
from coursecove.appointments.errors import NotSeenByLink
from coursecove.appointments.locations import open_locations
from coursecove.appointments.models import AppointmentType, AppointmentTypeLocation, Qualification
from coursecove.appointments.schemas import AppointmentTypeCreate, AppointmentTypeUpdate, AppointmentTypeView
from coursecove.appointments.validation import checked
from coursecove.appointments.writing import (
    Changes,
    changes_of,
    insert_with_free_slug,
    one_at_a_time,
    record,
    refuse_foreign,
)
from coursecove.db.session import organization_of
from coursecove.i18n import _, ngettext
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

# The notices a school sets for all that it adds from now on: the rule → its name in the school's settings.
_SCHOOLS_DEFAULTS = {
    "minimum_notice_minutes": "default_minimum_notice_minutes",
    "cancellation_notice_minutes": "default_cancellation_notice_minutes",
    "reschedule_notice_minutes": "default_reschedule_notice_minutes",
}


async def create_type(session: AsyncSession, data: AppointmentTypeCreate, *, by: Member) -> AppointmentTypeView:
    """Add a type at the end of the catalogue.

    Notices that are left out are the school's; a class has to say how many can
    take part.  Raises :class:`~coursecove.errors.Invalid` for numbers out of
    bounds, for rules that make no sense together, for places and people that
    are not of this school, and for a published lesson in person without a place.
    """
    data = checked(data)
    await one_at_a_time(session)
    values = {name: getattr(data, name) for name in queries.PLAIN_COLUMNS}
    organization = await tenants.get_organization(session)
    for name, default in _SCHOOLS_DEFAULTS.items():
        if values[name] is UNSET:
            values[name] = getattr(organization, default)
    if values["capacity"] is UNSET:
        # Of a class that is no answer, and the check says so.
        values["capacity"] = 1
    values["further_durations_minutes"] = sorted(values["further_durations_minutes"])
    await _check_links(session, data.location_ids, data.instructor_ids)
    check_combination(values, published=data.published, location_ids=data.location_ids)
    type_id = await add_row(
        session,
        {
            **values,
            "link_key": new_link_key() if data.visibility == "link" else None,
            "published_at": clock.now() if data.published else None,
        },
    )
    await link_locations(session, type_id, data.location_ids)
    await qualifications.link(session, [(member_id, type_id) for member_id in set(data.instructor_ids)])
    made = await get_type(session, type_id)
    record_created(session, made, by=by)
    return made


async def update_type(
    session: AsyncSession, type_id: uuid.UUID, data: AppointmentTypeUpdate, *, by: Member
) -> AppointmentTypeView:
    """Change a type; its address stays when it is renamed, and booked lessons keep what they promised.

    A private lesson has one seat, so making one of a class takes the other seats away unasked.
    Raises :class:`~coursecove.errors.NotFound`, and ``Invalid`` as :func:`create_type` does.
    """
    data = checked(data)
    await one_at_a_time(session)
    before = await get_type(session, type_id)
    location_ids = [] if data.location_ids is UNSET else data.location_ids
    instructor_ids = [] if data.instructor_ids is UNSET else data.instructor_ids
    if data.further_durations_minutes is not UNSET:
        data.further_durations_minutes = sorted(data.further_durations_minutes)
    if data.kind == "private" and data.capacity is UNSET:
        data.capacity = 1
    await _check_links(session, location_ids, instructor_ids)
    changes = changes_of(data, before, among=queries.PLAIN_COLUMNS)
    publication = _publication(data, before)
    values = {name: change["to"] for name, change in changes.items()}
    check_combination(
        {name: values.get(name, getattr(before, name)) for name in queries.PLAIN_COLUMNS},
        published=data.published if isinstance(data.published, bool) else before.published_at is not None,
        location_ids=await open_links(session, type_id) if data.location_ids is UNSET else location_ids,
    )
    values |= {name: change["to"] for name, change in publication.items()}
    if values.get("visibility") == "link":
        # Shared by link once before, it has the same link again.
        values["link_key"] = func.coalesce(AppointmentType.link_key, new_link_key())
    if values:
        await _set(session, type_id, values)
    if data.location_ids is not UNSET:
        await _replace_locations(session, type_id, data.location_ids)
    if data.instructor_ids is not UNSET:
        await _replace_instructors(session, before, data.instructor_ids)
    after = await get_type(session, type_id)
    for name in ("location_ids", "instructor_ids"):
        old, new = getattr(before, name), getattr(after, name)
        if set(old) != set(new):
            changes[name] = {"from": old, "to": new}
    changes |= publication
    if changes:
        _record(session, "appointment_type.changed", type_id, by=by, data=changes)
    return after


async def renew_link(session: AsyncSession, type_id: uuid.UUID, *, by: Member) -> AppointmentTypeView:
    """Give a type that is seen by link another key; whoever has the old address finds nothing there any more.

    Raises :class:`NotSeenByLink` for a type that others than its link's holders see.
    """
    await one_at_a_time(session)
    before = await get_type(session, type_id)
    if before.visibility != "link":
        raise NotSeenByLink(_("{name} is not shared by link.").format(name=before.name))
    await _set(session, type_id, {"link_key": new_link_key()})
    # Without the keys: what was changed is for more eyes than the link is.
    _record(session, "appointment_type.link_renewed", type_id, by=by)
    return await get_type(session, type_id)


async def archive_type(session: AsyncSession, type_id: uuid.UUID, *, by: Member) -> AppointmentTypeView:
    """Offer a type no longer; booked lessons stay.  Twice is the same as once."""
    await one_at_a_time(session)
    before = await get_type(session, type_id)
    if before.archived_at is not None:
        return before
    await _set(session, type_id, {"archived_at": clock.now()})
    _record(session, "appointment_type.archived", type_id, by=by)
    return await get_type(session, type_id)


async def restore_type(session: AsyncSession, type_id: uuid.UUID, *, by: Member) -> AppointmentTypeView:
    """Take an archived type out of the archive as it was.

    When its last place was archived in the meantime it comes back as a draft:
    nothing is published that nobody could find.
    """
    await one_at_a_time(session)
    before = await get_type(session, type_id)
    if before.archived_at is None:
        return before
    changes: Changes = {}
    homeless = before.location_mode == "in_person" and not before.location_ids
    if homeless and before.published_at is not None:
        changes["published_at"] = {"from": before.published_at, "to": None}
    values = {name: change["to"] for name, change in changes.items()}
    await _set(session, type_id, {"archived_at": None, **values})
    _record(session, "appointment_type.restored", type_id, by=by, data=changes)
    return await get_type(session, type_id)


async def add_row(session: AsyncSession, values: Mapping[str, Any]) -> uuid.UUID:
    """Insert a type with a free address as the last of the catalogue; return its id."""
    last = await session.scalar(select(func.max(AppointmentType.position)))
    return await insert_with_free_slug(
        session,
        AppointmentType,
        fallback="lesson",
        values={**values, "position": 0 if last is None else last + 1},
    )


def record_created(session: AsyncSession, made: AppointmentTypeView, *, by: Member, **further: Any) -> None:
    """Track that a type was added, with everything it began with."""
    fields = (*queries.PLAIN_COLUMNS, "published_at", "location_ids", "instructor_ids")
    _record(
        session,
        "appointment_type.created",
        made.id,
        by=by,
        data={**{name: getattr(made, name) for name in fields}, **further},
    )


def new_link_key() -> str:
    """Return the secret part of an address: 144 bits nobody guesses."""
    return secrets.token_urlsafe(18)


async def open_links(session: AsyncSession, type_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the open places a type is linked to, also while it takes place elsewhere."""
    return list(await session.scalars(queries.open_locations_of(type_id)))


async def link_locations(session: AsyncSession, type_id: uuid.UUID, location_ids: Iterable[uuid.UUID]) -> None:
    """Say that a type is taught at these places; those it is taught at already stay."""
    rows = [
        {
            "organization_id": organization_of(session),
            "appointment_type_id": type_id,
            "location_id": location_id,
        }
        for location_id in set(location_ids)
    ]
    if rows:
        await session.execute(insert(AppointmentTypeLocation).values(rows).on_conflict_do_nothing())


def _publication(data: AppointmentTypeUpdate, before: AppointmentTypeView) -> Changes:
    if data.published is UNSET or data.published == (before.published_at is not None):
        return {}
    return {"published_at": {"from": before.published_at, "to": clock.now() if data.published else None}}


def _record(session: AsyncSession, action: str, type_id: uuid.UUID, *, by: Member, data: Any = None) -> None:
    record(session, action, subject_type="appointment_type", subject_id=type_id, by=by, data=data)


async def _check_links(
    session: AsyncSession, location_ids: Iterable[uuid.UUID], instructor_ids: Iterable[uuid.UUID]
) -> None:
    refuse_foreign(
        "location_ids",
        location_ids,
        await open_locations(session, location_ids),
        lambda n: ngettext(
            "One of these locations is not (or no longer) offered by this school.",
            "{n} of these locations are not (or no longer) offered by this school.",
            n,
        ).format(n=n),
    )
    refuse_foreign(
        "instructor_ids",
        instructor_ids,
        await qualifications.teachers_among(session, instructor_ids),
        lambda n: _("Choose people who teach at this school now: instructors, or admins."),  # noqa: ARG005
    )


async def _replace_locations(
    session: AsyncSession, type_id: uuid.UUID, location_ids: Iterable[uuid.UUID]
) -> None:
    wanted = set(location_ids)
    # Links to archived places sleep: only what could be seen is taken away.
    dropped = set(await open_links(session, type_id)) - wanted
    await session.execute(
        delete(AppointmentTypeLocation)
        .where(
            AppointmentTypeLocation.appointment_type_id == type_id,
            AppointmentTypeLocation.location_id.in_(dropped),
        )
        .execution_options(synchronize_session=False)
    )
    await link_locations(session, type_id, wanted)


async def _replace_instructors(
    session: AsyncSession, before: AppointmentTypeView, instructor_ids: Iterable[uuid.UUID]
) -> None:
    wanted = set(instructor_ids)
    await session.execute(
        delete(Qualification)
        .where(
            Qualification.appointment_type_id == before.id,
            Qualification.member_id.in_(set(before.instructor_ids) - wanted),
        )
        .execution_options(synchronize_session=False)
    )
    await qualifications.link(session, [(member_id, before.id) for member_id in wanted])


async def _set(session: AsyncSession, type_id: uuid.UUID, values: Mapping[str, Any]) -> None:
    await session.execute(
        update(AppointmentType)
        .where(AppointmentType.id == type_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
