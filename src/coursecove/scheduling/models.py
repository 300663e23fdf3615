"""When instructors teach."""

from __future__ import annotations

import uuid

from sqlalchemy.orm import Mapped

from coursecove.db.base import Base, Identified


class WeeklyHours(Identified, Base):
    """One window of an instructor's week, in minutes of the local day of the instructor's zone."""

    __tablename__ = "weekly_hours"

    member_id: Mapped[uuid.UUID]
    weekday: Mapped[int]
    starts_minute: Mapped[int]
    ends_minute: Mapped[int]
    location_id: Mapped[uuid.UUID | None]
