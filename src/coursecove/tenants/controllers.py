"""The school and its people, below /api/v1."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.idempotency import IdempotencyKey, respond_once
from coursecove.tenants import guards, service
from coursecove.tenants.activity_controller import ActivityController
from coursecove.tenants.family import ChildCreate, ChildList, ChildUpdate, ChildView
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.invitation_controller import InvitationController
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import (
    InstructorProfileUpdate,
    InstructorView,
    MemberUpdate,
    MemberView,
    OrganizationUpdate,
    OrganizationView,
    PreferencesUpdate,
    PreferencesView,
    Role,
)

# A picture of the largest size in base64, and what stands around it.
MAX_PICTURE_BODY_BYTES = 3_000_000


class OrganizationOut(Struct, frozen=True):
    """A school, for programs."""

    id: uuid.UUID
    slug: str
    name: str
    time_zone: str
    locale: str
    currency: str
    accent_color: str
    logo_url: str | None
    self_enrolment: bool
    policy_text: str
    default_minimum_notice_minutes: int
    default_cancellation_notice_minutes: int
    default_reschedule_notice_minutes: int
    default_travel_minutes: int
    reminder_minutes: list[int]
    waitlist_offer_minutes: int


class PictureUpload(Struct, forbid_unknown_fields=True):
    """A picture to store: PNG, JPEG or WebP, in base64."""

    content: bytes


class InstructorOut(Struct, frozen=True):
    """An instructor as the public catalogue shows them."""

    id: uuid.UUID
    slug: str
    name: str
    bio: str
    time_zone: str
    image_url: str | None
    languages: list[str]


class InstructorList(Struct, frozen=True):
    """All instructors of a school."""

    items: list[InstructorOut]


def _organization_out(view: OrganizationView) -> OrganizationOut:
    return OrganizationOut(**{name: getattr(view, name) for name in OrganizationOut.__struct_fields__})


def _instructor_out(view: InstructorView) -> InstructorOut:
    return InstructorOut(**{name: getattr(view, name) for name in InstructorOut.__struct_fields__})


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
        """Change name, zone, language, currency, colour, enrolment or policies; for admins."""
        changed = await service.update_organization(session, data, by=by)
        request.app.state.directory.forget_after_commit(session, changed.slug)
        return _organization_out(changed)

    @put(
        "/logo",
        operation_id="set_logo",
        summary="Upload a logo",
        request_max_body_size=MAX_PICTURE_BODY_BYTES,
    )
    async def set_logo(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[PictureUpload],
    ) -> OrganizationOut:
        """Show a picture of at most 1 MB as the school's logo; for admins."""
        changed = await service.set_logo(session, data.content, by=by, field="content")
        request.app.state.directory.forget_after_commit(session, changed.slug)
        return _organization_out(changed)

    @delete("/logo", operation_id="remove_logo", summary="Remove the logo", status_code=200)
    async def remove_logo(
        self, request: AnyRequest, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> OrganizationOut:
        """Take the uploaded logo away; for admins."""
        changed = await service.remove_logo(session, by=by)
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

    @get("/preferences", operation_id="get_my_preferences", summary="One's preferences")
    async def get_preferences(
        self, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> PreferencesView:
        """Return how the signed-in member wants to read and be written to; null: as the school does it."""
        return await service.get_preferences(session, by.id)

    @patch("/preferences", operation_id="update_my_preferences", summary="Change one's preferences")
    async def update_preferences(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[PreferencesUpdate],
    ) -> PreferencesView:
        """Change zone, language, reminders (minutes before a lesson) or notices of clock changes."""
        return await service.update_preferences(session, data, by=by)


class ChildController(Controller):
    """The children of whoever is signed in; taking one out is with the lessons."""

    path = "/me/children"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_member)}

    @get(operation_id="list_children", summary="Your children", response_description="Your children, by name.")
    async def list_children(
        self, session: NamedDependency[AsyncSession], by: NamedDependency[Member]
    ) -> ChildList:
        """Return the children you book for."""
        return ChildList(await service.list_children(session, guardian=by))

    @post(
        operation_id="add_child",
        summary="Add a child",
        response_description="The child; its id goes into `student_id` of a booking.",
    )
    async def add_child(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        data: JSONBody[ChildCreate],
        idempotency_key: IdempotencyKey = None,
    ) -> Response[ChildView]:
        """Take a child into the school, without an account; you book for it and get its mail."""
        return await respond_once(
            request, session, idempotency_key, lambda: service.add_child(session, data, by=by), member_id=by.id
        )

    @get("/{child_id:uuid}", operation_id="get_child", summary="One child", response_description="The child.")
    async def get_child(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        child_id: FromPath[uuid.UUID],
    ) -> ChildView:
        """Return one of your children; 404 for everybody else's."""
        return await service.get_child(session, child_id, guardian=by)

    @patch(
        "/{child_id:uuid}",
        operation_id="update_child",
        summary="Change a child",
        response_description="The child.",
    )
    async def update_child(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        child_id: FromPath[uuid.UUID],
        data: JSONBody[ChildUpdate],
    ) -> ChildView:
        """Change the name or the year of birth of one of your children."""
        return await service.change_child(session, child_id, data, by=by)


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
        status: FromQuery[service.MemberStatus | None] = None,
        order: FromQuery[service.MemberOrder] = "name",
        page: Annotated[int, QueryParameter(ge=1, le=100_000)] = 1,
        page_size: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> service.MemberPage:
        """Return a page of people, of one status or all; for admins."""
        del by
        return await service.list_members(
            session, role=role, search=search, status=status, order=order, page=page, page_size=page_size
        )

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

    @patch("/{member_id:uuid}", operation_id="update_member", summary="Change a role, shut out, let in")
    async def update_member(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        data: JSONBody[MemberUpdate],
    ) -> MemberView:
        """Give a member another role in this school, shut them out or let them in again; for admins."""
        if data.role is not UNSET:
            await service.change_role(session, member_id, data.role, by=by)
        if data.deactivated is not UNSET:
            verb = service.deactivate_member if data.deactivated else service.reactivate_member
            return await verb(session, member_id, by=by)
        return service.member_view(await service.get_member(session, member_id))


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
        """Change bio, languages, zone, meeting link or limits; for the instructor and for admins."""
        guards.check_self_or_admin(by, member_id)
        return _instructor_out(await service.update_instructor_profile(session, member_id, data, by=by))

    @put(
        "/{member_id:uuid}/photo",
        operation_id="set_photo",
        summary="Upload a photo",
        request_max_body_size=MAX_PICTURE_BODY_BYTES,
    )
    async def set_photo(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
        data: JSONBody[PictureUpload],
    ) -> InstructorOut:
        """Show a picture of at most 1 MB as the instructor's photo; for the instructor and for admins."""
        guards.check_self_or_admin(by, member_id)
        return _instructor_out(
            await service.set_photo(session, member_id, data.content, by=by, field="content")
        )

    @delete("/{member_id:uuid}/photo", operation_id="remove_photo", summary="Remove a photo", status_code=200)
    async def remove_photo(
        self,
        session: NamedDependency[AsyncSession],
        by: NamedDependency[Member],
        member_id: FromPath[uuid.UUID],
    ) -> InstructorOut:
        """Take the uploaded photo away; for the instructor and for admins."""
        guards.check_self_or_admin(by, member_id)
        return _instructor_out(await service.remove_photo(session, member_id, by=by))


API_CONTROLLERS: list[Any] = [
    OrganizationController,
    MeController,
    ChildController,
    MemberController,
    InvitationController,
    InstructorController,
    ActivityController,
]
