"""Weekly hours, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Any

from litestar import Controller, get, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service as appointments
from coursecove.scheduling import service
from coursecove.scheduling.schemas import WindowInput, WindowView
from coursecove.tenants import guards
from coursecove.tenants.models import Member


class WeeklyHoursOut(Struct, frozen=True):
    """An instructor's week, from Monday on."""

    windows: list[WindowView]


class WeeklyHoursIn(Struct, forbid_unknown_fields=True):
    """An instructor's whole week; what is left out is no longer offered."""

    windows: list[WindowInput]


class WeeklyHoursController(Controller):
    """When somebody teaches, in minutes of the local day of the instructor's zone."""

    path = "/instructors/{member_id:uuid}/weekly-hours"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_staff)}

    @get(
        operation_id="get_weekly_hours",
        summary="An instructor's weekly hours",
        response_description="The windows of the week.",
    )
    async def get_weekly_hours(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
    ) -> WeeklyHoursOut:
        """Return the windows of a week; for instructors and admins."""
        del by
        await appointments.get_teacher(session, member_id)
        return WeeklyHoursOut(await service.hours_of(session, member_id))

    @put(
        operation_id="replace_weekly_hours",
        summary="Set an instructor's weekly hours",
        response_description="The windows as they are now.",
    )
    async def replace_weekly_hours(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        data: JSONBody[WeeklyHoursIn],
    ) -> WeeklyHoursOut:
        """Replace the whole week; for the instructor and for admins.

        A problem's `fields` are keyed by weekday (`monday` …).
        """
        return WeeklyHoursOut(await service.replace_hours(session, member_id, data.windows, by=by))


API_CONTROLLERS: list[Any] = [WeeklyHoursController]
