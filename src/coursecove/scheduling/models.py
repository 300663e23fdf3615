"""When instructors teach."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from coursecove.db.base import Base, Identified, OrganizationKey


class WeeklyHours(Identified, Base):
    """One window of an instructor's week, in minutes of the local day of the instructor's zone."""

    __tablename__ = "weekly_hours"

    member_id: Mapped[uuid.UUID]
    weekday: Mapped[int]
    starts_minute: Mapped[int]
    ends_minute: Mapped[int]
    location_id: Mapped[uuid.UUID | None]


class LocationHours(Identified, Base):
    """One window in which a place is open, in minutes of its local day; a place without any is always open."""

    __tablename__ = "location_hours"

    location_id: Mapped[uuid.UUID]
    weekday: Mapped[int]
    starts_minute: Mapped[int]
    ends_minute: Mapped[int]


class Closure(Identified, Base):
    """Whole local days, both included, on which nothing is taught at a location (None: at the whole school)."""

    __tablename__ = "closures"

    location_id: Mapped[uuid.UUID | None]
    name: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    yearly: Mapped[bool] = mapped_column(default=False)


class DateOverride(OrganizationKey, Base):
    """A local date on which an instructor's windows replace those of the week; without windows a day off."""

    __tablename__ = "date_overrides"

    member_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    on_date: Mapped[date] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DateOverrideWindow(Identified, Base):
    """One window of an overridden date, in minutes of the local day of the instructor's zone."""

    __tablename__ = "date_override_windows"

    member_id: Mapped[uuid.UUID]
    on_date: Mapped[date]
    starts_minute: Mapped[int]
    ends_minute: Mapped[int]
    location_id: Mapped[uuid.UUID | None]


class TimeOff(Identified, Base):
    """An instructor is away in [starts_at, ends_at).  ``reason`` is for colleagues."""

    __tablename__ = "time_off"

    member_id: Mapped[uuid.UUID]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(default="")
    created_by_id: Mapped[uuid.UUID]
