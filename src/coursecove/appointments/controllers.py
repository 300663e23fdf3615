"""The catalogue, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from litestar import Controller, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service
from coursecove.appointments.place_controllers import LocationController, RoomController, TravelZoneController
from coursecove.appointments.qualification_controllers import LapseController, QualificationController
from coursecove.appointments.question_controllers import QuestionController, QuestionsOfTypeController
from coursecove.appointments.schemas import AppointmentTypeCreate, AppointmentTypeUpdate, AppointmentTypeView
from coursecove.appointments.viewing import GUARDS, Viewer, as_shown, check_may_include, is_admin
from coursecove.tenants.models import Member


class AppointmentTypeList(Struct, frozen=True):
    """Appointment types in the school's order."""

    items: list[AppointmentTypeView]


class TypeOrder(Struct, forbid_unknown_fields=True):
    """Appointment types in the order they are to have."""

    appointment_type_ids: list[uuid.UUID]


class AppointmentTypeController(Controller):
    """What can be booked, and under which rules."""

    path = "/appointment-types"
    tags = ["Catalogue"]
    dependencies = GUARDS

    @get(
        operation_id="list_appointment_types",
        summary="What can be booked",
        response_description="The appointment types in the school's order.",
    )
    async def list_appointment_types(
        self,
        session: NamedDependency[AsyncSession],
        viewer: Viewer,
        include: FromQuery[list[Literal["unpublished", "archived"]] | None] = None,
    ) -> AppointmentTypeList:
        """Return what the asker is offered: what is public to anybody, what is for members to those.

        What is shared by link is listed for the school's staff alone.  Admins may
        add drafts and archived types: `?include=unpublished&include=archived`.
        """
        wanted = include or []
        check_may_include(viewer, wanted)
        if not wanted:
            offered = await service.offered_types(session, viewer=viewer)
            return AppointmentTypeList([as_shown(viewer, type_) for type_ in offered])
        return AppointmentTypeList(
            await service.list_types(
                session,
                include_unpublished="unpublished" in wanted,
                include_archived="archived" in wanted,
            )
        )

    @post(
        operation_id="create_appointment_type",
        summary="Add an appointment type",
        response_description="The new appointment type.",
    )
    async def create_appointment_type(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[AppointmentTypeCreate],
    ) -> AppointmentTypeView:
        """Add a type at the end of the catalogue; for admins."""
        return await service.create_type(session, data, by=by)

    @get(
        "/{type_id:uuid}",
        operation_id="get_appointment_type",
        summary="One appointment type",
        response_description="The appointment type.",
    )
    async def get_appointment_type(
        self,
        session: NamedDependency[AsyncSession],
        viewer: Viewer,
        type_id: FromPath[uuid.UUID],
        key: FromQuery[str | None] = None,
    ) -> AppointmentTypeView:
        """Return one type: what is offered to the asker, to instructors drafts and to admins everything.

        What is shared by link is found with the key of its address.
        """
        if is_admin(viewer):
            return await service.get_type(session, type_id)
        return as_shown(viewer, await service.get_offered_type(session, type_id, viewer=viewer, key=key))

    @patch(
        "/{type_id:uuid}",
        operation_id="update_appointment_type",
        summary="Change an appointment type",
        response_description="The appointment type as it is now.",
    )
    async def update_appointment_type(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        type_id: FromPath[uuid.UUID],
        data: JSONBody[AppointmentTypeUpdate],
    ) -> AppointmentTypeView:
        """Change what is sent, keep the rest; booked lessons keep what they promised.  For admins."""
        return await service.update_type(session, type_id, data, by=by)

    @post(
        "/{type_id:uuid}/archival",
        operation_id="archive_appointment_type",
        summary="Archive an appointment type",
        response_description="The archived appointment type.",
        status_code=200,
    )
    async def archive_appointment_type(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        type_id: FromPath[uuid.UUID],
    ) -> AppointmentTypeView:
        """Offer a type no longer; booked lessons stay.  For admins."""
        return await service.archive_type(session, type_id, by=by)

    @delete(
        "/{type_id:uuid}/archival",
        operation_id="restore_appointment_type",
        summary="Restore an appointment type",
        response_description="The restored appointment type.",
        status_code=200,
    )
    async def restore_appointment_type(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        type_id: FromPath[uuid.UUID],
    ) -> AppointmentTypeView:
        """Offer an archived type again, as a draft if its last location is archived.  For admins."""
        return await service.restore_type(session, type_id, by=by)

    @put(
        "/order",
        operation_id="reorder_appointment_types",
        summary="Put appointment types in order",
        response_description="The whole catalogue in its order, drafts and archived ones included.",
    )
    async def reorder_appointment_types(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[TypeOrder],
    ) -> AppointmentTypeList:
        """Put the given types in this order, in the places they have together; others stay.  For admins."""
        return AppointmentTypeList(await service.reorder_types(session, data.appointment_type_ids, by=by))

    @post(
        "/{type_id:uuid}/duplicates",
        operation_id="duplicate_appointment_type",
        summary="Duplicate an appointment type",
        response_description="The copy, a draft.",
    )
    async def duplicate_appointment_type(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        type_id: FromPath[uuid.UUID],
    ) -> AppointmentTypeView:
        """Make a draft with the same rules, places, questions and instructors.  For admins."""
        return await service.duplicate_type(session, type_id, by=by)

    @post(
        "/{type_id:uuid}/link",
        operation_id="renew_appointment_type_link",
        summary="Renew the link of an appointment type",
        response_description="The appointment type with its new key.",
        status_code=200,
    )
    async def renew_appointment_type_link(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        type_id: FromPath[uuid.UUID],
    ) -> AppointmentTypeView:
        """Give a type that is seen by link another key; the old address leads nowhere then.  For admins."""
        return await service.renew_link(session, type_id, by=by)


API_CONTROLLERS: list[Any] = [
    AppointmentTypeController,
    QuestionsOfTypeController,
    QuestionController,
    LocationController,
    RoomController,
    TravelZoneController,
    QualificationController,
    LapseController,
]
