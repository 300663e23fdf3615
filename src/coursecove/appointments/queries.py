"""Selects over the catalogue, for use inside one organization.

A link to an archived location, and a qualification for an archived type, sleeps:
it is neither shown nor touched, and it is back when the other side is restored.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from coursecove.appointments.models import AppointmentType, AppointmentTypeLocation, Location, Qualification

TYPE_COLUMNS = (
    "id",
    "slug",
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
    "published_at",
    "archived_at",
)
LOCATION_COLUMNS = ("id", "slug", "name", "address", "directions", "time_zone", "archived_at")


def types() -> Select[Any]:
    """Every appointment type in the school's order, with the ids of its open locations and of the qualified."""
    location_ids = open_locations_of(AppointmentType.id).correlate(AppointmentType).scalar_subquery()
    qualified_ids = (
        select(Qualification.member_id)
        .where(Qualification.appointment_type_id == AppointmentType.id)
        .correlate(AppointmentType)
        .scalar_subquery()
    )
    return select(
        *(getattr(AppointmentType, name) for name in TYPE_COLUMNS),
        func.array(location_ids).label("location_ids"),
        func.array(qualified_ids).label("qualified_ids"),
    ).order_by(AppointmentType.position, AppointmentType.name, AppointmentType.id)


def open_locations_of(type_id: Any) -> Select[Any]:
    """The ids of the places a type (its id, or the column of an outer query) is taught at, by name."""
    return (
        select(AppointmentTypeLocation.location_id)
        .join(Location, Location.id == AppointmentTypeLocation.location_id)
        .where(AppointmentTypeLocation.appointment_type_id == type_id, Location.archived_at.is_(None))
        .order_by(Location.name, Location.id)
    )


def listed(statement: Select[Any], *, include_unpublished: bool, include_archived: bool) -> Select[Any]:
    """Narrow to what is offered now, plus drafts, plus what was archived (published or not) if asked for."""
    offered: ColumnElement[bool] = AppointmentType.archived_at.is_(None)
    if not include_unpublished:
        offered = and_(offered, AppointmentType.published_at.is_not(None))
    if include_archived:
        offered = or_(offered, AppointmentType.archived_at.is_not(None))
    return statement.where(offered)


def locations() -> Select[Any]:
    """Every location by name."""
    return select(*(getattr(Location, name) for name in LOCATION_COLUMNS)).order_by(Location.name, Location.id)


def types_taught_only_at(location_id: uuid.UUID) -> Select[uuid.UUID, str]:
    """Published lessons in person that have no other open location than this one."""
    here, elsewhere = AppointmentTypeLocation.__table__.alias(), AppointmentTypeLocation.__table__.alias()
    return (
        select(AppointmentType.id, AppointmentType.name)
        .where(
            AppointmentType.location_mode == "in_person",
            AppointmentType.published_at.is_not(None),
            AppointmentType.archived_at.is_(None),
            exists().where(here.c.appointment_type_id == AppointmentType.id, here.c.location_id == location_id),
            ~exists().where(
                elsewhere.c.appointment_type_id == AppointmentType.id,
                elsewhere.c.location_id != location_id,
                elsewhere.c.location_id == Location.id,
                Location.archived_at.is_(None),
            ),
        )
        .order_by(AppointmentType.position, AppointmentType.name)
    )


def qualifications_of(member_id: uuid.UUID) -> Select[Any]:
    """The types that are not archived and that this member is qualified for, in the school's order."""
    return (
        select(AppointmentType.id)
        .join(Qualification, Qualification.appointment_type_id == AppointmentType.id)
        .where(Qualification.member_id == member_id, AppointmentType.archived_at.is_(None))
        .order_by(AppointmentType.position, AppointmentType.name, AppointmentType.id)
    )
