"""Hours, dates that differ, time off, closures and opening hours, below /api/v1."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from litestar import Controller, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove import clock
from coursecove.appointments import service as appointments
from coursecove.scheduling import service
from coursecove.scheduling.schemas import (
    ClosureCreate,
    ClosureUpdate,
    ClosureView,
    DayWindowInput,
    OpeningWindowInput,
    OpeningWindowView,
    OverrideView,
    TimeOffCreate,
    TimeOffView,
    WindowInput,
    WindowView,
)
from coursecove.tenants import guards
from coursecove.tenants.models import Member

# What is asked for without a date: from yesterday (somewhere it still is) for a year.
_A_DAY, _A_YEAR = timedelta(days=1), timedelta(days=366)
FirstDay = Annotated[date | None, QueryParameter(name="from", description="The first day.")]
LastDay = Annotated[date | None, QueryParameter(name="until", description="The last day, included.")]


def _days(first: date | None, last: date | None) -> tuple[date, date]:
    today = clock.now().astimezone(UTC).date()
    return first or today - _A_DAY, last or today + _A_YEAR


class WeeklyHoursOut(Struct, frozen=True):
    """An instructor's week, from Monday on."""

    windows: list[WindowView]


class WeeklyHoursIn(Struct, forbid_unknown_fields=True):
    """An instructor's whole week; what is left out is no longer offered."""

    windows: list[WindowInput]


class DateOverrideList(Struct, frozen=True):
    """Dates that differ from the week, in order."""

    items: list[OverrideView]


class DateOverrideIn(Struct, forbid_unknown_fields=True):
    """The hours of one date instead of the week's; none is a day off."""

    windows: list[DayWindowInput]


class TimeOffList(Struct, frozen=True):
    """Time off, by its start."""

    items: list[TimeOffView]


class ClosureList(Struct, frozen=True):
    """Closures: first what is on or comes next, by its date, then the past, the latest first."""

    items: list[ClosureView]


class OpeningHoursOut(Struct, frozen=True):
    """When a location is open, from Monday on; no windows means always."""

    windows: list[OpeningWindowView]


class OpeningHoursIn(Struct, forbid_unknown_fields=True):
    """A location's whole week; no windows means always open."""

    windows: list[OpeningWindowInput]


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


class DateOverrideController(Controller):
    """Single dates that differ from the week, in the instructor's zone."""

    path = "/instructors/{member_id:uuid}/date-overrides"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_staff)}

    @get(
        operation_id="list_date_overrides",
        summary="Dates on which an instructor's hours differ",
        response_description="The dates with their windows.",
    )
    async def list_date_overrides(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        from_: FirstDay = None,
        until: LastDay = None,
    ) -> DateOverrideList:
        """Return the dates that differ, without dates given from yesterday for a year.

        For instructors and admins. A date without windows is a day off.
        """
        del by
        await appointments.get_teacher(session, member_id)
        first, last = _days(from_, until)
        return DateOverrideList(await service.overrides_of(session, member_id, from_=first, until=last))

    @put(
        "/{on_date:date}",
        operation_id="set_date_override",
        summary="Set an instructor's hours on one date",
        response_description="The date as it is now.",
    )
    async def set_date_override(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        on_date: FromPath[date],
        data: JSONBody[DateOverrideIn],
    ) -> OverrideView:
        """Replace the hours of a date, without windows by a day off; for the instructor and for admins.

        Lessons that are booked stay.
        """
        return await service.set_override(session, member_id, on_date, data.windows, by=by)

    @delete(
        "/{on_date:date}",
        operation_id="remove_date_override",
        summary="Let a date follow the week again",
        status_code=200,
        response_description="What the date was.",
    )
    async def remove_date_override(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        on_date: FromPath[date],
    ) -> OverrideView:
        """Give a date its weekly hours back; for the instructor and for admins."""
        return await service.remove_override(session, member_id, on_date, by=by)


class TimeOffController(Controller):
    """Time somebody is away, in instants."""

    path = "/instructors/{member_id:uuid}/time-off"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_staff)}

    @get(
        operation_id="list_time_off",
        summary="An instructor's time off",
        response_description="The time off, by its start.",
    )
    async def list_time_off(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        from_: FirstDay = None,
        until: LastDay = None,
    ) -> TimeOffList:
        """Return the time off that meets these days (of UTC), without dates given from yesterday for a year.

        For instructors and admins.
        """
        del by
        await appointments.get_teacher(session, member_id)
        first, last = _days(from_, until)
        items = await service.time_off_of(
            session,
            member_id,
            from_=datetime.combine(first, time.min, UTC),
            until=datetime.combine(last, time.max, UTC),
        )
        return TimeOffList(items)

    @post(
        operation_id="add_time_off",
        summary="Take time off",
        response_description="The time off.",
    )
    async def add_time_off(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        data: JSONBody[TimeOffCreate],
    ) -> TimeOffView:
        """Take an instructor off the calendar; for the instructor and for admins.

        Lessons that are booked stay.
        """
        return await service.add_time_off(session, member_id, data, by=by)

    @delete(
        "/{time_off_id:uuid}",
        operation_id="remove_time_off",
        summary="Take time off back",
        status_code=200,
        response_description="What it was.",
    )
    async def remove_time_off(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        time_off_id: FromPath[uuid.UUID],
    ) -> TimeOffView:
        """Put an instructor back on the calendar; for the instructor and for admins."""
        return await service.remove_time_off(session, member_id, time_off_id, by=by)


class ClosureController(Controller):
    """Days on which nothing is taught, at one location or at the whole school."""

    path = "/closures"
    tags = ["Catalogue"]

    @get(
        operation_id="list_closures",
        summary="When the school is closed",
        response_description="The closures.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def list_closures(
        self, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> ClosureList:
        """Return all closures; for instructors and admins."""
        del by
        return ClosureList(await service.list_closures(session))

    @post(
        operation_id="add_closure",
        summary="Close for some days",
        response_description="The new closure.",
        dependencies={"by": Provide(guards.as_admin)},
    )
    async def add_closure(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[ClosureCreate],
    ) -> ClosureView:
        """Close a location or the whole school; for admins. Lessons that are booked stay."""
        return await service.add_closure(session, data, by=by)

    @get(
        "/{closure_id:uuid}",
        operation_id="get_closure",
        summary="One closure",
        response_description="The closure.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def get_closure(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        closure_id: FromPath[uuid.UUID],
    ) -> ClosureView:
        """Return one closure; for instructors and admins."""
        del by
        return await service.get_closure(session, closure_id)

    @patch(
        "/{closure_id:uuid}",
        operation_id="change_closure",
        summary="Change a closure",
        response_description="The closure as it is now.",
        dependencies={"by": Provide(guards.as_admin)},
    )
    async def change_closure(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        closure_id: FromPath[uuid.UUID],
        data: JSONBody[ClosureUpdate],
    ) -> ClosureView:
        """Change what is given; for admins. Lessons that are booked stay."""
        return await service.change_closure(session, closure_id, data, by=by)

    @delete(
        "/{closure_id:uuid}",
        operation_id="remove_closure",
        summary="Remove a closure",
        status_code=200,
        response_description="What it was.",
        dependencies={"by": Provide(guards.as_admin)},
    )
    async def remove_closure(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        closure_id: FromPath[uuid.UUID],
    ) -> ClosureView:
        """Open again on these days; for admins."""
        return await service.remove_closure(session, closure_id, by=by)


class OpeningHoursController(Controller):
    """When a location is open, in minutes of its local day."""

    path = "/locations/{location_id:uuid}/opening-hours"
    tags = ["Catalogue"]

    @get(
        operation_id="get_opening_hours",
        summary="When a location is open",
        response_description="The windows of the week.",
    )
    async def get_opening_hours(
        self, session: NamedDependency[AsyncSession], location_id: FromPath[uuid.UUID]
    ) -> OpeningHoursOut:
        """Return the opening hours; anybody may ask. No windows means always open."""
        await appointments.get_location(session, location_id)
        return OpeningHoursOut(await service.opening_hours_of(session, location_id))

    @put(
        operation_id="replace_opening_hours",
        summary="Set when a location is open",
        response_description="The windows as they are now.",
        dependencies={"by": Provide(guards.as_admin)},
    )
    async def replace_opening_hours(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
        data: JSONBody[OpeningHoursIn],
    ) -> OpeningHoursOut:
        """Replace the whole week; for admins. A problem's `fields` are keyed by weekday (`monday` …)."""
        return OpeningHoursOut(await service.replace_opening_hours(session, location_id, data.windows, by=by))


API_CONTROLLERS: list[Any] = [
    WeeklyHoursController,
    DateOverrideController,
    TimeOffController,
    ClosureController,
    OpeningHoursController,
]
