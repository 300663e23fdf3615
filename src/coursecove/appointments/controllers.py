"""The catalogue, below /api/v1."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any, Literal

from litestar import Controller, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.appointments import service
from coursecove.appointments.schemas import (
    AppointmentTypeCreate,
    AppointmentTypeUpdate,
    AppointmentTypeView,
    LocationCreate,
    LocationUpdate,
    LocationView,
)
from coursecove.errors import Forbidden, NotFound, Unauthenticated
from coursecove.tenants import guards
from coursecove.tenants.models import Member

Viewer = NamedDependency[Member | None]

_GUARDS = {"by": Provide(guards.as_admin), "viewer": Provide(guards.maybe_member)}


class AppointmentTypeList(Struct, frozen=True):
    """Appointment types in the school's order."""

    items: list[AppointmentTypeView]


class LocationList(Struct, frozen=True):
    """Locations by name."""

    items: list[LocationView]


class QualificationsOut(Struct, frozen=True):
    """The ids of the appointment types an instructor is qualified for."""

    appointment_type_ids: list[uuid.UUID]


class QualificationsIn(Struct, forbid_unknown_fields=True):
    """All an instructor may teach from now on."""

    appointment_type_ids: list[uuid.UUID]


def _is_admin(viewer: Member | None) -> bool:
    return viewer is not None and viewer.role == "admin"


def _check_may_include(viewer: Member | None, include: Collection[str]) -> None:
    if not include or _is_admin(viewer):
        return
    if viewer is None:
        raise Unauthenticated("Sign in as an admin to see what is not offered to the public.")
    raise Forbidden("What is not offered to the public is for the school's admins.")


class AppointmentTypeController(Controller):
    """What can be booked, and under which rules."""

    path = "/appointment-types"
    tags = ["Catalogue"]
    dependencies = _GUARDS

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
        """Return what is offered now; anybody may ask.

        Admins may add drafts and archived types: `?include=unpublished&include=archived`.
        """
        wanted = include or []
        _check_may_include(viewer, wanted)
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
        self, session: NamedDependency[AsyncSession], viewer: Viewer, type_id: FromPath[uuid.UUID]
    ) -> AppointmentTypeView:
        """Return one type: to anybody what is offered now, to admins drafts and archived ones too."""
        found = await service.get_type(session, type_id)
        offered = found.published_at is not None and found.archived_at is None
        if not offered and not _is_admin(viewer):
            # The words of the service for an unknown id: a draft is not to be guessed at.
            raise NotFound("There is no such appointment type at this school.")
        return found

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


class LocationController(Controller):
    """The places of the school."""

    path = "/locations"
    tags = ["Catalogue"]
    dependencies = _GUARDS

    @get(
        operation_id="list_locations",
        summary="Where lessons take place",
        response_description="The locations by name.",
    )
    async def list_locations(
        self,
        session: NamedDependency[AsyncSession],
        viewer: Viewer,
        include: FromQuery[list[Literal["archived"]] | None] = None,
    ) -> LocationList:
        """Return the open locations; anybody may ask.  Admins may add archived ones: `?include=archived`."""
        wanted = include or []
        _check_may_include(viewer, wanted)
        return LocationList(await service.list_locations(session, include_archived="archived" in wanted))

    @post(
        operation_id="create_location",
        summary="Add a location",
        response_description="The new location.",
    )
    async def create_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[LocationCreate],
    ) -> LocationView:
        """Add a location, in the school's time zone unless another is sent; for admins."""
        return await service.create_location(session, data, by=by)

    @get(
        "/{location_id:uuid}",
        operation_id="get_location",
        summary="One location",
        response_description="The location.",
    )
    async def get_location(
        self, session: NamedDependency[AsyncSession], viewer: Viewer, location_id: FromPath[uuid.UUID]
    ) -> LocationView:
        """Return one location: to anybody an open one, to admins archived ones too."""
        found = await service.get_location(session, location_id)
        if found.archived_at is not None and not _is_admin(viewer):
            raise NotFound("There is no such location at this school.")
        return found

    @patch(
        "/{location_id:uuid}",
        operation_id="update_location",
        summary="Change a location",
        response_description="The location as it is now.",
    )
    async def update_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
        data: JSONBody[LocationUpdate],
    ) -> LocationView:
        """Change what is sent, keep the rest; for admins."""
        return await service.update_location(session, location_id, data, by=by)

    @post(
        "/{location_id:uuid}/archival",
        operation_id="archive_location",
        summary="Archive a location",
        response_description="The archived location.",
        status_code=200,
    )
    async def archive_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
    ) -> LocationView:
        """Offer a location no longer; booked lessons stay.  For admins.

        Refused with `location_in_use` while it is the only place of a published lesson.
        """
        return await service.archive_location(session, location_id, by=by)

    @delete(
        "/{location_id:uuid}/archival",
        operation_id="restore_location",
        summary="Restore a location",
        response_description="The restored location.",
        status_code=200,
    )
    async def restore_location(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        location_id: FromPath[uuid.UUID],
    ) -> LocationView:
        """Offer an archived location again, for the same lessons as before; for admins."""
        return await service.restore_location(session, location_id, by=by)


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
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
    ) -> QualificationsOut:
        """Return what an instructor may teach, drafts included; for instructors and admins."""
        del by
        await service.get_teacher(session, member_id)
        return QualificationsOut(await service.qualifications_of(session, member_id))

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
        """Replace all qualifications of an instructor; lessons already booked stay.  For admins."""
        return QualificationsOut(
            await service.set_qualifications(session, member_id, data.appointment_type_ids, by=by)
        )


API_CONTROLLERS: list[Any] = [AppointmentTypeController, LocationController, QualificationController]
