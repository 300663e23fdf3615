"""Clerk's Backend API, as far as CourseCove calls it.

Source: Clerk's OpenAPI document of version 2026-05-12.  There is no
idempotency key: making something that exists already is reported by Clerk as
an error whose code the caller may look at.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import structlog

from coursecove.config import Settings
from coursecove.identity.errors import ClerkApiError

_log = structlog.get_logger(__name__)

CLERK_API_VERSION = "2026-05-12"

PAGE_SIZE = 100
#: What Clerk gives in one answer, and how many ids a filter may name.
MAX_PAGE_SIZE = 500
MAX_IDS = 100
TIMEOUT_SECONDS = 10.0
#: How often a call that was told to wait is made again, and how long one wait may be.
MAX_RETRIES = 3
MAX_RETRY_AFTER_SECONDS = 10.0


class ClerkEmailAddress(msgspec.Struct, frozen=True):
    """One address of a user."""

    id: str
    email_address: str


class ClerkUser(msgspec.Struct, frozen=True):
    """A person, as far as CourseCove reads it.  Times are milliseconds since 1970."""

    id: str
    updated_at: int
    created_at: int
    first_name: str | None = None
    last_name: str | None = None
    image_url: str | None = None
    has_image: bool = False
    primary_email_address_id: str | None = None
    email_addresses: list[ClerkEmailAddress] = []

    @property
    def primary_email(self) -> str | None:
        """The primary address; its place in the list means nothing."""
        for address in self.email_addresses:
            if address.id == self.primary_email_address_id:
                return address.email_address
        return None


class ClerkOrganization(msgspec.Struct, frozen=True):
    """An organization; ``slug`` may be missing where Clerk has slugs switched off."""

    id: str
    name: str
    created_at: int
    updated_at: int
    slug: str | None = None
    image_url: str | None = None
    has_image: bool = False
    created_by: str | None = None
    public_metadata: dict[str, Any] | None = None


class ClerkPublicUserData(msgspec.Struct, frozen=True):
    """The person of a membership."""

    user_id: str
    first_name: str | None = None
    last_name: str | None = None
    image_url: str | None = None
    identifier: str | None = None


class ClerkMembership(msgspec.Struct, frozen=True):
    """One person in one organization; ``role`` carries its ``org:`` prefix."""

    id: str
    role: str
    organization: ClerkOrganization
    public_user_data: ClerkPublicUserData
    created_at: int
    updated_at: int


class ClerkInvitation(msgspec.Struct, frozen=True):
    """An invitation into an organization."""

    id: str
    email_address: str
    role: str
    status: str
    organization_id: str
    created_at: int
    updated_at: int
    expires_at: int | None = None


class InvitationPage(msgspec.Struct, frozen=True):
    """Some invitations into an organization, and how many there are in all."""

    data: list[ClerkInvitation]
    total_count: int


class MembershipPage(msgspec.Struct, frozen=True):
    """Some memberships of an organization, and how many there are in all."""

    data: list[ClerkMembership]
    total_count: int


class OrganizationPage(msgspec.Struct, frozen=True):
    """Some organizations of the instance, and how many there are in all."""

    data: list[ClerkOrganization]
    total_count: int


class _Error(msgspec.Struct):
    code: str = "unknown"
    message: str = ""
    long_message: str | None = None


class _Errors(msgspec.Struct):
    errors: list[_Error]


_T = TypeVar("_T")


class ClerkApi:
    """Calls Clerk with the secret key.

    Every method raises :class:`~coursecove.identity.errors.ClerkApiError` when
    Clerk refuses, answers something unreadable or cannot be reached.  A 429 is
    waited out as told, three times at the most.  ``pace`` is awaited before
    every request, repeated ones included, by callers that make many.
    """

    def __init__(
        self,
        settings: Settings,
        http: httpx.AsyncClient,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pace: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._url = settings.clerk_api_url
        self._headers = {
            "Authorization": f"Bearer {settings.clerk_secret_key}",
            "Clerk-API-Version": CLERK_API_VERSION,
        }
        self._http = http
        self._sleep = sleep
        self._pace = pace

    async def get_user(self, user_id: str) -> ClerkUser:
        """Return one person; ``resource_not_found`` when there is none."""
        return await self._call("GET", ("users", user_id), ClerkUser)

    async def get_organization(self, organization_id: str) -> ClerkOrganization:
        """Return one organization, by id or slug."""
        return await self._call("GET", ("organizations", organization_id), ClerkOrganization)

    async def find_users(self, user_ids: Sequence[str]) -> list[ClerkUser]:
        """Return those of at most :data:`MAX_IDS` people who exist, in no particular order.

        The answer is a bare array, unlike every other list.
        """
        if not 1 <= len(user_ids) <= MAX_IDS:
            raise ValueError(f"1 to {MAX_IDS} ids, not {len(user_ids)}")
        return await self._call(
            "GET", ("users",), list[ClerkUser], query={"user_id": list(user_ids), "limit": MAX_IDS}
        )

    async def organizations_page(self, *, offset: int, limit: int = MAX_PAGE_SIZE) -> OrganizationPage:
        """Return the organizations from place ``offset`` on, oldest first: new ones come at the end."""
        return await self._call(
            "GET",
            ("organizations",),
            OrganizationPage,
            query={"limit": limit, "offset": offset, "order_by": "+created_at"},
        )

    async def memberships_page(
        self, organization_id: str, *, offset: int = 0, limit: int = MAX_PAGE_SIZE, user_ids: Sequence[str] = ()
    ) -> MembershipPage:
        """Return memberships from place ``offset`` on, oldest first; only those of ``user_ids`` when given."""
        query: dict[str, Any] = {"limit": limit, "offset": offset, "order_by": "+created_at"}
        if user_ids:
            query["user_id"] = list(user_ids)
        return await self._call(
            "GET", ("organizations", organization_id, "memberships"), MembershipPage, query=query
        )

    async def memberships(self, organization_id: str) -> AsyncIterator[ClerkMembership]:
        """Yield every membership of an organization, oldest first, page by page."""
        offset = 0
        while True:
            page = await self.memberships_page(organization_id, offset=offset, limit=PAGE_SIZE)
            for membership in page.data:
                yield membership
            offset += len(page.data)
            if not page.data or offset >= page.total_count:
                return

    async def create_membership(self, organization_id: str, user_id: str, role: str) -> ClerkMembership:
        """Put a person into an organization."""
        return await self._call(
            "POST",
            ("organizations", organization_id, "memberships"),
            ClerkMembership,
            body={"user_id": user_id, "role": role},
        )

    async def update_membership_role(self, organization_id: str, user_id: str, role: str) -> ClerkMembership:
        """Give a member another role.  Clerk keys memberships by the user's id."""
        return await self._call(
            "PATCH",
            ("organizations", organization_id, "memberships", user_id),
            ClerkMembership,
            body={"role": role},
        )

    async def delete_membership(self, organization_id: str, user_id: str) -> ClerkMembership:
        """Take a person out of an organization; returns what was removed."""
        return await self._call(
            "DELETE", ("organizations", organization_id, "memberships", user_id), ClerkMembership
        )

    async def invitations_page(
        self, organization_id: str, *, status: str, offset: int = 0, limit: int = MAX_PAGE_SIZE
    ) -> InvitationPage:
        """Return invitations of one status (pending, accepted, revoked, expired) from place ``offset`` on."""
        return await self._call(
            "GET",
            ("organizations", organization_id, "invitations"),
            InvitationPage,
            query={"status": status, "limit": limit, "offset": offset},
        )

    async def get_invitation(self, organization_id: str, invitation_id: str) -> ClerkInvitation:
        """Return one invitation of an organization; ``resource_not_found`` when there is none."""
        return await self._call(
            "GET", ("organizations", organization_id, "invitations", invitation_id), ClerkInvitation
        )

    async def revoke_invitation(self, organization_id: str, invitation_id: str) -> ClerkInvitation:
        """Take a pending invitation back: its link leads nowhere from then on."""
        # Nobody is named as asking: Clerk would want an admin of its own, and a school's may be one here only.
        return await self._call(
            "POST",
            ("organizations", organization_id, "invitations", invitation_id, "revoke"),
            ClerkInvitation,
            body={},
        )

    async def create_invitation(
        self, organization_id: str, email: str, role: str, *, redirect_url: str | None = None
    ) -> ClerkInvitation:
        """Invite somebody by e-mail; they come back to ``redirect_url`` when they accept."""
        body = {"email_address": email, "role": role}
        if redirect_url:
            body["redirect_url"] = redirect_url
        return await self._call(
            "POST", ("organizations", organization_id, "invitations"), ClerkInvitation, body=body
        )

    async def revoke_session(self, session_id: str) -> None:
        """End a session; tokens made from it stay valid for the rest of their minute."""
        await self._call("POST", ("sessions", session_id, "revoke"), dict[str, Any])

    async def _call(
        self,
        method: str,
        path: tuple[str, ...],
        returns: type[_T],
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> _T:
        url = "/".join((self._url, *(quote(part, safe="") for part in path)))
        for attempt in range(MAX_RETRIES + 1):
            if self._pace is not None:
                await self._pace()
            try:
                response = await self._http.request(
                    method,
                    url,
                    params=query,
                    json=body,
                    headers=self._headers,
                    timeout=TIMEOUT_SECONDS,
                    follow_redirects=False,
                )
            except httpx.HTTPError as error:
                raise ClerkApiError("unreachable", 0, "Clerk could not be reached.") from error
            if response.status_code != 429 or attempt == MAX_RETRIES:
                break
            wait = _retry_after(response)
            if wait > MAX_RETRY_AFTER_SECONDS:
                break
            _log.warning("clerk_rate_limited", path=path[0], wait_seconds=wait)
            await self._sleep(wait)
        if not response.is_success:
            raise _api_error(response)
        try:
            return msgspec.json.decode(response.content, type=returns)
        except msgspec.MsgspecError as error:
            raise ClerkApiError(
                "unreadable", response.status_code, "Clerk answered something unexpected."
            ) from error


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 1.0


def _api_error(response: httpx.Response) -> ClerkApiError:
    try:
        first = msgspec.json.decode(response.content, type=_Errors).errors[0]
    except (msgspec.MsgspecError, IndexError):
        first = _Error(message="Clerk refused without saying why.")
    return ClerkApiError(
        first.code,
        response.status_code,
        first.long_message or first.message,
        retry_after_seconds=_retry_after(response) if response.status_code == 429 else None,
    )
