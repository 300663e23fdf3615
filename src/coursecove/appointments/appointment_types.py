"""Appointment types: what can be booked, and under which rules."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from msgspec import UNSET
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import qualifications, queries
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
from coursecove.errors import Invalid, NotFound
from coursecove.tenants import service as tenants
from coursecove.tenants.models import Member

_PLAIN = (
    "name",
    "description",
    "color",
    "duration_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "start_interval_minutes",
    "minimum_notice_minutes",
    "horizon_days",
    "cancellation_notice_minutes",
    "location_mode",
    "price_cents",
)


async def list_types(
    session: AsyncSession, *, include_unpublished: bool = False, include_archived: bool = False
) -> list[AppointmentTypeView]:
    """Return what the school offers, in its order, then by name; three reads however many there are.

    ``include_archived`` adds every archived type, published or not.
    """
    return await _views(
        session,
        queries.listed(
            queries.types(), include_unpublished=include_unpublished, include_archived=include_archived
        ),
    )


async def get_type(session: AsyncSession, type_id: uuid.UUID) -> AppointmentTypeView:
    """Return one type, whether offered now or not; raises :class:`NotFound`."""
    return await _one(session, queries.types().where(AppointmentType.id == type_id))


async def get_type_by_slug(session: AsyncSession, slug: str) -> AppointmentTypeView:
    """Return the type with this address, whether offered now or not; raises :class:`NotFound`."""
    return await _one(session, queries.types().where(AppointmentType.slug == slug))


async def create_type(session: AsyncSession, data: AppointmentTypeCreate, *, by: Member) -> AppointmentTypeView:
    """Add a type at the end of the catalogue.

    Raises :class:`Invalid` for numbers out of bounds, for places and people that
    are not of this school, and for a published lesson in person without a place.
    """
    data = checked(data)
    await one_at_a_time(session)
    await _check_links(session, data.location_ids, data.instructor_ids)
    _check_place(published=data.published, location_mode=data.location_mode, location_ids=data.location_ids)
    last = await session.scalar(select(func.max(AppointmentType.position)))
    type_id = await insert_with_free_slug(
        session,
        AppointmentType,
        fallback="lesson",
        values={
            **{name: getattr(data, name) for name in _PLAIN},
            "position": 0 if last is None else last + 1,
            "published_at": clock.now() if data.published else None,
        },
    )
    await _link_locations(session, type_id, data.location_ids)
    await qualifications.link(session, [(member_id, type_id) for member_id in set(data.instructor_ids)])
    made = await get_type(session, type_id)
    fields = (*_PLAIN, "published_at", "location_ids", "instructor_ids")
    record(
        session,
        "appointment_type.created",
        subject_type="appointment_type",
        subject_id=type_id,
        by=by,
        data={name: getattr(made, name) for name in fields},
    )
    return made


async def update_type(
    session: AsyncSession, type_id: uuid.UUID, data: AppointmentTypeUpdate, *, by: Member
) -> AppointmentTypeView:
    """Change a type; its address stays when it is renamed, and booked lessons keep what they promised.

    Raises :class:`NotFound`, and :class:`Invalid` as :func:`create_type` does.
    """
    data = checked(data)
    await one_at_a_time(session)
    before = await get_type(session, type_id)
    location_ids = [] if data.location_ids is UNSET else data.location_ids
    instructor_ids = [] if data.instructor_ids is UNSET else data.instructor_ids
    await _check_links(session, location_ids, instructor_ids)
    changes = changes_of(data, before, among=_PLAIN)
    publication = _publication(data, before)
    _check_place(
        published=data.published if isinstance(data.published, bool) else before.published_at is not None,
        location_mode=before.location_mode if data.location_mode is UNSET else data.location_mode,
        location_ids=await _open_links(session, type_id) if data.location_ids is UNSET else location_ids,
    )
    values = {name: change["to"] for name, change in changes.items()}
    values |= {name: change["to"] for name, change in publication.items()}
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
        record(
            session,
            "appointment_type.changed",
            subject_type="appointment_type",
            subject_id=type_id,
            by=by,
            data=changes,
        )
    return after


async def archive_type(session: AsyncSession, type_id: uuid.UUID, *, by: Member) -> AppointmentTypeView:
    """Offer a type no longer; booked lessons stay.  Twice is the same as once."""
    await one_at_a_time(session)
    before = await get_type(session, type_id)
    if before.archived_at is not None:
        return before
    await _set(session, type_id, {"archived_at": clock.now()})
    record(session, "appointment_type.archived", subject_type="appointment_type", subject_id=type_id, by=by)
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
    record(
        session,
        "appointment_type.restored",
        subject_type="appointment_type",
        subject_id=type_id,
        by=by,
        data=changes,
    )
    return await get_type(session, type_id)


def _publication(data: AppointmentTypeUpdate, before: AppointmentTypeView) -> Changes:
    if data.published is UNSET or data.published == (before.published_at is not None):
        return {}
    return {"published_at": {"from": before.published_at, "to": clock.now() if data.published else None}}


def _check_place(*, published: bool, location_mode: str, location_ids: Iterable[uuid.UUID]) -> None:
    if published and location_mode == "in_person" and not list(location_ids):
        raise Invalid(
            fields={
                "location_ids": "Choose where this lesson takes place. "
                "Without a location it can be online, or stay unpublished."
            }
        )


async def _check_links(
    session: AsyncSession, location_ids: Iterable[uuid.UUID], instructor_ids: Iterable[uuid.UUID]
) -> None:
    refuse_foreign(
        "location_ids",
        location_ids,
        await open_locations(session, location_ids),
        lambda n: (
            "One of these locations is not (or no longer) offered by this school."
            if n == 1
            else f"{n} of these locations are not (or no longer) offered by this school."
        ),
    )
    refuse_foreign(
        "instructor_ids",
        instructor_ids,
        await qualifications.teachers_among(session, instructor_ids),
        lambda _: "Choose people who teach at this school now: instructors, or admins.",
    )


async def _open_links(session: AsyncSession, type_id: uuid.UUID) -> list[uuid.UUID]:
    return list(await session.scalars(queries.open_locations_of(type_id)))


async def _link_locations(session: AsyncSession, type_id: uuid.UUID, location_ids: Iterable[uuid.UUID]) -> None:
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


async def _replace_locations(
    session: AsyncSession, type_id: uuid.UUID, location_ids: Iterable[uuid.UUID]
) -> None:
    wanted = set(location_ids)
    # Links to archived places sleep: only what could be seen is taken away.
    dropped = set(await _open_links(session, type_id)) - wanted
    await session.execute(
        delete(AppointmentTypeLocation)
        .where(
            AppointmentTypeLocation.appointment_type_id == type_id,
            AppointmentTypeLocation.location_id.in_(dropped),
        )
        .execution_options(synchronize_session=False)
    )
    await _link_locations(session, type_id, wanted)


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


async def _set(session: AsyncSession, type_id: uuid.UUID, values: dict[str, Any]) -> None:
    await session.execute(
        update(AppointmentType)
        .where(AppointmentType.id == type_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def _views(session: AsyncSession, statement: Select[Any]) -> list[AppointmentTypeView]:
    rows = (await session.execute(statement)).mappings().all()
    if not rows:
        return []
    currency = (await tenants.get_organization(session)).currency
    everybody = {id_ for row in rows for id_ in row["qualified_ids"]}
    # By name, as the school lists its people; whoever left or teaches no more is not among them.
    teaching = list(await tenants.instructors_by_id(session, everybody)) if everybody else []
    return [_view(row, currency, teaching) for row in rows]


def _view(row: Any, currency: str, teaching: list[uuid.UUID]) -> AppointmentTypeView:
    qualified = set(row["qualified_ids"])
    return AppointmentTypeView(
        **{name: row[name] for name in queries.TYPE_COLUMNS},
        currency=currency,
        # A place means nothing to an online lesson; the link is kept for the day it is in person again.
        location_ids=list(row["location_ids"]) if row["location_mode"] == "in_person" else [],
        instructor_ids=[member_id for member_id in teaching if member_id in qualified],
    )


async def _one(session: AsyncSession, statement: Select[Any]) -> AppointmentTypeView:
    found = await _views(session, statement)
    if not found:
        raise NotFound("There is no such appointment type at this school.")
    return found[0]
