"""Who may call a handler: dependencies that yield the member, or refuse.

A handler asks for ``by``; its controller says with which of these.  The
membership is read in the request's own unit of work every time, so somebody
who was removed a second ago is out.
"""

from __future__ import annotations

import uuid
from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import Forbidden, Unauthenticated
from coursecove.i18n import _
from coursecove.identity.authentication import SignedIn, SignedOut
from coursecove.tenants.errors import Deactivated, NotAMember
from coursecove.tenants.models import Member
from coursecove.tenants.service import is_deactivated, member_view, recognise_with_zone

AnyRequest = Request[Any, Any, Any]


def identity_of(request: AnyRequest) -> SignedIn | SignedOut:
    """Return what authentication found; the host middleware has put it there."""
    identity: SignedIn | SignedOut = request.scope["state"]["identity"]
    return identity


async def maybe_member(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Member | None:
    """Yield the signed-in member of this school, or None for visitors and strangers."""
    identity = identity_of(request)
    if isinstance(identity, SignedOut):
        return None
    member, zone = await recognise_with_zone(session, identity.claims.user_id)
    # For the layout, which shows who is signed in on error pages too. A view, because a failed
    # write takes every row that was read out of reach.
    request.scope["state"]["member"] = member_view(member) if member else None
    request.scope["state"]["chosen_zone"] = zone
    return member


async def as_member(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Member:
    """Yield the signed-in member; refuse everybody else."""
    identity = identity_of(request)
    if isinstance(identity, SignedOut):
        await _keep_what_was_typed(request)
        raise Unauthenticated(_("Sign in to go on."), extra={"reason": identity.reason})
    member = await maybe_member(request, session)
    if member is None:
        await check_not_deactivated(session, identity.claims.user_id)
        raise NotAMember(_("Ask the school to invite you, or join it first."))
    return member


async def as_staff(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Member:
    """Yield an instructor or an admin; refuse everybody else."""
    member = await as_member(request, session)
    if member.role not in ("instructor", "admin"):
        raise Forbidden(_("This is for the school's instructors."))
    return member


async def as_admin(request: AnyRequest, session: NamedDependency[AsyncSession]) -> Member:
    """Yield an admin; refuse everybody else."""
    member = await as_member(request, session)
    if member.role != "admin":
        raise Forbidden(_("This is for the school's admins."))
    return member


async def check_not_deactivated(session: AsyncSession, clerk_user_id: str) -> None:
    """Raise :class:`Deactivated` for somebody who belongs to the school and is shut out."""
    if await is_deactivated(session, clerk_user_id):
        raise Deactivated(_("Ask the school if this is not what you expect."))


def check_self_or_admin(by: Member, member_id: uuid.UUID) -> None:
    """Raise :class:`Forbidden` unless ``by`` is that member or an admin."""
    if by.id != member_id and by.role != "admin":
        raise Forbidden(_("This is for the instructor and for the school's admins."))


async def _keep_what_was_typed(request: AnyRequest) -> None:
    """Read a form whose sender's session has ended, so that the page that says so can send it again."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    if request.method == "POST" and kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        request.scope["state"]["typed"] = [
            (name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)
        ]
