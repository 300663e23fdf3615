"""Inviting people into a school.

Clerk sends the mails, knows who has been invited and makes a member of whoever
accepts; here nobody is a member before Clerk says so.  Nothing about an
invitation is stored but the fact that it was sent.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

import structlog
from msgspec import Struct
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from coursecove.errors import Conflict, Invalid, NotFound, Unavailable
from coursecove.events import track
from coursecove.i18n import N_, _
from coursecove.identity.api import ClerkApi, ClerkInvitation
from coursecove.identity.errors import ClerkApiError
from coursecove.resources import Resources
from coursecove.tenants import queries
from coursecove.tenants.models import Member
from coursecove.tenants.schemas import OrganizationView, Role

log = structlog.get_logger("coursecove.invitations")

#: Clerk takes 250 an hour for a whole instance, so one form is not to use them up.
MOST_AT_ONCE = 50
_AT_A_TIME = 5
LONGEST_ADDRESS = 254
# What Clerk calls the roles.
_CLERK_ROLES: dict[Role, str] = {"student": "org:member", "instructor": "org:instructor", "admin": "org:admin"}
_ROLES: dict[str, Role] = {clerk: role for role, clerk in _CLERK_ROLES.items()}
_ADDRESS = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]"
)
_SEPARATORS = re.compile(r"[\s,;]+")
_WITH_A_NAME = re.compile(r"[^<>,;\n]*<([^<>\s]+)>")

RefusalCode = Literal["already_invited", "already_a_member", "deactivated", "unusable", "unavailable"]


class InvitationView(Struct, frozen=True):
    """Somebody who has been invited and has not answered; ``id`` is Clerk's."""

    id: str
    email: str
    role: Role
    invited_at: datetime
    expires_at: datetime | None


class InvitationPage(Struct, frozen=True):
    """A page of pending invitations, the latest first; ``total`` counts all of them."""

    items: list[InvitationView]
    total: int
    page: int
    page_size: int


class Refusal(Struct, frozen=True):
    """An address that was not invited, and why, in words."""

    email: str
    code: RefusalCode
    message: str


class Invited(Struct, frozen=True):
    """What became of the addresses, each in the order it was given."""

    invited: list[InvitationView]
    refused: list[Refusal]


class InvitationsUnavailable(Unavailable):
    """Clerk could not be asked, so nothing was sent."""

    code = "identity_unavailable"
    title = N_("The invitation could not be sent just now. Please try again in a few minutes")


class NotPending(Conflict):
    """The invitation was accepted, taken back or has run out meanwhile."""

    code = "invitation_not_pending"
    title = N_("This invitation is no longer open")


def addresses_in(text: str) -> list[str]:
    """Return the addresses somebody typed or pasted: on lines, with commas, or as ``Name <address>``."""
    return [part for part in _SEPARATORS.split(_WITH_A_NAME.sub(r" \1 ", text)) if part]


def is_address(email: str) -> bool:
    """Say whether mail could be sent to ``email``, as far as its shape tells."""
    return len(email) <= LONGEST_ADDRESS and ".." not in email and _ADDRESS.fullmatch(email) is not None


async def list_invitations(
    resources: Resources, organization: OrganizationView, *, page: int = 1, page_size: int = 50
) -> InvitationPage:
    """Return a page of pending invitations from Clerk; raises :class:`ClerkApiError`."""
    found = await _clerk(resources).invitations_page(
        organization.clerk_id, status="pending", offset=(page - 1) * page_size, limit=page_size
    )
    return InvitationPage([_view(one) for one in found.data], found.total_count, page, page_size)


async def get_invitation(
    resources: Resources, organization: OrganizationView, invitation_id: str
) -> InvitationView:
    """Return one pending invitation of this school; raises :class:`NotFound`, :class:`NotPending`."""
    try:
        found = await _clerk(resources).get_invitation(organization.clerk_id, invitation_id)
    except ClerkApiError as error:
        if error.clerk_status in (400, 404, 422):
            raise NotFound(_("There is no such invitation at this school.")) from error
        raise
    # Not only Clerk's word: what is shown and sent here is this school's.
    if found.organization_id != organization.clerk_id:
        raise NotFound(_("There is no such invitation at this school."))
    if found.status != "pending":
        raise NotPending(_("It was answered, taken back or has run out meanwhile."))
    return _view(found)


async def invite(
    session: AsyncSession,
    resources: Resources,
    organization: OrganizationView,
    emails: Sequence[str],
    role: Role,
    *,
    by: Member,
) -> Invited:
    """Have Clerk invite every address, and say of each what became of it.

    Raises :class:`Invalid` at ``emails`` when there is none, too many or one
    that is no address (nothing is sent then), :class:`InvitationsUnavailable`
    when Clerk could be asked about none of them.
    """
    wanted = list({email.casefold(): email for email in emails}.values())
    _check(wanted)
    known = await _members_at(session, wanted)
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def one(email: str) -> InvitationView | Refusal:
        member = known.get(email.casefold())
        if member is not None:
            return _refusal(email, "deactivated" if member.deactivated_at else "already_a_member")
        async with gate:
            return await _send(resources, organization, email, role)

    results = await asyncio.gather(*(one(email) for email in wanted))
    invited = [result for result in results if isinstance(result, InvitationView)]
    refused = [result for result in results if isinstance(result, Refusal)]
    if refused and all(one.code == "unavailable" for one in refused) and not invited:
        raise InvitationsUnavailable
    for view in invited:
        _note(session, "member.invited", organization, view, by=by)
    return Invited(invited, refused)


async def resend_invitation(
    session: AsyncSession,
    resources: Resources,
    organization: OrganizationView,
    invitation_id: str,
    *,
    by: Member,
) -> InvitationView:
    """Send a pending invitation once more: a new link and a new term, and the old link ends.

    Clerk has no call for it, so the old one is taken back and another is made.
    Raises :class:`NotFound`, :class:`NotPending`, :class:`InvitationsUnavailable`.
    """
    old = await get_invitation(resources, organization, invitation_id)
    await _revoke(resources, organization, invitation_id)
    result = await _send(resources, organization, old.email, old.role)
    if isinstance(result, Refusal):
        if result.code == "unavailable":
            text = _(
                "The earlier invitation of {email} ended. Please invite this address again in a few minutes."
            )
            raise InvitationsUnavailable(text.format(email=old.email))
        raise Conflict(result.message)
    _note(session, "invitation.resent", organization, result, by=by)
    return result


async def revoke_invitation(
    session: AsyncSession,
    resources: Resources,
    organization: OrganizationView,
    invitation_id: str,
    *,
    by: Member,
) -> InvitationView:
    """Take a pending invitation back: its link leads nowhere any more.

    Raises :class:`NotFound`, :class:`NotPending`.
    """
    view = await get_invitation(resources, organization, invitation_id)
    await _revoke(resources, organization, invitation_id)
    _note(session, "invitation.revoked", organization, view, by=by)
    return view


def _clerk(resources: Resources) -> ClerkApi:
    return ClerkApi(resources.settings, resources.http)


def _check(emails: Sequence[str]) -> None:
    if not emails:
        raise Invalid(fields={"emails": _("Enter an e-mail address such as mia@example.com.")})
    if len(emails) > MOST_AT_ONCE:
        text = _("At most {number} addresses at once, please.")
        raise Invalid(fields={"emails": text.format(number=MOST_AT_ONCE)})
    wrong = [email for email in emails if not is_address(email)]
    if len(emails) == len(wrong) == 1:
        raise Invalid(fields={"emails": _("Enter an e-mail address such as mia@example.com.")})
    if wrong:
        text = _("These are no e-mail addresses: {addresses}")
        shown = ", ".join(f"“{email[:60]}”" for email in wrong[:5])
        raise Invalid(fields={"emails": text.format(addresses=shown)})


async def _members_at(session: AsyncSession, emails: Iterable[str]) -> dict[str, Member]:
    wanted = [email.lower() for email in emails]
    found = await session.scalars(queries.current_members().where(func.lower(Member.email).in_(wanted)))
    return {(member.email or "").casefold(): member for member in found}


async def _send(
    resources: Resources, organization: OrganizationView, email: str, role: Role
) -> InvitationView | Refusal:
    try:
        made = await _clerk(resources).create_invitation(
            organization.clerk_id,
            email,
            _CLERK_ROLES[role],
            redirect_url=f"{resources.settings.origin(organization.slug)}/sign-up",
        )
    except ClerkApiError as error:
        return _refusal(email, _code_of(error))
    return _view(made)


async def _revoke(resources: Resources, organization: OrganizationView, invitation_id: str) -> None:
    try:
        await _clerk(resources).revoke_invitation(organization.clerk_id, invitation_id)
    except ClerkApiError as error:
        # Somebody was quicker: answered, or taken back in another window.
        if error.clerk_status in (400, 404, 422):
            raise NotPending(_("It was answered, taken back or has run out meanwhile.")) from error
        raise


def _code_of(error: ClerkApiError) -> RefusalCode:
    codes: dict[str, RefusalCode] = {
        "duplicate_record": "already_invited",
        "already_a_member_in_organization": "already_a_member",
        "form_param_format_invalid": "unusable",
    }
    code = codes.get(error.clerk_code)
    if code is None:
        log.warning("invitation_failed", clerk_code=error.clerk_code, clerk_status=error.clerk_status)
    return code or "unavailable"


def _refusal(email: str, code: RefusalCode) -> Refusal:
    text = {
        "already_invited": _("{email} is already invited."),
        "already_a_member": _("{email} already belongs to this school."),
        "deactivated": _("{email} belongs to this school and is deactivated. Let them in again instead."),
        "unusable": _("{email} cannot be used as an e-mail address."),
        "unavailable": _("{email} could not be invited just now. Please try again in a few minutes."),
    }[code]
    return Refusal(email, code, text.format(email=email))


def _view(invitation: ClerkInvitation) -> InvitationView:
    expires_at = invitation.expires_at
    return InvitationView(
        id=invitation.id,
        email=invitation.email_address,
        role=_ROLES.get(invitation.role, "student"),
        invited_at=_instant(invitation.created_at),
        expires_at=_instant(expires_at) if expires_at is not None else None,
    )


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _note(
    session: AsyncSession, action: str, organization: OrganizationView, view: InvitationView, *, by: Member
) -> None:
    subject_id: uuid.UUID = organization.id
    track(
        session,
        action,
        subject_type="organization",
        subject_id=subject_id,
        actor_id=by.id,
        data={"email": view.email, "role": view.role},
    )
