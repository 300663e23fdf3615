"""Invitations below /api/v1: who has been asked in and has not answered yet."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import Invalid
from coursecove.resources import Resources
from coursecove.tenants import guards, invitations
from coursecove.tenants.guards import AnyRequest
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView, Role


class InvitationCreate(Struct, forbid_unknown_fields=True):
    """Whom to invite, and as what."""

    emails: Annotated[list[Annotated[str, Meta(max_length=320)]], Meta(max_length=invitations.MOST_AT_ONCE)]
    role: Role


class InvitationController(Controller):
    """People who have been invited; Clerk sends the mails and knows who accepted."""

    path = "/invitations"
    tags = ["People"]
    dependencies = {"by": Provide(guards.as_admin)}

    @get(operation_id="list_invitations", summary="Pending invitations")
    async def list_invitations(
        self,
        request: AnyRequest,
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        page: Annotated[int, QueryParameter(ge=1, le=10_000)] = 1,
        page_size: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    ) -> invitations.InvitationPage:
        """Return a page of invitations that have not been answered, the latest first; for admins."""
        del by
        return await invitations.list_invitations(
            _resources(request), organization, page=page, page_size=page_size
        )

    @post(operation_id="invite_people", summary="Invite people")
    async def invite(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        data: JSONBody[InvitationCreate],
    ) -> invitations.Invited:
        """Invite up to 50 addresses and say of each what became of it; for admins.

        422 with `refused` when none could be invited.
        """
        result = await invitations.invite(
            session, _resources(request), organization, data.emails, data.role, by=by
        )
        if not result.invited:
            raise Invalid(
                fields={"emails": result.refused[0].message},
                extra={"refused": [{"email": r.email, "code": r.code} for r in result.refused]},
            )
        return result

    @post(
        "/{invitation_id:str}/resending",
        operation_id="resend_invitation",
        summary="Send an invitation again",
        status_code=200,
    )
    async def resend(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        invitation_id: FromPath[str],
    ) -> invitations.InvitationView:
        """Send a new link with a new term in place of the old one; the invitation gets another id."""
        return await invitations.resend_invitation(
            session, _resources(request), organization, invitation_id, by=by
        )

    @delete(
        "/{invitation_id:str}",
        operation_id="revoke_invitation",
        summary="Take an invitation back",
        status_code=200,
    )
    async def revoke(
        self,
        request: AnyRequest,
        session: NamedDependency[AsyncSession],
        organization: NamedDependency[OrganizationView],
        by: NamedDependency[Member],
        invitation_id: FromPath[str],
    ) -> invitations.InvitationView:
        """Take a pending invitation back; its link leads nowhere any more."""
        return await invitations.revoke_invitation(
            session, _resources(request), organization, invitation_id, by=by
        )


def _resources(request: AnyRequest) -> Resources:
    resources: Resources = request.app.state.resources
    return resources
