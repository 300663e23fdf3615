"""The school and its people, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from litestar import Controller, get, patch
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.tenants import guards, service
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import (
    InstructorProfileUpdate,
    InstructorView,
    MemberUpdate,
    MemberView,
    OrganizationUpdate,
    OrganizationView,
    Role,
)


class OrganizationOut(Struct, frozen=True):
    """A school, for programs."""

    id: uuid.UUID
    slug: str
    name: str
    time_zone: str
    locale: str
    currency: str
    accent_color: str
    self_enrolment: bool


class InstructorOut(Struct, frozen=True):
    """An instructor as the public catalogue shows them."""

    id: uuid.UUID
    slug: str
    name: str
    bio: str
    time_zone: str
    image_url: str | None


class InstructorList(Struct, frozen=True):
    """All instructors of a school."""

    items: list[InstructorOut]


def _organization_out(view: OrganizationView) -> OrganizationOut:
    return OrganizationOut(
        view.id,
        view.slug,
        view.name,
        view.time_zone,
        view.locale,
        view.currency,
        view.accent_color,
        view.self_enrolment,
    )


def _instructor_out(view: InstructorView) -> InstructorOut:
    return InstructorOut(view.id, view.slug, view.name, view.bio, view.time_zone, view.image_url)


class OrganizationController(Controller):
    """The school of this host."""

    path = "/organization"
    tags = ["Organization"]
    dependencies = {"by": Provide(guards.as_admin)}

    @get(operation_id="get_organization", summary="The school")
    async def get_organization(self, session: NamedDependency[AsyncSession]) -> OrganizationOut:
        """Return the school of this host; anybody may ask."""
        return _organization_out(await service.get_organization(session))

    @patch(operation_id="update_organization", summary="Change the school")
    async def update_organization(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[OrganizationUpdate],
    ) -> OrganizationOut:
        """Change name, zone, currency, colour or enrolment; for admins."""
        changed = await service.update_organization(session, data, by=by)
        request.app.state.directory.forget_after_commit(session, changed.slug)
        return _organization_out(changed)


class MeController(Controller):
    """The signed-in person."""

    path = "/me"
    tags = ["Organization"]
    dependencies = {"by": Provide(guards.as_member)}

    @get(operation_id="get_me", summary="The signed-in member")
    async def get_me(self, by: NamedDependency[Member]) -> MemberView:
        """Return who the token belongs to, as a member of this school."""
        return service.member_view(by)


class MemberController(Controller):
    """People and their roles."""

    path = "/members"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_admin)}

    @get(operation_id="list_members", summary="The school's people")
    async def list_members(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        role: FromQuery[Role | None] = None,
        search: Annotated[str | None, QueryParameter(max_length=200)] = None,
        page: Annotated[int, QueryParameter(ge=1, le=100_000)] = 1,
        page_size: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> service.MemberPage:
        """Return a page of people by name; for admins."""
        del by
        return await service.list_members(session, role=role, search=search, page=page, page_size=page_size)

    @get("/{member_id:uuid}", operation_id="get_member", summary="One person")
    async def get_member(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
    ) -> MemberView:
        """Return one member; for admins."""
        del by
        return service.member_view(await service.get_member(session, member_id))

    @patch("/{member_id:uuid}", operation_id="update_member", summary="Change a role")
    async def update_member(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        data: JSONBody[MemberUpdate],
    ) -> MemberView:
        """Give a member another role in this school; for admins."""
        return await service.change_role(session, member_id, data.role, by=by)


class InstructorController(Controller):
    """Who teaches here."""

    path = "/instructors"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_staff)}

    @get(operation_id="list_instructors", summary="Who teaches here")
    async def list_instructors(self, session: NamedDependency[AsyncSession]) -> InstructorList:
        """Return all instructors by name; anybody may ask."""
        return InstructorList([_instructor_out(view) for view in await service.list_instructors(session)])

    @get("/{member_id:uuid}", operation_id="get_instructor", summary="One instructor")
    async def get_instructor(
        self, session: NamedDependency[AsyncSession], member_id: FromPath[uuid.UUID]
    ) -> InstructorOut:
        """Return one instructor; anybody may ask."""
        return _instructor_out(await service.get_instructor(session, member_id))

    @patch("/{member_id:uuid}", operation_id="update_instructor", summary="Change a profile")
    async def update_instructor(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        data: JSONBody[InstructorProfileUpdate],
    ) -> InstructorOut:
        """Change bio, zone or meeting link; for the instructor and for admins."""
        guards.check_self_or_admin(by, member_id)
        return _instructor_out(await service.update_instructor_profile(session, member_id, data, by=by))


API_CONTROLLERS: list[Any] = [OrganizationController, MeController, MemberController, InstructorController]
