"""The catalogue as parts of a larger read (:mod:`coursecove.db.together`)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from coursecove.appointments import queries
from coursecove.appointments.models import AppointmentType
from coursecove.appointments.schemas import LocationView, QuestionView, RoomView
from coursecove.db.together import Part, row_of, rows

# A row per type with its open locations, its qualified and its questions.
_COLUMNS = ", ".join(f"appointment_types.{name}" for name in queries.TYPE_COLUMNS)
_ASKED = ", ".join(f"'{name}', {name}" for name in queries.QUESTION_COLUMNS)
_TYPES = f"""
select {_COLUMNS},
  coalesce((
    select json_agg(taught.location_id order by locations.name, locations.id)
    from appointment_type_locations taught
    join locations on locations.organization_id = taught.organization_id and locations.id = taught.location_id
    where taught.organization_id = appointment_types.organization_id
      and taught.appointment_type_id = appointment_types.id and locations.archived_at is null
  ), '[]') as location_ids,
  coalesce((
    select json_object_agg(member_id, expires_on) from qualifications
    where qualifications.organization_id = appointment_types.organization_id
      and appointment_type_id = appointment_types.id
  ), '{{}}') as qualified,
  coalesce((
    select json_agg(json_build_object({_ASKED}) order by intake_questions.position, intake_questions.id)
    from intake_questions
    where intake_questions.organization_id = appointment_types.organization_id
      and appointment_type_id = appointment_types.id and intake_questions.archived_at is null
  ), '[]') as questions
from appointment_types
"""  # noqa: S608 - names of columns
_IN_ORDER = " order by position, name, id"
_LOCATIONS = f"select {', '.join(queries.LOCATION_COLUMNS)} from locations"  # noqa: S608 - names of columns
_ROOMS = f"select {', '.join(queries.ROOM_COLUMNS)} from rooms where archived_at is null"  # noqa: S608 - names of columns


class TypeRow(Struct, kw_only=True):
    """A type as it is stored (every column of ``queries.TYPE_COLUMNS``), with what belongs to it.

    Its view needs the school and its people too.
    """

    location_ids: list[uuid.UUID]
    qualified: dict[uuid.UUID, date | None]
    questions: list[QuestionView]


_TypeRow = row_of(AppointmentType, *queries.TYPE_COLUMNS, base=TypeRow)


def type_row(row: Mapping[str, Any]) -> TypeRow:
    """Return the same from a row of ``queries.types()``."""
    found: TypeRow = msgspec.convert(
        {
            **row,
            "location_ids": row["location_ids"] or [],
            "qualified": row["qualified"] or {},
            "questions": row["questions"] or [],
        },
        _TypeRow,
    )
    return found


def types(where: str, **values: Any) -> Part[list[TypeRow]]:
    """The types for which ``where``, a condition on ``appointment_types``, holds, in the school's order."""
    return rows(f"{_TYPES} where {where}{_IN_ORDER}", _TypeRow, **values)


def locations() -> Part[list[LocationView]]:
    """Every place by name, the archived ones too."""
    return rows(f"{_LOCATIONS} order by name, id", LocationView)


def rooms_of_locations(location_ids: list[uuid.UUID] | None) -> Part[list[RoomView]]:
    """The open rooms of these places (None: of all), place by place, each in its own order."""
    where = "" if location_ids is None else " and location_id = any(%(room_location_ids)s)"
    return rows(
        f"{_ROOMS}{where} order by location_id, position, name, id",
        RoomView,
        room_location_ids=location_ids,
    )
