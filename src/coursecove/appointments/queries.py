"""Selects over the catalogue, for use inside one organization.

A link to an archived location, and a qualification for an archived type, sleeps:
it is neither shown nor touched, and it is back when the other side is restored.
"""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from coursecove.appointments.models import (
    AppointmentType,
    AppointmentTypeLocation,
    IntakeQuestion,
    Location,
    Qualification,
    Room,
    TravelZone,
)

# What can be said of a type itself, as it is copied, compared and recorded.
PLAIN_COLUMNS = (
    "name",
    "description",
    "color",
    "kind",
    "capacity",
    "duration_minutes",
    "further_durations_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "start_interval_minutes",
    "minimum_notice_minutes",
    "horizon_days",
    "bookable_from",
    "bookable_until",
    "cancellation_notice_minutes",
    "reschedule_notice_minutes",
    "most_reschedules",
    "requires_approval",
    "approve_within_minutes",
    "day_limit",
    "week_limit",
    "student_day_limit",
    "student_week_limit",
    "visibility",
    "location_mode",
    "price_cents",
)
TYPE_COLUMNS = ("id", "slug", *PLAIN_COLUMNS, "link_key", "published_at", "archived_at")
LOCATION_COLUMNS = ("id", "slug", "name", "address", "directions", "time_zone", "archived_at")
ROOM_COLUMNS = ("id", "location_id", "name", "capacity", "position", "archived_at")
QUESTION_COLUMNS = (
    "id",
    "appointment_type_id",
    "kind",
    "label",
    "hint",
    "options",
    "required",
    "archived_at",
)
TRAVEL_ZONE_COLUMNS = ("id", "name", "postcode_prefixes", "travel_minutes", "position")


def types() -> Select[Any]:
    """Every appointment type in the school's order, with its open locations, its qualified and its questions.

    All in one statement, however many types there are.
    """
    location_ids = open_locations_of(AppointmentType.id).correlate(AppointmentType).scalar_subquery()
    qualified = (
        select(func.jsonb_object_agg(Qualification.member_id, Qualification.expires_on))
        .where(Qualification.appointment_type_id == AppointmentType.id)
        .correlate(AppointmentType)
        .scalar_subquery()
    )
    asked = func.jsonb_build_object(
        *(part for name in QUESTION_COLUMNS for part in (name, getattr(IntakeQuestion, name)))
    )
    questions = (
        select(func.jsonb_agg(aggregate_order_by(asked, IntakeQuestion.position, IntakeQuestion.id)))
        .where(
            IntakeQuestion.appointment_type_id == AppointmentType.id,
            IntakeQuestion.archived_at.is_(None),
        )
        .correlate(AppointmentType)
        .scalar_subquery()
    )
    return select(
        *(getattr(AppointmentType, name) for name in TYPE_COLUMNS),
        func.array(location_ids).label("location_ids"),
        qualified.label("qualified"),
        questions.label("questions"),
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


def rooms() -> Select[Any]:
    """Every room, place by place, in the order of its place."""
    return select(*(getattr(Room, name) for name in ROOM_COLUMNS)).order_by(
        Room.location_id, Room.position, Room.name, Room.id
    )


def questions() -> Select[Any]:
    """Every question in the order of its type."""
    return select(*(getattr(IntakeQuestion, name) for name in QUESTION_COLUMNS)).order_by(
        IntakeQuestion.appointment_type_id, IntakeQuestion.position, IntakeQuestion.id
    )


def travel_zones() -> Select[Any]:
    """Every travel zone in the school's order."""
    return select(*(getattr(TravelZone, name) for name in TRAVEL_ZONE_COLUMNS)).order_by(
        TravelZone.position, TravelZone.name, TravelZone.id
    )


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


def qualifications_of(member_id: uuid.UUID) -> Select[uuid.UUID, date | None]:
    """The types that are not archived and that this member is qualified for, in the school's order."""
    return (
        select(AppointmentType.id.label("appointment_type_id"), Qualification.expires_on)
        .join(Qualification, Qualification.appointment_type_id == AppointmentType.id)
        .where(Qualification.member_id == member_id, AppointmentType.archived_at.is_(None))
        .order_by(AppointmentType.position, AppointmentType.name, AppointmentType.id)
    )
