"""Who is qualified for what, below /api/v1."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from litestar import Controller, get, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service
from coursecove.appointments.schemas import LapsingQualification, QualificationView
from coursecove.tenants import guards
from coursecove.tenants.models import Member


class QualificationsOut(Struct, frozen=True):
    """The appointment types an instructor is qualified for: their ids, and the same with their last days."""

    appointment_type_ids: list[uuid.UUID]
    qualifications: list[QualificationView]


class QualificationsIn(Struct, forbid_unknown_fields=True):
    """All an instructor may teach from now on."""

    appointment_type_ids: list[uuid.UUID]


class QualificationExpiry(Struct, forbid_unknown_fields=True):
    """The last day a qualification holds, in the school's zone; null: it does not end."""

    expires_on: date | None


class LapseList(Struct, frozen=True):
    """Qualifications that end, the earliest first."""

    items: list[LapsingQualification]


class QualificationController(Controller):
    """Who is qualified for what."""

    path = "/instructors/{member_id:uuid}/qualifications"
    tags = ["People"]

    @get(
        operation_id="get_qualifications",
        summary="What an instructor may teach",
        response_description="The ids of appointment types.",
        dependencies={"by": Provide(guards.as_staff)},
    )
    async def get_qualifications(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for staff
        member_id: FromPath[uuid.UUID],
    ) -> QualificationsOut:
        """Return what an instructor may teach, drafts included; for instructors and admins."""
        await service.get_teacher(session, member_id)
        return await _qualifications(session, member_id)

    @put(
        operation_id="set_qualifications",
        summary="Say what an instructor may teach",
        response_description="The ids of appointment types as they are now.",
        dependencies={"by": Provide(guards.as_admin)},
    )
    async def set_qualifications(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        data: JSONBody[QualificationsIn],
    ) -> QualificationsOut:
        """Replace all qualifications of an instructor; lessons already booked stay.  For admins.

        What stays keeps the day it ends on.
        """
        await service.set_qualifications(session, member_id, data.appointment_type_ids, by=by)
        return await _qualifications(session, member_id)

    @put(
        "/{type_id:uuid}",
        operation_id="set_qualification_expiry",
        summary="Say until when an instructor may teach a type",
        response_description="The qualification as it is now.",
        dependencies={"by": Provide(guards.as_admin)},
    )
    async def set_qualification_expiry(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        type_id: FromPath[uuid.UUID],
        data: JSONBody[QualificationExpiry],
    ) -> QualificationView:
        """Set the last day, or null for none; nothing is booked after it, what is booked stays.  For admins."""
        return await service.set_qualification_expiry(session, member_id, type_id, data.expires_on, by=by)


class LapseController(Controller):
    """Qualifications that need somebody's attention."""

    path = "/lapsing-qualifications"
    tags = ["People"]

    @get(
        operation_id="list_lapsing_qualifications",
        summary="Qualifications that end soon",
        response_description="Those that have ended or end within the days asked for, the earliest first.",
        dependencies={"by": Provide(guards.as_admin)},
    )
    async def list_lapsing_qualifications(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],  # noqa: ARG002 - asks for an admin
        within_days: Annotated[int, QueryParameter(ge=0, le=365)] = 30,
    ) -> LapseList:
        """Return the qualifications of people who teach here whose last day is near or over; for admins."""
        return LapseList(await service.lapsing_qualifications(session, within_days=within_days))


async def _qualifications(session: AsyncSession, member_id: uuid.UUID) -> QualificationsOut:
    held = await service.qualifications_with_expiry(session, member_id)
    return QualificationsOut([one.appointment_type_id for one in held], held)
