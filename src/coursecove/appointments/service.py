"""The verbs of this room, for other rooms and for portals."""

from __future__ import annotations

from coursecove.appointments.appointment_types import (
    archive_type,
    create_type,
    get_type,
    get_type_by_slug,
    list_types,
    restore_type,
    update_type,
)
from coursecove.appointments.locations import (
    archive_location,
    create_location,
    get_location,
    get_location_by_slug,
    list_locations,
    open_locations,
    restore_location,
    update_location,
)
from coursecove.appointments.qualifications import get_teacher, qualifications_of, set_qualifications

__all__ = [
    "archive_location",
    "archive_type",
    "create_location",
    "create_type",
    "get_location",
    "get_location_by_slug",
    "get_teacher",
    "get_type",
    "get_type_by_slug",
    "list_locations",
    "list_types",
    "open_locations",
    "qualifications_of",
    "restore_location",
    "restore_type",
    "set_qualifications",
    "update_location",
    "update_type",
]
