"""Weekly hours as they come in and go out: ISO weekdays, minutes of the local day."""

from __future__ import annotations

import uuid
from typing import Annotated

from msgspec import Meta, Struct


class WindowView(Struct, frozen=True):
    """One window of an instructor's week, ``[starts_minute, ends_minute)`` in the instructor's zone."""

    weekday: int
    starts_minute: int
    ends_minute: int
    location_id: uuid.UUID | None


class WindowInput(Struct, forbid_unknown_fields=True):
    """A window to set; no location means wherever the lesson's type is taught."""

    weekday: Annotated[int, Meta(ge=1, le=7)]
    starts_minute: Annotated[int, Meta(ge=0, le=1439)]
    ends_minute: Annotated[int, Meta(ge=1, le=1440)]
    location_id: uuid.UUID | None = None
